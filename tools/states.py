"""docs/states.md from the tables of the daemon's state machines: `python -m tools.states` writes it anew. Pure."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from derctl.core.words import Bind, Reason, Released
from derctl.daemon import arming
from derctl.daemon.actuate import hold, release, trouble
from derctl.daemon.actuate.trouble import Happened, Trouble
from derctl.daemon.arming import Arm, Arming, Said
from derctl.daemon.channel import binding
from derctl.daemon.channel.binding import Binding, Look

PAGE = Path(__file__).parents[1] / "docs" / "states.md"
ANY = "any"
FREE = "free"
"""No trouble: nothing stands between a setpoint and its device."""

Step = tuple[str, str]
"""From a state, at a happening."""

INTRO = """\
# State machines

The daemon is made of small state machines. Each is a frozen state and a table, or a few pure functions, of what
becomes of it; asyncio only carries them. This page is drawn from the code by `python -m tools.states`, and a test
(`tests/laws/test_states.py`) compares the two. What a word means to an operator stands in [glossary.md](glossary.md).

In the diagrams `any` is any state. What leaves a state as it is has no arrow; in the tables, which have a column for
each state, it has a dash.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """start: the first state. steps: to which state each one leads. told: the event that says so to people."""

    title: str
    source: str
    text: str
    start: str
    steps: Mapping[Step, str]
    told: Mapping[Step, str]


def arming_machine() -> Machine:
    """Whether setpoints leave."""
    steps = {(str(state), str(said)): str(after) for (state, said), after in arming.TABLE.items()}
    opened = {Arm.CONTROLLING.value}
    return Machine(
        title="Arming: may setpoints leave the daemon?",
        source="derctl/daemon/arming.py",
        text=f"{prose(Arm)} {prose(Said)}",
        start=str(Arming().state),
        steps=steps,
        told={
            step: "mode_control" if after in opened else "mode_observe"
            for step, after in steps.items()
            if (step[0] in opened) is not (after in opened)
        },
    )


def binding_machine() -> Machine:
    """How far a device can be believed. A silence counts once START_S are over."""
    steps: dict[Step, str] = {}
    told: dict[Step, str] = {}
    for state in Bind:
        for look, age_s, name in _looks():
            before = Binding(state=state)
            after = binding.seen(before, look, None, "", age_s=age_s)
            steps[str(state), name] = str(after.state)
            if (event := binding.news(before, after)) is not None:
                told[str(state), name] = event
    return Machine(
        title="Binding: is this the device, and can it be believed?",
        source="derctl/daemon/channel/binding.py",
        text=f"{prose(Look)} A device that is not found is looked for every {binding.REBIND_S:g} s, one that was "
        f"found before every {binding.BACK_S:g} s at first; {binding.REFUSED_LIMIT} polls in a row that are refused "
        f"with exception 2 have it found anew. One that was found incomplete is looked at again after "
        f"{binding.REBIND_S:g} s, doubled up to {binding.LOOK_MOST_S:g} s, and at once on a new connection.",
        start=str(Binding().state),
        steps=steps,
        told=told,
    )


def _looks() -> Iterator[tuple[Look, float, str]]:
    for look in Look:
        if look is Look.SILENT:
            yield look, 0.0, f"{look} in the first {binding.START_S:g} s"
            yield look, binding.START_S, f"{look} later"
        else:
            yield look, binding.START_S, str(look)


def trouble_machine() -> Machine:
    """What stands between a setpoint and its device."""
    steps: dict[Step, str] = {}
    told: dict[Step, str] = {}
    codes: list[Reason | None] = [None, *(code for code in trouble.SETS.values() if code is not None)]
    for code in codes:
        for happened, late, name in _happenings():
            before = Trouble(code=code, late=late)
            after = trouble.after(before, happened)
            steps[code or FREE, name] = after.code or FREE
            if (event := trouble.news(before, after)) is not None:
                told[code or FREE, name] = event
    return Machine(
        title="Trouble: what stands between a setpoint and its device?",
        source="derctl/daemon/actuate/trouble.py",
        text=f"{FREE}: nothing does; any other state is the `reason` of the outcome. sent, silent, refused: how a "
        "write ended on the wire. taken, ignored, clipped: what reads back of it; the device is given "
        f"{trouble.IGNORED_AFTER} writes before it is said to ignore or clip. quiet: nothing is due; heard: and its "
        "polls are answered.",
        start=Trouble().code or FREE,
        steps=steps,
        told=told,
    )


