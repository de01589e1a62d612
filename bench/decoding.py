"""(c) Registers to values, models 103 and 701, against pysunspec2's device model."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median

from sunspec2.modbus.client import SunSpecModbusClientModel

from bench.row import Row
from derctl.devices.sunspec.measure import POINTS_1XX, POINTS_701
from derctl.links.models import model
from derctl.sunspec import Model, compile_reader
from derctl.sunspec.points import TEXT

AIM = 20.0
NO_VALUE = {*TEXT, "pad", "sunssf"}


def rows(quick: bool) -> Iterable[Row]:
    """What a poll decodes, then whole models. pysunspec2 takes a model in as a whole either way."""
    blocks = 5 if quick else 25
    for number, (model_id, points) in enumerate(((103, POINTS_1XX), (701, POINTS_701)), start=1):
        compiled = model(model_id)
        assert compiled is not None
        numbers = [name for name, point in compiled.points.items() if point.type.name not in NO_VALUE]
        polled = [name for name in points if name in compiled.points]
        used = f"the {len(polled)} points of model {model_id} that a poll uses"
        yield _row(f"c{number}", compiled, polled, blocks, used)
        yield _row(f"c{number + 2}", compiled, numbers, blocks, f"all {len(numbers)} numbers of model {model_id}")


def _row(row: str, compiled: Model, names: Sequence[str], blocks: int, means: str) -> Row:
    """Every register holds 1, so that each point is implemented and scaled by 10."""
    length = max(point.end for point in compiled.points.values()) - 2
    words = [compiled.id, length, *[1] * length]
    data = struct.pack(f">{len(words)}H", *words)
    read = compile_reader(compiled, names)
    peer = SunSpecModbusClientModel(compiled.id, model_len=length, data=data)

    def theirs() -> dict[str, object]:
        peer.set_mb(data)
        return {name: peer.points[name].cvalue for name in names}

    ours = read(words)
    differ = {name: (ours[name], value) for name, value in theirs().items() if ours[name] != value}
    if differ:
        raise RuntimeError(f"model {compiled.id} decodes differently: {differ}")
    pairs = [(_seconds(lambda: read(words), 2000), _seconds(theirs, 100)) for _ in range(blocks)]
    mine, other = (1e6 * median(each) for each in zip(*pairs, strict=True))
    return Row(
        row=row,
        ratio=other / mine,
        aim=AIM,
        at_least=True,
        measured=mine,
        against=other,
        unit="us",
        means=f"decode of {means}: pysunspec2's CPU time against ours",
        also={},
    )


def _seconds(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times
