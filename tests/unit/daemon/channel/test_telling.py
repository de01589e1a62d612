"""What people are told of a device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.words import ProfileBy
from derctl.daemon.channel.telling import Told, gained_text, is_news, taken_as, who
from derctl.devices import Identity, Profile
from derctl.devices.profile import Habits

STRAY = "unit 7 answers instead"


@pytest.mark.parametrize(
    ("told", "news"),
    [
        (Told(text="no answer within 1 s"), True),
        (Told(text=f"no answer within 1 s, but {STRAY}"), False),
        (Told(text="no answer within 1 s", strayed=True), False),
    ],
)
def test_what_comes_instead_of_answers_is_told_once(told: Told, news: bool) -> None:
    assert is_news(told, STRAY) is news


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (("model 121 (exception 4)", "a control group"), (), "has now model 121, a control group"),
        (
            ("model 121 (exception 4)", "the end of its map"),
            ("the end of its map (exception 6)",),
            "has now model 121",
        ),
        (("the end of its map",), ("the end of its map",), "its map has changed"),
    ],
)
def test_what_a_device_has_gained_is_told_without_why_it_lacked_it(
    before: tuple[str, ...], now: tuple[str, ...], text: str
) -> None:
    lacking: list[Any] = [SimpleNamespace(lacks=lacks) for lacks in (before, now)]
    assert gained_text(*lacking) == text


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (Identity(maker="Acme", model="One", serial="1001"), "Acme One, serial 1001"),
        (Identity(maker="Acme", model="One"), "Acme One, which tells no serial"),
    ],
)
def test_who_was_found_is_told_by_maker_model_and_serial(identity: Identity, text: str) -> None:
    assert who(identity) == text


@pytest.mark.parametrize(
    ("by", "text"),
    [
        (ProfileBy.SITE_FILE, ""),
        (ProfileBy.IDENTITY, "; profile kaco"),
        (ProfileBy.NOBODY, "; no profile is meant for it, the documents count"),
    ],
)
def test_by_which_profile_it_is_taken_is_told_where_the_site_file_does_not_say_it(by: ProfileBy, text: str) -> None:
    assert taken_as(Habits(profile=Profile(name="kaco"), by=by)) == text
