"""`init`: from what was found and what was answered to a site file that `check` takes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.cli import main
from derctl.commission.jurisdictions import PLACES, objection, place_of, stands_beneath
from derctl.commission.rivals import Share, ceilings_w
from derctl.commission.shown import impossible, shown_text, sign_text
from derctl.site import load
from derctl.site.grid_code import names
from tests.cli.calls import At, Here

CAN_LIMIT = {"ac": {"limit": True, "aim": False, "var": True}, "battery": None}
CAN_AIM = {"ac": {"limit": False, "aim": True, "var": True}, "battery": {}}


def use(kind: str, role: str, serial: str, **more: Any) -> dict[str, Any]:
    who = {"kind": kind, "role": role, "profile": "generic", "maker": "Acme", "model": "One", "serial": serial}
    return who | more


def der(serial: str, p_max_w: float | None, by: str, **more: Any) -> dict[str, Any]:
    works = {"reversion": ["reversion", "stands", "device"], "stands": ["stands", "device"], "device": ["device"]}[by]
    rating = None if p_max_w is None else {"p_max_w": p_max_w}
    advice = {"by": by, "works": works, "why": "its timer"}
    facts = {"rating": rating, "fallback": advice, "can": CAN_LIMIT, "text": "takes ceiling"}
    return use("sunspec_pv", "der", serial) | facts | more


def found(port: int, unit: int, *uses: dict[str, Any], **more: Any) -> dict[str, Any]:
    wire = {"tcp": {"host": "10.0.0.9", "port": port}}
    place = {"place": f"10.0.0.9:{port}", "wire": wire, "unit": unit, "by": "sunspec", "profile": "generic"}
    return place | {"uses": list(uses)} | more


PV = found(1502, 126, der("11", 6000.0, "stands"), max_clients=1, set_w=4000.0, rated_w=6000.0)
TIMED = found(502, 1, der("12", 4000.0, "reversion"))
BATTERY = found(
    503, 1, der("13", 5000.0, "reversion", kind="sunspec_storage", stores=True, can=CAN_AIM), set_w=5000.0
)
BMS = found(503, 2, use("sunspec_bms", "bms", "14"))
METER = found(504, 1, use("sunspec_meter", "meter", "15", now_w=1234.0))
HOUSE = [PV, TIMED, BATTERY, BMS, METER]
GIVEN = ("--id", "house-1", "--grid-code", "as4777_a", "--sign", "-1", "--limit", "5000", "--limiter", "device")
MINE = ("--owner", "bat1.power=derctl")


@pytest.fixture
def scanned(tmp_path: Path) -> Any:
    """Writes what a scan found; returns its path and that of the site file."""

    def write(*findings: dict[str, Any]) -> tuple[str, Path]:
        path = tmp_path / "found.json"
        path.write_text(json.dumps({"found": list(findings or HOUSE), "silent": [], "took_s": 1.0}))
        return str(path), tmp_path / "site.yaml"

    return write


def call(*words: str) -> int:
    try:
        return main(["init", *words])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_site_file_has_each_device_with_its_serial_rating_role_and_fallback(
    scanned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    source, path = scanned()
    assert call(source, "-o", str(path), *GIVEN, *MINE) == 0
    out = " ".join(capsys.readouterr().out.split())
    file = yaml.safe_load(path.read_text())
    rows = {row["id"]: row for row in file["ders"]}
    assert file["site"] == {
        "id": "house-1",
        "v_nom_v": 230,
        "f_nom_hz": 50,
        "grid_code": "as4777_a",
        "mode": "observe",
    }
    assert rows["pv1"].items() >= {"unit": 126, "serial": "11", "rating": {"p_max_w": 6000}}.items()
    assert rows["pv1"]["fallback"] == {"p_ceiling_w": 3000, "by": "stands"}
    assert rows["pv2"]["fallback"]["p_ceiling_w"] == 2000 and rows["pv2"]["fallback"]["by"] == "reversion"
    assert rows["bat1"]["fallback"]["p_ceiling_w"] == 0
    assert rows["bat1"]["bms"]["unit"] == 2
    assert (file["poc"]["serial"], file["poc"]["sign"]) == ("15", -1)
    assert {"kind": "contract_export_limit", "limit_w": 5000} in file["functions"]
    assert load(path).limit_w == 5000.0
    assert "one connection" in path.read_text()
    assert "bus plan:" in out and "without derctl, at most:" in out and "5,000 W in all, 5,000 W allowed" in out
    assert "pv1 is set to 4,000 W of 6,000 W" in out and "pv2: not told" in out


def test_what_is_not_given_is_named_by_its_flag_where_nobody_can_be_asked(
    scanned: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    second = found(505, 1, use("sunspec_meter", "meter", "16"))
    unrated = found(506, 1, der("17", None, "device"))
    source, path = scanned(*HOUSE, second, unrated)
    assert call(source, "-o", str(path)) == 2
    err = capsys.readouterr().err
    for flag in ("--id", "--grid-code", "--v-nom", "--poc", "--limit", "--owner bat1.power=NAME", "--rating pv3=W"):
        assert f"    {flag}   " in err
    assert not path.exists()


def test_each_question_is_asked_once_and_an_answer_that_makes_no_sense_again(
    scanned: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = ["House", "house-2", "as4777_a", "", "", "-1", "many", "5000", "none", "device", "derctl", ""]
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(answers) + "\n"))
    source, path = scanned()
    assert call(source, "-o", str(path)) == 0
    out, err = capsys.readouterr()
    assert "'House': lower case" in err and "'many' is no number" in err
    assert "no certified limiter" in err, "what can't be is asked again, and the other answers are kept"
    steps = out[out.index("is written. Next:") :]
    nexts = [steps.index(each) for each in ("check --live", "derctl verify", "systemctl enable", "derctl arm")]
    assert nexts == sorted(nexts)
    assert "reads 1,234 W" in " ".join(err.split())
    file = yaml.safe_load(path.read_text())
    assert (file["site"]["id"], file["site"]["v_nom_v"], file["poc"]["sign"]) == ("house-2", 230, -1)


def test_answers_that_end_write_nothing(
    scanned: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("house-2\n"))
    source, path = scanned()
    assert call(source, "-o", str(path)) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_is_there_is_written_over_only_by_force(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source, path = scanned()
    path.write_text("mine")
    assert call(source, "-o", str(path), *GIVEN, *MINE) == 1
    assert path.read_text() == "mine" and "--force" in capsys.readouterr().err
    assert call(source, "-o", str(path), *GIVEN, *MINE, "--force") == 0
    assert path.read_text() != "mine"


def test_derctl_is_refused_as_the_sole_certified_limiter(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source, path = scanned()
    given = [*GIVEN[:-1], "none"]
    assert call(source, "-o", str(path), *given, *MINE) == 1
    err = " ".join(capsys.readouterr().err.split())
    assert "no certified limiter" in err and "--limiter device" in err
    assert not path.exists()


def test_what_another_owns_derctl_does_not_tell(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does it count with a limit there: 11 kW that it doesn't write are more than the 5 kW that are agreed."""
    source, path = scanned()
    assert call(source, "-o", str(path), *GIVEN, "--owner", "bat1.power=evcc", "--owner", "pv1.limit=utility") == 1
    assert "the contract is broken: control will be refused" in " ".join(capsys.readouterr().out.split())
    file = yaml.safe_load(path.read_text())
    assert file["controllers"] == [
        {"name": "evcc", "ders": ["bat1"], "owns": ["power"]},
        {"name": "utility", "ders": ["pv1"], "owns": ["limit"]},
    ]
    assert next(row for row in file["ders"] if row["id"] == "pv1")["control"] is False
    assert next(row for row in file["ders"] if row["id"] == "bat1")["control"] is False
    assert "self_consumption" not in {row["kind"] for row in file["functions"]}


