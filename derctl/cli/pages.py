"""What the daemon answers in words over MQTT: the pages of `why` and `doctor`. Imported once it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from derctl.daemon.views import Pages


def why(der: str, state: Mapping[str, Any]) -> str:
    """The paragraph, its times in UTC: nobody knows where it is read."""
    from derctl.cli.why import why as paragraph

    return f"{paragraph(der, dict(state), zone=UTC)} (Times in UTC.)"


def doctor(state: Mapping[str, Any]) -> Sequence[str]:
    """The page, what needs somebody first."""
    from derctl.cli import contacted, recorded
    from derctl.cli.doctor import page
    from derctl.cli.health import health, wear
    from derctl.cli.plain import cleaned
    from derctl.commission.finding import Weight

    shown = cleaned(dict(state))
    rows = [
        *health(shown),
        *contacted.rows(shown),
        *recorded.rows(shown, zone=UTC),
        wear(shown, None, read_only=False),
    ]
    order = [*Weight, None]
    return page(sorted(rows, key=lambda row: order.index(row.weight)))


PAGES = Pages(why=why, doctor=doctor)
