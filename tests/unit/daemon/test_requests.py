"""What operators asked for: held by the monotonic clock, kept as plain values whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from derctl.core.requests import BatteryRequest, LimitRequest, Request
from derctl.daemon.requests import HELD_MAX, Requests, from_plain, to_plain
from derctl.errors import CommandError
from derctl.store.requests import plain_of, request_of

LIMIT = LimitRequest(id="a", der=None, by="aggregator", p_ceiling_w=4000.0, remaining_s=60.0)
TARGET = BatteryRequest(id="b", der="bat1", by="local", p_target_w=-1500.0, remaining_s=60.0)
WALL = 1_800_000_000.0


@pytest.mark.parametrize("request_", [LIMIT, TARGET])
def test_a_request_comes_back_from_json_as_what_it_was(request_: Request) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(plain_of(request_)))
    assert plain["kind"] == request_.kind
    back = request_of(plain)
    assert back == request_ and type(back) is type(request_)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        3,
        {},
        {"kind": "limit_power"},
        plain_of(LIMIT) | {"kind": "sing"},
        plain_of(LIMIT) | {"kind": ["x"]},
        plain_of(LIMIT) | {"kind": "set_battery_power"},
        plain_of(TARGET) | {"p_target_w": "much"},
    ],
)
def test_what_is_no_request_of_a_known_kind_is_refused(plain: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        request_of(plain)


@pytest.mark.parametrize(
    ("saved_at", "read_at", "left_s"),
    [(WALL, WALL + 10.0, 40.0), (WALL, WALL - 86_400.0, 50.0), (WALL, WALL + 50.0, 0.0), (WALL, None, 50.0),
     (None, WALL, 50.0), (None, None, 50.0)],
)  # fmt: skip
@pytest.mark.parametrize("request_", [LIMIT, TARGET])
def test_a_held_request_keeps_what_it_had_left_through_a_restart(
    request_: Request, saved_at: float | None, read_at: float | None, left_s: float
) -> None:
    now_s = 500.0
    requests = Requests(clock=lambda: now_s)
    requests.put(request_)
    now_s = 510.0
    [held] = requests.held.values()
    plain = msgspec.json.decode(msgspec.json.encode(to_plain(held, wall=saved_at, now_s=now_s)))
    back = from_plain(plain, wall=read_at)
    assert back.remaining_s == left_s
    assert (back.id, back.by, back.der, back.kind) == (request_.id, request_.by, request_.der, request_.kind)


def limit(name: str, watts: float, left_s: float, *, by: str = "home", der: str | None = "pv1") -> LimitRequest:
    return LimitRequest(id=name, der=der, by=by, p_ceiling_w=watts, remaining_s=left_s)


@dataclass
class Days:
    """Requests, and a clock that the test moves."""

    now_s: float = 100.0
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        self.requests = Requests(clock=lambda: self.now_s)

    def moved(self) -> list[tuple[str, str]]:
        self.requests.alive()
        return [(request.id, str(standing)) for request, standing in self.requests.news()]

    def binding(self) -> set[str]:
        return {request.id for request in self.requests.alive() if self.requests.binds(request)}


def test_limits_live_side_by_side_and_each_ends_by_the_monotonic_clock() -> None:
    days = Days()
    for each in (limit("tight", 2_000.0, 30.0), limit("loose", 4_500.0, 60.0, by="anna"), TARGET):
        days.requests.put(each)
    days.now_s = 110.0
    assert {(r.id, r.remaining_s) for r in days.requests.alive()} == {("tight", 20.0), ("loose", 50.0), ("b", 50.0)}
    assert days.binding() == {"tight", "b"}
    days.now_s = 130.0
    assert {r.id for r in days.requests.alive()} == {"loose", "b"} and days.binding() == {"loose", "b"}


def test_its_owner_hears_when_a_limit_starts_and_stops_binding() -> None:
    days = Days()
    days.requests.put(limit("first", 4_000.0, 300.0))
    assert days.moved() == [("first", "binds")]
    days.requests.put(limit("tighter", 2_000.0, 20.0, by="anna"))
    assert days.moved() == [("first", "waits"), ("tighter", "binds")]
    days.requests.put(limit("looser", 9_000.0, 50.0, by="ben"))
    assert days.moved() == [], "its reply said that it waits"
    days.now_s += 20.0
    assert days.moved() == [("tighter", "expired"), ("first", "binds")]
    days.requests.put(limit("elsewhere", 1.0, 50.0, der="pv2"))
    assert days.moved() == [("elsewhere", "binds")]
    days.requests.clear("pv1")
    assert days.moved() == [("first", "cleared"), ("looser", "cleared")]
    assert days.moved() == []


def test_of_setpoints_the_latest_for_a_battery_counts() -> None:
    days = Days()
    days.requests.put(TARGET)
    days.requests.put(replace(TARGET, id="later", by="anna", p_target_w=500.0))
    days.requests.put(replace(TARGET, id="other", der="bat2"))
    assert {r.id for r in days.requests.alive()} == {"later", "other"}
    assert days.moved() == [("b", "binds"), ("b", "replaced"), ("later", "binds"), ("other", "binds")]


@pytest.mark.parametrize(
    ("later", "alive"),
    [
        (limit("new", 2_000.0, 60.0), {"new"}),
        (limit("new", 1_500.0, 90.0), {"new"}),
        (limit("new", 2_000.0, 50.0), {"old", "new"}),
        (limit("new", 2_500.0, 90.0), {"old", "new"}),
        (limit("new", 1_500.0, 90.0, by="anna"), {"old", "new"}),
        (limit("new", 1_500.0, 90.0, der=None), {"old", "new"}),
    ],
)
def test_only_a_limit_that_can_never_bind_again_makes_room_for_its_sender_s_next(
    later: LimitRequest, alive: set[str]
) -> None:
    """Who renews a limit each minute fills no list."""
    days = Days()
    days.requests.put(limit("old", 2_000.0, 60.0))
    days.requests.put(later)
    assert {r.id for r in days.requests.alive()} == alive


def test_the_same_limit_again_ends_with_the_later_of_the_two_whatever_two_clocks_say() -> None:
    days = Days()
    days.requests.put(limit("old", 2_000.0, 60.0))
    days.requests.put(limit("new", 2_000.0, 59.7))
    assert [(r.id, r.remaining_s) for r in days.requests.alive()] == [("new", 60.0)]


def test_an_id_that_is_alive_replaces_nothing() -> None:
    """The list of ids that were answered is bounded: an old one may come again."""
    days = Days()
    days.requests.put(limit("a", 2_000.0, 60.0))
    with pytest.raises(CommandError) as refused:
        days.requests.put(limit("a", 9_000.0, 90.0))
    assert refused.value.code == "replayed"
    days.requests.put(limit("a", 9_000.0, 90.0, by="anna"))
    assert days.binding() == {"a"} and len(days.requests.alive()) == 2


def test_who_fills_his_list_takes_no_room_from_another() -> None:
    """64 limits of one listed principal shut out the grid operator's, until one of them ended."""
    days = Days()
    for n in range(HELD_MAX):
        days.requests.put(limit(f"n{n}", 9_000.0 - n, 600.0 - 3.0 * n, by="wild"))
    with pytest.raises(CommandError) as refused:
        days.requests.put(limit("more", 9_500.0, 900.0, by="wild"))
    assert refused.value.code == "too_many" and "of wild are alive" in str(refused.value)
    days.requests.put(limit("tight", 500.0, 60.0, by="grid"))
    assert days.binding() == {"tight"}
    days.requests.put(limit("tighter", 400.0, 900.0, by="wild"))
    assert days.binding() == {"tighter"}, "what it covers of his own it replaces"


