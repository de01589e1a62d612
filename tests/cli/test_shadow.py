"""`derctl shadow report`: from the daemon, or from what it kept on disk; in words, and for programs."""

from __future__ import annotations

import json
import time
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import shadow
from derctl.cli.shadowpage import render
from derctl.daemon.shadow.report import report_of
from derctl.errors import LinkError
from derctl.store import shadow as store
from derctl.store.folder import Folder
from derctl.store.shadow import DerPart, Kept, SitePart, Stretch
from tests.cli.calls import Here, SiteFile

NOON = 1_800_014_400.0


def day() -> Kept:
    """Two stretches with three hours between them, and all that a page has a line for."""
    pv1 = DerPart(
        heard_s=43_200.0,
        gave_wh=21_300.0,
        held={"contract_export_limit": (3600.0, 1100.0), "contract_export_limit:meter_unproven": (900.0, 400.0)},
        var={"volt_var": (600.0, 55.0)},
        writes=412,
        a_day=100,
        foreign=14,
    )
    bat1 = DerPart(
        heard_s=43_200.0,
        stored=True,
        aimed={"self_consumption": (7200.0, 1500.0, 0.0), "rest": (60.0, 0.0, 8.0)},
        own={"volt_var": 43_200.0},
        untold={"freq_droop": 43_200.0},
        stood_s=60.0,
        stood_w=2500.0,
        writes=1200,
    )
    poc = SitePart(
        limit_w=3000.0,
        out_wh=9000.0,
        in_wh=400.0,
        over_s=2460.0,
        over_wh=1900.0,
        overs=12,
        most_w=2310.0,
        most_at=NOON - 7200.0,
        kept_wh=1800.0,
        lag_s=2.6,
        needed_wh=2000.0,
        belief={"proven": 40_000.0, "doubted": 3200.0},
    )
    early: dict[str, Any] = {"run": "a", "n": 0, "seconds": 36_000.0, "synced": True}
    late: dict[str, Any] = {
        "run": "b",
        "n": 0,
        "seconds": 7200.0,
        "synced": True,
        "events": {"meter_doubted/poc": 2, "found/pv1": 1},
    }
    return Kept(
        stretches=(
            Stretch(began=NOON - 54_000, ended=NOON - 18_000, site=poc, ders={"pv1": pv1, "bat1": bat1}, **early),
            Stretch(began=NOON - 7200, ended=NOON, margins={"volt_var/pv1": 1.9}, **late),
        )
    )


def page(kept: Kept, *, synced: bool = True, now: float = NOON) -> str:
    found = report_of(kept, now=now, synced=synced, since_s=54_000.0, site="house-12")
    assert found is not None
    return render(found, UTC)


def test_the_page_says_it_in_plain_words_and_fits_a_screen() -> None:
    text = page(day())
    joined = " ".join(text.split())
    for words in (
        "it looked on for 12 h between 14 Jan 21:00 and 12:00",
        "missing: 3 h from 07:00 (derctl ended without a word: killed, or power lost)",
        "contract: 3,000 W of export, broken 12 times, for 41 min in all, by 1.9 kWh, at most 2,310 W (10:00)",
        "would have prevented 1.8 kWh of that (the first 2.6 s of each",
        "held back: 1.1 kWh of 21.3 kWh that were made (5.2 %)",
        "and 400 Wh while the meter was not proven",
        "pv1: the contract for 1 h, 1.1 kWh",
        "var by volt-var for 10 min, 55 varh",
        "bat1: sent elsewhere by self-consumption for 2 h, 1.5 kWh up (out)",
        "by nobody: at rest for 1 min, 8 Wh down (in)",
        "pv1 412 (bears 100 a day), bat1 1,200",
        "! pv1 would want 989 a day and bears 100",
        "meter proven 11 h 7 min, meter doubted 53 min",
        "! bat1: it runs volt_var itself",
        "! bat1: whether it runs freq_droop itself can't be read",
        "! pv1: somebody else changed what stands in it 14 times",
        "! bat1: a limit of 2,500 W that is not derctl's stood in it for 1 min",
        "the meter was doubted 2 times",
        "margin of volt-var from hunting is 1.9",
        "How the site would have answered is not known",
    ):
        assert words in joined, words
    assert "found" not in joined and all(len(line) <= 80 for line in text.splitlines())


