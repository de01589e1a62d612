"""A device that was found, as one kind of the catalogue, in words and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from derctl.commission.advice import advised
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.text import clean, power_text
from derctl.core.types import Rating, Reading
from derctl.devices import Device, Kind, Options
from derctl.devices.plausible import plausible
from derctl.devices.sunspec.section import Seen
from derctl.errors import DecodeError, DeviceError, WrongKind

Row = dict[str, Any]
"""What is known of a device as one kind, plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One kind that a section can be used as. needed: several sections can, so the site file has to say which.
    profile: its register map, "" where it is used by its chain."""

    kind: str
    row: Row
    seen: Seen
    needed: bool
    profile: str = ""

    @property
    def role(self) -> str:
        return str(self.row["role"])

    @property
    def stores(self) -> bool:
        """It can be aimed both ways: a PV inverter with 704 could be taken for a battery, but has no charging."""
        row = self.row
        return row["rating"] is not None and row["can"]["battery"] is not None and row["rating"]["p_min_w"] < 0.0


UNSTATED = Rating(p_max_w=1e9, p_min_w=0.0, s_max_va=1e9, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=1.0)
"""Stands for the rating that a device doesn't state: it is found all the same, and no reading is above it."""


def used_as(row: Kind, options: Options) -> Exchange[Row]:
    try:
        device = yield from row.bind(options)
    except WrongKind as error:
        return {"usable": False, "role": row.role, "text": f"it answers as {error.found}"}
    except DeviceError as error:
        return {"usable": False, "role": row.role, "text": clean(str(error))}
    reading = yield from _reading(device)
    found = {"usable": True, "role": row.role, "text": _describe(device, reading), "now_w": reading.p_w}
    told = None if reading.accepted is None else reading.accepted.p_ceiling_w
    own: Row = {
        "v_v": reading.v_v,
        "f_hz": reading.f_hz,
        "own_on": list(reading.own_on),
        "own_off": list(reading.own_off),
        "limit_w": told,
    }
    return found | _facts(device) | own | {"fallback": advised(device) if row.role == "der" else None}


def _reading(device: Device) -> Exchange[Reading]:
    """What it measures now; nothing where that can't be read."""
    try:
        answers = {}
        for name, read in device.control.items():
            answers[name] = yield read
        return plausible(device.decode(answers), device.rating)
    except (DecodeError, DeviceError):
        return Reading()


def _facts(device: Device) -> dict[str, Any]:
    rating = None if device.rating == UNSTATED else asdict(device.rating)
    told = {"rating": rating, "can": asdict(device.can), "problems": list(device.problems)}
    return told | {"nominal": {"v": list(device.nominal.voltages()), "f_hz": device.nominal.f_hz}}


def _now_text(device: Device, p_w: float) -> str:
    """Of a battery which way; the sign of a meter is not known yet."""
    return power_text(p_w) if device.can.store and round(p_w) < 0 else f"{p_w:,.0f} W"


def _describe(device: Device, reading: Reading) -> str:
    rating, can = device.rating, device.can
    now = "" if reading.p_w is None else f", {_now_text(device, reading.p_w)} now"
    if rating.size_w == 0.0:
        return f"reads{now}"
    if rating == UNSTATED:
        return f"reads{now}; it states no rating, so it is not controlled"
    takes = [name for name, given in (("ceiling", can.limit), ("target", can.aim), ("var", can.var)) if given]
    charge = f", charges at up to {-rating.p_min_w:g} W" if can.store and rating.p_min_w < 0.0 else ""
    text = f"{rating.p_max_w:g} W, {rating.s_max_va:g} VA{charge}{now}; takes {', '.join(takes) or 'nothing'}"
    return clean("; ".join([text, *device.problems]))
