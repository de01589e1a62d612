"""Which ceiling a release leaves in a device: nothing is raised by it, whatever is known of what stands there."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.words import FallbackBy, Timer
from derctl.devices import Profile
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.sunspec.controls.release import Release
from tests import make

REVERTS, STANDS = FallbackBy.REVERSION, FallbackBy.STANDS
KEPT = Fallback(p_ceiling_w=2000.0, by=STANDS)


class Part:
    """A control group that notes what it was released to, in `told`, which all of a device share."""

    def __init__(self, name: str, told: list[tuple[Any, ...]], timer: Timer = Timer.TARGET) -> None:
        self.name, self.told, self.timer = name, told, timer

    def release(self, *given: Any) -> Any:
        self.told.append((self.name, *given[:-1]))
        yield from ()


def release(
    *,
    fallback: Fallback = KEPT,
    lift: bool = False,
    held: Setpoint = NOTHING,
    accepted: Setpoint = NOTHING,
    believed: bool = True,
    timer: Timer = Timer.TARGET,
    readback: Literal["values", "effect_only"] = "values",
    parts: str = "limit target var",
    told: list[tuple[Any, ...]] | None = None,
) -> Release:
    noted = [] if told is None else told
    made: Any = {name: Part(name, noted, timer) for name in parts.split()}
    return Release(
        groups=Groups(**made),
        rated=Rated(rating=make.rating(p_max_w=5000.0), profile=Profile(readback=readback)),
        fallback=fallback,
        lift=lift,
        held=held,
        accepted=accepted,
        believed=believed,
    )


def reading(watts: float) -> Any:
    return {"accepted": Setpoint(p_ceiling_w=watts)}


def told(watts: float) -> Any:
    return {"held": Setpoint(p_ceiling_w=watts)}


@pytest.mark.parametrize(
    ("given", "stands_w"),
    [
        (reading(1000.0), 1000.0),
        (reading(3000.0), 2000.0),
        (reading(3000.0) | {"fallback": Fallback()}, 3000.0),
        (reading(1000.0) | {"lift": True}, 2000.0),
        (reading(1000.0) | {"lift": True, "fallback": Fallback()}, 5000.0),
        (reading(1000.0) | {"lift": True, "fallback": Fallback(p_ceiling_w=9000.0)}, 5000.0),
        (told(1000.0), 1000.0),
        (reading(1500.0) | told(1000.0), 1500.0),
        (reading(1500.0) | told(1000.0) | {"believed": False}, 1000.0),
        (reading(1500.0) | {"believed": False}, None),
        ({}, None),
        ({"fallback": Fallback(p_ceiling_w=2000.0, by=REVERTS)}, None),
        ({"fallback": Fallback(p_ceiling_w=2000.0, by=REVERTS), "timer": Timer.NO_TARGET}, 2000.0),
        ({"fallback": Fallback(p_ceiling_w=2000.0, by=REVERTS), "readback": "effect_only"}, 2000.0),
        ({"fallback": Fallback(by=REVERTS), "timer": Timer.NO_TARGET}, None),
        ({"timer": Timer.NO_TARGET}, None),
    ],
)
def test_the_ceiling_that_stays_is_above_neither_the_fallback_nor_what_stands(
    given: dict[str, Any], stands_w: float | None
) -> None:
    assert release(**given).stands_w == stands_w


@pytest.mark.parametrize(
    ("given", "done"),
    [
        (reading(1000.0), [("limit", 1000.0), ("target", KEPT)]),
        ({"parts": "limit"}, []),
        (reading(6000.0) | {"fallback": Fallback(), "parts": "limit"}, [("limit", None)]),
        ({"accepted": Setpoint(q_var=-300.0), "parts": "limit var"}, [("var",)]),
        ({"held": Setpoint(q_var=-300.0), "parts": "var"}, [("var",)]),
        ({"parts": "var"}, []),
    ],
)
def test_var_goes_first_and_nothing_is_told_that_has_nothing_to_give_back(
    given: dict[str, Any], done: list[tuple[Any, ...]]
) -> None:
    noted: list[tuple[Any, ...]] = []
    for part in release(**given, told=noted).parts({}):
        assert list(part) == []
    assert noted == done


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (reading(1000.0), Setpoint(q_var=1.0)),
        ({"believed": False} | told(1000.0), Setpoint(p_ceiling_w=1000.0, p_target_w=0.0)),
        ({"believed": False, "parts": "limit"} | told(1000.0), Setpoint(p_ceiling_w=1000.0)),
        ({"believed": False, "parts": "target"} | told(1000.0), Setpoint(p_target_w=0.0)),
        ({"believed": False, "fallback": Fallback(), "parts": "limit target"}, NOTHING),
    ],
)
def test_what_stands_afterwards_is_read_and_where_that_is_no_proof_it_is_what_was_written(
    given: dict[str, Any], left: Setpoint
) -> None:
    assert release(**given).left(Setpoint(q_var=1.0)) == left
