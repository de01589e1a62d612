"""A device in a dict, laid out by pysunspec2: the drivers run against it as they run on a bus."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sunspec2.device

from derctl.core.exchange import Exchange, Pause, Read, Write
from derctl.devices import Options, Profile
from derctl.devices.plausible import plausible
from derctl.errors import DeviceRefused
from derctl.links.models import model
from tests.recorded import dump, registers_of

END = (0xFFFF, 0)
Values = Mapping[str, Any]

COMMON: Values = {"Mn": "Maker", "Md": "Model 5", "Vr": "1.2.3", "SN": "SN-0001", "DA": 1}
AC_1XX: Values = {
    "A_SF": -2, "V_SF": -1, "W_SF": 0, "Hz_SF": -2, "VA_SF": 0, "VAr_SF": 0, "PF_SF": -2, "WH_SF": 0,
    "DCW_SF": 0, "W": 3120, "VAr": -410, "Hz": 50.02, "PhVphA": 231.1, "PhVphB": 232.2, "PhVphC": 233.9,
    "PPVphAB": 400.5, "PPVphBC": 401.5, "PPVphCA": 402.5, "WH": 123456, "DCW": 3250, "St": 4,
}  # fmt: skip
PLATE_120: Values = {
    "WRtg_SF": 0, "VARtg_SF": 0, "VArRtg_SF": 0, "WHRtg_SF": 0, "MaxChaRte_SF": 0, "MaxDisChaRte_SF": 0,
    "DERTyp": 4, "WRtg": 6000, "VARtg": 6600, "VArRtgQ1": 2500, "VArRtgQ4": -2600,
}  # fmt: skip
SET_121: Values = {
    "WMax_SF": 0, "VAMax_SF": 0, "VArMax_SF": 0,
    "WMax": 5000, "VAMax": 5500, "VArMaxQ1": 2200, "VArMaxQ4": -2200,
}  # fmt: skip
OFF_123: Values = {
    "WMaxLimPct_SF": -1, "VArPct_SF": -1, "OutPFSet_SF": -3, "Conn": 1,
    "WMaxLimPct": 100, "WMaxLimPct_WinTms": 0, "WMaxLimPct_RvrtTms": 0, "WMaxLimPct_RmpTms": 0, "WMaxLim_Ena": 0,
    "VArWMaxPct": 0, "VArMaxPct": 0, "VArAvalPct": 0, "VArPct_WinTms": 0, "VArPct_RvrtTms": 0,
    "VArPct_RmpTms": 0, "VArPct_Mod": 2, "VArPct_Ena": 0,
}  # fmt: skip
REST_124: Values = {
    "WChaMax_SF": 0, "InOutWRte_SF": -2, "ChaState_SF": -1, "WChaMax": 4000, "StorCtl_Mod": 0, "ChaState": 55.5,
    "OutWRte": 100, "InWRte": 100, "InOutWRte_WinTms": 0, "InOutWRte_RvrtTms": 0, "InOutWRte_RmpTms": 0,
}  # fmt: skip
AC_701: Values = {
    "A_SF": -1, "V_SF": -1, "Hz_SF": -3, "W_SF": 0, "PF_SF": -3, "VA_SF": 0, "Var_SF": 0, "TotWh_SF": 0,
    "St": 1, "InvSt": 3, "ConnSt": 1, "W": 3120, "Var": -410, "Hz": 50.021, "LNV": 232.4, "LLV": 402.5,
    "VL1": 231.1, "VL2": 232.2, "VL3": 233.9, "TotWhInj": 123456, "TotWhAbs": 6543,
}  # fmt: skip
PLATE_702: Values = {
    "W_SF": 0, "VA_SF": 0, "Var_SF": 0, "V_SF": 0, "WMaxRtg": 6000, "VAMaxRtg": 6600, "VarMaxInjRtg": 2500,
    "VarMaxAbsRtg": 2600, "WChaRteMaxRtg": 4500, "WDisChaRteMaxRtg": 6000, "VNomRtg": 230,
    "WMax": 5000, "VAMax": 5500, "VarMaxInj": 2200, "VarMaxAbs": 2200, "WChaRteMax": 4000, "WDisChaRteMax": 5000,
}  # fmt: skip
OFF_704: Values = {
    "WMaxLimPct_SF": -1, "WSet_SF": 0, "WSetPct_SF": -1, "VarSet_SF": 0, "VarSetPct_SF": -1, "PF_SF": -3,
    "WMaxLimPctEna": 0, "WMaxLimPct": 100, "WMaxLimPctRvrt": 100, "WMaxLimPctEnaRvrt": 0,
    "WMaxLimPctRvrtTms": 0, "WMaxLimPctRvrtRem": 0, "WSetEna": 0, "WSetMod": 1, "WSet": 0, "WSetRvrt": 0,
    "WSetPct": 0, "WSetPctRvrt": 0, "WSetEnaRvrt": 0, "WSetRvrtTms": 0, "VarSetEna": 0, "VarSetMod": 4,
    "VarSetPri": 1, "VarSet": 0, "VarSetRvrt": 0, "VarSetPct": 0, "VarSetPctRvrt": 0, "VarSetEnaRvrt": 0,
    "VarSetRvrtTms": 0,
}  # fmt: skip
METER: Values = {
    "A_SF": -2, "V_SF": -1, "Hz_SF": -2, "W_SF": 1, "VA_SF": 1, "VAR_SF": 1, "PF_SF": -2, "TotWh_SF": 0,
    "W": 4200, "VAR": -310, "Hz": 50.01, "PhV": 232.4, "PhVphA": 231.1, "PhVphB": 232.2, "PhVphC": 233.9,
    "PPV": 402.5, "PhVphAB": 402.5, "TotWhExp": 8000, "TotWhImp": 3000, "A": 6.1,
}  # fmt: skip
BATTERY_802: Values = {
    "AHRtg_SF": 0, "WHRtg_SF": 0, "WChaDisChaMax_SF": 0, "SoC_SF": -1, "SoH_SF": -1, "V_SF": -1, "A_SF": -1,
    "AMax_SF": -1, "W_SF": 0, "SoC": 61.5, "SoH": 98.5, "V": 401.2, "A": -5.0, "W": -2006, "AChaMax": 10.0,
    "ADisChaMax": 25.0, "WChaRteMax": 5000, "WDisChaRteMax": 5000, "State": 3, "LocRemCtl": 0, "ChaSt": 4,
    "WHRtg": 10000, "AHRtg": 25,
}  # fmt: skip
DEVICES: dict[str, dict[int, Values]] = {
    **{f"pv_{m}": {1: COMMON, m: AC_1XX, 120: PLATE_120, 121: SET_121, 122: {}, 123: OFF_123} for m in (101, 103)},
    **{f"pv_{m}": {1: COMMON, m: AC_1XX, 120: PLATE_120, 121: SET_121, 122: {}, 123: OFF_123} for m in (111, 113)},
    "pv_7xx": {
        1: COMMON, 701: AC_701, 702: PLATE_702, 703: {}, 704: OFF_704, 705: {"Ena": 0, "NPt": 4, "NCrv": 2},
        706: {"Ena": 0, "NPt": 2, "NCrv": 2}, 711: {"Ena": 0, "NCtl": 2}, 712: {"Ena": 0, "NPt": 6, "NCrv": 2},
        713: {}, 714: {"NPrt": 1}, 715: {},
    },
    "storage_7xx": {
        1: COMMON, 701: AC_701, 702: PLATE_702, 704: OFF_704,
        713: {"WH_SF": 0, "Pct_SF": -1, "WHRtg": 10000, "WHAvail": 6000, "SoC": 60.5, "SoH": 99.5, "Sta": 0},
        714: {"NPrt": 1}, 715: {},
    },
    "storage_124": {
        1: COMMON, 103: AC_1XX, 121: SET_121, 122: {}, 123: OFF_123, 124: REST_124,
        120: {**PLATE_120, "WHRtg": 10000, "MaxChaRte": 4000, "MaxDisChaRte": 5000},
    },
    **{f"meter_{m}": {1: COMMON, m: METER} for m in (201, 203, 204, 211, 213)},
    "bms": {1: COMMON, 802: BATTERY_802, 803: {"NStr": 1}},
}  # fmt: skip
COUNTED = {705: ("Crv", "NCrv"), 706: ("Crv", "NCrv"), 711: ("Ctl", "NCtl"), 712: ("Crv", "NCrv")}
COUNTED |= {714: ("Prt", "NPrt"), 803: ("string", "NStr"), 126: ("curve", "NCrv"), 132: ("curve", "NCrv")}
COUNTED |= {134: ("curve", "NCrv"), 131: ("curve", "NCrv")}


def encoded(model_id: int, values: Values) -> Any:
    """pysunspec2's model object: what is not given is not implemented."""
    data = {key: value for key, value in values.items() if key.startswith("N")}
    if model_id in COUNTED:
        name, count = COUNTED[model_id]
        data[name] = [{} for _ in range(values.get(count, 1))]
    made = sunspec2.device.Model(model_id=model_id, data=data)
    points = {name: value for name, value in values.items() if name in made.points}
    for name, value in sorted(points.items(), key=lambda item: not item[0].endswith("_SF")):
        made.points[name].cvalue = value
    return made


