"""derctl as a program that a judgement asks."""

from __future__ import annotations

import pytest

from witness import ours


async def test_a_call_that_takes_too_long_is_one_wrong_row_and_not_the_end_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ours, "SECONDS", 0.01)
    with pytest.raises(RuntimeError, match=r"derctl schema: no answer within 0\.01 s"):
        await ours.told("schema")
