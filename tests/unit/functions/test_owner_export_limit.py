"""The owner's limit is the contract's loop at another rank, and never widens the contract."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import SiteProposal
from derctl.functions import plan_of
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from derctl.functions.owner_export_limit import OwnerExportLimit
from derctl.functions.tracking import tracked
from tests import make
from tests.timeline import PlanTimeline, SiteTimeline

PROVEN = Memory(trust=Trust(proven=True))


def settled(plan: Any, *, load_w: float = 1_000.0, seconds: int = 120) -> tuple[float, Any]:
    """An inverter of 10 kW with all the sun that follows at once: what goes out in the end, and the last decision."""
    time = PlanTimeline(plan, memories=dict.fromkeys(("contract_export_limit", "owner_export_limit"), PROVEN))
    p_w = 9_500.0
    for n in range(seconds):
        poc = make.meter(p_w - load_w, sample=n)
        decision = time.decided(make.pv(p_w=p_w, sample=n), poc=poc)["pv1"]
        p_w = min(9_500.0, decision.setpoint.p_ceiling_w)
    return p_w - load_w, decision


def test_it_keeps_the_export_below_what_the_owner_wants_and_says_who_bound_it() -> None:
    export_w, decision = settled(plan_of([], [(OwnerExportLimit(limit_w=3_000.0, margin_w=100.0), ("pv1",))]))
    assert export_w == pytest.approx(2_900.0, abs=10.0)
    assert [(bound.by, bound.rank) for bound in decision.bound_by] == [("owner_export_limit", 50)]


@pytest.mark.parametrize(
    ("owner_w", "contract_w", "wanted_w"), [(3_000.0, 5_000.0, 2_900.0), (6_000.0, 2_000.0, 1_900.0)]
)
def test_the_lower_of_the_owner_s_and_the_contract_s_binds(
    owner_w: float, contract_w: float, wanted_w: float
) -> None:
    functions: list[Any] = [
        (ContractExportLimit(limit_w=contract_w, margin_w=100.0), ("pv1",)),
        (OwnerExportLimit(limit_w=owner_w, margin_w=100.0), ("pv1",)),
    ]
    export_w, _ = settled(plan_of([], functions))
    assert export_w == pytest.approx(wanted_w, abs=10.0)


def test_without_a_believed_meter_the_sum_stays_below_the_limit() -> None:
    time = SiteTimeline(OwnerExportLimit(limit_w=3_000.0))
    said = time.at(make.pv(p_w=9_000.0), poc=None)
    assert isinstance(said, SiteProposal)
    assert (said.by, said.rank, said.p_ceiling_w) == ("owner_export_limit", 50, 3_000.0)


def test_what_was_seen_of_the_meter_stays_while_nothing_is_written() -> None:
    assert tracked({"owner_export_limit": PROVEN})["owner_export_limit"].trust.proven
