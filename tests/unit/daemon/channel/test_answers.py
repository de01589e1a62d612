"""Which registers a device is decoded from: of its last poll, and of slow blocks while they count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Read
from derctl.daemon.channel.answers import Answers
from derctl.daemon.channel.slow import OWN_KEEP_S, SLOW_KEEP_S

REFUSED = "exception 4"


def device(*, control: dict[str, int], slow: dict[str, int]) -> Any:
    """By block, its address."""
    blocks = ({name: Read(address=at, count=1) for name, at in each.items()} for each in (control, slow))
    return SimpleNamespace(**dict(zip(("control", "slow"), blocks, strict=True)))


def test_a_poll_replaces_what_it_read_and_leaves_the_slow_blocks() -> None:
    answers = Answers()
    answers.answered("soc", (50,), 100.0)
    assert answers.polled({"ac": (1,)}, {}) == {"ac": (1,), "soc": (50,)}
    assert answers.polled({"ac": (2,)}, {}) == {"ac": (2,), "soc": (50,)} == answers.words


@pytest.mark.parametrize(("block", "kept"), [("bms", False), ("controls", True)])
def test_a_refused_block_is_not_decoded_and_only_a_control_group_is_kept_for_a_write(block: str, kept: bool) -> None:
    answers = Answers()
    answers.polled({"ac": (1,), block: (7,)}, {})
    assert answers.polled({"ac": (2,)}, {block: REFUSED}) == {"ac": (2,)}
    assert (block in answers.words) is kept


@pytest.mark.parametrize(("name", "keep_s"), [("soc", SLOW_KEEP_S["soc"]), ("own_705", OWN_KEEP_S)])
def test_a_slow_block_counts_as_long_as_its_kind_may(name: str, keep_s: float) -> None:
    answers = Answers()
    answers.polled({"ac": (1,)}, {})
    answers.answered(name, (50,), 100.0)
    answers.expire(100.0 + keep_s)
    assert name in answers.words
    answers.expire(100.1 + keep_s)
    assert (answers.words, answers.slow.read_s) == ({"ac": (1,)}, {}), "and what is polled stays"


def test_what_the_same_device_has_elsewhere_later_is_read_again() -> None:
    answers = Answers()
    answers.polled({"ac": (1,), "controls": (2,)}, {})
    for name in ("soc", "own_705"):
        answers.answered(name, (50,), 100.0)
    before = device(control={"ac": 1, "controls": 2}, slow={"soc": 3, "own_705": 4})
    answers.moved(before, device(control={"ac": 1, "controls": 20}, slow={"soc": 3, "own_706": 4}))
    assert answers.words == {"ac": (1,), "soc": (50,)}
    assert answers.slow.read_s == {"soc": 100.0}


@pytest.mark.parametrize(("control", "read_s"), [({"ac": 1}, 100.0), ({"ac": 1, "bms": 2}, None)])
def test_a_state_of_charge_that_is_in_each_poll_is_of_now(control: dict[str, int], read_s: float | None) -> None:
    answers = Answers()
    answers.answered("soc", (50,), 100.0)
    assert answers.soc_s(device(control=control, slow={"soc": 3})) == read_s
