"""What `verify` and `identify` find of each maker's simulated device, by the profiles that ship, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from derctl.commission.identify import identify
from derctl.commission.trial import Kill, Silence, Watch
from derctl.commission.verify import after_kill, prove, until_killed
from derctl.core import belief
from derctl.core.words import Belief, Beside, Flaw, Proven, Unplugged
from tests.maker import Maker, inverted_var
from tests.stepped import played

PV, PV7 = ("pv_1xx", "sunspec_pv"), ("pv_7xx", "sunspec_pv")
STORE, STORE7 = ("storage_124", "sunspec_storage"), ("storage_7xx", "sunspec_storage")


def declared(p_ceiling_w: float, by: str = "reversion") -> dict[str, Any]:
    return {"p_ceiling_w": p_ceiling_w, "by": by, "after_s": 20}


FREE, LESS, REST, STANDS = declared(5000), declared(3000), declared(0), declared(3000, "stands")
Made = Callable[[], Maker]
ASKED, CUT = Unplugged.ASKING, Unplugged.CUT


def a(*given: Any, **more: Any) -> Made:
    """Not made before its test."""
    return partial(Maker, *given, **more)


HABITS: dict[str, tuple[Made, Proven, str, Unplugged]] = {
    "a timer with a target": (a("generic", *PV7, LESS), Proven.PROVEN, "went to a limit of 3,000", ASKED),
    "a timer without one": (a("generic", *PV, FREE), Proven.PROVEN, "let go of a limit", ASKED),
    "KACO, which still reads it as active": (
        a("kaco", *PV, FREE), Proven.PROVEN, "still reads what it was told as active", ASKED,
    ),
    "KACO in the dark": (a("kaco", *PV, FREE, sun=0.0), Proven.UNCONFIRMED, "its power does not tell", ASKED),
    "KACO has no target": (a("kaco", *PV, LESS), Proven.UNPROVABLE, "has no target", ASKED),
    "KACO's limit stands no longer than its own 300 s": (
        a("kaco", *PV, STANDS), Proven.FAILED, "reads a limit of 3,000 W back and gives 4,000 W", CUT,
    ),
    "and by night nobody knows": (
        a("kaco", *PV, STANDS, sun=0.1), Proven.UNCONFIRMED, "once its own timer has let go", CUT,
    ),
    "Fronius, in silence only": (a("fronius", *PV, FREE), Proven.PROVEN, "as nobody asked it", CUT),
    "Fronius Datamanager": (a("fronius_datamanager", *PV, FREE), Proven.PROVEN, "as nobody asked", CUT),
    "Fronius' limit that stands": (a("fronius", *PV, STANDS), Proven.PROVEN, "stood while", CUT),
    "Fronius' battery": (
        a("fronius", *STORE, REST), Proven.UNPROVABLE, "that of 124 does nothing", ASKED,
    ),
    "FranklinWH": (a("franklinwh", *STORE7, REST), Proven.UNPROVABLE, "count down and nothing", ASKED),
    "FranklinWH that nobody knew": (
        a("franklinwh", *STORE7, REST, profile="generic_7xx"), Proven.FAILED, "does not revert", ASKED,
    ),
    "OutBack": (a("outback_ess", *STORE7, REST), Proven.UNPROVABLE, "are not implemented", ASKED),
    "OutBack's sun": (a("outback", *PV7, LESS), Proven.UNPROVABLE, "no timer that reverts", ASKED),
    "Kostal": (a("kostal", *PV, FREE), Proven.PROVEN, "let go of", ASKED),
    "SMA, which reads nothing back": (a("sma", *PV, FREE), Proven.PROVEN, "let go of", ASKED),
    "SMA in the dark": (a("sma", *PV, FREE, sun=0.0), Proven.UNCONFIRMED, "nothing back", ASKED),
    "SMA Tripower X": (a("sma_tripower_x", *PV7, LESS), Proven.UNPROVABLE, "not counted upon", ASKED),
    "SolarEdge": (a("solaredge", *PV, FREE), Proven.PROVEN, "let go of", ASKED),
    "Wattsonic": (a("wattsonic", *PV, FREE), Proven.PROVEN, "let go of", ASKED),
    "APsystems": (
        a("apsystems", *PV, STANDS, habits={"act_s": 0.0}), Proven.PROVEN, "stood while", CUT,
    ),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_the_fail_safe_of_each_maker_is_told_as_it_is(habit: str) -> None:
    made, verdict, text, how = HABITS[habit]
    maker = made()
    found = maker.prove(prove(maker.subject()))
    assert found.verdict is verdict and text in found.text and found.how is how
    assert bool(maker.told) is (verdict is not Proven.UNPROVABLE), "what can't be is not tried"


def test_a_fronius_that_is_asked_starts_its_timer_again_and_is_seen_to() -> None:
    maker = Maker("fronius", *PV, FREE)
    found = maker.prove(prove(maker.subject(asked=True)))
    assert "while it is asked its timer starts again" in found.text and not found.polled


@pytest.mark.parametrize(
    ("made", "beside", "says"),
    [
        (a("fronius", *PV, FREE), Beside.KEPT_UP, "while a second client polls it never lets go"),
        (a("generic", *PV7, LESS), Beside.LETS_GO, "does not keep it from that"),
        (a("kaco", *PV, FREE), Beside.ONE_CLIENT, "takes one client only"),
        (a("sma", *PV, FREE), Beside.LETS_GO, "does not keep it from that"),
    ],
    ids=lambda given: given.args[0] if isinstance(given, partial) else None,
)
def test_what_a_second_client_changes_is_found_out(made: Made, beside: Beside, says: str) -> None:
    maker = made()
    found = maker.prove(prove(maker.subject(second=True)))
    assert found.verdict is Proven.PROVEN and found.beside is beside and says in found.text
    assert (beside is Beside.ONE_CLIENT) is not any(isinstance(step, Watch) for step in maker.steps)


@pytest.mark.parametrize("personality", ["generic", "fronius"])
def test_a_cable_that_a_person_pulls_proves_the_same(personality: str) -> None:
    maker = Maker(personality, *PV, FREE)
    found = maker.prove(prove(maker.subject(cable=True)))
    assert (found.verdict, found.how, found.polled) == (Proven.PROVEN, Unplugged.CABLE, False)
    assert "with its cable out" in found.text
    assert found.lapsed_s == pytest.approx(20.0 * 1.2 + 2.0, abs=1.5)
    assert not any(isinstance(step, Silence) and step.cut for step in maker.steps)


def test_a_cable_that_nobody_pulls_proves_nothing() -> None:
    maker = Maker("generic", *PV, FREE, cable=False)
    found = maker.prove(prove(maker.subject(cable=True)))
    assert (found.verdict, found.how) == (Proven.UNCONFIRMED, Unplugged.CABLE) and "not pulled" in found.text


@pytest.mark.parametrize(
    ("made", "verdict", "says"),
    [
        (a("generic", *PV7, LESS), Proven.PROVEN, "after derctl was killed"),
        (a("kaco", *PV, FREE), Proven.PROVEN, "still reads what it was told"),
        (a("fronius", *PV, STANDS), Proven.PROVEN, "stood after derctl was killed"),
        (a("franklinwh", *STORE7, REST, profile="generic_7xx"), Proven.FAILED, "does not revert"),
    ],
    ids=lambda given: given.args[0] if isinstance(given, partial) else None,
)
def test_what_is_left_of_it_when_derctl_is_killed_is_found_out_by_who_only_looks(
    made: Made, verdict: Proven, says: str
) -> None:
    maker = made()
    subject = maker.subject()
    begins = until_killed(subject)
    step = next(begins)
    while not isinstance(step, Kill):
        step = begins.send(maker.done(step))
    found = maker.prove(after_kill(subject, step))
    assert (found.verdict, found.how) == (verdict, Unplugged.KILLED) and says in found.text
    assert not maker.told, "who comes afterwards writes nothing"


TAU_S, REFRESH_S = 0.4, 0.2
"""Of hil's inverter and of its registers."""


