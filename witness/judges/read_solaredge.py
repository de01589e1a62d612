"""solaredged as the client: `read_solaredge.py PORT UNIT` prints what it reads of the inverter and its meters.

Prints {"values": {MODEL#NUMBER.POINT: value}, "refused": null}, in SunSpec's names. It knows its addresses, and walks
no chain.
"""

import asyncio
import json
import sys

from modbus_connection.tmodbus import connect_tcp
from solaredged import SolarEdge

COMMON = {"Mn": "manufacturer", "Md": "model", "SN": "serial_number"}
INVERTER = {
    "W": "ac_power",
    "A": "ac_current",
    "PhVphA": "ac_voltage_an",
    "Hz": "ac_frequency",
    "VA": "ac_va",
    "VAr": "ac_var",
    "PF": "ac_power_factor",
    "WH": "ac_energy",
    "DCV": "dc_voltage",
    "DCW": "dc_power",
}
METER = {
    "W": "ac_power",
    "WphA": "ac_power_a",
    "WphB": "ac_power_b",
    "WphC": "ac_power_c",
    "A": "ac_current",
    "PhVphA": "ac_voltage_an",
    "Hz": "ac_frequency",
    "VA": "ac_va",
}


def read(component, names, prefix):
    return {f"{prefix}.{point}": getattr(component, name) for point, name in names.items()}


async def main(port, unit):
    connection = await connect_tcp("127.0.0.1", port=port)
    device = await SolarEdge.async_probe(connection.for_unit(unit))
    await device.async_update()
    values = read(device.common, COMMON, "1#1") | read(device.inverter, INVERTER, "103#1")
    for number, meter in enumerate(device.meters, start=1):
        values |= read(meter, COMMON, f"1#{number + 1}") | read(meter, METER, f"203#{number}")
    await connection.close()
    print(json.dumps({"values": values, "refused": None}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
