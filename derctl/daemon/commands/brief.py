"""What of a command the audit log keeps: a schedule of a day each five minutes would fill it in two."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

KEPT_MAX = 4096
"""Bytes of an argument that the audit log keeps; of a larger one its size and its hash."""


def brief(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments; a large one as `bytes` and `sha256` of its JSON, keys sorted, without spaces."""
    return {key: _brief(value) for key, value in fields.items()}


def _brief(value: Any) -> Any:
    if not isinstance(value, str | list | Mapping):
        return value
    written = msgspec.json.encode(value, order="sorted")
    return value if len(written) <= KEPT_MAX else {"bytes": len(written), "sha256": sha256(written).hexdigest()}
