"""Excursions above the agreed limit: counted, and what a code demands after too many. A pure state machine.

ENA G100 locks a site out after the third long excursion within a day (docs/sources.md).
"""

from __future__ import annotations

from derctl.core.value import replace, value

DAY_S = 86_400.0
"""How long a long excursion is remembered where no code says it."""


@value
class Rule:
    """most: so many long excursions within_s lock the site out for lock_s."""

    most: int
    within_s: float
    lock_s: float


@value
class Memory:
    """over_s: for how long it has been above the limit now, 0: it is not. long: whether that one counts already.

    count: of all that were seen. longest_s: the longest. ages_s: how long ago each long one was, the oldest first.
    locked_s: how long nobody may give anything yet.
    """

    over_s: float = 0.0
    long: bool = False
    count: int = 0
    longest_s: float = 0.0
    ages_s: tuple[float, ...] = ()
    locked_s: float = 0.0

    @property
    def locked(self) -> bool:
        """Whether the site is locked out now."""
        return self.locked_s > 0.0


def stepped(
    memory: Memory, excess_w: float | None, *, containment_s: float, rule: Rule | None, dt_s: float
) -> Memory:
    """One tick on. excess_w: by how much the export is above the limit; None: the meter is not heard, and what it
    showed last stands."""
    memory = _older(memory, rule, dt_s)
    if excess_w is None:
        return memory
    if excess_w <= 0.0:
        return replace(memory, over_s=0.0, long=False) if memory.over_s > 0.0 else memory
    begins = memory.over_s <= 0.0
    over_s = memory.over_s + dt_s
    memory = replace(memory, over_s=over_s, count=memory.count + begins, longest_s=max(memory.longest_s, over_s))
    if memory.long or over_s < containment_s:
        return memory
    return _locked(replace(memory, long=True, ages_s=(*memory.ages_s, 0.0)), rule)


def _older(memory: Memory, rule: Rule | None, dt_s: float) -> Memory:
    """Time passes. What a code counts no more is forgotten; without a rule, after a day."""
    if not memory.ages_s and memory.locked_s <= 0.0:
        return memory
    within_s = DAY_S if rule is None else rule.within_s
    ages_s = tuple(age_s + dt_s for age_s in memory.ages_s if age_s + dt_s < within_s)
    return replace(memory, ages_s=ages_s, locked_s=max(memory.locked_s - dt_s, 0.0))


def _locked(memory: Memory, rule: Rule | None) -> Memory:
    """The third is one too many; those that locked it out do not count again."""
    if rule is None or len(memory.ages_s) < rule.most:
        return memory
    return replace(memory, ages_s=(), locked_s=rule.lock_s)
