"""Blocks read together answer as if each had been read alone, and are parted where a device does not take that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derctl.core.exchange import Exchange, Op, Read, Registers
from derctl.devices import Options, Profile, kinds
from derctl.devices.blocks import Blocks, Joining, joined
from derctl.errors import BusClosed, BusTimeout, DerctlError, DeviceRefused
from derctl.links.models import model
from tests.fake import lay_out

ANYWHERE = Joining(gap=20, spans=True)
AC, CTL, STO = Read(address=100, count=40), Read(address=150, count=26), Read(address=176, count=26)
FAR = Read(address=400, count=10)
CONTROL = {"ac": AC, "ctl": CTL, "sto": STO, "far": FAR}


class Device:
    """Its registers are their own addresses, plus how often it was asked. fails: what becomes of a request."""

    def __init__(self, fails: Callable[[Read], DerctlError | None] = lambda read: None) -> None:
        self.fails, self.asked, self.blocks = fails, list[Read](), Blocks()
        self.answer: Callable[[Read], list[int]] = lambda read: list(range(read.address, read.address + read.count))

    def poll(
        self, control: dict[str, Read] = CONTROL, joining: Joining = ANYWHERE, vital: tuple[str, ...] = ()
    ) -> tuple[list[tuple[int, int]], dict[str, Registers], dict[str, int]]:
        """The requests of a poll, the blocks that answered, and the codes of those that were refused."""
        self.asked.clear()
        exchange = self.blocks.ask(control, joining, lambda name, error: name in vital)
        answers, refused = self._run(exchange)
        codes = {name: error.code for name, error in refused.items()}
        return [(read.address, read.count) for read in self.asked], answers, codes

    def _run(
        self, exchange: Exchange[tuple[dict[str, Registers], dict[str, DeviceRefused]]]
    ) -> tuple[dict[str, Registers], dict[str, DeviceRefused]]:
        try:
            op: Op = next(exchange)
            while True:
                assert isinstance(op, Read)
                self.asked.append(op)
                error = self.fails(op)
                op = exchange.send(self.answer(op)) if error is None else exchange.throw(error)
        except StopIteration as stop:
            found: tuple[dict[str, Registers], dict[str, DeviceRefused]] = stop.value
            return found


def refusal(read: Read, code: int = 2) -> DeviceRefused:
    return DeviceRefused(code, function=read.function, address=read.address, count=read.count)


def alone() -> dict[str, tuple[int, ...]]:
    return {name: tuple(range(read.address, read.address + read.count)) for name, read in CONTROL.items()}


def plain(answers: dict[str, Registers]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(words) for name, words in answers.items()}


ALONE = [(100, 40), (150, 26), (176, 26), (400, 10)]
TOGETHER = [(100, 102), (400, 10)]


def test_neighbours_are_read_together_once_that_was_seen_to_be_the_same() -> None:
    device = Device()
    assert device.poll()[0] == [(100, 40), (150, 26), (176, 26), (100, 102), (400, 10)]
    requests, answers, refused = device.poll()
    assert (requests, plain(answers), refused) == (TOGETHER, alone(), {})
    assert [(read.address, read.count) for read in device.blocks.requests(CONTROL, ANYWHERE)] == TOGETHER


def test_until_then_each_is_counted_alone() -> None:
    assert [(read.address, read.count) for read in Blocks().requests(CONTROL, ANYWHERE)] == ALONE


@pytest.mark.parametrize(
    ("joining", "spans"),
    [
        (Joining(gap=9, spans=True), [(100, 40), (150, 52), (400, 10)]),
        (Joining(gap=10, spans=True), TOGETHER),
        (Joining(gap=300, spans=True), TOGETHER),
        (Joining(gap=20, spans=True, max_regs=101), [(100, 76), (176, 26), (400, 10)]),
        (Joining(gap=20, spans=True, max_regs=60), [(100, 40), (150, 52), (400, 10)]),
        (Joining(gap=20), ALONE),
    ],
)
def test_a_gap_that_costs_too_much_a_read_that_is_too_long_and_a_model_that_ends_keep_them_apart(
    joining: Joining, spans: list[tuple[int, int]]
) -> None:
    assert [(joint.read.address, joint.read.count) for joint in joined(CONTROL.values(), joining)] == spans


def test_two_blocks_of_one_model_are_read_together_whatever_the_profile_says_of_others() -> None:
    whole, part, other = Read(address=100, count=26), Read(address=100, count=23), Read(address=126, count=9)
    found = joined((part, whole, other), Joining(gap=20))
    assert [(joint.read.address, joint.read.count) for joint in found] == [(100, 26), (126, 9)]
    device = Device()
    device.poll({"soc": part, "sto": whole}, Joining())
    requests, answers, _ = device.poll({"soc": part, "sto": whole}, Joining())
    assert requests == [(100, 26)] and [len(answers[name]) for name in ("soc", "sto")] == [23, 26]


def test_another_function_is_another_request() -> None:
    found = joined((Read(address=100, count=2), Read(address=102, count=2, function=4)), ANYWHERE)
    assert len(found) == 2


def test_a_block_that_is_cut_is_put_together_again_and_cut_nowhere_else() -> None:
    """Cuts stand where no number is torn; a part is never cut again."""
    long = Read(address=100, count=150, cuts=(160, 219))
    control = {"ac": long, "ctl": CTL_BEHIND}
    joining = Joining(gap=20, spans=True, max_regs=60)
    device = Device()
    assert device.poll(control, joining)[0] == [(100, 60), (160, 59), (219, 31), (250, 26), (219, 57)]
    requests, answers, _ = device.poll(control, joining)
    assert requests == [(100, 60), (160, 59), (219, 57)]
    assert list(answers["ac"]) == list(range(100, 250)) and list(answers["ctl"]) == list(range(250, 276))


CTL_BEHIND = Read(address=250, count=26)


def in_hole(read: Read) -> DerctlError | None:
    """Nothing stands between 140 and 150."""
    return refusal(read) if read.address < 150 <= read.address + read.count - 1 else None


def test_a_hole_is_bisected_once_and_remembered() -> None:
    device = Device(in_hole)
    assert device.poll()[1].keys() == CONTROL.keys()
    assert device.poll()[0] == [(100, 40), (150, 26), (176, 26), (150, 52), (400, 10)], "the halves are tried"
    for _ in range(3):
        requests, answers, refused = device.poll()
        assert (requests, plain(answers), refused) == ([(100, 40), (150, 52), (400, 10)], alone(), {})


def test_a_hole_that_comes_later_is_found_within_one_poll() -> None:
    """SMA inverters refuse whole models at night."""
    device = Device()
    for _ in range(2):
        device.poll()
    device.fails = in_hole
    requests, answers, refused = device.poll()
    assert requests == [(100, 102), (100, 40), (150, 52), (400, 10)]
    assert (plain(answers), refused) == (alone(), {})
    assert device.poll()[0] == [(100, 40), (150, 52), (400, 10)]


def test_it_is_forgotten_with_a_new_binding() -> None:
    device = Device(in_hole)
    device.poll()
    device.blocks = Blocks()
    assert (100, 102) in device.poll()[0]


def test_a_block_that_is_refused_itself_takes_no_other_with_it() -> None:
    device = Device()
    for _ in range(2):
        device.poll()
    device.fails = lambda read: refusal(read) if read.address <= 176 < read.address + read.count else None
    _, answers, refused = device.poll()
    assert refused == {"sto": 2} and answers.keys() == {"ac", "ctl", "far"}


@pytest.mark.parametrize("joining", [Joining(), ANYWHERE])
def test_a_block_without_which_it_is_no_device_ends_the_poll(joining: Joining) -> None:
    device = Device(lambda read: refusal(read, 6) if read.address == 100 else None)
    with pytest.raises(DeviceRefused):
        device.poll(joining=joining, vital=("ac",))


def test_one_that_is_busy_has_no_hole() -> None:
    device = Device()
    for _ in range(2):
        device.poll()
    device.fails = lambda read: refusal(read, 6) if read.count == 102 else None
    requests, _, refused = device.poll()
    assert requests == TOGETHER and refused == {"ac": 6, "ctl": 6, "sto": 6}
    device.fails = lambda read: None
    assert device.poll()[0] == TOGETHER


@pytest.mark.parametrize("error", [BusTimeout("silent"), BusClosed("closed"), refusal(AC, 4)])
def test_what_is_not_answered_at_first_is_not_asked_for_again(error: DerctlError) -> None:
    """Some fall silent, or close, where a request goes beyond a model: once is enough."""
    device = Device(lambda read: error if read.count == 102 else None)
    _, answers, refused = device.poll()
    assert (plain(answers), refused) == (alone(), {}), "what was read alone stands"
    assert device.poll()[0] == ALONE


def test_one_that_answers_something_else_then_is_read_block_by_block() -> None:
    """Some gateways answer zeros behind the end of a model."""
    device = Device()
    honest = device.answer
    device.answer = lambda read: honest(read)[:40] + [0] * 62 if read.count == 102 else honest(read)
    device.poll()
    requests, answers, _ = device.poll()
    assert (requests, plain(answers)) == (ALONE, alone())


def test_a_poll_that_fails_fails() -> None:
    device = Device()
    for _ in range(2):
        device.poll()
    device.fails = lambda read: BusTimeout("silent")
    with pytest.raises(BusTimeout):
        device.poll()
    device.fails = lambda read: None
    assert device.poll()[0] == TOGETHER


@pytest.mark.parametrize(
    ("name", "kind"), [("storage_124", "sunspec_storage"), ("pv_7xx", "sunspec_pv"), ("bms", "sunspec_bms")]
)
@pytest.mark.parametrize("most", [50, 125])
def test_a_device_reads_the_same_whatever_is_read_together(name: str, kind: str, most: int) -> None:
    fake = lay_out(name)
    device = fake.run(kinds(model)[kind].bind(Options(profile=Profile(max_regs=most))))
    blocks, joining = Blocks(), Joining(max_regs=most, gap=125, spans=True)
    for _ in range(3):
        fake.ops.clear()
        answers, refused = fake.run(blocks.ask(device.control, joining, lambda name, error: True))
        assert refused == {} and device.decode(fake.poll(device) | answers) == device.decode(fake.poll(device))
        assert {name: tuple(words) for name, words in answers.items()} == {
            name: words for name, words in fake.poll(device).items() if name in device.control
        }
    alone = sum(len(read.parts) for read in device.control.values())
    assert len(fake.ops) <= alone and max(op.count for op in fake.ops if isinstance(op, Read)) <= most
    assert len(fake.ops) < alone or name != "bms", "its two models are neighbours"
