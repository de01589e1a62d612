"""Whether an inverter stands by because of our limit, how it wakes up, and which limit keeps it awake. Pure."""

from __future__ import annotations

from derctl.core.capability import DARK
from derctl.core.types import DerState
from derctl.core.value import replace, value
from derctl.core.words import Phase, Status
from derctl.daemon.standing import RISE_PU_PER_S
from derctl.devices import Profile

GIVES_PU = 0.02
"""Above this share of its rating it gives power; it stands by where it gives less than that and says so."""
RESTING = frozenset({Status.STANDBY, Status.OFF})
"""Who says one of these under a grid, and gives nothing, stands by. Who sleeps without one has its own night."""
AT_WORK = frozenset({Status.ON, Status.THROTTLED})
"""Who stood by and says one of these is awake, however little sun there is."""
MARGIN_PU = 0.02
"""The least limit that is told is this much above one under which it went to stand by."""
LOW_PU = 0.3
"""Nobody stands by because of a limit above this share of its rating: that has another reason."""
WAKES_AT_PU = 0.1
"""So much of its rating it is let give while it wakes up, at least: what follows comes as a ramp."""
WAKES_WITHIN_S = 300.0
"""Until it gives power again, where that was never seen: an inverter checks the grid first (docs/sources.md)."""
PATIENCE = 2.0
"""How many times its known time it gets before that is called overdue."""


@value
class Rest:
    """phase, since_s: what it does, and since when. told_w: the limit under which it came to stand by.

    least_w: the least limit that keeps it awake, learned; 0: none was. wake_s: how long it took to wake up at most;
    None: it was never seen. held: it gave what it was told when it was measured last, so that the limit and not the
    sun held it. overdue: it was let give power, and does not.
    """

    phase: Phase = Phase.AWAKE
    since_s: float = -1e9
    told_w: float = 0.0
    least_w: float = 0.0
    wake_s: float | None = None
    held: bool = False
    overdue: bool = False


AWAKE = Rest()


def kept_awake_w(rest: Rest, der: DerState, profile: Profile) -> float:
    """The least limit above 0 W that it is told."""
    return max(rest.least_w, profile.min_limit_pct / 100.0 * der.rating.p_max_w)


def within_s(rest: Rest, profile: Profile) -> float:
    """How long waking up takes at most, as far as that is known."""
    known = profile.wake_s if rest.wake_s is None else max(rest.wake_s, profile.wake_s)
    return PATIENCE * known if known > 0.0 else WAKES_WITHIN_S


def seen(rest: Rest, der: DerState, told_w: float | None, profile: Profile, now_s: float) -> Rest:
    """After a tick. told_w: the limit that it holds; None: it was told none."""
    p_w, size_w = der.reading.p_w, der.rating.size_w
    if not der.fresh or p_w is None or not der.can.limit or der.can.store:
        return rest
    at_work = rest.phase is not Phase.AWAKE and der.reading.status in AT_WORK
    if p_w > GIVES_PU * size_w or at_work:
        return _gives(rest, p_w, told_w, profile, size_w, now_s)
    if der.reading.v_v is None or der.reading.status in DARK - RESTING:
        return _dark(rest)
    if rest.phase is Phase.AWAKE:
        return _stopped(rest, told_w, size_w, now_s) if der.reading.status in RESTING else rest
    return _stands_by(rest, told_w, kept_awake_w(rest, der, profile), profile, now_s)


def _gives(rest: Rest, p_w: float, told_w: float | None, profile: Profile, size_w: float, now_s: float) -> Rest:
    held = told_w is not None and p_w >= told_w - profile.tolerance_pct / 100.0 * size_w
    if rest.phase is Phase.AWAKE:
        return rest if held is rest.held else replace(rest, held=held)
    wake_s = rest.wake_s
    if rest.phase is Phase.WAKING:
        wake_s = max(wake_s or 0.0, now_s - rest.since_s)
    return replace(rest, phase=Phase.AWAKE, since_s=now_s, wake_s=wake_s, held=held, overdue=False)


def _dark(rest: Rest) -> Rest:
    """Night, or a fault: that is no limit of ours, and nothing is learned from it."""
    if rest.phase is Phase.AWAKE and not rest.held:
        return rest
    return replace(rest, phase=Phase.AWAKE, since_s=-1e9, held=False, overdue=False)


def _stopped(rest: Rest, told_w: float | None, size_w: float, now_s: float) -> Rest:
    """It stands by. That is our limit where that had held it before; the sun's end had not."""
    if told_w is None or not rest.held or told_w > LOW_PU * size_w:
        return rest
    least_w = max(rest.least_w, told_w + MARGIN_PU * size_w) if told_w > 0.0 else rest.least_w
    return replace(rest, phase=Phase.STANDBY, since_s=now_s, told_w=told_w, least_w=least_w, held=False)


def _stands_by(rest: Rest, told_w: float | None, least_w: float, profile: Profile, now_s: float) -> Rest:
    let = told_w is None or told_w > max(rest.told_w, least_w * 0.999)
    if not let:
        return (
            rest if rest.phase is Phase.STANDBY else replace(rest, phase=Phase.STANDBY, since_s=now_s, overdue=False)
        )
    if rest.phase is Phase.STANDBY:
        return replace(rest, phase=Phase.WAKING, since_s=now_s)
    overdue = now_s - rest.since_s > within_s(rest, profile)
    return rest if overdue is rest.overdue else replace(rest, overdue=overdue)


def told(rest: Rest, ceiling_w: float | None, der: DerState, profile: Profile, now_s: float) -> float | None:
    """The limit that goes out: 0 W instead of one under which it would stand by, and little until it was seen to wake
    up, with a ramp from there on: what a loop asked for meanwhile was never measured."""
    if ceiling_w is None or der.can.store:
        return ceiling_w
    least_w = kept_awake_w(rest, der, profile)
    if 0.0 < ceiling_w < least_w - 1e-6:
        return 0.0
    size_w = der.rating.size_w
    wakes_at_w = max(least_w, WAKES_AT_PU * size_w)
    if rest.phase is not Phase.AWAKE:
        return ceiling_w if rest.overdue else min(ceiling_w, wakes_at_w)
    return min(ceiling_w, wakes_at_w + RISE_PU_PER_S * size_w * (now_s - rest.since_s))
