"""What model 160 tells of a hybrid's DC ports: the power of its battery, apart from that of its sun.

Fronius calls the inputs of a GEN24's battery "StCha 3" and "StDisCha 4" (a trace in evcc-io/evcc#16256).
"""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read
from derctl.devices.sunspec.layout import Layout
from derctl.devices.types import Answers
from derctl.errors import BusTimeout, DecodeError, DeviceRefused
from derctl.sunspec import Block, Model, decode, inner_offsets, plan, read_block
from derctl.sunspec.decode import exponent_of, raw_at, value_of

BLOCK = "inputs"
"""The name of the block that tells them."""
CHARGE, DISCHARGE = "StCha", "StDisCha"
"""How the names of the battery's two inputs begin."""
GROUP, POWER, SCALE = "module", "DCW", "DCW_SF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """charge, discharge: where the registers of each begin, counted from the model's ID."""

    model: Model
    block: Block
    read: Read
    charge: int
    discharge: int

    def battery_w(self, answers: Answers) -> float | None:
        """Of the battery, DC; discharge is positive. Raises DecodeError where the map has moved."""
        words = answers.get(BLOCK)
        if words is None:
            return None
        if words[0] != self.block.model_id or words[1] != self.block.length:
            raise DecodeError(f"model {words[0]} of length {words[1]} at {self.block.address}, expected 160")
        into, out = (self._power_w(words, start) for start in (self.charge, self.discharge))
        return None if into is None or out is None else out - into

    def _power_w(self, words: Sequence[int], start: int) -> float | None:
        scale, power = self.model.points[SCALE], self.model.groups[0].points[POWER]
        exponent = exponent_of(scale, raw_at(scale, 0, words), None)
        value = value_of(power, raw_at(power, start, words), {SCALE: exponent})
        return float(value) if isinstance(value, int | float) else None


def inputs_of(layout: Layout) -> Exchange[Inputs | None]:
    """None where nothing names a battery among the inputs, or they can't be read."""
    block, model = layout.find(160), layout.models(160)
    if block is None or model is None:
        return None
    try:
        words = yield from read_block(block, max_regs=layout.max_regs)
    except DeviceRefused:
        return None
    except BusTimeout:
        if not layout.silence_is_missing:
            raise
        return None
    modules = decode(model, words, length=block.length).groups.get(GROUP, ())
    names = [str(module.values.get("IDStr") or "") for module in modules]
    charge, discharge = (_start(model, names, begin) for begin in (CHARGE, DISCHARGE))
    if charge is None or discharge is None:
        return None
    read = _read(layout, block, model, max(charge, discharge) + model.groups[0].points[POWER].end)
    return Inputs(model=model, block=block, read=read, charge=charge, discharge=discharge)


def _read(layout: Layout, block: Block, model: Model, count: int) -> Read:
    inner = {block.address + offset for offset in inner_offsets(model, length=block.length)}
    first, *rest = plan(block.address, count, layout.max_regs, inner=inner)
    scales = (model.points[SCALE].offset,)
    return Read(address=first.address, count=count, cuts=tuple(part.address for part in rest), scales=scales)


def _start(model: Model, names: Sequence[str], begin: str) -> int | None:
    first = max(point.end for point in model.points.values())
    places = (first + i * model.groups[0].size for i, name in enumerate(names) if name.startswith(begin))
    return next(places, None)
