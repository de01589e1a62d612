"""`derctl init`: a commented site file from a scan, with questions asked once; then `check` of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from derctl.cli import check, maps, swept
from derctl.cli.answers import Answers, number, pairs, word
from derctl.cli.draft import Draft, Part, bms_of, parts_of, text_of
from derctl.cli.exits import OK
from derctl.cli.finding import Finding
from derctl.cli.look import BASES
from derctl.cli.plain import wrapped
from derctl.cli.sought import sought
from derctl.commission.described import UNSTATED
from derctl.commission.jurisdictions import HOLDERS, PLACES, objection, place_of, stands_beneath
from derctl.commission.rivals import Share, ceilings_w, rivals
from derctl.commission.shown import shown_text, sign_text
from derctl.core.words import Refusal
from derctl.devices import Options, Profile
from derctl.errors import CommandError
from derctl.site.grid_code import grid_code
from derctl.site.schema import Id

NO_CODE = "none"
HELP = {
    "id": "name of the site, part of its topics: lower case, digits, _ and -",
    "grid-code": f"whose settings count: {', '.join(PLACES)}, or {NO_CODE}",
    "v-nom": "nominal voltage, phase to neutral, V (default: what the devices state)",
    "poc": "which meter is at the point of connection, as meter1, or none",
    "sign": "1: that meter's W is positive for export; -1: for import",
    "limit": "the most that may be exported by the agreement, W, or none",
    "limiter": "what holds that limit when all else fails: " + "; ".join(f"{k}: {v}" for k, v in HOLDERS.items()),
    "grid-functions": "who runs volt-var, volt-watt and droop: device (preferred) or derctl",
    "mqtt": "the broker, HOST[:PORT] (default: none)",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    text = (
        "the file that `derctl scan ... --json` wrote, or places to scan now: 192.168.1.0/24, 192.168.1.20:502, "
        "/dev/ttyUSB0"
    )
    parser.add_argument("places", nargs="+", metavar="FOUND.json | PLACE", help=text)
    parser.add_argument("-o", "--output", type=Path, default=Path("site.yaml"), help="the file (default site.yaml)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    here = "not as the service: state and socket lie beside the file (without: /var/lib/derctl and /run/derctl)"
    parser.add_argument("--here", action="store_true", help=here)
    for name, help_ in HELP.items():
        parser.add_argument(f"--{name}", metavar="X", help=help_)
    for name, help_ in (
        ("rating", "DER=W, of one that states none"),
        ("fallback", "DER=W, the most it may give without derctl (default: its share of the limit)"),
        ("owner", "DER.WHAT=NAME, who tells it that: derctl, or another; WHAT: limit, power, var"),
    ):
        parser.add_argument(f"--{name}", action="append", metavar="X=Y", help=help_)
    maps.add_folder(parser)


def run(args: argparse.Namespace) -> int:
    """The exit code of `check`, 1 where derctl may not be what was asked for."""
    path: Path = args.output
    if path.exists() and not args.force:
        raise CommandError(
            Refusal.BAD_ARGUMENT, f"{path} is there already: another -o FILE, or --force to replace it"
        )
    findings, came_from = _found(args)
    draft = Draft(parts=parts_of(findings))
    if not draft.of("der"):
        raise CommandError(Refusal.BAD_ARGUMENT, "no inverter or battery was found: scan again, and look at its end")
    for part in draft.parts:
        _say(part.told)
    _ask(args, draft)
    _write(path, text_of(draft, came_from, path.absolute().parent if args.here else None))
    for line in place_text(draft):
        print(line)
    code = check.run(argparse.Namespace(config=path, json=False, live=False))
    if code == OK:
        print("\n".join(next_text(path, here=args.here)))
    return code


def next_text(path: Path, *, here: bool) -> list[str]:
    """What leads from this file to control."""
    ways = (
        (f"derctl check --live -c {path}", "what the devices say to it"),
        (f"derctl verify -c {path}", "the proof of the fail-safe; asks before each device"),
        (f"derctl run -c {path}", "observes, and goes on: the rest in another terminal"),
        (f"derctl arm -c {path}", "shows what it will write; said again, it controls"),
    )
    service = (
        (f"sudo install -g derctl -m 640 {path} /etc/derctl/site.yaml", "after sudo systemd/install.sh"),
        ("sudo derctl check --live", "what the devices say to it"),
        ("sudo derctl verify", "the proof of the fail-safe; asks before each device"),
        ("sudo systemctl enable --now derctl", "observes"),
        ("sudo derctl arm", "shows what it will write; said again, it controls"),
    )
    rows = ways if here else service
    width = max(len(command) for command, _ in rows)
    return ["", f"{path} is written. Next:", *(f"  {command:<{width}}  # {text}" for command, text in rows)]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _write(path: Path, text: str) -> None:
    """Whole or not at all. Raises CommandError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        said = f"{path} can't be written: {error.strerror or error}; another place with -o FILE"
        raise CommandError(Refusal.BAD_ARGUMENT, said) from error


