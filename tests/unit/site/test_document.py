"""docs/interfaces.md is true: each example goes through the daemon's own decoders, each list is the code's."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from derctl.cli import VERBS, exits
from derctl.cli.late import SESSIONS
from derctl.core.plan import Plan
from derctl.core.requests import REQUESTS, LimitRequest
from derctl.core.types import Bound, Decision, Fallback, Outcome, Reading, Setpoint
from derctl.core.words import Released, What
from derctl.daemon.actuate.release import Release
from derctl.daemon.app import App
from derctl.daemon.clock import Clock
from derctl.daemon.commands.calls import CALLS
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.envelope import Envelope
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.views import Views
from derctl.daemon.gate import Gate
from derctl.daemon.log import logger
from derctl.daemon.news import News
from derctl.daemon.picture import Picture, Stroke
from derctl.daemon.report.status import status
from derctl.daemon.report.telemetry import measurement, of_decision, of_outcome
from derctl.daemon.requests import Requests
from derctl.errors import CommandError
from derctl.functions import ROWS
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.departure import Departure
from derctl.functions.reserve import Reserve
from derctl.functions.shaped import made
from derctl.functions.volt_var import VoltVar
from derctl.site import Absence, DerSection, Site, load, profiles
from derctl.store.state import VERSION
from tests import make

ROOT = Path(__file__).resolve().parents[3]


def block(document: Any, head: Any) -> Any:
    [text] = [text for name, text in document["json"] if name == head]
    return json.loads(text)


def words_behind(document: Any, start: Any, end: Any) -> Any:
    """The words in back quotes between two places of the text."""
    part = document["text"].split(start, 1)[1].split(end, 1)[0]
    return set(re.findall(r"`([a-z0-9_]+)`", part))


def literals(folder: Any = "derctl") -> Any:
    """Every string literal of the code."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_block_is_marked_and_is_json_or_yaml(document: dict[str, Any]) -> None:
    assert [name for name, _ in document["yaml"]] == ["site"]
    names = [name for name, _ in document["json"]]
    assert len(names) == len({*names}) == document["text"].count("```json")
    for _, text in document["json"]:
        assert isinstance(json.loads(text), dict)


def test_the_site_file_of_the_document_loads(
    document: dict[str, Any], secrets: Callable[[str], str], site_of: Callable[[str], Site]
) -> None:
    [(_, text)] = document["yaml"]
    site = site_of(secrets(text))
    assert site.secret == "secret"
    assert site.limit_w == 7000
    assert [der.id for der in site.file.ders] == ["pv1", "pv2", "bat1"]
    plan = site.plan
    kinds = {f.kind for f, _ in plan.der_functions} | {f.kind for f, _ in plan.site_functions}
    named = {row["kind"] for row in yaml.safe_load(text)["functions"]}
    assert kinds - {"operator_site_limit", "containment", "probe"} == named


