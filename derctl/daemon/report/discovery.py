"""The site as Home Assistant's MQTT integration discovers it: one retained message for each device (device-based
discovery, docs/sources.md). Its templates read the topics of docs/interfaces.md section 3 and send its commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from derctl import __version__
from derctl.core.types import DerState, Rating
from derctl.core.words import Achieved, Belief, Mode, Status
from derctl.daemon.known import Once
from derctl.daemon.report.telemetry import encode
from derctl.site import DerSection, Site
from derctl.site.schema import HomeAssistantSection, MqttSection
from derctl.store.outbox import Message

ID = "ha-{{ utcnow().timestamp() }}-{{ range(100000) | random }}"
ISSUED = "{{ utcnow().strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}"
"""Two commands never share an id; they are as old as they are."""
TEXT_MAX = 250
"""Characters of a text that Home Assistant takes for a state (it takes 255)."""
CODE = "(' (' ~ value_json.code ~ ')' if value_json.code else '')"
ANSWER = f"{{{{ (value_json.result ~ {CODE} ~ ': ' ~ value_json.text)[:{TEXT_MAX}] }}}}"
BOUND = "{{ value_json.bound_by[-1].by if value_json.bound_by else 'nobody' }}"
ONLINE = "{{ 'online' if value_json.online else 'offline' }}"

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """base: what the site's topics begin with. root: what its devices' names begin with. owner: the principal whose
    commands Home Assistant sends, None: it only looks. hold_s: how long they count."""

    base: str
    prefix: str
    root: str
    owner: str | None
    hold_s: int

    def state(self, topic: str, key: str) -> Entity:
        """Read from a topic of the site: the field of this name."""
        return {"state_topic": f"{self.base}/{topic}", "value_template": f"{{{{ value_json.{key} }}}}"}

    def command(self, name: str, arguments: Mapping[str, str | float]) -> Entity:
        """A command of the owner's. arguments: JSON, or a template's text."""
        given = "".join(f', "{key}": {each}' for key, each in arguments.items())
        template = f'{{"id": "{ID}", "issued_at": "{ISSUED}", "expires_s": {self.hold_s}{given}}}'
        return {"command_topic": f"{self.base}/cmd/{self.owner}/{name}", "command_template": template}


def announced(site: Site, ders: Sequence[DerState], known: Mapping[str, Once]) -> list[Message]:
    """Of the site and each DER; none where the site file does not want it. known: who was found.
    A DER that is in no tick yet, of a file that was read again, follows once it is."""
    section = site.file.mqtt
    if section is None or section.home_assistant is None:
        return []
    places = places_of(site, section, section.home_assistant)
    limited, aimed = _may(site, "operator_limit"), _may(site, "setpoint")
    states = {der.id: der for der in ders}
    found = [_message(places, "", _site_device(places, site), _of_site(places, section, ders, limited))]
    for each in (each for each in site.file.ders if each.id in states):
        about = {**_device(places, each, known.get(each.id)), "via_device": places.root}
        found.append(
            _message(
                places, each.id, about, _of_der(places, each, states[each.id], each.id in limited, each.id in aimed)
            )
        )
    return found


def places_of(site: Site, section: MqttSection, wanted: HomeAssistantSection) -> Places:
    """By the site file."""
    own = site.file.site
    return Places(
        base=f"{section.prefix}/{own.fleet}/{own.id}",
        prefix=wanted.prefix,
        root=f"derctl_{own.fleet}_{own.id}",
        owner=wanted.principal,
        hold_s=wanted.hold_s,
    )


def taken_back(before: Iterable[str], now: Iterable[str]) -> list[Message]:
    """Topics of devices that are no more: an empty retained message removes one."""
    return [Message(topic=topic, payload=b"", retain=True, whole=True) for topic in sorted({*before} - {*now})]


@dataclass(slots=True)
class Discovery:
    """Says it at each new session, and again when what was found makes it another one."""

    said: dict[str, bytes] = field(default_factory=dict)

    def anew(self) -> None:
        """Another session: its broker may know nothing."""
        self.said = dict.fromkeys(self.said, b"")

    def messages(self, site: Site, ders: Sequence[DerState], known: Mapping[str, Once]) -> list[Message]:
        """Those that are not said yet, and the end of those that are no more."""
        wanted = announced(site, ders, known)
        gone = taken_back(self.said, (each.topic for each in wanted))
        new = [each for each in wanted if self.said.get(each.topic) != each.payload]
        self.said = {each.topic: each.payload for each in wanted}
        return [*gone, *new]


def _message(places: Places, der: str, device: Entity, entities: Mapping[str, Entity]) -> Message:
    name = f"{places.root}_{der}" if der else places.root
    components = {key: {**each, "unique_id": f"{name}_{key}"} for key, each in entities.items()}
    payload = {
        "device": device,
        "origin": {"name": "derctl", "sw_version": __version__},
        "availability": [
            {"topic": f"{places.base}/online", "value_template": ONLINE},
        ],
        "qos": 1,
        "components": components,
    }
    topic = f"{places.prefix}/device/{name}/config"
    return Message(topic=topic, payload=encode(payload), retain=True, whole=True)


def _site_device(places: Places, site: Site) -> Entity:
    return {
        "identifiers": [places.root],
        "name": f"derctl {site.file.site.id}",
        "model": "site",
        "sw_version": __version__,
    }


def _device(places: Places, section: DerSection, once: Once | None) -> Entity:
    told: Entity = {"identifiers": [f"{places.root}_{section.id}"], "name": section.id, "model": section.kind}
    if once is None:
        return told
    identity = once.identity
    named = {
        "manufacturer": identity.maker,
        "model": identity.model or section.kind,
        "serial_number": once.serial,
        "sw_version": identity.firmware,
    }
    return told | {key: each for key, each in named.items() if each}


def _of_site(
    places: Places, section: MqttSection, ders: Sequence[DerState], limited: frozenset[str]
) -> dict[str, Entity]:
    meter = {
        "p_w": _power(places, "poc", "p_w", "Export"),
        "export_wh": _energy(places, "poc", "energy_wh", "Exported energy"),
        "import_wh": _energy(places, "poc", "energy_in_wh", "Imported energy"),
        "v_v": _measured(places, "poc", "v_v", "Voltage", "voltage", "V"),
        "f_hz": _measured(places, "poc", "f_hz", "Frequency", "frequency", "Hz"),
        "belief": _one_of(places, "poc", "belief.belief", "Meter", Belief),
    }
    own = {
        "mode": _one_of(places, "online", "mode", "Mode", Mode)
        | {"value_template": "{{ value_json.mode | default(None) }}"},
        "event": {
            "platform": "sensor",
            "name": "Last event",
            "entity_category": "diagnostic",
            "state_topic": f"{places.base}/event",
            "value_template": f"{{{{ (value_json.event ~ ': ' ~ value_json.text)[:{TEXT_MAX}] }}}}",
        },
    }
    if places.owner is None:
        return {**meter, **own}
    ratings = [der.rating.p_max_w for der in ders]
    if limited and all(ratings):
        own["limit"] = _limit(places, None, sum(ratings))
    own["clear"] = _button(places, "Drop all limits and setpoints", "clear", {})
    own["disarm"] = _button(places, "Disarm", "disarm", {})
    if any(each.name == places.owner and each.may_arm for each in section.principals):
        own["arm"] = _button(places, "Arm (twice)", "arm", {})
    own["answer"] = {
        "platform": "sensor",
        "name": "Last answer",
        "entity_category": "diagnostic",
        "state_topic": f"{places.base}/reply/{places.owner}",
        "value_template": ANSWER,
    }
    return {**meter, **own}


def _of_der(places: Places, section: DerSection, der: DerState, limited: bool, aimed: bool) -> dict[str, Entity]:
    topic, rating = f"der/{section.id}/measurement", der.rating
    found = {
        "p_w": _power(places, topic, "p_w", "Power"),
        "q_var": _measured(places, topic, "q_var", "Reactive power", "reactive_power", "var"),
        "v_v": _measured(places, topic, "v_v", "Voltage", "voltage", "V"),
        "energy_wh": _energy(places, topic, "energy_wh", "Energy"),
        "status": _one_of(places, topic, "status", "Status", Status),
        "p_ceiling_w": _power(places, f"der/{section.id}/setpoint", "p_ceiling_w", "Ceiling"),
        "bound_by": _text(places, f"der/{section.id}/setpoint", "Bound by", BOUND),
        "achieved": _one_of(places, f"der/{section.id}/outcome", "achieved", "Setpoint achieved", Achieved),
        "reason": _text(places, f"der/{section.id}/outcome", "Reason", "{{ value_json.reason or 'none' }}"),
    }
    if section.kind != "sunspec_pv":
        found["soc_pct"] = _measured(places, topic, "soc_pct", "State of charge", "battery", "%")
        found["dc_p_w"] = _power(places, topic, "dc_p_w", "Battery power")
        found["energy_in_wh"] = _energy(places, topic, "energy_in_wh", "Energy drawn")
    return found | ({} if places.owner is None else _owner_s(places, section, rating, limited, aimed))


def _owner_s(places: Places, section: DerSection, rating: Rating, limited: bool, aimed: bool) -> dict[str, Entity]:
    """What the owner may command of a DER, once its rating is known."""
    found: dict[str, Entity] = {}
    if limited and rating.p_max_w:
        found["limit"] = _limit(places, section.id, rating.p_max_w)
        found["production"] = _production(places, section.id, rating.p_max_w)
    if aimed and (rating.p_max_w or rating.p_min_w):
        found["target"] = _target(places, section.id, rating)
    if found:
        found["clear"] = _button(places, "Drop limits and setpoints", "clear", {"der": f'"{section.id}"'})
    return found


def _may(site: Site, kind: str) -> frozenset[str]:
    """DERs that this function of the operator's runs on."""
    return frozenset(der for function, ders in site.plan.der_functions if function.kind == kind for der in ders)