def _found(args: argparse.Namespace) -> tuple[list[Finding], str]:
    """What was found, and where that comes from. Raises CommandError, and ArgumentError for a place that is none."""
    first = args.places[0]
    if len(args.places) == 1 and (first.endswith(".json") or Path(first).is_file()):
        return findings_in(Path(first)), first
    try:
        words = [sought(each) for each in args.places]
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentError(None, str(error)) from error
    options = Options(profile=Profile(bases=BASES), declared=UNSTATED)
    found = swept.look(words, options, args.profiles)
    if not found.found:
        raise CommandError(Refusal.BAD_ARGUMENT, f"nobody was found: derctl scan {' '.join(args.places)} says why")
    return found.found, f"a scan of {', '.join(args.places)}"


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """What `scan --json` writes, as far as it is needed here."""

    found: list[Finding]


def findings_in(path: Path) -> list[Finding]:
    """Raises CommandError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Scanned).found
    except OSError as error:
        text = f"{path}: {error.strerror}; write it with derctl scan PLACES --units usual --json > {path}"
        raise CommandError(Refusal.BAD_ARGUMENT, text) from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        said = (
            f"{path} is no sweep of several places ({error}); write it with derctl scan PLACES --units usual --json"
        )
        raise CommandError(Refusal.BAD_ARGUMENT, said) from error


def _ask(args: argparse.Namespace, draft: Draft) -> None:
    """Fill in the draft. Raises ArgumentError with all that is missing."""
    answers = Answers()
    draft.id = answers.of(answers.parsed(args.id, "--id", _id, "x"), "--id", HELP["id"], _id, none="x")
    codes = word(*PLACES, NO_CODE)
    given = answers.parsed(args.grid_code, "--grid-code", codes, NO_CODE)
    code = answers.of(given, "--grid-code", HELP["grid-code"], codes, none=NO_CODE)
    draft.grid_code = None if code == NO_CODE else code
    volts = number(50, 1000)
    draft.v_nom_v = answers.of(
        answers.parsed(args.v_nom, "--v-nom", volts, 230.0),
        "--v-nom",
        HELP["v-nom"],
        volts,
        usual=_usual_v(draft),
        none=230.0,
    )
    draft.f_nom_hz = _f_nom(draft)
    _ask_meter(args, draft, answers)
    _ask_limit(args, draft, answers)
    _ask_owners(args, draft, answers)
    functions = word("device", "derctl")
    draft.grid_functions = answers.of(
        answers.parsed(args.grid_functions, "--grid-functions", functions, "device"),
        "--grid-functions",
        HELP["grid-functions"],
        functions,
        usual="device",
        none="device",
    )
    draft.mqtt = "" if args.mqtt in {None, "none"} else args.mqtt
    _ask_ratings(args, draft, answers)
    against = objection(draft.grid_code, draft.limiter, agreed=draft.limit_w is not None)
    if against:
        answers.refuse(against)
    answers.complete()


def _id(text: str) -> str:
    try:
        return msgspec.convert(text, Id)
    except msgspec.ValidationError:
        raise ValueError(f"{text!r}: lower case, digits, _ and -, at most 63 characters") from None


def _limit(text: str) -> float:
    return -1.0 if text == "none" else number(0, 1e9)(text)


def _usual_v(draft: Draft) -> str | None:
    """The grid code's, or the only one that the devices state."""
    code = None if draft.grid_code is None else grid_code(draft.grid_code)
    if code is not None and code.v_nom_v is not None:
        return f"{code.v_nom_v:g}"
    stated = {round(v) for part in draft.of("der") for v in part.use.nominal.v}
    return f"{stated.pop():g}" if len(stated) == 1 else None


