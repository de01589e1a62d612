"""Whether the periods of a bus fit, and what would fit where they don't."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from derctl.core.transaction import Serial, Transaction
from derctl.site import Site
from derctl.site.admission import Asked, Wired, Would, late, plans_of, setpoint_s, taken, would
from derctl.site.buses import Planned, planned

Small = Callable[..., str]
SiteOf = Callable[[str], Site]


def line(
    count: int, baud: int = 9600, *, pause_s: float = 0.0, counts_s: float = math.inf, reads: tuple[int, ...] = (50,)
) -> Wired:
    cost = Transaction(serial=Serial(baud=baud, parity="even"), pause_s=pause_s)
    units = tuple(Asked(id=f"u{n}", reads=reads, counts_s=counts_s) for n in range(count))
    return Wired(bus="rs485", cost=cost, writing=cost, units=units)


def test_each_unit_waits_for_one_turn_of_every_other() -> None:
    """Reads of 50 registers at 9600 baud take 138 ms each: eight of them 1.1 s."""
    [plan] = plans_of([line(8)], 5.0)
    assert plan.poll_s == pytest.approx(8 * 0.138, abs=0.01)
    assert plan.load_pct == pytest.approx(100 * 8 * 0.138 / 5.0, abs=0.5)
    assert plan.write_s == 0.0


def test_one_that_asks_little_is_not_held_up_by_all_that_another_asks() -> None:
    cost = Transaction(answer_s=0.1)
    units = (Asked(id="meter", reads=(50,)), Asked(id="pv", reads=(50, 50, 50, 50)))
    [plan] = plans_of([Wired(bus="lan", cost=cost, writing=cost, units=units)], 1.0)
    assert plan.poll_s == pytest.approx(0.5)
    assert plan.ages_s == {"meter": pytest.approx(0.4), "pv": pytest.approx(1.4)}


def test_a_tick_decides_when_all_buses_are_back_or_at_its_share() -> None:
    quick = Wired(
        bus="lan", cost=Transaction(answer_s=0.05), writing=Transaction(), units=(Asked(id="pv", reads=(50,)),)
    )
    alone, beside = plans_of([quick], 1.0)[0], plans_of([quick, line(8)], 1.0)[0]
    assert (alone.ages_s["pv"], beside.ages_s["pv"]) == (pytest.approx(0.05), 0.4)


def test_a_bus_that_is_asked_more_than_it_can_is_full() -> None:
    assert taken(line(40), 1.0) == pytest.approx(1.0)
    assert plans_of([line(300, 300)], 1.0)[0].poll_s == 600.0
    assert taken(line(0), 1.0) == 0.0


def test_what_costs_nothing_takes_nothing() -> None:
    free = Wired(bus="lan", cost=Transaction(), writing=Transaction(), units=(Asked(id="pv", reads=(50,)),))
    assert plans_of([free], 1.0)[0].load_pct == 0.0
    assert late(free, 1.0) == {}


def test_a_setpoint_is_two_writes_each_read_back() -> None:
    """19200 baud: 5 and 8 registers written are 27 and 33 characters, 26 read back are 65, and 3.5 twice for each."""
    line = Transaction(serial=Serial(baud=19200, parity="even"))
    assert setpoint_s(line) == pytest.approx((27 + 33 + 2 * 65 + 4 * 7) * 11 / 19200)


def test_what_would_fit_is_named_each_alone() -> None:
    """Nine reads of 138 ms and a poll after each other: 1.2 s; 1.5 s of age are too little."""
    bus = line(9, counts_s=0.7, pause_s=0.05)
    assert set(late(bus, 0.5)) == {f"u{n}" for n in range(9)}
    found = would(bus, 0.5, lambda other, tick_s: not late(other, tick_s))
    assert found.baud == 57600, "9 x 74 ms; at 38400 baud it is 9 x 83 ms"
    assert found.units == 3
    assert found.tick_s is None
    assert found.pause_s is None


def test_a_pause_that_would_do_is_named() -> None:
    cost = Transaction(pause_s=2.0)
    units = tuple(Asked(id=f"u{n}", reads=(50,), counts_s=4.5) for n in range(4))
    bus = Wired(bus="lan", cost=cost, writing=cost, units=units)
    found = would(bus, 1.0, lambda other, tick_s: not late(other, tick_s))
    assert (found.baud, found.units, found.pause_s) == (None, 2, 1.1)


FAST_TIMER = ("unit: 1, kind: sunspec_pv", "unit: 1, kind: sunspec_pv, fallback: {after_s: 12}")


def plan_of(site: Site) -> Planned:
    [bus] = planned(site.file, site.profiles, site.budget)
    return bus


def test_a_site_that_fits_misses_nothing(small: Small, site_of: SiteOf) -> None:
    bus = plan_of(site_of(small()))
    assert (bus.wire, bus.units, bus.missed, bus.would) == ("tcp", 3, (), Would())


def test_readings_that_are_too_old_before_the_next_one_comes_are_refused(small: Small, site_of: SiteOf) -> None:
    bus = plan_of(site_of(small(("id: lan,", "id: lan, min_interval_s: 8,"))))
    assert any(text.startswith("the reading of") and "counts for" in text for text in bus.missed)
    assert bus.would.pause_s is not None
    less = f"id: lan, min_interval_s: {bus.would.pause_s},"
    assert plan_of(site_of(small(("id: lan,", less)))).missed == (), "what is said to do does"


def test_a_bus_whose_readings_are_too_old_while_all_setpoints_are_written_says_so(
    small: Small, site_of: SiteOf
) -> None:
    """It passes, so it is not refused; who reads an age of 17 s beside a site that is let on should know why."""
    bus = plan_of(site_of(small(("id: lan,", "id: lan, min_interval_s: 1.2,"))))
    assert bus.missed == () == bus.slow
    oldest = max(bus.plan.ages_s.values())
    assert "may get" in bus.aged and "and counts for 15 s" in bus.aged and oldest > 15.0
    assert plan_of(site_of(small())).aged == ""
    lapsing = ("id: lan,", "id: lan, min_interval_s: 8,")
    assert plan_of(site_of(small(lapsing))).aged == "", "it is refused for more"


def test_setpoints_that_lapse_before_they_are_all_written_again_are_refused(small: Small, site_of: SiteOf) -> None:
    """Four requests for each of two DERs, 1 s apart, and 6 s are half of the time."""
    bus = plan_of(site_of(small(("id: lan,", "id: lan, min_interval_s: 1,"), FAST_TIMER)))
    assert bus.missed == ("all its setpoints take 8 s, and have to be written again after 6 s",)
    assert bus.would.pause_s == 0.75


def test_what_only_slow_answers_miss_is_said_and_not_refused(small: Small, site_of: SiteOf) -> None:
    """Eight requests 0.7 s apart take 5.6 s, and more than the 6 s once each waits for its answer."""
    bus = plan_of(site_of(small(("id: lan,", "id: lan, min_interval_s: 0.7,"), FAST_TIMER)))
    assert bus.missed == ()
    assert ["written again after 6 s" in text for text in bus.slow] == [True]
    assert bus.would.pause_s is not None
    sooner = plan_of(site_of(small(("id: lan,", f"id: lan, min_interval_s: {bus.would.pause_s},"), FAST_TIMER)))
    assert (sooner.missed, sooner.slow) == ((), ())


def test_a_bus_on_which_no_excursion_ends_in_time_is_refused(small: Small, site_of: SiteOf) -> None:
    """Eight polls and slow blocks 2 s apart, and eight requests of setpoints: 32 s."""
    pair = ("id: lan,", "id: lan, min_interval_s: 2,")
    bus = plan_of(site_of(small(pair, ("f_nom_hz: 50", "f_nom_hz: 50, containment_s: 15"))))
    assert [text for text in bus.missed if "15 s are allowed" in text]
    assert bus.would.pause_s is not None and bus.would.pause_s < 1.0


def test_a_site_that_writes_nothing_has_no_deadline_of_control(small: Small, site_of: SiteOf) -> None:
    read = [(f"kind: {kind}", f"kind: {kind}, control: false") for kind in ("sunspec_pv", "sunspec_storage")]
    assert plan_of(site_of(small(("id: lan,", "id: lan, min_interval_s: 8,"), *read))).missed == ()


def test_an_answer_s_of_the_site_file_counts_instead_of_what_most_devices_keep(small: Small, site_of: SiteOf) -> None:
    usual = plan_of(site_of(small())).plan
    quick = plan_of(site_of(small(("id: lan,", "id: lan, answer_s: 0.01,")))).plan
    assert quick.write_s == pytest.approx(usual.write_s / 10.0)
    assert quick.poll_s < usual.poll_s / 9.0
    assert quick.load_pct < usual.load_pct / 5.0


RTU = ("tcp: {host: pv.example}", "rtu: {port: /dev/ttyUSB0, baud: 1200}, answer_s: 0.5")


def test_a_serial_line_is_planned_by_its_characters_and_a_quicker_one_is_named(small: Small, site_of: SiteOf) -> None:
    """At 1200 baud the setpoints of both DERs take 7.7 s, and 5 s are left."""
    bus = plan_of(site_of(small(RTU, (FAST_TIMER[0], FAST_TIMER[1].replace("12", "10")))))
    assert (bus.wire, bus.units) == ("1200 8N1", 3)
    assert bus.missed and "its setpoints take" in bus.missed[0]
    assert bus.would.baud == 9600
    quick = (RTU[0], RTU[1].replace("1200", "9600"))
    fits = plan_of(site_of(small(quick, (FAST_TIMER[0], FAST_TIMER[1].replace("12", "10")))))
    assert (fits.wire, fits.missed) == ("9600 8N1", ())


def test_a_line_that_a_device_lets_go_late_has_that_pause(small: Small, site_of: SiteOf) -> None:
    plain = plan_of(site_of(small(RTU))).plan
    late = plan_of(site_of(small((RTU[0], RTU[1] + ", turnaround_s: 0.4")))).plan
    assert late.poll_s > plain.poll_s + 1.0


FAR = 16
GATEWAY = f"""
version: 1
site: {{id: roof, v_nom_v: 230, f_nom_hz: 50, mode: control, tick_s: 2.0}}
buses:
  - {{id: lan, tcp: {{host: 192.0.2.1}}}}
ders:
{
    "".join(
        f"  - {{id: pv{n}, bus: lan, unit: {n}, kind: sunspec_pv, own_functions: 'off', rating: {{p_max_w: 5000}}, "
        f"fallback: {{p_ceiling_w: 5000, by: stands}}}}" + chr(10)
        for n in range(1, FAR + 1)
    )
}
functions: [{{kind: operator_limit}}]
"""


def test_a_bus_that_is_quick_enough_by_the_file_is_refused_by_the_profiles_that_are_found(
    site_of: SiteOf,
) -> None:
    """A Datamanager takes a request a second, and sixteen inverters hang on this one."""
    site = site_of(GATEWAY)
    assert site.too_slow({}) == ""
    assert site.too_slow({"pv1": "kostal"}) == ""
    text = site.too_slow({"pv1": "fronius"})
    assert text.startswith("bus lan: refused: the reading of pv")
    assert "and counts for 30 s. What would do: a min_interval_s of " in text
