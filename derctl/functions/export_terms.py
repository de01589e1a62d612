"""What the limit at the point of connection is, and how its loop is set: the settings of `contract_export_limit`."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.dataclass import dataclass
from derctl.core.types import DerState
from derctl.functions.settings import Settings, choice, number

MARGIN_PU = 0.02
MARGIN_MIN_W = 50.0
"""Kept below the limit where the site file gives no margin: max(2 % of the limit, 50 W) (docs/sources.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(Settings):
    """Export is positive; what is imported is positive in its own limit."""

    limit_w: float = number(low=0.0, high=1e8, source="the connection agreement: most export, W")
    phase_limit_w: float | None = number(
        None,
        low=0.0,
        high=1e8,
        source="the connection agreement: most export in each phase, W; none if absent",
        optional=True,
    )
    import_limit_w: float | None = number(
        None, low=0.0, high=1e8, source="the connection agreement: most import, W; none if absent", optional=True
    )
    margin_w: float | None = number(
        None,
        low=0.0,
        high=1e6,
        source="kept below the limit; default 2 % of it, at least 50 W: our choice, docs/sources.md",
        optional=True,
    )
    gain: float = number(
        1.0,
        low=0.05,
        high=1.0,
        source="share of an excess taken back at once; what is on its way is no excess: docs/sources.md",
    )
    relax_pu_per_s: float = number(
        0.1, low=0.001, high=1.0, source="rise per second, share of the rating; our choice: docs/sources.md"
    )
    recover_samples: float = number(
        5, low=1, high=600, source="good meter samples in a row; our choice: docs/sources.md"
    )
    probe: str = choice(
        "due",
        among=("none", "due", "always"),
        source="steps that the meter has to show while load counts; our choice: docs/sources.md",
    )

    @property
    def kept_below_w(self) -> float:
        """Below the limit, as the loop aims, W."""
        return self.below_w(self.limit_w)

    def below_w(self, limit_w: float) -> float:
        """The same of another limit, as that of a phase."""
        return max(MARGIN_PU * limit_w, MARGIN_MIN_W) if self.margin_w is None else self.margin_w

    def relax_w(self, steered: Sequence[DerState]) -> float:
        """By how much the sum of these may rise in a second."""
        return self.relax_pu_per_s * sum(der.rating.per_unit_w for der in steered)