def _limit(places: Places, der: str | None, most_w: float) -> Entity:
    """The owner's own limit: what he asked for, or the most that there is."""
    template = f"{_own(places, 'limit_power', der, 'p_ceiling_w')}{{{{ mine | min if mine else {most_w:g} }}}}"
    scope: Mapping[str, str | float] = {} if der is None else {"der": f'"{der}"'}
    return {
        **_number(f"Limit for {_hours(places.hold_s)}", 0, most_w),
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **places.command("change_limit", {"p_ceiling_w": "{{ value }}", **scope}),
    }


def _production(places: Places, der: str, most_w: float) -> Entity:
    """Off: the owner's own limit is 0 W."""
    asked = places.command(
        "change_limit", {"p_ceiling_w": f"{{{{ 0 if value == 'OFF' else {most_w:g} }}}}", "der": f'"{der}"'}
    )
    watts = _own(places, "limit_power", der, "p_ceiling_w")
    template = f"{watts}{{{{ 'OFF' if mine and mine | min == 0 else 'ON' }}}}"
    return {
        "platform": "switch",
        "name": f"Production (off for {_hours(places.hold_s)})",
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **asked,
    }


def _target(places: Places, der: str, rating: Rating) -> Entity:
    """A battery's power, as the owner set it; 0 where he set none."""
    template = f"{_own(places, 'set_battery_power', der, 'p_target_w')}{{{{ mine | min if mine else 0 }}}}"
    return {
        **_number(f"Battery setpoint for {_hours(places.hold_s)} (+ discharges)", rating.p_min_w, rating.p_max_w),
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **places.command("set_battery_power", {"p_target_w": "{{ value }}", "der": f'"{der}"'}),
    }


