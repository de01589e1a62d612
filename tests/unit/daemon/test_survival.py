"""What comes back after a restart: requests by their own clock, the meter's proof for the same meter only."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.response import Lag
from derctl.core.types import LimitRequest
from derctl.daemon.requests import Requests
from derctl.daemon.survival import MeterProof, kept_droop, kept_requests, revive_requests, revived_droop
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.contract_export_limit import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.functions.meter_trust import Trust

KIND = ContractExportLimit.kind
WALL = 1_800_000_000.0


def meter(serial: str | None, sign: int = 1) -> Any:
    """A channel's word for who answers; None: nobody has yet. sign: what the site file gives."""
    known = None if serial is None else SimpleNamespace(serial=serial)
    return SimpleNamespace(known=known, options=SimpleNamespace(sign=sign))


def is_proven(memories: dict[str, Any]) -> bool:
    return KIND in memories and memories[KIND].trust.proven


def test_the_meter_of_before_the_restart_is_trusted_as_soon_as_it_answers() -> None:
    late = meter(None)
    proof, memories = MeterProof(late, "M-1 +1"), {KIND: ContractMemory(lost=True, trust=Trust(sample=7))}
    proof.recall(memories)
    assert not is_proven(memories)
    late.known = SimpleNamespace(serial="M-1")
    proof.recall(memories)
    assert memories[KIND] == ContractMemory(lost=True, trust=Trust(sample=7, proven=True))


@pytest.mark.parametrize(("saved", "serial"), [("M-1 +1", "M-2"), (None, "M-1"), ("", ""), (" +1", ""), (None, "")])
def test_another_meter_or_one_without_a_serial_has_to_prove_itself(saved: str | None, serial: str) -> None:
    memories: dict[str, Any] = {}
    MeterProof(meter(serial), saved).recall(memories)
    assert not is_proven(memories)


@pytest.mark.parametrize(
    ("before", "after", "trusted"), [(1, 1, True), (-1, -1, True), (1, -1, False), (-1, 1, False)]
)
def test_a_sign_that_was_turned_in_the_site_file_has_to_be_proven_anew(
    before: int, after: int, trusted: bool
) -> None:
    """Under a wrong one the contract's loop would open the inverters when the site exports too much."""
    first = MeterProof(meter("M-1", before))
    assert first.learn({KIND: ContractMemory(trust=Trust(proven=True))}) == "M-1"
    restarted, memories = MeterProof(meter("M-1", after), first.proven), dict[str, Any]()
    restarted.recall(memories)
    assert is_proven(memories) is trusted
    assert restarted.learn({KIND: ContractMemory(trust=Trust(proven=True))}) == (None if trusted else "M-1")


def test_a_serial_alone_as_older_versions_saved_it_proves_no_sign() -> None:
    memories: dict[str, Any] = {}
    MeterProof(meter("M-1"), "M-1").recall(memories)
    assert not is_proven(memories)


def test_a_proof_is_recalled_once_so_that_a_later_doubt_stands() -> None:
    memories: dict[str, Any] = {}
    proof = MeterProof(meter("M-1"), "M-1 +1")
    proof.recall(memories)
    assert is_proven(memories)
    memories[KIND] = replace(memories[KIND], trust=Trust())
    proof.recall(memories)
    assert not is_proven(memories)


def test_a_site_without_a_meter_has_nothing_to_recall() -> None:
    memories: dict[str, Any] = {}
    proof = MeterProof(None, "M-1 +1")
    proof.recall(memories)
    assert (memories, proof.learn(memories)) == ({}, None)


def test_a_meter_that_proved_itself_is_told_once() -> None:
    proof, memories = MeterProof(meter("M-1")), {KIND: ContractMemory(trust=Trust(proven=True))}
    assert [proof.learn(memories), proof.learn(memories)] == ["M-1", None]
    assert proof.proven == "M-1 +1"


def held(value_w: float, seconds: float, now_s: float) -> Requests:
    requests = Requests(clock=lambda: now_s)
    requests.put(LimitRequest(id="a", by="home", der="pv1", p_ceiling_w=value_w, remaining_s=seconds))
    return requests


@pytest.mark.parametrize(
    ("wall", "left_s"),
    [
        (WALL + 10.0, 50.0),  # ten seconds later
        (WALL - 86_400.0, 60.0),  # the wall clock went back: never longer than it had
        (None, 60.0),  # not set: its duration counts
        (WALL + 60.0, None),
        (WALL + 1e6, None),
    ],
)
def test_a_request_keeps_the_time_that_it_had_left(wall: float | None, left_s: float | None) -> None:
    saved = kept_requests(held(1234.0, 60.0, 500.0).held.values(), wall=WALL, now_s=500.0)
    fresh = Requests(clock=lambda: 7.0)
    revive_requests(saved, fresh, wall=wall)
    found = [(request.kind, request.der, request.p_ceiling_w, request.remaining_s) for request in fresh.alive()]
    assert found == ([] if left_s is None else [("limit_power", "pv1", 1234.0, left_s)])


@pytest.mark.parametrize("wall", [WALL, WALL + 2 * 86_400.0, WALL - 2 * 86_400.0, None])
def test_a_request_saved_before_the_clock_was_set_keeps_its_duration(wall: float | None) -> None:
    """A limit for an hour, a power cut, and a clock that was two days behind until then."""
    saved = kept_requests(held(1234.0, 3600.0, 500.0).held.values(), wall=None, now_s=500.0)
    fresh = Requests(clock=lambda: 7.0)
    revive_requests(saved, fresh, wall=wall)
    assert [(request.p_ceiling_w, request.remaining_s) for request in fresh.alive()] == [(1234.0, 3600.0)]


def test_a_droop_event_goes_on_and_what_is_at_rest_is_not_kept() -> None:
    acting = DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.5))
    kept = kept_droop({"freq_droop/pv1": acting, "freq_droop/pv2": DroopMemory(), KIND: ContractMemory()})
    assert set(kept) == {"freq_droop/pv1"}
    assert revived_droop(kept) == {"freq_droop/pv1": replace(acting, lag=Lag(y=0.6, u=0.6))}


def test_a_meter_that_is_doubted_has_to_prove_itself_after_a_restart_too() -> None:
    trusted = ContractMemory(trust=Trust(proven=True))
    doubted = ContractMemory(trust=Trust(proven=True, doubted=True))
    proof = MeterProof(meter("M-1"))
    assert proof.learn({KIND: trusted}) == "M-1"
    assert proof.learn({KIND: doubted}) is None and proof.proven is None
    assert proof.learn({KIND: trusted}) == "M-1"
    other = MeterProof(meter("M-2"), proof.proven)
    assert other.learn({KIND: doubted}) is None and other.proven == proof.proven, (
        "another meter's proof is not its own"
    )
