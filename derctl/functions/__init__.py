"""Grid-support and site functions, one a file. `rows` is the only place that lists them."""

from __future__ import annotations

from derctl.functions.rows import ROWS, Need, Row, Scope, plan_of
from derctl.functions.settings import Settings

__all__ = ["ROWS", "Need", "Row", "Scope", "Settings", "plan_of"]
