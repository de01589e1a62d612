"""`derctl schema`: the site file's JSON schema, with each function's settings, ranges, defaults and sources."""

from __future__ import annotations

import argparse
import json
from dataclasses import MISSING, Field
from typing import Any

import msgspec

from derctl.devices import CATALOGUE as DEVICES
from derctl.functions import ROWS
from derctl.functions.settings import settings_of
from derctl.site import WIRES, SiteFile


def add(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(args: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(schema(), indent=2))
    return 0


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12."""
    made = msgspec.json.schema(SiteFile)
    sections = made["$defs"]
    sections["BusSection"]["oneOf"] = [{"required": [name]} for name in WIRES]
    ders = [name for name, kind in DEVICES.items() if kind.role == "der"]
    sections["DerSection"]["properties"]["kind"] = {"enum": ders}
    rows = [_function(row.kind, row.function) for row in ROWS.values() if row.in_site_file]
    sections["SiteFile"]["properties"]["functions"] = {"type": "array", "items": {"oneOf": rows}, "default": []}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "derctl site file"} | made


def _function(kind: str, cls: Any) -> dict[str, Any]:
    settings = settings_of(cls)
    properties: dict[str, Any] = {
        "kind": {"const": kind},
        "ders": {"type": "array", "items": {"type": "string"}, "description": "default: all that it can serve"},
    }
    properties |= {item.name: _setting(item) for item in settings}
    required = ["kind", *(item.name for item in settings if item.default is MISSING)]
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    return {
        "type": "object",
        "title": kind,
        "description": summary,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _setting(item: Field[Any]) -> dict[str, Any]:
    meta = item.metadata
    found: dict[str, Any] = {"description": meta.get("source", "")}
    if "low" in meta:
        low, high = meta["wide"] or (meta["low"], meta["high"])
        found |= {"type": "number", "minimum": min(low, meta["low"]), "maximum": max(high, meta["high"])}
    elif "among" in meta:
        found["enum"] = list(meta["among"])
    elif "switch" in meta:
        found["type"] = "boolean"
    elif "points" in meta:
        pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
        found |= {"type": "array", "items": pair}
    if item.default is not MISSING and item.default is not None:
        found["default"] = item.default
    return found
