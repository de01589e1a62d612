"""`derctl doctor`: one page on a running site, and what to do about each thing that is not well. Only reads."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derctl import __version__
from derctl.cli import contacted, incidents, recorded
from derctl.cli.exits import NO, OK, UNREACHABLE
from derctl.cli.health import Row, health, page, wear
from derctl.cli.live import papers_of, seen_of
from derctl.cli.local import SOCKET, add_socket, config_of
from derctl.cli.machine import Machine, machine
from derctl.cli.plain import cleaned, span
from derctl.cli.told import clock_of
from derctl.commission import outside
from derctl.commission.finding import Finding, Weight
from derctl.core.text import clean
from derctl.daemon.build import broker_of
from derctl.daemon.commands.rights import read
from derctl.errors import CommandError, ConfigError, LinkError
from derctl.links.greeting import shaken
from derctl.links.local import ask
from derctl.site import Site

MEGABYTES_LEAST = 50.0
"""Our choice: with less, the next save may fail."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="for programs: docs/interfaces.md section 5")


def run(args: argparse.Namespace) -> int:
    """0 if all is well, 1 if something has to be mended or looked at, 69 if no daemon answers."""
    site, refused = _site(args)
    socket = _socket(args, site)
    here = machine(None if site is None else Path(site.file.site.state_dir))
    try:
        state: dict[str, Any] | None = cleaned(asyncio.run(ask(socket, "status")))
        why = ""
    except (LinkError, CommandError) as error:
        state, why = None, str(error)
    rows = [*_head(state, why, here, socket), *refused]
    if state is not None:
        rows += [*health(state), *contacted.rows(state), *recorded.rows(state), *incidents.rows(state)]
        rows.append(wear(state, here.disk.free_bytes, read_only=here.disk.read_only))
    rows += _machine(site, here)
    if args.json:
        print(json.dumps(_summary(site, state, here, rows), indent=2))
    else:
        print("\n".join(page(rows)))
    if state is None:
        return UNREACHABLE
    return NO if any(row.weight in {Weight.MEND, Weight.LOOK} for row in rows) else OK


def _site(args: argparse.Namespace) -> tuple[Site | None, list[Row]]:
    """The site file as it lies there now: with one that can't be used the next start would fail."""
    if args.socket is not None and args.config is None:
        return None, []
    try:
        path = config_of(args)
        if args.config is None and not os.access(path, os.R_OK):
            remedy = "With sudo, or in the group derctl, more is told: certificates, and whether the file can be used"
            return None, [Row(topic="site file", text=f"{path} may not be read", weight=Weight.NOTE, remedy=remedy)]
        return read(path), []
    except argparse.ArgumentError as error:
        remedy = "derctl scan writes its rows; /etc/derctl/examples has whole ones"
        return None, [Row(topic="site file", text=clean(str(error)), weight=Weight.NOTE, remedy=remedy)]
    except ConfigError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        text = f"{clean(str(error.problems[0]))}{more}"
        remedy = "derctl check shows all of it: with this file the next start would fail"
        return None, [Row(topic="site file", text=text, weight=Weight.MEND, remedy=remedy)]


def _socket(args: argparse.Namespace, site: Site | None) -> Path:
    if args.socket is not None:
        return Path(args.socket)
    return SOCKET if site is None else Path(site.file.site.socket)


def _head(state: dict[str, Any] | None, why: str, here: Machine, socket: Path) -> Iterator[Row]:
    """Versions and the service."""
    said = here.versions
    text = f"derctl {__version__}, Python {said['python']}, pymodbus {said['pymodbus']}, aiomqtt {said['aiomqtt']}"
    if state is not None and state["version"] != __version__:
        remedy = "Limits stand while it is restarted: sudo systemctl restart derctl"
        text = f"derctl {__version__} is installed, {state['version']} runs"
        yield Row(topic="versions", text=text, weight=Weight.LOOK, remedy=remedy)
    else:
        yield Row(topic="versions", text=text)
    yield _runs(state, here) if state is not None else _rests(why, here, socket)


def _runs(state: dict[str, Any], here: Machine) -> Row:
    service, text = here.service, f"site {state['site']} runs since {span(state['uptime_s'])} (pid {state['pid']})"
    if not service.loaded or service.pid != state["pid"]:
        remedy = "If it is meant to stay, let systemd run it: sudo systemctl enable --now derctl"
        return Row(topic="service", text=f"{text}, not by systemd", weight=Weight.NOTE, remedy=remedy)
    text += f", restarted {service.restarts} times"
    if service.enabled not in {"enabled", "enabled-runtime"}:
        remedy = "It does not start at boot: sudo systemctl enable derctl"
        return Row(topic="service", text=f"{text}, {service.enabled}", weight=Weight.LOOK, remedy=remedy)
    if service.restarts:
        remedy = "Look why: journalctl -u derctl -p warning"
        return Row(topic="service", text=text, weight=Weight.LOOK, remedy=remedy)
    return Row(topic="service", text=text)


