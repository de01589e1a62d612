"""YAML with the line and the spelling of every value, so that each problem can name its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import yaml

from derctl.core.dataclass import dataclass
from derctl.errors import ConfigError, Problem
from derctl.site.hints import split_number
from derctl.site.scalars import scalar
from derctl.site.syntax import explain


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: plain values, the line of each path like `ders[1].unit`, and how a word without quotes reads."""

    file: str
    value: Any
    lines: Mapping[str, int]
    problems: tuple[Problem, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def line(self, path: str) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)

    def problem(self, path: str, message: str) -> Problem:
        return Problem(file=self.file, line=self.line(path), path=path or "(file)", message=message)


VALUES_MAX = 20_000
"""More values than any site has: aliases of aliases grow without end."""


class _Loader(yaml.SafeLoader):
    """It gives up while it reads, and not when all has become nodes."""

    composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.composed += 1
        if self.composed > VALUES_MAX:
            raise _too_many(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


QUICK: type[Any] = getattr(yaml, "CSafeLoader", _Loader)


def _too_many(mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"more than {VALUES_MAX} values", problem_mark=mark)


TYPOGRAPHIC = tuple("“”„‟‘’‚«»")


@dataclass(slots=True)
class _Reader:
    file: str
    loader: yaml.SafeLoader
    lines: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def read(self, node: yaml.Node, path: str) -> Any:
        self.lines[path] = node.start_mark.line + 1
        self.count += 1
        if self.count > VALUES_MAX:
            raise _too_many(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        """A word whose tag is written out makes PyYAML raise whatever its constructor raises."""
        text = str(node.value)
        if not getattr(node, "style", None) and text.startswith(TYPOGRAPHIC):
            self._problem(node, path, f"{text[0]} is no quote for YAML: write \" or '")
            return None
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        if plain and node.tag == self.loader.resolve(yaml.ScalarNode, text, (True, False)):  # type: ignore[no-untyped-call]
            self.texts[path] = text
            return scalar(text)
        try:
            return self.loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            self._problem(node, path, f"{text[:40]!r} is no {kind}; write it in quotes if it is text")
            return None

    def _problem(self, node: yaml.Node, path: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(file=self.file, line=line, path=path or "(file)", message=message))

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        last = ""
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "a key is a single word")
                continue
            key = str(key_node.value)
            here = f"{path}.{key}" if path else key
            if key != key.strip():
                self._problem(key_node, here, f"a blank that is no space (U+{ord(key[0]):04X}): indent with spaces")
            elif key == "<<":
                self._problem(key_node, here, "merge keys are not read: write the keys out")
            elif node.flow_style and key.isdecimal() and self._split(last, key, value_node):
                self._problem(key_node, last, split_number(self.texts.pop(last), key))
            else:
                if key in result:
                    self._problem(key_node, here, f"stands twice, first in line {self.lines[here]}")
                result[key] = self.read(value_node, here)
                self.lines[here] = key_node.start_mark.line + 1
                last = here
        return result

    def _split(self, last: str, key: str, value_node: yaml.Node) -> bool:
        """Whether `key` is what follows the comma of a number: {limit_w: 7000,5}."""
        empty = isinstance(value_node, yaml.ScalarNode) and not value_node.value and not value_node.style
        return empty and re.fullmatch(r"[-+]?[0-9]+", self.texts.get(last, "")) is not None


def parse(text: str, file: str, *, ours: bool = False) -> Source:
    """Raises ConfigError where the text isn't YAML. ours: of a file that ships with derctl; libyaml reads it, where
    there is one, ten times as fast, but doesn't stop at the first value that is one too many."""
    try:
        loader = QUICK(text) if ours else _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(file, loader)
        value = {} if node is None else reader.read(node, "")
    except yaml.YAMLError as error:
        line, message = explain(text, error)
        raise ConfigError([Problem(file=file, line=line, path="(file)", message=message)]) from error
    except RecursionError as error:
        text = "nested too deeply, or an alias within itself"
        raise ConfigError([Problem(file=file, line=1, path="(file)", message=text)]) from error
    return Source(file, value, reader.lines, tuple(reader.problems), reader.texts)
