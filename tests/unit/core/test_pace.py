"""How late a meter is and how often it shows something new, of a seeded house with loads that jump."""

import random
from collections.abc import Callable

import pytest

from derctl.core import pace
from derctl.core.pace import LAGS_S, LATE_S, POINT_S, REFRESH_MAX_S, STILL_S, Pace

SCALE_W = 10_000.0


class House:
    """DERs whose sum jumps now and then, a load that flickers and jumps, and a meter that shows some of that."""

    def __init__(self, seed: int, *, late_s: float, refresh_s: float = 1.0, tick_s: float = 1.0) -> None:
        self.random, self.late_s, self.refresh_s, self.tick_s = random.Random(seed), late_s, refresh_s, tick_s
        self.ders_w, self.load_w, self.t_s, self.shown_w = 6_000.0, 900.0, 0.0, 0.0
        self.past: list[tuple[float, float]] = []
        self.next_s = self.random.random() * refresh_s
        self.pace = Pace()
        self.slope, self.flicker_w, self.jumps = 1.0, 40.0, True

    def tick(self, ders_w: float | None = None) -> Pace:
        if ders_w is not None:
            self.ders_w = ders_w
        self.t_s += self.tick_s
        if self.jumps and self.random.random() < self.tick_s / 40.0:
            self.load_w = self.random.choice((300.0, 900.0, 2_900.0))
        load_w = self.load_w + self.random.gauss(0.0, self.flicker_w) if self.flicker_w else self.load_w
        self.past.append((self.t_s, self.slope * self.ders_w - load_w))
        if self.t_s >= self.next_s:
            self.next_s += self.refresh_s
            at = [w for t, w in self.past if t <= self.t_s - self.late_s + 1e-9]
            self.shown_w = at[-1] if at else self.past[0][1]
        self.pace = pace.step(self.pace, self.shown_w, self.ders_w, SCALE_W, self.tick_s)
        return self.pace

    def steps(self, seconds: float, every_s: float = 9.0) -> Pace:
        for n in range(round(seconds / self.tick_s)):
            moves = n % round(every_s / self.tick_s) == 0
            self.tick(self.random.choice((2_000.0, 4_500.0, 6_000.0, 8_000.0)) if moves else None)
        return self.pace


@pytest.mark.parametrize("late_s", LAGS_S)
@pytest.mark.parametrize("refresh_s", [1.0, 2.0, 5.0])
def test_it_is_known_how_late_the_meter_is_though_loads_jump(late_s: float, refresh_s: float) -> None:
    found = [House(seed, late_s=late_s, refresh_s=refresh_s).steps(180.0).late_s for seed in range(12)]
    known = [each for each in found if each is not None]
    assert len(known) == 12 and min(known) >= late_s, "never held to be quicker than it is"
    assert sum(each > late_s + 1.0 for each in known) <= 1


@pytest.mark.parametrize("tick_s", [0.1, 0.5, 2.0])
def test_ticks_of_any_length_tell_it(tick_s: float) -> None:
    known = House(1, late_s=2.0, tick_s=tick_s).steps(180.0, every_s=10.0).late_s
    assert known is not None and 2.0 <= known <= 3.0


def test_a_lateness_between_two_lags_counts_as_the_longer() -> None:
    house = House(1, late_s=1.5, tick_s=0.1)
    assert house.steps(180.0).late_s == 2.0


def test_one_quick_step_at_the_start_tells_it() -> None:
    """As the first setpoints make: 12.8 kW come down to the limit within two ticks."""
    house = House(1, late_s=0.0)
    house.tick(13_700.0)
    assert house.pace.late_s is None
    house.tick(4_800.0)
    assert house.pace.late_s == 0.0


def test_an_answer_to_a_jump_of_the_load_is_told_from_the_jump() -> None:
    """A loop takes back what goes out: its step follows the load's by a tick, with the other sign."""
    house = House(1, late_s=2.0)
    house.jumps = False
    for _ in range(10):
        for load_w, ders_w in ((900.0, 5_400.0), (3_400.0, 7_900.0)):
            house.load_w = load_w
            for _ in range(4):
                house.tick()
            for _ in range(12):
                house.tick(ders_w)
    assert house.pace.late_s in (2.0, 3.0)


def test_who_becomes_later_is_known_to_be_later() -> None:
    house = House(2, late_s=0.0)
    assert house.steps(900.0).late_s in (0.0, 1.0)
    house.late_s = 4.0
    assert house.steps(300.0).late_s in (4.0, 5.0)


@pytest.mark.parametrize("slope", [-1.0, 0.0, 0.1])
def test_of_a_meter_that_does_not_follow_it_is_not_known(slope: float) -> None:
    house = House(3, late_s=1.0)
    house.slope = slope
    assert house.steps(300.0).late_s is None


def quiet(late_s: float) -> House:
    """A load that does not move at all."""
    house = House(4, late_s=late_s)
    house.flicker_w, house.jumps = 0.0, False
    house.tick()
    return house


def test_a_small_move_tells_nothing() -> None:
    house = quiet(1.0)
    for _ in range(9):
        house.tick(6_000.0 + 0.5 * pace.TOLD_PU * SCALE_W)
    assert house.pace.late_s is None
    for _ in range(9):
        house.tick(4_000.0)
    assert house.pace.late_s == 1.0


def test_a_slow_ramp_looks_the_same_with_any_lag() -> None:
    house = quiet(1.0)
    for n in range(80):
        house.tick(6_000.0 - 50.0 * n)
    assert house.pace.late_s is None