def _f_nom(draft: Draft) -> int:
    """The nearer to what is measured, or no device would be taken; else the grid code's."""
    measured = [part.use.f_hz for part in draft.parts if part.use.f_hz]
    if draft.grid_code is not None and not measured:
        return int(grid_code(draft.grid_code).f_nom_hz)
    return 60 if measured and measured[0] > 55.0 else 50


def _ask_meter(args: argparse.Namespace, draft: Draft, answers: Answers) -> None:
    meters = {part.id: part for part in draft.of("meter")}
    names = word(*meters, "none")
    usual = "none" if not meters else next(iter(meters)) if len(meters) == 1 else None
    said = answers.parsed(args.poc, "--poc", names, "none")
    draft.poc = answers.of(said, "--poc", HELP["poc"], names, usual=usual, none="none")
    meter = meters.get(draft.poc)
    if meter is None:
        return
    signs = word("1", "-1")
    now = _shown(draft, meter)
    shows = "" if now is None else f"; {shown_text(*now)}"
    usual = None if meter.use.meter_sign is None else str(meter.use.meter_sign)
    given = answers.parsed(args.sign, "--sign", signs, "1")
    draft.sign = int(answers.of(given, "--sign", f"{HELP['sign']}{shows}", signs, usual=usual, none="1"))


def _shown(draft: Draft, meter: Part) -> tuple[float, float | None] | None:
    """What the meter reads as it counts itself, and what the DERs give beside it; None: it was not read."""
    if meter.use.now_w is None:
        return None
    given = [part.use.now_w for part in draft.of("der")]
    known = [watts for watts in given if watts is not None]
    return meter.use.now_w * (meter.use.meter_sign or 1), sum(known) if len(known) == len(given) else None


def _ask_limit(args: argparse.Namespace, draft: Draft, answers: Answers) -> None:
    given_w = answers.parsed(args.limit, "--limit", _limit, -1.0)
    agreed = answers.of(given_w, "--limit", HELP["limit"], _limit, none=-1.0)
    draft.limit_w = None if agreed < 0.0 else agreed
    holders = word(*HOLDERS)
    given = answers.parsed(args.limiter, "--limiter", holders, "device")
    if draft.limit_w is None:
        if given is None and any(each.startswith("--limit ") for each in answers.missing):
            answers.missing.append(f"--limiter   with a limit: {HELP['limiter']}")
        draft.limiter = given or "no_limit"
        return
    if draft.poc == "none" and not any(each.startswith("--poc") for each in (*answers.missing, *answers.senseless)):
        answers.refuse("an export limit needs the meter at the point of connection: --poc")
    about = f"{HELP['limiter']}. Here it takes {place_of(draft.grid_code).limiter}"

    def holder(text: str) -> str:
        against = objection(draft.grid_code, holders(text), agreed=True)
        if against:
            raise ValueError(against)
        return text

    draft.limiter = answers.of(given, "--limiter", about, holder, none="device")


