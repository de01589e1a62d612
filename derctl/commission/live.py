"""All that a look at a site before its start has found, heaviest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derctl.commission import outside
from derctl.commission.at_poc import at_poc
from derctl.commission.finding import Finding, Found, Weight, heaviest_first, mend
from derctl.commission.fits import fits
from derctl.commission.met import Met
from derctl.commission.reached import reached
from derctl.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """met: every device. absent: why the site would break its contract without derctl, "" where it would not."""

    met: tuple[Met, ...]
    synced: bool
    clock_text: str
    broker: outside.Broker | None = None
    papers: tuple[outside.Paper, ...] = ()
    absent: str = ""

    def of(self, role: str) -> list[Met]:
        """Those of a role."""
        return [each for each in self.met if each.asked.role == role]


def findings(looked: Looked) -> list[Finding]:
    """In the order in which they are told."""
    return heaviest_first(list(_found(looked)))


def _found(looked: Looked) -> Iterator[Finding]:
    for each in looked.met:
        yield from reached(each)
        yield from fits(each, looked.met)
    yield from _twice(looked.met)
    meter = next((each for each in looked.met if each.asked.id == "poc"), None)
    if meter is not None:
        yield from at_poc(meter, looked.of("der"))
    if looked.absent:
        remedy = "Declare a lower fallback.p_ceiling_w, or one that its device keeps (by: device), where it says so"
        yield mend(Found.ABSENT_BREAKS_CONTRACT, "site", looked.absent, remedy)
    yield from outside.clock(synced=looked.synced, text=looked.clock_text, broker=looked.broker is not None)
    if looked.broker is not None:
        yield from outside.broker(looked.broker, synced=looked.synced)
    yield from outside.papers(iter(looked.papers))


def _twice(met: Sequence[Met]) -> Iterator[Finding]:
    """The same device under two names: one of them is another's. A BMS may answer in its inverter's
    chain, and sections of one unit may share a number."""
    first: dict[tuple[str, str, str], Met] = {}
    for each in met:
        if each.device is None or not each.device.identity.serial or each.asked.role == "bms":
            continue
        who = each.device.identity
        key = (who.maker, who.model, who.serial)
        other = first.setdefault(key, each)
        apart = (other.asked.bus, other.asked.unit) != (each.asked.bus, each.asked.unit)
        if apart and other.asked.role == each.asked.role:
            text = f"{other.asked.id} and {each.asked.id} are the same device, {who.name} serial {who.serial}"
            remedy = f"Give {each.asked.id} its own place and unit; serial: in the site file keeps them apart"
            yield mend(Found.MET_TWICE, each.asked.id, text, remedy)


def settled(found: Sequence[Finding]) -> bool:
    """Whether nothing has to be mended or looked at."""
    return all(each.weight is Weight.NOTE for each in found)