class Plain:
    """As much of a site as a command touches."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.asked = 0

    def state(self) -> Any:
        return make.site(make.pv(p_max_w=5_000.0), make.pv("pv2"), make.battery())

    def has_function(self, kind: Any, der: Any) -> Any:
        return True

    def changed(self) -> None:
        self.asked += 1

    async def look(self, seconds: float) -> None:
        return

    async def shadow(self) -> str:
        return ""

    async def save(self) -> None:
        self.asked += 1

    plan = Plan(
        site_functions=tuple((cast(Any, SimpleNamespace(kind=kind)), ()) for kind in ROWS),
        der_functions=(
            (Reserve(min_pct=20.0), ("bat1",)),
            (Departure(), ("bat1",)),
            (ConstPf(pf=0.9), ("pv1",)),
            (ConstVar(q_pu=0.0), ("bat1",)),
            (VoltVar(), ("pv2",)),
        ),
        made=made,
    )
    views = Views()
    gate = SimpleNamespace(open=True, arm=lambda by: None, disarm=lambda by: None)
    releaser = SimpleNamespace(releasing=False)


@pytest.fixture
def desk() -> Any:
    wall = datetime(2026, 11, 21, 12, 0, 0, 100000, tzinfo=UTC).timestamp()
    return Desk(cast(Any, Plain()), Clock("assume", lambda: wall), logger(), may_arm=frozenset({"ops"}))


@pytest.mark.parametrize("name", [*REQUESTS])
async def test_a_command_of_the_document_is_admitted_and_answered_as_documented(
    document: dict[str, Any], desk: Any, name: str
) -> None:
    given = block(document, f"command {name}")
    reply = await desk.by_mqtt("ops", name, json.dumps(given).encode(), False)
    assert reply["result"] == "admitted", reply
    example = block(document, "reply")
    assert reply.keys() == example.keys()
    if name == example["command"]:
        assert reply == example | {"last": True}, "nobody tells on here"


@pytest.mark.parametrize("name", ["event target", "event exchange"])
async def test_an_event_with_a_target_is_admitted_as_documented(
    document: dict[str, Any], desk: Any, name: str
) -> None:
    given = block(document, name)
    reply = await desk.by_mqtt("ops", "demand_response", json.dumps(given).encode(), False)
    assert reply["result"] == "admitted", reply


async def test_an_arm_that_only_shows_is_answered_as_documented(document: dict[str, Any], desk: Any) -> None:
    """The picture of the document's inverter."""
    example = block(document, "reply shown")
    stroke = Stroke(
        der="pv1",
        size_w=5000.0,
        setpoint=Setpoint(p_ceiling_w=4120.0),
        by=("contract_export_limit",),
        fallback=Fallback(p_ceiling_w=5000.0),
        holds=Setpoint(p_ceiling_w=5000.0),
    )
    gate = Gate(Absence, lambda: None, lambda: "", picture=lambda: Picture(ders=(stroke,)))
    desk.reach.gate = gate
    sent = {"id": "a1b4", "issued_at": "2026-11-21T12:00:00Z", "expires_s": 600}
    reply = await desk.by_mqtt("ops", "arm", json.dumps(sent).encode(), False)
    assert reply | {"confirm": example["confirm"]} == example
    assert gate.offer is not None and reply["confirm"] == gate.offer.token


async def test_a_command_without_any_one_of_its_fields_is_refused_with_a_documented_code(
    document: dict[str, Any], desk: Any
) -> None:
    codes = words_behind(document, "`code` one of", "Admitted says nothing")
    for name, text in document["json"]:
        if not name.startswith("command"):
            continue
        given = json.loads(text)
        for key in [key for key in given if key not in {"der", "start", "points"} or name.endswith("battery_power")]:
            short = {k: v for k, v in given.items() if k != key}
            reply = await desk.by_mqtt("ops", name.split()[1], json.dumps(short).encode(), False)
            assert reply["result"] == "refused"
            assert reply["code"] in codes
    assert desk.reach.asked == 0


def test_the_commands_and_their_arguments_are_the_documents(document: dict[str, Any]) -> None:
    table = document["text"].split("### Commands", 1)[1].split("```json", 1)[0]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.*?) \|", table, flags=re.MULTILINE))
    assert rows.keys() == COMMANDS.keys()
    for name, arguments in rows.items():
        assert {*re.findall(r"`([a-z0-9_]+)`", arguments)} == {*COMMANDS[name].args.__struct_fields__}
    envelope = table.split("Payload:", 1)[1].split("|", 1)[0]
    assert {*re.findall(r"`([a-z_]+)`", envelope)} == {*Envelope.__struct_fields__}


def test_every_code_of_a_refusal_is_in_the_document_and_in_the_code(document: dict[str, Any]) -> None:
    listed = words_behind(document, "`code` one of", "Admitted says nothing")
    raised = set()
    for path in (ROOT / "derctl" / "daemon").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == CommandError.__name__ and node.args:
                first = node.args[0]
                raised |= {first.value} if isinstance(first, ast.Constant) else set()
    assert raised <= listed
    assert listed <= literals()