def words_of(data: bytes) -> list[int]:
    return list(struct.unpack(f">{len(data) // 2}H", data))


@dataclass
class Fake:
    """Registers in a dict; reads outside of them are refused, writes are applied and kept."""

    registers: dict[int, int] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    models: dict[int, Any] = field(default_factory=dict)
    ops: list[Read | Write] = field(default_factory=list)
    refuse: Callable[[Read | Write], int | None] = lambda op: None
    store: Callable[[int, int], int | None] = lambda address, value: value

    @property
    def writes(self) -> list[Write]:
        return [op for op in self.ops if isinstance(op, Write)]

    def run(self, exchange: Exchange[Any]) -> Any:
        """Drive an exchange to its end, as a bus does."""
        try:
            op = next(exchange)
            while True:
                assert not isinstance(op, Pause)
                self.ops.append(op)
                code = self.refuse(op) or self._outside(op)
                if code is not None:
                    count = op.count if isinstance(op, Read) else len(op.values)
                    refused = DeviceRefused(code, function=op.function, address=op.address, count=count)
                    op = exchange.throw(refused)
                else:
                    op = exchange.send(self._answer(op))
        except StopIteration as stop:
            return stop.value

    def served(self, op: Read | Write) -> tuple[int, ...]:
        """One request, as a wire answers it. Raises DeviceRefused."""
        self.ops.append(op)
        code = self.refuse(op) or self._outside(op)
        if code is not None:
            count = op.count if isinstance(op, Read) else len(op.values)
            raise DeviceRefused(code, function=op.function, address=op.address, count=count)
        return self._answer(op)

    def _outside(self, op: Read | Write) -> int | None:
        count = op.count if isinstance(op, Read) else len(op.values)
        assert 1 <= count <= (125 if isinstance(op, Read) else 123)
        if isinstance(op, Write):
            assert op.function == 16 or (op.function, count) == (6, 1)
            assert all(0 <= value <= 0xFFFF for value in op.values)
        return None if all(op.address + i in self.registers for i in range(count)) else 2

    def _answer(self, op: Read | Write) -> tuple[int, ...]:
        if isinstance(op, Read):
            return tuple(self.registers[op.address + i] for i in range(op.count))
        for i, value in enumerate(op.values):
            kept = self.store(op.address + i, value)
            if kept is not None:
                self.registers[op.address + i] = kept
        return ()

    def poll(self, device: Any) -> dict[str, tuple[int, ...]]:
        """Every block of a device, fast and slow, as the poller gathers them."""
        blocks = {**device.control, **device.slow}
        return {name: self._answer(read) for name, read in blocks.items()}

    def reading(self, device: Any) -> Any:
        """As a channel believes it."""
        return plausible(device.decode(self.poll(device)), device.rating)

    def put(self, model_id: int, **values: Any) -> None:
        """Change points through pysunspec2: scale factors first, None is "not implemented"."""
        made = self.decoded(model_id)
        for name, value in sorted(values.items(), key=lambda item: not item[0].endswith("_SF")):
            made.points[name].sf_value = None
            made.points[name].value = None
            if value is not None:
                made.points[name].cvalue = value
        for offset, word in enumerate(words_of(made.get_mb())):
            self.registers[self.places[model_id] + offset] = word

    def decoded(self, model_id: int) -> Any:
        """pysunspec2's view of the registers as they stand now."""
        start = self.places[model_id]
        length = self.registers[start + 1]
        data = struct.pack(f">{length + 2}H", *(self.registers[start + i] for i in range(length + 2)))
        return sunspec2.device.Model(model_id=model_id, model_len=length, data=data)

    def get(self, model_id: int, point: str) -> Any:
        return self.decoded(model_id).points[point].cvalue


