"""What of the running control survives a restart, and how it comes back. The file itself is store/state's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import field
from typing import Any

import msgspec

from derctl.core import belief
from derctl.core.dataclass import dataclass
from derctl.core.memories import BELIEF
from derctl.core.pace import REFRESH_MAX_S
from derctl.core.plan import Memory
from derctl.core.text import error_text
from derctl.core.value import replace
from derctl.core.words import Belief, Mode
from derctl.daemon.actuate.learned import learned, relearned
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.actuate.wearing import Wearing
from derctl.daemon.arming import Arming, Said, filed, told
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.gate import Gate
from derctl.daemon.known import Known
from derctl.daemon.known import revived as known_again
from derctl.daemon.loop import Loop
from derctl.daemon.report.view import DiskView
from derctl.daemon.requests import Requests, from_plain, to_plain
from derctl.daemon.standings import Standings
from derctl.errors import CommandError
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.functions.survival import holding_back, kept, revived
from derctl.site.plant_file import NOTHING_FOUND, PlantFile
from derctl.store import proofs, state
from derctl.store.folder import Folder
from derctl.store.saves import Saves
from derctl.store.state import ArmWord, Surviving

SAVE_EVERY_S = 30.0
LOOK_EVERY_S = 1.0
"""How soon it is seen that somebody is held back: that is saved at once."""
MEMORY_KEEP_S = 600.0
"""Memories that age (a droop's latch) belong to another event on the grid where the daemon was away for longer."""


@dataclass(slots=True)
class Survival:
    """Restores what survived, and saves it when something has changed (dirty). unsaved: why what is now is not on
    disk, None: the last save was good. Control does not begin before one was."""

    folder: Folder
    clock: Clock
    requests: Requests
    desk: Desk
    gate: Gate
    releaser: Releaser
    loop: Loop
    standings: Standings
    proof: MeterProof
    log: Any
    dirty: asyncio.Event
    known: Known = field(default_factory=Known)
    tell: Callable[[str, str, str], None] = lambda event, who, text: None
    unsaved: str | None = "not tried yet"
    _saves: Saves = field(init=False)

    def __post_init__(self) -> None:
        self._saves = Saves(self._write)

    def restore(self, mode: Mode, tell: Callable[[str, str, str], None]) -> None:
        """mode: the site file's, which counts where no operator has said otherwise since it was changed."""
        self.dirty.set()  # the first save shows whether the disk takes any
        saved, problem = state.load(self.folder)
        for text in (self.folder.problem, problem):
            if text is not None:
                tell("state_unreadable", "", text)
        self.proof.proven = saved.proven_meter
        self.known.proofs, problem = proofs.load(self.folder)
        if problem is not None:
            tell("state_unreadable", "", problem)
        self.gate.arming = armed(self.gate.arming, mode, saved.word)
        self.gate.agreed = saved.agreed
        found, refused = known_again(saved.known)
        self.known.of |= found
        for der_id, text in refused.items():
            tell("state_unreadable", der_id, text)
        for der_id, text in relearned(self.releaser.dispatch.writers, saved.rests).items():
            tell("state_unreadable", der_id, text)
        self.desk.seen = dict(saved.seen)
        self._found(saved.found, tell)
        synced, now = self.clock.synced, self.clock.wall()
        _wearing(self).restore(saved, tell)
        for each in saved.requests:
            self._revive(each, now if synced else None, tell)
        if self.desk.stories is not None:
            text = "the story of a command from before the restart"
            self.desk.stories.restore(saved.stories, lambda bad: tell("state_unreadable", "", f"{text}: {bad}"))
        text = "a command that waited for the clock"
        self.requests.waiting.restore(
            saved.waiting, self.requests.clock(), lambda bad: tell("state_unreadable", "", f"{text}: {bad}")
        )
        known = synced and saved.synced is not False
        lately = 0.0 <= now - saved.saved < MEMORY_KEEP_S if known else None
        back = revived(saved.memories, lately=lately)
        self.loop.memories |= back.memories
        for key, text in back.refused.items():
            tell("state_unreadable", "", f"{key}: {text}")

    def _revive(self, plain: Mapping[str, Any], wall: float | None, tell: Callable[[str, str, str], None]) -> None:
        """One that can't be read is said, and harms no other."""
        try:
            request = from_plain(plain, wall=wall)
            if request.remaining_s > 0.0:
                self.requests.put(request)
                self.standings.waiting.add(request.id)
        except (msgspec.ValidationError, CommandError) as error:
            tell("state_unreadable", "", f"a request from before the restart: {error}")

    def _found(self, plain: Mapping[str, Any] | None, tell: Callable[[str, str, str], None]) -> None:
        try:
            self.standings.revive(plain)
        except msgspec.ValidationError as error:
            tell("state_unreadable", "", f"the limits that were found in the devices: {error}")

    async def run(self) -> None:
        """Save when something has changed, when somebody is held back or let go, and every SAVE_EVERY_S."""
        held, clock = holding_back(self.loop.memories), asyncio.get_running_loop().time
        due_s = clock() + SAVE_EVERY_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(LOOK_EVERY_S, due_s - clock()))):
                    await self.dirty.wait()
            now_held = holding_back(self.loop.memories)
            if not self.dirty.is_set() and now_held == held and clock() < due_s:
                continue
            held, due_s = now_held, clock() + SAVE_EVERY_S
            self.dirty.clear()
            await self.save()

    async def end(self) -> None:
        """The last save: nothing is written any more."""
        await _wearing(self).end()
        await self.save()

    async def save(self) -> None:
        """The state, and what the journal still lacks. A disk that takes nothing is said, and ends no control."""
        with suppress(OSError):
            await self.keep()
        await self.releaser.save()

    async def keep(self) -> None:
        """Return when what is now is on disk. Raises OSError."""
        await self._saves.now()

    async def _write(self) -> None:
        """A disk that fails is said once, until it takes something again."""
        try:
            await state.save(self.folder, self._now())
        except OSError as error:
            before, self.unsaved = self.unsaved, error_text(error)
            if before != self.unsaved:
                self.tell("state_not_saved", "", self.unsaved)
            raise
        self.unsaved = None

    def disk_view(self) -> DiskView:
        """How much was written, and whether what is now is there."""
        return DiskView(writes=self.folder.writes, bytes=self.folder.bytes, unsaved=self.unsaved)

    def _word(self) -> ArmWord | None:
        """The operator's that counts, None: the site file's mode does."""
        arming = self.gate.arming
        if arming.by is None:
            return None
        return ArmWord(armed=arming.asked, by=arming.by, since=arming.since or "", mode=arming.file)

    def _now(self) -> Surviving:
        now = self.clock.wall()
        wall, now_s = now if self.clock.synced else None, self.requests.clock()
        return Surviving(
            saved=now,
            synced=self.clock.synced,
            word=self._word(),
            requests=[to_plain(held, wall=wall, now_s=now_s) for held in self.requests.held.values()],
            memories=kept(self.loop.memories),
            found=self.standings.kept(),
            seen=dict(self.desk.seen),
            stories=[] if self.desk.stories is None else self.desk.stories.plain(),
            waiting=self.requests.waiting.plain(now_s),
            proven_meter=self.proof.proven,
            known=self.known.plain(),
            agreed=self.gate.agreed,
            wear=self.releaser.records.ledger.plain(),
            rests=learned(self.releaser.dispatch.writers),
        )