def _ask_owners(args: argparse.Namespace, draft: Draft, answers: Answers) -> None:
    """Each that could tell a DER something, and whose that is."""
    others = [part.use for part in draft.parts]
    given = pairs(args.owner, "--owner")
    for part in draft.of("der"):
        draft.rivals += rivals(part.id, part.use, others)
    known = {f"{part.id}.{what}" for part in draft.of("der") for what in ("limit", "power", "var")}
    for key in sorted(given.keys() - known):
        ders = ", ".join(part.id for part in draft.of("der"))
        answers.refuse(f"--owner {key}: give it as DER.limit, DER.power or DER.var; there are {ders}")
    for rival in draft.rivals:
        text = f"who tells {rival.der} its {rival.what}: derctl, or another by its name ({rival.name}: {rival.why})"
        flag = f"--owner {rival.key}=NAME"
        draft.owners[rival.key] = answers.of(given.get(rival.key), flag, text, _owner, none="derctl")
    draft.owners |= {key: name for key, name in given.items() if key in known and key not in draft.owners}


def _owner(text: str) -> str:
    if not 0 < len(text) <= 64:
        raise ValueError("a name of 1 to 64 characters")
    return text


def _ask_ratings(args: argparse.Namespace, draft: Draft, answers: Answers) -> None:
    """Ratings of those that state none, and what each may give without derctl."""
    watts = number(1, 1e9)
    given, limits = pairs(args.rating, "--rating"), pairs(args.fallback, "--fallback")
    for part in draft.of("der"):
        if part.use.rating is None:
            flag = f"--rating {part.id}=W"
            text = f"what the nameplate of {part.told} says, W"
            said = answers.parsed(given.get(part.id), flag, watts, 1.0)
            draft.ratings_w[part.id] = answers.of(said, flag, text, watts, none=1.0)
        else:
            draft.ratings_w[part.id] = part.use.rating.p_max_w
    shares = [_share(draft, part) for part in draft.of("der")]
    draft.ceilings_w = ceilings_w(shares, draft.limit_w)
    for id_, text in limits.items():
        if id_ not in draft.ceilings_w:
            answers.refuse(f"--fallback {id_}: no such DER; there are {', '.join(draft.ceilings_w)}")
            continue
        draft.ceilings_w[id_] = answers.parsed(text, f"--fallback {id_}", number(0, 1e9), 0.0)


def _share(draft: Draft, part: Part) -> Share:
    works = [] if part.use.fallback is None else part.use.fallback.works
    settable = any(by in works for by in ("reversion", "stands")) and draft.controlled(part)
    return Share(id=part.id, rated_w=draft.ratings_w[part.id], stores=part.use.stores, settable=settable)


def place_text(draft: Draft) -> Iterator[str]:
    """What derctl may be there, and what stands beneath it."""
    place = place_of(draft.grid_code)
    yield from wrapped(f"what derctl may be here: {place.may} ({place.rule})", "", "  ")
    set_w = {part.id: (part.found.set_w, part.found.rated_w) for part in draft.of("der") if not part.use.stores}
    beneath = stands_beneath(draft.limit_w, draft.limiter, set_w)
    if beneath:
        yield from wrapped(f"the certified limit beneath: {beneath}", "", "  ")
    for rival in draft.rivals:
        owned = draft.owners.get(rival.key, "derctl")
        yield from wrapped(
            f"{rival.der}'s {rival.what} is told by {owned}; seen: {rival.name}, {rival.why}", "", "  "
        )
    code = None if draft.grid_code is None else grid_code(draft.grid_code)
    if code is not None and code.f_nom_hz != draft.f_nom_hz:
        text = f"! the devices measure {draft.f_nom_hz} Hz, and {draft.grid_code} is a code of {code.f_nom_hz:g} Hz"
        yield from wrapped(f"{text}: look whether that is the code that counts there", "", "  ")
    meter = next((part for part in draft.of("meter") if part.id == draft.poc), None)
    shown = None if meter is None else _shown(draft, meter)
    if shown is not None:
        yield from wrapped(sign_text(draft.sign, *shown), "", "  ")
    unplaced = [part.told for part in draft.of("bms") if not any(part.row == each for each in _used_bms(draft))]
    for text in unplaced:
        yield from wrapped(f"! {text}: say in the row of its inverter that it is that one's: bms: {{...}}", "", "  ")


def _used_bms(draft: Draft) -> list[Any]:
    return [found.row for part in draft.of("der") if (found := bms_of(draft, part)) is not None]
