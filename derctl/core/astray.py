"""A DER with one phase that feeds in another than the site file says: what it moves is shown elsewhere.

Judged by the doublets of core/belief.py, as core/phases.py judges the meter's phases. Two that stand in each other's
place and move alike can't be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.doublet import Doublet
from derctl.core.evidence import Contradiction
from derctl.core.feeding import COUNT, EVERYWHERE, NAMES, alone_in
from derctl.core.phases import (
    NOTHING,
    PHASE_NOISE_W,
    Mean,
    Phases,
    between,
    fit,
    given_w,
    taken_in,
)
from derctl.core.types import DerState
from derctl.core.value import replace, value
from derctl.core.words import Doubt

ASTRAY_FROM, ASTRAY_SURE = 20.0, 30.0
"""Log of the likelihood ratio from which one is taken to feed elsewhere: no single step is enough; and beyond which
more says nothing (docs/sources.md)."""

Place = tuple[str, int]
"""A DER and the phase in which it is said to feed."""


@value
class Memory:
    """places: those with one phase. whole: all was known since the doublet began. first, second: of its halves; of
    the DERs the power of each of these, then what the others give to each phase.

    elsewhere: for each of them and each phase, the evidence that it feeds there and not where it is said to. moved_w,
    shown_w: what each moved, and the meter showed of all in each phase, in the last step.
    """

    places: tuple[Place, ...] = ()
    whole: bool = False
    first: Mean = NOTHING
    second: Mean = NOTHING
    elsewhere: Phases = ()
    moved_w: Phases = ()
    shown_w: Phases = ()


START = Memory()


def step(
    memory: Memory,
    before: Doublet | None,
    now: Doublet | None,
    ders: Sequence[DerState],
    shown_w: Phases | None,
    noise_w: Phases,
    dt_s: float,
) -> Memory:
    """One tick on. shown_w: the meter's phases; noise_w: what load is believed to move in each, (): not known."""
    places = tuple([(der.id, phase) for der in ders if (phase := alone_in(der)) is not None])
    if places != memory.places:
        memory = Memory(places=places, elsewhere=(0.0,) * (len(places) * COUNT))
    if not places:
        return memory
    given = _given_w(ders) if shown_w is not None and len(shown_w) == COUNT else None
    if before is None or now is None or now.at_s <= before.at_s:
        if memory.whole and before is not None and before.coded and before.at_s + dt_s >= 2.0 * before.half_s:
            memory = _judged(memory, before, noise_w or (PHASE_NOISE_W,) * COUNT)
        whole = now is not None and given is not None
        if memory.whole is whole and memory.first is NOTHING is memory.second:
            return memory
        return replace(memory, whole=whole, first=NOTHING, second=NOTHING)
    if given is None or shown_w is None:
        return replace(memory, whole=False) if memory.whole else memory
    if now.at_s > now.half_s:
        return replace(memory, second=taken_in(memory.second, shown_w, given, now))
    return replace(memory, first=taken_in(memory.first, shown_w, given, now))


def _given_w(ders: Sequence[DerState]) -> Phases | None:
    alone = [der for der in ders if alone_in(der) is not None]
    others = given_w([der for der in ders if alone_in(der) is None], COUNT)
    own = [der.reading.p_w for der in alone]
    known = [p_w for p_w in own if p_w is not None]
    return None if others is None or len(known) < len(own) else (*known, *others)


def _judged(memory: Memory, doublet: Doublet, noise_w: Phases) -> Memory:
    first, second = memory.first, memory.second
    if not (first.poc_n and first.ders_n and second.poc_n and second.ders_n):
        return memory
    moved_w = between(first.ders_w, first.ders_n, second.ders_w, second.ders_n, doublet.coin)
    shown_w = between(first.poc_w, first.poc_n, second.poc_w, second.poc_n, doublet.coin)
    if not 0.5 * doublet.step_w <= sum(moved_w) <= 1.5 * doublet.step_w:
        return memory
    own_w, missed_w = moved_w[:-COUNT], list(map(float.__sub__, shown_w, moved_w[-COUNT:]))
    for (_, phase), w in zip(memory.places, own_w, strict=True):
        missed_w[phase] -= w
    found = [
        _better(missed_w, noise_w, phase, other, w)
        for (_, phase), w in zip(memory.places, own_w, strict=True)
        for other in range(COUNT)
    ]
    elsewhere = [min(max(x + more, 0.0), ASTRAY_SURE) for x, more in zip(memory.elsewhere, found, strict=True)]
    return replace(memory, elsewhere=tuple(elsewhere), moved_w=own_w, shown_w=shown_w)


def _better(missed_w: Sequence[float], noise_w: Phases, phase: int, other: int, w: float) -> float:
    """By how much more likely what was shown is, if what it moved went to the other phase."""
    if other == phase:
        return 0.0
    here = fit(missed_w[phase] + w, noise_w[phase]) - fit(missed_w[phase], noise_w[phase])
    return here + fit(missed_w[other] - w, noise_w[other]) - fit(missed_w[other], noise_w[other])


def found(memory: Memory) -> tuple[tuple[int, int], ...]:
    """Which of the places are wrong, and the phase where each is more likely."""
    likeliest = []
    for i in range(len(memory.places)):
        by_phase = memory.elsewhere[i * COUNT : (i + 1) * COUNT]
        if max(by_phase) >= ASTRAY_FROM:
            likeliest.append((i, by_phase.index(max(by_phase))))
    return tuple(likeliest)


def corrected(memory: Memory, ders: Sequence[DerState]) -> tuple[DerState, ...]:
    """Who is found elsewhere counts wholly both there and where it is said to be."""
    both = {memory.places[i]: phase for i, phase in found(memory)}
    if not both:
        return tuple(ders)
    return tuple([_both(der, both) for der in ders])


def _both(der: DerState, both: dict[Place, int]) -> DerState:
    said = alone_in(der)
    if said is None or (der.id, said) not in both:
        return der
    counts = tuple([w if k in {said, both[der.id, said]} else 0.0 for k, w in enumerate(EVERYWHERE)])
    return replace(der, feeds_pu=counts)


def suspicion(memory: Memory) -> Contradiction | None:
    """What is wrong with the site file, with its numbers."""
    wrong = found(memory)
    if not wrong:
        return None
    texts = []
    for i, phase in wrong:
        der, said = memory.places[i]
        texts.append(
            f"{der} moved {round(memory.moved_w[i]):,} W and is said to feed in phase {NAMES[said]}, where the meter"
            f" shows {round(memory.shown_w[said]):,} W of the step, and {round(memory.shown_w[phase]):,} W in"
            f" {NAMES[phase]}"
        )
    return Contradiction(by=Doubt.DER_PHASE, text="; ".join(texts))
