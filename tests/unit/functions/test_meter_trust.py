"""A meter is doubted when it contradicts the inverters, not when it is late or the load is busy."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core.evidence import Evidence
from derctl.core.value import replace
from derctl.functions.meter_trust import AGREES, PROOF_S, REST_PU, STEP_PU, STRIKES, Trust, weigh
from tests import make


def follow(pairs: list[tuple[float, float]], trust: Trust | None = None, tick_s: float = 1.0) -> Trust:
    """Weigh (inverters' sum, meter) sample by sample; the rating is 10 kW."""
    trust = trust or Trust()
    for ders_w, meter_w in pairs:
        sample = trust.sample + 1
        trust = weigh(trust, make.meter(meter_w, sample=sample), [make.pv(p_w=ders_w)], sample * tick_s)
    return trust


def test_a_meter_that_follows_is_believed() -> None:
    trust = follow([(1_000.0 * n, 1_000.0 * n - 700.0) for n in range(10)])
    assert not trust.doubted and trust.agreed == 9 and trust.strikes == 0


def test_a_reversed_meter_is_doubted_after_three_steps() -> None:
    steps = [(1_000.0 * n, 700.0 - 1_000.0 * n) for n in range(STRIKES + 1)]
    assert not follow(steps[:-1]).doubted
    assert follow(steps).doubted


def test_a_meter_that_stands_still_through_three_steps_is_doubted() -> None:
    steps = [(1_000.0 * n, -700.0) for n in range(STRIKES + 1)]
    assert not follow(steps[:-1]).doubted
    assert follow(steps).doubted


@pytest.mark.parametrize("late", [-2, -1, 1, 2])
def test_a_meter_a_sample_or_two_early_or_late_is_not_doubted(late: int) -> None:
    """Constant load, an inverter that steps every fourth sample, and not one watt of noise."""
    power = [1_000.0 * (n // 4 % 6) for n in range(120)]
    pairs = [(power[n], power[n - late] - 500.0) for n in range(4, 110)]
    trust = Trust()
    for pair in pairs:
        trust = follow([pair], trust)
        assert not trust.doubted


@pytest.mark.parametrize(("refresh_s", "proven"), [(1.0, False), (5.0, True)])
def test_a_meter_that_is_known_to_refresh_slowly_has_that_much_more_time(refresh_s: float, proven: bool) -> None:
    """Seen: a step that came just after a value of 5 s was too old for the next one, in one start of three."""
    trust = Trust()
    for n, (t_s, ders_w, meter_w) in enumerate(
        [(0.0, 6_000.0, 5_000.0), (1.0, 4_000.0, 5_010.0), (6.0, 4_000.0, 3_000.0), (11.0, 6_000.0, 5_000.0)]
    ):
        shown = replace(make.meter(meter_w, sample=n), belief=Evidence(refresh_s=refresh_s))
        trust = weigh(trust, shown, [make.pv(p_w=ders_w)], t_s)
    assert trust.proven is proven


@pytest.mark.parametrize("step_w", [2_000.0, 4_000.0])
@pytest.mark.parametrize(("jump_w", "proven"), [(0.95, False), (1.1, False), (0.6, True), (1.6, True)])
def test_a_step_that_a_load_that_cycles_may_have_made_proves_nothing(
    step_w: float, jump_w: float, proven: bool
) -> None:
    """Seen: a hob of 1.8 kW went there and back with the first steps, beside a clamp that showed nothing of them."""
    trust, known = Trust(), Evidence(jumps=(300.0, jump_w * step_w))
    for n, down_w in enumerate((0.0, step_w, step_w, 0.0)):
        shown = replace(make.meter(5_000.0 - down_w, sample=n), belief=known)
        trust = weigh(trust, shown, [make.pv(p_w=6_000.0 - down_w)], 3.0 * n)
    assert trust.proven is proven


def test_a_doubted_meter_is_believed_again_after_three_steps_that_agree() -> None:
    trust = follow([(1_000.0 * n, -1_000.0 * n) for n in range(6)])
    assert trust.doubted
    back = [(1_000.0 * n, 1_000.0 * n) for n in range(6, 6 + STRIKES)]
    for n, pair in enumerate(back):
        trust = follow([pair], trust)
        assert trust.doubted == (n < STRIKES - 1)


def test_a_contradiction_in_between_starts_the_count_of_agreements_anew() -> None:
    trust = follow([(1_000.0 * n, -1_000.0 * n) for n in range(6)])
    trust = follow([(6_000.0, -4_000.0), (7_000.0, -3_000.0), (8_000.0, -5_000.0)], trust)
    assert trust.doubted and trust.agreed == 0
    trust = follow([(5_000.0, -5_000.0)], trust)
    assert trust.doubted and trust.agreed == 0, "standing still is no agreement either"


def test_small_steps_and_old_samples_and_silence_say_nothing() -> None:
    trust = follow([(1_000.0, 0.0)])
    small = STEP_PU * 10_000.0 - 1.0
    for n in range(1, 20):
        trust = follow([(1_000.0 + small * (n % 2), -100.0 * n)], trust)
        assert (trust.strikes, trust.agreed, trust.slept) == (0, 0, 0)
    pv = make.pv(p_w=9_000.0)
    assert weigh(trust, make.meter(-5_000.0, sample=trust.sample), [pv], 99.0) == trust
    assert weigh(trust, make.meter(None, sample=trust.sample + 1), [pv], 99.0) == trust


def test_a_load_that_hides_most_of_a_step_is_neither_agreement_nor_contradiction() -> None:
    almost = 1_000.0 * AGREES - 1.0
    trust = follow([(0.0, 0.0), (1_000.0, almost), (2_000.0, 0.0), (3_000.0, almost)])
    assert (trust.strikes, trust.agreed, trust.doubted) == (0, 0, False)


@settings(max_examples=60)
@given(data=st.data())
def test_a_true_meter_is_never_doubted_whatever_sun_and_a_smaller_load_do(data: st.DataObject) -> None:
    """Load steps below three quarters of the smallest step that counts can't hide three in a row."""
    sun = data.draw(st.lists(st.floats(0.0, 10_000.0), min_size=5, max_size=40))
    load = data.draw(st.lists(st.floats(500.0, 500.0 + 370.0), min_size=len(sun), max_size=len(sun)))
    trust = Trust()
    for p, used in zip(sun, load, strict=True):
        trust = follow([(p, p - used)], trust)
        assert not trust.doubted


@pytest.mark.parametrize("tick_s", [0.1, 1.0])
@pytest.mark.parametrize("step_w", [20.0, 100.0, 320.0])
@pytest.mark.parametrize("reads", [lambda p: -p, lambda p: 0.0], ids=["reversed", "standing still"])
def test_small_steps_add_up_to_what_a_wrong_meter_is_known_by(reads: Any, step_w: float, tick_s: float) -> None:
    """Voltage taps lost: 0 W for ever, while the inverters are let out by 3 % a second (or 1 % a tick of 0.1 s)."""
    pairs = [(step_w * n, reads(step_w * n)) for n in range(int(4 * STEP_PU * 10_000.0 / step_w) + 6)]
    assert follow(pairs, tick_s=tick_s).doubted


def test_what_the_meter_does_while_the_inverters_rest_is_the_loads_doing() -> None:
    """A morning: the sun brings 0.05 % a second, and the load grows faster."""
    pairs = [(5.0 * n, -8.0 * n) for n in range(1_800)]
    assert PROOF_S * 5.0 < REST_PU * 10_000.0
    trust = follow(pairs)
    assert (trust.strikes, trust.slept, trust.doubted) == (0, 0, False)


def test_noise_while_the_inverters_rest_does_not_hide_what_they_do_after() -> None:
    chance = random.Random(0)
    rest = [(5_000.0 + chance.uniform(-10.0, 10.0), -chance.uniform(4_990.0, 5_010.0)) for _ in range(3_000)]
    trust = follow(rest, tick_s=0.1)
    assert (trust.strikes, trust.slept, trust.agreed) == (0, 0, 0)
    rise = [(5_000.0 + 25.0 * n, -5_000.0 - 25.0 * n) for n in range(4 * STRIKES * 6)]
    assert follow(rise, trust, tick_s=0.1).doubted


def test_a_battery_that_answers_the_load_speaks_for_the_meter_and_not_against_it() -> None:
    """Every ten seconds 2 kW of load come or go, and a second later half of what the meter shows is made up for."""
    trust, ders_w = Trust(), 0.0
    for n in range(600):
        load_w = 300.0 + 2_000.0 * (n // 10 % 2)
        meter_w = ders_w - load_w
        trust = follow([(ders_w, meter_w)], trust)
        assert not trust.doubted, n
        ders_w -= 0.5 * meter_w
    assert trust.agreed > 0


def test_what_happens_while_no_inverter_is_heard_is_no_step() -> None:
    """The only inverter is silent for a tick, the load comes while nobody looks: that neither proves nor strikes."""
    trust = follow([(1_000.0, 0.0), (1_000.0, 0.0)])
    assert trust.track
    deaf = weigh(trust, make.meter(2_000.0, sample=trust.sample + 1), [], float(trust.sample + 1))
    assert (deaf.strikes, deaf.agreed, deaf.went) == (0, 0, 0.0)
    for meter_w in (2_000.0, -2_000.0):
        after = follow([(3_000.0, meter_w)], deaf)
        assert (after.strikes, after.agreed, after.went, after.proven) == (0, 0, 0.0, False)


@pytest.mark.parametrize("tick_s", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("late_s", [0.0, 1.0, 2.0])
def test_a_right_meter_is_proven_by_a_step_down_and_back_at_any_tick(tick_s: float, late_s: float) -> None:
    """The step of 15 % takes the inverters a second, and the meter shows it later; some load besides."""

    def ders_w(t_s: float) -> float:
        return 5_000.0 - 1_500.0 * (min(max(t_s - 2.0, 0.0), 1.0) - min(max(t_s - 7.0, 0.0), 1.0))

    times = [tick_s * n for n in range(int(12.0 / tick_s))]
    pairs = [(ders_w(t), ders_w(t - late_s) - 1_000.0 - 20.0 * (t % 2.0)) for t in times]
    assert follow(pairs, tick_s=tick_s).proven
    assert not follow(pairs[: int(7.0 / tick_s)], tick_s=tick_s).proven, "a load that jumps may have done that"
    assert not follow([(p, -seen) for p, seen in pairs], tick_s=tick_s).proven
    assert 1.0 + late_s < PROOF_S


def test_a_meter_that_shows_two_phases_of_three_is_not_proven_by_any_step() -> None:
    """Of 50 simulated ones 45 were, where a step matched within a half counted too."""
    steps = [5_000.0 - 1_500.0 * (n // 5 % 2) for n in range(60)]
    assert not follow([(ders_w, 2.0 / 3.0 * ders_w - 700.0) for ders_w in steps]).proven
    assert follow([(ders_w, 0.9 * ders_w - 700.0) for ders_w in steps]).proven


def test_a_step_that_is_too_big_for_a_load_proves_alone() -> None:
    """Six others claim what they don't make: nothing is let out, and nobody makes another step."""
    assert follow([(9_000.0, 8_000.0), (6_000.0, 5_000.0 + 100.0)]).proven
    assert not follow([(9_000.0, 8_000.0), (6_000.0, 5_000.0 + 200.0)]).proven, "not near enough"
    assert not follow([(9_000.0, 8_000.0), (6_100.0, 5_100.0)]).proven, "nor big enough"


def test_a_step_that_the_meter_did_not_show_takes_back_what_spoke_for_it() -> None:
    trust = follow([(2_000.0, 1_000.0), (500.0, -500.0)])
    assert (trust.went, trust.proven) == (-1.0, False)
    against = follow([(500.0, -500.0)] * 5 + [(2_000.0, -2_000.0)] * 5, trust)
    assert (against.went, against.proven) == (0.0, False)
    assert follow([(500.0, -500.0)] * 5 + [(2_000.0, 1_000.0)], trust).proven


@pytest.mark.parametrize("gone", [{"p_w": None}, None], ids=["without its power", "silent"])
def test_an_inverter_that_is_not_heard_makes_no_step(gone: dict[str, Any] | None) -> None:
    """One of two answers every other second: the meter goes on with what both give, and is right."""
    trust = Trust()
    for n in range(20):
        ders = [make.pv("pv1", p_w=4_000.0), make.pv("pv2", p_w=4_000.0)]
        if n % 2:
            ders[1:] = [] if gone is None else [make.pv("pv2", **gone)]
        trust = weigh(trust, make.meter(7_000.0, sample=n), ders, float(n))
        assert (trust.strikes, trust.slept, trust.agreed, trust.went) == (0, 0, 0, 0.0)


@pytest.mark.parametrize(("others", "proven"), [((), True), (("new",), False), (("liar", "new"), False)])
def test_a_step_is_followed_on_though_somebody_counts_no_more(others: tuple[str, ...], proven: bool) -> None:
    """In the middle of a site's first step it was found out who moves the meter, and the step was lost: a liar that
    claimed 8 kW left too little for another one, and nothing went out for good. Of who is new nothing is known."""
    trust, poc = Trust(), [12_800.0, 5_600.0, 1_750.0, 1_250.0]
    powers = [13_700.0, 6_500.0, 2_650.0, 2_150.0]
    for n, (poc_w, pv_w) in enumerate(zip(poc, powers, strict=True)):
        names = ("liar",) if n < 2 else others
        ders = [make.pv(p_max_w=15_000.0, p_w=pv_w), *(make.pv(name, p_w=8_000.0) for name in names)]
        trust = weigh(trust, make.meter(poc_w, sample=n), ders, float(n))
    assert trust.proven is proven
