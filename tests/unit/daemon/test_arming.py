"""Whether setpoints may leave: the word that was given, and what the site does without derctl."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import structs

from derctl.core.types import Setpoint
from derctl.core.words import Certainty, Mode, Without
from derctl.daemon.arming import TABLE, Arm, Arming, Said, seen, told
from derctl.daemon.gate import Gate
from derctl.daemon.picture import AGAIN, WITHIN_S, Picture, Stroke
from derctl.daemon.survival import armed
from derctl.errors import CommandError
from derctl.site.absence import Absence, DerAbsence, agreement
from derctl.store.state import ArmWord


def absence(*watts: float, limit_w: float | None = 7000.0) -> Absence:
    """Of as many DERs as there are watts, all found."""
    ders = tuple(
        DerAbsence(
            id=f"pv{n}", how=Without.TIMER, certainty=Certainty.FOUND, p_w=p_w, least_w=p_w, most_w=p_w, ceiling_w=p_w
        )
        for n, p_w in enumerate(watts, 1)
    )
    return Absence(ders=ders, limit_w=limit_w)


HOLDS, BREAKS = absence(5000.0, 2000.0), absence(5000.0, 10000.0)
L, W, H, C = Arm.LOOKING, Arm.WATCHING, Arm.HELD, Arm.CONTROLLING

NEXT = {
    Said.ARM: {L: L, W: H, H: H, C: C},
    Said.DISARM: {L: L, W: W, H: W, C: W},
    Said.HOLDS: {L: L, W: W, H: C, C: C},
    Said.BREAKS: {L: L, W: W, H: H, C: C},
    Said.LATE: {L: L, W: W, H: H, C: H},
}
"""As docs/interfaces.md has it: armed and nothing against it is control, and control ends by a word, or where a bus
turns out too slow."""


@pytest.mark.parametrize("said", Said)
def test_each_state_is_followed_by_the_one_in_the_table(said: Said) -> None:
    assert {state: TABLE[state, said] for state in Arm} == NEXT[said]


@pytest.mark.parametrize(("state", "mode"), [(L, "observe"), (W, "observe"), (H, "observe"), (C, "control")])
def test_only_controlling_lets_setpoints_out(state: Arm, mode: str) -> None:
    arming = Arming(state=state)
    assert (arming.open, arming.mode) == (state is C, mode)


def test_why_nothing_leaves_is_said() -> None:
    assert Arming(state=L).reason == "started with --observe"
    assert Arming(state=W).reason == "not armed"
    held = seen(Arming(state=H), BREAKS)
    assert held.reason is not None and held.reason.startswith("fallback_breaks_contract: ")
    assert seen(Arming(state=H), HOLDS).reason is None


SLOW = replace(HOLDS, too_slow="bus rs485: refused: the reading of pv1 gets 42 s old, and counts for 30 s")


def test_a_bus_that_is_too_slow_refuses_control_with_its_numbers() -> None:
    site = Site(SLOW)
    with pytest.raises(CommandError, match="42 s old") as refused:
        site.gate.arm("anna")
    assert refused.value.code == "bus_too_slow"
    site.gate.file_says(Mode.CONTROL)
    assert not site.gate.evaluate()
    assert site.gate.arming.reason == f"bus_too_slow: {SLOW.too_slow}"
    site.without = HOLDS
    assert site.gate.evaluate()


def test_control_ends_once_a_bus_turns_out_too_slow_and_goes_on_when_it_is_not() -> None:
    site = Site()
    site.gate.arm("anna")
    assert site.gate.evaluate()
    site.without = SLOW
    assert not site.gate.evaluate() and site.modes == ["control", "observe"]
    assert site.gate.arming.armed
    site.without = HOLDS
    assert site.gate.evaluate() and site.modes == ["control", "observe", "control"]


def test_a_contract_that_does_not_hold_without_derctl_keeps_control_on_a_slow_bus() -> None:
    """To give the others back would break it."""
    site = Site()
    site.gate.arm("anna")
    site.gate.evaluate()
    site.without = replace(BREAKS, too_slow=SLOW.too_slow)
    assert site.gate.evaluate() and site.modes == ["control"]


def test_a_restart_does_not_resume_control_on_a_bus_that_is_too_slow() -> None:
    site = Site(SLOW, state=H)
    site.gate.agreed = agreement(SLOW)
    assert not site.gate.evaluate()


class Site:
    """A gate, what is told of it, and a contract that can be broken and kept."""

    def __init__(self, without: Absence = HOLDS, state: Arm = W) -> None:
        self.without = without
        self.modes: list[Mode] = []
        self.broken: list[str] = []
        self.words: list[tuple[str, str]] = []
        self.gate = Gate(
            absence=lambda: self.without,
            on_change=lambda: self.modes.append(self.gate.arming.mode),
            stamp=lambda: "now",
            arming=Arming(state=state),
            on_broken=self.broken.append,
            on_word=lambda event, text: self.words.append((event, text)),
        )


def test_arming_takes_effect_with_the_next_tick_and_disarming_at_once() -> None:
    site = Site()
    site.gate.arm("anna")
    assert not site.gate.open and site.modes == []
    assert site.gate.evaluate() and site.modes == ["control"]
    assert (site.gate.arming.by, site.gate.arming.since) == ("anna", "now")
    site.gate.disarm("ben")
    assert not site.gate.open and site.modes == ["control", "observe"]
    assert not site.gate.evaluate() and site.modes == ["control", "observe"], "a change is told once"


def test_what_breaks_the_contract_refuses_arming() -> None:
    site = Site(BREAKS)
    with pytest.raises(CommandError) as refused:
        site.gate.arm("anna")
    assert refused.value.code == "fallback_breaks_contract"
    assert site.gate.arming == Arming(), "a refused word changes nothing"
    site.without = HOLDS
    site.gate.arm("anna")
    assert site.gate.evaluate()


def test_a_gate_that_is_open_stays_open_when_one_device_is_lost_and_that_is_said_once() -> None:
    """To release the others then would raise just what is too high already."""
    site = Site()
    site.gate.arm("anna")
    site.gate.evaluate()
    site.without = BREAKS
    assert site.gate.evaluate() and site.gate.evaluate()
    assert BREAKS.objection is not None and site.broken == [BREAKS.objection[1]]
    site.without = absence(5000.0, 2000.0)
    assert site.gate.evaluate()
    assert site.modes == ["control"] and len(site.broken) == 1


SWAPPED = Absence(
    ders=(*HOLDS.ders[:1], replace(BREAKS.ders[1], ceiling_w=2000.0, promised_w=2000.0)), limit_w=7000.0
)
"""pv2 promised 2 kW; another device of 10 kW answers in its place."""


@pytest.mark.parametrize(
    ("agreed", "begins"), [(agreement(HOLDS), True), (None, False), ("pv1 stands 1.0 W 60 s, limit 7000.0 W", False)]
)
def test_control_begins_again_after_a_restart_although_a_device_was_swapped_meanwhile(
    agreed: str | None, begins: bool
) -> None:
    """Under the same promises of the site file only; nobody arms a site like that."""
    site = Site(SWAPPED, state=H)
    site.gate.agreed = agreed
    assert site.gate.evaluate() is begins


def test_each_word_to_disarm_is_counted_also_where_nothing_is_armed() -> None:
    """An arm that looks for devices meanwhile has to know."""
    site = Site()
    for count in (1, 2):
        site.gate.disarm("anna")
        assert site.gate.disarms == count


def test_after_a_disarm_nothing_begins_again_by_itself() -> None:
    site = Site()
    site.gate.arm("anna")
    site.gate.evaluate()
    site.gate.disarm("anna")
    site.gate.evaluate()
    site.without = SWAPPED
    with pytest.raises(CommandError):
        site.gate.arm("anna")
    assert site.gate.agreed is None and not site.gate.evaluate()


def test_a_daemon_that_only_looks_is_armed_by_nobody() -> None:
    site = Site(state=L)
    with pytest.raises(CommandError) as refused:
        site.gate.arm("anna")
    assert refused.value.code == "not_ready"
    site.gate.disarm("anna")
    assert not site.gate.evaluate() and site.modes == []


def picture(watts: float = 4000.0, *, why: str | None = None, found_w: float | None = None) -> Picture:
    """Of one inverter of 10 kW."""
    told = Setpoint(p_ceiling_w=watts)
    return Picture(ders=(Stroke(der="pv1", size_w=10_000.0, why=why, setpoint=told, found_w=found_w),))


class Asked(Site):
    """A gate that shows a picture, and a clock."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.now_s, self.shown = 100.0, picture()
        self.gate.picture = lambda: self.shown
        self.gate.clock = lambda: self.now_s

    def ask(self, by: str = "anna", confirm: str | None = None) -> str | None:
        """What confirms it, None where it is armed."""
        try:
            self.gate.ask(by, confirm)
        except CommandError as error:
            assert error.code == "unconfirmed" and not self.gate.arming.armed
            assert str(error).startswith("pv1: ") and error.confirm is not None
            return error.confirm
        return None