ENDED = {
    2: "its command line is wrong: systemctl cat derctl",
    75: "another instance holds this site: stop that one",
    78: "its site file can't be used: sudo derctl check says where and why",
}


def _rests(why: str, here: Machine, socket: Path) -> Row:
    """No daemon answers: what systemd knows of it, and what to do."""
    service = here.service
    if not service.loaded:
        remedy = f"Start it by hand (derctl run -c FILE), or install the service; its socket is {socket}"
        return Row(topic="service", text=f"no daemon answers: {clean(why)}", weight=Weight.MEND, remedy=remedy)
    if service.active == "active":
        remedy = "sudo systemctl status derctl; journalctl -u derctl -n 50"
        return Row(topic="service", text=f"active, and: {clean(why)}", weight=Weight.MEND, remedy=remedy)
    ended = ENDED.get(service.status, "")
    text = f"{service.active} ({service.result or 'not started'}, exit code {service.status})"
    remedy = f"sudo derctl check, sudo derctl check --live, then sudo systemctl start derctl{ended and f'. {ended}'}"
    return Row(topic="service", text=text, weight=Weight.MEND, remedy=remedy)


def _machine(site: Site | None, here: Machine) -> Iterator[Row]:
    """Clock, disk and certificates: the same whether a daemon runs or not."""
    yield _clock(site, here)
    free = here.disk.free_bytes
    if free is not None and free / 1e6 < MEGABYTES_LEAST:
        text = f"{free / 1e6:,.0f} MB are free where the state is saved"
        yield Row(topic="disk", text=text, weight=Weight.MEND, remedy="Make room: what can't be saved stops control")
    if site is None:
        return
    for paper in papers_of(site):
        found = next(outside.papers(iter([paper])), None)
        days = paper.ends_in_s / outside.DAY_S
        well = Row(topic="certificate", about=paper.about, text=f"{paper.file} counts for {days:,.0f} days")
        yield well if found is None else _of(found, "certificate")
    yield from _broker(site)


def _broker(site: Site) -> Iterator[Row]:
    """Its certificate, by the handshake alone."""
    section = site.file.mqtt
    if section is None or section.tls is None:
        return
    seen = seen_of(section, asyncio.run(shaken(broker_of(site, section))))
    found = list(outside.broker(seen, synced=clock_of(site).synced))
    yield from (_of(each, "certificate") for each in found)
    if not found and seen.ends_in_s is not None:
        text = f"that of {seen.place} counts for {seen.ends_in_s / outside.DAY_S:,.0f} days"
        yield Row(topic="certificate", about="broker", text=text)


def _of(found: Finding, topic: str) -> Row:
    return Row(topic=topic, about=found.about, text=found.text, weight=found.weight, remedy=found.remedy)


def _clock(site: Site | None, here: Machine) -> Row:
    clock = here.clock
    rtc = "" if clock.rtc else "; no clock that goes on without power: after a blackout it waits for the network"
    if clock.synced:
        within = "" if clock.error_s is None else f", right within {clock.error_s:.2g} s"
        return Row(topic="clock", text=f"synchronised{within}{rtc}")
    if site is not None and clock_of(site).synced:
        return Row(topic="clock", text=f"taken as set, by the site file's word ({site.file.site.clock_sync}){rtc}")
    remedy = "Set up time synchronisation (timedatectl set-ntp true), or say site.clock_sync"
    return Row(topic="clock", text=f"not synchronised{rtc}", weight=Weight.LOOK, remedy=remedy)


def _summary(site: Site | None, state: dict[str, Any] | None, here: Machine, rows: list[Row]) -> dict[str, Any]:
    """For programs."""
    return {
        "site": state["site"] if state is not None else None if site is None else site.file.site.id,
        "running": state is not None,
        "ok": state is not None and all(row.weight in {None, Weight.NOTE} for row in rows),
        "rows": [asdict(row) for row in rows],
        "versions": {"derctl": __version__, "daemon": None if state is None else state["version"], **here.versions},
        "service": asdict(here.service),
        "disk": asdict(here.disk),
        "clock": asdict(here.clock),
    }
