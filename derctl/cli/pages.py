"""What the daemon answers in words over MQTT: the pages of `why` and `doctor`. Imported at its start, so that a later
version on disk is not mixed into the one that runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from derctl.cli import contacted, incidents, recorded
from derctl.cli.health import health, page, wear
from derctl.cli.plain import cleaned
from derctl.cli.why import why as paragraph
from derctl.commission.finding import Weight
from derctl.daemon.views import Pages

FIRST = [*Weight, None]


def why(der: str, state: Mapping[str, Any]) -> str:
    """The paragraph, its times in UTC: nobody knows where it is read."""
    return f"{paragraph(der, dict(state), zone=UTC)} (Times in UTC.)"


def doctor(state: Mapping[str, Any]) -> Sequence[str]:
    """The page, what needs somebody first."""
    shown = cleaned(dict(state))
    rows = [*health(shown), *contacted.rows(shown)]
    rows += [*recorded.rows(shown, zone=UTC), *incidents.rows(shown, zone=UTC)]
    rows.append(wear(shown, None, read_only=False))
    return page(sorted(rows, key=lambda row: FIRST.index(row.weight)))


PAGES = Pages(why=why, doctor=doctor)
