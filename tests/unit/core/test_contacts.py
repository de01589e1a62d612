"""Contact inputs from tables: what they ask, when a wire can't be believed, and what is still for long enough."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.contacts import (
    CHATTER_S,
    MODES,
    REST,
    START,
    Memory,
    Seen,
    Wiring,
    limit_share,
    plain_of,
    seen_of,
    step,
    text_of,
)
from derctl.core.words import Contact

ONE, TWO, LOOPED = "one contact", "two contacts", "a loop"


def wiring(kind: Contact, *lines: str, **given: Any) -> Wiring:
    return Wiring(kind=kind, lines=lines, **{"closed_at_rest": False, "debounce_s": 0.5, "release_s": 5.0} | given)


BUTTON = wiring(Contact.EMERGENCY_STOP, "stop", closed_at_rest=True)
SAFE_BUTTON = wiring(Contact.EMERGENCY_STOP, "stop", closed_at_rest=True, inverse=frozenset({"stop"}))
DRED = wiring(Contact.DRED, "drm0", "drm5", "drm6", "drm7", "drm8", loop=True)
FRE = wiring(Contact.RIPPLE_CONTROL, "p100", "p60", "p30", "p0")


def closed(wires: Wiring, *names: str) -> dict[str, bool | None]:
    """Those are closed, the others open."""
    return {name: name in names for name in wires.inputs}


# Wires, which of them are closed, and the share that may be generated then; None: all of it.
SAID: tuple[tuple[Wiring, tuple[str, ...], float | None], ...] = (
    (BUTTON, ("stop",), None),
    (BUTTON, (), 0.0),
    (SAFE_BUTTON, ("stop",), None),
    (SAFE_BUTTON, ("stop inverse",), 0.0),
    (DRED, ("loop",), None),
    (DRED, ("loop", "drm0"), 0.0),
    (DRED, ("loop", "drm5"), 0.0),
    (DRED, ("loop", "drm6"), 0.5),
    (DRED, ("loop", "drm7"), 0.75),
    (DRED, ("loop", "drm8"), None),
    (DRED, ("loop", "drm6", "drm7"), 0.5),
    (DRED, ("loop", "drm5", "drm6", "drm7", "drm8"), 0.0),
    (DRED, ("loop", "drm7", "drm8"), 0.75),
    (FRE, ("p100",), None),
    (FRE, ("p60",), 0.6),
    (FRE, ("p30",), 0.3),
    (FRE, ("p0",), 0.0),
)


@pytest.mark.parametrize(("wires", "names", "share"), SAID)
def test_whole_wires_say_what_they_ask(wires: Wiring, names: tuple[str, ...], share: float | None) -> None:
    seen = seen_of(wires, closed(wires, *names))
    assert seen.fault == "" and limit_share(wires, seen) == share


# Wires, which of them are closed, and a word of why that can't be.
IMPOSSIBLE: tuple[tuple[Wiring, tuple[str, ...], str], ...] = (
    (SAFE_BUTTON, (), "both contacts of stop are open"),
    (SAFE_BUTTON, ("stop", "stop inverse"), "both contacts of stop are closed"),
    (DRED, (), "its loop is open"),
    (DRED, ("drm7",), "its loop is open"),
    (FRE, (), "none of its contacts is closed"),
    (FRE, ("p100", "p30"), "p100 and p30 are closed at once"),
    (FRE, ("p100", "p60", "p30", "p0"), "closed at once"),
)


@pytest.mark.parametrize(("wires", "names", "why"), IMPOSSIBLE)
def test_a_broken_wire_is_the_strictest_word(wires: Wiring, names: tuple[str, ...], why: str) -> None:
    seen = seen_of(wires, closed(wires, *names))
    assert why in seen.fault and seen.asked == () and limit_share(wires, seen) == 0.0


@pytest.mark.parametrize("wires", [BUTTON, SAFE_BUTTON, DRED, FRE])
def test_no_single_wire_can_break_unseen(wires: Wiring) -> None:
    """Whatever is cut reads open: from rest that is a fault, a tighter word, or a line that was open anyway."""
    rest = {"stop", "loop", "p100"} & {*wires.inputs}
    for name in wires.inputs:
        seen = seen_of(wires, closed(wires, *(rest - {name})))
        if name in rest:
            assert limit_share(wires, seen) == 0.0
        else:
            assert seen == seen_of(wires, closed(wires, *rest))


@pytest.mark.parametrize("wires", [BUTTON, SAFE_BUTTON, DRED, FRE])
def test_one_input_that_can_not_be_read_is_enough(wires: Wiring) -> None:
    for name in wires.inputs:
        seen = seen_of(wires, closed(wires, "stop", "loop", "p100") | {name: None}, "no such chip")
        assert seen.fault == "can't be read: no such chip" and limit_share(wires, seen) == 0.0
    assert seen_of(wires, {}).fault == "can't be read"


SUPERVISED: tuple[tuple[Wiring, bool], ...] = (
    (BUTTON, True),
    (wiring(Contact.EMERGENCY_STOP, "stop"), False),
    (wiring(Contact.EMERGENCY_STOP, "stop", inverse=frozenset({"stop"})), True),
    (DRED, True),
    (wiring(Contact.DRED, "drm5", "drm6"), False),
    (wiring(Contact.DRED, "drm5", "drm6", inverse=frozenset({"drm5"})), False),
    (wiring(Contact.DRED, "drm5", "drm6", inverse=frozenset({"drm5", "drm6"})), True),
    (wiring(Contact.DRED, "drm5", "drm6", closed_at_rest=True), True),
    (FRE, True),
)


@pytest.mark.parametrize(("wires", "supervised"), SUPERVISED)
def test_whether_a_broken_wire_shows(wires: Wiring, supervised: bool) -> None:
    assert wires.supervised is supervised


def run(wires: Wiring, *timeline: tuple[float, Seen], start: Memory = START, pace_s: float = 0.1) -> Memory:
    """What was read, for so many seconds each."""
    memory, now_s = start, 100.0
    for seconds, seen in timeline:
        for _ in range(round(seconds / pace_s)):
            memory = step(memory, wires, seen, now_s)
            now_s += pace_s
    return memory


P60, P30, P0, NONE = Seen(asked=("p60",)), Seen(asked=("p30",)), Seen(asked=("p0",)), Seen(fault="none")
FULL = Seen(asked=("p100",))


@pytest.mark.parametrize(
    ("timeline", "settled"),
    [
        (((0.4, P60),), None),
        (((0.7, P60),), P60),
        (((2.0, P60), (0.4, P30)), P60),
        (((2.0, P60), (0.7, P30)), P30),
        (((2.0, P60), (4.0, FULL)), P60),
        (((2.0, P60), (5.3, FULL)), FULL),
        (((2.0, P60), (4.0, FULL), (0.2, P60), (4.0, FULL)), P60),
        (((2.0, P60), (0.3, NONE), (0.7, P30)), P30),
        (((2.0, FULL), (0.3, NONE), (2.0, FULL)), FULL),
        (((2.0, FULL), (0.7, NONE)), NONE),
        (((2.0, NONE), (4.0, FULL)), NONE),
        (((2.0, NONE), (5.3, FULL)), FULL),
        (((2.0, P0), (0.7, NONE)), NONE),
        (((2.0, FULL), (0.4, Seen(fault="one")), (0.4, NONE)), NONE),
    ],
)
def test_tighter_counts_soon_and_looser_later(timeline: tuple[tuple[float, Seen], ...], settled: Seen | None) -> None:
    assert run(FRE, *timeline).settled == settled


def test_an_input_that_is_never_still_is_broken() -> None:
    flicker = ((0.2, FULL), (0.2, P60))
    calm = run(FRE, (2.0, FULL))
    assert run(FRE, *(flicker * 4), start=calm).settled == FULL
    broken = run(FRE, *(flicker * 8), start=calm).settled
    assert broken is not None and "not still" in broken.fault and limit_share(FRE, broken) == 0.0
    assert run(FRE, *(flicker * 8)).settled == broken, "from the start too"
    assert CHATTER_S < 8 * 0.4


def test_what_flickered_counts_again_once_it_is_still_for_long() -> None:
    flickered = run(FRE, *(((0.2, FULL), (0.2, P60)) * 8))
    assert run(FRE, (3.0, FULL), start=flickered).settled != FULL
    memory = flickered
    for n in range(60):
        memory = step(memory, FRE, FULL, 110.0 + n / 10.0)
    assert memory.settled == FULL


def test_a_short_glitch_now_and_then_is_none() -> None:
    glitches = ((1.5, REST), (0.1, Seen(asked=("stop",)))) * 10
    assert run(BUTTON, *glitches).settled == REST


@pytest.mark.parametrize(
    ("wires", "seen", "state", "text"),
    [
        (FRE, None, "starting", "not read yet"),
        (FRE, FULL, "at_rest", "100 %"),
        (FRE, P30, "asks", "30 %"),
        (FRE, NONE, "broken", "BROKEN, counts as 0 %: none"),
        (BUTTON, REST, "at_rest", "at rest"),
        (BUTTON, Seen(asked=("stop",)), "asks", "stop"),
        (BUTTON, NONE, "broken", "BROKEN, counts as stop: none"),
        (DRED, Seen(asked=("drm6", "drm7")), "asks", "DRM 6, at most 50 % and DRM 7, at most 75 %"),
        (DRED, Seen(asked=("drm8",)), "at_rest", "DRM 8, more is welcome"),
    ],
)
def test_what_people_and_programs_are_told(wires: Wiring, seen: Seen | None, state: str, text: str) -> None:
    assert text_of(wires, seen) == text
    plain = plain_of(wires, seen)
    assert (plain["state"], plain["text"], plain["kind"]) == (state, text, wires.kind)


def test_what_is_not_confirmed_is_marked() -> None:
    for kind in (Contact.DRED, Contact.RIPPLE_CONTROL):
        assert all(mode.source.startswith("quoted: ") for mode in MODES[kind].values())
