"""What is known of a vendor's habits, as data: profiles/*.yaml, where each value says who saw it and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from derctl.core.dataclass import dataclass
from derctl.core.words import ProfileBy
from derctl.devices.fact import Fact
from derctl.devices.maps.map import RegisterMap
from derctl.devices.writable import CONTROL, unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a device has to say of itself in SunSpec model 1 to be meant: how maker and model begin, in any case;
    firmware between two; has: a model that its chain must have. What is not given may be anything."""

    fact: Fact
    maker: str = ""
    model: str = ""
    firmware: tuple[str, str] | None = None
    has: int | None = None

    def fit(self, maker: str, model: str, firmware: str = "", models: Collection[int] = ()) -> int:
        """How much of such a device it names; 0 where it means another one. The longest words count first."""
        said_maker, said_model = maker.strip().lower(), model.strip().lower()
        if not _begins(said_maker, self.maker.lower()) or not said_model.startswith(self.model.lower()):
            return 0
        if self.firmware is not None and not within(firmware, self.firmware):
            return 0
        if self.has is not None and self.has not in models:
            return 0
        more = (self.firmware is not None) + (self.has is not None)
        return 10 * (len(self.maker) + len(self.model)) + more


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One of a maker's own registers that people steer it by. derctl names it and does not use it.

    stored: writing it wears its memory out; None: nobody says.
    """

    name: str
    address: int
    stored: bool | None
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """For people. dumps: recordings that its tests read. personality: of hil, by which it is tested."""

    title: str = ""
    reads: str = ""
    controls: str = ""
    failsafe: str = ""
    notes: tuple[str, ...] = ()
    dumps: tuple[str, ...] = ()
    personality: str = ""
    registers: tuple[Register, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Defaults are those of a device that follows the SunSpec documents.

    units, ports: where its maker leaves it, for a scan to look at.
    max_regs: registers in one read. spans: whether one read may go from one model into the next.
    answer_s: the device's own time until it answers, None: not known.
    writes: block (neighbouring points in one request) | points (each alone)
    | registers (each register alone, by function 6) | both (block, and by function 6 what is refused so).
    min_limit_pct: below this a limit may send the inverter to standby; derctl writes 0 then.
    wake_s: how long it takes from there until it gives power again; 0: not known, so it is learned.
    deadband_pct: of the rating, changes below it are not written. refresh_s: how often registers get new values.
    settle_s: until a setpoint shows at the terminals. tolerance_pct: of the rating, for accepted and achieved.
    readback: values | effect_only (control points read as not implemented). timer_rearm: write | any_message
    (polling keeps it from running out, which is a problem of the device) | none (counts but nothing reverts).
    storage_reverts: the timer of model 124 does what that of 123 does. own_timer_s: its timer runs also where none is
    set, for so long, and its registers may go on saying what it was told; 0: no such thing is known.
    turnaround_s: silence behind its answers until it lets go of a shared line. answer_floor_s: the least that a
    deadline learned on a serial line leaves its answer to begin.
    volatile: its control points lie in memory that doesn't wear out, so that they may be written every few seconds.
    cyclic: those points, as `123.WMaxLim*`; any other wears out with each write, and is written `writes_a_day` times
    in any 24 hours at most.
    enable: rewrite (with each write, last) | apart (the same in a request of its own) | toggle (as rewrite, and off
    and on again once a setpoint was seen to have no effect).
    gate: a register, and what opens it for writes where it is closed; (): it has none. It is the installer's, so that
    it is written only where the site file says so (`may_write: [gate]`), and counts as stored.
    until_told: points that read as not implemented until they are told something, and are there all the same, so that
    they are written.
    max_clients: connections that it serves, 0: not known. silence_is_missing: a block without which it is a device
    all the same, and that gets no answer, isn't there. refused_is_missing: the same of one that is refused; else the
    device isn't found while it refuses one. repaired: where a header does not stand where the one before points and
    is found beside that, the device is only read, or written too, since its maker's maps are so. meter_sign: +1 where
    its W is positive for export, as this maker mounts it. absent: raw values that mean nothing, by `model.point`,
    beside those of the point's type.
    seen: the oldest and the newest firmware that it was seen with; None: nobody wrote down which.
    match: the devices that it is meant for. facts: who says each value, by key.
    map: its registers, where it has others than SunSpec's.
    """

    name: str = "generic"
    units: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    max_regs: int = 125
    spans: bool = False
    writes: Literal["block", "points", "registers", "both"] = "block"
    min_limit_pct: float = 0.0
    wake_s: float = 0.0
    deadband_pct: float = 1.0
    refresh_s: float = 1.0
    settle_s: float = 10.0
    tolerance_pct: float = 3.0
    min_interval_s: float = 0.0
    connect_delay_s: float = 0.0
    timeout_s: float = 1.0
    answer_s: float | None = None
    backoff_s: float = 8.0
    turnaround_s: float = 0.0
    answer_floor_s: float = 0.3
    write_min_interval_s: float = 0.0
    readback: Literal["values", "effect_only"] = "values"
    gate: tuple[int, ...] = ()
    until_told: tuple[str, ...] = ()
    timer_rearm: Literal["write", "any_message", "none"] = "write"
    storage_reverts: bool = True
    own_timer_s: float = 0.0
    volatile: bool = True
    max_clients: int = 0
    silence_is_missing: bool = False
    refused_is_missing: bool = True
    repaired: Literal["read", "write"] = "read"
    meter_sign: Literal[1, -1] | None = None
    absent: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    bases: tuple[int, ...] = (40000, 0, 50000, 1, 4096)
    seen: tuple[str, str] | None = None
    match: tuple[Row, ...] = field(default=(), hash=False)
    map: RegisterMap | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict, hash=False, compare=False)
    about: About = field(default_factory=About, hash=False, compare=False)

    cyclic: tuple[str, ...] = CONTROL
    writes_a_day: int = 24
    enable: Literal["rewrite", "apart", "toggle"] = "rewrite"

    @property
    def guarded(self) -> bool:
        """Whether something that setpoints are made of wears out."""
        return not (self.volatile and (self.cyclic is CONTROL or set(CONTROL) <= set(self.cyclic)))

    def wears(self, point: str) -> bool:
        """Whether a point's memory wears out, as far as is known."""
        return bool(self.worn((point,)))

    def worn(self, points: Sequence[str]) -> tuple[str, ...]:
        """Those of these points whose memory wears out."""
        return unfit(tuple(points), self.cyclic) if self.volatile else tuple(points)

    def fit(self, maker: str, model: str, firmware: str = "", models: Collection[int] = ()) -> int:
        """How much of such a device its best row names; 0: it is meant for others."""
        return max((row.fit(maker, model, firmware, models) for row in self.match), default=0)

    def confirmed(self, key: str) -> bool:
        """Whether a capture or the maker's document says what stands under this key."""
        return key in self.facts and self.facts[key].confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """The profile that a device is taken by, and who says so. unverified: why nobody raises it under that, empty
    where nothing speaks against it."""

    profile: Profile = field(default_factory=Profile)
    by: ProfileBy = ProfileBy.SITE_FILE
    unverified: str = ""


def best(
    shelf: Iterable[Profile], maker: str, model: str, firmware: str = "", models: Collection[int] = ()
) -> Profile | None:
    """The one that names most of such a device; None where none is meant for it."""
    fits = [(profile.fit(maker, model, firmware, models), profile) for profile in shelf]
    most = max((fit for fit, _ in fits), default=0)
    return next((profile for fit, profile in fits if fit == most > 0), None)


def within(firmware: str, seen: tuple[str, str]) -> bool:
    """Whether a version lies between two, by its numbers; the newest is meant with all that begins so."""
    now, (oldest, newest) = _numbers(firmware), (_numbers(each) for each in seen)
    return bool(now) and oldest <= now and now[: len(newest)] <= newest


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, "".join(each if each in "0123456789" else " " for each in version).split()))


def _begins(said: str, word: str) -> bool:
    """As whole words: SMA is not Smartfox."""
    behind = said[len(word) : len(word) + 1]
    return said.startswith(word) and not (word and behind.isalnum())
