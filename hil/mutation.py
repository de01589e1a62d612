"""Good messages made bad, as a broken or hostile sender makes them. Pure: the chance is handed in."""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from hil.exchange import HEADER, framed

WORDS = (b"\x00\x00", b"\x00\x01", b"\x7f\xff", b"\x80\x00", b"\xff\xfe", b"\xff\xff", b"\x7f\xc0", b"\x7f\x80")
"""Not implemented, infinite, not a number, and the ends of the ranges."""
TEXTS = (
    *(b"1e999", b"-1e999", b"NaN", b"Infinity", b"1e-320", b"-0", b"9" * 400, b"null", b"true", b'""', b"{}", b"[]"),
    *(b'"\\ud800"', b'"\\u0000"', b"\xff\xfe", b"[" * 3000, b'{"a":' * 1500, b'"' + b"x" * 9000 + b'"'),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -0.0, 1e308, -1e308, 5e-324, 10**30, 2**63, "", "false", "NaN", "1500", "\x00"),
    *("../../etc", "a/b", "+", "#", "é" * 200, "x" * 9000, [], [1], {}, {"p_ceiling_w": 1}, [[[[]]]]),
)
Change = Callable[[bytes, Random], bytes]


def _flip(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + bytes((content[at] ^ 1 << chance.randrange(8),)) + content[at + 1 :]


def _word(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + chance.choice(WORDS) + content[at + 2 :]


def _cut(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(1, len(content) + 1)]


def _hole(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + content[at + chance.randrange(1, 9) :]


def _noise(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.randrange(1, 33)) + content[at:]


def _twice(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + content[at : at + chance.randrange(1, 65)] + content[at:]


def _text(content: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice(TEXTS) + content[at + chance.randrange(9) :]


BYTES: tuple[Change, ...] = (_flip, _flip, _word, _word, _cut, _hole, _noise, _twice)


def mutated(content: bytes, chance: Random, kinds: tuple[Change, ...] = BYTES) -> bytes:
    """The content with one to eight changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        content = chance.choice(kinds)(content or b"\0", chance)
    return content


def mutated_frame(frame: bytes, chance: Random) -> bytes:
    """A Modbus frame. Half of the time its header stays right for what follows it, so that more is looked at."""
    if len(frame) <= HEADER.size or chance.random() < 0.5:
        return mutated(frame, chance)
    tid, _, _, unit_id = HEADER.unpack_from(frame)
    pdu = frame[HEADER.size :]
    if chance.random() < 0.5:
        return framed(tid, unit_id, mutated(pdu, chance)[:252])
    body = mutated(pdu[2:], chance)[: len(pdu) - 2]
    return framed(tid, unit_id, pdu[:2] + body + bytes(len(pdu) - 2 - len(body)))


def mutated_json(fields: Mapping[str, Any], chance: Random) -> bytes:
    """An object as JSON. Half of the time it stays JSON, with a field that is another, is missing or is one more."""
    if chance.random() < 0.5:
        return mutated(json.dumps(fields).encode(), chance, (*BYTES, _text, _text))
    changed = dict(fields)
    name = chance.choice([*changed, "more", "id", "expires_s"])
    if chance.random() < 0.2:
        changed.pop(name, None)
    else:
        changed[name] = chance.choice(VALUES)
    return json.dumps(changed).encode()
