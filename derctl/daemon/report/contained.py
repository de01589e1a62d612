"""Whether excursions end in time: what `status` shows of it, and what is told when that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from derctl.core.containment import total_s, within
from derctl.core.plan import Memory, Plan
from derctl.functions.containment import AGAIN_S, Containment
from derctl.functions.containment import Memory as Seen


def containment(plan: Plan, memories: Mapping[str, Memory]) -> dict[str, Any] | None:
    """Plain values with what is measured now; None where no limit is agreed."""
    function = next((each for each, _ in plan.site_functions if isinstance(each, Containment)), None)
    if function is None:
        return None
    seen = memories.get(function.kind, function.start())
    assert isinstance(seen, Seen)
    summands = seen.summands or function.budget.summands
    counted = seen.excursions
    return {
        "containment_s": function.budget.containment_s,
        "by": function.budget.by,
        "lasts_s": total_s(summands),
        "credit": not seen.uncontained,
        "credited_in_s": _credited_in_s(seen, within(summands, function.budget.containment_s)),
        "summands": [asdict(each) for each in summands],
        "excursions": {
            "count": counted.count,
            "long": len(counted.ages_s),
            "longest_s": round(counted.longest_s, 1),
            "locked_s": round(counted.locked_s, 1),
        },
    }


def _credited_in_s(seen: Seen, well: bool) -> float | None:
    """How long load waits for its credit though excursions end in time by now; None: it has it, or they do not."""
    return round(AGAIN_S - seen.well_s, 1) if well and seen.uncontained else None


def changes(before: Memory | None, after: Memory | None) -> Iterator[tuple[str, str]]:
    """Events with their texts. before None: nothing was told yet."""
    if not isinstance(after, Seen):
        return
    was = before if isinstance(before, Seen) else Seen()
    if after.uncontained != was.uncontained:
        yield (
            ("load_not_credited", "an export above the limit may last too long: see containment in status")
            if after.uncontained
            else ("load_credited", "an export above the limit is seen to end in time")
        )
    now, then = after.excursions, was.excursions
    if now.long and not then.long:
        yield "excursion", f"the export has been above the limit for {now.over_s:.3g} s; {_left(now.ages_s)}"
    if now.locked and not then.locked:
        yield "locked_out", f"too many long excursions: the inverters give nothing for {now.locked_s / 3600.0:.3g} h"
    if then.locked and not now.locked:
        yield "lockout_over", "the inverters may give again"


def _left(ages_s: tuple[float, ...]) -> str:
    count = len(ages_s)
    return "none is remembered any more" if not count else f"{count} within the time that counts"
