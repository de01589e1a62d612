"""fronius-modbus as the client: `read_fronius.py PORT UNIT PCT` prints what it reads, then limits the inverter.

Prints {"values": {MODEL.POINT: value}, "refused": null}, in SunSpec's names; the limit reverts after a minute.
"""

import asyncio
import json
import sys

from fronius_modbus import FroniusModbusInverter
from modbus_connection.tmodbus import connect_tcp


async def main(port, unit, percent):
    connection = await connect_tcp("127.0.0.1", port=port)
    inverter = FroniusModbusInverter(connection.for_unit(unit))
    await inverter.discover()
    await inverter.async_update()
    who, ac, settings = inverter.common, inverter.inverter, inverter.basic_settings
    values = {
        "1.Mn": who.manufacturer,
        "1.Md": who.model,
        "1.Vr": who.software_version,
        "1.SN": who.serial_number,
        "103.W": ac.ac_power,
        "103.A": ac.ac_current,
        "103.AphA": ac.ac_current_phase_1,
        "103.PhVphA": ac.voltage_phase_1,
        "103.PhVphB": ac.voltage_phase_2,
        "103.PhVphC": ac.voltage_phase_3,
        "103.Hz": ac.frequency,
        "103.VA": ac.apparent_power,
        "103.VAr": ac.reactive_power,
        "103.PF": ac.power_factor,
        "103.WH": ac.energy_total,
        "103.DCW": ac.dc_power,
        "103.St": None if ac.operating_state is None else int(ac.operating_state),
        "121.WMax": settings.max_power,
    }
    await inverter.controls.set_power_limit(percent, revert_seconds=60)
    await connection.close()
    print(json.dumps({"values": values, "refused": None}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
