"""The coded step: who makes it, and how far down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from derctl.core.evidence import Evidence
from derctl.core.types import DerState, SiteProposal, Trial
from derctl.functions.probe import Probe
from tests import make
from tests.timeline import SiteTimeline

DIP = Evidence(most_w=4_000.0)


def said(*ders: DerState, belief: Evidence = DIP) -> SiteProposal:
    return SiteTimeline(Probe()).proposes(*ders, poc=make.meter(0.0, belief=belief))


def test_the_sum_of_all_that_are_heard_is_held_down_by_those_that_can_be_told() -> None:
    """pv2 is only read: what it gives is no part of the ceiling."""
    found = said(make.pv("pv1", p_w=3_000.0), make.pv("pv2", p_w=1_500.0, controllable=False))
    assert (found.over, found.p_ceiling_w, found.rank) == (("pv1",), 2_500.0, 15)


def test_who_is_silent_is_no_part_of_it() -> None:
    silent = make.pv("pv3", p_w=2_000.0, fresh=False, controllable=False)
    found = said(make.pv("pv1", p_w=3_000.0), silent)
    assert (found.over, found.p_ceiling_w) == (("pv1",), 4_000.0)


def test_while_somebody_on_trial_is_moved_there_are_no_steps() -> None:
    found = said(make.pv("pv1", p_w=3_000.0), make.pv("pv2", p_w=9_000.0, trial=Trial(p_w=9_000.0, moved=True)))
    assert found.p_ceiling_w is None
    assert found.need is not None and not found.need.steps


def test_who_only_waits_to_be_moved_stops_no_step_and_takes_no_part_in_it() -> None:
    """Beside six that come and go somebody always waits: no step was made for as long as one looked."""
    found = said(make.pv("pv1", p_w=3_000.0), make.pv("pv2", p_w=9_000.0, trial=Trial(p_w=9_000.0)))
    assert (found.over, found.p_ceiling_w) == (("pv1",), 4_000.0)
    assert found.need is not None and found.need.steps


@pytest.mark.parametrize("trial", [None, Trial(p_w=9_000.0)])
def test_beside_one_that_was_never_seen_the_others_make_the_step(trial: Trial | None) -> None:
    """Beside a battery at rest a meter whose clamps came off let 13 kW out on 7 kW for good."""
    found = said(make.pv("pv1", p_w=3_000.0), make.pv("pv2", p_w=9_000.0, unseen=True, trial=trial))
    assert (found.over, found.p_ceiling_w) == (("pv1",), 4_000.0)
    assert found.need is not None and found.need.steps


def test_where_nobody_that_was_seen_may_be_told_there_are_no_steps() -> None:
    found = said(make.pv("pv1", p_w=3_000.0, controllable=False), make.pv("pv2", p_w=9_000.0, unseen=True))
    assert found.over == () and found.need is not None and not found.need.steps


def test_a_battery_that_rests_and_was_never_seen_stops_no_step_and_takes_no_part_in_it() -> None:
    """It was full all day, and for so long nobody watched the meter."""
    full = replace(make.battery("bat1", p_w=-40.0), unseen=True)
    found = said(make.pv("pv1", p_w=3_000.0), full)
    assert (found.over, found.p_ceiling_w) == (("pv1",), 4_000.0)
    assert found.need is not None and found.need.steps


def test_before_anybody_was_seen_the_steps_tell_it_of_all() -> None:
    """Else a zero export that begins in the dark never had any. Who is silent was met before, or is met later."""
    pvs = [replace(make.pv(name, p_w=2_000.0), unseen=True) for name in ("pv1", "pv2")]
    silent = make.pv("pv3", fresh=False, controllable=False)
    found = said(*pvs, silent)
    assert found.p_ceiling_w == 4_000.0
    assert found.need is not None and found.need.steps


def test_what_wears_out_is_told_no_steps() -> None:
    """Registers in flash memory: a step every few seconds would be their end."""
    flash = make.pv("pv1", p_w=3_000.0)
    flash = replace(flash, can=replace(flash.can, volatile=False))
    found = said(flash, make.pv("pv2", p_w=1_000.0))
    assert (found.over, found.p_ceiling_w) == (("pv2",), 1_000.0)


def test_without_a_step_nobody_is_held_and_it_says_that_it_makes_them() -> None:
    found = said(make.pv("pv1", p_w=3_000.0), belief=Evidence())
    assert found.p_ceiling_w is None
    assert found.need is not None and found.need.steps and found.need.exposed_w == 0.0
    without = SiteTimeline(Probe()).proposes(make.pv("pv1"))
    assert without.p_ceiling_w is None
