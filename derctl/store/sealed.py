"""A file that tells whether it is as it was saved: its checksum stands first in it, and a copy lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from derctl.core.text import error_text

BEGIN = b'{"sha256":"'
DIGITS = 2 * sha256().digest_size
"""Of a SHA-256 in hexadecimal."""

T = TypeVar("T")
UNUSABLE = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file that is none of ours can raise."""


def copy_of(name: str) -> str:
    """The name of the copy. It is written first, so that it is never older than what was saved."""
    return f"{name}.copy"


def sealed(content: bytes) -> bytes:
    """A JSON object with its checksum in front: still one JSON object, for whoever looks at it."""
    rest = content[1:] if content == b"{}" else b"," + content[1:]
    return BEGIN + sha256(content).hexdigest().encode() + b'"' + rest


def opened(raw: bytes) -> bytes | None:
    """What was sealed; None: it has no checksum. Raises ValueError for anything but what was saved, to the bit."""
    if not raw.startswith(BEGIN):
        return None
    rest = raw[len(BEGIN) + DIGITS + 1 :]
    content = b"{" + rest.removeprefix(b",")
    if sealed(content) != raw:
        raise ValueError("its checksum does not match: it is not as it was saved")
    return content


def first_good(
    read: Callable[[str], bytes | None], name: str, parse: Callable[[bytes, bool], T]
) -> tuple[T | None, str | None]:
    """What a file says, or else its copy, and what was wrong. None, None: there is neither.

    parse: takes the content, and whether it had a checksum. A copy without one is none. Raises OSError, or ValueError
    where nothing of it can be used.
    """
    errors: list[tuple[str, Exception]] = []
    for each in (name, copy_of(name)):
        try:
            raw = read(each)
            if raw is not None:
                content = opened(raw)
                if content is None and each != name:
                    raise ValueError("it has no checksum")
                found = parse(raw if content is None else content, content is not None)
                return found, "; ".join([*_told(errors, name), f"{each} is used"]) if each != name else None
        except UNUSABLE as error:
            errors.append((each, error))
    if not errors:
        return None, None
    if isinstance(errors[0][1], OSError):
        raise errors[0][1]
    raise ValueError("; ".join(_told(errors, name)))


def _told(errors: list[tuple[str, Exception]], name: str) -> list[str]:
    """In whose name a text begins needs no name."""
    return [error_text(error) if each == name else f"{each}: {error_text(error)}" for each, error in errors]