def test_a_meter_that_never_flickers_may_be_late_or_slow_and_neither_is_told() -> None:
    house = quiet(3.0)
    for n in range(200):
        house.tick(4_000.0 if n // 20 % 2 else 6_000.0)
    assert house.pace.late_s is None and house.pace.refresh_s == pytest.approx(4.0)


def test_ders_that_are_read_after_the_meter_did_not_move_since_its_last_value() -> None:
    found = pace.step(Pace(), 5_000.0, 6_000.0, SCALE_W, 1.0)
    found = pace.step(found, 4_000.0, 6_000.0, SCALE_W, 1.0)
    for _ in range(60):
        found = pace.step(found, 4_000.0, 5_000.0, SCALE_W, 1.0)
        assert not pace.still(found, SCALE_W)


def test_what_comes_into_the_sum_is_no_step() -> None:
    house = House(5, late_s=0.0)
    house.jumps = False
    house.tick()
    for n in range(20):
        house.pace = pace.other(house.pace, 6_000.0 + 4_000.0 * (n % 2))
        house.tick(6_000.0 + 4_000.0 * (n % 2))
    assert house.pace.late_s is None and house.pace.lag.moves == 0.0


def test_without_a_rating_nothing_is_told() -> None:
    found = Pace()
    for n in range(9):
        found = pace.step(found, 5_000.0 * (n % 2), 5_000.0 * (n % 2), 0.0, 1.0)
    assert found.late_s is None and not pace.still(found, 0.0)


def test_the_course_keeps_no_more_than_it_needs() -> None:
    house = House(6, late_s=0.0, tick_s=0.1)
    longest = 0
    for n in range(600):
        house.tick(4_000.0 + 40.0 * n % 5_000.0)
        longest = max(longest, len(house.pace.lag.course))
    assert longest <= LATE_S / POINT_S + 3


@pytest.mark.parametrize("refresh_s", [2.0, 5.0, 10.0])
def test_how_often_it_shows_something_new_is_learned_where_ders_move(refresh_s: float) -> None:
    found = House(7, late_s=0.0, refresh_s=refresh_s).steps(200.0, every_s=7.0)
    assert refresh_s / 2.0 < found.refresh_s <= refresh_s + 1.0


def still_house(claims: Callable[[int], float]) -> Pace:
    """The load does not flicker, as no real one does. What the DERs claim, the meter does not show."""
    house = House(8, late_s=0.0)
    house.flicker_w, house.jumps, house.slope = 0.0, False, 0.0
    for n in range(120):
        house.load_w = 900.0 + n // 12
        house.tick(claims(n))
    return house.pace


def test_a_load_that_rests_for_long_makes_no_slow_meter() -> None:
    assert still_house(lambda n: 6_000.0).refresh_s == 1.0


def test_nor_does_somebody_who_claims_what_the_meter_never_shows() -> None:
    """Seen: a liar that came and went made a refresh of 15 s of one, and load was not credited any more."""
    assert still_house(lambda n: 8_000.0 * (n // 5 % 2)).refresh_s == 1.0


def test_a_refresh_that_was_slower_once_is_forgotten_slowly() -> None:
    house = House(9, late_s=0.0, refresh_s=10.0)
    slow_s = house.steps(120.0, every_s=7.0).refresh_s
    assert 5.0 < slow_s <= REFRESH_MAX_S
    house.refresh_s = 1.0
    assert 1.0 <= house.steps(60.0).refresh_s < slow_s
    assert house.steps(400.0).refresh_s < 1.5


def test_one_that_stands_still_though_ders_moved_is_found_out_in_time() -> None:
    house = House(10, late_s=0.0)
    house.flicker_w, house.jumps, house.slope = 0.0, False, 0.0
    for _ in range(60):
        house.tick(6_000.0)
    assert not pace.still(house.pace, SCALE_W), "nobody moved"
    found = [n for n in range(1, 40) if pace.still(house.tick(5_000.0), SCALE_W)]
    assert STILL_S <= found[0] <= STILL_S + 5.0


@pytest.mark.parametrize(
    ("load_w", "ders_w", "alone_w"), [(2900.0, None, 2000.0), (900.0, 8000.0, 0.0), (900.0, None, 0.0)]
)
def test_what_the_meter_goes_on_by_while_no_der_moved_is_the_loads(
    load_w: float, ders_w: float | None, alone_w: float
) -> None:
    house = House(1, late_s=0.0)
    house.jumps, house.flicker_w = False, 0.0
    for _ in range(10):
        house.tick()
    house.load_w = load_w
    before = house.pace
    assert pace.alone_w(before, house.tick(ders_w), 0.5) == alone_w
    assert pace.alone_w(Pace(), before, 0.5) == 0.0


@pytest.mark.parametrize("slope", [1.0, 0.0, -1.0])
@pytest.mark.parametrize("late_s", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("refresh_s", [1.0, 5.0])
def test_what_ders_did_a_moment_ago_is_no_load_of_a_meter_that_may_be_late_or_slow(
    slope: float, late_s: float, refresh_s: float
) -> None:
    house = House(1, late_s=late_s, refresh_s=refresh_s)
    house.jumps, house.flicker_w, house.slope = False, 5.0, slope
    for n in range(240):
        before = house.pace
        after = house.tick((3000.0, 6000.0)[n // 13 % 2])
        assert pace.alone_w(before, after, 0.5) < 200.0
