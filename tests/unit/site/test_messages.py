"""What a person is told: place, value, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from derctl.errors import ConfigError, Problem
from derctl.site import Site, load
from derctl.site.hosts import host_problem
from derctl.site.lines import parse
from derctl.site.scalars import Unclear, scalar
from derctl.site.secrets import said
from derctl.site.site import build

NOT_YAML = [  # text, line, what is said
    ("version: 1\n\tsite: 1\n", 2, "a tab: indent with spaces"),
    ("site:\n  id: x\n\tv: 1\n", 3, "a tab: indent with spaces"),
    ("site: {id: x,\n\tv: 1}\n", 2, "a tab: indent with spaces"),
    ("site:\n  id: x\n v: 230\n", 3, "line 3 is indented by 1, its neighbours by 2"),
    ("site:\n  id: x\n   v: 230\n", 3, "line 3 is indented by 3, its neighbours by 2"),
    ("version: 1\n site: 2\n", 2, "line 2 is indented by 1, its neighbours by 0"),
    ("ders:\n  - {a: 1}\n - {b: 1}\n", 3, "line 3 is indented by 1, its neighbours by 2"),
    ("ders:\n  - {a: 1}\n   - {b: 1}\n", 3, "line 3 is indented by 3, its neighbours by 2"),
    ("ders:\n  - id: a\n   bus: b\n", 3, "line 3 is indented by 3, its neighbours by 4"),
    ("ders:\n  - id: a\n     bus: b\n", 3, "line 3 is indented by 5, its neighbours by 4"),
    ("ders:\n  - id: a\n# note\n\n   bus: b\n", 5, "line 5 is indented by 3, its neighbours by 4"),
    ('a: 1\nb: "abc\nc: 1\n', 2, "this quote is never closed"),
    ('a: 1\nb: "abc\nc: "x"\nd: 1\n', 2, "this quote is never closed"),  # the next quote closes it by chance
    ("a: 'abc\nb: 1\nc: 'x'\n", 1, "this quote is never closed"),
    ('a: "x" y\n', 1, "something stands behind a closing quote: quote the whole value"),
    ('a: "C:\\d"\n', 1, "a backslash in double quotes: write it twice, or use single quotes"),
    ("version 1\nsite: 1\n", 1, "write key: value, with a colon"),
    ("version:1\nsite: 1\n", 1, "a space is missing after the colon: version: 1"),
    ("site:\n  id:x\n  v: 1\n", 2, "a space is missing after the colon: id: x"),
    ("a: b: c\n", 1, "a second ': ' in one line: a text with ': ' in it is written in quotes"),
    ("a: - b\n", 1, "a list begins in a line of its own: each item as '- ' below its key"),
    ("a: {b: 1\nc: 2\n", 1, "this { is never closed"),
    ("l:\n  - {b: 1, t: {h: a}\n  - {c: 1}\n", 2, "this { is never closed"),
    ("a: [1, 2\nb: 1\n", 1, "this [ is never closed"),
    ("a: {b: 1 c: 2}\n", 1, "a comma is missing between two entries of {"),
    ("a: {b: 1]}\n", 1, "] closes {"),
    ("a: {b: 1}}\n", 1, "this } closes nothing"),
    ("a: *x\n", 1, "a value that begins with * is written in quotes"),
    ("a: %x\n", 1, "a value that begins with % is written in quotes"),
    ("a: @x\n", 1, "a value that begins with @ is written in quotes"),
    ("a: & x\n", 1, "a value that begins with & is written in quotes"),
    ("a: !x!y z\n", 1, "a value that begins with ! is written in quotes"),
    ("a: 1\n---\nb: 1\n", 2, "a second document begins here (--- or ...): one file is one site"),
    ("b: 1\n- a\n", 2, "keys and items of a list ('-') are mixed here"),
    ("a:\n  b: 1\n\u00a0 c: 2\n  d: 3\n", 3, "a blank that is no space (U+00A0): indent with spaces"),
    ("a: 1\nb: \x07\n", 2, "character 0x07 is no text: take it out"),
]


@pytest.mark.parametrize(("text", "line", "says"), NOT_YAML)
def test_text_that_is_no_yaml_is_one_line_with_the_change(text: Any, line: Any, says: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "site.yaml")
    assert str(caught.value) == f"site.yaml:{line}: {says}"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_is_counted_whatever_ends_it(ends: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ends.join(["site:", "  id: x", " v: 1", ""]), "site.yaml")
    assert caught.value.problems[0].line == 3


SCALARS = [  # a word, its value; None of YAML 1.1 and 1.2 reads it otherwise
    ("7000", 7000),
    ("-5", -5),
    ("+1", 1),
    ("0", 0),
    ("0x1F", 31),
    ("1e+06", 1e6),  # a text in 1.1
    ("1e6", 1e6),
    ("1.5E3", 1500.0),
    ("7.000", 7.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("-.inf", float("-inf")),
    ("true", True),
    ("FALSE", False),
    ("~", None),
    ("", None),
    ("null", None),
    ("off", "off"),
    ("No", "No"),
    ("7 kW", "7 kW"),
    ("192.168.1.20", "192.168.1.20"),
    ("1.2.3", "1.2.3"),
    ("-", "-"),
    ("=", "="),
]
UNCLEAR = ["010", "08", "-012", "7_000", "0b11", "0o17", "1:30", "12:30:45", "2026-11-21", "2026-1-1 10:00", "9" * 41]


@pytest.mark.parametrize(("word", "value"), SCALARS)
def test_a_word_has_the_value_of_yaml_1_2(word: Any, value: Any) -> None:
    found = scalar(word)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("word", UNCLEAR)
def test_a_word_that_yaml_1_1_and_1_2_read_differently_is_neither(word: Any) -> None:
    assert isinstance(scalar(word), Unclear)


@given(st.from_regex(r"[-+0-9._eExXob:]{1,12}", fullmatch=True))
def test_what_is_a_number_here_is_the_same_number_for_pyyaml_or_a_text(word: Any) -> None:
    """PyYAML is of 1.1; where it sees a number too, it is the same one."""
    ours, theirs = scalar(word), yaml.safe_load(f"[{word}]")[0] if re.fullmatch(r"[-+0-9.eE]+", word) else None
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        assert ours == theirs


VALUES = [  # what replaces what in the small site, path, the whole message
    ("limit_w: 5000", "limit_w: 7 kW", "functions[0].limit_w", "'7 kW': write a number of watts, e.g. 7000"),
    ("limit_w: 5000", "limit_w: 7.5kw", "functions[0].limit_w", "'7.5kw': write a number of watts, e.g. 7500"),
    ("limit_w: 5000", "limit_w: 5000W", "functions[0].limit_w", "'5000W': write a number of watts, e.g. 5000"),
    ("limit_w: 5000", "limit_w: 7000,5", "functions[0].limit_w", "7000,5: write a decimal point, 7000.5"),
    (
        "limit_w: 5000",
        "limit_w: 7,000",
        "functions[0].limit_w",
        "7,000: write 7000; a comma stands in no number, a decimal point would be 7.000",
    ),
    ("limit_w: 5000", "limit_w: '7000,5'", "functions[0].limit_w", "'7000,5': write a decimal point, 7000.5"),
    ("limit_w: 5000", "limit_w: '7.000,5'", "functions[0].limit_w", "'7.000,5': write a decimal point, 7000.5"),
    ("limit_w: 5000", "limit_w: 7_000", "functions[0].limit_w", "'7_000': write 7000"),
    ("limit_w: 5000", "limit_w: 7 000", "functions[0].limit_w", "'7 000': write 7000"),
    ("limit_w: 5000", "limit_w: '7000'", "functions[0].limit_w", "'7000': write 7000 without quotes"),
    ("limit_w: 5000", "limit_w: viel", "functions[0].limit_w", "'viel': write a number of watts, e.g. 7000"),
    ("limit_w: 5000", "limit_w: ", "functions[0].limit_w", "has no value: write a number of watts, e.g. 7000"),
    ("limit_w: 5000", "limit_w: yes", "functions[0].limit_w", "'yes': write a number of watts, e.g. 7000"),
    ("limit_w: 5000", "limit_w: true", "functions[0].limit_w",
     "true is no number: write a number of watts, e.g. 7000"),
    ("limit_w: 5000", "limit_w: 7.000", "functions[0].limit_w", "7.000 is 7 here: write 7000, without a point, or 7"),
    ("v_nom_v: 230", "v_nom_v: 230V", "site.v_nom_v", "'230V': write a number of volts, e.g. 230"),
    ("v_nom_v: 230", "v_nom_v: ~", "site.v_nom_v", "has no value: write a number of volts, e.g. 230"),
    ("v_nom_v: 230", "v_nom_v: 2300", "site.v_nom_v", "2300 is outside 50 to 1000"),
    ("v_nom_v: 230", "v_nom_v: 230, tick_s: 0,5", "site.tick_s", "0,5: write a decimal point, 0.5"),
    ("unit: 1,", "unit: 010,", "ders[0].unit", "'010': write 10, without a zero before it"),
    ("unit: 1,", "unit: 1.5,", "ders[0].unit", "1.5: write a whole number from 0 to 255"),
    ("unit: 1,", "unit: '1',", "ders[0].unit", "'1': write 1 without quotes"),
    ("unit: 1,", "unit: ,", "ders[0].unit", "has no value: write a whole number from 0 to 255"),
    ("unit: 1,", "unit: 300,", "ders[0].unit", "300 is outside 0 to 255"),
    ("limit_w: 5000", "limit_w: 1e9", "functions[0].limit_w",
     "1000000000 is outside 0 to 100000000 (the connection agreement: most export, W)"),
    ("id: house", "id: Haus 12", "site.id", "'Haus 12': lower-case letters, digits, _ and -, e.g. haus_12"),
    ("id: house", "id: 12", "site.id", "'12' is no text for YAML: write it in quotes, '12'"),
    ("sunspec_pv}", "sunspec_pv, control: no}", "ders[0].control", "write true or false (got 'no')"),
    ("sunspec_pv}", "sunspec_pv, control: 1}", "ders[0].control", "write true or false (got 1)"),
    ("sunspec_pv}", "sunspec_pv, serial: 0123}", "ders[0].serial",
     "'0123' is no text for YAML: write it in quotes, '0123'"),
    ("sunspec_pv}", "sunspec_pv, serial: 1e5}", "ders[0].serial",
     "'1e5' is no text for YAML: write it in quotes, '1e5'"),
    ("f_nom_hz: 50", "f_nom_hz: 50 Hz", "site.f_nom_hz", "expected 50 or 60 (got '50 Hz')"),
    (
        "f_nom_hz: 50",
        "f_nom_hz: 50, mode: controll",
        "site.mode",
        "expected 'observe' or 'control' (did you mean control?) (got 'controll')",
    ),
    ("tcp: {host: pv.example}", "tcp: 10.0.0.1:1502", "buses[0].tcp",
     "write {host: 10.0.0.1, port: 1502} (got '10.0.0.1:1502')"),
    ("{host: pv.example}", "{host: pv.example, prot: 1}", "buses[0].tcp.prot",
     "unknown key (did you mean port?); known are host, port"),
    ("{host: pv.example}", "{host:pv.example, host: a}", "buses[0].tcp.host:pv.example",
     "a space is missing after the colon: host: pv.example"),
    ("limit_w: 5000", "limit_w: 5.000.000", "functions[0].limit_w", "'5.000.000': write 5000000"),
    ("limit_w: 5000", "limit_w: 60%", "functions[0].limit_w", "'60%': write a number of watts, e.g. 7000"),
    ("limit_w: 5000}", "limit_w: 5000}\n  - volt_var", "functions[1]", "expected a mapping: write {kind: volt_var}"),
    ("f_nom_hz: 50", "f_nom_hz: 50, tick_s: 1 min", "site.tick_s", "'1 min': write a number of seconds, e.g. 60"),
    ("f_nom_hz: 50", "f_nom_hz: 50, mode: true", "site.mode", "expected 'observe' or 'control' (got true)"),
    ("host: pv.example", "host: “pv.example”", "buses[0].tcp.host", "“ is no quote for YAML: write \" or '"),
    ("host: pv.example", "host: 10.0.0.1,502", "buses[0].tcp.502",
     "the comma before 502 ends the value before it; known are host, port"),
    ("buses:", "mqtt: broker:8883\nbuses:", "mqtt", "write {host: broker, port: 8883} (got 'broker:8883')"),
    ("buses:", "mqtt: {host: b, principals: [ops]}\nbuses:", "mqtt.principals[0]", "write {name: ops} (got 'ops')"),
    ("buses:", "mqtt: {host: b, principals: {name: ops}}\nbuses:", "mqtt.principals",
     "expected a list, this is a mapping: write '- ' before each item"),
    ("buses:", "mqtt: {host: b, principals: [{name: ops, may_arm: yes}]}\nbuses:", "mqtt.principals[0].may_arm",
     "write true or false (got 'yes')"),
    ("buses:", "mqtt: {host: b, principals: [{name: 'an na'}]}\nbuses:", "mqtt.principals[0].name",
     "'an na': 1 to 64 letters without accents, digits, . _ @ and -, the first a letter or digit"),
    ("kind: sunspec_pv}", "kind: sunspec_pv, fallback: stands}", "ders[0].fallback",
     "expected a mapping of p_ceiling_w, by, after_s (got 'stands')"),
    ("kind: sunspec_storage}", "kind: sunspec_batery}", "ders[1].kind",
     "'sunspec_batery' is no DER (did you mean sunspec_storage?); known are sunspec_pv, sunspec_storage, "
     "sunspec_hybrid, map_pv, map_storage, map_hybrid"),
    ("site: {", "<<: {x: 1}\nsite: {", "<<", "merge keys are not read: write the keys out"),
    ("bus: lan, unit: 1,", "bus: lam, unit: 1,", "ders[0].bus", "no bus 'lam' in buses (did you mean lan?)"),
    ("id: house,", "id: house, id: home,", "site.id", "stands twice, first in line 2"),
    ("poc: {bus: lan, unit: 3, sign: 1}", "poc: [{bus: lan, unit: 3, sign: 1}]", "poc",
     "expected a mapping of bus, unit, kind, section, profile, serial, model, sign, witness, followers; "
     "this is a list: take the '-' away"),
    ("  - {id: lan, tcp: {host: pv.example}}", "  {id: lan, tcp: {host: pv.example}}", "buses",
     "expected a list, this is a mapping: write '- ' before each item"),
    ("sunspec_pv}", "sunspec_pv, state_dir: /x}", "ders[0].state_dir",
     "unknown key here: it belongs into site; known are id, bus, unit, kind, section, profile, serial, model, "
     "firmware, rating, control, fallback, bms, own_functions, may_write, phase"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "says"), VALUES)
def test_a_value_that_is_none_says_what_to_write(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    old: Any,
    new: Any,
    path: Any,
    says: Any,
) -> None:
    text = small((old, new))
    [problem] = problems_of(text)
    assert (problem.path, problem.message) == (path, says)
    assert path.endswith("]") or path.rpartition(".")[2] in text.splitlines()[problem.line - 1]


def test_a_number_as_other_programs_write_it_is_accepted(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    assert site_of(small(("limit_w: 5000", "limit_w: 1e+06"))).limit_w == 1_000_000


def test_anchors_are_accepted(small: Callable[..., str], site_of: Callable[[str], Site]) -> None:
    text = small(
        ("unit: 1,", "unit: &u 7,"), ("unit: 3", "unit: 9"), ("limit_w: 5000", "limit_w: &l 6000, margin_w: *l")
    )
    assert site_of(text).file.ders[0].unit == 7


HOSTS = [
    ("pv.example", None),
    ("192.168.1.20", None),
    ("fe80::1", None),
    ("localhost", None),
    ("wr_1", None),
    ("tcp://10.0.0.1:502", "'tcp://10.0.0.1:502' is a URL: write host: 10.0.0.1 and port: 502"),
    ("http://pv.example/", "'http://pv.example/' is a URL: write host: pv.example"),
    ("mqtt://:x", "'mqtt://:x' is a URL: write a name or an address"),
    ("10.0.0.1:502", "the port stands by itself: write host: 10.0.0.1 and port: 502"),
    ("[fe80::1]:502", "the port stands by itself: write host: fe80::1 and port: 502"),
    ("[fe80::1]", "no brackets: write host: fe80::1"),
    ("pv:x", "'pv:x' is no host: write a name or an address"),
    ("192.168.001.020", "a zero before a number makes it octal: write 192.168.1.20"),
    ("192.168.1", "192.168.1 is no address: four numbers from 0 to 255, with a point between"),
    ("192.168.1.256", "192.168.1.256 is no address: four numbers from 0 to 255, with a point between"),
    ("0.0.0.0", "0.0.0.0 is no address to connect to"),
    ("", "has no value: write a name or an address"),
    (" pv", "take the blanks around it away"),
    ("a b", "' ' stands in no host: write a name or an address"),
    ("pv/1", "'/' stands in no host: write a name or an address"),
]


@pytest.mark.parametrize(("host", "says"), HOSTS)
def test_a_host_is_a_name_or_an_address(host: Any, says: Any) -> None:
    assert host_problem(host) == says


@given(st.text(max_size=30))
def test_no_host_whatever_raises(host: Any) -> None:
    host_problem(host)


REFUSED = [  # surely wrong: path, a part of what is said
    ("host: pv.example", "host: 'tcp://pv.example'", "buses[0].tcp.host", "URL"),
    ("f_nom_hz: 50", "f_nom_hz: 50, state_dir: state", "site.state_dir", "the whole path, from / on"),
    ("f_nom_hz: 50", "f_nom_hz: 50, socket: ./derctl.sock", "site.socket", "the whole path"),
    ("f_nom_hz: 50", "f_nom_hz: 50, state_dir: ~/state", "site.state_dir", "~ is read by shells only"),
    ("f_nom_hz: 50", "f_nom_hz: 50, clock_sync: ntp", "site.clock_sync", "auto, assume, or the whole path"),
    ("buses:", "mqtt: {host: b, username: u, password_file: pw}\nbuses:", "mqtt.password_file", "the whole path"),
    ("buses:", "mqtt: {host: b, port: 8883, tls: {ca_file: ca.pem}}\nbuses:", "mqtt.tls.ca_file", "the whole path"),
    ("buses:", "mqtt: {host: 'mqtt://b'}\nbuses:", "mqtt.host", "URL"),
    (
        "buses:",
        "mqtt: {host: b, principals: [{name: a}, {name: b}, {name: a, may_arm: true}]}\nbuses:",
        "mqtt.principals[2].name",
        "'a' is mqtt.principals[0] already",
    ),
    (
        "buses:",
        f"mqtt: {{host: b, principals: [{', '.join(f'{{name: p{n}}}' for n in range(33))}]}}\nbuses:",
        "mqtt.principals",
        "33 principals, more than 32",
    ),
    ("buses:", "mqtt: {host: b, principals: [{name: local}]}\nbuses:", "mqtt.principals[0].name", "over the socket"),
    (
        "kind: sunspec_pv}",
        "kind: sunspec_pv, fallback: {p_ceiling_w: 3.000}}",
        "ders[0].fallback.p_ceiling_w",
        "3000",
    ),
    ("kind: sunspec_pv}", "kind: sunspec_pv, rating: {s_max_va: 10.000}}", "ders[0].rating.s_max_va", "10000"),
]


@pytest.mark.parametrize(("old", "new", "path", "says"), REFUSED)
def test_what_is_surely_wrong_is_refused(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    old: Any,
    new: Any,
    path: Any,
    says: Any,
) -> None:
    [problem] = problems_of(small((old, new)))
    assert problem.path == path
    assert says in problem.message


def test_two_ders_of_a_kind_with_one_serial_are_one_device_written_twice(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]]
) -> None:
    text = small(("kind: sunspec_pv}", "kind: sunspec_pv, serial: 'A1'}"),
                 ("kind: sunspec_storage}", "kind: sunspec_pv, serial: 'A1'}"))  # fmt: skip
    [problem] = problems_of(text)
    assert (problem.path, problem.line) == ("ders[1].serial", 7)
    assert "ders[0]" in problem.message and "pv1" in problem.message


QUESTIONED = [  # may be meant
    ("limit_w: 5000", "limit_w: 7", "functions[0].limit_w", "write 7000"),
    ("kind: sunspec_pv}", "kind: sunspec_pv, rating: {p_max_w: 5.5}}", "ders[0].rating.p_max_w", "write 5500"),
    ("kind: sunspec_pv}", "kind: sunspec_pv, rating: {p_max_w: 5000000}}", "ders[0].rating.p_max_w", "megawatt"),
    ("v_nom_v: 230", "v_nom_v: 400", "site.v_nom_v", "to neutral, as it counts here, it is 231"),
    ("v_nom_v: 230", "v_nom_v: 480", "site.v_nom_v", "277"),
    ("v_nom_v: 230", "v_nom_v: 120", "site.f_nom_hz", "60 Hz"),
    ("f_nom_hz: 50", "f_nom_hz: 50, phases: 3", "site.phases", "take this line out"),
    ("buses:", "mqtt: {host: b, port: 8883, principals: []}\nbuses:", "mqtt.port", "TLS"),
    ("buses:", "mqtt: {host: b}\nbuses:", "mqtt", "nobody may command over MQTT"),
    ("buses:", "mqtt:\nbuses:", "mqtt", "leave it out, or indent"),
    ("ders:", "  - {id: old, tcp: {host: b}}\nders:", "buses[1]", "nothing is on bus 'old'"),
    ("buses:", "mqtt: {host: b, port: 8883, principals: [], tls: {ca_file: /nowhere/ca.pem}}\nbuses:",
     "mqtt.tls.ca_file", "/nowhere/ca.pem: there is no such file"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "says"), QUESTIONED)
def test_what_may_be_meant_otherwise_is_a_question_and_loads(
    small: Callable[..., str], site_of: Callable[[str], Site], old: Any, new: Any, path: Any, says: Any
) -> None:
    [question] = site_of(small((old, new))).questions
    assert question.path == path
    assert says in question.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit_w: 5000", "limit_w: 0"),  # no export at all is an agreement
        ("limit_w: 5000", "limit_w: 5000.125"),
        ("kind: sunspec_pv}", "kind: sunspec_pv, fallback: {p_ceiling_w: 0.0}}"),
        ("v_nom_v: 230, f_nom_hz: 50", "v_nom_v: 277, f_nom_hz: 60"),
        ("v_nom_v: 230, f_nom_hz: 50", "v_nom_v: 230, f_nom_hz: 60"),
    ],
)
def test_what_is_usual_is_not_questioned(
    small: Callable[..., str], site_of: Callable[[str], Site], old: str, new: str
) -> None:
    assert site_of(small((old, new))).questions == ()


def test_an_inverter_may_show_its_battery_under_its_own_serial(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    text = small(("kind: sunspec_pv}", "kind: sunspec_pv, serial: 'A1'}"),
                 ("kind: sunspec_storage}", "kind: sunspec_storage, serial: 'A1'}"))  # fmt: skip
    [question] = site_of(text).questions
    assert (question.path, question.line) == ("ders[1].serial", 7)


def test_an_inverter_may_show_its_meter_under_its_own_serial(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    text = small(("kind: sunspec_pv}", "kind: sunspec_pv, serial: 'A1'}"), ("sign: 1}", "sign: 1, serial: 'A1'}"))
    [question] = site_of(text).questions
    assert (question.path, question.line) == ("poc.serial", 8)


EVERYTHING = """\
version: 1
site: {id: Haus, v_nom_v: 230, f_nom_hz: 50, state_dir: state, mdoe: control}
mqtt: {host: "tcp://broker", password_file: /nowhere/pw}
buses:
  - {id: lan, tcp: {host: a, port: 0}}
  - {id: wr, tcp: b}
