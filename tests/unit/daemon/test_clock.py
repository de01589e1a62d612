"""Wall-clock time for people, and whether it can be believed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from derctl.daemon.clock import Clock, text_of


def test_a_stamp_is_rfc_3339_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 21, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert text_of(moment) == "2026-11-21T12:00:00.999Z"
    clock = Clock("assume", lambda: 1795262400.25)
    assert clock.stamp() == "2026-11-21T12:00:00.250Z"
    assert datetime.fromisoformat(clock.stamp()) == clock.now()
    assert clock.now().tzinfo is UTC


def test_a_file_may_say_that_the_clock_is_set(tmp_path: Path) -> None:
    clock = Clock(str(tmp_path / "synchronized"))
    assert not clock.synced
    (tmp_path / "synchronized").touch()
    assert clock.synced


def test_an_assumed_clock_is_always_believed() -> None:
    assert Clock("assume").synced


def libc(monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any]) -> None:
    """In the place of the C library, whether it is opened once or each time."""
    monkeypatch.setattr(ctypes, "CDLL", make)
    monkeypatch.setattr("derctl.daemon.clock._LIBC", make(), raising=False)


@pytest.mark.parametrize(("answer", "synced"), [(0, True), (1, True), (4, True), (5, False), (-1, False)])
def test_the_kernel_is_asked_with_adjtimex_and_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch, answer: int, synced: bool
) -> None:
    """adjtimex(2): TIME_OK 0 ... TIME_WAIT 4, TIME_ERROR 5 is "not synchronized"; modes 0 reads only."""
    asked: list[bytes] = []

    class Libc:
        def __init__(self, *given: Any, **more: Any) -> None:
            pass

        def adjtimex(self, buffer: Any) -> int:
            asked.append(bytes(buffer[:4]))
            assert len(buffer) >= 208, "struct timex of a 64-bit Linux"
            return answer

    libc(monkeypatch, Libc)
    assert Clock().synced is synced
    assert asked == [b"\x00\x00\x00\x00"]


def test_a_libc_without_adjtimex_is_a_clock_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    libc(monkeypatch, lambda *given, **more: object())
    assert not Clock().synced


def test_this_machines_kernel_can_be_asked() -> None:
    """The same as the shell's own look at the STA_UNSYNC flag would say; here only that the call does no harm."""
    assert Clock().synced in {True, False}
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(seconds=5)
