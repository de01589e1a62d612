"""Carries what stood in each device, and which operators' limits of before a restart stand again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import partial
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.requests import LimitRequest, StopRequest
from derctl.core.types import DerState, SiteState
from derctl.core.value import replace
from derctl.daemon import standing as stands
from derctl.daemon.channel.channel import Channel
from derctl.daemon.looks import Looks
from derctl.daemon.standing import Standing
from derctl.devices import Profile
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.journal import Left
from derctl.store.sealed import first_good
from derctl.store.state import FILE

NOTHING_STOOD = Standing()


class Kept(msgspec.Struct, kw_only=True, frozen=True):
    """What of a Standing survives a restart."""

    limit_w: float | None = None
    lifted: bool = False
    own_w: float | None = None


def found_before(folder: Folder) -> dict[str, float]:
    """W of the limits that have to be kept, by the state file alone: for a release without a daemon. What can't be
    read names none."""
    try:
        raw, _ = first_good(
            folder.read, FILE, lambda content, checked: msgspec.json.decode(content, type=dict[str, Any])
        )
        saved = (raw or {}).get("found") or {}
        known = {name: msgspec.convert(plain, Kept) for name, plain in saved.items()}
    except (OSError, ValueError, AttributeError):
        return {}
    return {name: each.limit_w for name, each in known.items() if each.limit_w is not None and not each.lifted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a DER's read-back is taken: by what is known of its habits now. ceiling_w: its declared fallback, which a
    release may have left in it. lent: whether what stands in it now is a trial's."""

    habits: Callable[[], Profile]
    ceiling_w: float | None
    lent: Callable[[], bool] = lambda: False

    @property
    def profile(self) -> Profile:
        return self.habits()


def rules_of(site: Site, channels: Mapping[str, Channel]) -> dict[str, Rule]:
    """Of the DERs that derctl may write."""
    return {
        der.id: Rule(
            habits=partial(_habits, channels[der.id]),
            ceiling_w=der.fallback.p_ceiling_w,
            lent=partial(_lent, channels[der.id]),
        )
        for der in site.file.ders
        if der.control
    }


def _habits(channel: Channel) -> Profile:
    return channel.measured.habits


def _lent(channel: Channel) -> bool:
    return channel.asking.lent


def still_waited(waiting: set[str], state: SiteState, rules: Mapping[str, Rule]) -> set[str]:
    """Of the limits of before the restart, those that do not stand in their devices yet."""
    ders = [(der, rules[der.id].profile) for der in state.ders if der.id in rules]
    alive = {each.id: each for each in state.requests if isinstance(each, LimitRequest)}
    return {name for name in waiting if name in alive and not stands.asserted(alive[name], ders)}


