"""Libraries of others as the client: they read and limit the bench's devices, and see what derctl sees."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hil.rig import Rig
from hil.serial_line import SerialLine
from hil.wire import Endpoint
from witness import ours
from witness.images import registers_of
from witness.judge import Judges, output
from witness.verdict import Row, differing

CHUNK = 100
"""Registers that mbpoll reads at once."""
WORD = re.compile(r"\[(\d+)\]:\s+0x([0-9A-Fa-f]{4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """judge: its file. limit_pct: what it limits the device to; refused: it may not."""

    library: str
    judge: str
    device: str
    limit_pct: float | None = None
    role: str | None = None
    refused: bool = False


CASES = (
    Case(library="fronius-modbus", judge="read_fronius", device="made_fronius", limit_pct=40.0),
    Case(library="kaco-modbus", judge="read_kaco", device="made_kaco", limit_pct=40.0),
    Case(library="kaco-modbus", judge="read_kaco", device="made_kaco_tls", limit_pct=60.0, role="operator"),
    Case(
        library="kaco-modbus", judge="read_kaco", device="made_kaco_tls", limit_pct=30.0, role="viewer", refused=True
    ),
    Case(library="solaredged", judge="read_solaredge", device="made_solaredge"),
)  # fmt: skip


async def judged(judges: Judges, rig: Rig) -> list[Row]:
    """Each library against its device; what it limits is asked of the bench."""
    return [await _one(judges, rig, case) for case in CASES]


async def _one(judges: Judges, rig: Rig, case: Case) -> Row:
    unit, port = rig.units[case.device], rig.endpoint_of(case.device).port
    before = unit.face.command().p_ceiling_w
    words = [str(port), str(unit.unit_id), *([] if case.limit_pct is None else [f"{case.limit_pct:g}"])]
    wire, place = "tcp", [f"127.0.0.1:{port}"]
    if case.role is not None:
        words += [str(rig.papers), case.role]
        files = {"ca": "ca", "cert": case.role, "key": case.role}
        named = {key: f"{rig.papers}/{name}.{'key' if key == 'key' else 'pem'}" for key, name in files.items()}
        wire = "tls"
        place = [f"tls://127.0.0.1:{port}", *(word for key, file in named.items() for word in (f"--{key}", file))]
    try:
        here = await ours.values(place, unit.unit_id)
        answer = await judges.asked(case.judge, *words)
    except RuntimeError as error:
        return Row(judge=case.library, wire=wire, what=f"reads {case.device}", compared=1, wrong=(str(error),))
    there = {name if "#" in name else name.replace(".", "#1.", 1): value for name, value in answer["values"].items()}
    wrong = [*differing(there, here, there), *_limited(case, answer, before, rig)]
    limits = "" if case.limit_pct is None else " and may not limit it" if case.refused else " and limits it"
    count = len(there) + (case.limit_pct is not None)
    return Row(judge=case.library, wire=wire, what=f"reads {case.device}{limits}", compared=count, wrong=tuple(wrong))


def _limited(case: Case, answer: dict[str, object], before: float | None, rig: Rig) -> list[str]:
    """What the library was told of its limit, and what the device made of it."""
    if case.limit_pct is None:
        return []
    face = rig.units[case.device].face
    wanted = before if case.refused else face.rating.p_max_w * case.limit_pct / 100.0
    found, refused = face.command().p_ceiling_w, answer["refused"] is not None
    wrong = [] if found == wanted else [f"limit: {wanted} W was meant, the device has {found} W"]
    return wrong if refused == case.refused else [*wrong, f"limit refused: {answer['refused']}"]


async def by_mbpoll(rig: Rig) -> list[Row]:
    """Every register of the bench's devices without TLS, as libmodbus reads them."""
    program, what = shutil.which("mbpoll"), "reads each register"
    if program is None:
        return [Row(judge="mbpoll", wire="", what=what, why_not="mbpoll is not installed")]
    places = {name: _place(rig.endpoint_of(name)) for name in rig.units if rig.endpoint_of(name).tls is None}
    rows = []
    for wire in ("tcp", "rtu"):
        count, wrong = 0, list[str]()
        for name, place in places.items():
            if place[1] == wire:
                shown = registers_of(rig, name)
                count += len(shown)
                wrong += await _differing(rig, name, (program, *place), shown)
        rows.append(Row(judge="mbpoll", wire=wire, what=what, compared=count, wrong=tuple(wrong)))
    return rows


def _place(endpoint: Endpoint) -> tuple[str, ...]:
    """As mbpoll takes it; the last word stands at the end of its command."""
    if isinstance(endpoint, SerialLine):
        return "-m", "rtu", "-b", str(endpoint.baud), "-P", "none", str(endpoint.place)
    return "-m", "tcp", "-p", str(endpoint.port), "127.0.0.1"


async def _differing(rig: Rig, name: str, command: Sequence[str], shown: Mapping[int, int]) -> list[str]:
    addresses, wrong = sorted(shown), list[str]()
    for first in range(0, len(addresses), CHUNK):
        part = addresses[first : first + CHUNK]
        try:
            found = await _polled(command, rig.units[name].unit_id, part)
        except RuntimeError as error:
            wrong.append(f"{name} at {part[0]}: {error}")
            continue
        wrong += [
            f"{name} at {at}: 0x{found.get(at, -1):04X} there, 0x{shown[at]:04X} in the device"
            for at in part
            if found.get(at) != shown[at]
        ]
    return wrong


async def _polled(command: Sequence[str], unit: int, addresses: Sequence[int]) -> dict[int, int]:
    asked = ("-a", str(unit), "-0", "-r", str(addresses[0]), "-c", str(len(addresses)), "-t", "4:hex", "-1", "-q")
    out = await output(*command[:-1], *asked, command[-1])
    return {int(at): int(word, 16) for at, word in WORD.findall(out)}
