"""The process image: the last reading of every device with its age, frozen into a SiteState once a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, WRITES, Round, stale_s
from derctl.core.types import Capability, DerState, Fallback, PocState, Reading, Setpoint, SiteState
from derctl.core.words import Bind
from derctl.daemon.absent import Absent
from derctl.daemon.channel.channel import Channel
from derctl.daemon.requests import Requests
from derctl.site import DerSection, SiteFile, fallback_of, rating_of

EPSILON_S = 1e-6
"""A reading that is exactly as old as it may be still counts, whatever binary fractions make of it."""
SOC_KEEP_S = 30.0
"""A state of charge older than this is unknown; a silent BMS stops the battery after as long (docs/sources.md)."""


@dataclass(slots=True)
class Image:
    """channels and bms by DER id, lines by bus. absent: what the site does without derctl.

    written: what derctl told a DER last. least_s: what three ticks allow.
    """

    site: SiteFile
    absent: Absent
    channels: Mapping[str, Channel]
    bms: Mapping[str, Channel]
    poc: Channel | None
    requests: Requests
    written: Callable[[str], Setpoint | None] = lambda der: None
    fallbacks: dict[str, Fallback] = field(init=False)
    lines: dict[int, list[Channel]] = field(init=False)
    least_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.least_s = stale_s(self.site.site.tick_s, Round())
        self.lines = {}
        for channel in (*self.channels.values(), *self.bms.values(), *([] if self.poc is None else [self.poc])):
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
            min_interval_s=bus.pace.min_interval_s,
            answer_s=bus.answer_s,
            lost_s=silent * bus.pace.timeout_s,
        )
        return stale_s(self.site.site.tick_s, poll, METER_STALE_MAX_S if channel is self.poc else STALE_MAX_S)

    def snapshot(self, now_s: float) -> SiteState:
        """Nothing in it changes under the functions."""
        return SiteState(
            t_s=now_s,
            tick_s=self.site.site.tick_s,
            f_nom_hz=float(self.site.site.f_nom_hz),
            ders=tuple(self._der(section, now_s) for section in self.site.ders),
            poc=self._poc(now_s),
            requests=self.requests.alive(),
        )

    def fresh(self, channel: Channel, now_s: float) -> bool:
        """Young enough, from a device that is found and not frozen."""
        return channel.device is not None and channel.state is Bind.OK and self._young(channel, now_s)

    def _young(self, channel: Channel, now_s: float) -> bool:
        """What three ticks allow is allowed on every bus."""
        age_s = now_s - channel.read_s - EPSILON_S
        return age_s <= self.least_s or age_s <= self.stale_s(channel)

    def _der(self, section: DerSection, now_s: float) -> DerState:
        channel = self.channels[section.id]
        device, last = channel.device, channel.binding.last
        fresh = self.fresh(channel, now_s)
        bms = self.bms.get(section.id)
        can = Capability() if device is None else device.can
        return DerState(
            id=section.id,
            rating=rating_of(section, self.site.site.v_nom_v) if last is None else last.rating,
            can=can,
            reading=channel.reading if bms is None else merged(channel.reading, bms, now_s),
            age_s=now_s - channel.read_s,
            sample=channel.sample,
            fresh=fresh,
            controllable=fresh and section.control and can.steer,
            fallback=self.fallbacks[section.id],
            bms_age_s=None if bms is None else _bms_age(bms, now_s),
            absent_w=self.absent.of(section.id).p_w,
            written=self.written(section.id),
        )

    def _poc(self, now_s: float) -> PocState | None:
        channel = self.poc
        if channel is None:
            return None
        return PocState(
            reading=channel.reading,
            age_s=now_s - channel.read_s,
            sample=channel.sample,
            fresh=self.fresh(channel, now_s),
            v_nom_v=self.site.site.v_nom_v,
        )


def _requests(channel: Channel) -> int:
    """Of one poll, and of the slow block that may stand before it."""
    device = channel.device
    return 1 if device is None else len(device.control) + bool(device.slow)


def _bms_age(bms: Channel, now_s: float) -> float:
    return 1e9 if bms.state is Bind.FROZEN else now_s - bms.read_s


def merged(reading: Reading, bms: Channel, now_s: float) -> Reading:
    """The inverter's reading with what its BMS knows better."""
    known = bms.reading
    if bms.state is Bind.FROZEN or now_s - bms.read_s > SOC_KEEP_S:
        return replace(
            reading, p_charge_limit_w=known.p_charge_limit_w, p_discharge_limit_w=known.p_discharge_limit_w
        )
    return replace(
        reading,
        soc_pct=reading.soc_pct if known.soc_pct is None else known.soc_pct,
        soh_pct=reading.soh_pct if known.soh_pct is None else known.soh_pct,
        dc_p_w=reading.dc_p_w if known.dc_p_w is None else known.dc_p_w,
        p_charge_limit_w=known.p_charge_limit_w,
        p_discharge_limit_w=known.p_discharge_limit_w,
    )