@dataclass(slots=True)
class Standings:
    """rules: of the DERs that derctl may write. looks: at what they read back. left: what releases left standing.

    waiting: ids of limits from before the restart that do not stand in their devices yet: until they do nobody is
    raised. changed: something that must survive a restart has changed. older: a version was here that noted nothing.
    """

    rules: Mapping[str, Rule]
    looks: Looks
    left: Left
    tell: Callable[[str, str, str], None]
    changed: Callable[[], None]
    by_der: dict[str, Standing] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    older: bool = False
    _begun: set[str] = field(default_factory=set)
    _stopped: bool = False

    def tick(self, state: SiteState, dt_s: float, gate_open: bool) -> SiteState:
        """The tick's state with what stands. gate_open: setpoints may have left since the last tick."""
        if self.waiting:
            self.waiting = still_waited(self.waiting, state, self.rules)
        stopped = any(isinstance(each, StopRequest) for each in state.requests)
        if self._stopped and not stopped:
            self.by_der |= _let_go(self.by_der, state.ders)
        self._stopped = stopped
        return replace(state, ders=tuple(self._with(der, state.t_s, dt_s, gate_open) for der in state.ders))

    def found_w(self, der_id: str) -> float | None:
        """The limit that was found in it and has to be kept, None: none."""
        return self.by_der.get(der_id, Standing()).found_w

    def view(self, der_id: str) -> dict[str, Any] | None:
        """For `status`; None: no limit of somebody else stood in it."""
        if der_id in self.looks.unsure:
            return {"limit_w": self.looks.unsure[der_id], "lifted": False}
        standing = self.by_der.get(der_id, Standing())
        return None if standing.limit_w is None else {"limit_w": standing.limit_w, "lifted": standing.lifted}

    def lift(self, der_id: str | None) -> list[str]:
        """An operator's word for a DER (None: all). Returns those that had a limit to lift."""
        for name in [name for name in self.looks.unsure if der_id in {None, name}]:
            limit_w = self.looks.settle(name)
            self.by_der[name] = Standing(limit_w=limit_w, rise_w=limit_w)
        ids = [name for name in self.by_der if der_id in {None, name} and self.found_w(name) is not None]
        for name in ids:
            self.by_der[name] = stands.lifted(self.by_der[name])
            self.tell("limit_lifted", name, f"the {self.by_der[name].limit_w:,.0f} W that stood in it")
        return ids

    def keep_again(self, ders: Iterable[str]) -> None:
        """The word that lifted them could not be saved."""
        for name in ders:
            if name in self.by_der:
                self.by_der[name] = replace(self.by_der[name], lifted=False)

    def forget(self, ders: Iterable[str]) -> None:
        """They are other devices now."""
        for name in ders:
            self.by_der.pop(name, None)
            self.looks.forget(name)
            self._begun.discard(name)

    def kept(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        found = {
            name: Kept(limit_w=each.limit_w, lifted=each.lifted, own_w=each.own_w)
            for name, each in self.by_der.items()
        }
        return {name: msgspec.to_builtins(each) for name, each in found.items() if each != Kept()}

    def revive(self, saved: Mapping[str, Any] | None) -> None:
        """None: from a version that kept nothing. Raises msgspec.ValidationError for what kept never gave."""
        self.older = saved is None
        for name, plain in (saved or {}).items():
            known = msgspec.convert(plain, Kept)
            self.by_der[name] = Standing(limit_w=known.limit_w, lifted=known.lifted, own_w=known.own_w)

    def _with(self, der: DerState, t_s: float, dt_s: float, gate_open: bool) -> DerState:
        rule = self.rules.get(der.id)
        if rule is None or der.rating.size_w <= 0.0 or rule.lent():
            return der
        before = self.by_der.get(der.id, NOTHING_STOOD)
        if der.fresh:
            reads_w = self.looks.reads_w(der, rule.profile, t_s)
            self.by_der[der.id] = self._after(before, der, reads_w, dt_s, gate_open)
        now = self.by_der.get(der.id, before)
        self._note(der.id, before, now)
        found_w = self.looks.unsure.get(der.id, now.found_w)
        if (found_w, now.rise_w, now.rest_w) == (der.found_w, der.rise_w, der.rest_w):
            return der
        return replace(der, found_w=found_w, rise_w=now.rise_w, rest_w=now.rest_w)

    def _note(self, der_id: str, before: Standing, now: Standing) -> None:
        if now.found_w is not None and before.found_w is None:
            text = f"a limit of {now.found_w:,.0f} W stood in it: it is kept until `derctl clear {der_id} --found`"
            self.tell("limit_found", der_id, text)
        if (now.limit_w, now.lifted) != (before.limit_w, before.lifted):
            self.changed()

    def _after(
        self, before: Standing, der: DerState, reads_w: float | None, dt_s: float, gate_open: bool
    ) -> Standing:
        full_w = der.rating.p_max_w
        written = gate_open and der.id in self._begun
        if der.id not in self.looks.unsure:
            self._begun.add(der.id)
        rest_w = stands.resting(before.rest_w, der, dt_s, written=written)
        if rest_w != before.rest_w:
            before = replace(before, rest_w=rest_w)
        if not written:
            before = self._at_rest(before, der.id, reads_w, full_w)
        if self.waiting:
            return stands.halted(before, der, reads_w, blind=self.rules[der.id].profile.readback == "effect_only")
        if not der.can.limit:
            return before if before.rise_w is None else replace(before, rise_w=None)
        return stands.risen(before, reads_w, full_w, dt_s) if written else before

    def _at_rest(self, before: Standing, der_id: str, reads_w: float | None, full_w: float) -> Standing:
        """Nothing was written since the last look: what stands in it now is where it starts."""
        if reads_w is None:
            return replace(before, rise_w=None)
        if der_id in self.looks.written.entries:
            return stands.come_back(before, reads_w, full_w)
        was_here = self.older or before.own_w is not None
        ceiling_w = self.rules[der_id].ceiling_w if was_here else None
        return stands.watched(before, reads_w, full_w, (ceiling_w, self.left.stands.get(der_id)))


def yielded(standings: Standings, der_id: str, limit_w: float) -> None:
    """Somebody else has set this limit since, and the site file says that it is kept."""
    before = standings.by_der.get(der_id, NOTHING_STOOD)
    standings.by_der[der_id] = replace(before, limit_w=limit_w, lifted=False, rise_w=limit_w)
    text = f"somebody else set a limit of {limit_w:,.0f} W: it is kept until `derctl clear {der_id} --found`"
    standings.tell("limit_found", der_id, text)
    standings.changed()


def _let_go(standing: Mapping[str, Standing], ders: Iterable[DerState]) -> dict[str, Standing]:
    """The stop was lifted: who takes a limit rises from what it gives, as from any that ends; who is not heard, from
    nothing."""
    return {
        der.id: replace(standing.get(der.id, NOTHING_STOOD), rise_w=max(der.reading.p_w or 0.0, 0.0))
        for der in ders
        if der.can.limit
    }