def test_what_derctl_owns_the_other_only_could_tell(scanned: Any) -> None:
    source, path = scanned()
    assert call(source, "-o", str(path), *GIVEN, *MINE) == 0
    file = yaml.safe_load(path.read_text())
    [row] = file["controllers"]
    assert (row["ders"], row["could"]) == (["bat1"], ["power"])
    assert {"kind": "self_consumption", "ders": ["bat1"]} in file["functions"]


def test_a_limit_that_stands_in_a_device_is_a_rival_that_needs_an_owner(
    scanned: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    source, path = scanned(found(502, 1, der("12", 4000.0, "stands", limit_w=2500.0)), METER)
    assert call(source, "-o", str(path), *GIVEN) == 2
    assert "--owner pv1.limit=NAME" in capsys.readouterr().err
    assert call(source, "-o", str(path), *GIVEN, "--owner", "pv1.limit=derctl") == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--id", "A House"), 2, "lower case"),
        (("--limit", "x"), 2, "no number"),
        (("--sign", "2"), 2, "none of 1, -1"),
        (("--owner", "pv1"), 1, "NAME=VALUE"),
        (("--owner", "pv9.limit=me"), 1, "there are pv1, pv2, bat1"),
        (("--fallback", "pv9=3"), 1, "no such DER"),
        (("--poc", "none"), 1, "needs the meter"),
    ],
)
def test_a_flag_that_makes_no_sense_says_what_would(
    scanned: Any, capsys: pytest.CaptureFixture[str], words: tuple[str, str], code: int, says: str
) -> None:
    source, path = scanned()
    assert call(source, "-o", str(path), *GIVEN, *MINE, *words) == code
    assert says in " ".join(capsys.readouterr().err.split())
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"found": [{"place": 3}]}'])
def test_a_file_that_is_no_scan_says_how_one_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "found.json"
    path.write_text(text)
    assert call(str(path), "-o", str(tmp_path / "site.yaml")) == 1
    assert "--json" in capsys.readouterr().err
    assert call(str(tmp_path / "gone.json"), "-o", str(tmp_path / "site.yaml")) == 1