def test_the_first_word_shows_and_the_second_of_the_same_person_arms() -> None:
    site = Asked()
    assert site.ask() is not None
    site.now_s += WITHIN_S
    assert site.ask() is None
    assert (site.gate.arming.state, site.gate.arming.by) == (H, "anna")


def test_what_the_first_answer_gave_confirms_it_and_nothing_else_does() -> None:
    site = Asked()
    token = site.ask()
    assert site.ask(confirm="yes") not in {None, token}, "it is shown again"
    assert site.ask(confirm=token) is not None, "an older picture's"
    token = site.ask(by="ben")
    assert site.ask(by="ben", confirm=token) is None


@pytest.mark.parametrize(
    ("by", "later_s", "then"),
    [
        ("ben", 1.0, picture()),
        ("anna", WITHIN_S + 0.1, picture()),
        ("anna", 1.0, picture(6501.0)),
        ("anna", 1.0, picture(1499.0)),
        ("anna", 1.0, picture(why="it does not answer")),
        ("anna", 1.0, picture(found_w=3000.0)),
        ("anna", 1.0, Picture()),
    ],
)
def test_another_person_too_late_or_another_picture_is_shown_again(by: str, later_s: float, then: Picture) -> None:
    site = Asked()
    site.ask()
    site.now_s += later_s
    site.shown = then
    if then.ders:
        assert site.ask(by) is not None
        assert site.ask(by) is None
    else:
        with pytest.raises(CommandError):
            site.gate.ask(by, None)


