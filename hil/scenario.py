"""A scenario file: plant, devices, the daemon's site file, timeline, expectations. See hil/README.md."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Args = Mapping[str, Any]


class Words(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which only true and false are booleans: `on: pv1` has the key "on", as YAML 1.2 reads it. By libyaml
    where PyYAML has it, which takes a tenth of the time."""


Words.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Words.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


class ScenarioError(ValueError):
    """The file can't be used; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """One Modbus device. `unit` None: as its maker delivers it, 1 mostly. `node`, `phase` ("a", "b", "c"; "": all)
    and `rating` for DERs; `der` names the DER whose battery a BMS shows. `tls`: the certificate that its endpoint
    shows; without one it speaks no TLS."""

    id: str
    face: str
    unit: int | None = None
    endpoint: str = ""
    tls: str = ""
    node: str = "poc"
    phase: str = ""
    der: str = ""
    serial: str = ""
    personality: str = "generic"
    habits: Args = field(default_factory=dict)
    rating: Args = field(default_factory=dict)
    inverter: Args = field(default_factory=dict)
    battery: Args = field(default_factory=dict)
    options: Args = field(default_factory=dict)
    sun: Args = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something done `at_s` of wall time after the daemon answered first; 0: before it was started."""

    at_s: float
    do: str
    args: Args


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The parsed file. `waive` names common invariants that this scenario breaks on purpose, with the reason.

    `profiles`: files of one's own beside the site file, by name.

    `mqtt`: a broker; a list has lines of mosquitto's configuration. `serial`: endpoints that are a serial line, with
    their settings; `rtu_over_tcp`: those that take RTU frames on a socket. All others speak Modbus TCP.
    """

    name: str
    about: str = ""
    seed: int = 1
    duration_s: float = 30.0
    plant_speed: float = 1.0
    controller: bool = True
    mqtt: bool | Sequence[str] = False
    plant: Args = field(default_factory=dict)
    devices: tuple[DeviceSpec, ...] = ()
    serial: Args = field(default_factory=dict)
    rtu_over_tcp: tuple[str, ...] = ()
    site: Args = field(default_factory=dict)
    profiles: Args = field(default_factory=dict)
    timeline: tuple[Event, ...] = ()
    expect: tuple[Args, ...] = ()
    waive: Args = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def load(path: Path) -> Scenario:
    """Read and check a file; ScenarioError with the place of the first mistake."""
    try:
        return parse(_document(path))
    except (TypeError, KeyError, ValueError) as wrong:
        raise ScenarioError(f"{path}: {wrong}") from wrong


def _document(path: Path) -> dict[str, Any]:
    """The file over its `base` (a file beside it, or under base/); `set` changes single places by dotted path,
    `also` adds to its lists, `many` adds many of a kind."""
    document = yaml.load(path.read_text(encoding="utf-8"), Words)
    if not isinstance(document, dict):
        raise ScenarioError(f"{path}: not a mapping")
    base, changes = document.pop("base", None), document.pop("set", {})
    also, many = document.pop("also", {}), document.pop("many", [])
    if base is not None:
        below = _document(path.parent / f"{base}.yaml")
        document = {**below, **{key: _merged(below.get(key), value) for key, value in document.items()}}
    for place, value in changes.items():
        put(document, place, value)
    for key, more in also.items():
        document[key] = [*document.get(key, ()), *more]
    for each in many:
        _multiply(document, **each)
    return document


def _multiply(document: dict[str, Any], *, first: int, last: int, add: Mapping[str, Any]) -> None:
    """Add elements to lists by dotted path, one for each number from first to last, with `{n}` replaced by it."""
    for number in range(first, last + 1):
        for place, element in add.items():
            put(document, f"{place}.+", filled(element, {"n": str(number)}))


def _merged(below: Any, above: Any) -> Any:
    """Mappings merge, anything else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def put(document: Any, place: str, value: Any) -> None:
    """Set `a.0.b` in nested mappings and lists; list elements go by index, id or kind. None removes, `+` adds."""
    *parents, last = place.split(".")
    for part in parents:
        document = document[_index(document, part)] if isinstance(document, list) else document.setdefault(part, {})
    if isinstance(document, list):
        if last == "+":
            document.append(value)
        elif value is None:
            del document[_index(document, last)]
        else:
            document[_index(document, last)] = value
        return
    document[last] = value


def _index(elements: list[Any], part: str) -> int:
    if part.lstrip("-").isdigit():
        return int(part)
    named = [i for i, e in enumerate(elements) if isinstance(e, dict) and part in (e.get("id"), e.get("kind"))]
    if not named:
        raise ScenarioError(f"no element {part!r}")
    return named[0]


def parse(document: Mapping[str, Any]) -> Scenario:
    """A Scenario from a mapping as it stands in YAML."""
    given = dict(document)
    given["devices"] = tuple(DeviceSpec(**device) for device in given.get("devices", ()))
    given["timeline"] = tuple(sorted((_event(event) for event in given.get("timeline", ())), key=lambda e: e.at_s))
    given["expect"] = tuple(given.get("expect", ()))
    given["rtu_over_tcp"] = tuple(given.get("rtu_over_tcp", ()))
    given["needs"] = tuple(given.get("needs", ()))
    scenario = Scenario(**given)
    ids = [device.id for device in scenario.devices]
    if len(set(ids)) != len(ids):
        raise ScenarioError(f"device ids repeat: {ids}")
    return scenario


def _event(given: Mapping[str, Any]) -> Event:
    args = {key: value for key, value in given.items() if key not in ("at", "do")}
    return Event(at_s=float(given["at"]), do=str(given["do"]), args=args)


def filled(template: Any, words: Mapping[str, str]) -> Any:
    """The template with `{port:X}`, `{dir}`, `{mqtt_port}` replaced; a value that becomes all digits is a number."""
    if isinstance(template, Mapping):
        return {key: filled(value, words) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, words) for value in template]
    if not isinstance(template, str) or "{" not in template:
        return template
    text = template
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return int(text) if text.isdigit() else text
