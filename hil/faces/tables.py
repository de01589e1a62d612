"""Registers of a device without SunSpec: a table per read function, with its holes, as the device answers."""

from collections.abc import Sequence

from hil.faces.bank import ILLEGAL_ADDRESS, Bank, Refused
from hil.faces.codec import decoded, encoded
from hil.faces.image import ModelImage, Slot
from hil.faces.register_map import Line, RegisterMap, TableSpec


class Table(ModelImage):
    """Its `model_id` is its first read function, its points are named as in the map."""

    def __init__(self, spec: TableSpec, stride: int) -> None:
        self.model_id = spec.functions[0]
        self.counts = {}
        self.spec = spec
        lines = [line for line in spec.lines if not line.alone]
        ends = [line.at + stride * line.words for line in lines] + [last + stride for _, last in spec.blocks]
        self.first = min([line.at for line in lines] + [first for first, _ in spec.blocks])
        self.size = (max(ends) - self.first) // stride
        self.memory = bytearray(self.size * 2)
        self.lines = {line.name: line for line in lines}
        self.alone = {(line.at, line.words): line for line in spec.lines if line.alone}
        self.slots = {line.name: self._slot(line, stride) for line in lines}
        self.at = {slot.at: slot for slot in self.slots.values()}
        self.named = {slot.at + i for slot in self.slots.values() for i in range(slot.size)}
        self.served = set(self.named)
        for first, last in spec.blocks:
            self.served.update(range((first - self.first) // stride, (last - self.first) // stride + 1))
        for at in self.served - self.named:
            self.memory[2 * at : 2 * at + 2] = spec.fill.to_bytes(2, "big")

    def _slot(self, line: Line, stride: int) -> Slot:
        at = (line.at - self.first) // stride
        return Slot(
            name=line.name, at=at, size=line.words, type=line.type, sf="", writable=line.sets, symbols=frozenset()
        )

    def put(self, name: str, value: float | str | None) -> None:
        line, slot = self.lines[name], self.slots[name]
        first = slot.at * 2 + (1 if line.byte == "low" else 0)
        content = encoded(line, value)
        self.memory[first : first + len(content)] = content

    def get(self, name: str) -> float | None:
        line, slot = self.lines[name], self.slots[name]
        content = bytes(self.memory[slot.at * 2 : (slot.at + slot.size) * 2])
        if line.type == "u8":
            content = content[1:] if line.byte == "low" else content[:1]
        return None if line.type == "str" else decoded(line, content)

    def clear(self, name: str) -> None:
        """Nothing stands for "not implemented" in such a map: it reads 0."""
        self.put(name, None)

    def scale(self, slot: Slot) -> float:
        return self.lines[slot.name].scale * self.lines[slot.name].sign

    def encoded(self, slot: Slot, value: float) -> bytes:
        """Registers of a value."""
        return encoded(self.lines[slot.name], value)

    def decoded(self, slot: Slot, content: bytes) -> float:
        return decoded(self.lines[slot.name], content)

    def may_read(self, at: int, count: int) -> bool:
        """Whether a read of so many registers from this place on is answered."""
        ends = at + count - 1 in self.named or not self.spec.ends_named
        return ends and all(each in self.served for each in range(at, at + count))


class Tables(Bank):
    """What clients read of each table: equal to the table but for faults."""

    def __init__(self, spec: RegisterMap) -> None:
        self.stride = spec.stride
        self.tables: Sequence[Table] = [Table(table, spec.stride) for table in spec.tables]
        self.shown: dict[int, bytearray] = {}
        super().__init__([], end=False)
        self.images = list(self.tables)
        self.start = {id(table): table.first for table in self.tables}
        self.publish()

    def publish(self, only: Sequence[int] | None = None) -> None:
        for table in self.images:
            memory = bytearray(table.memory)
            for overlay in list(self.overlays.values()):
                overlay(table, memory)
            self.shown[id(table)] = memory

    def table_for(self, function: int) -> Table:
        """The one that a function reads; writes go to that of holding registers. Refused(1) where there is none."""
        for table in self.tables:
            if function in table.spec.functions:
                return table
        raise Refused(1)

    def place(self, table: Table, address: int) -> int:
        """Where in the table a register number is. Refused(2) between two numbers."""
        if (address - table.first) % self.stride:
            raise Refused(ILLEGAL_ADDRESS)
        return (address - table.first) // self.stride

    def read_by(self, function: int, address: int, count: int) -> bytes:
        """Registers as bytes, as the device answers."""
        table = self.table_for(function)
        if (address, count) in table.alone:
            line = table.alone[(address, count)]
            return encoded(line, line.fixed)
        at = self.place(table, address)
        if not table.may_read(at, count):
            raise Refused(ILLEGAL_ADDRESS)
        return bytes(self.shown[id(table)][at * 2 : (at + count) * 2])

    def read(self, address: int, count: int) -> bytes:
        return self.read_by(self.tables[0].model_id, address, count)

    def find(self, address: int, count: int) -> tuple[ModelImage, list[Slot]]:
        table = self.table_for(3)
        slots = table.is_writable(self.place(table, address), count)
        if not slots:
            raise Refused(ILLEGAL_ADDRESS)
        return table, slots
