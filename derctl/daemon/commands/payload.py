"""What a command carries, out of the bytes that came."""

from __future__ import annotations

from typing import Any

import msgspec

from derctl.core.words import Refusal
from derctl.errors import CommandError


def fields_of(payload: bytes) -> dict[str, Any]:
    """Raises CommandError."""
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(Refusal.BAD_JSON, str(error)) from error
    if not isinstance(fields, dict):
        raise CommandError(Refusal.BAD_JSON, "expected an object")
    return fields
