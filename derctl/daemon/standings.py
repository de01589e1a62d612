"""Carries what stood in each device, and which operators' limits of before a restart stand again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from derctl.core.types import DerState, LimitRequest, SiteState
from derctl.core.value import replace
from derctl.daemon import standing as stands
from derctl.daemon.standing import Standing
from derctl.devices import Profile
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.journal import Journal
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
    """How a DER's read-back is taken. ceiling_w: its declared fallback, which a release may have left in it."""

    profile: Profile
    ceiling_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """raw_w: what a device reads back, since when. first: it stood there at first sight, and nothing has told yet
    what it is. empty: its power has shown that it is no limit."""

    raw_w: float | None
    since_s: float
    first: bool
    empty: bool = False


def rules_of(site: Site) -> dict[str, Rule]:
    """Of the DERs that derctl may write."""
    return {
        der.id: Rule(profile=site.profiles[der.profile], ceiling_w=der.fallback.p_ceiling_w)
        for der in site.file.ders
        if der.control
    }


@dataclass(slots=True)
class Standings:
    """rules: of the DERs that derctl may write. written, left: of the journal, and of what releases left standing.

    waiting: ids of limits from before the restart that do not stand in their devices yet: until they do nobody is
    raised. changed: something that must survive a restart has changed. older: a version was here that noted nothing.

    unsure: by DER id, what reads back as a limit and may be none: it is not touched until the power has told.
    """

    rules: Mapping[str, Rule]
    written: Journal
    left: Journal
    tell: Callable[[str, str, str], None]
    changed: Callable[[], None]
    by_der: dict[str, Standing] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    older: bool = False
    unsure: dict[str, float] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _looks: dict[str, Look] = field(default_factory=dict)

    def tick(self, state: SiteState, dt_s: float, gate_open: bool) -> SiteState:
        """The tick's state with what stands. gate_open: setpoints may have left since the last tick."""
        self._look(state)
        return replace(state, ders=tuple(self._with(der, state.t_s, dt_s, gate_open) for der in state.ders))

    def found_w(self, der_id: str) -> float | None:
        """The limit that was found in it and has to be kept, None: none."""
        return self.by_der.get(der_id, Standing()).found_w

    def view(self, der_id: str) -> dict[str, Any] | None:
        """For `status`; None: no limit of somebody else stood in it."""
        if der_id in self.unsure:
            return {"limit_w": self.unsure[der_id], "lifted": False}
        standing = self.by_der.get(der_id, Standing())
        return None if standing.limit_w is None else {"limit_w": standing.limit_w, "lifted": standing.lifted}

    def lift(self, der_id: str | None) -> list[str]:
        """An operator's word for a DER (None: all). Returns those that had a limit to lift."""
        for name in [name for name in self.unsure if der_id in {None, name}]:
            limit_w = self.unsure.pop(name)
            self._looks[name] = replace(self._looks[name], first=False)
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
            for known in (self.by_der, self.unsure, self._looks):
                known.pop(name, None)
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

    def _look(self, state: SiteState) -> None:
        """Which limits of before the restart are still waited for."""
        if not self.waiting:
            return
        ders = [(der, self.rules[der.id].profile) for der in state.ders if der.id in self.rules]
        alive = {each.id: each for each in state.requests if isinstance(each, LimitRequest)}
        self.waiting = {name for name in self.waiting if name in alive and not stands.asserted(alive[name], ders)}

    def _reads_w(self, der: DerState, profile: Profile, t_s: float) -> float | None:
        """What it reads back. While nothing tells whether what stood there at first sight is a limit at all, it is
        unsure: None. What was seen to be none is none until something else stands there."""
        raw_w, full_w = stands.read_w(der, profile, settled=False), der.rating.p_max_w
        look = self._looks.get(der.id) or Look(raw_w=raw_w, since_s=t_s, first=der.id not in self.written.entries)
        if not stands.near(raw_w, look.raw_w, full_w):
            look = Look(raw_w=raw_w, since_s=t_s, first=False)
        settled = t_s - look.since_s > profile.settle_s
        self.unsure.pop(der.id, None)
        if raw_w is not None and look.first and not stands.told_by_power(der, profile, raw_w, settled=settled):
            self._looks[der.id], self.unsure[der.id] = look, raw_w
            return None
        reads_w = full_w if look.empty else stands.read_w(der, profile, settled=settled)
        empty = reads_w != raw_w
        self._looks[der.id] = replace(look, first=False, empty=empty) if look.first or look.empty != empty else look
        return reads_w

    def _with(self, der: DerState, t_s: float, dt_s: float, gate_open: bool) -> DerState:
        rule = self.rules.get(der.id)
        if rule is None or der.rating.size_w <= 0.0:
            return der
        before = self.by_der.get(der.id, NOTHING_STOOD)
        if der.fresh:
            reads_w = self._reads_w(der, rule.profile, t_s)
            self.by_der[der.id] = self._after(before, der, reads_w, dt_s, gate_open)
        now = self.by_der.get(der.id, before)
        self._note(der.id, before, now)
        found_w = self.unsure.get(der.id, now.found_w)
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
        if der.id not in self.unsure:
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
        if der_id in self.written.entries:
            return stands.come_back(before, reads_w, full_w)
        was_here = self.older or before.own_w is not None
        ceiling_w = self.rules[der_id].ceiling_w if was_here else None
        return stands.watched(before, reads_w, full_w, (ceiling_w, self.left.stands.get(der_id)))
