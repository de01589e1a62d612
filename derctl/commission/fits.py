"""What a device that was met says against the site file, and against what its profile promises. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from derctl.commission.finding import Finding, Found, look, mend, note
from derctl.commission.met import Met
from derctl.core.types import Reading, Setpoint
from derctl.core.words import FallbackBy, Timer

WRONG: Mapping[str, tuple[Found, str]] = {
    "serial": (Found.SERIAL_WRONG, "Write the serial number that answers, if it is the right device; else its place"),
    "model": (Found.MODEL_WRONG, "Write the model that answers, if it is the right device; else its place"),
    "rating": (Found.RATING_WRONG, "Look at the nameplate: write what it says, or set the device to it"),
    "phase": (Found.PHASE_WRONG, "Write the phases as the device is connected"),
    "nominal": (Found.NOMINAL_WRONG, "Write v_nom_v and f_nom_hz as the grid has them, or set the device to it"),
}
"""What the site file says wrongly: its code, and what to do where the text does not say it."""
SLOW = 0.6
"""Of its deadline: a device that takes longer has no room for a bad moment."""
SLOWER = 3.0
"""What a deadline is proposed at, of the slowest answer."""
MOVES_PU = 0.005
"""Of the rating: what a limit moves by at least, a step of a register in percent is none."""
STANDS_PU = 0.99
"""Of the rating: a limit at or above it bounds nothing."""
SELDOM = 0.5
"""Of the samples."""


def fits(met: Met, others: Sequence[Met] = ()) -> Iterator[Finding]:
    """Of one that was met, all that speaks against it. others: who may be the one that is meant."""
    if met.device is None:
        return
    for key, text in met.wrong:
        code, remedy = WRONG[key]
        meant = _meant(met, others) if code is Found.SERIAL_WRONG else ""
        yield mend(code, met.asked.id, text, meant or remedy)
    yield from _firmware(met)
    yield from _timer(met)
    yield from _measured(met)
    yield from _latency(met)
    yield from _limit(met)
    for problem in met.device.problems:
        yield note(Found.MAP_PROBLEM, met.asked.id, problem, "Nothing, if it still does what it is there for")


def _meant(met: Met, others: Sequence[Met]) -> str:
    """Where the serial number that is wanted answers, if it does so under another name."""
    for each in others:
        if each.device is not None and each is not met and each.device.identity.serial == met.asked.wanted:
            place = f"bus: {each.asked.bus}, unit: {each.asked.unit}"
            return f"That one answers where the site file has {each.asked.id}: write {place} for {met.asked.id}"
    return ""


def _firmware(met: Met) -> Iterator[Finding]:
    assert met.device is not None
    if not met.device.habits.unverified:
        return
    told = met.device.identity.firmware
    remedy = f"Let `derctl verify` show what it does with a limit, then write firmware: {told!r} for {met.asked.id}"
    yield look(Found.FIRMWARE_UNSEEN, met.asked.id, met.device.habits.unverified, remedy)


def _timer(met: Met) -> Iterator[Finding]:
    """Only where the site file counts on it."""
    assert met.device is not None
    fallback, device, who = met.asked.fallback, met.device, met.asked.id
    if fallback is None or fallback.by is not FallbackBy.REVERSION:
        return
    rearm, name = device.habits.profile.timer_rearm, device.habits.profile.name
    if rearm == "none" or device.reversion.timer is Timer.NONE:
        why = f"by profile {name} its timer counts and nothing reverts" if rearm == "none" else "it has no such timer"
        text = f"fallback.by: reversion counts on its own timer, and {why}: the last limit stands for good"
        remedy = (
            f"Write by: stands for {who} (with the limit that may stand without derctl), or by: device and set the"
        )
        yield mend(Found.TIMER_NEVER_REVERTS, who, text, f"{remedy} limit in the device itself")
    elif rearm == "any_message":
        text = f"by profile {name} any message starts its timer anew: it runs out only once nobody reads it either"
        remedy = "Take care that no other client polls it, or count on by: stands or by: device"
        yield look(Found.TIMER_FED_BY_READING, who, text, remedy)


def _measured(met: Met) -> Iterator[Finding]:
    read, who = met.read, met.asked.id
    if not met.samples:
        return
    if len(read) < SELDOM * len(met.samples):
        text = f"it answered {len(read)} of {len(met.samples)} polls: {met.said}"
        remedy = "Look at the line, and whether another client takes its time; see timeout_s and min_interval_s"
        yield mend(Found.ANSWERS_SELDOM, who, text, remedy)
    elif met.asked.role == "bms":
        if all(each.p_charge_limit_w is None and each.p_discharge_limit_w is None for each in read):
            text = "the battery's management system answers and tells no limits, so the battery would only rest"
            remedy = (
                "Look whether inverter and battery are wired and paired (CAN, RS-485), and whether the battery is on"
            )
            yield mend(Found.BMS_SILENT, who, text, remedy)
    elif all(each.p_w is None for each in read):
        text = "it answers and measures no power"
        remedy = (
            "At night that may be right; else look at its wiring, and whether this is the right section or profile"
        )
        yield look(Found.MEASURES_NOTHING, who, text, remedy)
    if met.asked.store and not met.asked.bms_elsewhere and read and all(each.limits_by is None for each in read):
        text = "nobody tells what its battery may take and give now"
        remedy = f"Give {who} bms: {{bus, unit}}, if its battery has a management system that can be read"
        yield look(Found.BMS_NOBODY, who, text, remedy)


def _latency(met: Met) -> Iterator[Finding]:
    deadline_s = met.asked.deadline_s
    if met.slowest_s <= SLOW * deadline_s:
        return
    text = f"its slowest answer took {met.slowest_s:.2f} s, and it has {deadline_s:g} s"
    remedy = f"Write timeout_s: {max(SLOWER * met.slowest_s, 0.1):.1f} for bus {met.asked.bus}, or look what slows it"
    yield look(Found.ANSWERS_SLOWLY, met.asked.id, text, remedy)


def _limit(met: Met) -> Iterator[Finding]:
    """What it reads back of somebody's word, while derctl writes nothing."""
    assert met.device is not None
    told = [each.accepted for each in met.read if each.accepted is not None]
    rating = met.device.rating
    size_w = rating.size_w
    if met.asked.role != "der" or not told or size_w == 0.0:
        return
    who, moved = met.asked.id, [_moved(first, second, size_w) for first, second in pairwise(told)]
    news = next((each for each in moved if each), "")
    if news:
        text = f"{news} while derctl wrote nothing: a second master tells it what to do"
        remedy = "Switch the other controller off (the maker's energy manager, Home Assistant, a ripple receiver), or"
        yield mend(
            Found.LIMIT_MOVES, who, text, f"{remedy} write it as one of `controllers`, and which function is its own"
        )
        return
    last_w = told[-1].p_ceiling_w
    if last_w is not None and last_w < STANDS_PU * rating.p_max_w:
        text = f"a limit of {last_w:,.0f} W stands in it, and derctl is not in control"
        remedy = (
            "If derctl left it (`derctl release --list` says so, and after `verify` it is the fallback), leave it; if"
            " another controller set it, write"
        )
        yield look(Found.LIMIT_STANDS, who, text, f"{remedy} that under `controllers`; else lift it in the device")


PARTS = {"p_ceiling_w": ("limit", "W"), "p_target_w": ("setpoint", "W"), "q_var": ("reactive power", "var")}


def _moved(first: Setpoint, second: Setpoint, size_w: float) -> str:
    for key, (word, unit) in PARTS.items():
        before, after = getattr(first, key), getattr(second, key)
        came, went = before is None and after is not None, before is not None and after is None
        if came or went:
            return f"a {word} of {(after if came else before):,.0f} {unit} {'came' if came else 'went'}"
        if before is not None and abs(after - before) > MOVES_PU * size_w:
            return f"its {word} moved from {before:,.0f} to {after:,.0f} {unit}"
    return ""


def power_w(readings: tuple[Reading, ...]) -> float | None:
    """The last one measured."""
    return next((each.p_w for each in reversed(readings) if each.p_w is not None), None)