def test_a_day_without_trouble_is_short() -> None:
    poc = SitePart(limit_w=3000.0, out_wh=100.0, belief={"proven": 300.0})
    good: dict[str, Any] = {"run": "a", "n": 0, "seconds": 300.0, "synced": True}
    quiet = Stretch(began=NOON - 300.0, ended=NOON, site=poc, ders={"pv1": DerPart(gave_wh=100.0)}, **good)
    text = page(Kept(stretches=(quiet,)))
    assert "3,000 W of export, kept all the time; 100 Wh went out" in " ".join(text.split())
    assert "held back: 0 Wh of 100 Wh" in text and "!" not in text and len(text.splitlines()) <= 10
    free = Stretch(began=NOON - 300.0, ended=NOON, site=SitePart(belief={"lost": 1.0}), **good)
    assert "no limit of export" in page(Kept(stretches=(free,)))


def test_what_is_not_sure_is_said() -> None:
    many = [
        Stretch(run=str(n), n=0, began=NOON - 6000 + 1000 * n, ended=NOON - 5900 + 1000 * n, seconds=100.0)
        for n in range(6)
    ]
    text = page(Kept(stretches=tuple(many), torn=2), synced=False)
    assert "the clock was not set" in text and "2 lines of the record can't be read" in text
    assert "nobody knows how long" in text and "2 shorter times" in text and "no meter at the point" in text


async def test_without_a_daemon_it_tells_what_was_kept(here: Here, site_file: SiteFile, tmp_path: Path) -> None:
    path = site_file(("f_nom_hz: 50", "f_nom_hz: 50, clock_sync: assume"))
    code, out, err = await here("shadow", "report", "-c", str(path))
    assert (code, out) == (1, "") and "nothing is recorded yet" in " ".join(err.split())
    state = next(tmp_path.rglob("state"), tmp_path / "state")
    state.mkdir(exist_ok=True)
    now = time.time()
    stretch = Stretch(run="a", n=0, began=now - 400, ended=now - 100, seconds=300.0, synced=True)
    await store.add(Folder(state, state), stretch)
    code, out, err = await here("shadow", "-c", str(path), "--json", "--since", "6h")
    found = json.loads(out)
    assert (code, found["observed_s"], found["asked_s"]) == (0, 300, 21_600) and "no daemon answers" in err
    (state / store.FILE).write_bytes(b"torn\n")
    code, out, err = await here("shadow", "report", "-c", str(path))
    assert code == 1 and "1 lines can't be read" in " ".join(err.split())
    (state / store.FILE).unlink()
    (state / store.FILE).mkdir()
    assert (await here("shadow", "report", "-c", str(path)))[0] == 69


async def test_a_wrong_word_or_time_is_a_wrong_command_line(here: Here, site_file: SiteFile) -> None:
    for words in (("tell",), ("report", "--since", "soon")):
        with pytest.raises(SystemExit) as ended:
            await here("shadow", *words, "-c", str(site_file()))
        assert ended.value.code == 2


async def test_the_daemons_own_word_comes_first(here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = report_of(day(), now=NOON, synced=True, since_s=54_000.0, site="house-12")

    def answer(args: Any, name: str, given: Any, *, seconds: float) -> Any:
        assert (name, given) == ("shadow", {"since_s": 604_800.0})
        return found

    monkeypatch.setattr(shadow, "call", answer)
    code, out, err = await here("shadow", "report", "--since", "7d", "--socket", str(tmp_path / "sock"))
    assert code == 0 and out.startswith("house-12, what derctl would have done") and err == ""


async def test_where_only_a_socket_is_given_nothing_else_is_read(
    here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, err = await here("shadow", "report", "--socket", str(tmp_path / "sock"))
    assert code == 69 and "sock" in err

    def denied(*args: Any, **more: Any) -> Any:
        raise LinkError("may not") from PermissionError()

    monkeypatch.setattr(shadow, "call", denied)
    assert (await here("shadow", "report", "-c", str(tmp_path / "none.yaml")))[0] == 69
