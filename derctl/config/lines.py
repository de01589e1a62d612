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


@dataclass(slots=True)
class _Reader:
    file: str
    loader: yaml.SafeLoader
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def read(self, node: yaml.Node, path: str) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
        return self.loader.construct_object(node, deep=True)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here = f"{path}.{key}" if path else key
            if key in result:
                line = key_node.start_mark.line + 1
                self.problems.append(Problem(file=self.file, line=line, path=here, message="stands twice"))
            result[key] = self.read(value_node, here)
            self.lines[here] = key_node.start_mark.line + 1
        return result


def parse(text: str, file: str) -> Source:
    """Raises ConfigError where the text isn't YAML."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(file, loader)
        value = {} if node is None else reader.read(node, "")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or str(error)
        raise ConfigError([Problem(file=file, line=line, path="(file)", message=f"not YAML: {what}")]) from error
    finally:
        loader.dispose()
    return Source(file, value, reader.lines, tuple(reader.problems))
