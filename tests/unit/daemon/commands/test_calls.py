"""What the socket answers beside the commands: the last ticks, and a release, which disarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.words import Refusal, Released
from derctl.daemon.actuate.release import Release
from derctl.daemon.commands.calls import Calls
from derctl.daemon.commands.desk import at_once, unnoted
from derctl.daemon.commands.row import Reach
from derctl.errors import CommandError
from derctl.store.ticks import Recorder


class House:
    """Notes in which order it is touched. said: the log."""

    def __init__(self, **result: Release) -> None:
        self.order: list[str] = []
        self.said: list[str] = []
        self.result = result
        self.full = False
        gate = SimpleNamespace(disarm=lambda who: self.order.append(f"disarmed by {who}"))
        reach = Reach(
            plan=cast(Any, None), requests=cast(Any, None), gate=cast(Any, gate), state=cast(Any, None),
            releaser=cast(Any, SimpleNamespace(release=self.release)),
            changed=self.noting("changed"), look=cast(Any, None), save=self.save,
        )  # fmt: skip
        log = SimpleNamespace(log=lambda priority, event, *, text: self.said.append(text))
        desk = cast(Any, SimpleNamespace(log=log, reach=reach, note=unnoted, kept=at_once))
        self.calls = Calls(desk=desk, recorder=Recorder(), view=cast(Any, None))

    def noting(self, word: str) -> Callable[[], None]:
        return lambda: self.order.append(word)

    async def save(self) -> None:
        self.order.append("saved")
        if self.full:
            raise OSError(28, "No space left on device")

    async def release(self, *, lift: bool) -> dict[str, Release]:
        self.order.append(f"released, lift={lift}")
        return self.result


@pytest.mark.parametrize(("args", "lift"), [({}, False), ({"lift": False}, False), ({"lift": True}, True)])
async def test_a_release_disarms_first_so_that_nothing_is_written_behind_it(args: dict[str, Any], lift: bool) -> None:
    house = House(pv1=Release(Released.RELEASED, stands_w=3000.0))
    found = await house.calls.answer("release", args, "anna")
    assert house.order == ["disarmed by anna", "changed", f"released, lift={lift}", "saved"]
    assert found == {"pv1": {"result": "released", "text": "", "stands_w": 3000.0, "standing": None}}
    asked = "release lift=true" if lift else "release"
    assert house.said == [f"anna: {asked}: pv1: released"]


async def test_a_release_of_nothing_says_so() -> None:
    house = House()
    assert await house.calls.answer("release", {}, "anna") == {}
    assert house.said == ["anna: release: nothing was written"]


@pytest.mark.parametrize(
    ("call", "args", "code"),
    [
        ("release", {"lift": 1}, Refusal.BAD_ARGUMENT),
        ("release", {"lift": "no"}, Refusal.BAD_ARGUMENT),
        ("release", {"lift": "false"}, Refusal.BAD_ARGUMENT),
        ("release", {"lift": None}, Refusal.BAD_ARGUMENT),
        ("release", {"Lift": True}, Refusal.BAD_ARGUMENT),
        ("status", {"please": 1}, Refusal.BAD_ARGUMENT),
        ("record", {"count": 1.5}, Refusal.BAD_ARGUMENT),
        ("record", {"ticks": 2}, Refusal.BAD_ARGUMENT),
        ("record", {"count": True}, Refusal.BAD_ARGUMENT),
        ("record", {"count": -1}, Refusal.BAD_ARGUMENT),
        ("record", {"count": "2"}, Refusal.BAD_ARGUMENT),
        ("dance", {}, Refusal.UNKNOWN_COMMAND),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    call: str, args: dict[str, Any], code: Refusal
) -> None:
    house = House()
    with pytest.raises(CommandError) as caught:
        await house.calls.answer(call, args, "anna")
    assert (caught.value.code, house.order) == (code, [])


@pytest.mark.parametrize(
    ("call", "args", "text"),
    [
        ("release", {"lift": "false"}, 'lift: "false" is neither true nor false'),
        ("record", {"count": -1}, "count: -1 is no whole number from 0 on"),
        ("status", {"please": 1}, "no argument please; there are none"),
    ],
)
async def test_what_is_wrong_with_an_argument_is_said(call: str, args: dict[str, Any], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        await House().calls.answer(call, args, "anna")


async def test_a_release_that_cannot_be_saved_is_done_and_refused_with_what_became_of_it() -> None:
    house = House(pv1=Release(Released.RELEASED, stands_w=3000.0))
    house.full = True
    with pytest.raises(CommandError, match=r"nothing is written any more, .*; pv1: released") as caught:
        await house.calls.answer("release", {}, "anna")
    assert caught.value.code == Refusal.NOT_SAVED
    assert house.order[:3] == ["disarmed by anna", "changed", "released, lift=False"]


async def test_a_command_of_the_table_goes_to_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    house, taken = House(), list[Any]()

    async def local(name: str, args: Mapping[str, Any], by: str) -> str:
        taken.append((name, args, by))
        return "pong"

    monkeypatch.setattr(house.calls.desk, "local", local, raising=False)
    assert await house.calls.answer("ping", {}, "anna") == "pong"
    assert taken == [("ping", {}, "anna")]


async def test_the_record_of_looking_on_is_asked_for_the_last_day_or_as_long_as_is_said() -> None:
    asked: list[float] = []

    async def report(since_s: float) -> dict[str, Any]:
        asked.append(since_s)
        return {"observed_s": 1}

    calls = replace(House().calls, shadow=report)
    assert await calls.answer("shadow", {}, "anna") == {"observed_s": 1}
    await calls.answer("shadow", {"since_s": 3600.0}, "anna")
    assert asked == [86400.0, 3600.0]
    for wrong in ({"since_s": 0.0}, {"since_s": 1e9}, {"for": 1}):
        with pytest.raises(CommandError):
            await calls.answer("shadow", wrong, "anna")
    with pytest.raises(CommandError, match="nothing is recorded"):
        await House().calls.answer("shadow", {}, "anna")
