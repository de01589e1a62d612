"""What a command carries, out of the bytes that came."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from derctl.core.words import Refusal
from derctl.daemon.commands.row import SCHEDULE_MAX
from derctl.errors import CommandError


class _Id(msgspec.Struct, frozen=True):
    id: str | None = None


def id_of(payload: bytes) -> str | None:
    """Of what is refused unread, so that its sender knows which one it was: by its own word, which counts for nothing
    else. None: it says none."""
    head, _, rest = payload.strip().partition(b".")
    if len(payload) > SCHEDULE_MAX:
        return None
    try:
        said = payload if not rest or head.startswith(b"{") else _unsigned(rest.partition(b".")[0])
        return msgspec.json.decode(said, type=_Id).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _unsigned(content: bytes) -> bytes:
    """What a compact JWS carries. Raises ValueError."""
    return base64.b64decode(content + b"=" * (-len(content) % 4), altchars=b"-_", validate=True)


def fields_of(payload: bytes) -> dict[str, Any]:
    """Raises CommandError."""
    try:
        fields = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(Refusal.BAD_JSON, str(error)) from error
    if not isinstance(fields, dict):
        raise CommandError(Refusal.BAD_JSON, "expected an object")
    return fields
