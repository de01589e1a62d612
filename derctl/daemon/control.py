"""The control path as the site file that counts has it: from the image to the registers, and each tick's end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from derctl.core import belief
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Evidence
from derctl.core.identified import Identified
from derctl.core.memories import BELIEF, DOUBTS, HELD, SENSITIVITY
from derctl.core.plan import Memories
from derctl.core.poc import evidence_of
from derctl.core.types import Setpoint, SiteState, Tick
from derctl.core.value import replace
from derctl.core.words import Belief, Flaw, Mode, OnOverride
from derctl.daemon.absent import Absent
from derctl.daemon.actuate.contest import Contest
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.arming import Arm
from derctl.daemon.build import Plant, fresh, writer_of
from derctl.daemon.channel.channel import Channel
from derctl.daemon.gate import Gate
from derctl.daemon.image import Image
from derctl.daemon.known import Known
from derctl.daemon.looks import Looks
from derctl.daemon.loop import Loop
from derctl.daemon.poller import Poller
from derctl.daemon.promises import Promises
from derctl.daemon.reckoned import Reckoned, chosen
from derctl.daemon.report.loops import guarded
from derctl.daemon.requests import Requests
from derctl.daemon.standings import NOTHING_STOOD, Standings, rules_of, yielded
from derctl.daemon.survival import MeterProof
from derctl.daemon.tasks import Tasks
from derctl.functions import ROWS, Need
from derctl.links.bus import Bus
from derctl.site import DerSection, Site, fallback_of
from derctl.store.folder import Folder
from derctl.store.journal import Journal

Left = tuple[tuple[object, object, object], Evidence | None]
"""What a tick left in memory of the meter, and the evidence that is made of it."""

WARM_UP_S = 0.5
SLOW = "slow blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who hears of it. report: a tick; vouch: that it is done. tell: what News takes. stamp: the wall time as
    text. changed: something that must survive a restart has changed."""

    report: Callable[[Tick], None]
    vouch: Callable[[], None]
    tell: Callable[[str, str, str], None]
    stamp: Callable[[], str]
    changed: Callable[[], None]


