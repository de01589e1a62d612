"""How it goes with the sessions at the broker, and what people are told of that."""

from __future__ import annotations

import asyncio
import time

import pytest

from derctl.links.sessions import BRIEF_S, BRIEFLY, TAKEN_OVER_S, Sessions
from derctl.links.tidings import Tidings


class Site:
    """With the clock of the virtual loop. told: what people heard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "monotonic", asyncio.get_running_loop().time)
        self.told: list[object] = []
        self.tidings = Tidings(self.told.append, lambda event, text: self.told.append((event, text)), lambda *_: 0.0)

    async def session(self, seconds: float, *, closed: bool = True, taken_over: bool = False) -> float:
        """One that ends after so long, without a word or as the test says. Returns the pause after it."""
        self.tidings.begin()
        self.tidings.won("connected")
        lasts = asyncio.create_task(self.tidings.lasts())
        await asyncio.sleep(seconds)
        lasts.cancel()
        await asyncio.gather(lasts, return_exceptions=True)
        self.tidings.connected = False
        return self.tidings.lost("connection lost", closed=closed, taken_over=taken_over)

    def refused(self) -> float:
        """A try that came to no session."""
        self.tidings.begin()
        return self.tidings.lost("refused", closed=True, taken_over=False)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


async def test_the_first_try_is_told_and_then_each_session_that_is_won_or_lost(site: Site) -> None:
    for _ in range(5):
        site.refused()
    assert site.told == [False]
    assert site.tidings.word == "refused"
    await site.session(100.0)
    site.refused()
    await site.session(100.0)
    assert site.told == [False, True, False, True, False]
    assert site.tidings.sessions == 2


async def test_a_session_after_one_that_did_not_last_is_told_when_it_has_lasted(site: Site) -> None:
    await site.session(BRIEF_S / 2.0)
    assert site.told == [True, False]
    await site.session(BRIEF_S - 1.0)
    assert site.told == [True, False]
    await site.session(BRIEF_S + 1.0)
    assert site.told == [True, False, True, False]


async def test_another_client_with_this_site_s_name_is_named_once_and_left_alone(site: Site) -> None:
    pauses = [await site.session(1.0) for _ in range(BRIEFLY + 2)]
    assert site.told[:2] == [True, False]
    assert [event for event, _ in (each for each in site.told[2:] if isinstance(each, tuple))] == [
        "broker_taken_over"
    ]
    assert pauses[BRIEFLY - 1 :] == [TAKEN_OVER_S, 2.0 * TAKEN_OVER_S, 4.0 * TAKEN_OVER_S]
    assert site.tidings.word.endswith("next try in 240 s")


async def test_what_no_session_was_is_no_brief_one(site: Site) -> None:
    for _ in range(3 * BRIEFLY):
        site.refused()
    assert site.tidings.history == Sessions(failed=3 * BRIEFLY)
