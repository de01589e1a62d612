"""Exit codes of docs/interfaces.md section 5, and errors that a newcomer can act on."""

from __future__ import annotations

import argparse
import fcntl
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import derctl
from derctl.cli import VERBS, command, exits, local, main, release, schema, standing
from derctl.cli.plain import page
from derctl.daemon.commands.rows import COMMANDS
from derctl.errors import BusClosed, CommandError, ConfigError, DecodeError, LinkError, Problem
from derctl.store.folder import Folder
from derctl.store.sealed import sealed
from derctl.store.state import Surviving, save
from hil.rig import Rig
from tests import make
from tests.cli.calls import Here, Outside, SiteFile

ROOT = Path(__file__).resolve().parents[2]


def one_line(err: Any) -> Any:
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


def test_the_version_is_the_packages(outside: Outside) -> None:
    assert outside("--version") == (0, f"derctl {derctl.__version__}\n", "")


def test_help_lists_every_verb(outside: Outside) -> None:
    code, out, _ = outside("--help")
    assert code == 0
    assert all(f"\n    {name} " in out for name in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"derctl {verb}" in capsys.readouterr().out


def test_the_help_of_command_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["command", "--help"])
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize(
    "words", [[], ["frobnicate"], ["check", "-c"], ["status", "x"], ["limit"], ["why"], ["-c", "x", "status"]]
)
def test_a_wrong_command_line_ends_with_2(outside: Outside, words: Any) -> None:
    code, out, err = outside(*words)
    assert (code, out) == (2, "")
    assert "usage: derctl" in err


def test_a_verb_that_is_spelt_wrong_is_guessed_and_the_site_file_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("derctl.cli.local.SITE_FILE", tmp_path / "etc" / "site.yaml")
    (tmp_path / "site.yaml").touch()
    for words, says in ((["veryfy"], "did you mean derctl verify?"), (["check"], "lies here: -c site.yaml")):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2 and says in capsys.readouterr().err


@pytest.mark.parametrize("words", [("arm",), ("clear", "--found"), ("command", "ping")])
async def test_a_long_answer_of_the_daemon_is_a_page_of_80_columns(
    here: Here, site_file: SiteFile, answers: Any, words: tuple[str, ...]
) -> None:
    answers("armed; killed without a release, the site may export up to 15,000 W of the 7,000 W allowed, for 22.5 s")
    code, out, _ = await here(*words, "-c", str(site_file()))
    assert code == 0 and "for 22.5 s" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["check", "run", "release"])
def test_without_a_site_file_anywhere_it_is_said_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    monkeypatch.setattr(local, "SITE_FILE", tmp_path / "site.yaml")
    with pytest.raises(SystemExit) as ended:
        main([verb])
    assert ended.value.code == 2
    assert f"give one by -c FILE; there is no {tmp_path}/site.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_needs_a_site_file_has_the_installed_one_as_its_default(verb: Any) -> None:
    parser = argparse.ArgumentParser()
    VERBS[verb].load().add(parser)
    options = {option: action for action in parser._actions for option in action.option_strings}
    without = {"schema", "profiles", "scan", "inspect", "init", "read", "demo", "completion"}
    assert ("-c" in options) == (verb not in without)
    if "-c" in options:
        assert options["-c"].default is None
        assert "(default /etc/derctl/site.yaml)" in str(options["-c"].help)


async def test_the_installed_site_file_is_the_default(
    monkeypatch: pytest.MonkeyPatch, here: Here, site_file: SiteFile, tmp_path: Path
) -> None:
    path = site_file()
    monkeypatch.setattr(local, "SITE_FILE", path)
    code, out, _ = await here("check")
    assert (code, out.splitlines()[0]) == (0, f"{path}: no problems")
    code, _, err = await here("status")
    assert (code, err.startswith(f"{tmp_path}/derctl.sock: no such socket")) == (69, True)


def test_a_site_file_that_may_not_be_looked_for_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", closed)
    assert local.config_of(argparse.Namespace(config=None)) == Path("/etc/derctl/site.yaml")


