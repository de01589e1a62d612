"""`derctl scan`: the chain of models, identity and ratings of what answers at one unit id. Reads only."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from derctl.cli.look import BASES, add_endpoint, ask
from derctl.core.exchange import Exchange
from derctl.daemon.kinds import KINDS
from derctl.devices import Options, Profile
from derctl.devices.sunspec.layout import Layout, find
from derctl.devices.types import Device
from derctl.errors import DeviceError
from derctl.links.models import model


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    parser.add_argument("--v-nom", type=float, default=230.0, help="nominal phase-to-neutral voltage, V")


def run(args: argparse.Namespace) -> int:
    """Print what is there; the kinds that could be configured for it come last."""
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    found = ask(args, _look(Options(profile=profile, v_nom_v=args.v_nom)))
    if args.json:
        print(json.dumps(found, indent=2))
        return 0
    who = found["identity"]
    print(f"{who['maker']} {who['model']}  serial {who['serial']}  firmware {who['firmware']}")
    print(f"base {found['base']}{', chain repaired' if found['repaired'] else ''}")
    for block in found["models"]:
        print(f"  {block['address']:>6}  {block['model']:>5}  L={block['length']:<5} {block['label']}")
    for problem in found["problems"]:
        print(f"  ! {problem}")
    for kind, row in found["kinds"].items():
        print(f"as {kind}: {row['text']}")
    return 0


def _look(options: Options) -> Exchange[dict[str, Any]]:
    layout = yield from find(model, options)
    kinds: dict[str, dict[str, Any]] = {}
    for name, kind in KINDS.items():
        try:
            device = yield from kind.bind(options)
        except DeviceError as error:
            kinds[name] = {"usable": False, "text": f"no: {error}"}
        else:
            kinds[name] = {"usable": True, "text": _describe(device)} | _facts(device)
    return _summary(layout) | {"kinds": {name: row for name, row in kinds.items() if row["usable"]} or kinds}


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
        "problems": list(chain.problems),
        "models": models,
    }


def _label(model_id: int) -> str:
    known = model(model_id)
    return "vendor model without a public definition" if known is None else known.label or known.name


def _facts(device: Device) -> dict[str, Any]:
    return {"rating": asdict(device.rating), "can": asdict(device.can), "problems": list(device.problems)}


def _describe(device: Device) -> str:
    rating, can = device.rating, device.can
    if rating.size_w == 0.0:
        return "reads"
    takes = [name for name, given in (("ceiling", can.limit), ("target", can.aim), ("var", can.var)) if given]
    charge = f", charges at up to {-rating.p_min_w:g} W" if can.store else ""
    text = f"{rating.p_max_w:g} W, {rating.s_max_va:g} VA{charge}; takes {', '.join(takes) or 'nothing'}"
    return "; ".join([text, *device.problems])
