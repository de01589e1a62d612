"""What operators asked for: held by the monotonic clock, kept as plain values whatever its kind."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from derctl.core.types import BatteryRequest, LimitRequest, Request
from derctl.daemon.requests import Requests, from_plain, to_plain
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


def test_a_request_ends_by_the_monotonic_clock_and_of_a_kind_the_latest_counts() -> None:
    now_s = 100.0
    requests = Requests(clock=lambda: now_s)
    requests.put(LIMIT)
    requests.put(LimitRequest(id="c", der=None, by="local", p_ceiling_w=1.0, remaining_s=30.0))
    requests.put(TARGET)
    now_s = 110.0
    assert {(r.id, r.remaining_s) for r in requests.alive()} == {("c", 20.0), ("b", 50.0)}
    now_s = 130.0
    assert [r.id for r in requests.alive()] == ["b"]
    assert requests.clear("bat1") == 1 and requests.alive() == ()


def test_what_is_cleared_of_one_der_is_its_own_and_without_a_name_everything_is() -> None:
    requests = Requests(clock=lambda: 100.0)
    for request in (LIMIT, TARGET):
        requests.put(request)
    assert requests.clear("nobody") == 0
    assert requests.clear(None) == 2 and requests.alive() == ()
