"""One SunSpec model as registers: layout from pysunspec2's JSON, its encoders, offsets computed once."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sunspec2 import device, mb, mdef

INT_RANGE = {
    "int16": (-32767, 32767),
    "uint16": (0, 65534),
    "count": (0, 65534),
    "enum16": (0, 65534),
    "bitfield16": (0, 65534),
    "acc16": (0, 65535),
    "int32": (-(2**31) + 1, 2**31 - 1),
    "uint32": (0, 2**32 - 2),
    "enum32": (0, 2**32 - 2),
    "bitfield32": (0, 2**32 - 2),
    "acc32": (0, 2**32 - 1),
    "int64": (-(2**63) + 1, 2**63 - 1),
    "uint64": (0, 2**64 - 2),
    "acc64": (0, 2**64 - 1),
    "sunssf": (-10, 10),
    "pad": (0, 65535),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a point lies and what it is. `sf` names the scale-factor point, "" for none."""

    name: str
    at: int
    size: int
    type: str
    sf: str
    writable: bool
    symbols: frozenset[int]


class ModelImage:
    """Registers of one model. Names of points in groups read `PFWInj.PF`, `Crv[0].Pt[1].V`."""

    def __init__(self, model_id: int, counts: Mapping[str, int] | None = None, *, without: str = "") -> None:
        """`counts` sizes the repeating groups; `without` leaves a point out (old model 1 has no Pad)."""
        self.model_id = model_id
        self._without = without
        self.slots: dict[str, Slot] = {}
        self.counts = dict(counts or {})
        definition = device.get_model_def(model_id)[mdef.GROUP]
        self.size = self._lay_out(definition, "", 0)
        self.memory = bytearray(self.size * 2)
        self._clear()
        self.put_raw("ID", model_id)
        self.put_raw("L", self.size - 2)
        for name, count in self.counts.items():
            self.put_raw(name, count)
        self.at = {slot.at: slot for slot in self.slots.values()}

    def _lay_out(self, group: Mapping[str, Any], prefix: str, at: int) -> int:
        for point in group[mdef.POINTS]:
            if point[mdef.NAME] == self._without:
                continue
            slot = _slot(point, prefix, at)
            self.slots[slot.name] = slot
            at += slot.size
        for inner in group.get(mdef.GROUPS, []):
            for name in self._instances(inner):
                at = self._lay_out(inner, f"{prefix}{name}.", at)
        return at

    def _instances(self, group: Mapping[str, Any]) -> Iterator[str]:
        count = group.get(mdef.COUNT)
        if count is None:
            yield group[mdef.NAME]
            return
        if isinstance(count, str) and not count.isdigit():
            number = self.counts[count]
        else:
            number = int(count) or self.counts.get("N", 0)
        for index in range(number):
            yield f"{group[mdef.NAME]}[{index}]"

    def _clear(self) -> None:
        for name in self.slots:
            self.clear(name)

    def clear(self, name: str) -> None:
        """Make a point "not implemented"."""
        slot = self.slots[name]
        self._store(slot, mb.create_unimpl_value(slot.type, len=slot.size * 2))

    def put(self, name: str, value: float | str | None) -> None:
        """Write an engineering value through the scale factor that stands in the registers now."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            self.clear(name)
            return
        slot = self.slots[name]
        if isinstance(value, str) or slot.type.startswith("float"):
            self._store(slot, mb.point_type_info[slot.type].to_data(value, slot.size * 2))
            return
        raw = round(value / self.scale(slot))
        low, high = INT_RANGE[slot.type]
        self.put_raw(name, raw % (high + 1) if slot.type.startswith("acc") else max(low, min(high, raw)))

    def put_all(self, values: Mapping[str, float | str | None]) -> None:
        """`put` for each point; scale factors first, names that the model lacks are passed over."""
        for name in sorted(values, key=lambda n: not n.endswith("_SF")):
            if name in self.slots:
                self.put(name, values[name])

    def put_raw(self, name: str, raw: int) -> None:
        """Write a register value without scaling."""
        slot = self.slots[name]
        self._store(slot, _content(slot.type, raw, slot.size * 2))

    def scale(self, slot: Slot) -> float:
        """10^SF of a point; 1 where it has none or the factor is not implemented."""
        if not slot.sf:
            return 1.0
        raw = self.raw(slot.sf) if slot.sf in self.slots else None
        return 10.0 ** int(raw) if raw is not None else 1.0

    def raw(self, name: str) -> Any:
        """The point as pysunspec2 decodes it, unscaled; None when not implemented."""
        slot = self.slots[name]
        return _value(slot.type, bytes(self.memory[slot.at * 2 : (slot.at + slot.size) * 2]))

    def get(self, name: str) -> float | None:
        """The engineering value of a numeric point."""
        raw = self.raw(name)
        return None if raw is None else float(raw) * self.scale(self.slots[name])

    def encoded(self, slot: Slot, value: float) -> bytes:
        """Registers of an engineering value, at the nearest that the type holds."""
        low, high = INT_RANGE[slot.type]
        raw = max(low, min(high, round(value / self.scale(slot))))
        return raw.to_bytes(slot.size * 2, "big", signed=low < 0)

    def decoded(self, slot: Slot, content: bytes) -> float:
        """The engineering value of a whole number's registers."""
        return int.from_bytes(content, "big", signed=INT_RANGE[slot.type][0] < 0) * self.scale(slot)

    def is_writable(self, at: int, size: int) -> list[Slot] | None:
        """The points that registers [at, at+size) cover whole and may be written; None if any may not."""
        slots: list[Slot] = []
        while size > 0:
            slot = self.at.get(at)
            if slot is None or not slot.writable or slot.size > size:
                return None
            slots.append(slot)
            at, size = at + slot.size, size - slot.size
        return slots

    def _store(self, slot: Slot, content: bytes) -> None:
        self.memory[slot.at * 2 : (slot.at + slot.size) * 2] = content[: slot.size * 2].ljust(slot.size * 2, b"\0")


@lru_cache(maxsize=1 << 16)
def _content(kind: str, raw: int, size: int) -> bytes:
    """As pysunspec2 encodes it. The same few values are put again and again."""
    content: bytes = mb.point_type_info[kind].to_data(raw, size)
    return content


@lru_cache(maxsize=1 << 16)
def _value(kind: str, content: bytes) -> Any:
    info = mb.point_type_info[kind]
    value = info.data_to(content)
    return value if info.is_impl(value) else None


def _slot(point: Mapping[str, Any], prefix: str, at: int) -> Slot:
    kind = point[mdef.TYPE]
    size = mb.point_type_info[kind].len or point[mdef.SIZE]
    symbols = point.get(mdef.SYMBOLS) or []
    return Slot(
        name=prefix + point[mdef.NAME],
        at=at,
        size=int(size),
        type=kind,
        sf=str(point.get(mdef.SF) or ""),
        writable=point.get(mdef.ACCESS) == mdef.ACCESS_RW,
        symbols=frozenset(int(s[mdef.VALUE]) for s in symbols) if kind.startswith("enum") else frozenset(),
    )
