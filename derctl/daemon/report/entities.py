"""What an entity of Home Assistant's MQTT integration consists of, and what its owner may command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.daemon.commands.rights import Rights

ID = "ha-{{ utcnow().timestamp() }}-{{ range(100000) | random }}"
ISSUED = "{{ utcnow().strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}"
"""Two commands never share an id; they are as old as they are."""
Entity = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """base: what the site's topics begin with. root: what its devices' names begin with. owner: the rights of
    the principal whose commands Home Assistant sends, None: it only looks. hold_s: how long they count."""

    base: str
    prefix: str
    root: str
    owner: Rights | None
    hold_s: int

    def may(self, command: str, der: str | None) -> bool:
        """Whether its owner may give this command, for this DER or, None, for the site."""
        if self.owner is None or command not in self.owner.commands:
            return False
        return self.owner.ders is None or der in self.owner.ders

    def within(self, name: str, low: float, high: float) -> tuple[float, float]:
        """What of a range its owner may ask for."""
        assert self.owner is not None
        least, most = self.owner.ranges.get(name, (low, high))
        return max(low, least), min(high, most)

    def state(self, topic: str, key: str) -> Entity:
        """Read from a topic of the site: the field of this name."""
        return {"state_topic": f"{self.base}/{topic}", "value_template": f"{{{{ value_json.{key} }}}}"}

    def command(self, name: str, arguments: Mapping[str, str | float]) -> Entity:
        """A command of the owner's. arguments: JSON, or a template's text."""
        given = "".join(f', "{key}": {each}' for key, each in arguments.items())
        template = f'{{"id": "{ID}", "issued_at": "{ISSUED}", "expires_s": {self.hold_s}{given}}}'
        assert self.owner is not None
        return {"command_topic": f"{self.base}/cmd/{self.owner.name}/{name}", "command_template": template}


def gone(*platforms: tuple[str, str]) -> dict[str, Entity]:
    """Entities that are not, by what the site file says: Home Assistant removes one of which the platform alone is
    named, and keeps one that is left out. One that waits for a device keeps what its owner made of it."""
    return {name: {"platform": platform} for name, platform in platforms}


def his_own(places: Places, kind: str, der: str | None, key: str) -> str:
    """Sets `mine` to what the owner asked for of this kind."""
    assert places.owner is not None
    return all_asked(kind, der, key, f"selectattr('by', 'eq', '{places.owner.name}') | ")


def all_asked(kind: str, der: str | None, key: str, whose: str = "") -> str:
    """Sets `mine` to what is asked for of this kind."""
    of = "selectattr('der', 'none')" if der is None else f"selectattr('der', 'eq', '{der}')"
    alike = f"{whose}selectattr('kind', 'eq', '{kind}') | {of}"
    return f"{{% set mine = value_json.requests | {alike} | map(attribute='{key}') | list %}}"


def number(name: str, least_w: float, most_w: float) -> Entity:
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


def hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h"


def button(places: Places, name: str, command: str, arguments: Mapping[str, str | float]) -> Entity:
    return {"platform": "button", "name": name, **places.command(command, arguments)}


def measured(places: Places, topic: str, key: str, name: str, kind: str, unit: str) -> Entity:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": kind,
        "state_class": "measurement",
        "unit_of_measurement": unit,
        **places.state(topic, key),
    }


def power(places: Places, topic: str, key: str, name: str) -> Entity:
    return measured(places, topic, key, name, "power", "W")


def energy(places: Places, topic: str, key: str, name: str) -> Entity:
    """A counter of the device's own: what the energy dashboard takes."""
    return measured(places, topic, key, name, "energy", "Wh") | {"state_class": "total_increasing"}


def one_of(places: Places, topic: str, key: str, name: str, words: Iterable[str]) -> Entity:
    return {
        "platform": "sensor",
        "name": name,
        "device_class": "enum",
        "options": [str(word) for word in words],
        **places.state(topic, key),
    }


def in_words(places: Places, topic: str, name: str, template: str) -> Entity:
    return {"platform": "sensor", "name": name, "state_topic": f"{places.base}/{topic}", "value_template": template}
