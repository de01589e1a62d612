"""In which phases the DERs feed, by the site file: what a limit of each phase needs, and what it means."""

from __future__ import annotations

from collections.abc import Iterator

from derctl.core.feeding import NAMES
from derctl.devices.nominal import FEEDS_PU
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.fuse_limit import FuseLimit
from derctl.site.schema import DerSection, SiteFile

WRITE = (
    "write phase: A, B or C for one that feeds in a single phase, ABC for three, AB for both legs of a split phase"
)
PARTS = {1.0: "", 0.5: " (half)", FEEDS_PU["ABC"][0]: " (a third)"}


def unphased(site: SiteFile) -> Iterator[tuple[str, str]]:
    """Path and message: a limit of each phase can't be kept by one of which nobody says where it feeds."""
    kinds = [name for name in map(_by_phase, site.functions) if name is not None]
    for i, der in enumerate(site.ders):
        if kinds and der.phase is None:
            text = f"{kinds[0]} limits each phase, and nobody says in which {der.id} feeds: {WRITE}"
            yield f"ders[{i}].phase", text


def _by_phase(section: dict[str, object]) -> str | None:
    kind = section.get("kind")
    if kind == ContractExportLimit.kind and section.get("phase_limit_w") is not None:
        return ContractExportLimit.kind
    return FuseLimit.kind if kind == FuseLimit.kind and section.get("per_phase") is True else None


def feeding(ders: list[DerSection]) -> str:
    """Who feeds in which phase, in words."""
    phases = ((name, [_part(der, k) for der in ders if _share(der, k) > 0.0]) for k, name in enumerate(NAMES))
    return "; ".join(f"in {name} {', '.join(parts) or 'nobody'}" for name, parts in phases)


def _share(der: DerSection, phase: int) -> float:
    return 0.0 if der.phase is None else FEEDS_PU[der.phase][phase]


def _part(der: DerSection, phase: int) -> str:
    return f"{der.id}{PARTS[_share(der, phase)]}"