ders:
  - {id: pv1, bus: lna, unit: 1.5, kind: sunspec_pvv, profile: fronus}
  - {id: pv2, bus: wr, unit: 2, kind: sunspec_pv, fallback: {p_ceilng_w: 3000, by: stands}}
  - {bus: wr, unit: 3, kind: sunspec_pv, fallback: {p_ceiling_w: 5000 W, by: stands}}
  - pv4
poc: meter
functions:
  - {kind: contract_export_limit, limit_w: 7.000}
  - {kind: volt_vra}
  - {kind: soc_guard, min_pct: 10, ders: [pv1, pv2]}
  - {kind: self_consumption}
  - volt_watt
"""


def test_every_kind_of_problem_comes_in_one_go_and_none_that_another_one_causes(
    problems_of: Callable[[str], tuple[Problem, ...]],
) -> None:
    """Structure, words, references, functions, secrets, doubts; no noise of what can't be known any more."""
    assert {(problem.line, problem.path) for problem in problems_of(EVERYTHING)} == {
        (2, "site.id"),
        (2, "site.state_dir"),
        (2, "site.mdoe"),
        (3, "mqtt.host"),
        (3, "mqtt.password_file"),
        (5, "buses[0].tcp.port"),
        (6, "buses[1].tcp"),
        (8, "ders[0].bus"),
        (8, "ders[0].unit"),
        (8, "ders[0].kind"),
        (8, "ders[0].profile"),
        (9, "ders[1].fallback.p_ceilng_w"),
        (10, "ders[2]"),
        (10, "ders[2].fallback.p_ceiling_w"),
        (11, "ders[3]"),
        (12, "poc"),
        (14, "functions[0].limit_w"),
        (15, "functions[1].kind"),
        (16, "functions[2].ders"),
        (18, "functions[4]"),
    }


