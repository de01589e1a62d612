"""What is kept for others, for people: the ledger and the audit log, in `status` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from derctl.cli.health import Row
from derctl.cli.plain import Clockface, number, wrapped
from derctl.commission.finding import Weight

Json = Mapping[str, Any]
SHOWN = {
    "import_wh": "imported",
    "export_wh": "exported",
    "generation_wh": "generated",
    "charge_wh": "charged",
    "discharge_wh": "discharged",
}
"""Sums of an interval, as people call them."""
MANY = 96
"""Our choice: a day of intervals that the broker does not have, while there is one."""


def lines(state: Json, face: Clockface) -> list[str]:
    """Of a page: one for each, none of a daemon that does not tell."""
    kept = state.get("records")
    if not kept:
        return []
    ledger, audit = kept["ledger"], kept["audit"]
    parts = [_size(ledger, "intervals"), *_since(ledger, face), *_last(ledger, face), *_owed(ledger)]
    found = wrapped("; ".join(parts), "ledger: ", "  ")
    return found + wrapped(f"{_size(audit, 'records')}; {_chain(audit, face)}", "audit log: ", "  ")


def rows(state: Json, *, zone: tzinfo | None = None) -> Iterator[Row]:
    """Of a doctor's page. zone: of its times, default the system's."""
    kept = state.get("records")
    if not kept:
        return
    face = Clockface(state["t"], zone)
    yield _ledger(kept["ledger"], face, connected=bool(state["mqtt"] and state["mqtt"]["connected"]))
    yield _audit(kept["audit"], face)


def _ledger(ledger: Json, face: Clockface, *, connected: bool) -> Row:
    text = "; ".join([_size(ledger, "intervals"), *_since(ledger, face), *_last(ledger, face), *_owed(ledger)])
    if ledger["problem"] is not None:
        remedy = "Make room, or change the card; what is counted meanwhile becomes one long interval"
        return Row(topic="records", about="ledger", text=text, weight=Weight.MEND, remedy=remedy)
    if connected and (ledger["waiting"] or 0) > MANY:
        remedy = "If it does not get less: look whether the broker takes the topic interval"
        return Row(topic="records", about="ledger", text=text, weight=Weight.NOTE, remedy=remedy)
    if ledger["dropped"]:
        remedy = "Give it more room (records.keep_mb, keep_days), or a larger disk"
        return Row(topic="records", about="ledger", text=text, weight=Weight.NOTE, remedy=remedy)
    return Row(topic="records", about="ledger", text=text)


def _audit(audit: Json, face: Clockface) -> Row:
    text = f"{_size(audit, 'records')}; {_chain(audit, face)}"
    if audit["chain"] == "broken":
        remedy = "Keep the files audit-*.log as they are, and ask who could write there: derctl audit verify"
        return Row(topic="records", about="audit log", text=text, weight=Weight.MEND, remedy=remedy)
    if audit["problem"] is not None or audit["lost"]:
        remedy = "Make room, or change the card: who asked for what is not on record meanwhile"
        return Row(topic="records", about="audit log", text=text, weight=Weight.MEND, remedy=remedy)
    return Row(topic="records", about="audit log", text=text)


def _size(kept: Json, what: str) -> str:
    count = kept["records"]
    return f"{count:,} {what.removesuffix('s') if count == 1 else what}, {kept['bytes'] / 1e6:,.1f} MB"


def _since(ledger: Json, face: Clockface) -> list[str]:
    return [] if ledger["oldest"] is None else [f"since {face.at(ledger['oldest'])}"]


def _last(ledger: Json, face: Clockface) -> list[str]:
    """The newest interval, by those of its sums that are known."""
    last = ledger["last"]
    if last is None:
        return ["none is over yet"]
    sums = [f"{number(last[name])} Wh {word}" for name, word in SHOWN.items() if last.get(name) is not None]
    said = ", ".join(sums) or "nothing was counted"
    return [f"the last one {face.at(last['from'])} to {face.at(last['to'])}: {said}"]


def _owed(ledger: Json) -> list[str]:
    """What is not where it belongs."""
    waiting, found = ledger["waiting"], list[str]()
    if waiting is not None:
        found.append(f"{waiting:,} wait for the broker" if waiting else "the broker has all")
    if ledger["gaps"]:
        gaps = "gap" if ledger["gaps"] == 1 else "gaps"
        found.append(f"{ledger['gaps']:,} {gaps} in which nobody watched")
    if ledger["dropped"]:
        found.append(f"{ledger['dropped']:,} dropped since the start")
    if ledger["problem"] is not None:
        found.append(f"{ledger['unsaved']:,} not saved: {ledger['problem']}")
    return found


def _chain(audit: Json, face: Clockface) -> str:
    if audit["checked"] is None:
        text = "its chain is being read"
    elif audit["chain"] == "ok":
        text = f"its chain holds (read {face.at(audit['checked'])})"
    elif audit["chain"] == "broken":
        text = f"its chain is BROKEN: {audit['text']}"
    else:
        text = f"its chain can't be read: {audit['text']}"
    lost = f"; {audit['lost']:,} lost" if audit["lost"] else ""
    return text + lost + (f"; not saved: {audit['problem']}" if audit["problem"] is not None else "")
