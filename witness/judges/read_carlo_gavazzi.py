"""carlo-gavazzi-energy-meter-modbus as the client: `read_carlo_gavazzi.py PORT UNIT` prints {NAME: value} as derctl's
register map names them."""

import asyncio
import json
import sys

from carlo_gavazzi_energy_meter_modbus import async_detect
from modbus_connection import ModbusTcpParams
from modbus_connection.tmodbus import ModbusConnection

NAMES = {
    "p_w": "active_power",
    "p_a_w": "active_power_l1",
    "p_b_w": "active_power_l2",
    "p_c_w": "active_power_l3",
    "q_var": "reactive_power",
    "v_v": "voltage_l_n",
    "v_a_v": "voltage_l1_n",
    "v_b_v": "voltage_l2_n",
    "v_c_v": "voltage_l3_n",
    "i_a_a": "current_l1",
    "i_b_a": "current_l2",
    "i_c_a": "current_l3",
    "f_hz": "frequency",
    "s_va": "apparent_power",
}


async def main(port, unit):
    connection = ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=port))
    meter = await async_detect(connection.for_unit(unit))
    await meter.async_update_readings()
    told = meter.measurements
    print(json.dumps({name: getattr(told, theirs) for name, theirs in NAMES.items()}))
    await connection.close()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
