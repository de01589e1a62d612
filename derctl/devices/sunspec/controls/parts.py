"""What every control group answers, whatever its model: protocols, so that no caller asks which one it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Rating
from derctl.core.words import Timer
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.bounds import Bounds
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers


class Part(Protocol):
    """A control group. values: of its view, from the same poll."""

    @property
    def view(self) -> View: ...

    @property
    def steps(self) -> Steps: ...

    def bounds(self, rating: Rating) -> Bounds:
        """The most that its points can be told."""
        ...


class Power(Part, Protocol):
    """A group of active power."""

    @property
    def timer(self) -> Timer: ...

    def tells(self, values: Mapping[str, Any]) -> bool:
        """Whether what it was told reads back as anything."""
        ...

    def absent_w(self, fallback: Fallback, p_max_w: float) -> float: ...

    def promises(self, values: dict[str, Any], fallback: Fallback) -> bool:
        """Whether these registers make the fallback true."""
        ...


class Limit(Power, Protocol):
    """Takes a ceiling."""

    def accepted_w(self, values: dict[str, Any], unlimited_w: float) -> float | None: ...

    def write(self, ceiling_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]: ...

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        """A ceiling stands without a timer; None takes the limit off."""
        ...


class Target(Power, Protocol):
    """Takes a target."""

    def accepted_w(self, values: dict[str, Any]) -> float | None: ...

    def write(self, target_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]: ...

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        """Back to the device's own mode, or to rest (0 W) where a fallback ceiling is declared."""
        ...


class Var(Part, Protocol):
    """Takes reactive power."""

    def accepted_var(self, values: dict[str, Any]) -> float | None: ...

    def write(self, q_var: float, fallback: Fallback, answers: Answers) -> Exchange[None]: ...

    def release(self, answers: Answers) -> Exchange[None]: ...
