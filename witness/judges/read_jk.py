"""jkctl as the client: `read_jk.py SERIAL_LINE UNIT` prints {NAME: value} as derctl's register map names them."""

import json
import sys

from jkctl.device import Device
from jkctl.modbus import Bus
from jkctl.registers import INFO, RUNTIME, SETTINGS

RUNNING = {
    "battery_v": ("batVol", 1),
    "battery_a": ("batCurrent", -1),
    "soc_pct": ("socRelativeStateOfCharge", 1),
    "soh_pct": ("sOCSOH", 1),
    "charge_on": ("chargeStatus", 1),
    "discharge_on": ("dischargeStatus", 1),
    "cell_mean_v": ("cellVolAve", 1),
    "cell_spread_v": ("maxVoltDelta", 1),
    "mos_c": ("tempMos", 1),
    "battery_1_c": ("batTemp1", 1),
    "battery_2_c": ("batTemp2", 1),
    "left_ah": ("socCapabilityRemain", 1),
    "full_ah": ("socFullChargeCapacity", 1),
    "cycles": ("socCycleCount", 1),
}
SET = {
    "cell_low_v": "volCellUV",
    "cell_high_v": "volCellOV",
    "cell_count": "cellCount",
    "charge_limit_a": "timBatCOC",
    "discharge_limit_a": "timBatDcOC",
}
ABOUT = {"model": "manuDeviceID", "firmware": "softwareVersion", "serial": "deviceSN"}
"""Theirs; where there is a number, times what it is with derctl's sign."""

device = Device(Bus(sys.argv[1]), int(sys.argv[2]))
running, settings, about = (device.snapshot(table) for table in (RUNTIME, SETTINGS, INFO))
found = {name: running[theirs] * sign for name, (theirs, sign) in RUNNING.items()}
found |= {name: settings[theirs] for name, theirs in SET.items()}
print(json.dumps(found | {name: about[theirs] for name, theirs in ABOUT.items()}))
