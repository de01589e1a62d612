"""Setpoints in words, for events and people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from derctl.core.text import edge_text, gives_text, power_text
from derctl.core.types import NOTHING, Reading, Setpoint
from derctl.core.words import Seen
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.rest import Rest
from derctl.daemon.actuate.standing import Standing


def setpoint_text(setpoint: Setpoint | None) -> str:
    """Such as `limit 4,000 W, 300 var`, or `charging 2,000 W`."""
    told = setpoint or NOTHING
    words = (
        None if told.p_ceiling_w is None else _limit_text(told.p_ceiling_w),
        None if told.p_target_w is None else _target_text(told.p_target_w),
        None if told.q_var is None else f"{round(told.q_var) + 0:,} var",
    )
    return ", ".join(word for word in words if word is not None) or "nothing"


def _limit_text(limit_w: float) -> str:
    return edge_text(limit_w, ceiling=True) if round(limit_w) < 0 else f"limit {round(limit_w) + 0:,} W"


def _target_text(target_w: float) -> str:
    return power_text(target_w) if round(target_w) else "power 0 W"


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
    return f"told {setpoint_text(told)}, {gives_text(reading.p_w or 0.0)}{given}"


def contradicted_text(said_w: float, reading: Reading) -> str:
    """Such as `reads back 0 W and gives 1,080 W: what it reads back does not count`."""
    said = f"{round(said_w) + 0:,} W" if round(said_w) >= 0 else power_text(said_w)
    return f"reads back {said} and {gives_text(reading.p_w or 0.0)}: what it reads back does not count"


def override_text(told: Setpoint, found: Setpoint | None, *, away: bool = False, left: bool = False) -> str:
    """What something else made of a setpoint: only the parts that differ. away: it was silent just before.
    left: what gives less than derctl's is not written again."""
    seen = found or NOTHING
    pairs = (
        ("limit", told.p_ceiling_w, seen.p_ceiling_w, _watts),
        ("power", told.p_target_w, seen.p_target_w, power_text),
        ("reactive power", told.q_var, seen.q_var, _var),
    )
    parts = [_changed(what, ours, now, shown) for what, ours, now, shown in pairs if ours is not None]
    then = "left as it is, unless it gives more" if left else "written again"
    who = "its restart, or something else while it was away," if away else "something else"
    return f"{who} {' and '.join(part for part in parts if part) or 'changed it'}; {then}"


def contested_text(told: Setpoint, found: Setpoint, since_s: float, why: str) -> str:
    """What something else keeps a device at, and what speaks for that."""
    ours, now = setpoint_text(told), setpoint_text(found)
    return f"it had taken {ours} {since_s:.0f} s ago, and reads back {now}, which derctl did not write: {why}"


def _watts(value: float) -> str:
    return f"{round(value) + 0:,} W"


def _var(value: float) -> str:
    return f"{round(value) + 0:,} var"


def _changed(what: str, ours: float, now: float | None, shown: Callable[[float], str]) -> str:
    """ "" where both are the same in print: who reads of it could not tell them apart."""
    told = shown(ours)
    if now is None:
        return f"took its {what} of {told} back"
    found = shown(now)
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
