"""Finds what a scenario can't do before it runs: unknown words, missing or unknown arguments."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hil.actions import ACTIONS
from hil.expect import unknown_keys
from hil.faults import ENDPOINT, NAMES
from hil.frame_faults import ACCEPT, ANSWER, FILTERS, REQUEST
from hil.register_faults import REGISTER
from hil.rtu import LINE
from hil.scenario import Event, Scenario, ScenarioError

FAULTS: Mapping[str, Callable[..., Any]] = {**REQUEST, **ANSWER, **LINE, **ACCEPT, **ENDPOINT, **REGISTER}


def validate(scenario: Scenario) -> None:
    """Raise ScenarioError with everything that is wrong."""
    wrong = [*_timeline(scenario), *_expectations(scenario)]
    if wrong:
        raise ScenarioError(f"{scenario.name}: " + "; ".join(wrong))


def _timeline(scenario: Scenario) -> Iterator[str]:
    places = {device.id for device in scenario.devices} | {device.endpoint for device in scenario.devices}
    for event in scenario.timeline:
        given = set(event.args) - {"says"}
        if event.do in ACTIONS:
            yield from _arguments(event, ACTIONS[event.do], given, skip=1)
        elif event.do not in NAMES:
            yield f"no action or fault {event.do!r}; actions: {sorted(ACTIONS)}; faults: {sorted(NAMES)}"
        elif "on" not in given:
            yield f"{event.do} at {event.at_s:g} s needs `on`"
        elif event.args["on"] not in places:
            yield f"{event.do} at {event.at_s:g} s: no device or endpoint {event.args['on']!r}"
        else:
            framed = event.do in REQUEST or event.do in ANSWER or event.do in LINE
            yield from _arguments(
                event, FAULTS[event.do], given - {"on", "for_s"} - (FILTERS if framed else set()), 1
            )


def _arguments(event: Event, act: Callable[..., Any], given: set[str], skip: int) -> Iterator[str]:
    parameters = list(inspect.signature(act).parameters.values())[skip:]
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    needed = {p.name for p in parameters if p.default is p.empty and p.kind is inspect.Parameter.KEYWORD_ONLY}
    if unknown := (set() if open_ended else given - names):
        yield f"{event.do} at {event.at_s:g} s: unknown {', '.join(sorted(unknown))}"
    if lacking := needed - given:
        yield f"{event.do} at {event.at_s:g} s lacks {', '.join(sorted(lacking))}"


def _expectations(scenario: Scenario) -> Iterator[str]:
    for number, wanted in enumerate(scenario.expect):
        if unknown := unknown_keys(wanted):
            yield f"expectation {number}: unknown {', '.join(unknown)}"
        if "signal" not in wanted:
            yield f"expectation {number} lacks its signal"
