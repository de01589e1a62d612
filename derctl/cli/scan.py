"""`derctl scan`: who answers at one unit id, as what derctl can use it, and what to write into the site file.

Reads only, and walks the chain once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from derctl.cli.certified import certificate_at, role_text
from derctl.cli.look import BASES, add_endpoint, ask, heading, sunspec
from derctl.cli.proposal import Row, Use, site_rows, timeout_of
from derctl.core.exchange import Exchange
from derctl.core.text import clean
from derctl.core.types import Rating, Reading
from derctl.core.value import replace
from derctl.daemon.kinds import KINDS
from derctl.devices import Device, Kind, Options, Profile
from derctl.devices.lengths import Lengths, limited
from derctl.devices.plausible import plausible
from derctl.devices.profile import best
from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.measure import INVERTERS, METERS
from derctl.devices.sunspec.section import BATTERIES, Seen, look, sections_of
from derctl.errors import DecodeError, DeviceError, WrongKind
from derctl.links.models import model
from derctl.site import profiles


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    parser.add_argument("--v-nom", type=float, default=230.0, help="nominal phase-to-neutral voltage, V")


def run(args: argparse.Namespace) -> int:
    """Print what is there, as what it can be used, and the rows for the site file."""
    known = profiles()
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    options = Options(profile=profile, v_nom_v=args.v_nom, declared=UNSTATED)
    found, pulse = ask(args, _look(options, known))
    layout, name = found.layout, found.profile
    rows = site_rows(args.endpoint, args.unit, found.uses, known[name], pulse, args.header)
    deadline_s = timeout_of(known[name], pulse)
    role = certificate_at(args.cert) if args.cert is not None else None
    if args.json:
        said = _summary(layout) | {"sections": found.sections, "kinds": found.kinds, "profile": name}
        said |= {"site_file": rows, "answers": pulse.answers, "slowest_s": round(pulse.slowest_s, 3)}
        said |= {"timeout_s": deadline_s} | ({} if role is None else {"role": role.role})
        print(json.dumps(said, indent=2))
        return 0
    print(heading(layout.identity, args.unit, layout.chain.base))
    if role is not None:
        print(f"over TLS, {role_text(role)}")
    for line in _lines(found):
        print(line)
    print(f"profile {name}; {pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s")
    if deadline_s is not None:
        print(f"  ! answers take up to {pulse.slowest_s:.1f} s: the site file needs timeout_s: {deadline_s:g}")
    if rows:
        print("\nfor the site file:")
        print("\n".join(rows))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """seen: the unit's sections. kinds: each kind of the catalogue for the unit as a whole, as a site file that names
    no section would find it. uses: what can be used, each with the section that it takes."""

    layout: Layout
    profile: str
    seen: tuple[Seen, ...]
    kinds: dict[str, Row]
    uses: tuple[Use, ...]

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


def _lines(found: Found) -> list[str]:
    chain = found.layout.chain
    lines = [f"  {b.address:>6}  {b.model_id:>5}  L={b.length:<5} {_label(b.model_id)}" for b in chain.blocks]
    lines += [f"  ! {clean(problem)}" for problem in chain.problems]
    if not chain.ended:
        lines.append("  ! the chain was not followed to its end: what is behind it was not seen; scan again")
    if len(found.seen) > 1:
        lines += [clean(str(seen)) for seen in found.seen]
    for kind, row in found.kinds.items():
        several = [use for use in found.uses if use.kind == kind and use.needed]
        lines += [f"as {kind}, section {use.seen.section.index}: {use.row['text']}" for use in several]
        lines += [] if several else [f"{'as' if row['usable'] else 'not as'} {kind}: {row['text']}"]
    return lines


HEADS = {"der": INVERTERS, "meter": METERS, "bms": BATTERIES}
"""Models by which a section can be what a kind of this role is."""
UNSTATED = Rating(p_max_w=1e9, p_min_w=0.0, s_max_va=1e9, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=1.0)
"""Stands for the rating that a device doesn't state: it is found all the same, and no reading is above it."""