WORDS = st.sampled_from(EVERYTHING.replace("{", " ").replace("}", " ").split())


@given(cut=st.lists(WORDS, max_size=4), other=st.sampled_from(["", "~", "[]", "x", "7.000", "-1", "{a: b}"]))
def test_no_message_shows_what_stands_in_for_a_value(cut: Any, other: Any) -> None:
    text = EVERYTHING
    for word in cut:
        text = text.replace(word, other, 1)
    with pytest.raises(ConfigError) as caught:
        build(parse(text, "site.yaml"))
    assert "\0" not in str(caught.value) and " nan" not in str(caught.value)
    assert all(problem.line >= 1 for problem in caught.value.problems)


# -- files ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_says_so_and_no_more(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "nosuch.yaml")
    assert str(caught.value) == f"{tmp_path}/nosuch.yaml: there is no such file"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: this is a directory, no file"


def test_a_file_without_permission_says_who_may_read_it() -> None:
    assert said(PermissionError(13, "Permission denied")) == (
        "no permission to read it: use sudo, or join the group derctl"
    )


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o664, False), (0o666, True), (0o777, True)])
def test_a_site_file_that_everyone_can_write_is_refused(
    tmp_path: Path, small: Callable[..., str], mode: int, refused: bool
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(small())
    path.chmod(mode)
    if not refused:
        assert load(path).file.site.id
        return
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"everyone can write it (mode {mode:o})" in str(caught.value)


def test_another_encoding_is_named_with_its_line(tmp_path: Path, small: Callable[..., str]) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(small(("id: house", "id: h\xe4user")).encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: byte 0xe4 is no UTF-8: save the file as UTF-8"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_marks_of_other_editors_do_no_harm(
    tmp_path: Path, small: Callable[..., str], encoding: str, ends: str
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(small().replace("\n", ends).encode(encoding))
    assert load(path).limit_w == 5000


@pytest.mark.parametrize(
    ("content", "says"),
    [("a\nb\n", "has several lines"), (b"\xff", "no UTF-8 text"), (None, "there is no such file")],
)
def test_a_password_file_that_holds_no_password_is_refused(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    tmp_path: Path,
    content: bytes | str | None,
    says: str,
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
    [problem] = problems_of(small(("buses:", f"mqtt: {{host: b, username: u, password_file: {path}}}\nbuses:")))
    assert problem.path == "mqtt.password_file"
    assert says in problem.message and str(path) in problem.message
