"""What stands of a function that has lost its input: held, then the tighter of that and the fallback."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.capability import clamp
from derctl.core.response import ramp
from derctl.core.types import Abstain, DerState, Proposal, SiteProposal
from derctl.core.value import made, replace, value
from derctl.core.words import Reason

HOLD_S, HOLD_SAMPLES = 5.0, 3
"""A narrowing is held for so long, and for so many samples without the input, whichever is longer."""

FADE_S = 10.0
"""What raises power goes to 0 within this, var once it is held no more, and as long takes the way back."""

INPUT_LOST = "input_lost"
_NOTHING = Proposal(by=INPUT_LOST, rank=0, why=Reason.HELD)


@value
class Hold:
    """said: what was passed on while the function had its input, None: nothing. given: what was passed on last.

    silent_s: since the last sample that had the input, `sample`. lost_s: for how long it is missed now; over_s: and
    for how long it is held no more. back: it is there again, and what was taken back meanwhile comes back.
    """

    said: Proposal | None = None
    given: Proposal | None = None
    back: bool = False
    sample: int = -1
    silent_s: float = 0.0
    lost_s: float = 0.0
    over_s: float = 0.0


@value
class SiteHold:
    """The same for the site. lost_s: 0 while the function has its input."""

    said: SiteProposal | None = None
    lost_s: float = 0.0


_new_hold, _new_site_hold = made(Hold), made(SiteHold)


def passed(
    hold: Hold | None, said: Proposal | Abstain, der: DerState, dt_s: float
) -> tuple[Hold | None, tuple[Proposal, ...]]:
    """What of a function's word reaches arbitration. hold None: it never had its input."""
    if not (isinstance(said, Abstain) and said.lost):
        return _with_input(hold, None if isinstance(said, Abstain) else said, der, dt_s)
    if hold is None:
        return None, () if said.then is None else (said.then,)
    lost_s, silent_s = hold.lost_s + dt_s, hold.silent_s + dt_s
    holding = hold.over_s == 0.0 and (silent_s < HOLD_S or (der.fresh and der.sample - hold.sample < HOLD_SAMPLES))
    hold = replace(hold, silent_s=silent_s, lost_s=lost_s, over_s=0.0 if holding else hold.over_s + dt_s)
    found = _held(hold, der) if holding else _fallen(hold, said, der)
    return replace(hold, given=_merged(found)), found


def _with_input(
    hold: Hold | None, wish: Proposal | None, der: DerState, dt_s: float
) -> tuple[Hold, tuple[Proposal, ...]]:
    """What was taken back meanwhile comes back on a ramp; what was only held goes on as the function says."""
    given = wish
    if hold is not None and (hold.back or hold.lost_s > 0.0):
        given = _returning(hold, wish, der, dt_s)
    back = given is not wish and given != wish
    after = _new_hold(said=given, given=given, back=back, sample=der.sample, silent_s=der.age_s)
    return after, () if given is None else (given,)


def _returning(hold: Hold, wish: Proposal | None, der: DerState, dt_s: float) -> Proposal | None:
    """One step of the way back: tightening at once, the rest by the full scale in FADE_S."""
    was, goal = hold.given or _NOTHING, wish or _NOTHING
    step_w, fell = der.rating.size_w / FADE_S * dt_s, hold.back or hold.over_s > 0.0
    ceiling_w, floor_w, q_var = goal.p_ceiling_w, goal.p_floor_w, goal.q_var
    if fell and was.p_ceiling_w is not None:
        risen = ramp(was.p_ceiling_w, _or(ceiling_w, der.rating.p_max_w), up_per_s=step_w, dt_s=1.0)
        ceiling_w = ceiling_w if risen >= _or(ceiling_w, der.rating.p_max_w) else risen
    if fell and was.p_floor_w is not None and was.p_floor_w - step_w > _or(floor_w, der.rating.p_min_w):
        floor_w = was.p_floor_w - step_w
    elif floor_w is not None and floor_w > 0.0:
        floor_w = min(floor_w, max(_or(was.p_floor_w, 0.0), 0.0) + step_w)
    if fell and q_var is not None:
        q_step = der.rating.s_max_va / FADE_S * dt_s
        q_var = clamp(q_var, _or(was.q_var, 0.0) - q_step, _or(was.q_var, 0.0) + q_step)
    if (ceiling_w, floor_w, q_var) == (goal.p_ceiling_w, goal.p_floor_w, goal.q_var):
        return wish
    named = was if wish is None else wish
    return replace(named, p_ceiling_w=ceiling_w, p_floor_w=floor_w, q_var=q_var, why=Reason.HELD)


