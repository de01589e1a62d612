"""Every function of the catalogue, made; and a plan with all of them, for a site of two inverters and a battery.

A new function is in here by its row; what has no default stands in NEEDED.
"""

from __future__ import annotations

from typing import Any

from derctl.core.containment import Budget, Summand
from derctl.core.excursions import Rule
from derctl.core.words import KnownBy, Stage
from derctl.functions import ROWS, Need, Row, Scope, plan_of

NEEDED: dict[str, dict[str, Any]] = {
    "contract_export_limit": {"limit_w": 3_000.0},
    "fuse_limit": {"fuse_a": 25.0, "phase_count": 3},
    "owner_export_limit": {"limit_w": 2_000.0},
    "reserve": {"min_pct": 20.0},
    "utility_limit": {"limit_pu": 0.6},
    "const_pf": {"pf": 0.95},
    "const_var": {"q_pu": -0.2},
}
"""A good value of each setting that has no default."""


def made(kind: str, **settings: Any) -> Any:
    """The function with these settings."""
    return ROWS[kind].function(**{**NEEDED.get(kind, {}), **settings})


ALL = ("pv1", "pv2", "bat1")
CONTRACT_W, IMPORT_W = 7_000.0, 9_000.0
BUDGET = Budget(
    containment_s=15.0,
    by="g100",
    summands=(Summand(stage=Stage.RESPONSE, seconds=10.0, by=KnownBy.ASSUMED),),
    rule=Rule(most=3, within_s=86_400.0, lock_s=14_400.0),
)
HERE: dict[str, dict[str, Any]] = {
    "contract_export_limit": {"limit_w": CONTRACT_W, "import_limit_w": IMPORT_W},
    "containment": {"limit_w": CONTRACT_W, "budget": BUDGET},
    "fuse_limit": {"fuse_a": 100.0},
    "owner_export_limit": {"limit_w": 50_000.0},
    "utility_limit": {"limit_pu": 1.0},
}
"""What this site's settings are, where they are others."""


def _over(row: Row) -> tuple[str, ...]:
    """Whom it is given at this site: a DER has one reactive mode at a time."""
    if row.reactive and row.kind != "volt_var":
        return ()
    return ("bat1",) if row.needs & {Need.STORAGE, Need.TARGET} else ALL


def _given(scope: Scope) -> list[tuple[Any, tuple[str, ...]]]:
    return [(made(row.kind, **HERE.get(row.kind, {})), _over(row)) for row in ROWS.values() if row.scope is scope]


PLAN = plan_of(der_functions=_given(Scope.DER), site_functions=_given(Scope.SITE))