def _own(places: Places, kind: str, der: str | None, key: str) -> str:
    """Sets `mine` to what the owner asked for of this kind."""
    of = "selectattr('der', 'none')" if der is None else f"selectattr('der', 'eq', '{der}')"
    own = f"selectattr('by', 'eq', '{places.owner}') | selectattr('kind', 'eq', '{kind}') | {of}"
    return f"{{% set mine = value_json.requests | {own} | map(attribute='{key}') | list %}}"


def _number(name: str, least_w: float, most_w: float) -> Entity:
    return {
        "platform": "number",
        "name": name,
        "device_class": "power",
        "unit_of_measurement": "W",
        "min": least_w,
        "max": most_w,
        "step": 1,
        "mode": "box",
    }


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"


def _button(places: Places, name: str, command: str, arguments: Mapping[str, str | float]) -> Entity:
    return {"platform": "button", "name": name, **places.command(command, arguments)}


def _measured(places: Places, topic: str, key: str, name: str, kind: str, unit: str) -> Entity:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": kind,
        "state_class": "measurement",
        "unit_of_measurement": unit,
        **places.state(topic, key),
    }


def _power(places: Places, topic: str, key: str, name: str) -> Entity:
    return _measured(places, topic, key, name, "power", "W")


def _energy(places: Places, topic: str, key: str, name: str) -> Entity:
    """A counter of the device's own: what the energy dashboard takes."""
    return _measured(places, topic, key, name, "energy", "Wh") | {"state_class": "total_increasing"}


def _one_of(places: Places, topic: str, key: str, name: str, words: Iterable[str]) -> Entity:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": "enum",
        "options": [str(word) for word in words],
        **places.state(topic, key),
    }


def _text(places: Places, topic: str, name: str, template: str) -> Entity:
    return {"platform": "sensor", "name": name, "state_topic": f"{places.base}/{topic}", "value_template": template}
