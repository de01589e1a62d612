"""An operator's request as plain values and back. No kind is named here: core/requests.REQUESTS knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from derctl.core.requests import REQUESTS, Request


def plain_of(request: Request) -> dict[str, Any]:
    """Every field, ready for JSON; of the parts of a schedule what they say: a day of five minutes has 288."""
    plain: dict[str, Any] = msgspec.to_builtins(request)
    if plain.get("schedule"):
        plain["schedule"] = [
            {key: value for key, value in part.items() if value is not None} for part in plain["schedule"]
        ]
    return plain


def request_of(plain: Any) -> Request:
    """Raises msgspec.ValidationError for what isn't a request of a kind that this version knows."""
    kind = plain.get("kind") if isinstance(plain, Mapping) else None
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise msgspec.ValidationError(f"no request of kind {kind!r}")
    return msgspec.convert(plain, REQUESTS[kind])
