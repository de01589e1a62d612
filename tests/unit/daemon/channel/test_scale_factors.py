"""One lying answer with another scale factor moves nothing; a real change is taken with the second answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core.exchange import Read, Registers, Write
from derctl.core.types import Decision, DerState, Fallback, Setpoint
from derctl.core.words import Bind, FallbackBy, Reason, Released
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import CATALOGUE, Options
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.models import model
from tests.fake import Fake, lay_out
from tests.unit.conftest import VirtualLoop
from tests.wire import Up, now_s

STANDS = Fallback(by=FallbackBy.STANDS, p_ceiling_w=2000.0)
RATED_W = 5000.0
SCALES = {"pv_7xx": (704, "WMaxLimPct_SF"), "pv_103": (123, "WMaxLimPct_SF"), "storage_7xx": (713, "Pct_SF")}
AC = {"pv_7xx": 701, "pv_103": 103}


class Wire(Up):
    """Answers from a fake's registers; lie: what becomes of an answer on its way."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.lie: Callable[[Read, tuple[int, ...]], tuple[int, ...]] = lambda read, words: words

    async def request(self, unit: int, op: Read | Write) -> Registers:
        await asyncio.sleep(0.001)
        answer = self.fake.served(op)
        return self.lie(op, answer) if isinstance(op, Read) else answer


class Inverter:
    """One that is polled and told a ceiling each second. most_pct: the most that it was ever told, as it reads it."""

    def __init__(self, name: str, bus: Bus, wire: Wire, kind: str) -> None:
        self.name, self.wire, self.fake = name, wire, wire.fake
        self.events: list[tuple[str, str]] = []
        self.most_pct = 0.0
        self.ceiling_w = 3000.0
        self.channel = Channel(
            id=name, bus=bus, unit=1, clock=now_s, born_s=now_s(),
            expected=Expected(kind=CATALOGUE[kind].given(model), options=Options(own_functions="off")),
            on_event=lambda event, who, text: self.events.append((event, text)),
        )  # fmt: skip
        self.writer = Writer(
            id=name, channel=self.channel, fallback=STANDS, control=True, tick_s=1.0, journal=_nothing,
            on_event=lambda event, who, text: self.events.append((event, text)), clock=now_s,
        )  # fmt: skip

    @property
    def told_pct(self) -> float:
        model_id, _ = SCALES[self.name]
        return float(self.fake.get(model_id, "WMaxLimPct"))

    @property
    def state(self) -> Bind:
        return self.channel.state

    async def tick(self, ceiling_w: float | None = None) -> None:
        """Another ceiling each time, so that something is written whenever it may be."""
        await self.channel.poll()
        self.ceiling_w = ceiling_w or (3000.0 if self.ceiling_w == 2000.0 else 2000.0)
        device, measured = self.channel.device, self.channel.measured
        if device is not None:
            fresh = self.state is Bind.OK
            der = DerState(
                id=self.name, rating=device.rating, can=device.can, reading=measured.reading,
                age_s=now_s() - measured.read_s, sample=measured.sample, fresh=fresh, controllable=fresh,
            )  # fmt: skip
            setpoint = Setpoint(p_ceiling_w=self.ceiling_w)
            self.writer.offer(Decision(der=self.name, setpoint=setpoint), der, True, now_s())
            await self.writer.errand.wait()
            self.writer.errand.raise_bugs()
        self.most_pct = max(self.most_pct, self.told_pct) if self.writer.wrote else 0.0
        await asyncio.sleep(1.0)


async def _nothing(der_id: str) -> None:
    return