def _held(hold: Hold, der: DerState) -> tuple[Proposal, ...]:
    if hold.said is None:
        return ()
    floor_w = hold.said.p_floor_w
    if floor_w is not None and floor_w > 0.0:
        floor_w = _faded(floor_w, hold, der)
    target_w = _faded(hold.said.p_target_w, hold, der)
    return _spoken(replace(hold.said, p_floor_w=floor_w, p_target_w=target_w, why=Reason.HELD))


def _fallen(hold: Hold, lost: Abstain, der: DerState) -> tuple[Proposal, ...]:
    """Rank 0: the tighter of what was held, the fallback and what the function asks for then; but none below rest, or
    it would charge a battery over the head of its BMS. That, var, and what raises: at the function's own rank, on
    their way to 0. A mode of var alone says nothing of the power."""
    said, then = hold.said or _NOTHING, lost.then or _NOTHING
    fallback_w = None if said.q_var is not None else der.fallback.p_ceiling_w
    raises = said.p_floor_w is not None and said.p_floor_w > 0.0
    draws = said.p_ceiling_w is not None and said.p_ceiling_w < 0.0
    bound = replace(
        _NOTHING,
        p_ceiling_w=_least(0.0 if draws else said.p_ceiling_w, fallback_w, then.p_ceiling_w),
        p_floor_w=_most(None if raises else said.p_floor_w, then.p_floor_w),
    )
    rest = replace(
        said,
        p_ceiling_w=_share(said.p_ceiling_w, hold.over_s) if draws else None,
        p_floor_w=_faded(said.p_floor_w, hold, der) if raises else None,
        p_target_w=_faded(said.p_target_w, hold, der),
        q_var=_share(said.q_var, hold.over_s),
        why=Reason.HELD,
    )
    return _spoken(bound) + _spoken(rest)


def _merged(found: tuple[Proposal, ...]) -> Proposal | None:
    """In one, for the way back."""
    if len(found) < 2:
        return found[0] if found else None
    bound, rest = found
    ceiling_w = _least(bound.p_ceiling_w, rest.p_ceiling_w)
    return replace(bound, p_ceiling_w=ceiling_w, p_floor_w=_most(bound.p_floor_w, rest.p_floor_w), q_var=rest.q_var)


def _faded(value: float | None, hold: Hold, der: DerState) -> float | None:
    """What raises, on its way to 0. Nobody is raised who is not heard."""
    return _share(value, hold.lost_s) if der.fresh else None


def _share(value: float | None, since_s: float) -> float | None:
    return None if value is None or since_s >= FADE_S else value * (1.0 - since_s / FADE_S)


def _spoken(proposal: Proposal) -> tuple[Proposal, ...]:
    """Nothing, where it says nothing."""
    values = (proposal.p_ceiling_w, proposal.p_floor_w, proposal.p_target_w, proposal.q_var)
    return () if values == (None, None, None, None) else (proposal,)


def _least(*values: float | None) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _most(*values: float | None) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def passed_by_site(
    hold: SiteHold | None, said: SiteProposal | Abstain, ders: Sequence[DerState], dt_s: float
) -> tuple[SiteHold | None, SiteProposal | None]:
    """The same for a function of the site: its ceiling stands while its input is away, and what raises fades."""
    if not isinstance(said, Abstain):
        return _new_site_hold(said=said), said
    if not said.lost or hold is None or hold.said is None:
        return (hold if said.lost else None), None
    hold = replace(hold, lost_s=hold.lost_s + dt_s)
    assert hold.said is not None
    was, over = (
        hold.said,
        tuple(der.id for der in ders if der.controllable and der.trial is None and der.id in hold.said.over),
    )
    floor_w = was.p_floor_w if was.p_floor_w is None or was.p_floor_w <= 0.0 else _share(was.p_floor_w, hold.lost_s)
    held = replace(was, over=over, p_floor_w=floor_w, p_target_w=_share(was.p_target_w, hold.lost_s), why=Reason.HELD)
    return hold, None if (held.p_ceiling_w, held.p_floor_w, held.p_target_w) == (None, None, None) else held
