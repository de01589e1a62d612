"""Contact inputs, for people: in `check`, `status` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from derctl.cli.health import Row
from derctl.cli.plain import Clockface, number, wrapped
from derctl.commission.finding import Weight
from derctl.links.gpio import EXTRA, missing
from derctl.site import Site
from derctl.site.contacts import inputs_text

Json = Mapping[str, Any]
OF = {"generation_w": "generation", "export_w": "export"}
"""What a contact may limit, as people call it."""


def wired(site: Site) -> list[str]:
    """For `check`: how each is wired and what it does, and whether it can be read at all."""
    found = inputs_text(site.file.contacts)
    if not found:
        return []
    shown = ["  contacts (while derctl only observes they write nothing):"]
    shown += [line for text in found for line in wrapped(text, "    ", "      ")]
    return shown + (wrapped(f"! {EXTRA}; until then they count as broken", "    ", "      ") if missing() else [])


def wired_json(site: Site) -> list[dict[str, str]]:
    """The same for programs."""
    texts = inputs_text(site.file.contacts)
    return [{"name": each.name, "text": text} for each, text in zip(site.file.contacts, texts, strict=True)]


def lines(state: Json, face: Clockface) -> list[str]:
    """Of a page: a line for each."""
    found = []
    for name, each in state.get("contacts", {}).items():
        since = "" if each["since"] is None else f", since {face.at(each['since'], seconds=True)}"
        found += wrapped(f"{_said(name, each)}{since}", "! " if each["state"] == "broken" else "", "  ")
    return found


def rows(state: Json) -> Iterator[Row]:
    """Of a doctor's page."""
    for name, each in state.get("contacts", {}).items():
        weight, remedy = _judged(each)
        yield Row(topic="contacts", about=name, text=_held(each), weight=weight, remedy=remedy)


def _judged(each: Json) -> tuple[Weight | None, str]:
    if each["state"] == "broken":
        return Weight.MEND, "Look at its cable and the chip: until it is whole it counts as its strictest word"
    if "emergency_stop" in each["holds"]:
        asks = each["state"] == "asks"
        remedy = (
            "Where it is safe: unlock it, then derctl stop --lift" if asks else "Where it is safe: derctl stop --lift"
        )
        return Weight.LOOK, remedy
    if each["state"] == "asks":
        return Weight.NOTE, "None, if the network operator means it"
    return None, ""


def _said(name: str, each: Json) -> str:
    return f"contact {name} ({each['kind'].replace('_', ' ')}): {_held(each)}"


def _held(each: Json) -> str:
    """What it says, and what is held for it."""
    parts = [f"{OF.get(what, what)} at most {number(limit)} W" for what, limit in each["limits"].items()]
    if "emergency_stop" in each["holds"]:
        parts.append(
            "the site is stopped" + (", and stays so until it is lifted" if each["state"] == "at_rest" else "")
        )
    return ": ".join([each["text"], *([", ".join(parts)] if parts else [])])
