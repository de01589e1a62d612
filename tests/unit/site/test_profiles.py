"""A profile file that can't be right is refused with its place, its key and its number."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import get_type_hints

import pytest

from derctl.core.words import SeenBy
from derctl.devices import Profile
from derctl.errors import ConfigError, Problem
from derctl.site.lines import parse
from derctl.site.profile_file import KEYS
from derctl.site.profiles import AT_LEAST, AT_MOST, BOLD, profile, profile_at, profiles

HEAD = "name: acme\ntitle: Acme One\nreads: model 103\ncontrols: model 123\nfailsafe: none\n"
SAID = "by: report, source: a thread"


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        profile(parse(text, "acme.yaml"))
    return list(caught.value.problems)


@pytest.mark.parametrize("folder", ["devices/profiles", "devices/maps", "site/grid_codes"])
def test_libyaml_reads_what_ships_with_derctl_as_our_own_loader_does(folder: str) -> None:
    """Ten times as fast, and each value, place and spelling is the same."""
    entries = [entry for entry in files("derctl").joinpath(folder).iterdir() if entry.name.endswith(".yaml")]
    assert entries
    for entry in entries:
        text = entry.read_text(encoding="utf-8")
        assert parse(text, entry.name, ours=True) == parse(text, entry.name)


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (f"limts: {{min_limit_pct: {{value: 3, {SAID}}}}}", "limts", "limits"),
        (f"limits: {{min_limt_pct: {{value: 3, {SAID}}}}}", "limits.min_limt_pct", "min_limit_pct"),
        (f"limits: {{min_limit_pct: {{value: 300, {SAID}}}}}", "limits.min_limit_pct.value", "300"),
        (f"read: {{max_regs: {{value: many, {SAID}}}}}", "read.max_regs.value", "many"),
        (f"read: {{max_regs: {{value: 1.5, {SAID}}}}}", "read.max_regs.value", "1.5"),
        (f"read: {{max_regs: {{value: 126, {SAID}}}}}", "read.max_regs.value", "126"),
        ("read: {max_regs: 60}", "read.max_regs", "value, by, source"),
        ("read: {max_regs: {value: 60, source: a thread}}", "read.max_regs", "by is missing"),
        ("read: {max_regs: {value: 60, by: report}}", "read.max_regs", "source is missing"),
        ("read: {max_regs: {value: 60, by: rumour, source: x}}", "read.max_regs.by", "rumour"),
        (f"write: {{writes: {{value: words, {SAID}}}}}", "write.writes.value", "words"),
        (f"write: {{readback: {{value: sometimes, {SAID}}}}}", "write.readback.value", "sometimes"),
        (f"deadman: {{timer_rearm: {{value: never, {SAID}}}}}", "deadman.timer_rearm.value", "never"),
        (f"chain: {{bases: {{value: 40000, {SAID}}}}}", "chain.bases.value", "40000"),
        (f"chain: {{bases: {{value: [x], {SAID}}}}}", "chain.bases.value[0]", "x"),
        (f"chain: {{bases: {{value: [70000], {SAID}}}}}", "chain.bases.value[0]", "70000"),
        (f"chain: {{bases: {{value: [], {SAID}}}}}", "chain.bases.value", "empty"),
        (f"decode: {{meter_sign: {{value: 0, {SAID}}}}}", "decode.meter_sign.value", "0"),
        (f"decode: {{absent: {{value: {{TotWhExp: [0]}}, {SAID}}}}}", "decode.absent.value", "203.TotWhExp"),
        ("match: Acme", "match", "list"),
        (f"match: [{{makr: Acme, {SAID}}}]", "match[0].makr", "maker"),
        (f"match: [{{{SAID}}}]", "match[0]", "maker"),
        ("match: [{maker: Acme, source: x}]", "match[0]", "by is missing"),
        (f"match: [{{maker: Acme, oldest: '1', {SAID}}}]", "match[0]", "newest"),
        (f"match: [{{maker: Acme, oldest: '2', newest: '1', {SAID}}}]", "match[0].newest", "older than 2"),
        (f"firmware: {{oldest: '2.1', newest: '2.0', {SAID}}}", "firmware.newest", "older than 2.1"),
        (f"firmware: {{oldest: beta, newest: '2.0', {SAID}}}", "firmware.oldest", ""),
        (f"registers: [{{name: x, address: 70000, {SAID}}}]", "registers[0].address", "70000"),
        ("name: acme", "name", "twice"),
    ],
)
def test_a_mistake_is_refused_with_its_place_and_what_stands_there(text: str, path: str, said: str) -> None:
    [found] = problems_of(f"{HEAD}{text}\n")
    assert (found.file, found.line) == ("acme.yaml", 6)
    assert found.path == path
    assert said in found.message


@pytest.mark.parametrize("text", ["- name\n", "acme"])
def test_a_file_that_is_no_mapping_is_no_profile(text: str) -> None:
    [found] = problems_of(text)
    assert found.path == "(file)"


def test_all_mistakes_come_at_once() -> None:
    found = problems_of("name: 3\ntitle: x\nreads: y\ncontrols: z\nfailsafe: none\nfoo: 1\nchain: 3\n")
    assert [problem.line for problem in found] == [1, 6, 7]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("limits: {settle_s: {value: 2, by: report, source: x}}", "limits.settle_s.value"),
        ("limits: {tolerance_pct: {value: 10, by: assumed, source: x}}", "limits.tolerance_pct.value"),
        ("read: {refresh_s: {value: 0.2, by: report, source: x}}", "read.refresh_s.value"),
        ("write: {deadband_pct: {value: 0.1, by: report, source: x}}", "write.deadband_pct.value"),
        ("flash: {writes_a_day: {value: 500, by: report, source: x}}", "flash.writes_a_day.value"),
        ("transport: {timeout_s: {value: 0.2, by: assumed, source: x}}", "transport.timeout_s.value"),
        ("transport: {backoff_s: {value: 2, by: report, source: x}}", "transport.backoff_s.value"),
        ("transport: {answer_floor_s: {value: 0.05, by: assumed, source: x}}", "transport.answer_floor_s.value"),
        ("read: {spans: {value: true, by: assumed, source: x}}", "read.spans.value"),
        ("chain: {repaired: {value: write, by: report, source: x}}", "chain.repaired.value"),
        ("flash: {cyclic: {value: ['own.*', '123.WMaxLim*'], by: assumed, source: x}}", "flash.cyclic.value"),
        ("flash: {cyclic: {value: ['123.*'], by: report, source: x}}", "flash.cyclic.value"),
        ("write: {gate: {value: [11790, 21333], by: report, source: x}}", "write.gate.value"),
        ("write: {until_told: {value: ['123.VArPct_*'], by: assumed, source: x}}", "write.until_told.value"),
    ],
)
def test_what_nobody_confirmed_makes_nothing_less_careful(given: str, path: str) -> None:
    [found] = problems_of(f"{HEAD}{given}\n")
    assert found.path == path
    assert "less careful than the usual" in found.message
    confirmed = given.replace("by: report", "by: capture").replace("by: assumed", "by: document")
    made = profile(parse(f"{HEAD}{confirmed}\n", "acme.yaml"))
    key = path.split(".")[1]
    assert getattr(made, key) != getattr(Profile(), key)


@pytest.mark.parametrize(
    "given",
    [
        "read: {spans: {value: false, by: assumed, source: x}}",
        "chain: {repaired: {value: read, by: report, source: x}}",
        "flash: {cyclic: {value: ['123.WMaxLim*'], by: assumed, source: x}}",
    ],
)
def test_what_nobody_confirmed_may_be_more_careful(given: str) -> None:
    assert profile(parse(f"{HEAD}{given}\n", "acme.yaml"))


def test_each_value_keeps_who_says_it() -> None:
    made = profile(parse(f"{HEAD}read: {{max_regs: {{value: 60, by: capture, source: a log}}}}\n", "acme.yaml"))
    assert (made.max_regs, made.facts["max_regs"].by, made.facts["max_regs"].source) == (60, SeenBy.CAPTURE, "a log")
    assert made.confirmed("max_regs")


def test_every_value_of_a_profile_has_its_place_in_a_file_and_no_place_is_without_a_value() -> None:
    values = {key for keys in KEYS.values() for key in keys}
    assert values | {"name", "seen", "match", "map", "facts", "about"} == {*get_type_hints(Profile)}
    assert {*AT_LEAST, *AT_MOST, *BOLD} <= values


def test_every_profile_that_ships_says_who_says_its_values() -> None:
    for each in profiles().values():
        usual = Profile()
        differs = {key for keys in KEYS.values() for key in keys if getattr(each, key) != getattr(usual, key)}
        assert differs <= each.facts.keys(), each.name
        assert each.about.reads
        assert each.about.controls
        assert each.about.failsafe
        assert each.match or each.map or each.name == "generic"


def test_a_file_of_ones_own_is_read_from_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    with pytest.raises(ConfigError, match=r"acme\.yaml"):
        profile_at(path)
    path.write_text(HEAD, encoding="utf-8")
    assert profile_at(path).name == "acme"
