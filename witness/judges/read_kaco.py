"""kaco-modbus as the client: `read_kaco.py PORT UNIT PCT [FOLDER NAME]` prints what it reads, then limits to PCT.

Prints {"values": {MODEL.POINT: value}, "refused": word or null}, in SunSpec's names. FOLDER: over TLS, with the
certificate NAME in it.
"""

import asyncio
import json
import sys

from kaco_modbus import KacoInverter
from modbus_connection import IllegalFunctionError, ModbusTcpParams, ModbusTlsParams
from modbus_connection.tmodbus import ModbusConnection

POINTS = {
    103: ("inverter", "A AphA AphB AphC PhVphA PhVphB PhVphC W Hz VA VAr PF WH DCW St"),
    120: ("nameplate", "DERTyp WRtg VARtg VArRtgQ1"),
    121: ("settings", "WMax VRef VAMax"),
    123: ("controls", "Conn WMaxLimPct WMaxLimPct_RvrtTms WMaxLim_Ena OutPFSet_Ena VArPct_Ena"),
}


def plain(value):
    return int(value) if isinstance(value, int) else value


def named(component, point):
    """Its attribute for a point of SunSpec, however it spells it."""
    bare = point.replace("_", "").lower()
    for name in dir(component):
        if name.replace("_", "").lower() == bare:
            return plain(getattr(component, name))
    return "no such attribute"


def params(port, folder, name):
    if folder is None:
        return ModbusTcpParams(host="127.0.0.1", port=port)
    own = {"client_cert": f"{folder}/{name}.pem", "client_key": f"{folder}/{name}.key"}
    return ModbusTlsParams(host="127.0.0.1", port=port, verify=f"{folder}/ca.pem", **own)


async def main(port, unit, percent, folder=None, name=None):
    connection, refused = ModbusConnection(params(port, folder, name)), None
    inverter = KacoInverter(connection.for_unit(unit))
    await inverter.async_update()
    info = inverter.info
    values = {"1.Mn": info.manufacturer, "1.Md": info.model, "1.Vr": info.firmware, "1.SN": info.serial_number}
    for model, (where, points) in POINTS.items():
        component = getattr(inverter, where)
        values |= {f"{model}.{point}": named(component, point) for point in points.split()}
    try:
        await inverter.async_set_power_limit(percent)
    except IllegalFunctionError:
        refused = "illegal function"
    await connection.close()
    print(json.dumps({"values": values, "refused": refused}))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:]))
