"""The table of security events in docs/interfaces.md and their JSON schema, from derctl/daemon/security: `python -m
tools.security` writes both anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from derctl.daemon.security import EVENTS, GRAVE, INCIDENTS, Told

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "interfaces.md"
SCHEMA = DOCS / "security.schema.json"
BEGIN = "<!-- from the table of security events, by python -m tools.security -->\n"
END = "<!-- up to here, security events -->\n"
HEAD = """\
| `incident` | `severity` | meaning | from the events |
|---|---|---|---|
"""


def table() -> str:
    """All incidents, each on its line."""
    codes = ", ".join(f"`{code}`" for code in sorted(GRAVE))
    rows = []
    for incident, (severity, says) in INCIDENTS.items():
        events = ", ".join(f"`{name}`" for name, (of, _) in EVENTS.items() if of is incident)
        rows.append(f"| `{incident}` | `{severity}` | {says.replace('GRAVE', codes)} | {events} |\n")
    return HEAD + "".join(rows)


def page(text: str) -> str:
    """The document with the table as it is now. Raises ValueError: it has no place for it."""
    head, _, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise ValueError("no place for the table of security events")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def schema() -> dict[str, Any]:
    """JSON Schema of one event (draft 2020-12)."""
    found = msgspec.json.schema(Told)
    told = found["$defs"]["Told"]
    told["description"] = " ".join(str(told["description"]).split())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "derctl security event", **found}


def main() -> None:
    """Write both."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
