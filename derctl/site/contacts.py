"""Contact inputs of a site file: how each is wired, and what of that can't be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derctl.core.contacts import DEBOUNCE_S, INVERSE, LOOP, MODES, Wiring
from derctl.core.requests import LOCAL
from derctl.core.words import Contact
from derctl.functions.site_limits import GridLimits
from derctl.site.schema import ContactSection, SiteFile

CONTACTS_MAX = 16
"""Of a site."""


def wiring_of(section: ContactSection) -> Wiring:
    """As the section has it, with what it leaves open."""
    kind = Contact(section.kind)
    usual = "closed" if kind is Contact.EMERGENCY_STOP else "open"
    return Wiring(
        kind=kind,
        lines=tuple(section.lines),
        closed_at_rest=(section.rest or usual) == "closed",
        inverse=frozenset(section.inverse),
        loop=section.loop is not None,
        debounce_s=DEBOUNCE_S[kind] if section.debounce_s is None else section.debounce_s,
        release_s=section.release_s,
    )


def offsets_of(section: ContactSection) -> dict[str, int]:
    """The line of each input, by the names of Wiring.inputs."""
    found = dict(section.lines) | {f"{name} {INVERSE}": line for name, line in section.inverse.items()}
    return found if section.loop is None else found | {LOOP: section.loop}


def latched(section: ContactSection) -> bool:
    """Whether it stays when its contact asks for nothing any more."""
    return section.latch is not False and Contact(section.kind) is Contact.EMERGENCY_STOP


def inputs_text(sections: Sequence[ContactSection]) -> list[str]:
    """For `check`: how each is wired, and what a broken wire does."""
    return [_input_text(each, wiring_of(each)) for each in sections]


def _input_text(section: ContactSection, wiring: Wiring) -> str:
    lines = ", ".join(f"{name} {line}" for name, line in offsets_of(section).items())
    rest = "exactly one closed" if wiring.kind is Contact.RIPPLE_CONTROL else "closed at rest"
    rest = rest if wiring.closed_at_rest or wiring.kind is Contact.RIPPLE_CONTROL else "open at rest"
    text = f"{section.name}: {section.kind}, lines {lines} of {section.chip}, {rest}; "
    after = f"counts after {wiring.debounce_s:g} s, what is looser after {wiring.release_s:g} s"
    if wiring.kind is Contact.EMERGENCY_STOP:
        ends = "until `derctl stop --lift`" if latched(section) else "while it lasts"
        broken = "a wire that breaks, an input that is not still or can't be read"
        return f"{text}stops the site (rank 0) {ends}; {broken} does the same while it lasts; {after}"
    what = "export" if section.limits == "export" else "generation of all DERs"
    rated = "their ratings" if section.rated_w is None else f"{section.rated_w:,.0f} W"
    return (
        f"{text}limits the {what} to its share of {rated} (rank 40); a wire that breaks, an input that is not still "
        f"or can't be read counts as 0 %; {after}"
    )


def contacts(site: SiteFile) -> Iterator[tuple[str, str]]:
    """Path and message of what is surely wrong with them."""
    if len(site.contacts) > CONTACTS_MAX:
        yield "contacts", f"{len(site.contacts)} contacts, more than {CONTACTS_MAX}"
    yield from _names(site)
    taken: dict[tuple[str, int], str] = {}
    for i, section in enumerate(site.contacts):
        for path, text in (*_lines(section), *_supervised(section), *_needs(section, site)):
            yield f"contacts[{i}].{path}", text
        for name, line in offsets_of(section).items():
            before = taken.setdefault((section.chip, line), f"{section.name}'s {name}")
            if before != f"{section.name}'s {name}":
                yield f"contacts[{i}].lines", f"line {line} of {section.chip} is {before} already"


def _names(site: SiteFile) -> Iterator[tuple[str, str]]:
    listed = [] if site.mqtt is None else [each.name for each in site.mqtt.principals]
    names = [each.name for each in site.contacts]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield f"contacts[{i}].name", f"{name!r} is contacts[{names.index(name)}] already"
        if name in listed or name == LOCAL:
            whose = f"mqtt.principals[{listed.index(name)}]" if name in listed else "who comes over the socket"
            yield f"contacts[{i}].name", f"{name!r} is {whose}: choose another name"


def _lines(section: ContactSection) -> Iterator[tuple[str, str]]:
    known: Sequence[str] = tuple(MODES[Contact(section.kind)])
    for name in section.lines:
        if name not in known:
            yield (
                f"lines.{name}",
                f"a contact of kind {section.kind} has no line {name!r}; known are {', '.join(known)}",
            )
    for name in section.inverse:
        if name not in section.lines:
            yield f"inverse.{name}", f"there is no line {name!r} that it could be the inverse of"
    whole = Contact(section.kind) is Contact.RIPPLE_CONTROL
    missing = [name for name in known if name not in section.lines]
    if not section.lines or (whole and missing):
        yield "lines", f"give the lines of {', '.join(missing)}" + (": all four are needed" if whole else "")


def _supervised(section: ContactSection) -> Iterator[tuple[str, str]]:
    """A wire that breaks unseen would leave the site as it is."""
    if Contact(section.kind) is Contact.RIPPLE_CONTROL and section.rest == "closed":
        yield "rest", "of a ripple-control receiver exactly one contact is closed: it has no other rest"
    if not wiring_of(section).supervised:
        text = (
            "a broken wire would not be noticed: use contacts that are closed at rest (rest: closed), give each line"
        )
        yield "lines", f"{text} a second contact that is the other way (inverse), or a loop through the cable (loop)"


def _needs(section: ContactSection, site: SiteFile) -> Iterator[tuple[str, str]]:
    """What it asks for has to be kept by somebody."""
    if Contact(section.kind) is Contact.EMERGENCY_STOP:
        for key in ("rated_w", "limits"):
            if getattr(section, key) not in {None, "generation"}:
                yield key, "an emergency stop limits nothing: it stops"
        return
    if section.latch is not None:
        yield "latch", "only an emergency stop is latched"
    if not any(each.get("kind") == GridLimits.kind for each in site.functions):
        yield "kind", f"a contact of kind {section.kind} needs the function {GridLimits.kind}: add it under functions"
    if section.limits == "export" and site.poc is None:
        yield "limits", "a limit of the export needs a meter at the point of connection (poc)"
