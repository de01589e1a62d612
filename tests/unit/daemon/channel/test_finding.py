"""What speaks against a device: every error's row, and a device that is not its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.words import Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import REFUSED_LIMIT, Binding, Look
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.finding import failed, implausible, objection
from derctl.devices import Identity, Options
from derctl.errors import (
    BusClosed,
    BusError,
    BusFrameError,
    BusLate,
    BusTimeout,
    DecodeError,
    DeviceError,
    DeviceRefused,
    NoMap,
    NotRecognised,
    SectionUnclear,
    WrongKind,
)
from tests import make

GATEWAY_PATH, NO_ADDRESS, BUSY = 0x0A, 2, 6
FOUND, KEPT = "it is still the one that was found", "it is looked for anew, and what it promised stands"
GONE = "another one stands in its place"


def device(serial: str = "1", *, p_max_w: float = 5_000.0) -> Any:
    identity = Identity(maker="HIL", model="PV", serial=serial)
    return SimpleNamespace(identity=identity, lacks=(), rating=make.rating(p_max_w=p_max_w), control={})


def bound() -> Binding:
    return binds.found(Binding(), device(), 1, 100.0)


def expected(*, check: str | None = None) -> Expected:
    kind: Any = None
    return Expected(kind=kind, options=Options(), check=lambda found: check)


def left(binding: Binding) -> str:
    return FOUND if binding.device is not None else KEPT if binding.last is not None else GONE


def refused(code: int) -> DeviceRefused:
    return DeviceRefused(code, function=3, address=1, count=1)


@pytest.mark.parametrize(
    ("error", "look", "reason", "stays"),
    [
        (BusTimeout("no answer"), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (BusLate("too late to send"), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (BusClosed("connection refused"), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (BusFrameError("wrong function code"), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (refused(BUSY), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (refused(GATEWAY_PATH), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (refused(NO_ADDRESS), Look.SILENT, Reason.UNREACHABLE, FOUND),
        (DecodeError("model 0 where 103 was"), Look.SILENT, Reason.UNREACHABLE, KEPT),
        (NotRecognised("nothing is where a model was"), Look.SILENT, Reason.UNREACHABLE, KEPT),
        (NoMap("no SunSpec map"), Look.WRONG, Reason.IDENTITY_CHANGED, KEPT),
        (WrongKind("a meter", expected="an inverter"), Look.WRONG, Reason.IDENTITY_CHANGED, GONE),
        (SectionUnclear("two inverters"), Look.WRONG, Reason.SECTION_UNCLEAR, GONE),
    ],
)
def test_an_error_says_what_was_seen_and_what_is_left_of_the_device(
    error: BusError | DeviceError, look: Look, reason: Reason, stays: str
) -> None:
    fault = failed(bound(), error)
    assert (fault.look, fault.reason, left(fault.binding)) == (look, reason, stays)
    assert fault.text.startswith(str(error))


def test_a_silence_says_what_to_look_at() -> None:
    assert "unit id" in failed(bound(), BusTimeout("no answer", hint="is the unit id right?")).text


@pytest.mark.parametrize(("code", "stays"), [(NO_ADDRESS, KEPT), (BUSY, FOUND), (GATEWAY_PATH, FOUND)])
def test_only_an_address_that_is_not_there_any_more_speaks_against_the_map(code: int, stays: str) -> None:
    binding = bound()
    for _ in range(REFUSED_LIMIT):
        binding = failed(binding, refused(code)).binding
    assert left(binding) == stays


def test_another_serial_number_stands_in_its_place_with_its_own_rating() -> None:
    other = device("2", p_max_w=20_000.0)
    fault = objection(bound(), other, other.identity, expected(), "")
    assert fault is not None and (fault.look, fault.reason) == (Look.WRONG, Reason.IDENTITY_CHANGED)
    assert (left(fault.binding), fault.binding.stranger_w, fault.binding.barred) == (GONE, 20_000.0, None)


@pytest.mark.parametrize(("check", "misfit"), [("model 'PV' answers", ""), (None, "it measures 133 V"), ("a", "b")])
def test_the_right_one_that_is_not_as_the_site_file_says_is_barred(check: str | None, misfit: str) -> None:
    same = device()
    fault = objection(bound(), same, same.identity, expected(check=check), misfit)
    assert fault is not None and (fault.look, fault.reason) == (Look.WRONG, Reason.MISMATCH)
    assert (fault.text, fault.binding.barred, fault.binding.device) == (check or misfit, same, None)


def test_nothing_speaks_against_the_right_one() -> None:
    same = device()
    assert objection(bound(), same, same.identity, expected(), "") is None


def test_a_rating_that_can_not_be_right_lets_what_was_promised_stand() -> None:
    fault = implausible(bound(), "its rating was 5 kW")
    assert (fault.look, fault.reason, left(fault.binding)) == (Look.WRONG, Reason.IMPLAUSIBLE, KEPT)
