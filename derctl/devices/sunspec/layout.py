"""Finding a SunSpec device: walk the chain, read the common model, keep what control needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read, Write
from derctl.core.text import device_text, serial_text
from derctl.core.value import replace
from derctl.devices.kind import Models
from derctl.devices.types import Answers, Identity, Options
from derctl.errors import BusTimeout, DecodeError, DeviceRefused, NotRecognised
from derctl.sunspec import Block, Chain, Model, Reader, compile_reader, inner_offsets, plan, read_block, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Some points of one model at one place: the read that fetches them, and the reader that decodes them.

    The read starts at the model's ID, so each answer says which model it is. void: raw values that mean nothing in
    this device, by point and its place.
    """

    name: str
    model: Model
    block: Block
    reader: Reader
    read: Read
    lacking: tuple[str, ...] = ()
    void: tuple[tuple[str, range, frozenset[int]], ...] = ()

    def values(self, answers: Answers) -> dict[str, Any]:
        """Raises DecodeError where the answer isn't this model any more (the map moved, another device answers)."""
        registers = answers.get(self.name)
        if registers is None:
            raise DecodeError(f"model {self.block.model_id} at {self.block.address} was not read")
        if registers[0] != self.block.model_id or registers[1] != self.block.length:
            found = f"model {registers[0]} of length {registers[1]}"
            raise DecodeError(
                f"{found} at {self.block.address}, expected {self.block.model_id} ({self.block.length})"
            )
        values = self.reader(registers)
        for point, place, raws in self.void:
            if raw_of(registers[place.start : place.stop]) in raws:
                values[point] = None
        return dict.fromkeys(self.lacking) | values if self.lacking else values

    def offset(self, point: str) -> int:
        """Wire address of a point."""
        return self.block.address + self.model.fixed[point].offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A walked device: its chain, who it is, and the models that have a definition.

    unread: what `asked` was refused, by model, in words. who: its Opt and serial number, to be read again and again
    where it is one of several sections of a unit; opt: what the first was. absent and what follows: as the profile
    has them. _touched: by the registers of a write, its points, once they were looked for.
    """

    chain: Chain
    identity: Identity
    models: Models
    max_regs: int = 125
    unread: dict[int, str] = field(default_factory=dict, compare=False)
    who: View | None = None
    opt: str = ""
    absent: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    silence_is_missing: bool = False
    refused_is_missing: bool = True
    repaired: Literal["read", "write"] = "read"
    _touched: dict[range, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def mended(self) -> bool:
        """Whether its chain had to be repaired, and nobody says that its maker's are so."""
        return self.chain.repaired and self.repaired == "read"

    @property
    def lacks(self) -> tuple[str, ...]:
        """What another look may find."""
        end = () if self.chain.ended and not self.mended else ("the end of its map",)
        return (*end, *self.unread.values())

    def find(self, *ids: int) -> Block | None:
        """The first block of one of these models, in the order asked."""
        for model_id in ids:
            for block in self.chain.blocks:
                if block.model_id == model_id:
                    return block
        return None

    def view(self, name: str, block: Block, points: Sequence[str], *, told: bool = False) -> View:
        """A view of the points that the model has and the block is long enough for: one read, in as few parts as
        `max_regs` allows. told: whether some of them are written."""
        model = self.models(block.model_id)
        if model is None:
            raise NotRecognised(f"model {block.model_id} has no definition")
        usable = _usable(model, points, 2 + block.length)
        reader = compile_reader(model, usable)
        inner = {block.address + offset for offset in inner_offsets(model, length=block.length)}
        count = max(reader.first + reader.count, 2)
        first, *rest = plan(block.address, count, self.max_regs, inner=inner)
        read = Read(
            address=first.address,
            count=count,
            cuts=tuple(part.address for part in rest),
            scales=_scales(model, usable),
            told=told,
        )
        lacking = tuple(point for point in points if point not in usable)
        void = tuple(self._void(model, usable))
        return View(name=name, model=model, block=block, reader=reader, read=read, lacking=lacking, void=void)

    def _void(self, model: Model, points: Sequence[str]) -> Iterator[tuple[str, range, frozenset[int]]]:
        for point in points:
            if raws := self.absent.get(f"{model.id}.{point}"):
                place = model.fixed[point]
                yield point, range(place.offset, place.end), frozenset(raws)

    def points_of(self, write: Write) -> tuple[str, ...]:
        """Each point that a write touches, as `123.WMaxLimPct`; a register that is no point, as `register 40100`."""
        places = range(write.address, write.address + len(write.values))
        found = self._touched.get(places)
        if found is None:
            found = self._touched[places] = tuple(dict.fromkeys(map(self._point_at, places)))
        return found

    def _point_at(self, address: int) -> str:
        for block in self.chain.blocks:
            model, offset = self.models(block.model_id), address - block.address
            if model is None or not 0 <= offset < 2 + block.length:
                continue
            name = model.at.get(offset)
            return f"register {address}" if name is None else f"{block.model_id}.{name}"
        return f"register {address}"

    def identify(self) -> Exchange[Identity]:
        """Read the common model now, its texts made harmless. Raises NotRecognised where it isn't there."""
        common = self.find(1)
        if common is None:
            raise NotRecognised(f"no common model behind the marker at {self.chain.base}")
        values = yield from self.once(common, ("ID", "Mn", "Md", "Vr", "SN"))
        if values["ID"] != 1:
            raise NotRecognised(f"model {values['ID']} stands where the common model was, at {common.address}")
        return identity_of(values)

    def once(self, block: Block, points: Sequence[str]) -> Exchange[dict[str, Any]]:
        """Read a block now and decode these points; holes and what is missing are None."""
        model = self.models(block.model_id)
        if model is None:
            raise NotRecognised(f"model {block.model_id} has no definition")
        registers = yield from read_block(block, max_regs=self.max_regs)
        usable = _usable(model, points, len(registers))
        if _holed(model, usable, registers):
            self.unread[block.model_id] = f"all of model {block.model_id}"
        values: dict[str, Any] = dict.fromkeys(points)
        values.update(compile_reader(model, usable)(registers))
        return values

    def asked(self, block: Block, points: Sequence[str]) -> Exchange[dict[str, Any]]:
        """The same of a block without which the device is still one: refused, or with silence, its points are None,
        as far as its profile has it so."""
        try:
            return (yield from self.once(block, points))
        except DeviceRefused as refused:
            if not self.refused_is_missing:
                raise
            self.unread[block.model_id] = f"model {block.model_id} (exception {refused.code})"
        except BusTimeout:
            if not self.silence_is_missing:
                raise
            self.unread[block.model_id] = f"model {block.model_id} (no answer)"
        return dict.fromkeys(points)