class Control:
    """Another site file is taken between two ticks. What it leaves as it was stays: what is known of a device, what
    that holds, memories, requests, the word on control."""

    def __init__(self, site: Site, plant: Plant, absent: Absent, gate: Gate, requests: Requests, ears: Ears) -> None:
        self.site, self.plant, self.absent, self.gate, self.requests, self.ears = (
            site,
            plant,
            absent,
            gate,
            requests,
            ears,
        )
        journal = Journal(Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent))
        self.reckoned = Reckoned()
        self._last: Left = ((None, None, None), None)
        self.proof = MeterProof(plant.poc, plant=site.plant, site=site.file.site.id)
        records = Records(journal, ears.stamp, ears.tell, Ledger(ears.changed))
        self.releaser = Releaser(records, Dispatch({}), ears.tell)
        self.standings = Standings(
            rules=rules_of(site, plant.ders),
            looks=Looks(journal, records.left),
            left=records.left,
            tell=ears.tell,
            changed=ears.changed,
        )
        self.releaser.dispatch = dispatch = Dispatch({der.id: self._writer(der) for der in site.file.ders})
        self.promises = Promises(dispatch.writers, self.absent, lambda: gate.arming, ears.tell)
        self.loop = Loop(
            tick_s=site.file.site.tick_s,
            plan=site.plan,
            poller=Poller(plant.channels, lambda name: self.loop.dispatch.heard(name, gate.open)),
            image=self._image(dispatch.writers),
            gate=gate,
            dispatch=dispatch,
            report=ears.report,
            vouch=ears.vouch,
            standing=partial(_standing, self),
        )

    @property
    def writers(self) -> Mapping[str, Writer]:
        """By DER id."""
        return self.releaser.dispatch.writers

    def state(self) -> SiteState:
        """Now."""
        return self.loop.image.snapshot(self.loop.clock())

    def start(self, tasks: Tasks) -> None:
        """The buses, and the slow blocks of the devices."""
        keep_connected(tasks, self.plant.buses.values())
        tasks.start(SLOW, self.loop.poller.run_slow(min(self.loop.tick_s, 1.0) / 2.0))

    async def run(self, took_over: Callable[[], Awaitable[bool]]) -> None:
        """Tick by tick. took_over: whether the loop has stopped for another site file."""
        await self.loop.poller.warm_up(WARM_UP_S)
        self.proof.recall(self.loop.memories)
        await took_over()  # asked for before the first tick
        await self.loop.run()
        while await took_over():
            await self.loop.run()

    def follow(self, tick: Tick) -> None:
        """The tick's end. A closed gate leaves nothing to lapse: what was written is released, and tried again."""
        self.promises.look(tick.state.t_s)
        known = self.absent.known
        while known.news:
            self.ears.tell("reverify_due", *known.news.pop(0))
        tell_of_guards(tick.memories, self.loop.memories, self.ears)
        tell_of_meter(tick, self.ears, _believed(self._last, tick))
        arm = self.gate.arming.state
        if arm in {Arm.WATCHING, Arm.HELD}:
            self.releaser.follow(lift=arm is Arm.WATCHING)
        self.proof.recall(self.loop.memories)
        self._last = (_meter_memories(self.loop.memories), None if tick.state.poc is None else tick.state.poc.belief)
        proven = self.proof.learn(self.loop.memories)
        if proven is not None:
            self.ears.tell("meter_proven", "poc", f"{proven or 'it'} followed a step of the inverters")
            self.ears.changed()

    async def let_go(self, site: Site, plant: Plant) -> None:
        """Before these are taken: the DERs that leave are released, and nothing is under way any more."""
        if self.gate.arming.state is not Arm.LOOKING:
            await self.releaser.release_of(leaving(self.plant, site, plant))
        for writer in self.writers.values():
            await writer.errand.wait()
        await self.loop.poller.change(plant.channels)

    def take(self, site: Site, plant: Plant) -> None:
        """All that depends on the site file, in one go. `restart` follows."""
        before, old = self.site, self.plant
        self.site, self.plant = site, plant
        self._forget(old)
        self.absent = absent_of(site, plant, self.absent.known, self.ears.changed)
        self.gate.absence = self.absent.whole
        self.proof.plant = site.plant
        if old.poc is not plant.poc:
            self.proof.look_at(plant.poc)
        self.standings.rules = rules_of(site, plant.ders)
        dispatch = Dispatch({der.id: self._writer(der) for der in site.file.ders})
        self.promises = Promises(dispatch.writers, self.absent, lambda: self.gate.arming, self.ears.tell)
        loop = self.loop
        self.reckoned = Reckoned()
        loop.tick_s, loop.plan, loop.image = site.file.site.tick_s, site.plan, self._image(dispatch.writers)
        loop.dispatch = self.releaser.dispatch = dispatch
        if site.file.site.mode != before.file.site.mode:
            self.gate.file_says(Mode(site.file.site.mode))
        self.ears.changed()

    async def restart(self, tasks: Tasks, before: Site, old: Plant) -> None:
        """The tasks that work on something else now. before, old: what was there."""
        other_pace = before.file.site.tick_s != self.site.file.site.tick_s
        if other_pace or fresh(old, self.plant) or len(old.channels) != len(self.plant.channels):
            await tasks.drop(SLOW)
        for bus in old.buses.values():
            if all(bus is not other for other in self.plant.buses.values()):
                await tasks.drop(task_of(bus))
        if tasks.has(SLOW):
            keep_connected(tasks, self.plant.buses.values())
        else:
            self.start(tasks)

    def _image(self, writers: Mapping[str, Writer]) -> Image:
        return Image(
            site=self.site.file,
            absent=self.absent,
            channels=self.plant.ders,
            bms=self.plant.bms,
            poc=self.plant.poc,
            witness=self.plant.witness,
            requests=self.requests,
            written=lambda name: writers[name].account.hold.told,
            holds=lambda name: _held(writers[name], self.standings),
            halted=lambda: self.promises.halted,
            awake_w=lambda name: writers[name].account.rest.least_w,
        )

    def _writer(self, der: DerSection) -> Writer:
        """The one from before, where its device is; with another fallback it writes anew, to arm that."""
        channel, writer = self.plant.ders[der.id], self.writers.get(der.id)
        if writer is None or writer.channel is not channel:
            writer = writer_of(self.site, der, channel, self.releaser.note, self.ears.tell)
            writer.promised.found_w = partial(self.standings.found_w, der.id)
            writer.spared_w = partial(self.standings.looks.unsure.get, der.id)
            writer.account.ration = Ration(der.id, self.releaser.records.ledger, frozenset(der.may_write))
            writer.account.yields = partial(yielded, self.standings, der.id)
            writer.account.contest = Contest(policy=OnOverride(self.site.file.site.on_override))
            awake_w = awake_from(self.site.plant.der(der.serial))
            writer.account.rest = replace(writer.account.rest, least_w=awake_w)
            return writer
        fallback = fallback_of(der)
        if fallback != writer.promised.fallback:
            writer.promised.fallback = fallback
            writer.account.hold = replace(writer.account.hold, written=None)
        writer.control, writer.tick_s = der.control, self.site.file.site.tick_s
        least_w = max(writer.account.rest.least_w, awake_from(self.site.plant.der(der.serial)))
        writer.account.rest = replace(writer.account.rest, least_w=least_w)
        writer.account.ration.named = frozenset(der.may_write)
        writer.account.contest = replace(writer.account.contest, policy=OnOverride(self.site.file.site.on_override))
        return writer

    def _forget(self, old: Plant) -> None:
        """What was remembered of a device that is another one now, and of a meter the loops on it."""
        plant = self.plant
        gone = {name for name, channel in old.ders.items() if plant.ders.get(name) is not channel}
        self.standings.forget(name for name in gone if not _same_place(old.ders[name], plant.ders.get(name)))
        for name in gone - set(plant.ders):
            self.requests.clear(name)
        loops = {row.kind for row in ROWS.values() if Need.METER in row.needs}
        meter = {BELIEF, DOUBTS, *loops} if old.poc is not plant.poc else set()
        if old.witness is not plant.witness:
            meter |= {DOUBTS}
        self.loop.memories = {
            key: memory
            for key, memory in self.loop.memories.items()
            if key.removeprefix(f"{HELD}/") not in meter and key.rpartition("/")[2] not in gone
        }