def laid_out(models: Mapping[int, Values], base: int = 40000) -> Fake:
    return chained(*models.items(), base=base)


def chained(*models: tuple[int, Values], base: int = 40000) -> Fake:
    """The same for models that repeat; `places` has the first of each, `starts` all of them in order."""
    fake = Fake(registers=dict(zip((base, base + 1), (0x5375, 0x6E53), strict=True)))
    address = base + 2
    for model_id, values in models:
        made = encoded(model_id, values)
        fake.places.setdefault(model_id, address)
        fake.starts.append(address)
        for word in words_of(made.get_mb()):
            fake.registers[address] = word
            address += 1
    fake.registers |= {address: END[0], address + 1: END[1]}
    return fake


def lay_out(name: str, *, base: int = 40000, **changes: Values | None) -> Fake:
    """By the name of a device; keywords `m103={"W": 5}` change or add a model, None leaves it out."""
    models = dict(DEVICES[name])
    for key, values in changes.items():
        number = int(key[1:])
        if values is None:
            del models[number]
        else:
            models[number] = {**models.get(number, {}), **values}
    return laid_out(models, base)


def bound(fake: Fake, driver: Any, **options: Any) -> Any:
    """Bind a driver to a fake: `bound(fake, bind_pv, own_functions="off", writes="registers")`."""
    own = set(Options.__dataclass_fields__)
    profile = Profile(**{key: value for key, value in options.items() if key not in own})
    given: dict[str, Any] = {"profile": profile} | {key: value for key, value in options.items() if key in own}
    device = fake.run(driver(model, Options(**given)))
    fake.ops.clear()
    return device


def from_dump(name: str) -> Fake:
    """A recording as a device."""
    recorded = dump(name)
    places: dict[int, int] = {}
    for model_id, address, _ in recorded.get("chain", ()):
        places.setdefault(model_id, address)
    return Fake(registers=registers_of(recorded), places=places)
