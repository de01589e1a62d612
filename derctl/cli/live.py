"""`derctl check --live`: a site file with its devices and its broker, before the service starts. Only reads."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from derctl.cli.certified import certificate_at
from derctl.cli.exits import BUSY, NO, OK
from derctl.cli.meeting import meet
from derctl.cli.plain import wrapped
from derctl.cli.told import clock_of
from derctl.commission import outside
from derctl.commission.finding import Finding, Weight
from derctl.commission.fits import power_w
from derctl.commission.live import Looked, findings, settled
from derctl.commission.met import Met
from derctl.core.text import clean, gives_text
from derctl.core.words import Contract, Greeted
from derctl.daemon.build import broker_of
from derctl.errors import CommandError, LinkError
from derctl.links.greeting import Greeting, greet
from derctl.links.local import ask
from derctl.site import Site, absence_of, fallback_of, found_of
from derctl.site.absence import Absence
from derctl.site.schema import MqttSection

RUNS = (
    "the daemon of this site is running, and it alone holds its wires. What it sees of them: derctl doctor. For"
    " this look stop it first (limits stand meanwhile): sudo systemctl stop derctl"
)


def run(args: argparse.Namespace, site: Site) -> int:
    """0 if nothing has to be mended or looked at, 1 if something has, 75 while the daemon runs."""
    if runs(Path(site.file.site.socket)):
        print("\n".join(wrapped(RUNS)), file=sys.stderr)
        return BUSY
    looked = asyncio.run(look(args, site))
    found = findings(looked)
    if args.json:
        print(json.dumps(summary(site, looked, found), indent=2))
    else:
        print("\n".join(page(site, looked, found)))
    return OK if settled(found) else NO


def runs(socket: Path) -> bool:
    """Whether a daemon answers there. Raises LinkError where nobody may ask."""
    try:
        asyncio.run(ask(socket, "status"))
    except CommandError:
        return True
    except LinkError as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        return isinstance(error.__cause__, TimeoutError)
    return True


async def look(args: argparse.Namespace, site: Site) -> Looked:
    """Devices and broker side by side."""
    loud = sys.stderr.isatty() and not args.json

    def tell(text: str) -> None:
        if loud:
            print(f"... {clean(text)}", file=sys.stderr, flush=True)

    met, broker = await asyncio.gather(meet(site, for_s=args.lasting, tell=tell), _broker(site))
    clock = clock_of(site)
    return Looked(
        met=met,
        synced=clock.synced,
        clock_text=clock.text,
        broker=broker,
        papers=tuple(papers_of(site)),
        absent=_absent(site, met),
    )


async def _broker(site: Site) -> outside.Broker | None:
    section = site.file.mqtt
    if section is None:
        return None
    return seen_of(section, await greet(broker_of(site, section)))


def seen_of(section: MqttSection, greeting: Greeting) -> outside.Broker:
    """How it answered, for the judgement."""
    return outside.Broker(
        place=f"{section.host}:{section.port}",
        greeted=greeting.word,
        said=clean(greeting.text),
        ends_in_s=greeting.ends_in_s(datetime.now(UTC)),
    )


def papers_of(site: Site) -> Iterator[outside.Paper]:
    """Our own certificates, those that can be read."""
    files = [(bus.id, bus.tls.cert_file) for bus in site.file.buses if bus.tls]
    tls = None if site.file.mqtt is None else site.file.mqtt.tls
    if tls is not None and tls.cert_file is not None:
        files.append(("broker", tls.cert_file))
    for about, file in files:
        known = certificate_at(file)
        if known is not None:
            ends_in_s = (known.not_after - datetime.now(UTC)).total_seconds()
            yield outside.Paper(about=about, file=file, ends_in_s=ends_in_s)


def _absent(site: Site, met: Sequence[Met]) -> str:
    """With what was found."""
    from derctl.cli.check import verdict_text

    devices = {each.asked.id: each.device for each in met}
    found = {der.id: found_of(devices.get(der.id), fallback_of(der)) for der in site.file.ders}
    absence: Absence = absence_of(site.file.ders, found, site.limit_w, site.phase_limit_w)
    return f"without derctl: {verdict_text(absence)}" if absence.verdict is Contract.BROKEN else ""


def summary(site: Site, looked: Looked, found: Sequence[Finding]) -> dict[str, Any]:
    """For programs: docs/interfaces.md section 5."""
    return {
        "site": site.file.site.id,
        "ok": settled(found),
        "findings": [asdict(each) for each in found],
        "devices": [_row(each) for each in looked.met],
        "broker": None if looked.broker is None else asdict(looked.broker),
        "clock": {"synced": looked.synced},
    }


def _row(met: Met) -> dict[str, Any]:
    device, asked = met.device, met.asked
    who = {"id": asked.id, "role": asked.role, "bus": asked.bus, "place": asked.place, "unit": asked.unit}
    who |= {"met": device is not None, "trouble": met.trouble, "said": clean(met.said)}
    if device is None:
        return who | {"neighbours": [asdict(each) for each in met.neighbours]}
    return who | {
        "identity": asdict(device.identity),
        "profile": device.habits.profile.name,
        "rating": asdict(device.rating),
        "nominal_v": device.nominal.v_v,
        "nominal_hz": device.nominal.f_hz,
        "p_w": power_w(met.read),
        "samples": len(met.samples),
        "answered": len(met.read),
        "slowest_s": round(met.slowest_s, 3),
        "timeout_s": asked.deadline_s,
    }


MARKS = {Weight.MEND: "mend", Weight.LOOK: "look", Weight.NOTE: "note"}


def page(site: Site, looked: Looked, found: Sequence[Finding]) -> list[str]:
    """For people: who was met, then what is to be done, the most pressing first."""
    lines = [f"site {site.file.site.id}: {len(looked.met)} devices asked, nothing was written"]
    width = max((len(each.asked.id) for each in looked.met), default=0)
    for each in looked.met:
        lines += wrapped(_told(each), f"  {each.asked.id:<{width}}  ")
    if looked.broker is not None:
        said = "takes us" if looked.broker.greeted is Greeted.TAKEN else looked.broker.said
        lines += wrapped(f"{looked.broker.place} {said}", f"  {'broker':<{width}}  ")
    lines.append("")
    for finding in found:
        lines += wrapped(clean(finding.text), f"{MARKS[finding.weight]} {finding.about} ({finding.code}): ", "     ")
        lines += wrapped(f"-> {clean(finding.remedy).rstrip('.')}.", "     ", "        ")
    return [*lines, *wrapped(_verdict(found))]


def _told(met: Met) -> str:
    device, asked = met.device, met.asked
    if device is None:
        return f"{asked.place} unit {asked.unit}: {clean(met.said)}"
    who = device.identity
    parts = [
        f"{clean(who.name)}, serial {clean(who.serial) or 'not told'}, firmware {clean(who.firmware) or 'not told'}"
    ]
    if device.rating.size_w:
        parts.append(f"{device.rating.size_w:,.0f} W")
    watts = power_w(met.read)
    if watts is not None:
        now = gives_text(watts) if asked.role == "der" else f"{abs(watts):,.0f} W of {_way(watts)}"
        parts.append(f"{now} now")
    parts.append(f"answers in {met.slowest_s:.2f} s of {asked.deadline_s:g} s")
    return ", ".join(parts)


def _way(watts: float) -> str:
    return "export" if watts >= 0.0 else "import"


def _verdict(found: Sequence[Finding]) -> str:
    mend, look_at = (sum(each.weight is weight for each in found) for weight in (Weight.MEND, Weight.LOOK))
    if not mend and not look_at:
        return (
            "All as the site file says. Next: derctl verify, without whose proof control is refused; then start the"
            " service (it observes until it is armed), and derctl doctor"
        )
    if not mend:
        return f"{look_at} to look at, and nothing that control waits for. Next: derctl verify"
    parts = [f"{mend} to mend"] + ([f"{look_at} to look at"] if look_at else [])
    return f"{' and '.join(parts)} before control is armed; then derctl check --live again"
