"""`inspect`: all that one device says, as what it can be used, and what its profile brings."""

from __future__ import annotations

import json
from typing import Any

from hil.rig import Rig
from hil.showing import on_show
from tests.cli.calls import At, ByPysunspec2, Called, Here


async def test_an_inverter_is_told_with_its_points_its_habits_and_its_fail_safe(
    at: At, here: Here, called: Called, by_pysunspec2: ByPysunspec2
) -> None:
    called(Mn="Fronius", Md="Symo 5.0")
    code, out, _ = await here("inspect", at("pv1"))
    said = " ".join(out.split())
    theirs = dict(await by_pysunspec2("pv1", 1))
    assert code == 0
    assert "models: 1, 103, 120, 121, 122, 123" in out
    assert "fail-safe: fallback.by stands" in said
    assert "each message starts its timer again" in said, "Fronius Datamanager Modbus manual"
    assert "Writes are refused until" in said
    assert "it is set to 5,000 W at most of 5,000 W rated" in said
    assert f"WRtg {theirs[120]['WRtg']:g}" in said or str(int(theirs[120]["WRtg"])) in said


async def test_the_same_is_there_for_programs(at: At, here: Here, rig: Rig) -> None:
    code, out, _ = await here("inspect", at("pv2"), "--json")
    said: dict[str, Any] = json.loads(out)
    assert code == 0
    assert said["kinds"]["sunspec_pv"]["fallback"]["by"] == "reversion"
    assert said["beneath"] == {"set_w": 10000.0, "rated_w": 10000.0}
    assert {table["model"] for table in said["tables"]} >= {1, 701, 702, 704}
    assert rig.units["pv2"].count.writes == 0


async def test_a_device_by_its_register_map_is_told_line_by_line(here: Here) -> None:
    rig = Rig(on_show("carlo_gavazzi_em540"))
    await rig.start()
    try:
        [unit] = rig.units.values()
        [port] = rig.ports().values()
        code, out, _ = await here("inspect", f"127.0.0.1:{port}", "-u", str(unit.unit_id))
    finally:
        await rig.stop()
    assert code == 0
    assert "profile carlo_gavazzi_em540" in out
    assert "as map_meter: reads" in out
    assert "p_w" in out.partition("what it says:")[2]


async def test_nobody_there_is_said_as_scan_says_it(here: Here) -> None:
    code, out, err = await here("inspect", "127.0.0.1:1", "--timeout", "0.3")
    assert (code, out) == (69, "")
    assert "connection refused" in err