def _holed(model: Model, points: Sequence[str], registers: Sequence[int | None]) -> bool:
    """Whether one of these points, or its scale factor, was refused."""
    scales = {sf for point in points if isinstance(sf := model.fixed[point].sf, str)}
    places = [model.fixed[name] for name in {*points, *scales}]
    return any(None in registers[place.offset : place.end] for place in places)


def _scales(model: Model, points: Sequence[str]) -> tuple[int, ...]:
    """Where the registers stand that these points count by."""
    names = {sf for point in points if isinstance(sf := model.fixed[point].sf, str)}
    return tuple(sorted(model.fixed[name].offset for name in names))


def _usable(model: Model, points: Sequence[str], end: int) -> list[str]:
    """The points that a block of `end` registers holds whole, with their scale factors."""
    held = {name for name, point in model.fixed.items() if point.end <= end}
    return [p for p in points if p in held and (not isinstance(sf := model.fixed[p].sf, str) or sf in held)]


def raw_of(words: Sequence[int]) -> int:
    """As one unsigned number, high word first."""
    value = 0
    for word in words:
        value = value << 16 | word
    return value


def find(models: Models, options: Options) -> Exchange[Layout]:
    """Walk and identify. Raises NotRecognised where no SunSpec map answers."""
    profile = options.profile
    chain = yield from walk(bases=profile.bases, max_regs=profile.max_regs, known=_Known(models))
    layout = Layout(chain=chain, identity=Identity(), models=models, max_regs=profile.max_regs)
    return replace(layout, identity=(yield from layout.identify()))


@dataclass(frozen=True, slots=True)
class _Known:
    models: Models

    def __contains__(self, model_id: object) -> bool:
        return isinstance(model_id, int) and self.models(model_id) is not None


def identity_of(common: Mapping[str, Any]) -> Identity:
    """Who a common model says it is, its texts made harmless."""
    maker, model, firmware = (device_text(common[point] or "") for point in ("Mn", "Md", "Vr"))
    return Identity(maker=maker, model=model, firmware=firmware, serial=serial_text(common["SN"] or ""))
