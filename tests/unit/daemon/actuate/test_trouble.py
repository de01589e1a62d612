"""The table of what stands between a setpoint and its device: every code, every happening."""

from __future__ import annotations

from itertools import pairwise

import pytest

from derctl.core.words import Reason
from derctl.daemon.actuate.trouble import LATE_AFTER, Happened, Trouble, after, news

H, R = Happened, Reason
CODES = (None, R.LATE, R.UNREACHABLE, R.REFUSED, R.WRITE_IGNORED, R.WRITE_CLIPPED, R.WRITE_BUDGET, R.CONTESTED)
STAYS = (R.UNREACHABLE, R.REFUSED, R.WRITE_IGNORED, R.WRITE_CLIPPED, R.WRITE_BUDGET, R.CONTESTED)

NEXT: dict[Happened, tuple[Reason | None, ...]] = {
    H.SENT: (None, None, *STAYS),
    H.SILENT: (R.UNREACHABLE,) * 8,
    H.REFUSED: (R.REFUSED,) * 8,
    H.TAKEN: (None,) * 8,
    H.IGNORED: (R.WRITE_IGNORED,) * 8,
    H.CLIPPED: (R.WRITE_CLIPPED,) * 8,
    H.QUIET: (None, None, *STAYS),
    H.HEARD: (None, None, None, *STAYS[1:]),
    H.SPENT: (R.WRITE_BUDGET,) * 8,
    H.AFFORDED: (None, R.LATE, *STAYS[:-2], None, R.CONTESTED),
    H.CONTESTED: (R.CONTESTED,) * 8,
    H.SETTLED: (None, R.LATE, *STAYS[:-1], None),
}
"""By happening: the code after each of CODES, as docs/glossary.md explains them."""


@pytest.mark.parametrize("happened", NEXT)
def test_each_code_is_followed_by_the_one_in_the_table(happened: Happened) -> None:
    assert tuple(after(Trouble(code=code), happened).code for code in CODES) == NEXT[happened]


def test_the_table_above_has_every_happening() -> None:
    assert {*NEXT, H.LATE} == set(Happened)


@pytest.mark.parametrize("code", CODES)
def test_late_is_said_after_three_in_a_row_whatever_was_before(code: Reason | None) -> None:
    trouble = Trouble(code=code)
    for _ in range(LATE_AFTER - 1):
        trouble = after(trouble, H.LATE)
        assert trouble.code is code
    assert after(trouble, H.LATE).code is R.LATE


@pytest.mark.parametrize("between", sorted(set(Happened) - {H.LATE}))
def test_anything_that_was_sent_or_a_quiet_tick_ends_the_row(between: Happened) -> None:
    trouble = after(after(Trouble(), H.LATE), H.LATE)
    assert after(after(trouble, between), H.LATE).late == 1


def test_a_code_is_told_as_it_comes_and_not_while_it_stays() -> None:
    seen = [Trouble(), *(after(Trouble(), h) for h in (H.REFUSED, H.REFUSED))]
    assert [news(before, now) for before, now in pairwise(seen)] == ["write_refused", None]


def test_ignored_and_clipped_are_one_piece_of_news_and_being_unreachable_is_the_channel_s() -> None:
    ignored, clipped = after(Trouble(), H.IGNORED), after(Trouble(), H.CLIPPED)
    assert (news(Trouble(), ignored), news(Trouble(), clipped)) == ("write_ignored", "write_clipped")
    assert (news(ignored, clipped), news(clipped, ignored)) == (None, None)
    assert news(Trouble(), after(Trouble(), H.SILENT)) is None
    assert news(ignored, Trouble()) is None
