"""Grid-support and site functions, one a file. `rows` is the only place that lists them."""

from __future__ import annotations

from derctl.functions.rows import ROWS, Row, plan_of
from derctl.functions.settings import Settings

__all__ = ["ROWS", "Row", "Settings", "plan_of"]
