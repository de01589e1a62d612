"""What each principal may: which commands, for which DERs, with which values, as the site file has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import msgspec

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal, Role
from derctl.daemon.commands.row import INSTALLERS, Command
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.signed import unusable
from derctl.errors import CommandError, ConfigError
from derctl.site import Site, load
from derctl.site.schema import PrincipalSection

LIFE = "expires_s"
"""The one part of the envelope that may have a range, too."""
ABOUT_DERS = frozenset({"der", "ders"})
"""Arguments that name DERs."""
OTHERS = frozenset({Role.OPERATOR, Role.INSTALLER})
"""Who may take back what others asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """place: in the site file. ders None: all, and the site as a whole. ranges: by argument, least and most, the ends
    included. others: it may take back what others asked for. listed: the commands are a list of its own, not its
    role's."""

    name: str
    place: str
    role: Role
    commands: frozenset[str]
    listed: bool = False
    ders: tuple[str, ...] | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    others: bool = True

    def check_command(self, name: str, command: Command) -> None:
        """Raises CommandError: it may not give this command at all."""
        if name in self.commands:
            return
        if command.arms and not self.listed:
            text = f"the site file does not let {self.name} {name} over MQTT ({self.place}.may_arm)"
            raise CommandError(Refusal.MAY_NOT_ARM, text)
        may = f"{self.name} may {', '.join(sorted(self.commands)) or 'nothing'}"
        key = "commands" if self.listed else "role"
        says = "" if self.listed else f" of {self.role}"
        raise CommandError(Refusal.NOT_PERMITTED, f"{name}: {may} ({self.place}.{key}{says})")

    def check_values(self, command: Command, given: Mapping[str, Any], life_s: float) -> None:
        """Raises CommandError: a DER that is not one of its own, or a value beyond what it may ask for. given: the
        arguments as they came. life_s: how long it is to live, from its issue."""
        if self.ders is not None:
            self._check_ders(command, given)
        for name, value in [*_numbers(given), (LIFE, life_s)]:
            if name in self.ranges:
                self._check_range(name, value)

    def _check_ders(self, command: Command, given: Mapping[str, Any]) -> None:
        assert self.ders is not None
        own = f"{self.name} may command {', '.join(self.ders) or 'no DER'} ({self.place}.ders)"
        asked = [*_named(given)]
        for der in asked:
            if der not in self.ders:
                raise CommandError(Refusal.NOT_PERMITTED, f"der = {str(der)[:64]!r}: {own}")
        if (command.saved or command.whole) and not asked:
            raise CommandError(Refusal.NOT_PERMITTED, f"this is for the whole site: {own}")

    def _check_range(self, name: str, value: float) -> None:
        low, high = self.ranges[name]
        if not low <= value <= high:
            text = f"{name} = {value:.10g} is outside {low:.10g} to {high:.10g}, what {self.name} may ask for"
            raise CommandError(Refusal.OUT_OF_ENVELOPE, f"{text} ({self.place}.ranges.{name})")


def _numbers(given: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Each number with its argument's name, however deep it stands."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            yield from _numbers(value, key)
    elif isinstance(given, list):
        for value in given:
            yield from _numbers(value, name)
    elif isinstance(given, int | float) and not isinstance(given, bool):
        yield name, given


def _named(given: Any, name: str = "") -> Iterator[object]:
    """What stands where a DER's name belongs, however deep."""
    if isinstance(given, Mapping):
        for key, value in given.items():
            yield from _named(value, key)
    elif isinstance(given, list):
        for value in given:
            yield from _named(value, name)
    elif name in ABOUT_DERS and given is not None:
        yield given


def rights_of(principals: list[PrincipalSection]) -> dict[str, Rights]:
    """By name."""
    return {each.name: _rights(each, f"mqtt.principals[{i}]") for i, each in enumerate(principals)}


def _rights(section: PrincipalSection, place: str) -> Rights:
    role, listed = Role(section.role), section.commands is not None
    may = {name for name, row in COMMANDS.items() if role in row.may and (not row.arms or role in INSTALLERS)}
    commands = set(section.commands or ()) & COMMANDS.keys() if listed else may
    if section.may_arm:
        commands |= {name for name, row in COMMANDS.items() if row.arms}
    return Rights(
        name=section.name,
        place=place,
        role=role,
        commands=frozenset(commands),
        listed=listed,
        ders=None if section.ders is None else tuple(section.ders),
        ranges={name: (low, high) for name, (low, high) in section.ranges.items()},
        others=role in OTHERS,
    )


def read(path: Path) -> Site:
    """The site file, with what its principals may held against the table of commands. Raises ConfigError."""
    site = load(path)
    listed = [] if site.file.mqtt is None else site.file.mqtt.principals
    wrong = [*unknown(listed), *unusable(listed)]
    if wrong:
        raise ConfigError([site.source.problem(*each) for each in wrong])
    return site


def unknown(principals: list[PrincipalSection]) -> Iterator[tuple[str, str]]:
    """Place and message: commands and arguments that there are not. A range of a name that nothing has bounds
    nothing."""
    known = {LIFE, *arguments()}
    for i, each in enumerate(principals):
        for n, name in enumerate(each.commands or ()):
            if name not in COMMANDS:
                text = f"no command {name!r}; known are {', '.join(COMMANDS)}"
                yield f"mqtt.principals[{i}].commands[{n}]", text
        for name in each.ranges:
            if name not in known:
                text = f"no command has a number {name!r}; known are {', '.join(sorted(known))}"
                yield f"mqtt.principals[{i}].ranges.{name}", text


def arguments() -> set[str]:
    """The names under which a command may have a number, however deep."""
    return {name for command in COMMANDS.values() for name in _number_names(msgspec.inspect.type_info(command.args))}


def _number_names(kind: Any, name: str = "") -> Iterator[str]:
    if isinstance(kind, msgspec.inspect.StructType):
        for field_ in kind.fields:
            yield from _number_names(field_.type, field_.encode_name)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for each in kind.types:
            yield from _number_names(each, name)
    elif isinstance(kind, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        yield from _number_names(kind.item_type, name)
    elif isinstance(kind, msgspec.inspect.TupleType):
        for each in kind.item_types:
            yield from _number_names(each, name)
    elif isinstance(kind, msgspec.inspect.FloatType | msgspec.inspect.IntType):
        yield name