def test_every_reason_and_state_of_the_document_is_one_that_the_code_can_give(document: dict[str, Any]) -> None:
    reasons = words_behind(document, "`reason` is null or one of", "Kept for later") - {"control"}
    states = words_behind(document, "`state` of a DER:", "## 5.") - {"control"}
    assert len(reasons) > 10
    assert len(states) >= 8
    said = literals()
    assert states - said == set()
    assert reasons - said == set()


def test_the_messages_have_the_documents_keys(document: dict[str, Any]) -> None:
    clock = Clock("assume", lambda: 1.8e9)
    bound = Bound(by="volt_var", rank=30, what=What.VAR, value=-220.0)
    decision = Decision(der="pv1", setpoint=Setpoint(q_var=-220.0), bound_by=(bound,))
    outcome = Outcome(requested=Setpoint(p_ceiling_w=1.0), requested_by="operator_limit", accepted=Setpoint())
    stamp = {"t": clock.stamp()}
    news = News(logger(), clock.stamp)
    news.tell("der_stale", "pv1", "text")
    made = {
        "measurement": stamp | measurement(Reading(), 0.08, None),
        "setpoint": stamp | of_decision(decision),
        "outcome": stamp | of_outcome(outcome, clock.now(), 0.0),
        "event": dict(news.events[0]),
    }
    for name, ours in made.items():
        example = block(document, name)
        assert ours.keys() == example.keys(), name
        for key, value in example.items():
            if isinstance(value, dict):
                assert ours[key].keys() == value.keys(), (name, key)
            if isinstance(value, list):
                assert ours[key][0].keys() == value[0].keys(), (name, key)


def test_times_are_written_as_in_the_document(document: dict[str, Any]) -> None:
    clock = Clock("assume", lambda: datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())
    assert block(document, "event")["t"] == clock.stamp()


@pytest.fixture
def app(document: dict[str, Any], secrets: Callable[[str], str], tmp_path: Path) -> Any:
    [(_, text)] = document["yaml"]
    path = tmp_path / "site.yaml"
    path.write_text(secrets(text).replace("/run/derctl", str(tmp_path)))
    site = load(path)
    Path(site.file.site.state_dir).mkdir(exist_ok=True)
    return App(site)


async def test_the_status_has_the_documents_keys(document: dict[str, Any], app: Any) -> None:
    app.requests.put(LimitRequest(id="a1b2", by="home", der="pv1", p_ceiling_w=4000.0, remaining_s=600.0))
    app.news.tell("mode_control", "", "")
    ours, example = json.loads(json.dumps(status(app.panel.view()))), block(document, "status")
    assert ours.keys() == example.keys()
    for key in ("loop", "absent", "poc", "mqtt"):
        assert ours[key].keys() == example[key].keys(), key
    assert ours["ders"]["pv1"].keys() == example["ders"]["pv1"].keys()
    for key in ("rating", "can", "fallback"):
        assert ours["ders"]["pv1"][key].keys() == example["ders"]["pv1"][key].keys(), key
    for key in ("measurement", "outcome"):
        assert example["ders"]["pv1"][key].keys() <= ours["ders"]["pv1"][key].keys(), key
    assert ours["buses"]["lan_pv1"].keys() == example["buses"]["lan_pv1"].keys()
    assert example["requests"][0]["kind"] in COMMANDS
    assert (
        ours["requests"][0].keys()
        == example["requests"][0].keys()
        == {*(field.name for field in fields(LimitRequest)), "until", "binds"}
    )
    assert ours["events"][0].keys() == example["events"][0].keys()


