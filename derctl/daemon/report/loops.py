"""The loops on the voltage: how far they are from hunting, and what was done about one that hunts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from derctl.core.hunting import START
from derctl.core.hunting import Memory as Guard
from derctl.core.memories import HUNTING, SENSITIVITY, keys_of
from derctl.core.plan import Memory
from derctl.core.sensitivity import UNKNOWN, Sensitivity
from derctl.core.sensitivity import Memory as Terminals
from derctl.daemon.report.batteries import battery_changes
from derctl.daemon.report.contained import changes
from derctl.functions.containment import Containment
from derctl.functions.volt_var import VoltVar
from derctl.site.stability import VoltLoop


def loops(known: Sequence[VoltLoop], memories: Mapping[str, Memory]) -> list[dict[str, Any]]:
    """Plain values: what the site file tells of each loop, what was measured of the grid, and the DERs on which it is
    slower now than it is set."""
    moved = sensitivities(memories)
    return [
        asdict(loop) | {"measured": _measured(known, loop, moved), "slowed": _slowed(loop.kind, memories)}
        for loop in known
    ]


def sensitivities(memories: Mapping[str, Memory]) -> dict[str, Sensitivity]:
    """By DER, what was measured of its voltage."""
    memory = memories.get(SENSITIVITY)
    return {each.der: each.known for each in memory.terminals} if isinstance(memory, Terminals) else {}


def _measured(
    known: Sequence[VoltLoop], loop: VoltLoop, moved: Mapping[str, Sensitivity]
) -> dict[str, dict[str, float | None]]:
    """By DER at whose terminals it is known what moves the voltage."""
    found = {}
    for der in loop.ders:
        sensitivity = moved.get(der, UNKNOWN)
        used = _used(loop, sensitivity)
        if used is not None:
            margin = _margin([_used(other, sensitivity) for other in known if der in other.ders])
            found[der] = {"gain": used * loop.most, "alone": 1.0 / used, "margin": margin}
    return found


def _used(loop: VoltLoop, sensitivity: Sensitivity) -> float | None:
    """What of the stable gain it takes, as measured; None: not known. A voltage that falls as more goes out is no
    grid's."""
    pull = sensitivity.dv_dq_pu if loop.kind == VoltVar.kind else sensitivity.dv_dp_pu
    if sensitivity.contradicted or pull is None or pull <= 0.0 or not 0.0 < loop.slope < math.inf:
        return None
    return loop.slope * pull * loop.share / loop.most


def _margin(used: Sequence[float | None]) -> float | None:
    """Of all loops together; None: of one of them nothing is known."""
    known = [each for each in used if each is not None]
    return 1.0 / sum(known) if len(known) == len(used) else None


def _slowed(kind: str, memories: Mapping[str, Memory]) -> dict[str, Any]:
    found = {}
    for key, der, guard in _guards(memories):
        if key == kind and guard.stage:
            found[der] = {"times": 2**guard.stage, "held": guard.held is not None}
    return found


def _guards(memories: Mapping[str, Memory]) -> Iterator[tuple[str, str, Guard]]:
    """Kind, DER, guard."""
    for key, memory in memories.items():
        if isinstance(memory, Guard):
            _, kind, der = key.split("/", 2)
            yield kind, der, memory


def hunting_changes(before: Mapping[str, Memory], after: Mapping[str, Memory]) -> Iterator[tuple[str, str, str]]:
    """Events with DER and text, of loops that got slower, are held still, or got quicker."""
    for key in keys_of(HUNTING, tuple(after)):
        now, was = after[key], before.get(key)
        was = was if isinstance(was, Guard) else START
        if not isinstance(now, Guard) or (was.stage == now.stage and was.held is now.held is None):
            continue
        _, kind, der = key.split("/", 2)
        if was.held is None and now.held is not None:
            yield "loop_held", der, f"{kind} went on hunting: it stands still until it is tried again"
        elif now.stage > was.stage:
            yield "loop_hunts", der, f"{kind} swings by itself: its response time is {2**now.stage} times as long now"
        elif now.stage < was.stage or (was.held is not None and now.held is None):
            yield "loop_eased", der, f"{kind} is quiet: its response time is {2**now.stage} times as long as set"


def claim_changes(before: Mapping[str, Memory], after: Mapping[str, Memory]) -> Iterator[tuple[str, str, str]]:
    """Events with DER and text, of DERs whose voltage does not go with what they claim any more, or does again."""
    if before.get(SENSITIVITY) is after.get(SENSITIVITY):
        return
    was = sensitivities(before)
    for der, now in sensitivities(after).items():
        known = was.get(der, UNKNOWN)
        if now.contradicted and not known.contradicted:
            yield "claim_doubted", der, _doubted_text(known)
        elif known.contradicted and not now.contradicted:
            yield "claim_undoubted", der, "its voltage goes with what it says that it gives again"


def _doubted_text(known: Sensitivity) -> str:
    before = "" if known.dv_dp_pu is None else f" ({known.dv_dp_pu:.3g} per unit of power before)"
    return (
        f"its voltage does not go with what it says that it gives any more{before}: its power or its voltage is"
        " wrong, or the grid is another one"
    )


def guarded(before: Mapping[str, Memory], after: Mapping[str, Memory]) -> Iterator[tuple[str, str, str]]:
    """The same, of claims and of batteries too, and what changed of containment, which is the site's: no DER."""
    kind = Containment.kind
    for event, text in changes(before.get(kind), after.get(kind)):
        yield event, "", text
    yield from hunting_changes(before, after)
    yield from claim_changes(before, after)
    yield from battery_changes(before, after)
