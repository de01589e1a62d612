"""The demo's page of 80 columns: export against the agreed limit, each DER, and what holds it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from derctl.cli.holding import holding
from derctl.cli.plain import WIDTH, Clockface, cleaned, number, padded, watts, wrapped
from derctl.cli.screen import Paint

BAR = 40
FULL = 1.25
"""The bar's end, in limits."""
INK_OF = {"yes": "good", "not_binding": "good", "pending": "so-so", "no": "bad"}
"""By the verdict on a DER; one that is not known yet has no colour."""
SEEN = {"counts": "changed by", "pp": "moved by", "mean": "on average"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def page(item: dict[str, Any], said: Sequence[tuple[float, str]], paint: Paint) -> list[str]:
    """A snapshot of the runner: the plant's own values, and what the daemon says of itself."""
    status = cleaned(item.get("status") or {})
    lines = [_head(item, status, paint), "", *_export(item, status, paint), ""]
    lines.append(paint("dim", f"{'':<6}{'gives':>10}{'var':>12}{'voltage':>11}{'charge':>9}"))
    for name, der in item["der"].items():
        lines += _row(name, der, status, paint)
    tail = [line for t_s, text in said for line in wrapped(text, f"{t_s:6.1f} s  ")]
    return [*lines, "", *tail, "", paint("dim", "Ctrl-C ends the demo and everything in it")]


def _head(item: dict[str, Any], status: dict[str, Any], paint: Paint) -> str:
    mode = status.get("mode", "the daemon starts").upper() if status else "the daemon starts"
    shown = padded(f"{item['t_s']:.0f} s", 8) + mode
    return paint("bold", "derctl demo") + "   " + paint("good" if mode == "CONTROL" else "so-so", shown)


def _export(item: dict[str, Any], status: dict[str, Any], paint: Paint) -> list[str]:
    poc, limit = item["poc"], (status.get("absent") or {}).get("limit_w")
    load = f"the house takes {watts(sum(item['load'].values()))}"
    grid = f"grid {poc['v_pu']:.3f} pu, {poc['f_hz']:.2f} Hz, {load}"
    if poc["p_w"] < 0.0:
        text, ink = f"import {watts(-poc['p_w'])}", "good"
    elif limit is None:
        text, ink = f"export {watts(poc['p_w'])}", "bold"
    else:
        text = f"export {number(poc['p_w'])} of {watts(limit)}"
        ink = "good" if poc["p_w"] <= limit else "bad"
    bar = "" if limit is None else bar_of(poc["p_w"], limit)
    return [paint(ink, padded(text, WIDTH - BAR - 3) + bar), grid]


def bar_of(p_w: float, limit_w: float) -> str:
    """The export as a bar with a mark at the limit."""
    cell = FULL * limit_w / BAR if limit_w > 0.0 else 1.0
    filled, mark = min(BAR, max(0, round(p_w / cell))), min(BAR - 1, round(limit_w / cell))
    cells = ["#"] * filled + ["."] * (BAR - filled)
    cells[mark] = "|"
    return f"[{''.join(cells)}]"


def _row(name: str, der: dict[str, Any], status: dict[str, Any], paint: Paint) -> list[str]:
    soc = "" if der.get("soc_pct") is None else f"{number(der['soc_pct'])} %"
    numbers = f"{padded(name, 6)}{watts(der['p_w']):>10}{number(der['q_var']) + ' var':>12}"
    numbers += f"{der['v_pu']:>8.3f} pu{soc:>9}"
    seen = (status.get("ders") or {}).get(name)
    if seen is None or seen["setpoint"] is None:
        return [numbers]
    ink = INK_OF.get(seen["outcome"]["achieved"], "dim") if status["mode"] == "control" else "dim"
    told = seen | {"measurement": seen["measurement"] | {"soc_pct": None}}  # the plant's own stands above
    text = holding(name, told, status, Clockface(status["t"]))
    return [numbers, *(paint(ink, line) for line in wrapped(text, " " * 6))]


def verdict(item: dict[str, Any], paint: Paint) -> list[str]:
    """The scenario's expectations, one a line; of a broken one, what was seen."""
    rows = []
    for check in item["checks"]:
        seen = "" if check["passed"] else f" ({plainly(check['seen'])})"
        word = paint("good", "held  ") if check["passed"] else paint("bad", "BROKEN")
        rows.append(f"{word}  {check['says']}{seen}")
    held = sum(check["passed"] for check in item["checks"])
    return [*rows, f"{held} of {len(item['checks'])} expectations held"]


def plainly(seen: str) -> str:
    """`counts -1520.83` as `changed by -1,521`."""
    word, _, rest = seen.partition(" ")
    text = f"{SEEN[word]} {rest}" if word in SEEN and rest else seen
    return _NUMBER.sub(lambda found: _short(float(found[0])), text)


def _short(value: float) -> str:
    whole = abs(value) >= 100.0 or value == int(value)
    return number(value) if whole else f"{value + 0.0:.3g}"