async def test_where_the_site_file_cannot_be_read_the_usual_socket_is_asked(
    monkeypatch: pytest.MonkeyPatch, here: Here, tmp_path: Path
) -> None:
    """It belongs to the group; that the socket does, too, is then what a person is told."""
    monkeypatch.setattr(local, "SITE_FILE", tmp_path / "nowhere.yaml")
    monkeypatch.setattr(local, "SOCKET", tmp_path / "usual.sock")
    code, _, err = await here("status")
    assert (code, err.startswith(f"{tmp_path}/usual.sock: ")) == (69, True)


def test_help_names_every_exit_code(outside: Outside) -> None:
    told = outside("--help")[1].partition("exit codes:")[2]
    assert {int(line.split()[0]) for line in told.splitlines() if line.strip()} == {*exits.MEANINGS}


@pytest.mark.parametrize(
    "words", [["--expires", "10m", "limit_power", "der=pv1"], ["limit_power", "--expires", "10m", "der=pv1"]]
)
async def test_options_may_stand_anywhere_among_the_arguments(
    monkeypatch: pytest.MonkeyPatch, here: Here, words: list[str]
) -> None:
    asked = []

    def call(args: Any, name: str, given: Any = None) -> dict[str, str]:
        asked.append((name, given))
        return {"mode": "control"}

    monkeypatch.setattr(command, "call", call)
    assert (await here("command", *words))[0] == 0
    assert asked[0] == ("limit_power", {"expires_s": 600.0, "der": "pv1"})


def test_check_accepts_a_good_file_and_says_what_it_understood(outside: Outside, site_file: SiteFile) -> None:
    path = site_file()
    code, out, err = outside("check", "-c", str(path))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{path}: no problems"
    assert any("15" in line and "contract_export_limit" in line and "pv1" in line for line in lines)
    assert any("3,000 W" in line and "5,000 W" in line and "holds" in line for line in lines)
    assert "  a reading counts for 3 s" in lines


@pytest.mark.parametrize(
    ("changes", "code", "head"),
    [
        (
            [("f_nom_hz: 50,", "f_nom_hz: 50, mode: control,")],
            0,
            [
                "no problems; before control:",
                "  ! fail-safe: control waits until `derctl verify` has proven that of pv1",
            ],
        ),
        (
            [("f_nom_hz: 50,", "f_nom_hz: 50, mode: control,"), ("p_ceiling_w: 3000", "p_ceiling_w: 6000")],
            1,
            [
                "can be read, but control will be refused:",
                "  ! 6,000 W may go out without derctl, and 5,000 W are allowed",
            ],
        ),
        (
            [("p_ceiling_w: 3000", "p_ceiling_w: 6000"), ("id: lan,", "id: lan, min_interval_s: 10,")],
            1,
            [
                "can be read, but control would be refused:",
                "  ! 6,000 W may go out without derctl, and 5,000 W are allowed",
                "  ! an export above the limit does not end within 60 s",
                "  ! too slow for control: bus lan",
            ],
        ),
    ],
)
def test_the_first_lines_of_check_say_what_keeps_a_site_from_control(
    outside: Outside, site_file: SiteFile, changes: list[tuple[str, str]], code: int, head: list[str]
) -> None:
    path = site_file(*changes)
    found, out, _ = outside("check", "-c", str(path))
    assert (found, out.splitlines()[: len(head)]) == (code, [f"{path}: {head[0]}", *head[1:]])
    assert out.splitlines()[len(head)].startswith("  site ")


def test_check_says_how_long_a_reading_counts_on_a_slow_bus(outside: Outside, site_file: SiteFile) -> None:
    path = site_file(("kind: sunspec_pv", "kind: sunspec_pv, profile: fronius"))
    _, out, _ = outside("check", "-c", str(path))
    said = " ".join(out.split())
    assert "bus lan: 15 s, at a request each 1 s and about 4 for a poll" in said
    assert "where answers take longer: up to 15 s" in said, "the meter is on it"
    _, out, _ = outside("check", "-c", str(path), "--json")
    [bus] = json.loads(out)["buses"]
    expected = {"requests": 4, "min_interval_s": 1.0, "timeout_s": 10.0, "stale_s": 15.0, "stale_most_s": 15.0}
    assert bus.items() >= expected.items()


