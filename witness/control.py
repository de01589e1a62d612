"""tmodbus as the device that is controlled: the daemon limits it, and pysunspec2 reads what stands there then."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from witness import ours, theirs
from witness.images import BAUD, Image
from witness.judge import Judges, Ports
from witness.verdict import Row

LIMIT_W = 1500.0
PATIENCE_S = 60.0
CONTROLLED = (
    "made_pv_1xx",
    "made_pv_7xx",
    "fronius_symo_3_0_float_sn_113_01",
    "kaco_blueplanet_86tl3_blueplanet_86tl3",
    "sma_solar_inverter_9338_sn_103_05",
    "sma_sunnyboy_3_6_nb_20230810",
)
"""Images of inverters for 230 V and 50 Hz that take a limit, where they are there."""
WAYS = (("tcp", "operator"), ("tls", "operator"), ("tls", "viewer"), ("rtu_over_tcp", ""), ("rtu", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """One inverter of the site: which image, over which wire, and over TLS as whom."""

    der: str
    image: str
    wire: str
    role: str

    @property
    def copy(self) -> str:
        """The name of its own copy of the image."""
        return f"{self.der}:{self.image}"


def driven_of(images: Mapping[str, Image]) -> list[Driven]:
    """Each image over each wire; with a role that may only read the first one alone."""
    there = [name for name in CONTROLLED if name in images]
    pairs = [(way, name) for way in WAYS for name in (there[:1] if way[1] == "viewer" else there)]
    return [
        Driven(der=f"pv{number}", image=name, wire=wire, role=role)
        for number, ((wire, role), name) in enumerate(pairs, start=1)
    ]


def site_of(driven: list[Driven], units: Mapping[str, int], ports: Mapping[str, Ports], folder: Path,
            papers: Path) -> dict[str, Any]:  # fmt: skip
    """A site file in which each is limited by the operator alone."""
    buses, ders = [], []
    for each in driven:
        place: dict[str, Any] = {"host": "127.0.0.1", "port": ports[each.copy][each.wire]}
        if each.wire == "rtu":
            place = {"port": ports[each.copy]["rtu"], "baud": BAUD}
        if each.wire == "tls":
            place["ca_file"] = f"{papers}/ca.pem"
            place |= {f"{key}_file": f"{papers}/{each.role}.{end}" for key, end in (("cert", "pem"), ("key", "key"))}
        buses.append({"id": f"to_{each.der}", each.wire: place})
        ders.append(
            {"id": each.der, "bus": f"to_{each.der}", "unit": units[each.image], "kind": "sunspec_pv",
             "own_functions": "off", "fallback": {"p_ceiling_w": 2000, "by": "stands"}}
        )  # fmt: skip
    site = {"id": "witness", "v_nom_v": 230, "f_nom_hz": 50, "mode": "control"}
    site |= {"state_dir": f"{folder}/state", "require_proof": False}
    site |= {"socket": f"{folder}/derctl.sock"}
    return {"version": 1, "site": site, "buses": buses, "ders": ders, "functions": [{"kind": "operator_limit"}]}


@asynccontextmanager
async def running(site_file: Path, log: Path) -> AsyncIterator[None]:
    """The daemon, until its end is asked for."""
    command = (sys.executable, "-m", "derctl", "run", "-c", str(site_file))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def status(site_file: Path) -> dict[str, Any]:
    """Its DERs; {} while it does not answer."""
    try:
        found: dict[str, Any] = (await ours.told("status", "-c", str(site_file)))["ders"]
    except RuntimeError:
        return {}
    return found


async def until(site_file: Path, true: Any) -> dict[str, Any]:
    """The first status of which that is true, or the last one."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        found = await status(site_file)
        if (found and true(found)) or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.5)


async def judged(judges: Judges, images: Mapping[str, Image], folder: Path, papers: Path) -> list[Row]:
    """A limit of LIMIT_W for each, all at once."""
    driven = driven_of(images)
    units = {each.image: images[each.image].unit for each in driven}
    copies = {each.copy: images[each.image] for each in driven}
    (folder / "state").mkdir()
    site_file = folder / "site.yaml"
    async with judges.serving(copies, folder, papers) as ports:
        site_file.write_text(yaml.safe_dump(site_of(driven, units, ports, folder, papers)), encoding="utf-8")
        async with running(site_file, folder / "daemon.log"):
            await until(site_file, lambda ders: all(der["identity"] for der in ders.values()))
            await asyncio.gather(*(_limit(site_file, each) for each in driven))
            await until(site_file, lambda ders: all(_settled(ders[each.der], each) for each in driven))
            found = {each: await _standing(ports[each.copy]["tcp"], units[each.image]) for each in driven}
    return [
        _row(wire, role, {k: v for k, v in found.items() if (k.wire, k.role) == (wire, role)}) for wire, role in WAYS
    ]


async def _limit(site_file: Path, each: Driven) -> None:
    command = (sys.executable, "-m", "derctl", "limit", f"{LIMIT_W:g}", each.der, "10m", "-c", str(site_file))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    await process.wait()


def _settled(der: dict[str, Any], each: Driven) -> bool:
    """Whether derctl says that the limit stands; it begins with what the device gives, and rises slowly."""
    ceiling_w: float | None = der["standing"]["p_ceiling_w"]
    if each.role == "viewer":
        return bool(der["outcome"]["reason"] == "refused")
    return ceiling_w is not None and 0.95 * LIMIT_W <= ceiling_w <= LIMIT_W


async def _standing(port: int, unit: int) -> tuple[float | None, float]:
    """The limit in the registers, W (None: none is on), and the step that it can be given in."""
    _, values = await theirs.values(port, unit)
    pairs = (("704#1.WMaxLimPct", "704#1.WMaxLimPctEna", "702#1.WMax", "704#1.WMaxLimPct_SF"),
             ("123#1.WMaxLimPct", "123#1.WMaxLim_Ena", "121#1.WMax", "123#1.WMaxLimPct_SF"))  # fmt: skip
    limit, enabled, most, scale = next(pair for pair in pairs if pair[0] in values)
    whole = float(values[most])  # type: ignore[arg-type]
    step_w = whole / 100.0 * 10.0 ** int(values[scale])  # type: ignore[call-overload]
    on = values[enabled] == 1 and values[limit] is not None
    return (float(values[limit]) / 100.0 * whole if on else None), step_w  # type: ignore[arg-type]


def _row(wire: str, role: str, found: Mapping[Driven, tuple[float | None, float]]) -> Row:
    wrong = []
    for each, (limit_w, step_w) in found.items():
        if role == "viewer" and limit_w is not None:
            wrong.append(f"{each.image}: {limit_w:.0f} W stands there, and the role may only read")
        if role != "viewer" and (limit_w is None or not LIMIT_W - step_w <= limit_w <= LIMIT_W + 1e-6):
            wrong.append(f"{each.image}: {limit_w} W stands there, {LIMIT_W:.0f} W was meant")
    what = "is limited by the daemon" if role != "viewer" else "is not limited by a role that may only read"
    what = f"serves, {what}"
    return Row(judge="tmodbus", wire=wire, what=what, compared=len(found), wrong=tuple(wrong))
