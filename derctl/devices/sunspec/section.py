"""Sections of a chain, and which of them the site file means.

A section is what stands behind a model 1: SolarEdge lists its meters as 1 103 1 203 1 203. Where a model stands twice
behind one model 1, what repeats is a section of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.text import device_text
from derctl.core.value import replace
from derctl.devices.sunspec.layout import Layout, identity_of
from derctl.devices.sunspec.measure import INVERTERS, METERS
from derctl.devices.types import Identity
from derctl.errors import DecodeError, DeviceError, SectionUnclear
from derctl.sunspec import Block, Chain

BATTERIES = (802,)
SORTS = {INVERTERS: "an inverter", METERS: "a meter", BATTERIES: "a battery management system"}
"""Models that make a section one of a sort, and what people call it."""
WHO = ("ID", "Mn", "Md", "Opt", "Vr", "SN")
VOLTS = ("PhV", "PhVphA", "LNV", "VL1", "V")
"""Where a model has its voltage: what it has of them first is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """index: from 1, in the order of the chain: `scan` shows it, `section:` in the site file takes it.

    common: the model 1 in front of it. blocks: that one and what belongs to the section.
    """

    index: int
    common: Block | None
    blocks: tuple[Block, ...]

    def head(self, *ids: int) -> Block | None:
        """The first of its blocks that is one of these models, in the order asked."""
        return next((block for id_ in ids for block in self.blocks if block.model_id == id_), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A section as a person tells it from the others. opt: Opt of its model 1. now: what it measures."""

    section: Section
    identity: Identity = field(default_factory=Identity)
    opt: str = ""
    now: str = ""

    def __str__(self) -> str:
        parts = [
            self.identity.name,
            f"Opt {self.opt!r}" if self.opt else "no Opt",
            f"serial {self.identity.serial}" if self.identity.serial else "no serial",
            self.now,
        ]
        return f"section {self.section.index} ({', '.join(part for part in parts if part)})"


def sections_of(chain: Chain) -> tuple[Section, ...]:
    """All of a chain, in its order."""
    groups: dict[int, list[Block]] = {}
    for block in chain.blocks:
        groups.setdefault(block.section, []).append(block)
    parts = [(group, part) for group in groups.values() for part in _parts(group)]
    commons = [next((block for block in group if block.model_id == 1), None) for group, _ in parts]
    return tuple(
        Section(index=index, common=common, blocks=part if common is None or common in part else (common, *part))
        for index, (common, (_, part)) in enumerate(zip(commons, parts, strict=True), 1)
    )


def _parts(group: Sequence[Block]) -> list[tuple[Block, ...]]:
    """What stands there first, then what repeats; a repetition without a measuring model stays with the first."""
    ranks: dict[int, list[Block]] = {}
    counts: dict[int, int] = {}
    for block in group:
        rank = counts.get(block.model_id, 0)
        counts[block.model_id] = rank + 1
        ranks.setdefault(rank, []).append(block)
    heads = {*INVERTERS, *METERS, *BATTERIES}
    own = {rank for rank, blocks in ranks.items() if rank and any(block.model_id in heads for block in blocks)}
    first = tuple(block for block in group if all(block not in ranks[rank] for rank in own))
    return [first, *(tuple(ranks[rank]) for rank in sorted(own))]


def look(layout: Layout, section: Section) -> Exchange[Seen]:
    """Who it says it is, and what it measures now."""
    seen = yield from named(layout, section)
    block = section.head(*INVERTERS, *METERS, *BATTERIES)
    return seen if block is None else replace(seen, now=(yield from _now(layout, block)))


def named(layout: Layout, section: Section) -> Exchange[Seen]:
    """Who it says it is; nothing where its model 1 can't be read."""
    if section.common is None:
        return Seen(section=section)
    try:
        values = yield from layout.once(section.common, WHO)
    except DeviceError:
        return Seen(section=section)
    return Seen(section=section, identity=identity_of(values), opt=device_text(values["Opt"] or ""))


def _now(layout: Layout, block: Block) -> Exchange[str]:
    """`203: 1,234 W, 231 V`, with the sign that the device gives it."""
    try:
        values = yield from layout.once(block, ("W", "SoC", *VOLTS))
    except (DecodeError, DeviceError):
        return f"{block.model_id}: can't be read now"
    volts = next((values[point] for point in VOLTS if values[point] is not None), None)
    parts = (_amount(values["W"], "W"), _amount(volts, "V"), _amount(values["SoC"], "%"))
    return f"{block.model_id}: {', '.join(part for part in parts if part) or 'measures nothing now'}"


def _amount(value: Any, unit: str) -> str:
    return "" if value is None else f"{value:,.0f} {unit}"


def chosen(layout: Layout, wanted: int | str | None, ids: tuple[int, ...]) -> Exchange[Layout]:
    """The layout of the section meant, with its own identity. ids: the models that make it of the wanted sort.

    Where one alone fits and none is named, the others' models stand behind its own; without any, the layout as it is:
    the caller says what lacks. Raises SectionUnclear with what there is to choose from.
    """
    sections = sections_of(layout.chain)
    fits = [section for section in sections if section.head(*ids) is not None]
    if wanted is None and len(fits) < 2:
        return (yield from _alone(layout, fits[0])) if fits else layout
    if not layout.chain.ended and not fits:
        return layout
    found = [] if wanted is None else (yield from _meant(layout, sections, wanted))
    if len(found) == 1 and found[0] in fits:
        own = yield from within(layout, found[0])
        if len(fits) < 2 or found[0].common is None:
            return own
        who = own.view("who", found[0].common, ("Opt", "SN"))
        return replace(own, who=who, opt=(yield from named(layout, found[0])).opt)
    listed: tuple[str, ...] = ()
    for section in fits:
        listed = (*listed, str((yield from look(layout, section))))
    raise SectionUnclear(_unclear(wanted, found, SORTS[ids], listed), listed)


def _alone(layout: Layout, section: Section) -> Exchange[Layout]:
    others = [block for block in layout.chain.blocks if block not in section.blocks]
    own = yield from within(layout, section)
    blocks = (*section.blocks, *(block for block in others if section.common is None or block.model_id != 1))
    return replace(own, chain=replace(layout.chain, blocks=blocks))


def within(layout: Layout, section: Section) -> Exchange[Layout]:
    """The layout with nothing but this section."""
    own = replace(layout, chain=replace(layout.chain, blocks=section.blocks))
    if section.common is None or section.common == layout.find(1):
        return own
    return replace(own, identity=(yield from own.identify()))


def _meant(layout: Layout, sections: Sequence[Section], wanted: int | str) -> Exchange[list[Section]]:
    """By index; a text is an Opt or a serial, and an index only where none of them has it."""
    if isinstance(wanted, str):
        text, found = wanted.strip().casefold(), []
        for section in sections:
            seen = yield from named(layout, section)
            if text and text in {seen.opt.casefold(), seen.identity.serial.casefold()}:
                found.append(section)
        if found or not text.isdecimal():
            return found
        wanted = int(text)
    return [section for section in sections if section.index == wanted]


def _unclear(wanted: int | str | None, found: Sequence[Section], sort: str, listed: Sequence[str]) -> str:
    there = "; ".join(listed) or "none"
    if wanted is None:
        return f"{len(listed)} sections of this unit hold {sort}: write which as section: in the site file: {there}"
    if len(found) > 1:
        places = " and ".join(str(section.index) for section in found)
        return f"section: {wanted!r} is true of {places}: write the number; those that hold {sort}: {there}"
    problem = f"section {found[0].index} does not hold {sort}" if found else f"there is no section {wanted!r}"
    return f"{problem}; those that do: {there}" if found else f"{problem}; those that hold {sort}: {there}"
