"""One DER's way to its device: latest wins, nothing queues, what is too old is dropped, all is read back."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import InitVar, field

from derctl.core.dataclass import dataclass
from derctl.core.scales import confirmed
from derctl.core.types import NOTHING, Decision, DerState, Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import Bind, Record, Released, WriteFor
from derctl.daemon.actuate import hold as holds
from derctl.daemon.actuate import rest as rests
from derctl.daemon.actuate.account import Account
from derctl.daemon.actuate.contesting import contested
from derctl.daemon.actuate.deadband import reason_to_write, var_left
from derctl.daemon.actuate.errand import Errand
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.promised import Promised
from derctl.daemon.actuate.ration import Ration, both, tightens
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.actuate.trouble import Happened, rationed
from derctl.daemon.actuate.wish import Wish, behind, keep_s, still, wish_of
from derctl.daemon.channel.channel import Channel
from derctl.devices import Profile
from derctl.devices.types import Controllable
from derctl.errors import BusError, BusLate, DeviceError, SettingError, WriteBarred
from derctl.links.turns import Priority

ANSWERS = (Bind.OK, Bind.FROZEN)
"""The states in which a device can be written."""


@dataclass(slots=True)
class Writer:
    """Writes what a DER is to do (wish) to its device, where that doesn't hold it by its account; one write at a time
    (errand). _asked: the device, what it was to get last, and that on its steps.

    spared_w: what may be somebody's limit: only a lower one is written over it.
    """

    id: str
    channel: Channel
    fallback: InitVar[Fallback]
    control: bool
    tick_s: float
    journal: Callable[[str], Awaitable[None]]
    on_event: Callable[[str, str, str], None]
    spared_w: Callable[[], float | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    account: Account = field(init=False)
    promised: Promised = field(init=False)
    writes: int = 0
    wish: Wish | None = None
    _asked: tuple[object, Setpoint, Setpoint] | None = None
    errand: Errand = field(init=False)

    def __post_init__(self, fallback: Fallback) -> None:
        self.account = Account(self.id, self.channel, self.on_event, self.clock, ration=Ration(self.id))
        self.promised = Promised(self.channel, self.account, fallback)
        self.errand = Errand(f"write {self.id}")

    def kept_from(self, der: DerState) -> str | None:
        """Why it would not be written now, in words; None: it would."""
        if not self.control:
            return "control: false in the site file"
        if not der.fresh:
            return self.channel.bond.binding.text or "it does not answer"
        return None if der.can.steer or der.can.var else "derctl can only read it"

    @property
    def wrote(self) -> bool:
        """Whether something was written, or is being written, since the device was released."""
        return self.errand.busy or self.account.hold.written is not None

    @property
    def lost(self) -> bool:
        """Whether its device can't be told anything."""
        return self.channel.state not in ANSWERS or not self.channel.bond.verified

    def offer(self, decision: Decision, der: DerState, gate_open: bool, now: float) -> None:
        """Take the tick's decision; start writing if something has to be written and the gate is open.

        now: when the state was frozen, so that now - der.age_s is when it was read.
        """
        self.wish = wish = wish_of(decision, der, self.wish, now)
        account, profile, busy = self.account, self.channel.measured.profile, self.errand.busy
        account.note(wish, profile, self.promised.fallback, busy=busy)
        writes = gate_open and self.control and not wish.over(self.spared_w())
        why = self._due(wish, profile) if writes and not busy else None
        if why is None and not busy and now - account.hold.sent_s >= profile.write_min_interval_s:
            account.happened(Happened.HEARD if der.fresh else Happened.QUIET)
        account.judge(wish, profile, writes=writes, busy=busy)
        if why is not None:
            self.errand.begin(self._write(why))

    def heard(self, gate_open: bool) -> None:
        """A poll ended behind its tick: what the device doesn't hold is written now, by the last decision, while that
        is not too old."""
        wish = still(self.wish, self.account.hold.holds)
        if wish is None or not (gate_open and self.control) or self.errand.busy:
            return
        if self.clock() - wish.at_s > self.tick_s or wish.over(self.spared_w()):
            return
        seen = self.channel.measured
        self.wish = wish = behind(wish, seen.reading, seen.read_s)
        self.account.note(wish, seen.profile, self.promised.fallback, busy=False)
        why = self._due(wish, seen.profile)
        if why is not None:
            self.errand.begin(self._write(why))

    def _due(self, wish: Wish, profile: Profile) -> WriteFor | None:
        hold, device = self.account.hold, self.channel.device
        if self.lost or wish.at_s - hold.sent_s < profile.write_min_interval_s:
            return None
        desired, accepted = self._sendable(device, wish, profile), wish.accepted(hold.written)
        why = reason_to_write(
            desired,
            accepted,
            hold.written,
            rating=wish.der.rating,
            fallback=self.promised.fallback,
            profile=profile,
            now_s=wish.at_s,
            p_w=hold.effect_w(wish.der, profile, wish.at_s),
            q_unasked_s=hold.var_unasked_s(wish.var_asked_s, wish.at_s),
            broken=hold.unfinished,
            lapses_s=None if device is None else device.reversion.lapses_s,
        )
        if contested(self.account, desired, accepted, wish, writes=why is not None, busy=self.errand.busy):
            return None
        return self._rationed(why, desired, accepted, wish) if profile.guarded else why

    def _rationed(
        self, why: WriteFor | None, desired: Setpoint, accepted: Setpoint | None, wish: Wish
    ) -> WriteFor | None:
        """None where its memory has to be spared."""
        profile, account = self.channel.measured.profile, self.account
        ration, told = account.ration, account.hold.holds
        kept_back = why is not None and ration.keeps_back(desired, _known(accepted, account.hold), told, profile)
        wanted = _controllable(self.channel.device).sendable(wish.decision.setpoint)
        happened = rationed(account.trouble, binds=kept_back or ration.binds(desired, wanted, profile))
        if happened is not None:
            account.happened(happened, ration.text(profile))
        return None if kept_back else why

    def _sendable(self, device: object, wish: Wish, profile: Profile) -> Setpoint:
        """What the device may be told now, on the steps of its registers, and as its memory bears it."""
        hold, size_w, now_s = self.account.hold, wish.der.rating.size_w, self.clock()
        wanted = holds.bounded(hold, wish.decision.setpoint, profile, size_w, now_s)
        ceiling_w = rests.told(self.account.rest, wanted.p_ceiling_w, wish.der, profile, now_s)
        if ceiling_w != wanted.p_ceiling_w:
            wanted = replace(wanted, p_ceiling_w=ceiling_w)
        if profile.guarded:
            held = both(hold.holds, wish.accepted(hold.written))
            wanted = self.account.ration.bounded(wanted, held, profile, self.promised.fallback.p_ceiling_w)
        if self._asked is None or self._asked[0] is not device or self._asked[1] != wanted:
            self._asked = device, wanted, _controllable(device).sendable(wanted)
        return self._asked[2]

    async def _write(self, why: WriteFor) -> None:
        """Journal and count first: a kill must not make a write be forgotten. Afterwards all may have changed."""
        await self.journal(self.id)
        ration = self.account.ration
        await ration.reserve(self.channel.measured.profile, toggle=_toggles(self.account, why))
        wish, channel, account, now = self.wish, self.channel, self.account, self.clock()
        device, most_s = channel.device, keep_s(channel.bus.line.pace, self.tick_s)
        if wish is None or device is None or now - wish.at_s > most_s or not channel.bond.verified:
            return
        desired, hold = self._sendable(device, wish, channel.measured.profile), account.hold
        accepted, unasked_s = wish.accepted(hold.written), hold.var_unasked_s(wish.var_asked_s, now)
        give_back = var_left(desired, accepted, unasked_s, channel.measured.profile)
        holds = _known(accepted, hold)
        urgent = holds is None or tightens(desired, holds)
        before, answers = account.sending(desired), dict(channel.answers.words)
        account.toggles = _toggles(account, why)
        exchange = _controllable(device).write(
            desired, self.promised.told, answers, give_back_var=give_back, toggle=account.toggles
        )
        try:
            found = await channel.bus.execute(
                channel.unit,
                confirmed(exchange, channel.answers.scales),
                priority=Priority.WRITE,
                not_after_s=wish.at_s + most_s,
                permit=ration.permit(_controllable(device), channel.measured.profile, answers, urgent=urgent),
            )
        except BusLate as error:  # not sent; the next tick decides
            account.happened(Happened.LATE, str(error))
        except BusError:
            self.writes += 1
            account.happened(Happened.SILENT)
        except (DeviceError, SettingError, WriteBarred) as error:
            self.writes += 1
            account.refused(before, desired, error, give_back_var=give_back)
        else:
            self.writes += 1
            account.arrived(before, desired, found, wish, why, gave_back_var=give_back)

    def standing(self, record: Record) -> Standing:
        """What stands in its device now."""
        return self.account.standing(record, fresh=not self.lost)

    async def release(self, *, lift: bool) -> Release:
        """Give the device back."""
        await self.errand.wait()
        channel, device = self.channel, self.channel.device
        if device is None or not channel.bond.verified:
            return Release(Released.UNREACHABLE)
        held, believed = self.account.known()
        await self.account.ration.reserve_spare(channel.measured.profile)
        exchange = _controllable(device).release(self.promised.told, lift=lift, held=held, believed=believed)
        try:
            stands = await channel.bus.execute(
                channel.unit,
                confirmed(exchange, channel.answers.scales),
                priority=Priority.WRITE,
                permit=self.account.ration.permit(
                    _controllable(device), channel.measured.profile, dict(channel.answers.words), urgent=True
                ),
            )
        except BusError:
            return Release(Released.UNREACHABLE)
        except (DeviceError, SettingError, WriteBarred) as error:
            return Release(Released.REFUSED, str(error))
        missing = channel.bond.binding.missing
        if missing:  # what stands there could not be given back
            return Release(Released.REFUSED, missing, stands_w=stands.p_ceiling_w)
        self.account.given_back(stands, believed=believed, lift=lift)
        return Release(Released.RELEASED, stands_w=stands.p_ceiling_w)


def _toggles(account: Account, why: WriteFor) -> bool:
    """Whether its enable goes off and on with what is written."""
    return account.toggles or (why is WriteFor.DISOBEYED and account.channel.measured.profile.enable == "toggle")


def _known(accepted: Setpoint | None, hold: Hold) -> Setpoint | None:
    """What it holds, as far as is known: what it reads back, or what it was told and what did not break off."""
    told = hold.written.setpoint if hold.unfinished and hold.written is not None else hold.holds
    if accepted is not None or (hold.unfinished and hold.written is None):
        return accepted
    return None if told == NOTHING else told


def _controllable(device: object) -> Controllable:
    return device  # type: ignore[return-value]
