"""huawei-solar as the client: `read_huawei.py PORT UNIT` prints {NAME: value} as derctl's register map names them."""

import asyncio
import json
import sys

from huawei_solar import create_tcp_client

NAMES = {
    "model": ("model_name", 1),
    "serial": ("serial_number", 1),
    "p_max_w": ("P_max", 1),
    "p_w": ("active_power", 1),
    "q_var": ("reactive_power", 1),
    "f_hz": ("grid_frequency", 1),
    "v_a_v": ("phase_A_voltage", 1),
    "v_b_v": ("phase_B_voltage", 1),
    "v_c_v": ("phase_C_voltage", 1),
    "energy_wh": ("accumulated_yield_energy", 1000),
    "pv_w": ("input_power", 1),
    "e_max_wh": ("storage_rated_capacity", 1),
    "soc_pct": ("storage_state_of_capacity", 1),
    "battery_v": ("storage_bus_voltage", 1),
    "dc_p_w": ("storage_charge_discharge_power", -1),
    "charge_limit_w": ("storage_maximum_charge_power", 1),
    "discharge_limit_w": ("storage_maximum_discharge_power", 1),
}
"""Theirs, and times what it is in derctl's unit and sign."""


async def main(port, unit):
    client = create_tcp_client("127.0.0.1", port, unit_id=unit, timeout=10, wait_after_connect=1.5)
    await client.connect()
    found = {}
    for name, (theirs, factor) in NAMES.items():
        value = (await client.get(theirs)).value
        found[name] = value if isinstance(value, str) else value * factor
    await client.disconnect()
    print(json.dumps(found))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
