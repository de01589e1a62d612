"""What Home Assistant is told of the site. Its templates are rendered by jinja2 as Home Assistant does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jinja2
import pytest

from derctl.core.requests import LimitRequest, PlanRequest
from derctl.core.schedule import Aim
from derctl.core.types import DerState, Reading
from derctl.core.words import Mode, Status, Timer
from derctl.daemon.clock import Clock
from derctl.daemon.known import Once
from derctl.daemon.report.discovery import Discovery, announced
from derctl.daemon.report.telemetry import Telemetry
from derctl.devices import Identity
from derctl.site import Site
from derctl.site.lines import parse
from derctl.site.site import build
from derctl.store.outbox import Message
from tests import make

HOME = """
mqtt:
  host: localhost
  principals: [{name: home, may_arm: %s}, {name: ops}]
  home_assistant: {principal: home, hold_s: 7200}
"""
FILE = """
version: 1
site: {id: house-12, fleet: demo, v_nom_v: 230, f_nom_hz: 50, require_proof: false}
buses: [{id: lan, tcp: {host: 127.0.0.1, port: 5020}}]
ders:
  - {id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {p_ceiling_w: 0, by: reversion}}
  - {id: bat1, bus: lan, unit: 2, kind: sunspec_storage, fallback: {p_ceiling_w: 0, by: reversion}}
