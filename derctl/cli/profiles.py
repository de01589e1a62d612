"""`derctl profiles`: what derctl knows of makers' habits, who says it, and whether that is confirmed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from derctl.cli import maps
from derctl.cli.plain import wrapped
from derctl.core.words import Refusal
from derctl.devices import Profile
from derctl.devices.profile import Row
from derctl.errors import CommandError
from derctl.site import known_profiles, profile_at
from derctl.site.hints import similar
from derctl.site.profile_file import KEYS
from derctl.site.profiles import text_of

DEPENDS = ("writes", "readback", "timer_rearm", "settle_s", "volatile", "min_limit_pct")
"""What control depends on: `check` and `show` say where nobody confirmed it, whether the profile has it or not."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("what", nargs="?", choices=("list", "show", "check"), default="list", help="default: list")
    maps.add_folder(parser)
    parser.add_argument("which", nargs="?", metavar="NAME|FILE", help="show: a profile's name; check: a file")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """List them, show one by its name, or check a file of one's own."""
    if args.what == "list" and args.json:
        print(json.dumps([summary(each) for each in known_profiles(args.profiles).values()], indent=2))
    elif args.what == "list":
        print("\n".join(_listed(args.profiles)))
    elif args.which is None:
        wants = "the name of a profile" if args.what == "show" else "a file"
        raise argparse.ArgumentError(None, f"{args.what} needs {wants}")
    elif args.what == "show":
        named = _named(args.which, args.profiles)
        print(json.dumps(summary(named), indent=2) if args.json else "\n".join(page(named)))
    elif args.json:
        print(json.dumps(summary(profile_at(Path(args.which))), indent=2))
    else:
        found = profile_at(Path(args.which))
        print("\n".join([f"{args.which}: no problems", *page(found)]))
    return 0


def _named(name: str, folder: Path) -> Profile:
    known = known_profiles(folder)
    if name not in known:
        listed = f"known are {', '.join(known)}"
        raise CommandError(Refusal.BAD_ARGUMENT, f"no profile {name!r}{similar(name, known)}; {listed}")
    return known[name]


def _listed(folder: Path) -> Iterator[str]:
    known = known_profiles(folder)
    width = max(map(len, known))
    for each in known.values():
        of = "" if each.map is None else f"{each.map.kind}, "
        text = f"{each.about.title} ({of}{len(unconfirmed(each))} values not confirmed)"
        yield from wrapped(text, f"{each.name:<{width}}  ")


def unconfirmed(profile: Profile) -> list[str]:
    """Values that control depends on, or that the profile has, and that no capture and no document says."""
    depends = DEPENDS if controls(profile) else ()
    keys = [*profile.facts, *(key for key in depends if key not in profile.facts)]
    return sorted(key for key in keys if not profile.confirmed(key))


def controls(profile: Profile) -> bool:
    """Whether such a device may be written at all."""
    return profile.map is None or profile.map.control is not None


def summary(profile: Profile) -> dict[str, Any]:
    """One profile, for programs: each value with who says it (null: nobody, the documents' default counts)."""
    about = profile.about
    keys = [key for group in KEYS.values() for key in group]
    return {
        "name": profile.name,
        "title": about.title,
        "kind": None if profile.map is None else profile.map.kind,
        "reads": about.reads,
        "controls": about.controls,
        "failsafe": about.failsafe,
        "notes": list(about.notes),
        "meant_for": [row_text(row) for row in profile.match],
        "firmware": None if profile.seen is None else list(profile.seen),
        "values": {key: {"value": getattr(profile, key), "by": _by(profile, key)} for key in keys},
        "unconfirmed": unconfirmed(profile),
    }


def _by(profile: Profile, key: str) -> str | None:
    return str(profile.facts[key].by) if key in profile.facts else None


def page(profile: Profile) -> Iterator[str]:
    """One profile, for people."""
    about = profile.about
    yield f"{profile.name}: {about.title}"
    for head, text in (("reads", about.reads), ("controls", about.controls), ("fail-safe", about.failsafe)):
        yield from wrapped(text, f"  {head:<10} ")
    for row in profile.match:
        yield from wrapped(maps.said(row_text(row), row.fact), "  meant for  ")
    if profile.seen is not None:
        said = maps.said(f"{profile.seen[0]} to {profile.seen[1]}", profile.facts["seen"])
        yield from wrapped(f"{said}. Others are read, and not raised", "  firmware   ")
    for group, keys in KEYS.items():
        there = [key for key in keys if key in profile.facts or (key in DEPENDS and controls(profile))]
        yield from [f"  {group}"] if there else []
        for key in there:
            yield from wrapped(value_of(profile, key), f"    {key:<22} ")
    for register in about.registers:
        wears = {True: ", stored", False: ", not stored", None: ""}[register.stored]
        text = f"{register.address} (0x{register.address:04X}) {register.name}{wears}"
        yield from wrapped(maps.said(text, register.fact), "  its own    ")
    if profile.map is not None:
        yield from maps.page(profile.map)
    for note in about.notes:
        yield from wrapped(note, "  - ")


def value_of(profile: Profile, key: str) -> str:
    """With who says it."""
    value = shown(getattr(profile, key))
    if key not in profile.facts:
        return f"{value}: unconfirmed, the documents' default"
    return maps.said(value, profile.facts[key])


def row_text(row: Row) -> str:
    """Whom a row means."""
    parts = [f"maker {row.maker}"] if row.maker else []
    parts += [f"model {row.model}"] if row.model else []
    parts += [f"firmware {row.firmware[0]} to {row.firmware[1]}"] if row.firmware else []
    parts += [f"model {row.has} in its chain"] if row.has is not None else []
    return ", ".join(parts)


def shown(value: Any) -> str:
    """A value as its file has it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(raws)}" for key, raws in value.items())
    return text_of(value)
