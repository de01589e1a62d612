"""What is known of a vendor's habits, as data: profiles/*.yaml, where each value says where it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Defaults are those of a device that follows the SunSpec documents.

    max_regs: registers in one read. writes: block (neighbouring points in one request) | points (each alone)
    | registers (each register alone, by function 6).
    min_limit_pct: below this a limit may send the inverter to standby; derctl writes 0 then.
    deadband_pct: of the rating, changes below it are not written. refresh_s: how often registers get new values.
    settle_s: until a setpoint shows at the terminals. tolerance_pct: of the rating, for accepted and achieved.
    readback: values | effect_only (control points read as not implemented). timer_rearm: write | any_message
    (polling keeps it from running out, which is a problem of the device) | none (counts but nothing reverts).
    volatile: its control points lie in memory that doesn't wear out, so that they may be written every few seconds.
    match: what maker and model in SunSpec model 1 begin with, in any case; a row fits where all that it names does.
    """

    name: str = "generic"
    max_regs: int = 125
    writes: Literal["block", "points", "registers"] = "block"
    min_limit_pct: float = 0.0
    deadband_pct: float = 1.0
    refresh_s: float = 1.0
    settle_s: float = 10.0
    tolerance_pct: float = 3.0
    min_interval_s: float = 0.0
    connect_delay_s: float = 0.0
    timeout_s: float = 1.0
    backoff_s: float = 8.0
    write_min_interval_s: float = 0.0
    readback: Literal["values", "effect_only"] = "values"
    timer_rearm: Literal["write", "any_message", "none"] = "write"
    volatile: bool = True
    bases: tuple[int, ...] = (40000, 0, 50000, 1, 4096)
    match: tuple[dict[Literal["maker", "model"], str], ...] = field(default=(), hash=False)

    def fit(self, maker: str, model: str) -> int:
        """How many words of its best row fit such a device; 0 where none does."""
        said = {"maker": maker.strip().lower(), "model": model.strip().lower()}
        rows = (row for row in self.match if all(said[key].startswith(word.lower()) for key, word in row.items()))
        return max((len(row) for row in rows), default=0)
