"""Before anybody is raised, each device that answers has its fallback written and read back; a pure table of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.daemon.absent import Absent
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.arming import Arming

PROMISE_S = 15.0
"""One that does not get there in this time costs only itself: it is said, and the others go on (docs/sources.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """since_s: when setpoints began to leave. done: the fallbacks are proven, or were waited for long enough."""

    since_s: float | None = None
    done: bool = False


def after(settling: Settling, arming: Arming, unproven: bool, now_s: float) -> Settling:
    """After a look. Without control it begins anew."""
    if not arming.armed:
        return Settling()
    if settling.done or not arming.open:
        return settling
    since_s = now_s if settling.since_s is None else settling.since_s
    return replace(settling, since_s=since_s, done=not unproven or now_s - since_s > PROMISE_S)


@dataclass(slots=True)
class Promises:
    """writers: by DER id. absent: who is counted with less than its rating."""

    writers: Mapping[str, Writer]
    absent: Absent
    arming: Callable[[], Arming]
    tell: Callable[[str, str, str], None]
    settling: Settling = Settling()

    @property
    def halted(self) -> bool:
        """Whether nobody may be raised now."""
        return self.arming().armed and not self.settling.done

    def look(self, now_s: float) -> None:
        """At the end of each tick."""
        before, arming = self.settling, self.arming()
        if before.done and arming.armed:
            return
        unproven = self._unproven() if arming.open else []
        self.settling = after(before, arming, bool(unproven), now_s)
        if self.settling.done and not before.done:
            for der_id in unproven:
                text = "what it falls back to does not read back as it was written: look at its timer"
                self.tell("fallback_unproven", der_id, text)

    def _unproven(self) -> list[str]:
        """Of those that answer, that are written, and that promise anything."""
        return [
            name
            for name, writer in self.writers.items()
            if writer.control and not writer.lost and self._counts(name) and not writer.promised.proven
        ]

    def _counts(self, der_id: str) -> bool:
        part = self.absent.of(der_id)
        return part.ceiling_w is not None and part.p_w is not None and part.p_w <= part.ceiling_w
