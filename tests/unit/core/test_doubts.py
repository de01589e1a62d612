"""What else speaks against the meter, put beside what its steps say."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core import belief, doubts, followers, phases, witness
from derctl.core.doublet import Doublet
from derctl.core.doubts import START, Memory, told
from derctl.core.engine import step
from derctl.core.evidence import Contradiction, Evidence
from derctl.core.memories import BELIEF, DOUBTS
from derctl.core.plan import Plan
from derctl.core.poc import with_belief
from derctl.core.types import PocState
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt
from tests import make

FOUND = Contradiction(by=Doubt.PHASE_SUM, text="it shows 5 W, and its phases add up to 900 W")
FOLLOWED = followers.Memory(followed=3, step_w=900.0, left_w=50.0)


def poc(followers: tuple[str, ...] = (), **reading: Any) -> PocState:
    meter = make.meter(1000.0)
    return replace(meter, followers=followers, reading=replace(meter.reading, **reading))


def stepped(memory: Memory, meter: PocState, before: Doublet | None = None, now: Doublet | None = None) -> Memory:
    return doubts.step(memory, before, now, [make.pv(p_phase_w=(1.0, 1.0, 1.0))], meter, 1.0)


@pytest.mark.parametrize("belief", [Belief.UNPROVEN, Belief.PROVEN, Belief.DOUBTED])
def test_a_contradiction_is_a_doubt_whatever_the_steps_say(belief: Belief) -> None:
    evidence = told(Memory(found=FOUND, declared=("wallbox",)), Evidence(belief=belief))
    assert (evidence.belief, evidence.why, evidence.text) == (Belief.DOUBTED, FOUND.by, FOUND.text)


def test_a_meter_that_is_lost_stays_lost() -> None:
    assert told(Memory(found=FOUND), Evidence(belief=Belief.LOST)).belief is Belief.LOST


def test_with_a_declared_follower_a_meter_that_shows_no_step_is_unproven_with_that_reason() -> None:
    evidence = told(Memory(declared=("wallbox", "cellar")), Evidence(belief=Belief.DOUBTED))
    assert (evidence.belief, evidence.why) == (Belief.UNPROVEN, Doubt.FOLLOWERS)
    assert evidence.text.startswith("wallbox, cellar may have answered each step")


@pytest.mark.parametrize("belief", [Belief.UNPROVEN, Belief.PROVEN, Belief.LOST])
def test_a_declared_follower_changes_nothing_else(belief: Belief) -> None:
    evidence = Evidence(belief=belief)
    assert told(Memory(declared=("wallbox",), followers=FOLLOWED), evidence) is evidence
    assert told(START, evidence) is evidence


@pytest.mark.parametrize("belief", [Belief.UNPROVEN, Belief.PROVEN, Belief.DOUBTED])
def test_one_that_is_not_declared_is_suspected_and_the_verdict_stands(belief: Belief) -> None:
    evidence = told(Memory(followers=FOLLOWED), Evidence(belief=belief))
    assert (evidence.belief, evidence.why) == (belief, Doubt.FOLLOWER_SUSPECTED)


def test_where_nobody_looks_nothing_is_kept() -> None:
    assert stepped(START, poc()) is START
    assert stepped(START, poc(p_phase_w=(1000.0,))) is START


def test_who_is_declared_is_known_from_the_first_tick() -> None:
    assert stepped(START, poc(("wallbox",))).declared == ("wallbox",)


def test_a_phase_that_is_wrong_is_found() -> None:
    wrong = phases.Memory(against=(12.0, 0.0), moved_w=(300.0,), shown_w=(0.0,))
    memory = stepped(Memory(phases=wrong), poc(p_phase_w=(300.0, 300.0, 400.0)), None, Doublet())
    assert memory.found is not None
    assert memory.found.by is Doubt.PHASE_LOST
    assert memory.phases.whole


def test_phases_that_are_not_there_any_more_are_not_whole() -> None:
    assert not stepped(Memory(phases=phases.Memory(whole=True)), poc()).phases.whole


def test_a_witness_is_heard() -> None:
    differs = witness.Memory(sum=witness.Sum(agreed_s=60.0, differs_s=9.5, p_w=1000.0))
    memory = stepped(Memory(witness=differs), poc(phase_sum_w=3000.0))
    assert memory.found is not None
    assert memory.found.text == "it shows 1,000 W, and its phases add up to 3,000 W"


def test_what_speaks_against_the_meter_takes_its_proof_in_the_engine_and_stays_in_the_memory() -> None:
    memories = {BELIEF: belief.Memory(belief=Belief.PROVEN, age_s=10.0), DOUBTS: Memory(found=FOUND)}
    state = make.site(make.pv(p_w=5000.0), poc=make.meter(1000.0))
    after, _ = step(Plan(), memories, state, 1.0)
    assert (after[BELIEF].belief, after[BELIEF].age_s) == (Belief.DOUBTED, None)
    said = with_belief(state, after).poc
    assert said is not None
    assert (said.belief.belief, said.belief.why, said.belief.contradicted) == (Belief.DOUBTED, FOUND.by, True)


def test_a_meter_that_is_lost_is_not_doubted_too() -> None:
    lost = belief.Memory(belief=Belief.LOST)
    assert belief.contradicted(lost) is lost


@pytest.mark.parametrize("why", [None, Doubt.FOLLOWERS, Doubt.FOLLOWER_SUSPECTED])
def test_who_follows_the_meter_says_nothing_against_it(why: Doubt | None) -> None:
    assert not Evidence(why=why).contradicted