def _happenings() -> Iterator[tuple[Happened, int, str]]:
    for happened in Happened:
        if happened is Happened.LATE:
            yield happened, 0, f"{happened}, below {trouble.LATE_AFTER} in a row"
            yield happened, trouble.LATE_AFTER - 1, f"{happened}, {trouble.LATE_AFTER} in a row"
        else:
            yield happened, 0, str(happened)


def arrows(machine: Machine) -> list[tuple[str, str, list[str]]]:
    """From, to and the happenings between, without what leaves a state as it is; `any` where all lead there."""
    found: dict[tuple[str, str], list[str]] = {}
    states = list(dict.fromkeys(state for state, _ in machine.steps))
    for name in dict.fromkeys(name for _, name in machine.steps):
        ends = {machine.steps[state, name] for state in states}
        if len(ends) == 1:
            found.setdefault((ANY, ends.pop()), []).append(name)
            continue
        for state in states:
            end = machine.steps[state, name]
            if end != state:
                found.setdefault((state, end), []).append(name)
    return [(start, end, names) for (start, end), names in found.items()]


def diagram(machine: Machine) -> str:
    """For Mermaid."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {machine.start}"]
    lines += [f"    {start} --> {end}: {'; '.join(names)}" for start, end, names in arrows(machine)]
    return "\n".join([*lines, "```"])


def matrix(machine: Machine) -> str:
    """A row for each happening, a column for each state."""
    states = list(dict.fromkeys(state for state, _ in machine.steps))
    names = dict.fromkeys(name for _, name in machine.steps)
    rows = [
        [name, *("–" if (end := machine.steps[state, name]) == state else f"`{end}`" for state in states)]
        for name in names
    ]
    return table(["at", *(f"`{state}`" for state in states)], rows)


def events(machine: Machine) -> str:
    """Which event tells of which steps."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for step, event in machine.told.items():
        found.setdefault((event, machine.steps[step]), {})[f"`{step[0]}`"] = None
    rows = [[f"`{event}`", f"`{end}`", ", ".join(starts)] for (event, end), starts in found.items()]
    return table(["event", "comes with", "from"], rows)


def released() -> str:
    """What follows each result of a release: computed, since the table is a rule."""
    results = {
        Released.RELEASED: "given back; out of the journal",
        Released.UNREACHABLE: f"tried again {_waits(Released.UNREACHABLE)}",
        Released.REFUSED: f"tried again {_waits(Released.REFUSED)}",
        Released.NOT_WRITTEN: "none: only said, with what stands in it",
        Released.WAITS: f"tried again {_waits(Released.WAITS)}; its own timer ends what was written meanwhile",
        Released.NOT_IN_FILE: "none: it stays in the journal, and is named at each start and release",
    }
    return table(["result", "what follows"], [[f"`{result}`", results[result]] for result in Released])


def _waits(result: Released) -> str:
    """The waits after one result again and again, until they don't change."""
    waits: list[float] = []
    attempts = release.Attempts()
    while waits[-1:] != waits[-2:-1] or not waits:
        attempts = attempts.noted({"der": release.Release(result)}, 0.0)
        waits.append(attempts.by_der["der"].due_s)
    steps = [f"{wait_s:g}" for wait_s in waits[:-1]]
    return f"after {steps[0]} s, every time" if len(steps) == 1 else f"after {', '.join(steps)} s, and so on"


def held() -> str:
    """What makes a device's hold another one: the functions of the module, with their own words."""
    found = {name: each for name, each in vars(hold).items() if inspect.isfunction(each) and name[0] != "_"}
    own = {name: each for name, each in found.items() if each.__module__ == hold.__name__}
    return table(["happening", "what becomes of it"], [[f"`{name}`", prose(each)] for name, each in own.items()])


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """In Markdown."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def prose(thing: object) -> str:
    """Its docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split())


def section(title: str, source: str, text: str, *parts: str) -> str:
    """A heading, where it is from, words, and what was drawn."""
    return "\n\n".join([f"## {title}", textwrap.fill(f"`{source}`. {text}", 118), *parts])


def page() -> str:
    """The whole page."""
    sections = [
        section(each.title, each.source, each.text, diagram(each), matrix(each), events(each))
        for each in (arming_machine(), binding_machine(), trouble_machine())
    ]
    told = "Hold: what was a device told, and what may it still hold of it?"
    sections.append(section(told, "derctl/daemon/actuate/hold.py", prose(hold.Hold), held()))
    given = "Release: what becomes of giving a device back?"
    sections.append(section(given, "derctl/daemon/actuate/release.py", prose(release.Attempts.noted), released()))
    return "\n\n".join([INTRO.rstrip(), *sections]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
