"""Serial lines and gateways for them in the site file, and the pace of who is on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from derctl.daemon.build import build as build_plant
from derctl.devices import Profile
from derctl.errors import Problem
from derctl.links.line import UnitPace
from derctl.site import Site
from derctl.site.buses import planned
from derctl.site.pace import PORT_BACKOFF_S, pace_of, units_of

LAN = "tcp: {host: 192.168.1.20}"
SiteOf = Callable[[str], Site]
ProblemsOf = Callable[[str], tuple[Problem, ...]]


def text(wire: str) -> str:
    return f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50}}
buses:
  - {{id: rs485, {wire}}}
ders:
  - {{id: pv1, bus: rs485, unit: 1, kind: sunspec_pv, profile: sma}}
  - {{id: pv2, bus: rs485, unit: 2, kind: sunspec_pv}}
"""


@pytest.mark.parametrize(
    ("wire", "path", "words"),
    [
        ("rtu: {port: ttyUSB0}", "buses[0].rtu.port", "a path like /dev/serial/by-id/... (an"),
        ("rtu: {baud: 9600}", "buses[0].rtu", "port is missing"),
        ("rtu: {port: /dev/ttyUSB0, baud: 300}", "buses[0].rtu.baud", "1200"),
        ("rtu: {port: /dev/ttyUSB0, parity: mark}", "buses[0].rtu.parity", "even"),
        ("rtu: {port: /dev/ttyUSB0, stop_bits: 3}", "buses[0].rtu.stop_bits", "1"),
        (
            "rtu: {port: /dev/ttyUSB0, bytesize: 7}",
            "buses[0].rtu.bytesize",
            "known are port, baud, parity, stop_bits",
        ),
        ("rtu: {port: /dev/ttyUSB0}, header: ignore_unit", "buses[0].header", "only strict"),
        ("rtu_over_tcp: {host: gate, port: 70000}", "buses[0].rtu_over_tcp.port", "65535"),
        ("rtu_over_tcp: {host: gate, baud: 300}", "buses[0].rtu_over_tcp.baud", "1200"),
        ("rtu: {port: /dev/ttyUSB0}, rtu_over_tcp: {host: a}", "buses[0]", "give one of rtu, rtu_over_tcp"),
        ("rtu: {port: /dev/ttyUSB0}, turnaround_s: 9", "buses[0].turnaround_s", "5"),
    ],
)
def test_what_a_line_cannot_be_is_told_at_its_place(
    problems_of: ProblemsOf, wire: str, path: str, words: str
) -> None:
    told = problems_of(text(wire))
    assert path in {problem.path for problem in told}, told
    assert any(words in problem.message for problem in told), told


def test_a_port_is_one_bus_whatever_its_baud_rate(problems_of: ProblemsOf) -> None:
    twice = text("rtu: {port: /dev/a}").replace("ders:", "  - {id: b, rtu: {port: /dev/a, baud: 19200}}\nders:")
    assert "same endpoint as bus 'rs485'" in str(problems_of(twice))
    assert "same endpoint as bus 'rs485'" in str(problems_of(twice.replace("/dev/a, baud", "/dev//a, baud")))


@pytest.mark.parametrize("wire", ["rtu: {port: /dev/ttyUSB0}", "rtu_over_tcp: {host: gate}"])
@pytest.mark.parametrize("unit", [0, 248, 255])
def test_a_unit_that_all_of_a_line_would_hear_is_refused(
    problems_of: ProblemsOf, site_of: SiteOf, wire: str, unit: int
) -> None:
    [problem] = problems_of(text(wire).replace("unit: 2", f"unit: {unit}"))
    assert problem.path == "ders[1].unit" and f"{unit} is no unit of a serial line: 1 to 247" in problem.message
    assert site_of(text(LAN).replace("unit: 2", f"unit: {unit}")), "on TCP some devices answer there"


@pytest.mark.parametrize(
    ("wire", "drain_s"),
    [
        ("rtu: {port: /dev/ttyUSB0}, timeout_s: 2", 2.0),
        ("rtu_over_tcp: {host: gate}, timeout_s: 2", 2.0),
        (f"{LAN}, timeout_s: 2", 0.0),
    ],
)
def test_a_late_answer_is_waited_for_where_answers_carry_no_number(
    site_of: SiteOf, wire: str, drain_s: float
) -> None:
    plant = build_plant(site_of(text(wire)), lambda event, who, said: None)
    assert plant.buses["rs485"].line.pace.drain_s == drain_s


def units(site: Site, **changes: Any) -> dict[int, dict[str, float]]:
    slow = Profile(name="sma", turnaround_s=0.05, answer_floor_s=0.8)
    return units_of(site.file, {"sma": slow, "generic": Profile()}, site.file.buses[0])


def test_each_unit_has_the_pace_of_its_profile_and_the_bus_overrules_it(site_of: SiteOf) -> None:
    found = units(site_of(text("rtu: {port: /dev/ttyUSB0}")))
    assert {unit: UnitPace(**each) for unit, each in found.items()} == {
        1: UnitPace(turnaround_s=0.05, floor_s=0.8),
        2: UnitPace(),
    }
    over = units(site_of(text("rtu: {port: /dev/ttyUSB0}, turnaround_s: 0.1")))
    assert {each["turnaround_s"] for each in over.values()} == {0.1}


def test_a_port_is_looked_for_often_whatever_the_profile_says(site_of: SiteOf) -> None:
    careful = {"sma": Profile(name="sma", backoff_s=130.0)}
    for wire, seconds in (
        ("rtu: {port: /dev/a}", PORT_BACKOFF_S),
        ("rtu: {port: /dev/a}, backoff_s: 9", 9.0),
        (LAN, 130.0),
    ):
        file = site_of(text(wire)).file
        assert pace_of(file, careful, file.buses[0])["backoff_s"] == seconds


def test_a_gateway_is_planned_with_its_line_as_a_port_of_the_same_speed_is(site_of: SiteOf) -> None:
    """RTU frames take the time of their characters, whoever passes them on."""

    def plan(wire: str) -> Any:
        site = site_of(text(wire))
        [found] = planned(site.file, site.profiles, None)
        return site, found

    _, port = plan("rtu: {port: /dev/a, baud: 19200}")
    site, gate = plan("rtu_over_tcp: {host: gate, baud: 19200}")
    assert gate.plan == port.plan and gate.wire == "rtu over tcp, 19200 8N1"
    assert not [each for each in site.questions if "baud" in each.message]
    _, slow = plan("rtu: {port: /dev/a, baud: 9600}")
    site, gate = plan("rtu_over_tcp: {host: gate}")
    assert gate.plan == slow.plan and gate.wire == "rtu over tcp, 9600 baud assumed"
    [asked] = [each for each in site.questions if "baud" in each.message]
    assert asked.path == "buses[0].rtu_over_tcp" and "9600 baud" in asked.message


def test_a_line_that_is_only_assumed_refuses_no_site(site_of: SiteOf) -> None:
    """So many at 9600 baud are too many, where that is what the file says."""
    many = "".join(f"  - {{id: pv{unit}, bus: rs485, unit: {unit}, kind: sunspec_pv}}\n" for unit in range(3, 240))
    for wire, refused in (("rtu_over_tcp: {host: gate, baud: 9600}", True), ("rtu_over_tcp: {host: gate}", False)):
        site = site_of(text(wire) + many)
        [found] = planned(site.file, site.profiles, None)
        assert bool(found.missed) is refused