def test_check_says_where_a_bus_is_too_slow_for_control(outside: Outside, site_file: SiteFile) -> None:
    """Two blocks of the inverter wait for the turns of the meter and a slow block, 10 s each; 30 s count."""
    path = site_file(("id: lan,", "id: lan, min_interval_s: 10,"))
    code, out, _ = outside("check", "-c", str(path))
    said = " ".join(out.split())
    assert code == 1
    assert "! bus lan: refused: the reading of pv1 gets" in said and "and counts for 30 s" in said
    assert "What would do: a min_interval_s of" in said and "or its units spread over several buses" in said
    [bus] = json.loads(outside("check", "-c", str(path), "--json")[1])["buses"]
    assert bus["plan"]["missed"] and bus["plan"]["text"].startswith("refused: ")
    path = site_file(("id: lan,", f"id: lan, min_interval_s: {bus['plan']['would']['pause_s']},"))
    code, out, _ = outside("check", "-c", str(path))
    assert (code, "refused" in out) == (0, False)


def test_check_prints_the_bus_plan(outside: Outside, site_file: SiteFile) -> None:
    path = site_file(("id: lan,", "id: lan, answer_s: 0.05,"))
    said = " ".join(outside("check", "-c", str(path))[1].split())
    assert "bus plan: lan tcp, 2 units: load" in said and "readings get as old as" in said
    [bus] = json.loads(outside("check", "-c", str(path), "--json")[1])["buses"]
    assert set(bus["plan"]["ages_s"]) == {"pv1", "poc"}
    assert bus["plan"]["write_s"] == 0.2, "four requests"


def test_check_asks_of_what_is_hardly_meant_and_run_logs_it(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    path = site_file(("limit_w: 5000", "limit_w: 7"), ("p_ceiling_w: 3000", "p_ceiling_w: 0"))
    asked = f"{path}:9: functions[0].limit_w: 7 is less than 100 W: if kW are meant, write 7000"
    code, out, err = outside("check", "-c", str(path))
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [f"{path}: no problems, 1 question:", f"  {asked}"]
    _, out, _ = outside("check", "-c", str(path), "--json")
    [question] = json.loads(out)["questions"]
    assert (question["line"], question["path"]) == (9, "functions[0].limit_w")
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / "derctl.lock").open("a+") as held:  # so that the daemon ends at once
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        code, _, err = outside("run", "-c", str(path))
    assert code == 75
    [line] = [line for line in err.splitlines() if "site file" in line and "warning" in line]
    assert line.endswith(asked)


def test_check_names_the_grid_code_and_asks_for_one_where_a_function_takes_its_settings(
    outside: Outside, site_file: SiteFile
) -> None:
    functions = ("functions:", "functions:\n  - {kind: volt_watt}")
    path = site_file(functions)
    code, out, _ = outside("check", "-c", str(path))
    assert code == 0 and "site: no grid_code: volt_watt run" in out and "grid code as" not in out
    assert json.loads(outside("check", "-c", str(path), "--json")[1])["grid_code"] is None
    path = site_file(functions, ("f_nom_hz: 50", "f_nom_hz: 50, grid_code: as4777_a"))
    code, out, _ = outside("check", "-c", str(path))
    assert code == 0 and "question" not in out
    assert "  grid code as4777_a: AS/NZS 4777.2:2020, Australia A" in out
    assert json.loads(outside("check", "-c", str(path), "--json")[1])["grid_code"] == "as4777_a"


def test_check_as_json_says_the_same(outside: Outside, site_file: SiteFile) -> None:
    code, out, _ = outside("check", "-c", str(site_file()), "--json")
    found = json.loads(out)
    assert code == 0
    kinds = ("contract_export_limit", "probe", "containment")
    assert found["functions"] == [{"rank": 15, "kind": kind, "ders": ["pv1"]} for kind in kinds]
    assert (found["containment"]["containment_s"], found["containment"]["refused"]) == (60.0, False)
    assert (found["absent"]["by_der"], found["absent"]["limit_w"]) == ({"pv1": 3000.0}, 5000.0)


