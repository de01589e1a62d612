"""A contact is a principal: what it asks for is held until it asks no more, and a broken one holds the site down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.requests import GridLimitRequest, StopRequest
from derctl.core.types import FOREVER_S, SiteState
from derctl.core.value import replace
from derctl.daemon.commands.row import Nothing, Order
from derctl.daemon.commands.stop import ROWS
from derctl.daemon.contacts import ASKS, BROKEN, FIRST_S, LOOK_S, Contacts
from derctl.daemon.requests import Requests, from_plain, to_plain
from derctl.functions.rows import plan_of
from derctl.functions.site_limits import GridLimits
from derctl.links.gpio import Chip, Watched
from derctl.site import Site
from derctl.site.contacts import inputs_text
from derctl.site.lines import parse
from derctl.site.site import build
from tests import make
from tests.unit.site.test_contacts import DRED, FRE, GRID, SITE, STOP

BUTTON = STOP.replace("17}", "17}, inverse: {stop: 27}")
REST = {17: True, 27: False, 5: True, 6: False, 13: False, 19: False, 1: False, 2: False, 3: True}
PRESSED, CUT = {17: False, 27: True}, {17: False, 27: False}


def site_of(*contacts: str) -> Site:
    return build(parse(f"{SITE}{GRID}contacts: [{', '.join(contacts)}]\n", "site.yaml"))


@dataclass
class House:
    """A site of 5,000 and 3,000 W, and its contacts' wires in the test's hand."""

    now_s: float = 100.0
    closed: dict[int, bool] = field(default_factory=lambda: dict(REST))
    error: Exception | None = None
    hangs: bool = False
    changes: int = 0
    told: list[str] = field(default_factory=list)
    notes: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    opened: list[tuple[str, Sequence[int]]] = field(default_factory=list)
    let_go: int = 0

    def __post_init__(self) -> None:
        self.requests = Requests(lambda: self.now_s)
        self.contacts = self.anew()

    def anew(self) -> Contacts:
        return Contacts(
            requests=self.requests,
            state=self.state,
            changed=self.changed,
            tell=lambda event, der, text: self.told.append(f"{event} {text}"),
            stamp=lambda: f"t{self.now_s:.0f}",
            note=lambda what, who, text, **more: self.notes.append((what, who, more)),
            open=self.open,
            start=lambda watched: None,
            clock=lambda: self.now_s,
        )

    def changed(self) -> None:
        self.changes += 1

    def state(self) -> SiteState:
        ders = make.pv("pv1", p_max_w=5000.0), make.pv("pv2", p_max_w=3000.0)
        return make.site(*ders, t_s=self.now_s, requests=self.requests.alive())

    def open(self, chip: Chip, lines: Sequence[int]) -> House:
        self.opened.append((chip.path, tuple(lines)))
        return self

    def read(self) -> Mapping[int, bool]:
        if self.error is not None:
            raise self.error
        return dict(self.closed)

    def close(self) -> None:
        self.let_go += 1

    def run(self, seconds: float, **wires: bool) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self.now_s += LOOK_S
            if not self.hangs:
                for each in self.contacts.inputs:
                    each.watched.once()
            self.contacts.look()

    def turn(self, closed: dict[int, bool], seconds: float = 2.0) -> None:
        self.closed |= closed
        self.run(seconds)

    @property
    def stops(self) -> list[str]:
        return [each.id for each in self.requests.alive() if isinstance(each, StopRequest)]

    @property
    def limits(self) -> list[tuple[str, float | None]]:
        return [(each.by, each.generation_w) for each in self.requests.alive() if isinstance(each, GridLimitRequest)]


def house_of(*contacts: str) -> House:
    house = House()
    house.contacts.takes(site_of(*contacts))
    house.run(8.0)
    return house


def lift(house: House) -> None:
    class Reach:
        requests = house.requests

    order = Order(id="x", by="ops", seconds=60.0, until="", args=Nothing())
    asyncio.run(ROWS["lift_stop"].apply(Reach(), order))  # type: ignore[arg-type]


def test_at_rest_nobody_asks_for_anything() -> None:
    house = house_of(BUTTON, FRE, DRED)
    assert house.requests.alive() == () and house.told == [] and house.changes == 0
    assert {name: each["state"] for name, each in house.contacts.view().items()} == {
        "stop": "at_rest", "fre": "at_rest", "dred": "at_rest",
    }  # fmt: skip


def test_a_button_stops_the_site_until_it_is_lifted() -> None:
    house = house_of(BUTTON)
    house.turn(PRESSED)
    assert house.stops == [ASKS] and house.told == ["contact_changed stop (emergency_stop): stop"]
    [(what, who, more)] = house.notes
    assert (what, who, more["command"], more["arguments"]["asked"]) == ("command", "stop", "emergency_stop", ["stop"])
    house.turn(REST, 60.0)
    assert house.stops == [ASKS], "it was let out, and nobody lifted it"
    assert house.contacts.view()["stop"] | {"since": ""} == {
        "kind": "emergency_stop", "state": "at_rest", "asked": [], "text": "at rest", "since": "",
        "holds": ["emergency_stop"], "limits": {},
    }  # fmt: skip
    lift(house)
    house.run(5.0)
    assert house.stops == []


def test_who_lifts_it_while_it_is_pressed_lifts_nothing() -> None:
    house = house_of(BUTTON)
    house.turn(PRESSED)
    lift(house)
    assert house.stops == []
    house.run(LOOK_S)
    assert house.stops == [ASKS]


def test_one_that_is_not_latched_ends_with_the_button() -> None:
    house = house_of(BUTTON.replace("stop: 27}", "stop: 27}, latch: false"))
    house.turn(PRESSED)
    house.turn(REST, 4.0)
    assert house.stops == [ASKS]
    house.run(2.0)
    assert house.stops == []


def test_a_broken_wire_stops_the_site_while_it_is_broken() -> None:
    house = house_of(BUTTON)
    house.turn(CUT)
    assert house.stops == [BROKEN] and "BROKEN, counts as stop: both contacts of stop are open" in house.told[-1]
    house.turn(REST, 6.0)
    assert house.stops == []


def test_a_stop_that_was_given_outlives_a_wire_that_breaks_and_is_mended() -> None:
    house = house_of(BUTTON)
    house.turn(PRESSED)
    house.turn(CUT)
    house.turn(REST, 20.0)
    assert house.stops == [ASKS]


def test_a_press_of_one_that_was_broken_counts() -> None:
    house = house_of(BUTTON)
    house.turn(CUT)
    house.turn(PRESSED)
    house.turn(REST, 20.0)
    assert house.stops == [ASKS]


@pytest.mark.parametrize("contact", [BUTTON, FRE, DRED])
@pytest.mark.parametrize("how", ["no chip", "goes away", "hangs"])
def test_a_chip_that_can_not_be_read_holds_the_site_down_and_says_why(contact: str, how: str) -> None:
    house = House()
    house.error = OSError(2, "No such file or directory") if how == "no chip" else None
    house.contacts.takes(site_of(contact))
    house.run(8.0)
    if how == "goes away":
        house.error = OSError(19, "No such device")
    house.hangs = how == "hangs"
    house.run(5.0)
    [view] = house.contacts.view().values()
    assert view["state"] == "broken" and "can't be read: /dev/gpiochip0" in view["text"]
    assert house.stops == [BROKEN] or house.limits == [(next(iter(house.contacts.view())), 0.0)]
    house.error, house.hangs = None, False
    house.run(12.0)
    assert house.requests.alive() == ()


def test_a_chip_that_never_answers_its_first_question_holds_the_site_down() -> None:
    house = House()
    house.hangs = True
    house.contacts.takes(site_of(BUTTON))
    house.run(FIRST_S - 2 * LOOK_S)
    assert house.stops == [], "it may still come"
    house.run(1.0)
    assert house.stops == [BROKEN]


def test_a_fault_that_has_another_name_each_time_is_told_once() -> None:
    house = house_of(FRE)
    for n in range(30):
        house.error = OSError(n + 1, "x")
        house.run(0.2)
    assert len(house.told) == 1 and house.limits == [("fre", 0.0)]


@pytest.mark.parametrize(
    ("contact", "wires", "limit_w"),
    [
        (FRE, {5: False, 6: True}, 4800.0),
        (FRE, {5: False, 13: True}, 2400.0),
        (FRE, {5: False, 19: True}, 0.0),
        (FRE, {5: False}, 0.0),
        (FRE, {6: True}, 0.0),
        (DRED, {1: True}, 0.0),
        (DRED, {2: True}, 6000.0),
        (DRED, {1: True, 2: True}, 0.0),
        (DRED, {3: False}, 0.0),
        (DRED.replace("loop: 3", "loop: 3, rated_w: 1000"), {2: True}, 750.0),
    ],
)
def test_a_limit_is_a_share_of_what_all_can_give(contact: str, wires: dict[int, bool], limit_w: float) -> None:
    house = house_of(contact)
    house.turn(wires)
    [(_, generation_w)] = house.limits
    assert generation_w == pytest.approx(limit_w)
    assert next(iter(house.contacts.view().values()))["limits"] == {"generation_w": generation_w}


def test_a_looser_limit_takes_the_place_of_the_tighter_one() -> None:
    house = house_of(FRE)
    house.turn({5: False, 13: True})
    house.turn({13: False, 6: True}, 10.0)
    assert house.limits == [("fre", 4800.0)]


def test_what_ends_lapses_by_itself_so_that_it_is_let_go_on_a_ramp_and_at_random() -> None:
    house = house_of(FRE)
    house.turn({5: False, 19: True})
    [held] = house.requests.held.values()
    assert held.ends_s - house.now_s > FOREVER_S / 2
    house.closed |= REST
    while held is next(iter(house.requests.held.values())):
        house.run(LOOK_S)
    [held] = house.requests.held.values()
    assert 0.0 < held.ends_s - house.now_s <= house.state().tick_s
    house.run(2.0)
    assert house.limits == []


def test_the_engine_stops_or_limits_by_it() -> None:
    house = house_of(BUTTON, FRE)
    plan = plan_of([], [(GridLimits(), ("pv1", "pv2"))])
    house.turn({5: False, 13: True})
    _, decisions = step(plan, {}, house.state(), 1.0)
    ceilings = [each.setpoint.p_ceiling_w for each in decisions]
    assert sum(w for w in ceilings if w is not None) == pytest.approx(2400.0)
    assert {bound.rank for each in decisions for bound in each.bound_by if bound.by == "grid_limits"} == {40}
    house.turn(PRESSED)
    _, decisions = step(plan, {}, house.state(), 1.0)
    assert [each.setpoint.p_ceiling_w for each in decisions] == [0.0, 0.0]
    assert {each.bound_by[0].rank for each in decisions} == {0}


def restarted(house: House) -> House:
    again = House(now_s=house.now_s + 1000.0, closed=dict(house.closed))
    for held in house.requests.held.values():
        plain = to_plain(held, wall=1e9, now_s=house.now_s)
        again.requests.put(from_plain(plain, wall=1e9 + 1000.0))
    return again


def test_over_a_restart_it_stands_and_what_was_let_out_meanwhile_is_let_go() -> None:
    house = house_of(BUTTON, FRE)
    house.turn(PRESSED | {5: False, 13: True})
    again = restarted(house)
    assert again.stops == [ASKS] and again.limits == [("fre", 2400.0)]
    again.contacts.takes(site_of(BUTTON, FRE))
    again.run(0.5)
    assert again.stops == [ASKS] and again.limits == [("fre", 2400.0)]
    again.turn(REST, 10.0)
    assert again.stops == [ASKS] and again.limits == []


def test_what_a_contact_asked_for_that_is_none_any_more_ends_but_for_a_stop_that_was_given() -> None:
    house = house_of(BUTTON, FRE)
    house.turn(PRESSED | {5: False, 13: True})
    others = GridLimitRequest(id="x", der=None, by="agg", remaining_s=60.0, export_w=100.0)
    house.requests.put(others)
    house.contacts.takes(site_of())
    assert house.stops == [ASKS] and house.limits == [("agg", None)]
    broken = house_of(BUTTON)
    broken.turn(CUT)
    broken.contacts.takes(site_of())
    assert broken.stops == []


def test_a_contact_of_another_kind_does_not_inherit_a_limit() -> None:
    house = house_of(FRE)
    house.turn({5: False, 13: True})
    house.contacts.takes(site_of(BUTTON.replace("name: stop", "name: fre")))
    assert house.limits == []


def test_one_whose_section_is_as_it_was_goes_on_and_another_is_opened_anew() -> None:
    house = house_of(BUTTON, FRE)
    button, before = house.contacts.inputs[0], list(house.opened)
    house.contacts.takes(site_of(BUTTON, FRE.replace("p60: 6", "p60: 7")))
    house.closed[7] = False
    house.run(3.0)
    assert house.contacts.inputs[0] is button
    assert house.opened[len(before) :] == [("/dev/gpiochip0", (5, 7, 13, 19))]


async def test_nothing_is_looked_at_where_there_is_no_contact() -> None:
    house = House()
    task = asyncio.create_task(house.contacts.run())
    for _ in range(3):
        await asyncio.sleep(0)
    assert house.contacts._some.is_set() is False and not task.done()
    looked = asyncio.Event()

    def state() -> SiteState:
        looked.set()
        return house.state()

    house.contacts.state = state
    house.contacts.takes(site_of(BUTTON))
    await asyncio.wait_for(looked.wait(), 10.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_ratings_that_become_known_move_the_limit() -> None:
    house = house_of(FRE)
    whole = house.contacts.state
    house.contacts.state = lambda: replace(whole(), ders=())
    house.turn({5: False, 13: True})
    assert house.limits == [("fre", 0.0)], "nothing is known: nothing is let out"
    house.contacts.state = whole
    house.run(LOOK_S)
    assert house.limits == [("fre", 2400.0)]


def test_check_says_how_each_is_wired_and_what_a_broken_wire_does() -> None:
    file = site_of(BUTTON, STOP.replace("name: stop", "name: s2").replace("17", "18"), FRE, DRED).file
    button, single, fre, dred = inputs_text(file.contacts)
    assert "stop: emergency_stop, lines stop 17, stop inverse 27 of /dev/gpiochip0, closed at rest" in button
    assert "rank 0) until `derctl stop --lift`" in single and "a wire that breaks" in single
    assert "exactly one closed" in fre and "counts as 0 %" in fre and "rank 40" in fre
    assert "open at rest" in dred and "loop 3" in dred and "after 0.5 s" in dred


def test_a_watched_chip_is_started_by_itself_unless_somebody_else_does() -> None:
    assert Contacts.__dataclass_fields__["start"].default is Watched.start
