"""What is told of batteries: that something bars them, that their management system is silent, that they recover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.core.memories import keys_of
from derctl.core.plan import Memory
from derctl.core.words import Reason
from derctl.functions.bms_guard import BmsGuard, Side
from derctl.functions.bms_guard import Memory as Guarded

SILENT = "nothing new is heard of its limits: they are held, and go down to 0 W"
RECOVERS = "it is too low, or not heard since it is: it may be charged with little until it comes back"


def battery_changes(before: Mapping[str, Memory], after: Mapping[str, Memory]) -> Iterator[tuple[str, str, str]]:
    """Events with the DER and a text."""
    for key in keys_of(BmsGuard.kind, tuple(after)):
        now, was = after[key], before.get(key)
        if not isinstance(now, Guarded) or now.why is (was.why if isinstance(was, Guarded) else None):
            continue
        der = key.rpartition("/")[2]
        yield (
            ("battery_free", der, "its own limits are all that bounds it")
            if now.why is None
            else (
                str(now.why),
                der,
                _text(now, now.why),
            )
        )


def _text(memory: Guarded, why: Reason) -> str:
    if why is Reason.BATTERY_BARRED:
        ways = (("charging", memory.charge), ("discharging", memory.discharge))
        return "; ".join(f"{way} is barred: {_named(side)}" for way, side in ways if side.left.bars)
    return SILENT if why is Reason.BATTERY_SILENT else RECOVERS


def _named(side: Side) -> str:
    return ", ".join(bar.replace("_", " ") for bar in side.left.bars)
