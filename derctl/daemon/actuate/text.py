"""Setpoints in words, for events and people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.core.words import Seen
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.rest import Rest
from derctl.daemon.actuate.standing import Standing


def setpoint_text(setpoint: Setpoint | None) -> str:
    """Such as `limit 4,000 W, 300 var`."""
    told = setpoint or NOTHING
    parts = (("limit", told.p_ceiling_w, "W"), ("power", told.p_target_w, "W"), ("", told.q_var, "var"))
    words = [f"{what} {round(value) + 0:,} {unit}".lstrip() for what, value, unit in parts if value is not None]
    return ", ".join(words) or "nothing"


def released_text(result: Mapping[str, Release]) -> str:
    """Such as `pv1: released; limit 2,000 W stands, bat1: unreachable; what stands is not known`."""
    parts = [f"{der_id}: {release}{_standing_text(release.standing)}" for der_id, release in result.items()]
    return ", ".join(parts) or "nothing was written"


def _standing_text(standing: Standing | None) -> str:
    if standing is None:
        return ""
    if not standing.anything:
        return "; what stands is not known" if standing.seen in {Seen.NOT_KNOWN, Seen.OLD} else "; nothing stands"
    told = Setpoint(p_ceiling_w=standing.p_ceiling_w, p_target_w=standing.p_target_w, q_var=standing.q_var)
    how = {Seen.AS_WRITTEN: " as written, which it does not tell", Seen.OLD: " when it was read last"}
    return f"; {setpoint_text(told)} stands{how.get(standing.seen, '')}"


def not_followed_text(told: Setpoint, reading: Reading) -> str:
    """Such as `told limit 4,000 W, gives 7,000 W`."""
    given = "" if told.q_var is None or reading.q_var is None else f" and {round(reading.q_var) + 0:,} var"
    return f"told {setpoint_text(told)}, gives {round(reading.p_w or 0.0) + 0:,} W{given}"


def contradicted_text(said_w: float, reading: Reading) -> str:
    """Such as `reads back 0 W and gives 1,080 W: what it reads back does not count`."""
    said, given = f"{round(said_w) + 0:,} W", f"{round(reading.p_w or 0.0) + 0:,} W"
    return f"reads back {said} and gives {given}: what it reads back does not count"


def override_text(told: Setpoint, found: Setpoint | None, *, away: bool = False, left: bool = False) -> str:
    """What something else made of a setpoint: only the parts that differ. away: it was silent just before.
    left: what gives less than derctl's is not written again."""
    seen = found or NOTHING
    pairs = (
        ("limit", told.p_ceiling_w, seen.p_ceiling_w, "W"),
        ("power", told.p_target_w, seen.p_target_w, "W"),
        ("reactive power", told.q_var, seen.q_var, "var"),
    )
    parts = [_changed(what, ours, now, unit) for what, ours, now, unit in pairs if ours is not None]
    then = "left as it is, unless it gives more" if left else "written again"
    who = "its restart, or something else while it was away," if away else "something else"
    return f"{who} {' and '.join(part for part in parts if part) or 'changed it'}; {then}"


def contested_text(told: Setpoint, found: Setpoint, since_s: float, why: str) -> str:
    """What something else keeps a device at, and what speaks for that."""
    ours, now = setpoint_text(told), setpoint_text(found)
    return f"it had taken {ours} {since_s:.0f} s ago, and reads back {now}, which derctl did not write: {why}"


def _changed(what: str, ours: float, now: float | None, unit: str) -> str:
    """ "" where both are the same in print: who reads of it could not tell them apart."""
    told = f"{round(ours) + 0:,} {unit}"
    if now is None:
        return f"took its {what} of {told} back"
    found = f"{round(now) + 0:,} {unit}"
    return "" if found == told else f"set its {what} to {found} (derctl: {told})"


def stands_by_text(rest: Rest, size_w: float) -> str:
    """Such as `went to stand by under its limit of 400 W: below 500 W (10 %) it is told 0 W from now on`."""
    pct = 100.0 * rest.least_w / size_w
    under = f"went to stand by under its limit of {round(rest.told_w):,} W"
    return f"{under}: below {round(rest.least_w):,} W ({pct:.0f} %) it is told 0 W from now on"


def not_woken_text(rest: Rest, now_s: float) -> str:
    """Such as `stands by, though its limit was raised 310 s ago: is there sun, is it switched off at the device?`"""
    since = f"stands by, though its limit was raised {round(now_s - rest.since_s)} s ago"
    return f"{since}: is there sun, or is it switched off at the device?"


def rest_news(before: Rest, now: Rest, size_w: float, now_s: float) -> Iterator[tuple[str, str]]:
    """Events: a limit that it does not stay awake under, and that it does not wake up."""
    if now.least_w > before.least_w:
        yield "stands_by", stands_by_text(now, size_w)
    if now.overdue and not before.overdue:
        yield "not_woken", not_woken_text(now, now_s)