@pytest.mark.parametrize(
    ("old", "new", "code", "verdict"),
    [
        ("p_ceiling_w: 3000, by: stands", "p_ceiling_w: 6000, by: stands", 1, "broken"),
        (", fallback: {p_ceiling_w: 3000, by: stands}", "", 0, "decided when pv1 is found"),
        ("by: stands", "by: reversion", 0, "if each timer has its target"),
        ("by: stands", "by: device", 0, "the contract holds"),
        (", fallback: {p_ceiling_w: 3000, by: stands}", ", control: false, rating: {p_max_w: 9000}", 1, "broken"),
        ("by: stands}", "by: stands}, control: false, rating: {p_max_w: 9000}", 1, "broken"),
    ],
)
def test_check_foretells_what_happens_to_the_contract_without_derctl(
    outside: Outside,
    site_file: SiteFile,
    old: str,
    new: str,
    code: int,
    verdict: str,
) -> None:
    path = site_file((old, new))
    ended, out, _ = outside("check", "-c", str(path))
    assert ended == code
    assert verdict in " ".join(out.split())
    assert max(len(line) for line in out.splitlines()[1:]) <= 80  # the first one has the path
    ended, out, _ = outside("check", "-c", str(path), "--json")
    assert (ended, json.loads(out)["absent"]["contract"] == "broken") == (code, code == 1)


BY_PHASE = (("limit_w: 5000", "limit_w: 5000, phase_limit_w: 3680"), ("id: pv1", "id: pv1, phase: B"))


def test_check_says_what_a_limit_of_each_phase_means_and_needs_the_phase_of_each_der(
    outside: Outside, site_file: SiteFile
) -> None:
    code, out, _ = outside("check", "-c", str(site_file(*BY_PHASE)))
    said = " ".join(out.split())
    assert code == 0
    assert "no phase exports more than 3,680 W, beside the sum: in A nobody; in B pv1; in C nobody" in said
    assert "no load counts in any" in said and "AphA..C" in said
    assert "by phase 0 W in A, 3,000 W in B, 0 W in C, where it allows 3,680 W" in said
    found = json.loads(outside("check", "-c", str(site_file(*BY_PHASE)), "--json")[1])["absent"]
    assert (found["phase_limit_w"], found["phases_w"]) == (3680.0, [0.0, 3000.0, 0.0])
    code, _, err = outside("check", "-c", str(site_file(BY_PHASE[0])))
    assert code == 78
    assert "ders[0].phase: contract_export_limit limits each phase, and nobody says in which pv1 feeds" in err


def test_check_says_what_a_fuse_by_phase_means(outside: Outside, site_file: SiteFile) -> None:
    fuse = ("functions:", "functions:\n  - {kind: fuse_limit, fuse_a: 25, phase_count: 3, per_phase: true}")
    code, out, _ = outside("check", "-c", str(site_file(fuse, ("id: pv1", "id: pv1, phase: ABC"))))
    said = " ".join(out.split())
    assert code == 0
    assert "no phase carries more than 25 A out or in: in A pv1 (a third); in B pv1 (a third)" in said
    code, _, err = outside("check", "-c", str(site_file(fuse)))
    assert (code, "fuse_limit limits each phase" in err) == (78, True)
    wrong = (fuse[0], fuse[1].replace("true", "3"))
    code, _, err = outside("check", "-c", str(site_file(wrong)))
    assert (code, "3 is not one of true, false" in err) == (78, True)


def test_a_typo_is_named_with_file_line_path_and_what_is_known(outside: Outside, site_file: SiteFile) -> None:
    path = site_file(("p_ceiling_w: 3000", "p_ceilng_w: 3000"))
    for verb in ("check", "run", "release"):
        code, out, err = outside(verb, "-c", str(path))
        assert (code, out) == (78, "")
        assert err.startswith(
            f"{path}:6: ders[0].fallback.p_ceilng_w: unknown key (did you mean p_ceiling_w?); known are"
        )


