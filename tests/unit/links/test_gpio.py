"""GPIO lines by a fake chip: what is read, what can't be had, and a chip that hangs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from derctl.errors import LinkError
from derctl.links.gpio import AGAIN_S, EXTRA, LOOK_S, OLD, STALE_S, Chip, Watched, missing, opened

CHIP = Chip(path="/dev/gpiochip0", low=True, pull=True)


class Fake:
    """A chip with lines, for as long as it is there."""

    def __init__(self) -> None:
        self.closed = {17: True, 27: False}
        self.error: Exception | None = None
        self.opens, self.closes, self.now_s = 0, 0, 50.0
        self.read_once = threading.Event()

    def open(self, chip: Chip, lines: Sequence[int]) -> Fake:
        self.opens += 1
        if self.error is not None:
            raise self.error
        return self

    def read(self) -> Mapping[int, bool]:
        self.read_once.set()
        if self.error is not None:
            raise self.error
        return dict(self.closed)

    def close(self) -> None:
        self.closes += 1
        raise OSError("already gone")


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def watched(fake: Fake) -> Watched:
    return Watched(CHIP, [17, 27], fake.open, lambda: fake.now_s)


def test_what_is_read_is_known_for_a_while(fake: Fake, watched: Watched) -> None:
    assert watched.closed() == ({}, "not read yet") and not watched.tried
    assert watched.once() == LOOK_S and watched.tried
    assert watched.closed() == ({17: True, 27: False}, "")
    fake.now_s += STALE_S + 1.0
    assert watched.closed() == ({}, "/dev/gpiochip0 does not answer")
    assert watched.once() == LOOK_S and fake.opens == 1
    assert watched.closed()[1] == ""


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(2, "No such file or directory"), "No such file or directory"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (LinkError(EXTRA), EXTRA),
        (ValueError("line 99 is none"), "line 99 is none"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_a_chip_that_can_not_be_had_says_why_and_is_tried_again(
    fake: Fake, watched: Watched, error: Exception, says: str
) -> None:
    fake.error = error
    assert watched.once() == AGAIN_S and watched.tried
    read, why = watched.closed()
    assert read == {} and why.startswith("/dev/gpiochip0: ") and says in why
    fake.error = None
    assert watched.once() == LOOK_S and watched.closed()[1] == ""


def test_a_chip_that_goes_away_is_let_go_and_opened_anew(fake: Fake, watched: Watched) -> None:
    watched.once()
    fake.error = OSError(19, "No such device")
    watched.once()
    assert watched.closed()[0] == {} and fake.closes == 1
    fake.error = None
    watched.once()
    assert (fake.opens, watched.closed()[0]) == (2, {17: True, 27: False})


def test_a_thread_of_its_own_reads_it_and_lets_it_go(fake: Fake, watched: Watched) -> None:
    watched.start()
    assert fake.read_once.wait(10.0)
    [thread] = [each for each in threading.enumerate() if each.name == "gpio /dev/gpiochip0"]
    watched.stop()
    thread.join(10.0)
    assert not thread.is_alive() and thread.daemon and fake.closes == 1


class Library(ModuleType):
    """As gpiod 2.5 has it: request_lines, LineSettings, and the words of gpiod.line."""

    def __init__(self) -> None:
        super().__init__("gpiod")
        self.asked: dict[str, Any] = {}
        self.line = ModuleType("gpiod.line")
        words = {
            "Bias": SimpleNamespace(AS_IS="as is", PULL_UP="up", PULL_DOWN="down"),
            "Direction": SimpleNamespace(INPUT="input"),
            "Value": SimpleNamespace(ACTIVE=1, INACTIVE=0),
        }
        for name, word in words.items():
            setattr(self.line, name, word)
        self.LineSettings = dict

    def request_lines(self, path: str, *, consumer: str, config: dict[tuple[int, ...], Any]) -> Any:
        self.asked = {"path": path, "consumer": consumer, "config": config}
        return SimpleNamespace(get_values=lambda lines: [1 if line == 17 else 0 for line in lines], release=self.gone)

    def gone(self) -> None:
        self.asked = {}


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setitem(sys.modules, "gpiod", made)
    monkeypatch.setitem(sys.modules, "gpiod.line", made.line)
    return made


@pytest.mark.parametrize(
    ("low", "pull", "bias"),
    [(True, True, "up"), (False, True, "down"), (True, False, "as is"), (False, False, "as is")],
)
def test_an_open_line_is_held_the_way_that_a_broken_wire_shows(
    library: Library, low: bool, pull: bool, bias: str
) -> None:
    lines = opened(Chip(path="/dev/gpiochip1", low=low, pull=pull), [17, 27])
    settings = {"direction": "input", "bias": bias, "active_low": low}
    assert library.asked == {"path": "/dev/gpiochip1", "consumer": "derctl", "config": {(17, 27): settings}}
    assert lines.read() == {17: True, 27: False}
    lines.close()
    assert library.asked == {}


def test_a_gpiod_of_version_1_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", ModuleType("gpiod"))
    with pytest.raises(LinkError, match="version 1"):
        opened(CHIP, [17])
    assert "version 1" in OLD


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(LinkError) as caught:
        opened(CHIP, [17])
    assert str(caught.value) == EXTRA and "derctl[gpio]" in EXTRA


def test_whether_the_extra_is_there_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing()
