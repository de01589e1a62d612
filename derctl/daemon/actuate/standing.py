"""What stands in a device of what it can be told, how that is known, and what derctl's record says of it. Pure."""

from __future__ import annotations

from derctl.core.types import NOTHING, Rating, Setpoint
from derctl.core.value import value
from derctl.core.words import Record, Seen
from derctl.site.between import SLACK_W


@value
class Standing:
    """p_ceiling_w: below its rating, else None: no limit. All None: nothing stands, unless `seen` says that it isn't
    known. record: what derctl has written down of it."""

    p_ceiling_w: float | None = None
    p_target_w: float | None = None
    q_var: float | None = None
    seen: Seen = Seen.NOT_KNOWN
    record: Record = Record.NOTHING

    @property
    def anything(self) -> bool:
        """Whether something stands, as far as that is known."""
        return any(value is not None for value in (self.p_ceiling_w, self.p_target_w, self.q_var))

    @property
    def empty(self) -> bool:
        """Whether it reads back that nothing stands in it."""
        return self.seen is Seen.READ_BACK and not self.anything

    def held_back(self, ceiling_w: float | None) -> bool:
        """Whether a release with `lift` would give something back. ceiling_w: the fallback's; None: none.

        At rest, 0 W, is how a release leaves a battery with a fallback.
        """
        limit = self.p_ceiling_w is not None and (ceiling_w is None or self.p_ceiling_w < ceiling_w - SLACK_W)
        rests = self.p_target_w is None or (ceiling_w is not None and abs(self.p_target_w) <= SLACK_W)
        return limit or not rests or self.q_var is not None


def standing_of(read: Setpoint | None, held: Setpoint, rating: Rating, record: Record, *, fresh: bool) -> Standing:
    """read: what it read back last, None where it can't be read back. held: what derctl may have left in it."""
    seen = Seen.READ_BACK if fresh else Seen.OLD
    if read is None:
        read, seen = (held, Seen.AS_WRITTEN) if held != NOTHING else (NOTHING, Seen.NOT_KNOWN)
    limit_w = read.p_ceiling_w
    return Standing(
        p_ceiling_w=None if limit_w is None or limit_w >= rating.p_max_w - SLACK_W else limit_w,
        p_target_w=read.p_target_w,
        q_var=read.q_var,
        seen=seen,
        record=record,
    )


def told_of(standing: Standing) -> bool:
    """Whether it belongs into the answer to a release that did not touch the DER."""
    return standing.anything or standing.record is not Record.NOTHING