@asynccontextmanager
async def served(name: str, kind: str = "sunspec_pv") -> AsyncIterator[Inverter]:
    wire = Wire(lay_out(name))
    bus = Bus(Line(name, wire, Pace(), clock=now_s))
    running = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()
    try:
        yield Inverter(name, bus, wire, kind)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def lying(inverter: Inverter, model_id: int, point: str, word: int, *, skips: int = 0) -> None:
    """One answer has another word there: the next one, or after so many."""
    at, left = inverter.fake.places[model_id] + inverter.fake.decoded(model_id).points[point].offset, [skips]

    def lie(read: Read, words: tuple[int, ...]) -> tuple[int, ...]:
        if left[0] < 0 or not read.address <= at < read.address + read.count or read.count < 20:
            return words
        left[0] -= 1
        if left[0] >= 0:
            return words
        place = at - read.address
        return (*words[:place], word, *words[place + 1 :])

    inverter.wire.lie = lie


@pytest.mark.parametrize("word", [0xFFFD, 0xFFFE, 0, 3, 0x8000])
async def test_one_lying_answer_of_one_device_writes_nothing_by_it_and_the_other_goes_on(word: int) -> None:
    async with served("pv_7xx") as liar, served("pv_103") as other:
        for inverter in (liar, other):
            for _ in range(3):
                await inverter.tick()
            assert inverter.told_pct == pytest.approx(inverter.ceiling_w / RATED_W * 100.0)
        before, sent, read_s = liar.told_pct, liar.writer.writes, liar.channel.measured.read_s
        lying(liar, *SCALES["pv_7xx"], word)
        others = other.writer.writes
        await liar.tick()
        await other.tick()
        assert (liar.state, liar.channel.bond.binding.reason) == (Bind.UNMEASURED, Reason.IMPLAUSIBLE)
        assert (liar.told_pct, liar.writer.writes) == (before, sent), "not written meanwhile"
        assert liar.channel.measured.read_s == read_s, "and what it measured with that is no reading"
        assert other.writer.writes == others + 1
        await liar.tick()
        assert liar.state is Bind.OK
        assert liar.told_pct == pytest.approx(liar.ceiling_w / RATED_W * 100.0)
        for inverter in (liar, other):
            assert inverter.most_pct <= 60.0


@pytest.mark.parametrize(("name", "sf"), [("pv_7xx", 0), ("pv_7xx", -2), ("pv_103", 0), ("pv_103", -2)])
async def test_a_real_change_is_written_by_after_two_answers(name: str, sf: int) -> None:
    model_id, point = SCALES[name]
    async with served(name) as inverter:
        for _ in range(3):
            await inverter.tick()
        inverter.fake.put(model_id, **{point: sf, "WMaxLimPct": inverter.told_pct})
        stood = inverter.told_pct
        await inverter.tick()
        assert (inverter.state, inverter.told_pct) == (Bind.UNMEASURED, stood)
        event, text = inverter.events[-1]
        assert event == "device_unmeasured"
        assert f"reads {sf} after -1: it counts once it is read twice" in text
        await inverter.tick()
        assert inverter.state is Bind.OK
        assert inverter.told_pct == pytest.approx(inverter.ceiling_w / RATED_W * 100.0)
        assert inverter.most_pct <= 60.0


@pytest.mark.parametrize("name", sorted(AC))
async def test_a_measured_value_by_a_scale_factor_of_one_answer_is_none(name: str) -> None:
    async with served(name) as inverter:
        for _ in range(2):
            await inverter.tick()
        inverter.fake.put(AC[name], W=300)
        await inverter.tick()
        lying(inverter, AC[name], "W_SF", 2)
        await inverter.tick()
        assert inverter.channel.measured.reading.p_w == 300.0
        assert inverter.state is Bind.UNMEASURED
        inverter.fake.put(AC[name], W_SF=1, W=4000)
        await inverter.tick()
        assert inverter.channel.measured.reading.p_w == 300.0, "no answer between had it twice"
        await inverter.tick()
        assert (inverter.state, inverter.channel.measured.reading.p_w) == (Bind.OK, 4000.0)
        inverter.fake.put(AC[name], W_SF=0, W=3000)
        await inverter.tick()
        assert inverter.channel.measured.reading.p_w == 3000.0, "one that it had before is known"


