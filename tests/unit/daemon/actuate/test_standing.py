"""What stands in a device: a rating is no limit, rest is nothing to give back, and unknown is not nothing."""

from __future__ import annotations

import pytest

from derctl.core.types import NOTHING, Setpoint
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.release import Release, not_written
from derctl.daemon.actuate.standing import Standing, standing_of, told_of
from derctl.daemon.actuate.text import released_text
from tests import make

PV = make.rating(p_max_w=5000.0)


@pytest.mark.parametrize(
    ("read", "held", "fresh", "found"),
    [
        (Setpoint(p_ceiling_w=5000.0), NOTHING, True, Standing(seen=Seen.READ_BACK)),
        (Setpoint(p_ceiling_w=2000.0), NOTHING, True, Standing(p_ceiling_w=2000.0, seen=Seen.READ_BACK)),
        (Setpoint(p_ceiling_w=2000.0), NOTHING, False, Standing(p_ceiling_w=2000.0, seen=Seen.OLD)),
        (Setpoint(q_var=-300.0), NOTHING, True, Standing(q_var=-300.0, seen=Seen.READ_BACK)),
        (None, Setpoint(p_ceiling_w=2000.0), True, Standing(p_ceiling_w=2000.0, seen=Seen.AS_WRITTEN)),
        (None, NOTHING, True, Standing(seen=Seen.NOT_KNOWN)),
    ],
)
def test_what_stands_is_what_reads_back_else_what_was_written(
    read: Setpoint | None, held: Setpoint, fresh: bool, found: Standing
) -> None:
    assert standing_of(read, held, PV, Record.NOTHING, fresh=fresh) == found


@pytest.mark.parametrize(
    ("standing", "ceiling_w", "held_back"),
    [
        (Standing(p_ceiling_w=2000.0), 3000.0, True),
        (Standing(p_ceiling_w=2000.0), 2000.0, False),
        (Standing(p_ceiling_w=2000.0), None, True),
        (Standing(p_target_w=0.0), 0.0, False),
        (Standing(p_target_w=0.0), None, True),
        (Standing(p_target_w=-1500.0), 0.0, True),
        (Standing(q_var=0.0), 2000.0, True),
        (Standing(), None, False),
    ],
)
def test_what_a_lift_would_give_back(standing: Standing, ceiling_w: float | None, held_back: bool) -> None:
    assert standing.held_back(ceiling_w) is held_back


def test_an_answer_names_what_stands_and_what_nobody_has_a_record_of() -> None:
    assert told_of(Standing(q_var=1.0)) and told_of(Standing(record=Record.MISSING)) and not told_of(Standing())


def test_a_reply_is_one_line_with_what_stands_in_each() -> None:
    stands = Standing(p_ceiling_w=2000.0, q_var=300.0, seen=Seen.READ_BACK)
    result = {
        "pv1": Release(Released.RELEASED, standing=stands),
        "pv2": Release(Released.UNREACHABLE, standing=Standing()),
        "pv3": Release(Released.RELEASED, standing=Standing(seen=Seen.READ_BACK)),
        "pv4": not_written(Standing(p_ceiling_w=1000.0, seen=Seen.OLD)),
        "pv5": Release(Released.RELEASED, standing=Standing(p_target_w=0.0, seen=Seen.AS_WRITTEN)),
        "pv6": Release(Released.NOT_IN_FILE),
    }
    assert released_text(result).split(", pv") == [
        "pv1: released; limit 2,000 W, 300 var stands",
        "2: unreachable; what stands is not known",
        "3: released; nothing stands",
        "4: not_written; limit 1,000 W stands when it was read last",
        "5: released; power 0 W stands as written, which it does not tell",
        "6: not_in_file",
    ]
    assert released_text({}) == "nothing was written"