def test_what_moves_with_the_sun_is_the_same_picture() -> None:
    site = Asked()
    site.ask()
    site.shown = picture(6499.0)
    assert site.ask() is None


def test_one_picture_is_good_for_one_arming() -> None:
    site = Asked()
    token = site.ask()
    assert site.ask(confirm=token) is None
    site.gate.disarm("anna")
    assert site.ask(confirm=token) is not None


def test_what_stands_against_it_is_said_at_once_with_what_would_be_written() -> None:
    site = Asked(without=BREAKS)
    with pytest.raises(CommandError) as refused:
        site.gate.ask("anna", None)
    assert (refused.value.code, refused.value.confirm) == ("fallback_breaks_contract", None)
    assert str(refused.value).splitlines()[1].startswith("pv1: limit 4,000 W")


def test_what_should_be_mended_is_shown_too() -> None:
    site = Asked()
    site.gate.absence = lambda: cast(Absence, SimpleNamespace(objection=None, warning="a timer is late"))
    with pytest.raises(CommandError) as shown:
        site.gate.ask("anna", None)
    assert str(shown.value).splitlines()[-2:] == ["! a timer is late", AGAIN]


def test_who_is_armed_already_is_not_asked_twice() -> None:
    site = Asked()
    site.gate.arm("anna")
    site.gate.ask("ben", None)
    assert site.gate.arming.by == "ben"
    looking = Asked(state=L)
    with pytest.raises(CommandError) as refused:
        looking.gate.ask("anna", None)
    assert refused.value.code == "not_ready"


ARM, DISARM = (ArmWord(armed=armed, by="anna", since="yesterday") for armed in (True, False))


