"""What to say of a device that lacks the models of the kind that was asked for."""

from __future__ import annotations

from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.measure import INVERTERS, METERS
from derctl.errors import NotRecognised, WrongKind


def not_a(expected: str, layout: Layout, lacks: str) -> NotRecognised:
    """WrongKind where the models of another kind are there, and the chain was seen to its end: then no time will mend
    it. expected: a kind of the catalogue. lacks: what isn't there."""
    sorts = {"an inverter": INVERTERS, "a meter": METERS, "a battery management system": (802,)}
    for sort, ids in sorts.items():
        block = layout.find(*ids)
        if block is not None and layout.chain.ended:
            return WrongKind(f"{sort} (model {block.model_id})", expected)
    return NotRecognised(lacks)
