"""What a read-back is worth, by what is measured beside it. PV of 8 kW: a tolerance of 240 W, 10 s to settle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derctl.core.types import Reading, Setpoint
from derctl.daemon.channel.claim import Claim, counts, profile_of, weighed
from derctl.devices import Profile
from tests import make

PV = make.rating(p_max_w=8000.0)
BATTERY = make.rating(p_max_w=5000.0, p_min_w=-5000.0)
PROFILE = Profile()
Watts = Callable[[int], float | None]


def limit(watts: float) -> Callable[[int], Setpoint]:
    return lambda second: Setpoint(p_ceiling_w=watts)


def after(
    said: Callable[[int], Setpoint | None],
    power: Watts,
    seconds: int,
    *,
    claim: Claim | None = None,
    every: int = 1,
    rating: object = PV,
) -> Claim:
    """After readings so many seconds apart."""
    found = Claim() if claim is None else claim
    for second in range(0, seconds, every):
        reading = Reading(p_w=power(second), accepted=said(second))
        before_s = float(second - every)
        found = weighed(found, reading, rating, PROFILE, float(second), before_s=before_s)  # type: ignore[arg-type]
    return found


def test_an_inverter_that_claims_0_w_and_gives_1080_w_claims_nothing_after_the_settle_time() -> None:
    """An SMA's 123 reads 0 % and enabled."""
    assert not after(limit(0.0), lambda s: 1080.0, 11).void
    claim = after(limit(0.0), lambda s: 1080.0, 12)
    assert (claim.void, claim.said_w, claim.doubtful) == (True, 0.0, True)
    assert not counts(claim, PROFILE)
    assert profile_of(claim, PROFILE).readback == "effect_only"


@pytest.mark.parametrize(
    ("said", "power"),
    [
        (limit(3000.0), lambda s: 3000.0),
        (limit(3000.0), lambda s: 3239.0),
        (limit(3000.0), lambda s: 1000.0),
        (limit(3000.0), lambda s: 7000.0 - 450.0 * s),
        (limit(3000.0), lambda s: 3000.0 if s % 8 else 8000.0),
        (limit(8000.0), lambda s: 8500.0),
        (limit(3000.0), lambda s: None),
        (lambda s: None, lambda s: 8000.0),
        (lambda s: Setpoint(), lambda s: 8000.0),
    ],
    ids=[
        "kept",
        "in its tolerance",
        "less sun",
        "on its way",
        "a spike",
        "no limit",
        "not measured",
        "says none",
        "blind",
    ],
)
def test_what_is_not_contradicted_for_the_settle_time_is_a_claim(
    said: Callable[[int], Setpoint | None], power: Watts
) -> None:
    claim = after(said, power, 60)
    assert not claim.void and counts(claim, PROFILE)


def test_a_limit_that_goes_down_faster_than_the_power_is_still_followed() -> None:
    """800 W a second, and the power 5 s behind."""

    def at(second: int) -> float:
        return max(8000.0 - 800.0 * max(second, 0), 0.0)

    assert not after(lambda s: Setpoint(p_ceiling_w=at(s)), lambda s: at(s - 5), 60).void
    assert after(lambda s: Setpoint(p_ceiling_w=at(s)), lambda s: 8000.0, 60).void


@pytest.mark.parametrize(
    ("target", "power", "void"),
    [
        (0.0, 2000.0, True),
        (1000.0, 3000.0, True),
        (-2000.0, 2000.0, True),
        (0.0, -2500.0, True),
        (2000.0, -2500.0, True),
        (-1000.0, -2500.0, True),
        (-2000.0, 0.0, False),
        (2000.0, 0.0, False),
        (-2000.0, -1900.0, False),
    ],
    ids=[
        *("rests, it says", "more", "charges, it says"),
        *("rests and charges", "discharges and charges", "charges faster"),
        *("full", "empty", "kept"),
    ],
)
def test_a_battery_is_contradicted_by_what_it_gives_and_not_by_being_full(
    target: float, power: float, void: bool
) -> None:
    said = Setpoint(p_target_w=target)
    assert after(lambda s: said, lambda s: power, 60, rating=BATTERY).void is void


def test_a_night_and_the_same_claim_prove_nothing() -> None:
    day = after(limit(0.0), lambda s: 1080.0, 60)
    night = after(limit(0.0), lambda s: 0.0, 3600, claim=day)
    assert night.void and not counts(night, PROFILE)
    assert after(limit(0.0), lambda s: None, 60, claim=day).void


def test_another_claim_counts_when_the_power_stays_right_there() -> None:
    day = after(limit(0.0), lambda s: 1080.0, 60)
    assert after(limit(3000.0), lambda s: 2950.0, 11, claim=day).void
    assert not after(limit(3000.0), lambda s: 2950.0, 30, claim=day).void
    assert after(limit(3000.0), lambda s: 1000.0, 3600, claim=day).void, "below it says nothing"


def test_what_was_in_a_gap_nobody_knows() -> None:
    assert not after(limit(0.0), lambda s: 1080.0, 300, every=30).void


def test_a_single_reading_makes_doubtful_what_it_contradicts() -> None:
    assert after(limit(0.0), lambda s: 1080.0, 1).doubtful
    assert not after(limit(0.0), lambda s: 200.0, 1).doubtful
