"""What a daemon reads only when somebody asks for it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from derctl.cli import late, sessions
from derctl.cli.heap import one_arena
from derctl.errors import CommandError

NOBODY: Any = None


def test_it_offers_what_there_is() -> None:
    assert late.SESSIONS.keys() == sessions.SESSIONS.keys()


async def test_the_call_goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def verify(trials: Any, args: Any, who: str, talk: Any) -> Any:
        return {"args": args, "who": who}

    monkeypatch.setitem(sessions.SESSIONS, "verify", verify)
    found = await late.SESSIONS["verify"](NOBODY, {"ders": ["pv1"]}, "anna", NOBODY)
    assert found == {"args": {"ders": ["pv1"]}, "who": "anna"}


async def test_one_that_does_not_fit_what_runs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """derctl was updated and not restarted."""
    monkeypatch.setitem(sys.modules, "derctl.cli.sessions", None)
    with pytest.raises(CommandError, match="another version than the one that runs"):
        await late.SESSIONS["identify"](NOBODY, {}, "anna", NOBODY)


def test_a_c_library_without_arenas_keeps_nobody_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Library:
        def mallopt(self, what: int, value: int) -> int:
            asked.append((what, value))
            return 1

    monkeypatch.setattr("ctypes.CDLL", lambda name: Library())
    one_arena()
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    one_arena()
    assert asked == [(-8, 1)]
