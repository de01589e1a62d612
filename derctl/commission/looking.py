"""Who answers under one unit id, and as what derctl can use it: by its SunSpec map, else by a register map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field

from derctl.commission.beneath import Beneath, beneath
from derctl.commission.described import Row, Use, used_as
from derctl.commission.signature import Fit, behind, fitting
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.value import replace
from derctl.devices import Kind, Options, Profile
from derctl.devices.lengths import Lengths, limited
from derctl.devices.profile import best
from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.measure import INVERTERS, METERS
from derctl.devices.sunspec.section import BATTERIES, Seen, look, sections_of
from derctl.errors import NotRecognised

Find = Callable[[Options], Exchange[Layout]]
"""Walks the chain. Raises NotRecognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What a device is compared with, and how its map is found."""

    profiles: Mapping[str, Profile]
    kinds: Mapping[str, Kind]
    find: Find


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """seen: the unit's sections. kinds: each kind of the catalogue for the unit as a whole, as a site file that names
    no section would find it. uses: what can be used, each with the section that it takes. beneath: its
    own setting. own: register maps of its maker that fit beside its chain, and tell of a battery that it does not."""

    layout: Layout
    profile: str
    seen: tuple[Seen, ...]
    kinds: dict[str, Row]
    uses: tuple[Use, ...]
    beneath: Beneath = field(default_factory=Beneath)
    own: tuple[Fit, ...] = ()

    @property
    def sections(self) -> list[Row]:
        """For programs."""
        return [
            {
                "section": seen.section.index,
                "opt": seen.opt,
                "identity": asdict(seen.identity),
                "models": [block.model_id for block in seen.section.blocks],
                "now": seen.now,
                "kinds": {use.kind: use.row for use in self.uses if use.seen is seen},
            }
            for seen in self.seen
        ]


HEADS = {"der": INVERTERS, "meter": METERS, "bms": BATTERIES}
"""Models by which a section can be what a kind of this role is."""


def looked(options: Options, shelf: Shelf) -> Exchange[Found | tuple[Fit, ...]]:
    """By its SunSpec map, else by the signature of a register map. Raises what says why neither is there."""
    try:
        return (yield from _whole((yield from _look(options, shelf)), options, shelf))
    except NotRecognised as error:
        fits = yield from fitting(options, shelf.profiles, shelf.kinds)
        if not fits:
            raise NotRecognised(f"{error}; nor does the signature of any register map fit") from error
        return fits


def _whole(found: Found, options: Options, shelf: Shelf) -> Exchange[Found]:
    """With the battery that its own registers tell of, where its chain tells of none. They are asked last, since a
    SolarEdge without one may give no answer. What the chain can't limit is used by them."""
    ders = [use for use in found.uses if use.role == "der"]
    if not ders or any(use.stores for use in ders):
        return found
    own = yield from behind(options, shelf.profiles, shelf.kinds, found.layout.identity.maker)
    uses = tuple(fit.use for fit in own[:1] if fit.row["usable"])
    limited = any(use.row["can"]["ac"]["limit"] for use in ders)
    rest = tuple(use for use in found.uses if use.role != "der")
    return replace(found, own=own, uses=found.uses if limited or not uses else (*uses, *rest))


def _look(options: Options, shelf: Shelf) -> Exchange[Found]:
    """The map, its sections, each kind of the catalogue, and the profile that fits: a kind is bound as it has it."""
    lengths = Lengths(options.profile.max_regs)
    layout = yield from lengths.learn(lambda most: shelf.find(limited(options, most)))
    who = layout.identity
    models = {block.model_id for block in layout.chain.blocks}
    meant = best(shelf.profiles.values(), who.maker, who.model, who.firmware, models) or shelf.profiles["generic"]
    vendor = replace(meant, bases=(layout.chain.base,), max_regs=min(options.profile.max_regs, meant.max_regs))
    options = replace(options, profile=vendor)
    seen = yield from _seen(layout)
    rows: dict[str, Row] = {}
    uses: list[Use] = []
    for kind, row in shelf.kinds.items():
        if row.mapped:
            continue
        rows[kind] = yield from used_as(row, options)
        if rows[kind]["usable"]:
            uses.append(Use(kind=kind, row=rows[kind], seen=_home(seen, row), needed=False))
            continue
        several = [each for each in seen if each.section.head(*HEADS[row.role]) is not None]
        for each in several if len(several) > 1 else ():
            found = yield from used_as(row, replace(options, section=each.section.index))
            uses += [Use(kind=kind, row=found, seen=each, needed=True)] if found["usable"] else []
    stands = yield from beneath(layout)
    return Found(layout=layout, profile=meant.name, seen=seen, kinds=rows, uses=tuple(uses), beneath=stands)


def _seen(layout: Layout) -> Exchange[tuple[Seen, ...]]:
    """Each section; what it measures now only where there are several to be told apart."""
    sections = sections_of(layout.chain)
    if len(sections) == 1:
        return (Seen(section=sections[0], identity=layout.identity),)
    found: tuple[Seen, ...] = ()
    for section in sections:
        found = (*found, (yield from look(layout, section)))
    return found


def _home(seen: Sequence[Seen], row: Kind) -> Seen:
    """The one section in which it stands."""
    return next((each for each in seen if each.section.head(*HEADS[row.role]) is not None), seen[0])
