"""The site as Home Assistant's MQTT integration discovers it: one retained message for each device (device-based
discovery, docs/sources.md). Its templates read the topics of docs/interfaces.md section 3 and send its commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from derctl import __version__
from derctl.core.dataclass import dataclass
from derctl.core.types import DerState, Rating
from derctl.core.words import Achieved, Belief, Mode, Status
from derctl.daemon.commands.rights import rights_of
from derctl.daemon.known import Once
from derctl.daemon.report.entities import (
    Entity,
    Places,
    all_asked,
    button,
    energy,
    gone,
    his_own,
    hours,
    in_words,
    measured,
    number,
    one_of,
    power,
)
from derctl.daemon.report.telemetry import encode
from derctl.functions.reserve import Reserve
from derctl.functions.schedule import Schedule
from derctl.site import DerSection, Site
from derctl.site.schema import HomeAssistantSection, MqttSection
from derctl.store.outbox import Message

TEXT_MAX = 250
"""Characters of a text that Home Assistant takes for a state (it takes 255)."""
CODE = "(' (' ~ value_json.code ~ ')' if value_json.code else '')"
ANSWER = f"{{{{ (value_json.result ~ {CODE} ~ ': ' ~ value_json.text)[:{TEXT_MAX}] }}}}"
BOUND = (
    "{% set told = value_json.p_ceiling_w if value_json.p_target_w is none else value_json.p_target_w %}"
    "{% set powers = value_json.bound_by | rejectattr('what', 'eq', 'q_var') | list %}"
    "{% set who = namespace(by=powers[-1].by if powers else 'nobody') %}"
    "{% for each in powers if told is not none and (each.value - told) | abs <= 1 %}"
    "{% set who.by = each.by %}{% endfor %}"
    "{{ who.by }}"
)
"""Whose power it is, else the last that narrowed it: a word on reactive power binds no power."""
SITE_BUTTONS = (
    ("clear", "clear", "Drop all limits and setpoints"),
    ("disarm", "disarm", "Disarm"),
    ("arm", "arm", "Arm (twice)"),
)
ONLINE = "{{ 'online' if value_json.online else 'offline' }}"


def announced(site: Site, ders: Sequence[DerState], known: Mapping[str, Once]) -> list[Message]:
    """Of the site and each DER; none where the site file does not want it. known: who was found.
    A DER that is in no tick yet, of a file that was read again, follows once it is."""
    section = site.file.mqtt
    if section is None or section.home_assistant is None:
        return []
    places = places_of(site, section, section.home_assistant)
    states = {der.id: der for der in ders}
    found = [_message(places, "", _site_device(places, site), _of_site(places, ders, _may(site, "operator_limit")))]
    for each in (each for each in site.file.ders if each.id in states):
        about = {**_device(places, each, known.get(each.id)), "via_device": places.root}
        found.append(_message(places, each.id, about, _of_der(places, site, each, states[each.id])))
    return found


def places_of(site: Site, section: MqttSection, wanted: HomeAssistantSection) -> Places:
    """By the site file."""
    own = site.file.site
    return Places(
        base=f"{section.prefix}/{own.fleet}/{own.id}",
        prefix=wanted.prefix,
        root=f"derctl_{own.fleet}_{own.id}",
        owner=None if wanted.principal is None else rights_of(section.principals).get(wanted.principal),
        hold_s=wanted.hold_s,
    )


def former(site: Site, known: Mapping[str, Once]) -> list[str]:
    """Topics of DERs that were found once and left the site file, perhaps while nothing ran."""
    section = site.file.mqtt
    if section is None or section.home_assistant is None:
        return []
    places, there = places_of(site, section, section.home_assistant), {each.id for each in site.file.ders}
    return [f"{places.prefix}/device/{places.root}_{der}/config" for der in known if der not in there]


def taken_back(before: Iterable[str], now: Iterable[str]) -> list[Message]:
    """Topics of devices that are no more: an empty retained message removes one."""
    return [Message(topic=topic, payload=b"", retain=True, whole=True) for topic in sorted({*before} - {*now})]


@dataclass(slots=True)
class Discovery:
    """Says it at each new session, and again when what was found makes it another one."""

    said: dict[str, bytes] = field(default_factory=dict)
    begun: bool = False

    def anew(self) -> None:
        """Another session: its broker may know nothing."""
        self.said = dict.fromkeys(self.said, b"")

    def messages(self, site: Site, ders: Sequence[DerState], known: Mapping[str, Once]) -> list[Message]:
        """Those that are not said yet, and the end of those that are no more."""
        wanted = announced(site, ders, known)
        before = {*self.said} if self.begun else {*self.said, *former(site, known)}
        self.begun = True
        over = taken_back(before, (each.topic for each in wanted))
        new = [each for each in wanted if self.said.get(each.topic) != each.payload]
        self.said = {each.topic: each.payload for each in wanted}
        return [*over, *new]


def _message(places: Places, der: str, device: Entity, entities: Mapping[str, Entity]) -> Message:
    name = f"{places.root}_{der}" if der else places.root
    components = {
        key: each if each.keys() == {"platform"} else {**each, "unique_id": f"{name}_{key}"}
        for key, each in entities.items()
    }
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


def _of_site(places: Places, ders: Sequence[DerState], limited: frozenset[str]) -> dict[str, Entity]:
    meter = {
        "p_w": power(places, "poc", "p_w", "Export"),
        "export_wh": energy(places, "poc", "energy_wh", "Exported energy"),
        "import_wh": energy(places, "poc", "energy_in_wh", "Imported energy"),
        "v_v": measured(places, "poc", "v_v", "Voltage", "voltage", "V"),
        "f_hz": measured(places, "poc", "f_hz", "Frequency", "frequency", "Hz"),
        "belief": one_of(places, "poc", "belief.belief", "Meter", Belief),
    }
    own = {
        "mode": one_of(places, "online", "mode", "Mode", Mode)
        | {"value_template": "{{ value_json.mode | default(None) }}"},
        "event": {
            "platform": "sensor",
            "name": "Last event",
            "entity_category": "diagnostic",
            "state_topic": f"{places.base}/event",
            "value_template": f"{{{{ (value_json.event ~ ': ' ~ value_json.text)[:{TEXT_MAX}] }}}}",
        },
    }
    return {**meter, **own, **_site_s(places, ders, limited)}


def _site_s(places: Places, ders: Sequence[DerState], limited: frozenset[str]) -> dict[str, Entity]:
    """What the owner may command of the site."""
    found: dict[str, Entity] = {}
    ratings = [der.rating.p_max_w for der in ders]
    if not limited or not places.may("change_limit", None):
        found |= gone(("limit", "number"))
    elif all(ratings):
        found["limit"] = _limit(places, None, sum(ratings))
    for name, command, label in SITE_BUTTONS:
        may = places.may(command, None)
        found |= {name: button(places, label, command, {})} if may else gone((name, "button"))
    if places.owner is None:
        return found | gone(("answer", "sensor"))
    found["answer"] = {
        "platform": "sensor",
        "name": "Last answer",
        "entity_category": "diagnostic",
        "state_topic": f"{places.base}/reply/{places.owner.name}",
        "value_template": ANSWER,
    }
    return found


def _of_der(places: Places, site: Site, section: DerSection, der: DerState) -> dict[str, Entity]:
    topic = f"der/{section.id}/measurement"
    found = {
        "p_w": power(places, topic, "p_w", "Power"),
        "q_var": measured(places, topic, "q_var", "Reactive power", "reactive_power", "var"),
        "v_v": measured(places, topic, "v_v", "Voltage", "voltage", "V"),
        "energy_wh": energy(places, topic, "energy_wh", "Energy"),
        "status": one_of(places, topic, "status", "Status", Status),
        "p_ceiling_w": power(places, f"der/{section.id}/setpoint", "p_ceiling_w", "Ceiling"),
        "bound_by": in_words(places, f"der/{section.id}/setpoint", "Bound by", BOUND),
        "achieved": one_of(places, f"der/{section.id}/outcome", "achieved", "Setpoint achieved", Achieved),
        "reason": in_words(places, f"der/{section.id}/outcome", "Reason", "{{ value_json.reason or 'none' }}"),
    }
    if section.kind != "sunspec_pv":
        found["soc_pct"] = measured(places, topic, "soc_pct", "State of charge", "battery", "%")
        found["dc_p_w"] = power(places, topic, "dc_p_w", "Battery power")
        found["energy_in_wh"] = energy(places, topic, "energy_in_wh", "Energy drawn")
    else:
        found |= gone(("soc_pct", "sensor"), ("dc_p_w", "sensor"), ("energy_in_wh", "sensor"))
    if section.id in _may(site, Schedule.kind):
        found["plan_w"] = _plan(places, section.id)
    else:
        found |= gone(("plan_w", "sensor"))
    return found | _owner_s(places, site, section.id, der.rating)


def _owner_s(places: Places, site: Site, der: str, rating: Rating) -> dict[str, Entity]:
    """What the owner may command of a DER, once its rating is known."""
    found: dict[str, Entity] = {}
    limited = der in _may(site, "operator_limit") and places.may("change_limit", der)
    aimed = der in _may(site, "setpoint") and places.may("set_battery_power", der)
    if not limited:
        found |= gone(("limit", "number"), ("production", "switch"))
    elif rating.p_max_w:
        found["limit"] = _limit(places, der, rating.p_max_w)
        found["production"] = _production(places, der, rating.p_max_w)
    if not aimed:
        found |= gone(("target", "number"))
    elif rating.p_max_w or rating.p_min_w:
        found["target"] = _target(places, der, rating)
    found["reserve"] = _reserve(places, site, der) or {"platform": "number"}
    if not places.may("clear", der):
        return found | gone(("clear", "button"))
    return found | {"clear": button(places, "Drop limits and setpoints", "clear", {"der": f'"{der}"'})}


def _plan(places: Places, der: str) -> Entity:
    """What a planner wants of it now; unknown where no interval lasts, or it is an envelope."""
    template = f"{all_asked('battery_plan', der, 'p_target_w')}{{{{ mine[0] if mine else None }}}}"
    sensor = measured(places, "requests", "requests", "Planned power (+ discharges)", "power", "W")
    return sensor | {"value_template": template}


def _reserve(places: Places, site: Site, der: str) -> Entity | None:
    """What the owner keeps for a blackout: his own word while it lasts, or the site file's."""
    rows = [function for function, ders in site.plan.der_functions if isinstance(function, Reserve) and der in ders]
    if not rows or not places.may("set_reserve", der):
        return None
    [reserve, *_] = rows
    low, high = places.within("min_pct", 0.0 if reserve.may_lower else reserve.min_pct, 100.0)
    template = (
        f"{his_own(places, 'set_reserve', der, 'min_pct')}{{{{ mine | max if mine else {reserve.min_pct:g} }}}}"
    )
    return {
        **number(f"Reserve for {hours(places.hold_s)}", low, high),
        "device_class": "battery",
        "unit_of_measurement": "%",
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **places.command("set_reserve", {"min_pct": "{{ value }}", "der": f'"{der}"'}),
    }


