"""`derctl verify`: unplugs derctl from each DER in turn and watches whether it does what the site file declares."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from derctl.cli.exits import BUSY, CONFIG, INTERRUPTED, NO, OK, UNREACHABLE
from derctl.cli.local import add_config, config_of
from derctl.cli.plain import page
from derctl.cli.proof import Run, contract_of, measured, recorded, subject_of
from derctl.cli.standing import standing
from derctl.commission.told import harmless
from derctl.commission.trial import Finding, Subject
from derctl.commission.verify import late_s
from derctl.core.text import clean, error_text
from derctl.core.types import Reading
from derctl.core.words import FallbackBy, Proven, Released
from derctl.daemon.actuate.proving import Proving, proving
from derctl.errors import BusError, CommandError
from derctl.site import DerSection, Site, load
from derctl.site.absence import attested
from derctl.store import proofs
from derctl.store.proofs import Proof

STOP = "verify has to be alone with the devices: stop derctl first (systemctl stop derctl), and start it afterwards"
ON_RECORD = frozenset({Proven.PROVEN, Proven.WITNESSED})
ALL = "no more proof is asked for: derctl run, then derctl arm"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("ders", nargs="*", metavar="DER", help="only these; default: all that need a proof")
    parser.add_argument("--yes", action="store_true", help="don't ask before each is written")
    parser.add_argument(
        "--asked", action="store_true", help="ask while it runs out, too, where any message starts the timer again"
    )
    seen = "NAME has seen the limit that is kept in each DER with by: device; derctl can't measure it"
    parser.add_argument("--witnessed", metavar="NAME", type=_name, help=seen)
    parser.add_argument("--json", action="store_true", help="for programs; needs --yes")


def _name(text: str) -> str:
    if not 0 < len(text.strip()) <= 64:
        raise argparse.ArgumentTypeError("a name of 1 to 64 characters")
    return text.strip()


def run(args: argparse.Namespace) -> int:
    """0 if the fail-safe of each was proven, and by what was measured the contract holds without derctl; else 1."""
    if args.json and not args.yes:
        raise argparse.ArgumentError(None, "--json asks nobody: say --yes, too")
    site = load(config_of(args))
    from derctl.store.folder import AlreadyRunning

    try:
        return asyncio.run(_verify(site, args))
    except asyncio.CancelledError:
        return INTERRUPTED
    except AlreadyRunning as error:
        print(f"{error}: {STOP}", file=sys.stderr)
        return BUSY
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG


def _chosen(site: Site, names: Sequence[str]) -> list[DerSection]:
    """Raises CommandError for a DER that the site file lacks, or of which there is nothing to prove."""
    known = {der.id: der for der in site.file.ders}
    for name in names:
        if name not in known:
            raise CommandError("no_der", f"no DER {name!r}; known are {', '.join(known)}")
        if not known[name].control:
            text = f"{name}: derctl doesn't write it (by the site file), so there is nothing to prove"
            raise CommandError("nothing_new", text)
    return [known[name] for name in names] or [der for der in known.values() if der.control]


async def _verify(site: Site, args: argparse.Namespace) -> int:
    chosen, out = _chosen(site, args.ders), sys.stderr if args.json else sys.stdout
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found: dict[str, Finding] = {}

    def say(text: str) -> None:
        print(page([clean(text)]), file=out, flush=True)

    at: Proving | None = None
    try:
        async with proving(site, say) as at:
            contract = await _all(site, chosen, at, found, args, say)
    finally:
        if at is not None:
            fallbacks = {der.id: der.fallback.p_ceiling_w for der in site.file.ders}
            back = {name: asdict(each) for name, each in at.given_back.items() if each.result != Released.NOT_WRITTEN}
            for line in standing(back, {}, fallbacks):
                say(f"given back: {line}")
    text, holds, waits_for = contract
    proven = len(found) == len(chosen) and all(each.verdict in ON_RECORD for each in found.values())
    if args.json:
        ders = {name: asdict(each) for name, each in found.items()}
        print(json.dumps({"ders": ders, "contract": {"holds": holds, "text": text}, "waits_for": waits_for}))
    else:
        say(text)
        say(f"control still waits for a proof: derctl verify {' '.join(waits_for)}" if waits_for else ALL)
    if not found:
        return UNREACHABLE if chosen else OK
    return OK if proven and holds else NO


async def _all(
    site: Site,
    chosen: Sequence[DerSection],
    at: Proving,
    found: dict[str, Finding],
    args: argparse.Namespace,
    say: Any,
) -> tuple[str, bool, list[str]]:
    """One after the other. Each is on record when it is done. What the contract is by them, and who still lacks a
    proof that control asks for."""
    known, _ = proofs.load(at.folder)
    devices = dict(zip([der.id for der in site.file.ders], await _found(site, at), strict=True))
    for der in chosen:
        device = devices[der.id]
        if device is None:
            text = at.writer(der.id).channel.bond.binding.text or "it does not answer"
            found[der.id] = Finding(verdict=Proven.UNCONFIRMED, text=text)
        elif not device.can.steer:
            say(f"{der.id}: derctl can only read it, so there is nothing to prove")
            continue
        elif attested(der):
            found[der.id] = witnessed(der, args.witnessed)
        else:
            subject = subject_of(der, device, at.writer(der.id).channel.measured.profile, asked=args.asked)
            if not await _agreed(der.id, subject, at, args, say):
                say(f"{der.id}: left out")
                continue
            found[der.id] = await Run(at, der.id, say).carry(subject)
        say(f"{der.id}: {found[der.id].verdict.upper()}: {found[der.id].text}")
        if device is not None and not (attested(der) and args.witnessed is None):
            known[der.id] = recorded(der, found[der.id], at, device)
            await proofs.save(at.folder, known)
    return *contract_of(site, measured(site, devices, found)), _lacking(site, devices, known)


def _lacking(site: Site, devices: Mapping[str, Any], known: Mapping[str, Proof]) -> list[str]:
    if not site.file.site.require_proof:
        return []
    written = [
        der.id for der in site.file.ders if der.control and (devices[der.id] is None or devices[der.id].can.steer)
    ]
    return [name for name in written if name not in known or known[name].verdict not in ON_RECORD]


def witnessed(section: DerSection, name: str | None) -> Finding:
    """Of a limit that is kept in the device: nothing is written."""
    ceiling_w = section.fallback.p_ceiling_w
    limit = "no limit" if ceiling_w is None else f"a limit of {ceiling_w:,.0f} W"
    if name is None:
        text = (
            f"{limit} is kept in the device, and derctl can't measure it: look at it there, and say --witnessed NAME"
        )
        return Finding(verdict=Proven.UNCONFIRMED, text=text)
    return Finding(verdict=Proven.WITNESSED, text=f"{name} saw {limit} in the device; derctl did not measure it")


async def _found(site: Site, at: Proving) -> list[Any]:
    return await asyncio.gather(*(at.find(der.id) for der in site.file.ders))


async def _agreed(name: str, subject: Subject, at: Proving, args: argparse.Namespace, say: Any) -> bool:
    """What will be written, how long it takes and what it may do; and whether that is agreed to."""
    if subject.cannot:
        return True
    try:
        reading = await at.look(name)
    except BusError:
        return True
    told = harmless(subject, reading)
    if isinstance(told, str):
        return True
    say(f"{name}: {_plan(subject, reading, told)}")
    if args.yes:
        return True
    if not sys.stdin.isatty():
        say("nothing is written: say --yes, or run it in a terminal")
        return False
    answer = await asyncio.to_thread(input, f"{name}: go on? [y/N] ")
    return answer.strip().lower() in {"y", "yes"}


def _plan(subject: Subject, reading: Reading, told: Any) -> str:
    gives = "it gives nothing that is known" if reading.p_w is None else f"it gives {reading.p_w:,.0f} W"
    what = f"a setpoint of {told.p_target_w:,.0f} W" if told.p_target_w is not None else None
    what = what or f"a limit of {told.p_ceiling_w:,.0f} W"
    if subject.by is FallbackBy.STANDS:
        return (
            f"{gives}; it will be told {what}, which has to stand while derctl is unplugged for {subject.after_s:g} s"
        )
    goal = "to no limit" if subject.p_ceiling_w is None else f"to {subject.p_ceiling_w:,.0f} W or less"
    most_s = late_s(subject) * (2.0 if subject.asks else 1.0)
    return (
        f"{gives}; it will be told {what}, and has to go {goal} by itself {subject.after_s:g} s after derctl falls"
        f" silent. It may give {subject.p_max_w:,.0f} W then if it does not; this takes up to {most_s:.0f} s"
    )
