"""`derctl profiles`, and what `check` says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from derctl.cli.profiles import page
from derctl.site import profiles

Outside = Callable[..., tuple[int, str, str]]
SiteFile = Callable[..., Path]


def test_every_profile_is_listed(outside: Outside) -> None:
    code, out, err = outside("profiles")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line[0] != " "] == [*profiles()]
    assert outside("profiles", "list")[1] == out


def test_a_profile_is_shown_with_who_says_each_value(outside: Outside) -> None:
    code, out, _ = outside("profiles", "show", "kostal")
    assert code == 0
    said = " ".join(out.split())
    assert "max_regs 60: confirmed by capture: the trace log in evcc-io/evcc#12444" in said
    assert "writes registers: unconfirmed, report: evcc-io/evcc PR#31487" in said
    assert "settle_s 10: unconfirmed, the documents' default" in said
    assert "firmware 1 to 3.4: unconfirmed, report" in said
    assert "1034 (0x040A) battery charge power" in said


def test_a_list_a_truth_value_and_a_map_are_shown_as_a_file_has_them(outside: Outside) -> None:
    said = " ".join(outside("profiles", "show", "solaredge")[1].split())
    assert "bases 40000, 0: unconfirmed" in said
    assert "silence_is_missing true: unconfirmed" in said
    assert "203.TotWhExp 2147483648, 203.TotWhImp 2147483648" in " ".join(
        outside("profiles", "show", "kostal_ksem")[1].split()
    )


def test_a_name_that_is_none_is_refused_with_the_nearest(outside: Outside) -> None:
    code, out, err = outside("profiles", "show", "solaredg")
    assert (code, out) == (1, "")
    assert "did you mean solaredge?" in err


@pytest.mark.parametrize(("what", "wants"), [("show", "the name of a profile"), ("check", "a file")])
def test_show_and_check_need_to_know_which(outside: Outside, what: str, wants: str) -> None:
    code, _, err = outside("profiles", what)
    assert code == 2
    assert f"{what} needs {wants}" in err


def test_a_file_of_ones_own_is_checked(outside: Outside, tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    head = "name: acme\ntitle: Acme\nreads: model 103\ncontrols: model 123\nfailsafe: none\n"
    path.write_text(f"{head}limits: {{settle_s: {{value: 20, by: report, source: a thread}}}}\n", encoding="utf-8")
    code, out, err = outside("profiles", "check", str(path))
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [f"{path}: no problems", "acme: Acme"]
    path.write_text(f"{head}limits: {{settle_s: {{value: 0, by: report, source: a thread}}}}\n", encoding="utf-8")
    code, out, err = outside("profiles", "check", str(path))
    assert (code, out) == (78, "")
    assert f"{path}:6: limits.settle_s.value: 0 is outside" in err


def test_check_says_what_of_a_profile_nobody_confirmed_and_who_has_none_yet(
    outside: Outside, site_file: SiteFile
) -> None:
    path = site_file(("kind: sunspec_pv", "kind: sunspec_pv, profile: solaredge"))
    said = " ".join(outside("check", "-c", str(path))[1].split())
    assert "pv1: profile solaredge, nobody has confirmed writes, readback, timer_rearm, settle_s, volatile" in said
    assert "it serves 1 connection, so no other program may take its place" in said
    [row] = json.loads(outside("check", "-c", str(path), "--json")[1])["profiles"]
    assert (row["profile"], row["ders"], "timer_rearm" in row["unconfirmed"]) == ("solaredge", ["pv1"], True)
    path = site_file()
    assert "pv1: profile chosen by identity when found" in " ".join(outside("check", "-c", str(path))[1].split())
    [row] = json.loads(outside("check", "-c", str(path), "--json")[1])["profiles"]
    assert (row["profile"], row["unconfirmed"]) == (None, [])


def test_check_asks_about_a_sign_that_is_not_the_makers(outside: Outside, site_file: SiteFile) -> None:
    path = site_file(("poc: {", "poc: {profile: solaredge, "), ("sign: 1", "sign: -1"))
    asked = json.loads(outside("check", "-c", str(path), "--json")[1])["questions"]
    [question] = [each for each in asked if each["path"] == "poc.sign"]
    assert "positive for export, so 1 (report: evcc" in question["message"]


def test_what_is_quoted_only_says_which_word_of_the_site_file_counts_on_it() -> None:
    shown = " ".join(" ".join(page(profiles()["huawei_sun2000_luna2000"])).split())
    assert "unconfirmed, quoted: HUAWEI, Solar Inverter Modbus Interface Definitions" in shown
    assert (
        "written only where a row of the site file has may_write: [own.limit_pct], since others quote that" in shown
    )
    assert "its memory: unconfirmed, report: wlcrs/huawei_solar#1321" in shown
    inferred = " ".join(" ".join(page(profiles()["victron_vebus_single"])).split())
    assert (
        "its memory: unconfirmed, assumed: inferred: such a setpoint lapses" in inferred
        and "may_write" not in inferred
    )
