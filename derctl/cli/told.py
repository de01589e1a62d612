"""What `check` tells beside problems: who reads a battery's limits, who may command, and what waits for a clock."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core.dataclass import dataclass
from derctl.core.text import unit_of
from derctl.core.words import LimitsBy, Role
from derctl.daemon.clock import Clock
from derctl.daemon.commands.intake import usual
from derctl.daemon.commands.rights import rights_of
from derctl.daemon.commands.rows import COMMANDS
from derctl.devices import CATALOGUE
from derctl.site import DerSection, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """limits_by None: decided when the battery is found."""

    limits_by: LimitsBy | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockNow:
    """This machine's clock, as the site file has it asked. waits: commands over MQTT that wait until it is set;
    refused: those that are not taken before."""

    sync: str
    synced: bool
    refused: tuple[str, ...]
    text: str
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """One principal. ders None: all, and the site as a whole. others: it may take back what others asked for.
    signed: the ids of its keys; (): it signs nothing."""

    name: str
    role: Role
    commands: tuple[str, ...]
    ders: tuple[str, ...] | None
    ranges: Mapping[str, tuple[float, float]]
    others: bool
    burst: int
    per_minute: float
    signed: tuple[str, ...]

    @property
    def text(self) -> str:
        """For people."""
        commands = ", ".join(self.commands) or "nothing"
        parts = [f"{self.role}: {commands}"]
        parts += [] if self.others else ["takes back its own alone"]
        parts += [] if self.ders is None else [f"for {', '.join(self.ders) or 'no DER'}, not the site as a whole"]
        parts += [
            f"{name} {low:.10g} to {high:.10g} {unit_of(name)}".rstrip() for name, (low, high) in self.ranges.items()
        ]
        pace = f"{self.burst} at once and {self.per_minute:g} a minute"
        parts += [] if (self.burst, self.per_minute) == tuple(usual().values()) else [pace]
        return "; ".join([*parts, *([f"signed by {' or '.join(self.signed)}"] if self.signed else [])])


def rights(site: Site) -> tuple[May, ...]:
    """Of each principal, in the file's order."""
    listed = [] if site.file.mqtt is None else site.file.mqtt.principals
    found = rights_of(listed)
    return tuple(
        May(
            name=each.name,
            role=found[each.name].role,
            commands=tuple(name for name in COMMANDS if name in found[each.name].commands),
            ders=found[each.name].ders,
            ranges=found[each.name].ranges,
            others=found[each.name].others,
            burst=each.burst,
            per_minute=each.per_minute,
            signed=tuple(key.id for key in each.keys),
        )
        for each in listed
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commanders:
    """Principals over MQTT, as the site file lists them. arm: those who may do that too. rights: what each of them
    may."""

    command: tuple[str, ...]
    arm: tuple[str, ...]
    text: str
    rights: tuple[May, ...] = ()


def commanders(site: Site) -> Commanders:
    """Who may command and arm; nobody over MQTT without a broker."""
    listed = [] if site.file.mqtt is None else site.file.mqtt.principals
    command = tuple(each.name for each in listed)
    may = rights(site)
    arm = tuple(each.name for each in may if "arm" in each.commands)
    who = f"over MQTT {', '.join(command) or 'nobody'} may command and {', '.join(arm) or 'nobody'} may arm"
    names = "; the broker's access list has to keep others from these names" if command else ""
    here = f"on this machine whoever may use {site.file.site.socket} does both"
    text = here if site.file.mqtt is None else f"{who}{names}; {here}"
    return Commanders(command=command, arm=arm, text=text, rights=may)


def batteries(site: Site) -> list[DerSection]:
    """DERs that may have one."""
    return [der for der in site.file.ders if der.kind in CATALOGUE and CATALOGUE[der.kind].can.store]


def limits_by(der: DerSection) -> Limits:
    """Who reads its limits, as far as a file can tell."""
    if der.bms is None:
        text = "its limits are read where model 802 stands in its own chain; where none does, nobody reads them: then"
        return Limits(limits_by=None, text=f"{text} give it bms: {{bus, unit}}, if it has one")
    if der.bms_here:
        return Limits(limits_by=LimitsBy.CHAIN, text="its limits are read in its own chain; without them it rests")
    text = f"its limits are read from {der.bms.bus} unit {der.bms.unit}; without them it rests"
    return Limits(limits_by=LimitsBy.BMS, text=text)


def clock_of(site: Site) -> ClockNow:
    """What a clock that is never set means for this site, and how to say that it is good."""
    sync = site.file.site.clock_sync
    relaxing = {name: command.waits for name, command in COMMANDS.items() if command.relaxing and site.file.mqtt}
    waits = tuple(name for name, so in relaxing.items() if so)
    refused = tuple(name for name, so in relaxing.items() if not so)
    synced = Clock(sync).synced
    text = _clock_text(site, sync, waits, refused, synced=synced)
    return ClockNow(sync=sync, synced=synced, refused=refused, text=text, waits=waits)


def _clock_text(site: Site, sync: str, waits: tuple[str, ...], refused: tuple[str, ...], *, synced: bool) -> str:
    if synced:
        return "taken as set, by the site file's word" if sync == "assume" else "set"
    why = (
        "this machine's clock is not synchronised" if sync == "auto" else f"{sync} is not there: the clock is not set"
    )
    return f"{why}. {_waits(site, waits, refused)} Control itself goes on. {_remedy(sync)}"


def _waits(site: Site, waits: tuple[str, ...], refused: tuple[str, ...]) -> str:
    if site.file.mqtt is None:
        return "Times in logs and `status` can't be believed; commands over the socket are taken all the same."
    tls = " mqtt.tls keeps the broker away." if site.file.mqtt.tls is not None else ""
    return (
        f"While it stays so, over MQTT {', '.join(waits)} wait for it, {', '.join(refused)} are refused"
        f" (clock_unsynced), and limit_power lives for its whole expires_s from when it arrives.{tls}"
    )


def _remedy(sync: str) -> str:
    if sync == "auto":
        return (
            "Set up time synchronisation; where the clock is good without the kernel knowing, say"
            " site.clock_sync: assume, or name a file that exists once it is set."
        )
    return "Let what sets the clock make that file, or say site.clock_sync: assume."