@pytest.mark.parametrize(
    ("start", "mode", "word", "expected"),
    [
        (W, Mode.CONTROL, None, H),
        (W, Mode.OBSERVE, None, W),
        (W, Mode.CONTROL, DISARM, W),
        (W, Mode.OBSERVE, ARM, H),
        (L, Mode.CONTROL, ARM, L),
    ],
)
def test_the_operator_s_last_word_outlives_a_restart_and_outranks_the_site_file(
    start: Arm, mode: Mode, word: ArmWord | None, expected: Arm
) -> None:
    arming = armed(Arming(state=start), mode, word)
    assert arming.state is expected
    assert (arming.by, arming.since) == ((None, None) if word is None else ("anna", "yesterday"))


def test_a_word_of_the_site_file_is_nobody_s() -> None:
    assert told(Arming(by="anna", since="now"), Said.ARM).by is None


@pytest.mark.parametrize(
    ("mode", "word", "by"),
    [
        (Mode.OBSERVE, structs.replace(ARM, mode=Mode.OBSERVE), "anna"),
        (Mode.CONTROL, structs.replace(ARM, mode=Mode.OBSERVE), None),
        (Mode.CONTROL, structs.replace(DISARM, mode=Mode.CONTROL), "anna"),
        (Mode.OBSERVE, structs.replace(DISARM, mode=Mode.CONTROL), None),
        (Mode.OBSERVE, ARM, "anna"),  # of an older version's word nobody knows
        (Mode.CONTROL, DISARM, "anna"),
    ],
)
def test_the_last_act_counts_be_it_a_word_or_a_change_of_the_site_file(
    mode: Mode, word: ArmWord, by: str | None
) -> None:
    arming = armed(Arming(), mode, word)
    assert (arming.by, arming.file) == (by, mode)
    assert arming.armed is (word.armed if by else mode is Mode.CONTROL)


def test_control_does_not_begin_before_something_was_saved_and_goes_on_where_later_nothing_is() -> None:
    site, unsaved = Site(), ["no space left"]
    site.gate.unsaved = lambda: unsaved[0] if unsaved else None
    site.gate.arm("anna")
    assert not site.gate.evaluate() and not site.gate.open
    assert site.gate.arming.reason == "not_saved: no space left"
    unsaved.clear()
    assert site.gate.evaluate() and site.gate.arming.reason is None
    unsaved.append("no space left")
    assert site.gate.evaluate(), "it holds what is known"


def test_an_arm_that_was_taken_back_leaves_the_word_of_before() -> None:
    site = Site()
    site.gate.disarm("ben")
    before = site.gate.arming
    site.gate.arm("anna")
    back = site.gate.undo(before)
    back()
    assert (site.gate.arming.armed, site.gate.arming.by) == (False, "ben")
    site.gate.arm("anna")
    site.gate.undo(site.gate.arming)()
    assert site.gate.arming.by == "anna", "it was armed before"


def test_a_word_that_was_taken_is_told_with_who_and_what_was_shown() -> None:
    site = Asked()
    assert site.words == [] and site.ask() is not None and site.words == [], "a look is no word"
    assert site.ask() is None
    ((event, text),) = site.words
    assert event == "armed" and text.startswith("by anna; pv1: ")
    site.gate.arm("ben")
    assert len(site.words) == 1, "it was armed already"
    site.gate.disarm("ben")
    site.gate.disarm("ben")
    assert site.words[1:] == [("disarmed", "by ben")]


def test_a_word_that_could_not_be_saved_is_told_as_taken_back() -> None:
    site = Site()
    back = site.gate.undo(site.gate.arming)
    site.gate.arm("anna")
    back()
    back()
    assert site.words[1:] == [("disarmed", "what anna said is taken back, since it could not be saved")]


def test_what_was_seen_while_it_observed_is_shown_beside_the_picture() -> None:
    site = Asked()
    with pytest.raises(CommandError) as shown:
        site.gate.ask("anna", None, ["it observed 23.0 h"])
    assert "it observed 23.0 h" in str(shown.value).splitlines()
