"""The demo's page and its screen: colour and place on a terminal, plain text elsewhere, nothing left behind."""

from __future__ import annotations

import io
import os
import re
from typing import Any

import pytest

from derctl.cli.demo import View
from derctl.cli.demopage import bar_of, page, plainly, verdict
from derctl.cli.plain import columns
from derctl.cli.screen import ENTER, LEAVE, Paint, Screen

Json = dict[str, Any]
PLAIN = Paint(colour=False)


class Terminal(io.StringIO):
    """A terminal of 24 rows that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def snapshot(house: Json) -> Json:
    """What the runner tells once a second."""
    ders = {
        name: {
            "p_w": der["measurement"]["p_w"],
            "q_var": -0.3,
            "v_pu": 1.031,
            "soc_pct": der["measurement"]["soc_pct"],
        }
        for name, der in house["ders"].items()
    }
    poc = {"p_w": 5544.0, "v_pu": 1.017, "f_hz": 50.0}
    return {"kind": "snapshot", "t_s": 12.0, "poc": poc, "load": {"house": 900.0}, "der": ders, "status": house}


def test_the_page_shows_the_export_against_the_agreed_limit(snapshot: Json) -> None:
    lines = page(snapshot, [(12.0, "the voltage rises")], PLAIN)
    assert all(columns(line) <= 80 for line in lines)
    assert lines[0] == "derctl demo   12 s    CONTROL"
    assert lines[2].startswith("export 5,544 of 7,000 W ") and lines[2].endswith("#.......|.......]")
    assert "bat1    -5,000 W       0 var   1.031 pu     62 %" in lines
    assert "      limited to 2,000 W by operator anna until 15:27" in [
        re.sub(r"until \d\d:\d\d", "until 15:27", line) for line in lines
    ]
    assert "  12.0 s  the voltage rises" in lines
    assert not any("-0" in line.replace("-0.", "") for line in lines)


def test_a_verdict_that_is_not_there_yet_is_not_shown(snapshot: Json) -> None:
    assert page(snapshot | {"status": None}, [], PLAIN)[0].endswith("the daemon starts")
    for der in snapshot["status"]["ders"].values():
        der["setpoint"] = None
        der["outcome"] |= {"achieved": "unknown"}
    assert not any(word in line for line in page(snapshot, [], PLAIN) for word in ("unknown", "limited", "free"))


@pytest.mark.parametrize(("p_w", "ink"), [(5544.0, "\x1b[32m"), (7200.0, "\x1b[1;31m"), (-300.0, "\x1b[32m")])
def test_export_above_the_limit_is_red(snapshot: Json, p_w: float, ink: str) -> None:
    snapshot["poc"]["p_w"] = p_w
    assert page(snapshot, [], Paint(colour=True))[2].startswith(ink)


@pytest.mark.parametrize(
    ("p_w", "bar"),
    [(0.0, f"[{'.' * 32}|{'.' * 7}]"), (-5000.0, f"[{'.' * 32}|{'.' * 7}]"), (1e6, f"[{'#' * 32}|{'#' * 7}]")],
)
def test_the_bar_has_its_mark_at_the_limit(p_w: float, bar: str) -> None:
    assert bar_of(p_w, 7000.0) == bar
    assert len(bar_of(p_w, 0.0)) == len(bar), "and a site that may export nothing has one, too"


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ("counts -1520.83", "changed by -1,521"),
        ("after 0.1 s", "after 0.1 s"),
        ("-14.4223 to -4.01239", "-14.4 to -4.01"),
        ("12864 at 1.0 s; outside for 1.1 s at a time", "12,864 at 1 s; outside for 1.1 s at a time"),
        ("1.5e+06", "1,500,000"),
        ("no value", "no value"),
    ],
)
def test_what_was_seen_is_said_plainly(seen: str, says: str) -> None:
    assert plainly(seen) == says


def test_only_a_broken_expectation_shows_what_was_seen() -> None:
    checks = [
        {"says": "the daemon lives", "passed": True, "seen": "True"},
        {"says": "power falls", "passed": False, "seen": "counts -15.5"},
    ]
    assert verdict({"checks": checks}, PLAIN) == [
        "held    the daemon lives",
        "BROKEN  power falls (changed by -15.5)",
        "1 of 2 expectations held",
    ]


def test_a_terminal_is_drawn_in_place_and_left_as_it_was(snapshot: Json) -> None:
    """The alternate screen, home and erase: nothing is repainted into what can be scrolled back to."""
    out = Terminal()
    with pytest.raises(KeyboardInterrupt), Screen(out, {}) as screen:
        view = View(screen)
        for _ in range(3):
            view.take(snapshot)
        view.take({"kind": "event", "t_s": 1.0, "text": "said below"})
        raise KeyboardInterrupt
    text = out.getvalue()
    assert (text.count(ENTER), text.count(LEAVE)) == (1, 1) and text.endswith(LEAVE)
    assert text.count("\x1b[H") == 3 and text.count("\x1b[2J") == 1
    assert text.count("\x1b[J") == 3


def test_the_verdict_stays_on_the_terminals_own_screen(snapshot: Json) -> None:
    out = Terminal()
    with Screen(out, {"NO_COLOR": "1"}) as screen:
        view = View(screen)
        view.take(snapshot)
        view.take({"kind": "result", "checks": []})
    assert out.getvalue().endswith(f"{LEAVE}0 of 0 expectations held\n")


def test_a_page_that_is_higher_than_the_terminal_does_not_scroll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 3)))
    out = Terminal()
    with Screen(out, {}) as screen:
        screen.draw(["a", "b", "c", "d"])
    assert out.getvalue().count("\n") == 2 and "d" not in out.getvalue().replace(ENTER, "").replace(LEAVE, "")


@pytest.mark.parametrize(
    ("out", "environ", "colour"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_whose_owner_wants_it(
    out: io.StringIO, environ: dict[str, str], colour: bool
) -> None:
    assert Screen(out, environ).paint.colour is colour


def test_elsewhere_than_on_a_terminal_there_is_no_escape(snapshot: Json) -> None:
    out = io.StringIO()
    with Screen(out, {}) as screen:
        view = View(screen)
        view.take({"kind": "event", "t_s": 1.0, "text": "the voltage rises"})
        view.take(snapshot)
        view.take({"kind": "result", "checks": []})
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().startswith("   1.0 s  the voltage rises\n")
