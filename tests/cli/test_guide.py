"""Help, man pages and completion: made from the parsers, so that each verb and option is in them."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import VERBS, guide, main, parser_of
from derctl.cli.exits import BUG, MEANINGS
from tests.cli.calls import Here
from tools.man import pages

READING = ("check", "doctor", "profiles", "read", "release", "scan", "status", "why")


@pytest.fixture(scope="module")
def manual() -> dict[str, str]:
    return pages()


def options(verb: str) -> set[str]:
    return {word for action in parser_of(verb)._actions for word in action.option_strings}


@pytest.mark.parametrize("verb", READING)
def test_each_verb_that_reads_speaks_json(verb: str) -> None:
    assert "--json" in options(verb)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_has_its_exit_codes_in_80_columns(verb: str) -> None:
    told = guide.below(verb)
    assert set(map(int, re.findall(r"^ +(\d+)  ", told, re.MULTILINE))) == {*guide.codes_of(verb)} <= {*MEANINGS}
    assert all(len(line) <= 80 for line in told.splitlines())


def test_every_example_is_a_command_line_that_its_parser_takes() -> None:
    for verb, examples in guide.EXAMPLES.items():
        for command, _ in examples:
            program, name, *words = command.partition(" >")[0].split()
            assert (program, name) == ("derctl", verb)
            assert parser_of(verb).parse_intermixed_args(words)


def test_what_newcomers_are_told_to_begin_with_are_verbs() -> None:
    told = set(re.findall(r"derctl ([a-z]+)", guide.BEGIN))
    assert told and told <= {*VERBS}


def test_the_help_shows_every_verb_once_under_what_it_is_for() -> None:
    names = [name for group in guide.grouped([*VERBS, "another"]).values() for name in group]
    assert sorted(names) == sorted([*VERBS, "another"])


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_man_page_with_all_its_options(manual: dict[str, str], verb: str) -> None:
    page = manual[f"derctl-{verb}.1"]
    plain = page.replace("\\-", "-")
    assert [line for line in page.splitlines() if line.startswith(".SH")][:4] == [
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH DESCRIPTION",
        ".SH OPTIONS",
    ]
    assert all(word in plain for word in options(verb))
    assert "%(" not in page
    assert f"derctl-{verb} (1)" in manual["derctl.1"].replace("\\-", "-")


def test_no_text_of_a_man_page_is_taken_for_an_order(manual: dict[str, str]) -> None:
    orders = {".TH", ".SH", ".TP", ".B", ".BR", ".I", ".nf", ".fi"}
    for page in manual.values():
        assert {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))} <= orders


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    listed = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _derctl; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    program = shutil.which("bash")
    assert program
    done = subprocess.run([program, "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def script(capsys: pytest.CaptureFixture[str], shell: str) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def test_bash_completes_verbs_options_choices_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = script(capsys, "bash")
    assert completed(made, "derctl", "do") == ["doctor"]
    assert completed(made, "derctl", "check", "--l") == ["--live"]
    assert completed(made, "derctl", "completion", "") == ["bash", "zsh"]
    assert completed(made, "derctl", "completion", "-") == ["-h", "--help"]
    assert completed(made, "derctl", "check", "--for", "") == []
    (tmp_path / "site.yaml").touch()
    assert completed(made, "derctl", "check", "-c", f"{tmp_path}/si") == [f"{tmp_path}/site.yaml"]


def test_zsh_is_given_each_verb_and_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    made = script(capsys, "zsh")
    assert made.startswith("#compdef derctl\n")
    for verb in VERBS:
        assert f"        '{verb}:" in made
        case = made.partition(f"\n        {verb})\n")[2].partition(";;")[0]
        assert all(word in case for word in options(verb))
    assert made.count("'") % 2 == 0 or "'\\''" in made


async def test_why_as_json_has_the_paragraph_and_its_parts(
    here: Here, answers: Any, house: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("derctl.cli.why.call", lambda args, name: house)
    code, out, _ = await here("why", "pv1", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["text"].startswith("pv1 gives 2,000 W")
    assert said["setpoint"]["p_ceiling_w"] == 2000.0


async def test_profiles_as_json_say_who_says_each_value(here: Here) -> None:
    code, out, _ = await here("profiles", "show", "kaco", "--json")
    found = json.loads(out)
    assert (code, found["values"]["max_clients"]) == (0, {"value": 1, "by": "report"})
    code, out, _ = await here("profiles", "--json")
    assert {"kaco", "fronius"} <= {each["name"] for each in json.loads(out)}


WORDS = {"profiles": ["show", "x"], "scan": ["127.0.0.1:1"], "read": ["127.0.0.1:1"], "why": ["pv1"], "limit": ["1"]}
WORDS |= {"replace": ["pv1"], "command": ["ping"], "completion": ["fish"], "schema": [], "demo": ["--for", "x"]}


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_is_none_is_an_error_of_one_who_types_and_no_bug(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    if verb == "schema":
        assert main([verb]) == 0
        return
    for place in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        own = ["-c", str(place)] if "-c" in options(verb) else []
        try:
            code = main([verb, *WORDS.get(verb, []), *own])
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert code not in {0, BUG}
        assert "Traceback" not in err and (err or out)


def test_a_parser_made_twice_is_the_same() -> None:
    assert isinstance(parser_of("check"), argparse.ArgumentParser)
    assert parser_of("check").format_help() == parser_of("check").format_help()
