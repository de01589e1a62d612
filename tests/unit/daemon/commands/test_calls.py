"""What the socket answers beside the commands: the last ticks, and a release, which disarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.words import Refusal, Released
from derctl.daemon.actuate.release import Release
from derctl.daemon.commands.calls import Calls
from derctl.daemon.commands.row import Reach
from derctl.errors import CommandError
from derctl.store.ticks import Recorder


class House:
    """Notes in which order it is touched. said: the log."""

    def __init__(self, **result: Release) -> None:
        self.order: list[str] = []
        self.said: list[str] = []
        self.result = result
        gate = SimpleNamespace(disarm=lambda who: self.order.append(f"disarmed by {who}"))
        reach = Reach(
            plan=cast(Any, None), requests=cast(Any, None), gate=cast(Any, gate), state=cast(Any, None),
            releaser=cast(Any, SimpleNamespace(release=self.release)),
            changed=self.noting("saved"), look=cast(Any, None),
        )  # fmt: skip
        log = SimpleNamespace(log=lambda priority, event, *, text: self.said.append(text))
        desk = cast(Any, SimpleNamespace(log=log))
        self.calls = Calls(desk=desk, reach=reach, recorder=Recorder(), view=cast(Any, None))

    def noting(self, word: str) -> Callable[[], None]:
        return lambda: self.order.append(word)

    async def release(self, *, lift: bool) -> dict[str, Release]:
        self.order.append(f"released, lift={lift}")
        return self.result


@pytest.mark.parametrize(("args", "lift"), [({}, False), ({"lift": False}, False), ({"lift": True}, True)])
async def test_a_release_disarms_first_so_that_nothing_is_written_behind_it(args: dict[str, Any], lift: bool) -> None:
    house = House(pv1=Release(Released.RELEASED, stands_w=3000.0))
    found = await house.calls.answer("release", args, "anna")
    assert house.order == ["disarmed by anna", "saved", f"released, lift={lift}"]
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


async def test_a_command_of_the_table_goes_to_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    house, taken = House(), list[Any]()

    async def local(name: str, args: Mapping[str, Any], by: str) -> str:
        taken.append((name, args, by))
        return "pong"

    monkeypatch.setattr(house.calls.desk, "local", local, raising=False)
    assert await house.calls.answer("ping", {}, "anna") == "pong"
    assert taken == [("ping", {}, "anna")]
