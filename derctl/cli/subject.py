"""Which DER may be stepped, and how far, as it stands now."""

from __future__ import annotations

from derctl.commission.identify import STEP_PU, Subject
from derctl.core.capability import DARK
from derctl.core.types import NOTHING, Reading
from derctl.daemon.stand import Stand


def kept_from(here: Stand, name: str) -> str:
    """Why it is not stepped, in words; "": it may be."""
    channel, stood = here.writers[name].channel, here.stood.get(name, NOTHING)
    device, profile = channel.device, channel.measured.profile
    if device is None or channel.bond.binding.text:
        return f"not stepped: {channel.bond.binding.text or 'it is not found'}"
    if not (device.can.steer or device.can.var):
        return "not stepped: derctl can only read it"
    if profile.guarded or not device.can.volatile:
        return f"not stepped: what it is told wears its memory out (profile {profile.name})"
    if device.can.rest and stood.p_target_w not in {None, 0.0}:
        return "not stepped: somebody else tells it what to give; end that first"
    if stood.q_var not in {None, 0.0}:
        return "not stepped: somebody else tells it what var to give; end that first"
    if channel.measured.reading.status in DARK:
        return f"not stepped: it is {channel.measured.reading.status}"
    return ""


def doubts_of(here: Stand, name: str) -> tuple[str, ...]:
    """What makes less of what is found out about it."""
    own = here.writers[name].channel.measured.reading.own_on
    return (f"its own {', '.join(own)} is on: what moves its voltage is mixed with that",) if own else ()


def subject_of(here: Stand, name: str, within_w: float | None, periods: int) -> Subject:
    """How far it may go. No limit goes above the one that stands; no target takes more export than is agreed."""
    channel = here.writers[name].channel
    device, reading, profile = channel.device, channel.measured.reading, channel.measured.profile
    assert device is not None
    rating, can = device.rating, device.can
    limit_w = here.stood[name].p_ceiling_w
    most_w = rating.p_max_w if limit_w is None else min(limit_w, rating.p_max_w)
    least_w = profile.min_limit_pct / 100.0 * rating.p_max_w
    if can.aim:
        given_w = reading.p_w or 0.0
        most_w = min(most_w, given_w + _room_w(here), _known(reading.p_discharge_limit_w, rating.p_max_w))
    if can.rest:
        least_w = -_known(reading.p_charge_limit_w, -rating.p_min_w)
    return Subject(
        rating=rating,
        can=can,
        most_w=most_w,
        least_w=least_w,
        within_w=STEP_PU * rating.size_w if within_w is None else within_w,
        periods=periods,
        settle_s=profile.settle_s,
        meter=here.plant.poc is not None,
    )


def _room_w(here: Stand) -> float:
    """What more may go out; nothing where the meter does not tell."""
    shown_w = (here.plant.poc.measured.reading if here.plant.poc is not None else Reading()).p_w
    limit_w = here.site.limit_w
    if shown_w is None:
        return 0.0
    return 0.5 * max((0.0 if limit_w is None else limit_w) - shown_w, 0.0)


def _known(limit_w: float | None, otherwise_w: float) -> float:
    return otherwise_w if limit_w is None else limit_w
