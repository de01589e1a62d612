"""Which points derctl writes at all. Everything else stays as it is, unless the site file names the point. Pure.

What trips, what rides through, what a rating is and when a device may come back are the grid code's and the
installer's: a certified inverter that is told otherwise is no certified one any more.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

CONTROL = (
    "123.WMaxLim*",
    "123.VAr*",
    "124.StorCtl_Mod",
    "124.OutWRte",
    "124.InWRte",
    "124.InOutWRte_*",
    "704.WMaxLim*",
    "704.WSet*",
    "704.VarSet*",
)
"""The points that setpoints are made of; `*` stands for the rest of a name."""

OWN_POINT = "own."
OWN = (f"{OWN_POINT}*",)
"""What a register map of a vendor names as its own control points; whether they wear out its profile says."""

GATE = "gate"
"""The register of a profile's `gate`, whose address is no point of a model."""

NEVER = {
    "a trip or ride-through setting": (
        *("129.*", "130.*", "135.*", "136.*", "137.*", "138.*", "139.*", "140.*", "141.*", "142.*", "143.*", "144.*"),
        *("707.*", "708.*", "709.*", "710.*"),
    ),
    "an enter-service setting": ("703.*",),
    "a rating, or what percentages count from": ("120.*", "121.*", "702.*", "124.WChaMax", "124.VAChaMax"),
    "anti-islanding": ("704.AntiIslEna",),
    "a disconnection": ("123.Conn*", "802.SetOp", "802.SetInvState"),
    "the installer's switch for control from outside, which is closed": (GATE,),
}
"""What is never written, by what it is."""


@lru_cache(maxsize=4096)
def fits(point: str, patterns: tuple[str, ...]) -> bool:
    """Whether a point is one of these. It is asked for each register of each write."""
    return any(point.startswith(pattern[:-1]) if pattern.endswith("*") else point == pattern for pattern in patterns)


@lru_cache(maxsize=1024)
def unfit(points: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these points that are none of these patterns'."""
    return tuple(point for point in points if not fits(point, patterns))


def barred(point: str, named: Collection[str] = ()) -> str | None:
    """Why a point is never written, None where it may be. named: the points that the site file names."""
    return None if point in named else _kept(point)


@lru_cache(maxsize=4096)
def _kept(point: str) -> str | None:
    what = next((what for what, patterns in NEVER.items() if fits(point, patterns)), None)
    if what is not None:
        return f"{point} is {what}"
    return None if fits(point, (*CONTROL, *OWN)) else f"{point} is no control point"