functions: [{kind: operator_limit, ders: [pv1]}, {kind: setpoint, ders: [bat1]}]
"""
ROOT = "homeassistant/device/derctl_demo_house-12"
PV = make.pv("pv1", p_max_w=5000.0)
BATTERY = make.battery("bat1")
UNFOUND = make.pv("pv1", p_max_w=0.0)


def told(messages: list[Message]) -> dict[str, dict[str, Any]]:
    return {each.topic: json.loads(each.payload) if each.payload else {} for each in messages}


@pytest.fixture
def site_of() -> Callable[[str], Site]:
    return lambda text: build(parse(text, "site.yaml"))


@pytest.fixture
def home(site_of: Callable[[str], Site]) -> Site:
    return site_of(FILE + HOME % "true")


def said(site: Site, *ders: DerState, known: dict[str, Once] | None = None) -> dict[str, dict[str, Any]]:
    """Those that are; `there` tells what is named only to be removed."""
    messages = told(announced(site, ders or (PV, BATTERY), known or {}))
    return {topic: one | {"components": there(one)} for topic, one in messages.items()}


def there(one: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in one["components"].items() if each.keys() != {"platform"}}


def removed(site: Site, der: str, *ders: DerState) -> dict[str, str]:
    """By name, the platform of what Home Assistant is to remove."""
    one = told(announced(site, ders or (PV, BATTERY), {}))[f"{ROOT}{der}/config"]
    return {key: each["platform"] for key, each in one["components"].items() if each.keys() == {"platform"}}


def test_nobody_is_told_without_the_section(site_of: Callable[[str], Site]) -> None:
    assert said(site_of(FILE)) == {}
    assert said(site_of(FILE + "mqtt: {host: localhost, principals: []}")) == {}


def test_the_site_and_each_der_are_devices_of_their_own(home: Site) -> None:
    messages = announced(home, (PV, BATTERY), {})
    assert [each.topic for each in messages] == [f"{ROOT}/config", f"{ROOT}_pv1/config", f"{ROOT}_bat1/config"]
    assert all(each.retain and each.whole for each in messages)
    pv = json.loads(messages[1].payload)["device"]
    assert (pv["identifiers"], pv["via_device"]) == (["derctl_demo_house-12_pv1"], "derctl_demo_house-12")


def test_ids_are_unique(home: Site) -> None:
    ids = [each["unique_id"] for one in said(home).values() for each in one["components"].values()]
    assert len(ids) == len({*ids}) > 30


def test_a_device_that_was_found_has_its_name(home: Site, found_once: Once) -> None:
    device = said(home, known={"pv1": found_once})[f"{ROOT}_pv1/config"]["device"]
    named = {key: device[key] for key in ("manufacturer", "model", "serial_number", "sw_version")}
    assert named == {"manufacturer": "Fronius", "model": "Symo", "serial_number": "S1", "sw_version": "1.2"}


@pytest.fixture
def found_once() -> Once:
    return Once(
        serial="S1",
        rating=PV.rating,
        writable=True,
        timer=Timer.TARGET,
        model=None,
        keeps=(),
        identity=Identity(maker="Fronius", model="Symo", serial="S1", firmware="1.2"),
    )


def test_a_der_of_a_file_that_was_read_again_follows_with_its_first_tick(home: Site) -> None:
    assert [*said(home, PV)] == [f"{ROOT}/config", f"{ROOT}_pv1/config"]


# -- what each entity reads -----------------------------------------------------------------------------------------


def rendered(template: str, payload: Any, **more: Any) -> str:
    """As Home Assistant renders it; None becomes `None`, which it takes for unknown."""
    names = {"value_json": payload, "utcnow": Clock("assume").now, **more}
    return jinja2.Environment().from_string(template).render(names)


def test_each_entity_reads_what_the_site_tells(home: Site) -> None:
    """Every template against the payload that the daemon sends on its topic."""
    telemetry = Telemetry(Clock("assume"), every_s=60.0, min_s=1.0)
    request = LimitRequest(id="a", by="home", der="pv1", remaining_s=60.0, p_ceiling_w=4000.0)
    read = Reading(p_w=3120.0, q_var=-40.0, v_v=236.1, f_hz=50.01, energy_wh=5.0, status=Status.ON)
    state = make.site(replace(PV, reading=read), BATTERY, poc=make.meter(4200.0), requests=(request,))
    payloads = {each.topic: json.loads(each.payload) for each in telemetry.messages(state, (), {})}
    payloads |= {each.topic: json.loads(each.payload) for each in telemetry.requests(state)}
    base = "derctl/demo/house-12/"
    pv = said(home)[f"{ROOT}_pv1/config"]["components"]
    seen = {
        key: rendered(each["value_template"], payloads[each["state_topic"].removeprefix(base)])
        for key, each in pv.items()
        if each.get("state_topic", "").removeprefix(base) in payloads
    }
    assert seen["p_w"] == "3120.0"
    assert (seen["q_var"], seen["v_v"], seen["energy_wh"], seen["status"]) == ("-40.0", "236.1", "5.0", "on")
    assert seen["limit"] == "4000.0"
    site = said(home)[f"{ROOT}/config"]["components"]
    assert rendered(site["p_w"]["value_template"], payloads["poc"]) == "4200.0"
    assert rendered(site["belief"]["value_template"], payloads["poc"]) == "unproven"
    assert rendered(site["limit"]["value_template"], payloads["requests"]) == f"{5000.0 + BATTERY.rating.p_max_w:g}"


SUN = {"by": "self_consumption", "what": "p_target_w", "value": -3000.0}
BMS = {"by": "bms_guard", "what": "p_ceiling_w", "value": 4750.0}
SITE = {"by": "grid_limits", "what": "p_ceiling_w", "value": 2000.2}
VAR = {"by": "const_var", "what": "q_var", "value": 0.0}


@pytest.mark.parametrize(
    ("told", "bound_by", "by"),
    [
        ({"p_ceiling_w": 2000.0}, [BMS, SITE, VAR], "grid_limits"),
        ({"p_ceiling_w": 1990.0}, [BMS, SITE, VAR], "grid_limits"),
        ({"p_target_w": -3000.0}, [SUN, BMS, VAR], "self_consumption"),
        ({"p_target_w": 0.0}, [VAR], "nobody"),
        ({}, [], "nobody"),
    ],
)
def test_who_bound_it_is_who_bound_its_power(
    home: Site, told: dict[str, float], bound_by: list[dict[str, Any]], by: str
) -> None:
    template = said(home)[f"{ROOT}_pv1/config"]["components"]["bound_by"]["value_template"]
    nothing: dict[str, Any] = {"p_ceiling_w": None, "p_target_w": None, "q_var": None}
    assert rendered(template, nothing | told | {"bound_by": bound_by}) == by


def test_what_a_device_does_not_tell_is_unknown(home: Site) -> None:
    energy = said(home)[f"{ROOT}_pv1/config"]["components"]["energy_wh"]
    assert rendered(energy["value_template"], {"energy_wh": None}) == "None"
    assert (energy["device_class"], energy["state_class"], energy["unit_of_measurement"]) == (
        "energy",
        "total_increasing",
        "Wh",
    )


def test_after_the_last_will_everything_is_unavailable_and_the_mode_unknown(home: Site) -> None:
    site = said(home)[f"{ROOT}/config"]
    [availability] = site["availability"]
    assert availability["topic"] == "derctl/demo/house-12/online"
    assert rendered(availability["value_template"], {"online": False}) == "offline"
    assert rendered(availability["value_template"], {"online": True}) == "online"
    assert rendered(site["components"]["mode"]["value_template"], {"online": False}) == "None"
    assert {*site["components"]["mode"]["options"]} == {str(mode) for mode in Mode}


def test_words_are_cut_to_what_a_state_holds(home: Site) -> None:
    answer = said(home)[f"{ROOT}/config"]["components"]["answer"]
    text = rendered(answer["value_template"], {"result": "refused", "text": "x" * 8000})
    assert text.startswith("refused: xxx")
    assert len(text) <= 255


# -- what it may command --------------------------------------------------------------------------------------------


def test_a_number_sends_a_command_that_the_daemon_takes(home: Site) -> None:
    number = said(home)[f"{ROOT}_pv1/config"]["components"]["limit"]
    assert number["command_topic"] == "derctl/demo/house-12/cmd/home/change_limit"
    assert (number["min"], number["max"]) == (0, 5000.0)
    sent = [json.loads(rendered(number["command_template"], {}, value=3000)) for _ in range(2)]
    assert (sent[0]["p_ceiling_w"], sent[0]["der"], sent[0]["expires_s"]) == (3000, "pv1", 7200)
    assert sent[0]["id"] != sent[1]["id"]


def test_the_site_s_number_names_no_der(home: Site) -> None:
    number = said(home)[f"{ROOT}/config"]["components"]["limit"]
    sent = json.loads(rendered(number["command_template"], {}, value=0))
    assert (sent["p_ceiling_w"], "der" in sent) == (0, False)


def test_no_number_before_its_rating_is_known(home: Site) -> None:
    messages = said(home, UNFOUND, BATTERY)
    assert "limit" not in messages[f"{ROOT}_pv1/config"]["components"]
    assert "limit" not in messages[f"{ROOT}/config"]["components"]


def test_no_number_where_nothing_may_be_limited(home: Site) -> None:
    assert "limit" not in said(home)[f"{ROOT}_bat1/config"]["components"]


@pytest.mark.parametrize("may", ["true", "false"])
def test_only_who_may_arm_has_a_button_for_it(site_of: Callable[[str], Site], may: str) -> None:
    components = said(site_of(FILE + HOME % may))[f"{ROOT}/config"]["components"]
    assert ("arm" in components) == (may == "true")
    assert "disarm" in components


def test_without_a_principal_it_only_looks(site_of: Callable[[str], Site]) -> None:
    site = site_of(FILE + "mqtt: {host: localhost, principals: [], home_assistant: {}}")
    entities = [each for one in said(site).values() for each in one["components"].values()]
    assert {each["platform"] for each in entities} == {"sensor"}
    assert not [each for each in entities if "command_topic" in each]


def test_off_is_a_limit_of_0_and_on_takes_its_place(home: Site) -> None:
    switch = said(home)[f"{ROOT}_pv1/config"]["components"]["production"]
    sent = [json.loads(rendered(switch["command_template"], {}, value=value)) for value in ("OFF", "ON")]
    assert [(each["p_ceiling_w"], each["der"]) for each in sent] == [(0, "pv1"), (5000, "pv1")]
    assert rendered(switch["value_template"], {"requests": []}) == "ON"


@pytest.mark.parametrize(
    ("by", "p_ceiling_w", "shown"), [("home", 0.0, "OFF"), ("home", 10.0, "ON"), ("ops", 0.0, "ON")]
)
def test_the_switch_shows_the_owner_s_own_limit(home: Site, by: str, p_ceiling_w: float, shown: str) -> None:
    switch = said(home)[f"{ROOT}_pv1/config"]["components"]["production"]
    request = {"by": by, "kind": "limit_power", "der": "pv1", "p_ceiling_w": p_ceiling_w}
    assert rendered(switch["value_template"], {"requests": [request]}) == shown


def test_a_battery_has_a_number_within_its_rating(home: Site) -> None:
    number = said(home)[f"{ROOT}_bat1/config"]["components"]["target"]
    assert (number["min"], number["max"]) == (-5000.0, 5000.0)
    assert json.loads(rendered(number["command_template"], {}, value=-1000))["p_target_w"] == -1000
    assert rendered(number["value_template"], {"requests": []}) == "0"


OWNERS = """
mqtt:
  host: localhost
  principals: [{name: home, %s}]
  home_assistant: {principal: home}
