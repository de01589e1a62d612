"""YAML with the line of every value, so that each problem can name its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from derctl.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: plain values, and the line of each path like `ders[1].unit`."""

    file: str
    value: Any
    lines: Mapping[str, int]
    problems: tuple[Problem, ...] = ()

    def line(self, path: str) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)

    def problem(self, path: str, message: str) -> Problem:
        return Problem(file=self.file, line=self.line(path), path=path or "(file)", message=message)


VALUES_MAX = 100_000
"""More values than any site has: aliases of aliases grow without end."""


@dataclass(slots=True)
class _Reader:
    file: str
    loader: yaml.SafeLoader
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def read(self, node: yaml.Node, path: str) -> Any:
        self.lines[path] = node.start_mark.line + 1
        self.count += 1
        if self.count > VALUES_MAX:
            raise yaml.MarkedYAMLError(problem=f"more than {VALUES_MAX} values", problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        """A word that only looks like a date or a number makes PyYAML raise whatever its constructor raises.

        Only true and false are truth values, as in YAML 1.2: `off` is a word of the site file.
        """
        if node.tag == "tag:yaml.org,2002:bool" and str(node.value).lower() in {"on", "off", "yes", "no"}:
            return str(node.value)
        try:
            return self.loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            text = f"{str(node.value)[:40]!r} is no {kind}; quote it if it is text"
            self._problem(node, path, text)
            return None

    def _problem(self, node: yaml.Node, path: str, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(Problem(file=self.file, line=line, path=path or "(file)", message=message))

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, path, "a key is a single word")
                continue
            key = str(key_node.value)
            here = f"{path}.{key}" if path else key
            if key in result:
                self._problem(key_node, here, "stands twice")
            result[key] = self.read(value_node, here)
            self.lines[here] = key_node.start_mark.line + 1
        return result


def parse(text: str, file: str) -> Source:
    """Raises ConfigError where the text isn't YAML."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        reader = _Reader(file, loader)
        value = {} if node is None else reader.read(node, "")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"character {error.character!r} is not allowed: {error.reason}"
        raise ConfigError([Problem(file=file, line=line, path="(file)", message=f"not YAML: {what}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or str(error)
        raise ConfigError([Problem(file=file, line=line, path="(file)", message=f"not YAML: {what}")]) from error
    except RecursionError as error:
        text = "nested too deeply, or an alias within itself"
        raise ConfigError([Problem(file=file, line=1, path="(file)", message=text)]) from error
    return Source(file, value, reader.lines, tuple(reader.problems))
