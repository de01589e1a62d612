"""Who else can tell a device something, as far as a scan shows it, and what each DER may give without derctl."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor
from typing import Protocol

from derctl.core.dataclass import dataclass
from derctl.core.words import Told


class Facts(Protocol):
    """What a scan tells of a device as one of its uses."""

    @property
    def maker(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def stores(self) -> bool: ...
    @property
    def limit_w(self) -> float | None: ...
    @property
    def rated_max_w(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One that could tell a DER something. why: what shows it."""

    der: str
    what: Told
    name: str
    why: str

    @property
    def key(self) -> str:
        return f"{self.der}.{self.what}"


def rivals(der: str, facts: Facts, others: Sequence[Facts]) -> Iterator[Rival]:
    """Of one DER. others: all that was found."""
    maker = facts.maker or "its maker"
    if any(each.profile.startswith("victron_gx") for each in others) and facts.profile.startswith("victron"):
        yield Rival(der=der, what=Told.POWER, name="Victron GX", why="a GX steers what is behind it (ESS)")
    elif facts.stores:
        why = "a battery inverter has a self-consumption of its own"
        yield Rival(der=der, what=Told.POWER, name=f"{maker} self-consumption", why=why)
    metered = [each for each in others if each.role == "meter" and each.maker == facts.maker and each.maker]
    if facts.limit_w is not None and facts.limit_w < facts.rated_max_w:
        why = f"a limit of {facts.limit_w:,.0f} W stands in it, and derctl did not write it"
        yield Rival(der=der, what=Told.LIMIT, name="who limited it", why=why)
    elif metered and metered[0].profile.endswith("_meter"):
        why = "it has a meter of its own, with which its own export limit works"
        yield Rival(der=der, what=Told.LIMIT, name=f"{maker} export limit", why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A DER's part in what the agreement leaves. settable: derctl can make a limit true there without itself."""

    id: str
    rated_w: float
    stores: bool
    settable: bool


def ceilings_w(shares: Sequence[Share], limit_w: float | None) -> dict[str, float | None]:
    """What each may give without derctl: batteries rest, the others share what those leave that can't be limited.

    None: nothing that derctl could make true. Without an agreement each keeps its rating.
    """
    full = sum(each.rated_w for each in shares if not each.settable)
    sharing = [each for each in shares if each.settable and not each.stores]
    rated = sum(each.rated_w for each in sharing)
    left = rated if limit_w is None else max(min(limit_w - full, rated), 0.0)
    part = left / rated if rated else 0.0
    return {
        each.id: None if not each.settable else 0.0 if each.stores else float(floor(each.rated_w * part))
        for each in shares
    }
