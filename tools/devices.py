"""Writes docs/devices.md from the profiles. `python -m tools.devices`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from derctl.cli.maps import line_text, order_text, systems_text
from derctl.cli.profiles import row_text, shown, unconfirmed
from derctl.core.words import SeenBy
from derctl.devices import Profile
from derctl.devices.fact import Fact
from derctl.devices.maps.control import Control, Point
from derctl.devices.maps.map import RegisterMap
from derctl.site import profiles
from derctl.site.profile_file import KEYS
from tools.states import table

PAGE = Path(__file__).parents[1] / "docs" / "devices.md"
INTRO = """\
# Devices

What derctl knows of makers' habits and registers: the files in `derctl/devices/profiles` and `derctl/devices/maps`,
a page drawn from them by `python -m tools.devices`; a test (`tests/laws/test_devices.py`) compares the two. `derctl
profiles show NAME` prints one.

A device is taken by the profile whose row names most of what it says of itself (maker, model, firmware, a model in
its chain), unless its row in the site file names one (`profile: kaco`). Where none is meant for it, it is taken by
the documents, and the event `found` and `status` (`profile_by: nobody`) say so.

**Confirmed** is what registers of a real device (`capture`) or its maker's document (`document`) say. What people
report, or nobody did (`report`, `assumed`), is marked, and so is what others quote of a maker's page that was not
seen itself (`quoted`): it may make derctl more careful than the documents' defaults, and never less; a profile file
that has it otherwise is refused. Whether a memory wears out makers say least of. A SunSpec control point counts as
volatile, as the documents mean it, and a register map's where the map says so; both are marked where nobody confirmed
it. What control depends on (`writes`,
`readback`, `timer_rearm`, `settle_s`, `volatile`, `min_limit_pct`) and nobody confirmed, `check` names for each
DER.

**Firmware** outside the range that a profile was seen with: the device is read and lowered, and nobody raises it
(`unverified`) until its row in the site file takes that version, and no other (`firmware: "1.40.0"`).

**A register map** is a profile with the registers of a device that has no SunSpec; a row of the site file names it
(`kind: map_meter, profile: eastron_sdm630`). What is controlled is what its lines confirm, and nothing else; what is
quoted only is written where the row of the DER names its points (`may_write: [own.limit_pct]`).

**How it was tested**: *dump* is a recording of a real device through the driver, beside pysunspec2; *personality*
is a simulated device of `hil/` with this habit; *document only* is neither: nobody has seen derctl with it.
"""


def proof_of(profile: Profile) -> str:
    """By what its test goes."""
    about = profile.about
    ways = [f"dump ({len(about.dumps)})"] if about.dumps else []
    ways += [f"personality `{about.personality}`"] if about.personality else []
    return ", ".join(ways) or "document only"


def mark(fact: Fact) -> str:
    """Who says it."""
    return f"{fact.by}: {fact.source}" if fact.confirmed else f"**unconfirmed** ({fact.by}): {fact.source}"


def overview() -> str:
    """A row for each profile."""
    rows = [
        [f"[`{each.name}`](#{each.name})", each.about.title, each.about.controls, each.about.failsafe, proof_of(each)]
        for each in profiles().values()
    ]
    return table(["profile", "devices", "what is controlled", "fail-safe in the device", "tested with"], rows)


def values(profile: Profile) -> Iterator[list[str]]:
    """A row for each value that it has."""
    for row in profile.match:
        yield ["`match`", row_text(row), mark(row.fact)]
    if profile.seen is not None:
        yield ["`firmware`", " to ".join(profile.seen), mark(profile.facts["seen"])]
    for group, keys in KEYS.items():
        for key in keys:
            if key in profile.facts:
                yield [f"`{group}.{key}`", shown(getattr(profile, key)), mark(profile.facts[key])]


def registers(profile: Profile) -> Iterator[str]:
    """The maker's own."""
    if profile.about.registers:
        yield "Its own registers, which derctl names and does not use:"
        wears = {True: "stored", False: "not stored", None: "not known"}
        rows = [
            [f"{each.address} (0x{each.address:04X})", each.name, wears[each.stored], mark(each.fact)]
            for each in profile.about.registers
        ]
        yield table(["register", "what it is", "memory", "who says it"], rows)


def map_page(made: RegisterMap) -> Iterator[str]:
    """Its lines."""
    signs: list[tuple[str, str, Fact]] = [
        ("recognised", f"{each.line.place} reads {each.wanted}", each.line.fact) for each in made.signature
    ]
    lines = [(f"`{line.name}`", line_text(line), line.fact) for line in (*made.lines, *made.shown)]
    yield f"Its register map, for `kind: {made.kind}`; who says it, where a line says nothing: {mark(made.fact)}"
    if made.connection is not None:
        asked = made.connection.line
        signs.append(("connected", f"{asked.place}: {systems_text(made.connection)}", asked.fact))
    rows = [[name, text, "" if fact == made.fact else mark(fact)] for name, text, fact in (*signs, *lines)]
    yield table(["line", "where and how", "who says it"], rows)
    if made.control is not None:
        yield from orders(made.control)


def memory(point: Point) -> str:
    """Who says what of it, where that isn't who says the rest."""
    return "" if point.wears == point.line.fact else f"; {mark(point.wears)}"


def orders(control: Control) -> Iterator[str]:
    """What is written."""
    yield "What may be written, where it is confirmed:"
    wears = {True: "not stored", False: "stored", None: "not known"}
    rows = [
        [f"`{p.name}`", line_text(p.line), wears[p.volatile] + memory(p), mark(p.line.fact)] for p in control.points
    ]
    yield table(["point", "where and how", "memory", "who says it"], rows)
    yield table(
        ["told", "steps", "who says it"],
        [[name, order_text(order), mark(order.fact)] for name, order in control.orders.items()],
    )


def section(profile: Profile) -> str:
    """One profile."""
    about, open_ = profile.about, unconfirmed(profile)
    facts = [
        ["what is read", about.reads],
        ["what is controlled", about.controls],
        ["fail-safe in the device", about.failsafe],
        ["tested with", proof_of(profile)],
        ["not confirmed", ", ".join(f"`{key}`" for key in open_) or "nothing"],
    ]
    parts = [f"## {profile.name}", about.title, table(["", ""], facts)]
    rows = list(values(profile))
    parts += [table(["value", "is", "who says it"], rows)] if rows else []
    parts += registers(profile)
    parts += [] if profile.map is None else list(map_page(profile.map))
    parts += ["\n".join(f"* {note}" for note in about.notes)] if about.notes else []
    return "\n\n".join(parts)


def count() -> str:
    """How much of all that is confirmed."""
    facts = [fact for each in profiles().values() for fact in each.facts.values()]
    by = {who: sum(fact.by is who for fact in facts) for who in SeenBy}
    told = ", ".join(f"{number} by `{who}`" for who, number in by.items())
    return f"Of {len(facts)} values that differ from the documents, or confirm them: {told}."


def page() -> str:
    """The whole page."""
    return "\n\n".join([INTRO.rstrip(), overview(), count(), *map(section, profiles().values())]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
