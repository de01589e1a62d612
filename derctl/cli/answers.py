"""Answers that are given by flags, or asked for once in a terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TypeVar

from derctl.cli.plain import wrapped
from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.errors import CommandError

T = TypeVar("T")


def _terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


@dataclass(slots=True)
class Answers:
    """missing: flags that are needed and were not given, with what they mean. senseless: values of flags that are
    none. refused: what can't be done. Where nobody can be asked all of it is told at once."""

    asks: bool = field(default_factory=_terminal)
    missing: list[str] = field(default_factory=list)
    senseless: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def parsed(self, given: str | None, flag: str, parse: Callable[[str], T], none: T) -> T | None:
        """Of a flag; None where it is not given. Raises ArgumentError where somebody can mend it now."""
        if given is None:
            return None
        try:
            return parse(given)
        except ValueError as error:
            if self.asks:
                raise argparse.ArgumentError(None, f"{flag}: {error}") from error
            self.senseless.append(f"{flag}: {error}")
            return none

    def refuse(self, text: str) -> None:
        """Raises CommandError where somebody sits there."""
        if self.asks:
            raise CommandError(Refusal.BAD_ARGUMENT, text)
        self.refused.append(text)

    def of(
        self, given: T | None, flag: str, text: str, parse: Callable[[str], T], *, usual: str | None = None, none: T
    ) -> T:
        """given: by the flag. usual: what an empty answer means, and what is taken where nobody can be asked. none:
        stands for an answer that is missing until all of them are named."""
        if given is not None:
            return given
        if not self.asks:
            if usual is None:
                self.missing.append(f"{flag}   {text}")
                return none
            return parse(usual)
        while True:
            for line in wrapped(text, "", "  "):
                print(line, file=sys.stderr)
            shown = f" [{usual}]" if usual is not None else ""
            said = _line(f"  {flag}{shown}: ") or usual
            try:
                if said is not None:
                    return parse(said)
            except ValueError as error:
                print(f"  {error}", file=sys.stderr)

    def complete(self) -> None:
        """Raises ArgumentError with each flag that is missing or makes no sense, and what can't be done; CommandError
        where that alone stands against it."""
        parts = list[str]()
        if self.missing:
            parts.append(_listed("nobody can be asked (no terminal), so these have to be given:", self.missing))
        if self.senseless:
            parts.append(_listed("these make no sense:", self.senseless))
        if parts and self.refused:
            parts.append(_listed("and this can't be:", self.refused))
        if parts:
            raise argparse.ArgumentError(None, "\n".join(parts))
        if self.refused:
            raise CommandError(Refusal.BAD_ARGUMENT, "; ".join(self.refused))


def _listed(title: str, each: Sequence[str]) -> str:
    return "\n".join([title, *(f"    {line}" for line in each)])


def _line(prompt: str) -> str:
    """Raises CommandError where there is no more."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise CommandError(Refusal.BAD_ARGUMENT, "the answers end here: nothing was written")
    return line.strip()


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from low to high; raises ValueError."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is no number") from None
        if not low <= value <= high:
            raise ValueError(f"{value:g} is not in {low:g} to {high:g}")
        return value

    return parse


def word(*known: str) -> Callable[[str], str]:
    """One of these; raises ValueError."""

    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"{text!r} is none of {', '.join(known)}")
        return text

    return parse


def pairs(given: Sequence[str] | None, flag: str) -> dict[str, str]:
    """`A=B` of a flag that may be given several times. Raises CommandError."""
    found: dict[str, str] = {}
    for each in given or ():
        key, sign, value = each.partition("=")
        if not sign or not key or not value:
            raise CommandError(Refusal.BAD_ARGUMENT, f"{flag} {each!r}: give it as NAME=VALUE")
        found[key] = value
    return found