"""
MORE = FILE.replace("functions: [", "functions: [{kind: reserve, min_pct: 20}, {kind: schedule}, ")


def test_what_the_site_file_takes_away_is_removed_and_what_waits_for_a_device_stays(
    home: Site, site_of: Callable[[str], Site]
) -> None:
    """Home Assistant 2025.1.4 keeps a component that is left out, and removes one with its platform alone."""
    assert removed(home, "") == {} and removed(home, "", UNFOUND, BATTERY) == {}
    assert removed(home, "_pv1", UNFOUND) == removed(home, "_pv1") == {
        "soc_pct": "sensor", "dc_p_w": "sensor", "energy_in_wh": "sensor", "plan_w": "sensor",
        "target": "number", "reserve": "number",
    }  # fmt: skip
    looks = site_of(FILE + "mqtt: {host: localhost, principals: [], home_assistant: {}}")
    assert removed(looks, "") == {
        "limit": "number", "clear": "button", "disarm": "button", "arm": "button", "answer": "sensor"
    }  # fmt: skip
    assert {"limit", "production", "target", "clear"} < {*removed(looks, "_pv1")}


def test_it_has_what_its_principal_may_and_no_more(site_of: Callable[[str], Site]) -> None:
    aggregator = said(site_of(MORE + OWNERS % "role: aggregator"))
    assert {*aggregator[f"{ROOT}_bat1/config"]["components"]} >= {"target", "clear", "plan_w"}
    assert "reserve" not in aggregator[f"{ROOT}_bat1/config"]["components"]
    assert {"disarm", "arm"} & {*aggregator[f"{ROOT}/config"]["components"]} == set()
    one = said(
        site_of(MORE + OWNERS % "role: owner, ders: [bat1], ranges: {p_target_w: [-1000, 9000], min_pct: [0, 80]}")
    )
    assert {"limit", "clear", "disarm"} & {*one[f"{ROOT}/config"]["components"]} == set(), "for the whole site"
    assert {"limit", "clear"} & {*one[f"{ROOT}_pv1/config"]["components"]} == set()
    battery = one[f"{ROOT}_bat1/config"]["components"]
    assert (battery["target"]["min"], battery["target"]["max"]) == (-1000.0, 5000.0)
    assert (battery["reserve"]["min"], battery["reserve"]["max"]) == (20.0, 80.0)


def test_the_reserve_is_the_site_file_s_or_the_owner_s_word(site_of: Callable[[str], Site]) -> None:
    site = site_of(MORE.replace("min_pct: 20", "min_pct: 20, may_lower: true") + OWNERS % "role: owner")
    reserve = said(site)[f"{ROOT}_bat1/config"]["components"]["reserve"]
    assert (reserve["min"], reserve["unit_of_measurement"], reserve["device_class"]) == (0.0, "%", "battery")
    assert rendered(reserve["value_template"], {"requests": []}) == "20"
    asked = {"by": "home", "kind": "set_reserve", "der": "bat1", "min_pct": 60.0}
    assert rendered(reserve["value_template"], {"requests": [asked]}) == "60.0"
    sent = json.loads(rendered(reserve["command_template"], {}, value=55))
    assert (sent["min_pct"], sent["der"], reserve["command_topic"][-11:]) == (55, "bat1", "set_reserve")


def test_a_plan_s_interval_is_a_power_and_told_anew_with_each(site_of: Callable[[str], Site]) -> None:
    plan = said(site_of(MORE + OWNERS % "role: owner"))[f"{ROOT}_bat1/config"]["components"]["plan_w"]
    telemetry = Telemetry(Clock("assume"), every_s=60.0, min_s=0.0)
    parts = (Aim(from_s=60.0, to_s=30.0, p_target_w=-900.0), Aim(from_s=30.0, to_s=10.0, p_ceiling_w=5.0))
    asked = PlanRequest(id="p", by="emhass", der="bat1", remaining_s=60.0, schedule=parts)
    shown = []
    for left_s in (60.0, 59.0, 30.0, 5.0):
        state = make.site(BATTERY, t_s=60.0 - left_s, requests=(replace(asked, remaining_s=left_s).now(),))
        shown += [rendered(plan["value_template"], json.loads(each.payload)) for each in telemetry.requests(state)]
    assert shown == ["-900.0", "None", "None"]
    assert rendered(plan["value_template"], {"requests": []}) == "None"


# -- when it is said ------------------------------------------------------------------------------------------------


def test_it_is_said_once_and_again_when_it_is_another_one(home: Site, found_once: Once) -> None:
    discovery = Discovery()
    assert len(discovery.messages(home, (PV, BATTERY), {})) == 3
    assert discovery.messages(home, (PV, BATTERY), {}) == []
    [again] = discovery.messages(home, (PV, BATTERY), {"pv1": found_once})
    assert again.topic == f"{ROOT}_pv1/config"


def test_another_session_hears_all_of_it(home: Site) -> None:
    discovery = Discovery()
    discovery.messages(home, (PV, BATTERY), {})
    discovery.anew()
    assert len(discovery.messages(home, (PV, BATTERY), {})) == 3


def test_what_leaves_the_site_file_is_taken_back(home: Site, site_of: Callable[[str], Site]) -> None:
    discovery = Discovery()
    discovery.messages(home, (PV, BATTERY), {})
    gone = discovery.messages(site_of(FILE), (PV, BATTERY), {})
    assert [(each.topic, each.payload, each.retain) for each in gone] == [
        (f"{ROOT}/config", b"", True),
        (f"{ROOT}_bat1/config", b"", True),
        (f"{ROOT}_pv1/config", b"", True),
    ]


def test_a_der_that_left_while_nothing_ran_is_taken_back_once(home: Site, found_once: Once) -> None:
    discovery = Discovery()
    messages = discovery.messages(home, (PV, BATTERY), {"pv1": found_once, "pv9": found_once})
    assert [(each.topic, each.retain) for each in messages if not each.payload] == [(f"{ROOT}_pv9/config", True)]
    discovery.anew()
    assert len(discovery.messages(home, (PV, BATTERY), {"pv9": found_once})) == 3
