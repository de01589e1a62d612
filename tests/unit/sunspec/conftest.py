"""What the SunSpec tests stand on: pysunspec2 as the second opinion, a device in a dict, and the recorded dumps."""

from __future__ import annotations

import json
import os
import random
import struct
from collections.abc import Callable, Mapping
from importlib.resources import files
from ipaddress import IPv4Address, IPv6Address
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import sunspec2.device
from hypothesis import settings

from derctl.core.exchange import Exchange, Read
from derctl.errors import DeviceRefused
from derctl.sunspec import Decoded, Model, compile_model

settings.register_profile("sunspec", deadline=None)
settings.load_profile("sunspec")

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


def dump_directory() -> Path | None:
    told = os.environ.get("DERCTL_DUMPS")
    beside = (parent / "shared" / "dumps" for parent in Path(__file__).resolve().parents[4:])
    return next((path for path in ([Path(told)] if told else beside) if path.is_dir()), None)


def load_dumps() -> dict[str, dict[str, Any]]:
    directory = dump_directory()
    return {path.stem: json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))} if directory else {}


DUMPS = load_dumps()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model_id" in metafunc.fixturenames:
        metafunc.parametrize("model_id", sorted(DEFINITIONS))
    if "sunspec_dump" in metafunc.fixturenames:
        names = [name for name, dump in DUMPS.items() if dump["kind"] == "sunspec"]
        if not names and os.environ.get("CI"):
            raise pytest.UsageError("the register dumps are missing: set DERCTL_DUMPS")
        missing = pytest.param(None, marks=pytest.mark.skip("NOT TESTED: no register dumps; set DERCTL_DUMPS"))
        metafunc.parametrize("sunspec_dump", [DUMPS[name] for name in names] or [missing], ids=names or ["no dumps"])


@pytest.fixture(scope="session")
def models() -> dict[int, Model]:
    return MODELS


@pytest.fixture(scope="session")
def definitions() -> dict[int, dict[str, Any]]:
    return DEFINITIONS


@pytest.fixture(scope="session")
def dumps() -> Callable[[str], dict[str, Any]]:
    """The one dump whose file name begins so."""

    def find(start: str) -> dict[str, Any]:
        found = [dump for name, dump in DUMPS.items() if name.startswith(start)]
        if not found and os.environ.get("CI"):
            pytest.fail(f"the register dump {start} is missing: set DERCTL_DUMPS")
        if not found:
            pytest.skip(f"NOT TESTED: no register dump {start}; set DERCTL_DUMPS")
        return found[0]

    return find


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


@pytest.fixture(scope="session")
def device() -> type[Device]:
    return Device


@pytest.fixture(scope="session")
def registers_of() -> Callable[[dict[str, Any]], dict[int, int]]:
    return lambda dump: {int(address): word for address, word in dump["registers"].items()}


@pytest.fixture(scope="session")
def second_opinion() -> Callable[[int, list[int]], Any]:
    """pysunspec2's own model object for these registers (ID and L first)."""

    def read(number: int, registers: list[int]) -> Any:
        data = struct.pack(f">{len(registers)}H", *registers)
        return sunspec2.device.Model(model_id=number, model_len=registers[1], data=data)

    return read


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


@pytest.fixture(scope="session")
def same() -> Callable[[Decoded, Any], int]:
    """Compare point by point, groups included, types too. Returns how many points were compared."""

    def compare(ours: Decoded, theirs: Any, model: Any = None) -> int:
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
            number += sum(compare(*pair, model or theirs) for pair in zip(ours.groups[name], instances, strict=True))
        return number

    return compare


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


@pytest.fixture(scope="session")
def well_formed() -> Callable[[int, random.Random], list[int]]:
    """Random registers of a model whose counts and L agree, laid out from the JSON alone."""

    def build(model_id: int, rng: random.Random) -> list[int]:
        top = DEFINITIONS[model_id]["group"]
        by_length = rng.randint(1, 4)
        counts = {name: rng.randint(1, 4) for name in _rules(top)}
        if any(child.get("count") == 0 for child in top.get("groups", ())):
            counts |= dict.fromkeys(COUNT_WORDS, by_length)
        words = _fill(top, rng, counts, by_length, top=True)
        return [model_id, len(words) - 2, *words[2:]]

    return build
