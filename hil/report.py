"""What `python -m hil` prints: verdicts for people, JSON, JSON lines while it runs, CSV of the signals."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.runner import Result


def text(result: Result) -> str:
    """One line per expectation with the number seen."""
    if result.unsupported:
        return f"UNSUPPORTED {result.name}: {result.unsupported}"
    lines = [f"{'PASS' if c.passed else 'FAIL'}  {c.says}  [{c.seen}]" for c in result.checks]
    held = sum(c.passed for c in result.checks)
    verdict = "" if result.passed else ", so it FAILED"
    last = f"{result.name}: {held} of {len(result.checks)} held{verdict}, in {result.wall_s:.0f} s"
    late = f"the bench was {result.behind_s:.1f} s behind: the machine had no time for it, judge it again"
    return "\n".join([*lines, *([late] if result.overrun else []), last])


def as_json(result: Result) -> dict[str, Any]:
    """Everything but the samples."""
    checks = [
        {"says": c.says, "passed": c.passed, "seen": c.seen, "wanted": c.wanted, "spare": c.spare}
        for c in result.checks
    ]
    head = {"name": result.name, "passed": result.passed, "unsupported": result.unsupported or None}
    times = {"wall_s": round(result.wall_s, 1), "behind_s": round(result.behind_s, 3), "overrun": result.overrun}
    return {**head, **times, "checks": checks, "log": list(result.log)}


class Lines:
    """An observer that prints a JSON line per second, and one for whatever the timeline says."""

    def __init__(self) -> None:
        self._following_s = 0.0

    def __call__(self, seen: Mapping[str, Any]) -> None:
        for said in seen["said"]:
            print(json.dumps({"kind": "event", "t_s": seen["t_s"], "text": said}), flush=True)
        if seen["t_s"] >= self._following_s:
            self._following_s = seen["t_s"] + 0.95
            told = {key: value for key, value in seen.items() if key != "said"}
            print(json.dumps({"kind": "snapshot", **told}, default=str), flush=True)


def flat(snapshot: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Signal names and values, without the daemon's own status."""
    for key, value in snapshot.items():
        if key in ("status", "said", "last", "reply"):
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value


def write_csv(path: Path, snapshots: Sequence[Mapping[str, Any]]) -> None:
    """One row per plant step."""
    rows = [dict(flat(snapshot)) for snapshot in snapshots]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
