"""Text that comes from outside, made harmless for a terminal, a log and a topic."""

from __future__ import annotations


def clean(text: str) -> str:
    """One line without anything that a terminal would obey; a device can send what it likes."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
