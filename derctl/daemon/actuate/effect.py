"""What the power of a device that can't be read back has shown that it took: nothing before is accepted. Pure."""

from __future__ import annotations

from derctl.core.types import NOTHING, DerState, Setpoint
from derctl.core.value import replace, value
from derctl.core.words import What
from derctl.daemon.actuate.judge import tolerance_of
from derctl.devices import Profile

PARTS = (What.CEILING, What.TARGET, What.VAR)


@value
class Effect:
    """told: what was written last, at_s: when. came_from: what it gave when each part that is not shown yet was told
    first. shown: what its power or var has shown."""

    told: Setpoint = NOTHING
    at_s: float = -1e9
    came_from: Setpoint = NOTHING
    shown: Setpoint = NOTHING

    @property
    def accepted(self) -> Setpoint | None:
        """What it took, as far as that is known; None: nothing is."""
        return None if self.shown == NOTHING else self.shown


NOT_TOLD = Effect()


def told(effect: Effect, setpoint: Setpoint, der: DerState, profile: Profile, now_s: float) -> Effect:
    """It was written. What it has shown still counts for what is the same within the tolerance; of writes that follow
    each other before they can show, the first one knows what it came from."""
    shown, on_its_way = effect.shown, now_s - effect.at_s <= profile.settle_s
    came_from = effect.came_from if on_its_way else NOTHING
    for what in PARTS:
        asked, known = _of(setpoint, what), _of(shown, what)
        if asked is None or (known is not None and abs(asked - known) <= tolerance_of(what, der, profile)):
            came_from = _with(came_from, what, None)
            shown = _with(shown, what, None if asked is None else known)
        elif known is not None or _of(came_from, what) is None:
            came_from, shown = _with(came_from, what, _given(der, what)), _with(shown, what, None)
    return Effect(told=setpoint, at_s=now_s, came_from=came_from, shown=shown)


def seen(effect: Effect, der: DerState, profile: Profile, at_s: float) -> Effect:
    """After a measurement of at_s. It shows a part where it has moved there, from outside of the tolerance into it
    and within the profile's time; and none any more that it leaves once that is over."""
    since_s = at_s - effect.at_s
    if since_s <= 0.0 or (since_s > profile.settle_s and effect.shown is NOTHING):
        return effect
    came_from, shown = effect.came_from, effect.shown
    if came_from is NOTHING and shown is NOTHING:
        return effect
    told = effect.told
    for what, asked in ((What.CEILING, told.p_ceiling_w), (What.TARGET, told.p_target_w), (What.VAR, told.q_var)):
        given = None if asked is None else _given(der, what)
        if asked is None or given is None:
            continue
        began, tolerance = _of(came_from, what), tolerance_of(what, der, profile)
        there, late = abs(given - asked) <= tolerance, since_s > profile.settle_s
        if began is not None and there and not late and abs(began - asked) > tolerance:
            came_from, shown = _with(came_from, what, None), _with(shown, what, asked)
        elif _of(shown, what) is not None and late and _strays(what, given - asked, tolerance):
            shown = _with(shown, what, None)
    if came_from is effect.came_from and shown is effect.shown:
        return effect
    return replace(effect, came_from=came_from, shown=shown)


def _strays(what: What, beyond: float, tolerance: float) -> bool:
    """Below a ceiling it may be for want of sun."""
    return beyond > tolerance or (what is not What.CEILING and beyond < -tolerance)


def _of(setpoint: Setpoint, what: What) -> float | None:
    found: float | None = getattr(setpoint, what)
    return found


def _given(der: DerState, what: What) -> float | None:
    return der.reading.q_var if what is What.VAR else der.reading.p_w


def _with(setpoint: Setpoint, what: What, found: float | None) -> Setpoint:
    return setpoint if _of(setpoint, what) == found else replace(setpoint, **{str(what): found})
