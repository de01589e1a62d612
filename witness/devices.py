"""tmodbus as the device: derctl reads register images behind a framing that shares nothing with pymodbus."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from witness import ours, theirs
from witness.images import BAUD, Image
from witness.judge import Judges, Ports
from witness.verdict import Row, differing

WIRES = ("tcp", "tls", "rtu_over_tcp", "rtu")
SET_ASIDE = {
    "701#1.ThrotSrc": "OutBack sets the top bit of a bitfield32, whose range ends at 0x7FFFFFFF",
}
"""What pysunspec2 gives and derctl does not, and why."""


def compared(names: Iterable[str]) -> list[str]:
    """Without padding, which means nothing, and without what is set aside."""
    return [name for name in names if not name.endswith(".Pad") and name not in SET_ASIDE]


def places(ports: Ports, papers: Path, role: str) -> dict[str, list[str]]:
    """By wire, what the command line takes."""
    files = {"ca": "ca.pem", "cert": f"{role}.pem", "key": f"{role}.key"}
    given = [word for key, file in files.items() for word in (f"--{key}", str(papers / file))]
    return {
        "tcp": [f"127.0.0.1:{ports['tcp']}"],
        "tls": [f"tls://127.0.0.1:{ports['tls']}", *given],
        "rtu_over_tcp": [f"rtu+tcp://127.0.0.1:{ports['rtu_over_tcp']}"],
        "rtu": [f"{ports['rtu']}:{BAUD}"],
    }


async def judged(judges: Judges, images: Mapping[str, Image], what: str, folder: Path, papers: Path) -> list[Row]:
    """Each image over each wire: the models that are found, and each value against pysunspec2's."""
    async with judges.serving(images, folder, papers) as ports:
        rows = [await _read(images, ports, wire, what, papers) for wire in WIRES]
        return [*rows, await _refused(images, ports, papers)]


async def _read(images: Mapping[str, Image], ports: Mapping[str, Ports], wire: str, what: str, papers: Path) -> Row:
    count, wrong = 0, list[str]()
    for name, image in images.items():
        place = places(ports[name], papers, "operator")[wire]
        try:
            models, there = await theirs.values(int(ports[name]["tcp"]), image.unit)
            found, here = await ours.scanned(place, image.unit), await ours.values(place, image.unit)
        except (RuntimeError, OSError) as error:
            wrong.append(f"{name}: {error}")
            continue
        names = compared(there)
        count += len(names) + 1
        wrong += [f"{name}: models {models} there, {found} here"] if sorted(models) != sorted(found) else []
        wrong += [f"{name}: {text}" for text in differing(there, here, names)]
    return Row(judge="tmodbus", wire=wire, what=f"serves {what}", compared=count, wrong=tuple(wrong))


async def _refused(images: Mapping[str, Image], ports: Mapping[str, Ports], papers: Path) -> Row:
    """A certificate without a role: tmodbus reads the role with a library of its own."""
    name, image = next(iter(images.items()))
    try:
        await ours.scanned(places(ports[name], papers, "nobody")["tls"], image.unit)
        wrong = [f"{name}: read without a role"]
    except RuntimeError as error:
        wrong = [] if "exception 1 (or a certificate without a role may not)" in str(error) else [str(error)]
    return Row(judge="tmodbus", wire="tls", what="serves, is not read without a role", compared=1, wrong=tuple(wrong))
