"""What the SunSpec tests stand on: pysunspec2 as the second opinion, and registers laid out from its JSON."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address
from math import isfinite
from typing import Any

import sunspec2.device

from derctl.core.exchange import Exchange, Read
from derctl.errors import DeviceRefused
from derctl.sunspec import Decoded, compile_model

DEFINITIONS: dict[int, dict[str, Any]] = {
    definition["id"]: definition
    for definition in (
        json.loads(entry.read_text(encoding="utf-8"))
        for entry in (files("sunspec2") / "models" / "json").iterdir()
        if entry.name.startswith("model_")
    )
}
MODELS = {number: compile_model(definition) for number, definition in DEFINITIONS.items()}
COUNT_WORDS = {"N", "NCrv", "NSchd", "NCell", "NMod"}


class Device:
    """Registers in a dict. A read that touches another is refused, and every request is noted."""

    def __init__(self, registers: Mapping[int, int], *, code: int = 2, max_regs: int = 125) -> None:
        self.registers = registers
        self.code = code
        self.max_regs = max_regs
        self.reads: list[Read] = []

    def run(self, exchange: Exchange[Any]) -> Any:
        """Drive an exchange to its end, as a bus would."""
        try:
            op = next(exchange)
            while True:
                assert isinstance(op, Read)
                assert 1 <= op.count <= self.max_regs
                assert 0 <= op.address <= 0x10000 - op.count
                self.reads.append(op)
                wanted = range(op.address, op.address + op.count)
                if all(address in self.registers for address in wanted):
                    op = exchange.send([self.registers[address] for address in wanted])
                else:
                    op = exchange.throw(DeviceRefused(self.code, function=3, address=op.address, count=op.count))
        except StopIteration as stop:
            return stop.value


def second_opinion(number: int, registers: list[int]) -> Any:
    """pysunspec2's own model object for these registers (ID and L first)."""
    data = struct.pack(f">{len(registers)}H", *registers)
    return sunspec2.device.Model(model_id=number, model_len=registers[1], data=data)


def expected(point: Any, group: Any, model: Any, raw: object) -> object:
    """pysunspec2's cvalue, and where derctl means to differ: the list below is the whole of it."""
    kind = point.pdef["type"]
    sf = point.pdef.get("sf")
    if isinstance(sf, str):
        scale = group.points.get(sf, model.points.get(sf)).value
        if scale is None or not -10 <= scale <= 10:  # pysunspec2 hands out the unscaled number
            return None
    value = point.cvalue
    if kind == "sunssf" and value is not None and not -10 <= value <= 10:
        return None
    if kind.startswith("bitfield") and value is not None:  # SunSpec: top bit set, ignore all bits
        return None if value >> (16 * point.len - 1) else value
    if kind == "string":  # NUL ends a string; what isn't UTF-8 makes pysunspec2 give up
        return raw.split(b"\0")[0].decode("utf-8", "replace") or None if isinstance(raw, bytes) else value
    if kind == "ipaddr":
        return None if value is None else str(IPv4Address(value))
    if kind == "ipv6addr":
        return None if value is None else str(IPv6Address(bytes.fromhex(value.replace(":", ""))))
    if kind.startswith("float"):
        return value if value is not None and isfinite(value) else None
    return value


def same(ours: Decoded, theirs: Any, model: Any = None) -> int:
    """Compare point by point, groups included, types too. Returns how many points were compared."""
    number = 0
    for name, point in theirs.points.items():
        if point.pdef["type"] == "pad" or name == "L":
            continue
        value = expected(point, theirs, model or theirs, ours.raw[name])
        assert (type(ours[name]), ours[name]) == (type(value), value), name
        number += 1
    for name, group in theirs.groups.items():
        instances = group if isinstance(group, list) else [group]
        assert len(ours.groups[name]) == len(instances), name
        number += sum(same(*pair, model or theirs) for pair in zip(ours.groups[name], instances, strict=True))
    return number


def _words(entry: Mapping[str, Any], rng: random.Random) -> list[int]:
    """Registers of one point; one in ten is all ones, one in twenty all zero, and some ints are 0x8000."""
    dice = rng.random()
    if entry["type"] == "sunssf":
        return [rng.randint(-10, 10) & 0xFFFF]
    if entry["type"] == "string":
        text = bytes(rng.choices(b"SunSpec 1547-\0", k=2 * entry["size"]))
        return list(struct.unpack(f">{entry['size']}H", text))
    if dice < 0.15:
        return [0xFFFF if dice < 0.1 else 0] * entry["size"]
    if dice < 0.25 and entry["type"].startswith("int"):
        return [0x8000] + [0] * (entry["size"] - 1)
    return [rng.randrange(0x10000) for _ in range(entry["size"])]


def _fill(
    group: Mapping[str, Any], rng: random.Random, counts: Mapping[str, int], by_length: int, *, top: bool
) -> list[int]:
    words: list[int] = []
    for entry in group.get("points", ()):
        words += [counts[entry["name"]]] if top and entry["name"] in counts else _words(entry, rng)
    for child in group.get("groups", ()):
        rule = child.get("count", 1)
        for _ in range(counts[rule] if isinstance(rule, str) else rule or by_length):
            words += _fill(child, rng, counts, by_length, top=False)
    return words


def _rules(group: Mapping[str, Any]) -> set[str]:
    children = group.get("groups", ())
    return {child["count"] for child in children if isinstance(child.get("count"), str)}.union(*map(_rules, children))


def well_formed(model_id: int, rng: random.Random) -> list[int]:
    """Random registers of a model whose counts and L agree, laid out from the JSON alone."""
    top = DEFINITIONS[model_id]["group"]
    by_length = rng.randint(1, 4)
    counts = {name: rng.randint(1, 4) for name in _rules(top)}
    if any(child.get("count") == 0 for child in top.get("groups", ())):
        counts |= dict.fromkeys(COUNT_WORDS, by_length)
    words = _fill(top, rng, counts, by_length, top=True)
    return [model_id, len(words) - 2, *words[2:]]