@pytest.mark.parametrize(
    ("made", "given", "flaws"),
    [
        (a("generic", *STORE7, REST), {}, ()),
        (a("generic", *PV, FREE, spoil=inverted_var), {}, (Flaw.VAR_INVERTED,)),
        (
            a("generic", *PV, FREE, spoil=lambda face: setattr(face, "deaf", True)),
            {},
            (Flaw.SETPOINT_IGNORED, Flaw.VAR_IGNORED),
        ),
        (
            a("generic", *PV7, LESS, inverter={"standby_pu": 0.09}),
            {"within_w": 4500.0},
            (Flaw.MINIMUM_ON,),
        ),
    ],
    ids=["a battery", "inverted var", "ignored setpoints", "a minimum-on trap"],
)
def test_what_a_device_does_wrong_is_found_by_its_registers(
    made: Made, given: dict[str, Any], flaws: tuple[Flaw, ...]
) -> None:
    maker = made()
    found, _ = played(identify(maker.stepped(**given), belief.start("house")), maker.hear)
    assert found.der.flaws == flaws
    if Flaw.SETPOINT_IGNORED in flaws:
        return
    assert found.der.fall is not None and found.der.fall.dead_s == pytest.approx(0.2, abs=REFRESH_S)
    assert found.der.fall.t90_s == pytest.approx(math.log(10.0) * TAU_S, rel=0.1)
    assert found.meter is not None and found.meter.slope == pytest.approx(1.0, abs=0.05)
    assert found.der.least_w == (500.0 if Flaw.MINIMUM_ON in flaws else None), "9 % of 5 kW are 450 W"


def test_a_meter_that_is_clamped_the_wrong_way_round_is_found() -> None:
    maker = Maker("generic", *PV7, LESS, sign=-1.0)
    found, _ = played(identify(maker.stepped(), belief.start("house")), maker.hear)
    assert found.meter is not None
    assert (found.meter.belief, found.meter.flaws) == (Belief.DOUBTED, (Flaw.METER_REVERSED,))