def test_what_is_cleared_of_one_der_is_its_own_and_without_a_name_everything_is() -> None:
    requests = Requests(clock=lambda: 100.0)
    for request in (LIMIT, TARGET):
        requests.put(request)
    assert requests.clear("nobody") == 0
    assert requests.clear(None) == 2 and requests.alive() == ()


def test_what_is_taken_back_takes_nothing_with_it_that_came_meanwhile() -> None:
    now = [0.0]
    requests = Requests(clock=lambda: now[0])
    requests.put(replace(LIMIT, id="old", p_ceiling_w=5000.0))
    requests.put(replace(LIMIT, id="short", remaining_s=10.0, by="ben", p_ceiling_w=1.0))
    before = dict(requests.held)
    requests.put(replace(LIMIT, id="new", p_ceiling_w=3000.0))
    requests.clear("nobody")
    back = requests.undo(before)
    requests.put(replace(LIMIT, id="meanwhile", by="ben"))
    assert {key[1] for key in requests.held} == {"short", "new", "meanwhile"}, "the old one was replaced"
    now[0] = 20.0
    back()
    assert {request.id for request in requests.alive()} == {"old", "meanwhile"}, "the short one has ended"
    assert requests.binds(replace(LIMIT, id="meanwhile", by="ben"))
    back()
    assert {request.id for request in requests.alive()} == {"old", "meanwhile"}