def _may(site: Site, kind: str) -> frozenset[str]:
    """DERs that this function of the operator's runs on."""
    return frozenset(der for function, ders in site.plan.der_functions if function.kind == kind for der in ders)


def _limit(places: Places, der: str | None, most_w: float) -> Entity:
    """The owner's own limit: what he asked for, or the most that there is."""
    template = f"{his_own(places, 'limit_power', der, 'p_ceiling_w')}{{{{ mine | min if mine else {most_w:g} }}}}"
    scope: Mapping[str, str | float] = {} if der is None else {"der": f'"{der}"'}
    return {
        **number(f"Limit for {hours(places.hold_s)}", *places.within("p_ceiling_w", 0, most_w)),
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **places.command("change_limit", {"p_ceiling_w": "{{ value }}", **scope}),
    }


def _production(places: Places, der: str, most_w: float) -> Entity:
    """Off: the owner's own limit is 0 W."""
    asked = places.command(
        "change_limit", {"p_ceiling_w": f"{{{{ 0 if value == 'OFF' else {most_w:g} }}}}", "der": f'"{der}"'}
    )
    watts = his_own(places, "limit_power", der, "p_ceiling_w")
    template = f"{watts}{{{{ 'OFF' if mine and mine | min == 0 else 'ON' }}}}"
    return {
        "platform": "switch",
        "name": f"Production (off for {hours(places.hold_s)})",
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **asked,
    }


def _target(places: Places, der: str, rating: Rating) -> Entity:
    """A battery's power, as the owner set it; 0 where he set none."""
    template = f"{his_own(places, 'set_battery_power', der, 'p_target_w')}{{{{ mine | min if mine else 0 }}}}"
    return {
        **number(
            f"Battery setpoint for {hours(places.hold_s)} (+ discharges)",
            *places.within("p_target_w", rating.p_min_w, rating.p_max_w),
        ),
        "state_topic": f"{places.base}/requests",
        "value_template": template,
        **places.command("set_battery_power", {"p_target_w": "{{ value }}", "der": f'"{der}"'}),
    }
