"""`derctl verify --kill`: the running daemon tells a DER something harmless and is killed; what the DER does then is
watched over another connection."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from derctl.cli.proof import Wanted, contract_of, measured, recorded
from derctl.cli.talking import Over, Terminal, within
from derctl.cli.verifying import ON_RECORD, lacking
from derctl.commission.trial import Answer, Finding, Kill, Look, Silence, Step, Subject
from derctl.commission.verify import after_kill
from derctl.core.words import Proven, Record, Refusal, Unplugged
from derctl.daemon.actuate.proving import Proving, polled, proving
from derctl.daemon.actuate.rescue import folder_of, ready
from derctl.daemon.build import build
from derctl.devices import Device
from derctl.errors import CommandError, LinkError
from derctl.links.carried import carried
from derctl.links.ending import end
from derctl.site import Site
from derctl.store import proofs
from derctl.store.folder import AlreadyRunning

LOOKED_S = 20.0
"""How long the DER is looked for afterwards, over a connection of its own."""


async def killed(site: Site, wanted: Wanted, voice: Terminal, over: Over) -> Any:
    """As `verifying.verified`. Raises Ended, CommandError, LinkError."""
    path = Path(site.file.site.socket)
    pid = daemon_of(path)
    last: list[tuple[Subject, Kill]] = []

    def heard(event: Mapping[str, Any]) -> None:
        last.append((msgspec.convert(event["subject"], Subject), msgspec.convert(event["kill"], Kill)))
        voice.say(f"{event['der']}: derctl (process {pid}) is killed now")
        _kill(pid)

    try:
        return await within(path, "verify", msgspec.to_builtins(wanted), voice, over, heard)
    except LinkError:
        if not last:
            raise
    subject, kill = last[0]
    name = wanted.ders[0]
    voice.say(f"{name}: nobody asks it now for {subject.after_s:g} s and a little more")
    finding = await over.of(_survived(site, name, subject, kill))
    return await over.of(_given_back(site, name, finding, voice))


def daemon_of(path: Path) -> int:
    """The process that serves the socket, by the kernel's word. Raises LinkError; CommandError: we may not end it."""
    peer = struct.Struct("iII")
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            pid, _, _ = peer.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, peer.size))
    except OSError as error:
        text = f"{path}: {error.strerror or error}: no daemon runs that could be killed; start derctl first"
        raise LinkError(text) from error
    try:
        os.kill(pid, 0)
    except PermissionError as error:
        raise CommandError(Refusal.NOT_READY, f"process {pid} may not be ended by you: try it with sudo") from error
    return int(pid)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _survived(site: Site, name: str, subject: Subject, kill: Kill) -> Finding:
    """What it does, only looked at."""
    channel = build(site, lambda event, who, text: None).ders[name]
    connected: list[asyncio.Task[None]] = []

    async def done(step: Step) -> Answer:
        now_s = asyncio.get_running_loop().time
        if isinstance(step, Silence) and not connected:
            await asyncio.sleep(max(kill.told_s + step.seconds - now_s(), 0.0))
            return Answer(at_s=now_s())
        if isinstance(step, Silence):
            await asyncio.sleep(step.seconds)
            return Answer(at_s=now_s())
        assert isinstance(step, Look)
        if not connected:
            connected.append(asyncio.create_task(channel.bus.line.run()))
            with suppress(TimeoutError):
                await asyncio.wait_for(ready(channel), LOOKED_S)
        return Answer(at_s=now_s(), reading=await polled(channel))

    try:
        return await carried(after_kill(subject, kill), done)
    finally:
        await end(connected)


async def _given_back(site: Site, name: str, finding: Finding, voice: Terminal) -> Any:
    """What the daemon had written, and the proof on record: by us, where no other daemon has come meanwhile."""
    der = next(each for each in site.file.ders if each.id == name)
    devices: dict[str, Device | None] = dict.fromkeys(each.id for each in site.file.ders)
    waits_for: list[str] = []
    made: Proving | None = None
    try:
        async with proving(site, voice.say) as made:
            alone = made.releaser.records.of(name) is Record.WRITTEN
            if not alone:
                finding = not_alone(finding, "derctl's release has given back meanwhile what was written")
            devices = {each.id: await made.find(each.id) for each in site.file.ders}
            device = devices[name]
            known, _ = proofs.load(made.folder)
            if device is not None and alone:
                known[name] = recorded(der, finding, made, device)
                await proofs.save(made.folder, known)
            waits_for = lacking(site, devices, known)
    except AlreadyRunning:
        finding = not_alone(finding, "derctl has been started again meanwhile, and gives back what it wrote")
        known, _ = proofs.load(folder_of(site))
        waits_for = [] if name in known and known[name].verdict in ON_RECORD else [name]
    voice.say(f"{name}: {finding.verdict.upper()}: {finding.text}")
    if made is not None:
        for each, release in made.given_back.items():
            voice.say(f"given back: {each}: {release}")
        voice.say("derctl was killed and does not run: start it again")
    text, holds = contract_of(site, measured(site, devices, {name: finding}))
    return {
        "ders": {name: msgspec.to_builtins(finding)},
        "contract": {"holds": holds, "text": text},
        "waits_for": waits_for,
        "of": 1,
    }


def not_alone(finding: Finding, why: str) -> Finding:
    """What the DER did may be the work of whoever came between: a service manager starts both at once."""
    text = (
        f"{why}, so this is not seen to be its own work ({finding.text}). Stop the service, start `derctl run` by"
        " hand in another terminal, and kill that"
    )
    return Finding(verdict=Proven.UNCONFIRMED, text=text, how=Unplugged.KILLED)