def _wearing(survival: Survival) -> Wearing:
    """The file that counts writes to what wears out."""
    return Wearing(survival.folder, survival.clock, survival.releaser.records.ledger)


def armed(arming: Arming, mode: Mode, word: ArmWord | None) -> Arming:
    """Where arming starts: the last word counts, be it the operator's, or a mode of the site file that is another one
    than when the operator spoke. Of an older version's word nobody knows that: the file counts as unchanged."""
    if word is None or word.mode not in {None, mode}:
        return filed(replace(arming, file=None), mode)
    said = Said.ARM if word.armed else Said.DISARM
    return told(replace(arming, file=mode), said, by=word.by, since=word.since)


@dataclass(slots=True)
class MeterProof:
    """Which meter at the point of connection was seen to follow the inverters: the same one needs no second proof.

    proven: serial and sign of the one that was proven last. The sign belongs to it: what was proven is that the power
    moves the way that the inverters do, and an edit of the site file turns it round. plant: what was found out of it.
    """

    poc: Channel | None
    proven: str | None = None
    plant: PlantFile = NOTHING_FOUND
    site: str = ""
    _recalled: bool = False

    @property
    def _serial(self) -> str | None:
        """Of the meter that answers; None before one does."""
        known = None if self.poc is None else self.poc.bond.binding.known
        return None if known is None else known.serial

    @property
    def _name(self) -> str | None:
        if self.poc is None or self._serial is None:
            return None
        options = self.poc.expected.options
        section = "" if options.section is None else f" section {options.section}"
        return f"{self._serial} {options.sign:+d}{section}"

    def look_at(self, poc: Channel | None) -> None:
        """Another meter, perhaps: it is recalled once it answers."""
        self.poc, self._recalled = poc, False

    def recall(self, memories: MutableMapping[str, Memory]) -> None:
        """Trust the meter from before the restart, as soon as it answers."""
        name = self._name
        if self._recalled or name is None:
            return
        self._recalled = True
        self._paced(memories)
        memory = memories.get(ContractExportLimit.kind, ContractMemory())
        if name == self.proven and self._serial and isinstance(memory, ContractMemory):
            trust = replace(memory.trust, proven=True)
            memories[ContractExportLimit.kind] = replace(memory, trust=trust)

    def _paced(self, memories: MutableMapping[str, Memory]) -> None:
        """How late the meter is, and how often it shows something new, as `derctl identify` found out; until it is
        seen to be otherwise."""
        found, memory = self.plant.meter(self._serial), memories.get(BELIEF) or belief.start(self.site)
        if found is None or found.flaws or not isinstance(memory, belief.Memory) or memory.pace.late_s is not None:
            return
        refresh_s = memory.pace.refresh_s if found.refresh_s is None else found.refresh_s
        memories[BELIEF] = replace(
            memory, pace=replace(memory.pace, late_s=found.delay_s, refresh_s=min(refresh_s, REFRESH_MAX_S))
        )

    def learn(self, memories: Mapping[str, Memory]) -> str | None:
        """The serial of a meter that has been proven just now, or is believed again."""
        memory = memories.get(ContractExportLimit.kind)
        name = self._name
        if not isinstance(memory, ContractMemory) or name is None:
            return None
        if memory.trust.doubted or _given_up(memories):  # a restart does not wash it clean
            self.proven = None if name == self.proven else self.proven
            return None
        if not memory.trust.proven or name == self.proven:
            return None
        self.proven = name
        return self._serial

    def belief(self, memories: Mapping[str, Memory]) -> Belief | None:
        """What the contract's loop believes of the meter; None where no such loop runs."""
        memory = memories.get(ContractExportLimit.kind)
        if not isinstance(memory, ContractMemory):
            return None
        if memory.trust.doubted or _given_up(memories):
            return Belief.DOUBTED
        if memory.lost:
            return Belief.LOST
        return Belief.PROVEN if memory.trust.proven else Belief.UNPROVEN


def _given_up(memories: Mapping[str, Memory]) -> bool:
    """It does not show the steps that a coin chose, or something else speaks against it."""
    memory = memories.get(BELIEF)
    return isinstance(memory, belief.Memory) and memory.belief is Belief.DOUBTED