def test_a_scan_without_an_inverter_is_no_site(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source, path = scanned(METER)
    assert call(source, "-o", str(path), *GIVEN) == 1
    assert "no inverter or battery was found" in capsys.readouterr().err


async def test_what_a_scan_says_init_takes(at: At, here: Here, tmp_path: Path) -> None:
    places = [at(name) for name in ("pv1", "pv2", "bat", "meter")]
    code, out, _ = await here("scan", *places, "--units", "1,2", "--json", "--timeout", "0.3")
    source, path = tmp_path / "found.json", tmp_path / "site.yaml"
    source.write_text(out)
    assert code == 0
    code, out, _ = await here("init", str(source), "-o", str(path), *GIVEN, *MINE)
    assert code == 0
    assert {row["serial"] for row in yaml.safe_load(path.read_text())["ders"]} == {"1001", "1002", "1003"}
    assert (await here("check", "-c", str(path)))[0] == 0


def test_each_grid_code_says_what_derctl_may_be_there_and_by_which_rule() -> None:
    assert {*PLACES} == {*names()}
    assert all(place.limiter and place.may and place.rule for place in PLACES.values())
    assert "ask the operator" in place_of(None).rule
    for code in (None, *PLACES):
        assert "no certified limiter" in objection(code, "none", agreed=True)
        assert not objection(code, "device", agreed=True) and not objection(code, "relay", agreed=True)
        assert not objection(code, "no_limit", agreed=False)
        assert objection(code, "no_limit", agreed=True)


def test_the_certified_limit_beneath_is_read_back_or_said_to_be_unknown() -> None:
    both = {"pv1": (3000.0, 5000.0), "pv2": (2000.0, None)}
    assert "5,000 W in all, within the agreed 5,000 W" in stands_beneath(5000.0, "device", both)
    assert "above the agreed 4,000 W" in stands_beneath(4000.0, "device", both)
    assert "pv2: not told" in stands_beneath(9000.0, "device", {**both, "pv2": (None, None)})
    assert "within" not in stands_beneath(9000.0, "device", {**both, "pv2": (None, None)})
    assert "off each inverter's own display" in stands_beneath(5000.0, "device", {"pv1": (None, None)})
    assert "relay" in stands_beneath(5000.0, "relay", both)
    assert stands_beneath(None, "no_limit", both) == ""


def test_what_the_ders_may_give_without_derctl_never_adds_up_to_more_than_the_agreement() -> None:
    shares = [
        Share(id="pv1", rated_w=6000.0, stores=False, settable=True),
        Share(id="pv2", rated_w=3001.0, stores=False, settable=True),
        Share(id="bat1", rated_w=5000.0, stores=True, settable=True),
        Share(id="old", rated_w=2000.0, stores=False, settable=False),
    ]
    for limit_w in (0.0, 1999.0, 2000.0, 2001.5, 5000.0, 7777.0, 11001.0, 50000.0):
        found = ceilings_w(shares, limit_w)
        assert found["bat1"] == 0.0 and found["old"] is None
        assert (found["pv1"] or 0.0) + (found["pv2"] or 0.0) <= max(limit_w - 2000.0, 0.0)
    assert ceilings_w(shares, None) == {"pv1": 6000.0, "pv2": 3001.0, "bat1": 0.0, "old": None}


def test_all_that_is_missing_senseless_or_refused_is_told_in_one_round(
    scanned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path, site = scanned()
    wrong = ("--grid-code", "nowhere", "--limiter", "none", "--limit", "5000", "--fallback", "pv9=1")
    assert call(path, "-o", str(site), *wrong, "--owner", "pv9.limit=x") == 2
    told = capsys.readouterr().err
    for each in ("--id   ", "--owner bat1.power=NAME", "--grid-code: 'nowhere' is none of", "can't be the only one"):
        assert each in told, each
    assert "--fallback pv9: no such DER" in told and "--owner pv9.limit: give it as" in told and not site.exists()


def test_what_is_only_refused_is_refused_all_at_once(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path, site = scanned()
    assert call(path, "-o", str(site), *GIVEN[:-1], "none", *MINE, "--fallback", "pv9=1") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "can't be the only one" in told and "--fallback pv9: no such DER" in told and not site.exists()


SUNNY = [{**HOUSE[0], "uses": [der("11", 6000.0, "stands", now_w=4000.0)]}]


@pytest.mark.parametrize(
    ("sign", "says"),
    [
        ("1", "reads 1,234 W of export while the DERs give 4,000 W: the house draws 2,766 W"),
        ("-1", "reads 1,234 W of import while the DERs give 4,000 W: the house draws 5,234 W"),
    ],
)
def test_the_meters_sign_is_set_beside_the_sum_of_the_ders(
    scanned: Any, capsys: pytest.CaptureFixture[str], sign: str, says: str
) -> None:
    path, site = scanned(*SUNNY, METER)
    given = [*GIVEN]
    given[given.index("--sign") + 1] = sign
    call(path, "-o", str(site), *given)
    assert says in " ".join(capsys.readouterr().out.split())


def test_a_sign_that_leaves_no_house_is_said_to_be_wrong(scanned: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path, site = scanned(*SUNNY, found(504, 1, use("sunspec_meter", "meter", "15", now_w=-6000.0)))
    call(path, "-o", str(site), *GIVEN)
    assert "the sign is wrong, or one that gives is missing: write sign: 1" in " ".join(
        capsys.readouterr().out.split()
    )
    assert "which can't be" in shown_text(-6000.0, 4000.0) and "10,000 W" in shown_text(-6000.0, 4000.0)


def test_without_sun_the_sign_can_t_be_told_and_that_is_said() -> None:
    assert "too little sun to tell" in shown_text(-500.0, 20.0) and "while" not in shown_text(-500.0, None)
    assert "shows in the sun" in sign_text(-1, -500.0, 20.0) and "shows in the sun" in sign_text(1, 0.0, None)
    assert sign_text(1, 9000.0, -4000.0).endswith("one that gives is missing: write sign: -1")
    assert impossible(1, 5000.0, 4000.0) and not impossible(1, 4300.0, 4000.0)


def test_beside_the_service_state_and_socket_lie_beside_the_file(scanned: Any) -> None:
    path, site = scanned()
    assert call(path, "-o", str(site), *GIVEN, *MINE, "--here") == 0
    found = load(site).file.site
    assert (found.state_dir, found.socket) == (str(site.parent / "state"), str(site.parent / "derctl.sock"))


def test_a_code_of_another_frequency_than_is_measured_is_said(
    scanned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    at_50 = found(504, 1, use("sunspec_meter", "meter", "15", now_w=1234.0, f_hz=50.02))
    path, site = scanned(TIMED, at_50)
    us = [*GIVEN]
    us[us.index("as4777_a")] = "ieee1547_b"
    call(path, "-o", str(site), *us, "--v-nom", "120")
    assert "! the devices measure 50 Hz, and ieee1547_b is a code of 60 Hz" in " ".join(
        capsys.readouterr().out.split()
    )
