"""A capture has its bound, and none of the secrets, wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.types import Tick
from derctl.core.words import Refusal
from derctl.daemon.capture import BYTES_MAX, LEFT_OUT, captured, without_secrets
from derctl.daemon.clock import Clock
from derctl.daemon.views import Looking, Pages
from derctl.errors import CommandError
from derctl.site.lines import parse
from derctl.site.site import build
from derctl.store.folder import Folder
from derctl.store.ticks import Recorder
from tests import make

SITE = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50, mode: observe}
mqtt:
  host: broker.example.net
  username: SECRET-user
  password_file: /etc/derctl/SECRET-password
  tls: {ca_file: /etc/SECRET-ca.pem, cert_file: /etc/SECRET-cert.pem, key_file: /etc/SECRET-key.pem}
  principals:
    - name: ops
      keys: [{id: SECRET-id, public: SECRETSECRETSECRETSECRETSECRETSECRETSECRETS}]
buses: [{id: lan, tcp: {host: 192.0.2.7}}]
ders: [{id: pv1, bus: lan, unit: 1, kind: sunspec_pv}]
controllers: [{name: "https://SECRET:SECRET-2@cloud.example.net and hunter2", ders: [pv1], owns: [limit]}]
"""


def tick(n: int) -> Tick:
    return Tick(n=n, state=make.site(make.pv(), t_s=float(n)), dt_s=1.0, memories={}, decisions=())


def test_what_is_nobody_s_business_is_left_out() -> None:
    file = msgspec.yaml.decode(SITE)
    made = captured({"site": "house"}, {"site_file": file}, [], "hunter2")
    text = made.content.decode()
    assert "SECRET" not in text and "hunter2" not in text
    shown = json.loads(text)["site_file"]
    assert shown["mqtt"]["host"] == "broker.example.net"
    assert shown["mqtt"]["password_file"] == shown["mqtt"]["tls"]["key_file"] == LEFT_OUT
    assert shown["mqtt"]["principals"] == [{"name": "ops", "keys": LEFT_OUT}]
    assert shown["controllers"][0]["name"] == f"https://{LEFT_OUT}@cloud.example.net and {LEFT_OUT}"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"key": "x"}, {"key": LEFT_OUT}),
        ({"key_file": None}, {"key_file": None}),
        ({"keepalive_s": 30, "monkey": "x"}, {"keepalive_s": 30, "monkey": "x"}),
        ({"text": "-----BEGIN PRIVATE KEY-----\nabc"}, {"text": LEFT_OUT}),
        ({"tcp": {"host": "a"}, "list": ("x", 1, None, True)}, {"tcp": {"host": "a"}, "list": ["x", 1, None, True]}),
        ({"API_TOKEN": 5, "Password": "x"}, {"API_TOKEN": LEFT_OUT, "Password": LEFT_OUT}),
    ],
)
def test_by_its_name_or_its_text(given: Any, shown: Any) -> None:
    assert without_secrets(given) == shown


def test_the_newest_ticks_stay_as_record_gives_them() -> None:
    ticks = [tick(n) for n in range(50)]
    one = len(msgspec.json.encode(ticks[0])) + 1
    made = captured({"site": "house"}, {}, ticks, most=200 + 10 * one)
    assert len(made.content) <= 200 + 10 * one and 8 <= made.ticks <= 11 and made.of == 50
    found = json.loads(made.content)["ticks"]
    assert [each["state"]["t_s"] for each in found] == [float(n) for n in range(50 - made.ticks, 50)]
    recorder = Recorder()
    recorder.add(ticks[-1])
    assert found[-1] == json.loads(json.dumps(recorder.last(1)[0]))


def test_a_part_that_is_too_large_says_so() -> None:
    made = captured({"site": "house"}, {"status": {"x": "y" * BYTES_MAX}}, [tick(1)])
    assert json.loads(made.content)["status"].startswith("left out: 1000") and made.ticks == 1


def looking(folder: Path, recorder: Recorder, told: list[str]) -> Looking:
    site = build(parse(SITE.split("mqtt:", maxsplit=1)[0] + "buses:" + SITE.split("buses:")[1], "site.yaml"))
    return Looking(
        pages=Pages(why=lambda der, state: f"{der} of {state['site']}", doctor=lambda state: ["all well"]),
        state=lambda: {"site": "house"},
        site=lambda: site,
        publish=lambda: told.append("again"),
        recorder=recorder,
        folder=Folder(folder, folder),
        clock=Clock("assume"),
    )


async def test_it_is_written_where_the_answer_says(tmp_path: Path) -> None:
    recorder, told = Recorder(), list[str]()
    for n in range(3):
        recorder.add(tick(n))
    views = looking(tmp_path, recorder, told).views
    text = await views.capture()
    path = tmp_path / "capture.json"
    assert text.startswith(f"{path} on the device: {path.stat().st_size:,} bytes, SHA-256 ")
    assert text.endswith("; the last 3 ticks")
    assert path.stat().st_mode & 0o137 == 0
    assert [each["state"]["t_s"] for each in json.loads(path.read_bytes())["ticks"]] == [0.0, 1.0, 2.0]
    assert (views.why("pv1"), views.doctor()) == ("pv1 of house", ["all well"])
    assert views.publish().startswith("all that is retained") and told == ["again"]


async def test_a_disk_that_takes_none_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "capture.json").mkdir()
    (tmp_path / "capture.json" / "x").touch()
    with pytest.raises(CommandError) as caught:
        await looking(tmp_path, Recorder(), []).views.capture()
    assert caught.value.code == Refusal.NOT_SAVED


def test_a_daemon_without_words_for_people_says_so() -> None:
    pages = Pages()
    with pytest.raises(CommandError):
        pages.why("pv1", {})
    with pytest.raises(CommandError):
        pages.doctor({})
