"""The process image: the last reading of every device with its age, frozen into a SiteState once a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from derctl.core.capability import present_w
from derctl.core.dataclass import dataclass
from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, WRITES, Round, stale_s
from derctl.core.pack import Pack
from derctl.core.types import (
    FOREVER_S,
    NOTHING,
    Capability,
    DerState,
    Fallback,
    PocState,
    Reading,
    Setpoint,
    SiteState,
)
from derctl.core.value import made, replace
from derctl.core.words import Bind, LimitsBy
from derctl.daemon.absent import Absent
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.stillness import Stillness, stands_still
from derctl.daemon.known import Once
from derctl.daemon.requests import Requests
from derctl.devices.nominal import feeds_pu
from derctl.devices.sunspec.limits import BLOCK, with_bms
from derctl.site import DerSection, SiteFile, fallback_of

EPSILON_S = 1e-6
"""A reading that is exactly as old as it may be still counts, whatever binary fractions make of it."""
SOC_KEEP_S = 30.0
"""A state of charge older than this is unknown; a silent BMS stops the battery after as long (docs/sources.md)."""

_new_der, _new_poc, _new_state = made(DerState), made(PocState), made(SiteState)


@dataclass(slots=True)
class Image:
    """channels and bms by DER id, lines by bus. absent: what the site does without derctl. witness: another meter at
    the point of connection.

    written: what derctl told a DER last; holds: what it may still hold of all that; awake_w: the least limit that was
    seen to keep it awake. halted: whether nobody may be raised now. least_s: what three ticks allow. stood: by DER,
    since when what is known of its battery has not changed, where that was seen to be no truth; until it changes.
    """

    site: SiteFile
    absent: Absent
    channels: Mapping[str, Channel]
    bms: Mapping[str, Channel]
    poc: Channel | None
    requests: Requests
    written: Callable[[str], Setpoint | None] = lambda der: None
    halted: Callable[[], bool] = lambda: False
    awake_w: Callable[[str], float] = lambda der: 0.0
    holds: Callable[[str], Setpoint] = lambda der: NOTHING
    witness: Channel | None = None
    fallbacks: dict[str, Fallback] = field(init=False)
    lines: dict[int, list[Channel]] = field(init=False)
    least_s: float = field(init=False)
    stood: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.least_s = stale_s(self.site.site.tick_s, Round())
        self.lines = {}
        meters = [channel for channel in (self.poc, self.witness) if channel is not None]
        for channel in (*self.channels.values(), *self.bms.values(), *meters):
            self.lines.setdefault(id(channel.bus), []).append(channel)
        self.fallbacks = {section.id: fallback_of(section) for section in self.site.ders}

    def stale_s(self, channel: Channel) -> float:
        """The age from which its reading is not acted on: by what all units of its bus need for a poll."""
        bus = channel.bus
        others = self.lines[id(bus)]
        silent = sum(
            other is not channel and (other.device is None or other.state is not Bind.OK) for other in others
        )
        poll = Round(
            requests=sum(_requests(other) for other in others),
            writes=WRITES * sum(other.device is not None and other.device.can.steer for other in others),
            min_interval_s=bus.line.pace.min_interval_s,
            answer_s=bus.answer_s,
            lost_s=silent * bus.line.pace.timeout_s + 2.0 * bus.line.pace.drain_s,
        )
        return stale_s(self.site.site.tick_s, poll, METER_STALE_MAX_S if channel is self.poc else STALE_MAX_S)

    def snapshot(self, now_s: float) -> SiteState:
        """Nothing in it changes under the functions."""
        halted = self.halted()
        return _new_state(
            t_s=now_s,
            tick_s=self.site.site.tick_s,
            f_nom_hz=float(self.site.site.f_nom_hz),
            ders=tuple(self._der(section, now_s, halted=halted) for section in self.site.ders),
            poc=self._poc(now_s),
            requests=self.requests.alive(),
            id=self.site.site.id,
        )

    def fresh(self, channel: Channel, now_s: float) -> bool:
        """Young enough, from a device that is found and not frozen."""
        return channel.device is not None and channel.state is Bind.OK and self._young(channel, now_s)

    def _young(self, channel: Channel, now_s: float) -> bool:
        """What three ticks allow is allowed on every bus."""
        age_s = now_s - channel.measured.read_s - EPSILON_S
        return age_s <= self.least_s or age_s <= self.stale_s(channel)

    def _der(self, section: DerSection, now_s: float, *, halted: bool) -> DerState:
        channel = self.channels[section.id]
        device = channel.device
        fresh = self.fresh(channel, now_s)
        bms = self.bms.get(section.id)
        can = Capability() if device is None else device.can
        unverified = device is not None and device.habits.unverified != ""
        if unverified:  # what it is lowered by for a step of the meter's it would not get back
            can = replace(can, volatile=False)
        if (awake_w := self.awake_w(section.id)) > can.least_w:
            can = replace(can, least_w=awake_w)
        told_s = self._told_s(section, channel, now_s)
        rating, absent = self.absent.rating(section, self.site.site.v_nom_v), self.absent.of(section.id)
        der = _new_der(
            id=section.id,
            rating=rating,
            can=can,
            reading=channel.measured.reading if bms is None else merged(channel.measured.reading, bms, told_s),
            age_s=now_s - channel.measured.read_s,
            sample=channel.measured.sample,
            fresh=fresh,
            controllable=fresh and section.control and can.steer,
            fallback=self.fallbacks[section.id],
            bms_age_s=told_s,
            absent_w=absent.p_w,
            written=self.written(section.id),
            halted=halted,
            unverified=unverified,
            beyond_w=channel.measured.habits.tolerance_pct / 100.0 * rating.size_w,
            feeds_pu=feeds_pu(section.phase, None if device is None else device.nominal.system),
        )
        record = self.absent.known.due(section)
        return der if record is None else replace(der, reverify_w=self._stood_w(der, record))

    def _told_s(self, section: DerSection, channel: Channel, now_s: float) -> float | None:
        """Age of what is known of its battery; FOREVER_S where that stands still while it moves energy, and until it
        changes. None: nobody tells anything of one."""
        bms = self.bms.get(section.id)
        age_s = _own_age(section, channel, now_s) if bms is None else now_s - bms.measured.read_s
        if age_s is None or age_s == FOREVER_S:
            return age_s
        still = channel.measured.battery if bms is None else bms.measured.still
        if _stands_still(still, channel, bms) or self.stood.get(section.id) == still.since_s:
            self.stood[section.id] = still.since_s
            return FOREVER_S
        return FOREVER_S if bms is not None and bms.state is Bind.FROZEN else age_s

    def _stood_w(self, der: DerState, record: Once) -> float:
        """What it was held to when its new firmware was seen: the lower of what it was told and reads back."""
        if record.stood_w is not None:
            return record.stood_w
        told = (self.holds(der.id).p_ceiling_w, (der.reading.accepted or NOTHING).p_ceiling_w)
        known = [limit for limit in told if limit is not None] if der.can.limit else []
        stood_w = min(known, default=present_w(der))
        if der.fresh:
            self.absent.known.stood(der.id, stood_w)
            self.absent.changed()
        return stood_w

    def _poc(self, now_s: float) -> PocState | None:
        channel, other = self.poc, self.witness
        if channel is None:
            return None
        return _new_poc(
            reading=channel.measured.reading,
            age_s=now_s - channel.measured.read_s,
            sample=channel.measured.changes,
            answer=channel.measured.sample,
            fresh=self.fresh(channel, now_s),
            v_nom_v=self.site.site.v_nom_v,
            witness_w=None if other is None or not self.fresh(other, now_s) else other.measured.reading.p_w,
            followers=() if self.site.poc is None else tuple(self.site.poc.followers),
        )


def _requests(channel: Channel) -> int:
    """Of one poll, and of the slow block that may stand before it."""
    device = channel.device
    return (
        1
        if device is None
        else len(channel.answers.blocks.requests(device.control, channel.asking.joining)) + bool(device.slow)
    )


def _own_age(section: DerSection, channel: Channel, now_s: float) -> float | None:
    """Of the limits in the device's own chain; None where it has none and the site file names none."""
    if channel.measured.reading.limits_by is not LimitsBy.CHAIN and section.bms is None:
        return None
    if channel.device is None or BLOCK not in channel.answers.words:
        return FOREVER_S
    return now_s - channel.measured.read_s


def _stands_still(still: Stillness, channel: Channel, bms: Channel | None) -> bool:
    """Whether a battery's registers stood still, as they were read last, under power: that which it tells itself, and
    that which its inverter measures, where no sun is behind that."""
    device, told = channel.device, channel.measured if bms is None else bms.measured
    if device is None:
        return False
    battery = told.reading
    measures = bms is None or battery.dc_p_w is not None or (battery.pack or Pack()).battery_v is not None
    ac_w = channel.measured.reading.p_w if measures and device.can.pv is None else None
    most_w = max((abs(each) for each in (battery.dc_p_w, ac_w) if each is not None), default=None)
    battery = replace(battery, p_w=None, dc_p_w=most_w)
    return most_w is not None and stands_still(still, battery, device.rating, told.habits.refresh_s, told.read_s)


def merged(reading: Reading, bms: Channel, age_s: float | None) -> Reading:
    """The inverter's reading with what its BMS knows better. age_s: of that."""
    known = replace(bms.measured.reading, limits_by=bms.measured.reading.limits_by or LimitsBy.BMS)
    if age_s is None or age_s > SOC_KEEP_S:
        known = replace(known, soc_pct=None, soh_pct=None, dc_p_w=None)
    return with_bms(reading, known)
