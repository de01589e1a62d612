"""What a device is told to do without derctl, and how far it keeps that: docs/interfaces.md, `fallback`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Fallback, Setpoint
from derctl.core.words import FallbackBy, Promise, Timer
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.promised import Promised
from derctl.devices import Profile
from derctl.devices.types import Reversion

STANDS, REVERSION = FallbackBy.STANDS, FallbackBy.REVERSION
WRITTEN_S = 1000.0


class Inverter:
    """Its timer is the test's. keeps: what it reads back of a fallback, None where that can't be read back."""

    def __init__(self, *, timer: Timer = Timer.NONE, keeps: bool | None = True) -> None:
        self.reversion = Reversion(timer=timer)
        self.keeps = keeps
        self.asked: list[Fallback] = []

    def promises(self, words: Any, fallback: Fallback) -> bool | None:
        self.asked.append(fallback)
        return self.keeps


def promised(
    device: Inverter | None,
    fallback: Fallback,
    *,
    found_w: float | None = None,
    refusals: int | None = 0,
    read_s: float = WRITTEN_S + 1.0,
    readback: Any = "values",
) -> Promised:
    """refusals: of the last write, None where nothing was written. read_s: when it was polled last."""
    written = None if refusals is None else Written(setpoint=Setpoint(), at_s=WRITTEN_S, refusals=refusals)
    channel: Any = SimpleNamespace(
        device=device,
        answers=SimpleNamespace(words={}, scales={}),
        measured=SimpleNamespace(read_s=read_s, profile=Profile(readback=readback)),
    )
    account: Any = SimpleNamespace(hold=Hold(written=written))
    return Promised(channel, account, fallback, lambda: found_w)


@pytest.mark.parametrize(
    ("declared_w", "by", "found_w", "timer", "told_w", "told_by"),
    [
        (5000.0, STANDS, None, Timer.NONE, 5000.0, STANDS),
        (5000.0, REVERSION, None, Timer.NO_TARGET, 5000.0, REVERSION),
        (5000.0, STANDS, 4000.0, Timer.NONE, 4000.0, STANDS),  # never more than what somebody had set
        (3000.0, STANDS, 4000.0, Timer.NONE, 3000.0, STANDS),
        (None, STANDS, 4000.0, Timer.NONE, 4000.0, STANDS),  # no fallback is the full rating
        (5000.0, REVERSION, 4000.0, Timer.TARGET, 4000.0, REVERSION),
        (5000.0, REVERSION, 4000.0, Timer.NO_TARGET, 4000.0, STANDS),  # its timer would let go of every limit
        (3000.0, REVERSION, 4000.0, Timer.NO_TARGET, 3000.0, STANDS),
        (None, REVERSION, 0.0, Timer.NO_TARGET, 0.0, STANDS),
    ],
)
def test_without_derctl_a_device_never_gives_more_than_the_limit_that_was_found_in_it(
    declared_w: float | None, by: FallbackBy, found_w: float | None, timer: Timer, told_w: float, told_by: FallbackBy
) -> None:
    told = promised(Inverter(timer=timer), Fallback(p_ceiling_w=declared_w, by=by), found_w=found_w).told
    assert (told.p_ceiling_w, told.by) == (told_w, told_by)


def test_one_that_is_not_found_yet_is_told_the_lower_limit_too() -> None:
    told = promised(None, Fallback(p_ceiling_w=5000.0, by=REVERSION), found_w=4000.0).told
    assert (told.p_ceiling_w, told.by) == (4000.0, REVERSION)


@pytest.mark.parametrize(
    ("there", "refusals", "read_s", "keeps", "readback", "kept", "proven"),
    [
        (True, None, 1001.0, True, "values", Promise.UNPROVEN, False),  # what stood there before is no promise
        (True, 1, 1001.0, True, "values", Promise.UNPROVEN, False),  # it did not take over what it was told
        (False, 0, 1001.0, True, "values", Promise.UNPROVEN, False),
        (True, 0, 999.0, True, "values", Promise.WRITTEN, False),  # read before it was written
        (True, 0, 1000.0, True, "values", Promise.WRITTEN, False),
        (True, 0, 1001.0, False, "values", Promise.WRITTEN, False),
        (True, 0, 1001.0, None, "values", Promise.WRITTEN, False),
        (True, 0, 1001.0, True, "values", Promise.READ_BACK, True),
        (True, 0, 1001.0, None, "effect_only", Promise.WRITTEN, True),  # of one that can't be read back: written
        (True, None, 1001.0, None, "effect_only", Promise.UNPROVEN, False),
        (True, 2, 1001.0, None, "effect_only", Promise.UNPROVEN, False),
    ],
)
def test_a_promise_is_proven_once_it_is_read_back_or_written_where_nothing_can_be_read_back(
    there: bool, refusals: int | None, read_s: float, keeps: bool | None, readback: str, kept: Promise, proven: bool
) -> None:
    device = Inverter(keeps=keeps) if there else None
    found = promised(device, Fallback(by=STANDS), refusals=refusals, read_s=read_s, readback=readback)
    assert (found.kept, found.proven) == (kept, proven)


def test_what_has_to_be_read_back_is_what_it_was_told_and_not_what_the_site_file_declares() -> None:
    device = Inverter()
    assert promised(device, Fallback(p_ceiling_w=5000.0, by=STANDS), found_w=4000.0).proven
    assert {asked.p_ceiling_w for asked in device.asked} == {4000.0}