async def test_what_release_answers_is_the_documents(
    document: dict[str, Any], app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = block(document, "release")
    stands = {name: each.pop("standing") for name, each in example.items()}
    given = {name: Release(Released(each.pop("result")), **each) for name, each in example.items()}

    async def release(wrote: Any, *, lift: Any, seconds: Any) -> Any:
        return given

    monkeypatch.setattr(
        type(app.control.releaser.dispatch), "release", lambda self, *args, **named: release(*args, **named)
    )
    ours = json.loads(json.dumps(await app.calls.answer("release", {"lift": False}, "ops")))
    for name, each in stands.items():  # none of these devices was ever read
        assert ours[name]["standing"].keys() == each.keys()
        ours[name]["standing"] = each
    assert ours == block(document, "release")
    listed = words_behind(document, "\n`result`:", "`stands_w`:") - {"text"}
    assert listed == {*Released}


def test_the_calls_of_the_socket_are_the_documents(document: dict[str, Any]) -> None:
    table = document["text"].split("| call | `args` |", 1)[1].split("\n\n", 1)[0]
    assert {*re.findall(r"^\| `([a-z]+)` \|", table, flags=re.MULTILINE)} == {*CALLS, *SESSIONS}


def test_the_verbs_are_the_documents(document: dict[str, Any]) -> None:
    table = document["text"].split("| verb | |", 1)[1].split("\n\n", 1)[0]
    named = re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)
    assert {verb for cell in named for verb in re.findall(r"`([a-z]+)", cell)} == {*VERBS}


def test_the_version_of_the_state_file_is_the_documents(document: dict[str, Any]) -> None:
    assert f"`state.json` has a `version`, now {VERSION}." in document["text"]


async def test_online_has_the_documents_keys(document: dict[str, Any], app: Any) -> None:
    app.presence.mode_changed()
    online = json.loads(app.outbox.latest["online"].payload)
    assert online.keys() == block(document, "online").keys()


def test_the_exit_codes_are_the_documents(document: dict[str, Any]) -> None:
    table = document["text"].split("| code | meaning |", 1)[1]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)}
    assert listed == {*exits.MEANINGS}


def test_the_keys_of_a_der_are_the_documents(document: dict[str, Any]) -> None:
    listed = words_behind(document, "`ders[]` keys:", "\n\n")
    assert {*DerSection.__struct_fields__} <= listed


def test_every_profile_that_ships_loads_under_its_own_name() -> None:
    folders = [ROOT / "derctl" / "devices" / name for name in ("profiles", "maps")]
    assert {*profiles()} == {path.stem for folder in folders for path in folder.glob("*.yaml")}


@pytest.mark.parametrize("name", ["house.yaml", "mixed.yaml"])
def test_an_example_that_ships_loads(
    secrets: Callable[[str], str], site_of: Callable[[str], Site], name: str
) -> None:
    site = site_of(secrets((ROOT / "config" / name).read_text(encoding="utf-8")))
    assert site.file.site.mode == "observe"  # nobody arms a site by copying an example
    assert site.limit_w is not None


def test_there_is_no_example_that_nobody_tests() -> None:
    assert {path.name for path in (ROOT / "config").glob("*.yaml")} == {"house.yaml", "mixed.yaml"}


def test_the_small_example_is_the_one_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [text] = re.findall(r"^```yaml\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    assert len(text.splitlines()) <= 20
    assert yaml.safe_load((ROOT / "config" / "house.yaml").read_text(encoding="utf-8")) == yaml.safe_load(text)


def test_the_mixed_example_is_the_one_of_the_document(document: dict[str, Any]) -> None:
    [(_, text)] = document["yaml"]
    mixed = yaml.safe_load((ROOT / "config" / "mixed.yaml").read_text(encoding="utf-8"))
    pv1 = mixed["ders"][0]
    assert (pv1.pop("profile"), pv1.pop("own_functions")) == ("generic", "read")  # the defaults, spelled out
    assert mixed == yaml.safe_load(text)


def test_the_commands_of_the_readme_are_understood() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [
        shlex.split(line, comments=True) for line in re.findall(r"^    (derctl .*)$", readme, flags=re.MULTILINE)
    ]
    assert len(lines) > 5
    for _, verb, *rest in lines:
        parser = argparse.ArgumentParser(exit_on_error=False)
        VERBS[verb].load().add(parser)
        parser.parse_intermixed_args(rest)
