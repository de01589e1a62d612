"""goodwe as the client: `read_goodwe.py PORT UNIT` prints {NAME: value} as derctl's register map names them."""

import asyncio
import json
import sys

import goodwe

NAMES = {
    "p_w": "total_inverter_power",
    "v_a_v": "vgrid",
    "v_b_v": "vgrid2",
    "v_c_v": "vgrid3",
    "f_hz": "fgrid",
    "pv1_w": "ppv1",
    "pv2_w": "ppv2",
    "battery_v": "vbattery1",
    "battery_a": "ibattery1",
    "dc_p_w": "pbattery1",
    "battery_mode_raw": "battery_mode",
    "soc_pct": "battery_soc",
    "soh_pct": "battery_soh",
    "charge_limit_a": "battery_charge_limit",
    "discharge_limit_a": "battery_discharge_limit",
}


async def main(port, unit):
    inverter = await goodwe.connect("127.0.0.1", port, "ET", unit, timeout=5, retries=3)
    told = await inverter.read_runtime_data()
    found = {name: told.get(theirs) for name, theirs in NAMES.items()}
    print(json.dumps({**found, "model": inverter.model_name, "serial": inverter.serial_number}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
