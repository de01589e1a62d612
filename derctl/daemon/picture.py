"""What arming would write, device by device, as a person or a program is shown it before it is done. Pure."""

from __future__ import annotations

from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.types import NOTHING, Decision, DerState, Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy
from derctl.daemon.actuate.text import setpoint_text

WITHIN_S = 120.0
"""How long a picture may be confirmed: time to read it, not to forget it (docs/sources.md)."""
OTHER_PU = 0.25
"""A setpoint that has moved by more than this share of the rating makes another picture (docs/sources.md)."""

AGAIN = f"nothing is written yet: say arm again within {WITHIN_S:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One DER. why: why it would not be written now, None: it would. by: who bounds the setpoint.

    holds: what it reads back. found_w: somebody's limit that stands in it and is kept. newer: firmware of it that
    arming acknowledges.
    """

    der: str
    size_w: float
    why: str | None = None
    setpoint: Setpoint = NOTHING
    by: tuple[str, ...] = ()
    fallback: Fallback = field(default_factory=Fallback)
    holds: Setpoint | None = None
    found_w: float | None = None
    newer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All DERs of the site, in its order."""

    ders: tuple[Stroke, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A picture that was shown. by: to whom. at_s: when, monotonic. token: what confirms it."""

    token: str
    by: str
    at_s: float
    picture: Picture

    def stands(self, by: str, confirm: str | None, picture: Picture, now_s: float) -> bool:
        """Whether a second word does it: of the same sender, in time, and the picture is still the same."""
        meant = confirm in {None, self.token}
        return meant and by == self.by and now_s - self.at_s <= WITHIN_S and not differs(self.picture, picture)


def stroke(der: DerState, decision: Decision | None, fallback: Fallback, why: str | None, newer: str = "") -> Stroke:
    """One DER as the last tick left it."""
    bounds = () if decision is None else decision.bound_by
    return Stroke(
        der=der.id,
        size_w=der.rating.size_w,
        why=why,
        setpoint=NOTHING if decision is None else decision.setpoint,
        by=tuple(dict.fromkeys(bound.by for bound in bounds)),
        fallback=fallback,
        holds=der.reading.accepted if der.fresh else None,
        found_w=der.found_w,
        newer=newer,
    )


def differs(shown: Picture, now: Picture) -> bool:
    """Whether somebody who agreed to the one has not agreed to the other."""
    if len(shown.ders) != len(now.ders):
        return True
    return any(_other(a, b) for a, b in zip(shown.ders, now.ders, strict=True))


def _other(a: Stroke, b: Stroke) -> bool:
    if (a.der, a.why, a.fallback, a.newer) != (b.der, b.why, b.fallback, b.newer):
        return True
    step_w = OTHER_PU * max(a.size_w, b.size_w)
    pairs = (
        (a.setpoint.p_ceiling_w, b.setpoint.p_ceiling_w),
        (a.setpoint.p_target_w, b.setpoint.p_target_w),
        (a.setpoint.q_var, b.setpoint.q_var),
        (a.found_w, b.found_w),
    )
    return any(_moved(before, after, step_w) for before, after in pairs)


def _moved(before: float | None, after: float | None, step_w: float) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > step_w


def lines(picture: Picture) -> list[str]:
    """For people, a line for each DER."""
    return [_line(each) for each in picture.ders]


def _line(stroke: Stroke) -> str:
    if stroke.why is not None:
        return f"{stroke.der}: not written: {stroke.why}"
    by = f" ({', '.join(stroke.by)})" if stroke.by else ""
    told = setpoint_text(stroke.setpoint)
    found = "" if stroke.found_w is None else f"; a limit of {stroke.found_w:,.0f} W was found in it and is kept"
    newer = f"; its firmware {stroke.newer} is new, and relied on from then on" if stroke.newer else ""
    return f"{stroke.der}: {told}{by}; {_without(stroke.fallback)}; it holds {_held(stroke)} now{found}{newer}"


def _held(stroke: Stroke) -> str:
    held = stroke.holds or NOTHING
    if held.p_ceiling_w is not None and held.p_ceiling_w >= stroke.size_w:
        held = replace(held, p_ceiling_w=None)
        return "no limit" if held == NOTHING else f"no limit, {setpoint_text(held)}"
    return "nothing that it tells" if held == NOTHING else setpoint_text(held)


def _without(fallback: Fallback) -> str:
    goal = "no limit" if fallback.p_ceiling_w is None else f"at most {fallback.p_ceiling_w:,.0f} W"
    how = {
        FallbackBy.REVERSION: f"after {fallback.after_s:g} s by its own timer",
        FallbackBy.STANDS: "the last limit stands",
        FallbackBy.DEVICE: "by a limit in the device",
    }
    return f"without derctl {goal}, {how[FallbackBy(fallback.by)]}"