def awake_from(found: Identified | None) -> float:
    """The least limit that keeps it awake, where a step has shown that it goes off below; 0: none did."""
    trapped = found is not None and Flaw.MINIMUM_ON in found.flaws
    return (found.least_w or 0.0) if found is not None and trapped else 0.0


def _held(writer: Writer, standings: Standings) -> Setpoint:
    """What derctl left in a device; after a restart the limit that was its own before."""
    holds = writer.account.hold.holds
    own_w = standings.by_der.get(writer.id, NOTHING_STOOD).own_w
    return holds if holds.p_ceiling_w is not None or own_w is None else replace(holds, p_ceiling_w=own_w)


def _same_place(old: Channel, new: Channel | None) -> bool:
    """Whether the same device is meant, however it is asked now: what somebody else left in it still stands there."""
    if new is None:
        return False
    same = old.bus is new.bus and old.unit == new.unit and old.expected.serial == new.expected.serial
    return same and old.expected.options.section == new.expected.options.section


def _standing(control: Control, state: SiteState, dt_s: float, gate_open: bool) -> SiteState:
    """What stood in the devices; and what takes time is reckoned with those that are found."""
    plan = control.reckoned.look(control.site, control.plant)
    if plan is not None:
        control.loop.plan, control.absent.too_slow = plan, control.site.too_slow(control.reckoned.found)
    return control.standings.tick(state, dt_s, gate_open)


def _believed(last: Left, tick: Tick) -> Evidence | None:
    """What the meter was believed to be before this tick, where the last one left that; None: it is to be worked
    out."""
    memories, evidence = last
    same = all(a is b for a, b in zip(memories, _meter_memories(tick.memories), strict=True))
    return evidence if same else None


def _meter_memories(memories: Memories) -> tuple[object, object, object]:
    """All that evidence is made of."""
    return memories.get(BELIEF), memories.get(DOUBTS), memories.get(SENSITIVITY)


def tell_of_meter(tick: Tick, ears: Ears, was: Evidence | None = None) -> None:
    """What speaks against the meter since this tick, or no more. was: what it was believed to be; None: what the
    tick's memories say."""
    poc = tick.state.poc
    if poc is None:
        return
    was, found = evidence_of(poc, tick.memories) if was is None else was, poc.belief
    if was.why is not found.why:
        if found.why is None:
            ears.tell("meter_undoubted", "poc", "nothing but steps speaks against it any more")
        else:
            ears.tell("meter_doubted", "poc", f"{found.why}: {found.text}")
    elif was.wrong is not found.wrong and poc.fresh and _heard(tick.memories):
        ears.tell("meter_doubted" if found.wrong else "meter_undoubted", "poc", by_steps(found))


def _heard(memories: Memories) -> bool:
    """Whether the meter was heard in the tick before: a silence that ends says nothing of its steps."""
    memory = memories.get(BELIEF)
    return not isinstance(memory, belief.Memory) or memory.heard


def by_steps(found: Evidence) -> str:
    """What the steps of the inverters say of the meter."""
    if not found.wrong:
        return "steps of the inverters speak against it no more"
    if found.belief is Belief.LOST:
        return "it shows nothing new though the inverters moved"
    shown = "something else than" if found.slope is None else f"{100.0 * found.slope:.0f} % of"
    return f"it shows {shown} the steps of the inverters"


def tell_of_guards(before: Memories, now: Memories, ears: Ears) -> None:
    """What changed in a tick of what keeps the loops in bounds. An excursion that counts is saved."""
    for event, der, text in guarded(before, now):
        ears.tell(event, der, text)
        ears.changed()


def absent_of(site: Site, plant: Plant, known: Known, changed: Callable[[], None] = lambda: None) -> Absent:
    """What the site does without derctl, and whether its buses are quick enough, by what is found there now."""
    too_slow = site.too_slow(dict(chosen(plant)))
    return Absent(site, plant.ders, known=known, changed=changed, too_slow=too_slow)


def leaving(old: Plant, site: Site, plant: Plant) -> Sequence[str]:
    """The DERs that derctl will not write any more, or only as another device."""
    written = {der.id for der in site.file.ders if der.control}
    return [name for name in old.ders if name not in written or plant.ders[name] is not old.ders[name]]


def task_of(bus: Bus) -> str:
    """The task that keeps it connected. Two buses of one name at two places live side by side for a while."""
    return f"bus {bus.line.name} at {bus.line.place}"


def keep_connected(tasks: Tasks, buses: Iterable[Bus]) -> None:
    """A task for each that has none."""
    for bus in buses:
        if not tasks.has(task_of(bus)):
            tasks.start(task_of(bus), bus.line.run())
