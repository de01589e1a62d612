"""Site files that are too much, and values that would reach where they must not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from derctl.errors import ConfigError, Problem
from derctl.site import Site, load
from derctl.site.lines import VALUES_MAX, parse
from derctl.site.site import FILE_MAX

Small = Callable[..., str]
Problems = Callable[[str], tuple[Problem, ...]]


@pytest.mark.parametrize("item", ["- a\n", "- [[[[]]]]\n", "x: 1\n", "# nothing\n", "\n"])
def test_a_file_of_5_mb_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(item * (5_000_000 // len(item)))

    def unwanted(*args: Any) -> Any:
        raise AssertionError("it is read")

    monkeypatch.setattr("derctl.site.site.parse", unwanted)
    with pytest.raises(ConfigError, match=f"more than {FILE_MAX} bytes"):
        load(path)


@pytest.mark.parametrize("text", ["[" + "a," * 2 * VALUES_MAX + "]", "- a\n" * 2 * VALUES_MAX])
def test_a_list_of_many_values_is_given_up_while_it_is_read(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    composed = []
    make = yaml.nodes.ScalarNode.__init__

    def count(node: yaml.nodes.ScalarNode, *args: Any, **more: Any) -> None:
        composed.append(node)
        make(node, *args, **more)

    monkeypatch.setattr("yaml.nodes.ScalarNode.__init__", count)
    with pytest.raises(ConfigError, match=f"{VALUES_MAX} values"):
        parse(text, "site.yaml")
    assert len(composed) <= VALUES_MAX


@pytest.mark.parametrize("section", ["ders", "buses", "functions"])
def test_a_list_with_more_items_than_any_site_has_is_named(problems_of: Problems, section: str) -> None:
    rest = "".join(f"{name}: []\n" for name in ("ders", "buses", "functions") if name != section)
    site = "version: 1\nsite: {id: house, v_nom_v: 230, f_nom_hz: 50}\n"
    found = problems_of(f"{site}{rest}{section}: [{'{}, ' * 300}]\n")
    assert [problem for problem in found if problem.path == section and "300 items" in problem.message]
    assert len(found) < 10


LF, ZERO, HALF = "\\n", "\\0", "\\ud800"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("id: house", f'id: "house{LF}"', "site.id"),
        ("id: house", f'id: house, fleet: "all{LF}"', "site.fleet"),
        ("id: pv1", f'id: "pv1{LF}"', "ders[0].id"),
        *(
            ("buses:", f'mqtt: {{host: b, prefix: "{prefix}"}}\nbuses:', "mqtt.prefix")
            for prefix in (f"a{LF}", f"a{LF}b", f"a{ZERO}b", "a\\x7f", "a\\u0085", HALF, "$SYS", "a$b", "x" * 129, "")
        ),
    ],
)
def test_what_becomes_a_topic_has_no_end_of_line_no_control_and_no_dollar(
    small: Small, problems_of: Problems, old: str, new: str, path: str
) -> None:
    assert path in {problem.path for problem in problems_of(small((old, new)))}


@pytest.mark.parametrize(
    "name", ["", "a/b", "#", "+", "a+", "$a", "-a", "a b", f"a{LF}", f"a{ZERO}", HALF, "ännchen", "x" * 65]
)
def test_a_principal_is_one_level_of_a_topic_that_everybody_can_type(
    small: Small, problems_of: Problems, name: str
) -> None:
    mqtt = f'mqtt: {{host: b, principals: [{{name: "{name}"}}]}}\nbuses:'
    assert "mqtt.principals[0].name" in {problem.path for problem in problems_of(small(("buses:", mqtt)))}


@pytest.mark.parametrize("name", ["ops", "Anna.B-1", "anna@example.net", "7", "x" * 64])
def test_the_name_of_a_user_of_the_broker_is_taken(small: Small, site_of: Callable[[str], Site], name: str) -> None:
    site = site_of(small(("buses:", f'mqtt: {{host: b, principals: [{{name: "{name}"}}]}}\nbuses:')))
    assert site.file.mqtt is not None
    assert [(each.name, each.may_arm) for each in site.file.mqtt.principals] == [(name, False)]


@pytest.mark.parametrize("prefix", ["derctl", "a/b", "häuser", "x" * 128])
def test_a_usual_prefix_is_taken(small: Small, site_of: Callable[[str], Site], prefix: str) -> None:
    assert site_of(small(("buses:", f"mqtt: {{host: b, prefix: {prefix}}}\nbuses:"))).file.mqtt is not None


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("state_dir", "/etc/derctl", "below /etc"),
        ("state_dir", "/var/lib/../../etc", "below /etc"),
        ("state_dir", "//proc/self", "below /proc"),
        ("state_dir", "/", "shared"),
        ("state_dir", "/tmp/", "shared"),
        ("state_dir", '"/var/lib/derctl\\n"', "control character"),
        ("socket", "/dev/derctl.sock", "below /dev"),
        ("socket", "/usr/derctl.sock", "below /usr"),
        ("socket", "/run", "is a folder"),
        ("socket", "/var/lib/derctl", "is a folder"),
        ("socket", "/run/" + "x" * 103, "108 bytes"),
    ],
)
def test_derctl_s_own_files_lie_where_a_daemon_may_write(
    small: Small, problems_of: Problems, key: str, value: str, says: str
) -> None:
    [problem] = problems_of(small(("f_nom_hz: 50", f"f_nom_hz: 50, {key}: {value}")))
    assert problem.path == f"site.{key}"
    assert says in problem.message


@pytest.mark.parametrize(
    ("key", "value"),
    [("state_dir", "/dev/shm/derctl"), ("socket", "/tmp/derctl.sock"), ("state_dir", "/home/me/derctl")],
)
def test_a_folder_of_its_own_is_as_good_as_the_usual_one(
    small: Small, site_of: Callable[[str], Site], key: str, value: str
) -> None:
    assert site_of(small(("f_nom_hz: 50", f"f_nom_hz: 50, {key}: {value}"))).questions == ()


PASSWORD = "mqtt: {{host: {host}, principals: [], username: u, password_file: {path}{tls}}}\nbuses:"


@pytest.mark.parametrize(
    ("host", "asked"),
    [("broker.example", True), ("192.168.1.5", True), ("localhost", False), ("127.0.0.1", False), ("'::1'", False)],
)
def test_a_password_that_others_can_read_on_its_way_is_asked_about(
    small: Small, site_of: Callable[[str], Site], tmp_path: Path, host: str, asked: bool
) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    found = site_of(small(("buses:", PASSWORD.format(host=host, path=path, tls="")))).questions
    assert [question.path for question in found] == (["mqtt.password_file"] if asked else [])
    tls = f", port: 8883, tls: {{ca_file: {path}}}"
    found = site_of(small(("buses:", PASSWORD.format(host=host, path=path, tls=tls)))).questions
    assert [(question.path, "this is no PEM file" in question.message) for question in found] == [
        ("mqtt.tls.ca_file", True)
    ]


@pytest.mark.parametrize("kind", ["device", "fifo"])
@pytest.mark.parametrize("key", ["password_file", "ca_file", "cert_file", "key_file"])
def test_a_secret_is_a_file_and_nothing_that_never_ends_or_never_begins(
    small: Small, problems_of: Problems, tmp_path: Path, kind: str, key: str
) -> None:
    made = tmp_path / "good"
    made.write_text("x\n")
    made.chmod(0o600)
    odd = Path("/dev/zero") if kind == "device" else tmp_path / "fifo"
    if kind == "fifo":
        os.mkfifo(odd, 0o600)
    files = {name: odd if name == key else made for name in ("ca_file", "cert_file", "key_file")}
    tls = ", ".join(f"{name}: {path}" for name, path in files.items())
    secret = odd if key == "password_file" else made
    mqtt = f"mqtt: {{host: b, username: u, password_file: {secret}, port: 8883, tls: {{{tls}}}}}\nbuses:"
    [problem] = problems_of(small(("buses:", mqtt)))
    assert problem.path.endswith(key)
    assert "a device, a fifo or a socket, no file" in problem.message


def test_a_password_of_megabytes_is_none(small: Small, problems_of: Problems, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("x" * 5_000_000)
    path.chmod(0o600)
    [problem] = problems_of(small(("buses:", PASSWORD.format(host="localhost", path=path, tls=""))))
    assert "more than 1024 bytes" in problem.message
