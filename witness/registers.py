"""Libraries of others read the bench's devices without SunSpec, and see what derctl's register maps see."""

from dataclasses import dataclass

from hil.rig import Rig
from hil.scenario import parse
from hil.serial_line import SerialLine
from witness import ours
from witness.judge import Judges
from witness.verdict import Row, differing

BAUD = 115200
FAST = {"latency_s": [0.0, 0.0], "busy_p": 0.0}
SETTLE_S = 30.0
HYBRID = {"p_max_w": 8000, "p_charge_max_w": 2500, "sun_w": 9000}
MADE = (
    {"id": "made_huawei", "personality": "huawei_sun2000", "serial": "HV2140123456", "rating": HYBRID},
    {"id": "made_goodwe", "personality": "goodwe_et", "serial": "9010KETU219W0001", "rating": HYBRID},
    {"id": "made_em540", "personality": "carlo_gavazzi_em540"},
    {"id": "made_jk", "personality": "jk_bms", "der": "made_goodwe", "endpoint": "line", "unit": 1, "serial": "JK1"},
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """judge: its file. map: derctl's."""

    library: str
    judge: str
    device: str
    map: str


CASES = (
    Case(library="huawei-solar", judge="read_huawei", device="made_huawei", map="huawei_sun2000_luna2000"),
    Case(library="goodwe", judge="read_goodwe", device="made_goodwe", map="goodwe_et"),
    Case(
        library="carlo-gavazzi-energy-meter-modbus",
        judge="read_carlo_gavazzi",
        device="made_em540",
        map="carlo_gavazzi_em540",
    ),
    Case(library="jkctl", judge="read_jk", device="made_jk", map="jk_bms"),
)


def bench() -> Rig:
    """The devices by day, not listening yet; what they show stands still."""
    batteries = {"made_huawei": {"soc_pct": 60.4}, "made_goodwe": {"soc_pct": 47}}
    devices = [
        {"face": "registers", "habits": FAST, **each, "battery": batteries.get(str(each["id"]), {})} for each in MADE
    ]
    loads = {"house": {"node": "poc", "p_w": 1000, "q_var": 300}}
    plant = {"loads": loads, "sun": {"points": [[0, 0.6]]}}
    return Rig(parse({"name": "registers", "plant": plant, "devices": devices, "serial": {"line": {"baud": BAUD}}}))


async def judged(judges: Judges) -> list[Row]:
    """Each library against its device."""
    rig = bench()
    for _ in range(round(SETTLE_S / 0.1)):
        rig.world.advance(0.1)
    await rig.start()
    try:
        return [await _one(judges, rig, case) for case in CASES]
    finally:
        await rig.stop()


async def _one(judges: Judges, rig: Rig, case: Case) -> Row:
    unit, endpoint = rig.units[case.device], rig.endpoint_of(case.device)
    serial = isinstance(endpoint, SerialLine)
    wire, what = "rtu" if serial else "tcp", f"reads {case.device}"
    place = f"{endpoint.place}:{BAUD}" if serial else f"127.0.0.1:{endpoint.port}"
    try:
        here = await ours.lines([place], unit.unit_id, case.map)
        there = await judges.asked(case.judge, str(endpoint.place if serial else endpoint.port), str(unit.unit_id))
    except RuntimeError as error:
        return Row(judge=case.library, wire=wire, what=what, compared=1, wrong=(str(error),))
    return Row(judge=case.library, wire=wire, what=what, compared=len(there), wrong=differing(there, here, there))