def test_every_problem_is_one_line_of_its_own(outside: Outside, site_file: SiteFile) -> None:
    path = site_file(("unit: 1", "unit: 999"), ("sign: 1", "sign: 2"), ("limit_w: 5000", "limit: 5000"))
    code, _, err = outside("check", "-c", str(path))
    assert code == 78
    assert [line.split(": ")[1] for line in err.splitlines()][:2] == ["ders[0].unit", "poc.sign"]
    assert "999" in err
    code, out, err = outside("check", "-c", str(path), "--json")
    assert (code, err) == (78, "")
    problems = json.loads(out)["problems"]
    assert [(p["line"], p["path"]) for p in problems][:2] == [(6, "ders[0].unit"), (7, "poc.sign")]
    assert {"file", "line", "path", "message"} == {*problems[0]}


@pytest.mark.parametrize("text", ["", "hello", "a: [", "a: 2026-99-99", "&a [*a]"])
def test_a_file_that_is_no_site_ends_with_78(outside: Outside, tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    code, out, err = outside("check", "-c", str(path))
    assert (code, out) == (78, "")
    assert err.startswith(f"{path}:1: ")
    assert "Traceback" not in err


def test_a_file_that_is_not_there_is_named(outside: Outside, tmp_path: Path) -> None:
    code, _, err = outside("check", "-c", str(tmp_path / "nowhere.yaml"))
    assert code == 78
    assert "nowhere.yaml" in one_line(err)
    assert err.endswith("nowhere.yaml: there is no such file\n")


@pytest.mark.parametrize("name", ["house.yaml", "mixed.yaml"])
def test_the_examples_that_ship_check(outside: Outside, tmp_path: Path, name: str) -> None:
    text = (ROOT / "config" / name).read_text(encoding="utf-8").replace("/etc/derctl", str(tmp_path))
    (tmp_path / "mqtt.password").touch(0o600)
    path = tmp_path / name
    path.write_text(text)
    code, out, err = outside("check", "-c", str(path))
    assert (code, err) == (0, "")
    assert "observe mode" in out


def test_schema_prints_the_schema(outside: Outside) -> None:
    code, out, _ = outside("schema")
    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(schema.schema()))


def test_a_release_has_a_verb_of_its_own(outside: Outside) -> None:
    code, out, err = outside("command", "release", "lift=true", "--socket", "/nobody/is/asked")
    assert (code, out) == (2, "") and "release has a verb of its own: derctl release" in err


@pytest.mark.parametrize("words", [["status"], ["command", "ping"], ["status", "--json"]])
def test_without_a_daemon_the_socket_is_named_and_the_code_is_69(
    outside: Outside, site_file: SiteFile, tmp_path: Path, words: list[str]
) -> None:
    code, out, err = outside(*words, "-c", str(site_file()))
    assert (code, out) == (69, "")
    assert str(tmp_path / "derctl.sock") in one_line(err)
    assert "daemon" in err


def test_a_socket_that_nobody_serves_any_more_is_69_too(outside: Outside, tmp_path: Path) -> None:
    import socket

    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    code, _, err = outside("status", "--socket", str(path))
    assert code == 69
    assert "refused" in one_line(err)


@pytest.mark.parametrize("word", ["p_ceiling_w", "=3000", "3000"])
def test_an_argument_of_a_command_that_is_no_pair_ends_with_2(outside: Outside, word: str) -> None:
    code, _, err = outside("command", "limit_power", word)
    assert code == 2
    assert repr(word) in err


def test_release_with_nothing_written_is_done(outside: Outside, site_file: SiteFile, tmp_path: Path) -> None:
    path = site_file()
    journal(tmp_path, "{}")
    code, out, err = outside("release", "-c", str(path))
    assert (code, err) == (0, "")
    assert out == "nothing to release: derctl has written nothing that it has not given back\n"
    assert outside("release", "-c", str(path), "--json") == (0, "{}\n", "")