def _look(options: Options, known: Mapping[str, Profile]) -> Exchange[Found]:
    """The map, its sections, each kind of the catalogue, and the profile that fits: a kind is bound as it has it."""
    lengths = Lengths(options.profile.max_regs)
    layout = yield from lengths.learn(lambda most: sunspec(limited(options, most)))
    who = layout.identity
    models = {block.model_id for block in layout.chain.blocks}
    meant = best(known.values(), who.maker, who.model, who.firmware, models) or known["generic"]
    vendor = replace(meant, bases=(layout.chain.base,), max_regs=min(options.profile.max_regs, meant.max_regs))
    options = replace(options, profile=vendor)
    seen = yield from _seen(layout)
    kinds: dict[str, Row] = {}
    uses: list[Use] = []
    for kind, row in KINDS.items():
        if row.mapped:
            continue
        kinds[kind] = yield from _as(row, options)
        if kinds[kind]["usable"]:
            uses.append(Use(kind=kind, row=kinds[kind], seen=_home(seen, row), needed=False))
            continue
        several = [each for each in seen if each.section.head(*HEADS[row.role]) is not None]
        for each in several if len(several) > 1 else ():
            found = yield from _as(row, replace(options, section=each.section.index))
            uses += [Use(kind=kind, row=found, seen=each, needed=True)] if found["usable"] else []
    return Found(layout=layout, profile=meant.name, seen=seen, kinds=kinds, uses=tuple(uses))


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


def _as(row: Kind, options: Options) -> Exchange[Row]:
    try:
        device = yield from row.bind(options)
    except WrongKind as error:
        return {"usable": False, "role": row.role, "text": f"it answers as {error.found}"}
    except DeviceError as error:
        return {"usable": False, "role": row.role, "text": clean(str(error))}
    reading = yield from _reading(device)
    found = {"usable": True, "role": row.role, "text": _describe(device, reading), "now_w": reading.p_w}
    return found | _facts(device)


def _reading(device: Device) -> Exchange[Reading]:
    """What it measures now; nothing where that can't be read."""
    try:
        answers = {}
        for name, read in device.control.items():
            answers[name] = yield read
        return plausible(device.decode(answers), device.rating)
    except (DecodeError, DeviceError):
        return Reading()


def _summary(layout: Layout) -> dict[str, Any]:
    chain = layout.chain
    models = [
        {
            "model": block.model_id,
            "address": block.address,
            "length": block.length,
            "label": _label(block.model_id),
        }
        for block in chain.blocks
    ]
    return {
        "identity": asdict(layout.identity),
        "base": chain.base,
        "repaired": chain.repaired,
        "ended": chain.ended,
        "problems": list(chain.problems),
        "models": models,
    }


def _label(model_id: int) -> str:
    known = model(model_id)
    return "vendor model without a public definition" if known is None else known.label or known.name


def _facts(device: Device) -> dict[str, Any]:
    rating = None if device.rating == UNSTATED else asdict(device.rating)
    return {"rating": rating, "can": asdict(device.can), "problems": list(device.problems)}


def _describe(device: Device, reading: Reading) -> str:
    rating, can = device.rating, device.can
    now = "" if reading.p_w is None else f", {reading.p_w:,.0f} W now"
    if rating.size_w == 0.0:
        return f"reads{now}"
    if rating == UNSTATED:
        return f"reads{now}; it states no rating, so it is not controlled"
    takes = [name for name, given in (("ceiling", can.limit), ("target", can.aim), ("var", can.var)) if given]
    charge = f", charges at up to {-rating.p_min_w:g} W" if can.store else ""
    text = f"{rating.p_max_w:g} W, {rating.s_max_va:g} VA{charge}{now}; takes {', '.join(takes) or 'nothing'}"
    return clean("; ".join([text, *device.problems]))