def test_one_that_ended_before_it_is_taken_back_does_not_come_again() -> None:
    now = [0.0]
    requests = Requests(clock=lambda: now[0])
    requests.put(LIMIT)
    before = dict(requests.held)
    requests.clear(None)
    back = requests.undo(before)
    now[0] = 61.0
    back()
    assert requests.alive() == ()


# -- a limit in place of the sender's own ---------------------------------------------------------------------------


def own(name: str, p_ceiling_w: float, by: str = "home", der: str | None = "pv1") -> LimitRequest:
    return LimitRequest(id=name, der=der, by=by, p_ceiling_w=p_ceiling_w, remaining_s=60.0)


def ceilings(requests: Requests) -> dict[str, float]:
    return {each.id: each.p_ceiling_w for each in requests.alive() if isinstance(each, LimitRequest)}


def test_a_changed_limit_takes_the_place_of_its_sender_s_and_of_nobody_else_s() -> None:
    requests = Requests(clock=lambda: 0.0)
    others = [own("ops", 2000.0, by="ops"), own("site", 500.0, der=None), own("pv2", 100.0, der="pv2")]
    for each in (own("old", 1000.0), own("older", 1500.0), *others):
        requests.put(each)
    requests.put(own("new", 3000.0), instead=True)
    assert ceilings(requests) == {"ops": 2000.0, "site": 500.0, "pv2": 100.0, "new": 3000.0}


def test_without_that_word_a_looser_limit_waits_beside_the_tighter_one() -> None:
    requests = Requests(clock=lambda: 0.0)
    requests.put(own("old", 1000.0))
    requests.put(own("new", 3000.0))
    assert ceilings(requests) == {"old": 1000.0, "new": 3000.0}


def test_a_changed_limit_ends_when_it_says_and_not_when_the_one_before_would_have() -> None:
    now = 0.0
    requests = Requests(clock=lambda: now)
    requests.put(replace(own("old", 3000.0), remaining_s=600.0))
    requests.put(own("new", 1000.0), instead=True)
    now = 61.0
    assert ceilings(requests) == {}


@pytest.mark.parametrize(
    ("asked", "looser"),
    [(own("new", 1001.0), True), (own("new", 999.0), False), (own("new", 1001.0, by="ops"), False),
     (own("new", 1001.0, der="pv2"), False), (own("new", 1001.0, der=None), False)],
)  # fmt: skip
def test_what_loosens_is_known(asked: LimitRequest, looser: bool) -> None:
    requests = Requests(clock=lambda: 0.0)
    requests.put(own("old", 1000.0))
    assert requests.loosened(asked) is looser