def test_where_no_record_is_there_nothing_is_said_to_be_written_only_by_what_the_devices_tell(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    path = site_file()
    unknown = f"{page([standing.NO_RECORD])}\npv1: no record of what derctl wrote; what stands is not known\n"
    not_run = unknown.replace(page([standing.NO_RECORD]), page([standing.NOT_RUN]))
    assert outside("release", "-c", str(path), "--within", "0.3") == (0, not_run, ""), "derctl never ran here"
    assert outside("release", "-c", str(path), "--within", "0.3") == (1, unknown, "")
    code, out, _ = outside("release", "-c", str(path), "--within", "0.3", "--lift", "--json")
    assert (code, json.loads(out)["pv1"]["result"]) == (1, "unreachable")
    assert not (tmp_path / "state" / "written.json").exists()


def journal(tmp_path: Any, content: Any) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "written.json").write_text(content)


def test_a_device_that_cannot_be_reached_is_not_released_and_stays_in_the_journal(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    journal(tmp_path, '{"pv1": {}}')
    code, out, _ = outside("release", "-c", str(site_file()), "--within", "0.5", "--json")
    assert (code, json.loads(out)["pv1"]["result"]) == (1, "unreachable")
    assert make.on_disk(tmp_path / "state" / "written.json") == {"pv1": {}}


def test_what_is_not_given_back_is_listed_and_nothing_is_done(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    path = site_file()
    silent = "can't be reached, so what stands is not known"
    code, out, _ = outside("release", "--list", "-c", str(path))
    assert (code, out) == (0, page([standing.NOT_RUN, f"pv1: no record of what derctl wrote; {silent}"]) + "\n")
    assert max(map(len, out.splitlines())) <= 80
    assert not (tmp_path / "state").exists()
    journal(tmp_path, '{"pv1": {"since": "noon"}}')
    code, out, _ = outside("release", "--list", "-c", str(path))
    assert (code, out) == (1, page([f"pv1: written since noon, not given back; {silent}"]) + "\n")
    code, out, _ = outside("release", "--list", "--json", "-c", str(path))
    nothing = {"p_ceiling_w": None, "p_target_w": None, "q_var": None, "seen": "not_known", "record": "written"}
    told = {"mode": None, "written": {"pv1": {"since": "noon"}}, "standing": {}, "stands": {"pv1": nothing}}
    assert (code, json.loads(out)) == (1, told)
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["written.json"]


async def test_where_control_never_began_nothing_was_ever_written(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path
) -> None:
    """The state is there, and says so: the limit that stands is somebody else's."""
    folder = Folder(tmp_path / "state", tmp_path)
    folder.path.mkdir()
    await save(folder, Surviving())
    path = site_file(port=rig.ports()["pv1"])
    hold(rig, watts=1200.0)
    lines = [standing.NEVER, "pv1: nothing to give back; a limit of 1,200 W stands"]
    for words in (("release", "--list"), ("release",)):
        code, out, _ = await here(*words, "-c", str(path))
        assert (code, out) == (0, page(lines) + "\n")
    assert rig.units["pv1"].log == []
    await save(folder, Surviving(wear={"pv1": {"counts": {"123.WMaxLimPct": 1}}}))
    code, out, _ = await here("release", "--list", "-c", str(path))
    assert (code, out.startswith(page([standing.NO_RECORD])[:60])) == (1, True)


async def test_a_daemon_in_control_is_listed_before_it_has_written_anything(
    here: Here, house: dict[str, Any], site_file: SiteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(path: Any, call: Any) -> Any:
        return house

    monkeypatch.setattr(release, "ask", answer)
    code, out, _ = await here("release", "--list", "-c", str(site_file()))
    assert (code, out.splitlines()[:2]) == (1, ["derctl is in control", standing.NOTHING])


def test_a_journal_that_names_a_der_the_file_lacks_is_said(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    journal(tmp_path, '{"pv7": {}}')
    code, out, _ = outside("release", "-c", str(site_file()), "--within", "0.5")
    assert code == 1
    assert out.startswith("pv7: not in the site file any more")


def test_a_journal_that_cannot_be_read_is_no_clean_release(
    outside: Outside, site_file: SiteFile, tmp_path: Path
) -> None:
    journal(tmp_path, '{"pv1": ')
    path = site_file()
    code, out, err = outside("release", "--list", "-c", str(path))
    assert (code, "pv1: written since an unknown time, not given back" in out) == (1, True)
    assert "written.json" in one_line(err)
    assert (tmp_path / "state" / "written.json").exists()
    code, out, err = outside("release", "-c", str(path), "--within", "0.3")
    assert (code, out.startswith("pv1: can't be reached")) == (1, True)
    assert "written.json" in one_line(err)
    assert (tmp_path / "state" / "written.json.unreadable").read_text() == '{"pv1": '
    assert list(make.on_disk(tmp_path / "state" / "written.json")) == ["pv1"], "it counts as written"


RUBBISH = ["", "\0" * 300, '{"pv1": 5}', '{"sha256":"0"}']


@pytest.mark.parametrize("content", RUBBISH)
@pytest.mark.parametrize("files", [["standing.json"], ["written.json", "standing.json"]], ids=["left", "both"])
async def test_no_record_that_is_broken_stops_a_release_or_says_that_nothing_was_written(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path, content: str, files: list[str]
) -> None:
    journal(tmp_path, "{}")
    path = site_file(port=rig.ports()["pv1"])
    hold(rig, watts=1200.0)
    for name in files:
        for each in (name, f"{name}.copy"):
            (tmp_path / "state" / each).write_text(content)
    code, out, err = await here("release", "--list", "-c", str(path))
    if "written.json" in files:
        assert (code, standing.NOTHING in out) == (1, False) and "every DER counts" in err
    code, out, err = await here("release", "-c", str(path))
    assert code == (0 if "written.json" in files else 1) and "Traceback" not in err
    assert out.startswith("pv1: released; a limit of 1,200 W stands") is ("written.json" in files)


async def test_a_record_that_is_broken_is_its_copy_and_nothing_else_counts(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path
) -> None:
    journal(tmp_path, "broken")
    (tmp_path / "state" / "written.json.copy").write_bytes(sealed(b"{}"))
    path = site_file(port=rig.ports()["pv1"])
    _, out, err = await here("release", "-c", str(path))
    assert out.startswith(standing.NOTHING) and err == ""
    assert make.on_disk(tmp_path / "state" / "written.json") == {}


@pytest.mark.parametrize("verb", ["run", "release"])
def test_a_second_instance_of_a_site_ends_with_75(
    outside: Outside, site_file: SiteFile, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / "derctl.lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        code, _, err = outside(verb, "-c", str(site_file()))
    assert code == 75
    assert str(tmp_path / "state") in err
    assert "Traceback" not in err


def hold(rig: Rig, *, watts: float) -> None:
    """pv1, of 5 kW, holds a limit."""
    face = rig.units["pv1"].face
    face.bank.image(123).put_all({"WMaxLimPct": watts / 50.0, "WMaxLim_Ena": 1})
    face.adopt_all()
    face.bank.publish()


@pytest.mark.parametrize("content", [None, "{}", '{"pv1": '], ids=["missing", "says nothing", "unreadable"])
async def test_a_limit_that_stands_is_seen_and_lifted_whatever_the_record_says(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        journal(tmp_path, content)
    path = site_file(port=rig.ports()["pv1"])
    hold(rig, watts=1200.0)
    code, out, _ = await here("release", "--list", "-c", str(path))
    assert (code, "pv1: " in out and "a limit of 1,200 W stands" in out) == (0 if content == "{}" else 1, True)
    assert (standing.NOTHING in out) is (content == "{}")
    code, out, _ = await here("release", "--lift", "-c", str(path))
    assert (code, out) == (0, "pv1: released; a limit of 3,000 W stands\n")
    assert rig.units["pv1"].face.bank.image(123).get("WMaxLimPct") == 60.0
    assert (await here("release", "--list", "-c", str(path)))[0] == 0
    assert make.on_disk(tmp_path / "state" / "written.json") == {}


async def test_without_lift_what_derctl_has_no_record_of_is_said_and_not_written(
    rig: Rig, here: Here, site_file: SiteFile
) -> None:
    path = site_file(port=rig.ports()["pv1"])
    hold(rig, watts=1200.0)
    code, out, _ = await here("release", "-c", str(path))
    said = [standing.NOT_RUN, "pv1: no record of what derctl wrote; a limit of 1,200 W stands"]
    assert out.startswith(page(said))
    assert (code, rig.units["pv1"].log) == (1, [])


async def test_release_moves_a_device_to_its_fallback_and_forgets_it(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path
) -> None:
    """After a kill: what the journal names, and nothing else, is written. What stood before keeps it from nothing."""
    journal(tmp_path, '{"pv1": {}}')
    (tmp_path / "state" / "standing.json").write_text('{"pv1": ')
    path = site_file(port=rig.ports()["pv1"])
    code, out, _ = await here("release", "-c", str(path))
    assert (code, out.splitlines()[0]) == (0, "pv1: released; a limit of 3,000 W stands")
    image = rig.units["pv1"].face.bank.image(123)
    assert (image.get("WMaxLim_Ena"), image.get("WMaxLimPct"), image.get("WMaxLimPct_RvrtTms")) == (1, 60.0, 0)
    assert all(record.accepted for record in rig.units["pv1"].log)
    assert make.on_disk(tmp_path / "state" / "written.json") == {}
    before = len(rig.units["pv1"].log)
    assert (await here("release", "-c", str(path)))[1] == "pv1: released before; a limit of 3,000 W stands\n"
    assert len(rig.units["pv1"].log) == before


async def test_a_limit_that_an_earlier_release_left_is_said_and_lifted_when_asked(
    rig: Rig, here: Here, site_file: SiteFile, tmp_path: Path
) -> None:
    journal(tmp_path, "{}")
    (tmp_path / "state" / "standing.json").write_text('{"pv1": {"stands_w": 1200.0}}')
    path = site_file(port=rig.ports()["pv1"])
    hold(rig, watts=1200.0)
    _, out, _ = await here("release", "-c", str(path))
    assert out.splitlines() == ["pv1: released before; a limit of 1,200 W stands", standing.LIFT]
    assert rig.units["pv1"].log == []
    _, out, _ = await here("release", "--lift", "-c", str(path))
    assert out == "pv1: released; a limit of 3,000 W stands\n"
    assert rig.units["pv1"].face.bank.image(123).get("WMaxLimPct") == 60.0
    assert (await here("release", "-c", str(path)))[1] == "pv1: released before; a limit of 3,000 W stands\n"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigError([Problem(file="f", line=3, path="a.b", message="no")]), 78, "f:3: a.b: no\n"),
        (BusClosed("lan: not connected"), 69, "lan: not connected\n"),
        (DecodeError("model 103 moved"), 69, "model 103 moved\n"),
        (LinkError("no daemon"), 69, "no daemon\n"),
        (CommandError("out_of_range", "too much"), 1, "out_of_range: too much\n"),
        (DecodeError("a device says \x1b[2J"), 69, "a device says ?[2J\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_each_error_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Any, code: int, says: str
) -> None:
    def fail(args: Any) -> None:
        raise error

    monkeypatch.setattr(schema, "run", fail)
    assert main(["schema"]) == code
    assert capsys.readouterr().err == says


def test_a_bug_is_70_and_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(args: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(schema, "run", fail)
    assert main(["schema"]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in err
    assert "bug in derctl" in err.splitlines()[-1]


def test_the_readmes_commands_are_verbs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    words = {line.split()[1] for line in readme.splitlines() if line.startswith("    derctl ")}
    assert words
    assert words <= {*VERBS}
    assert yaml.safe_load((ROOT / "config" / "house.yaml").read_text(encoding="utf-8"))["site"]["mode"] == "observe"
