"""What goes to a principal, none of it longer than it may be."""

from __future__ import annotations

from typing import Any

from derctl.daemon.commands.envelope import ID_MAX
from derctl.daemon.report.telemetry import encode
from derctl.store.outbox import Message

NAME_MAX = 64
REPLY_MAX = 8192
"""Characters of a command's name, and of a reply's text."""
CORRELATION_MAX = 128
"""Bytes of the correlation data (MQTT 5, 3.3.2.3.6) that are kept and sent back."""


def reply(command_id: str | None, name: str, result: str, code: str | None, text: str, stamp: str) -> dict[str, Any]:
    """One answer."""
    kept = command_id if command_id is None or len(command_id) <= ID_MAX else None
    text, name = text[:REPLY_MAX], name[:NAME_MAX]
    return {"id": kept, "command": name, "result": result, "code": code, "text": text, "t": stamp}


def answer(principal: str, content: dict[str, Any], correlation: bytes | None = None) -> Message:
    """On its way to who asked. correlation: as it came with the command; more than may be kept is left out."""
    kept = None if correlation is None or len(correlation) > CORRELATION_MAX else correlation
    return Message(topic=f"reply/{principal}", payload=encode(content), qos=1, correlation=kept)