async def test_a_lie_in_the_first_answer_is_put_right_by_two_that_agree() -> None:
    async with served("pv_103") as inverter:
        inverter.fake.put(103, W=300)
        lying(inverter, 103, "W_SF", 1)
        for reads_w in (3000.0, 3000.0, 300.0):
            await inverter.channel.poll()
            assert inverter.channel.measured.reading.p_w == reads_w


async def test_without_a_lie_the_first_poll_counts() -> None:
    async with served("pv_103") as inverter:
        await inverter.channel.poll()
        assert (inverter.state, inverter.channel.measured.reading.p_w) == (Bind.OK, 3120.0)


@pytest.mark.parametrize(("times", "sure"), [(0, True), (1, True), (2, False)])
async def test_a_block_that_is_read_seldom_is_read_again_at_once(times: int, sure: bool) -> None:
    """A second answer tells which of the two was right, or, where it lies too, that none is known."""
    async with served("storage_7xx", "sunspec_storage") as store:
        await store.channel.poll()
        device, answers = store.channel.device, store.channel.answers
        assert device is not None and store.channel.measured.reading.soc_pct == 60.5
        words = iter([0, 1][:times])

        def lie(read: Read, answer: tuple[int, ...]) -> tuple[int, ...]:
            if read != device.slow["soc"] or (word := next(words, None)) is None:
                return answer
            return tuple(word if place in read.scales else each for place, each in enumerate(answer))

        store.wire.lie = lie
        read_s = answers.slow.read_s["soc"]
        await asyncio.sleep(100.0)
        await store.channel.read_slow(first=True)
        assert (answers.slow.read_s["soc"] > read_s) is sure
        await store.channel.poll()
        assert store.channel.measured.reading.soc_pct == (60.5 if sure else None)


@pytest.mark.parametrize("name", ["pv_7xx", "pv_103"])
@pytest.mark.parametrize("word", [0xFFFD, 0, 3])
async def test_a_release_does_not_go_by_one_lying_answer_either(name: str, word: int) -> None:
    async with served(name) as inverter:
        for _ in range(3):
            await inverter.tick()
        lying(inverter, *SCALES[name], word)
        released = await inverter.writer.release(lift=False)
        assert (released.result, released.stands_w) == (Released.RELEASED, 2000.0)
        assert inverter.told_pct == 40.0


@pytest.mark.parametrize("name", ["pv_7xx", "pv_103"])
async def test_what_reads_back_by_a_lying_answer_is_read_again(name: str) -> None:
    async with served(name) as inverter:
        for _ in range(3):
            await inverter.tick()
        lying(inverter, *SCALES[name], 3, skips=1)
        await inverter.tick(1000.0)
        written = inverter.writer.account.hold.written
        assert written is not None and written.found == Setpoint(p_ceiling_w=1000.0)


@given(
    st.lists(st.tuples(st.sampled_from(["", "ctl", "ac"]), st.integers(0, 0xFFFF)), min_size=3, max_size=8),
    st.sampled_from(["pv_7xx", "pv_103"]),
)
@settings(max_examples=40)
def test_whatever_scale_factors_are_among_good_ones_no_write_says_more_than_it_may(
    lies: list[tuple[str, int]], name: str
) -> None:
    """Each lie is another one than that before, as a wire's are."""

    async def run() -> None:
        async with served(name) as inverter:
            for _ in range(3):
                await inverter.tick()
            for n, (block, word) in enumerate(lies):
                if block and (n == 0 or lies[n - 1][1] != word):
                    model_id, point = SCALES[name] if block == "ctl" else (AC[name], "W_SF")
                    lying(inverter, model_id, point, word)
                await inverter.tick()
                assert inverter.told_pct in {40.0, 60.0}
            for _ in range(2):
                await inverter.tick(1000.0)
            assert (inverter.state, inverter.told_pct) == (Bind.OK, 20.0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())
