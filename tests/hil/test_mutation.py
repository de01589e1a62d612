"""Messages made bad: the same from the same seed, of every kind, and often enough good ones on the outside."""

import json
from random import Random

from hil.exchange import HEADER, framed
from hil.flood import over_mqtt, over_socket
from hil.mutation import VALUES, mutated, mutated_frame, mutated_json

FRAME = framed(7, 1, bytes((3, 20)) + bytes(range(20)))
FIELDS = {"id": "a1", "p_ceiling_w": 1500, "der": "pv1"}


def well_formed(frame: bytes) -> bool:
    """Its header is right for what follows it."""
    return len(frame) > HEADER.size and HEADER.unpack_from(frame) == (7, 0, len(frame) - HEADER.size + 1, 1)


def test_one_seed_gives_one_attack() -> None:
    def attack(seed: int) -> list[bytes]:
        chance = Random(seed)
        return [mutated_frame(FRAME, chance) for _ in range(50)] + [mutated_json(FIELDS, chance) for _ in range(50)]

    assert attack(8) == attack(8) != attack(9)


def test_frames_are_hurt_in_header_length_and_values_alike() -> None:
    chance = Random(1)
    frames = [mutated_frame(FRAME, chance) for _ in range(2000)]
    looked_at = [frame for frame in frames if well_formed(frame)]
    assert 0.3 < len(looked_at) / len(frames) < 0.9
    whole = [frame for frame in looked_at if len(frame) == len(FRAME) and frame[:9] == FRAME[:9]]
    assert len(whole) > 300, "an answer that only its values lie about"
    assert len({len(frame) for frame in frames}) > 20
    assert sum(frame == FRAME for frame in frames) < 0.1 * len(frames)


def test_half_of_the_commands_are_json_with_every_odd_value() -> None:
    chance = Random(2)
    found, seen = [mutated_json(FIELDS, chance) for _ in range(4000)], set()
    for content in found:
        try:
            seen |= {json.dumps(value) for value in json.loads(content).values()}
        except (ValueError, RecursionError, AttributeError):
            seen.add("not an object")
    assert {json.dumps(value) for value in VALUES} <= seen and "not an object" in seen


def test_nothing_has_no_byte_to_change_and_still_becomes_something() -> None:
    assert all(isinstance(mutated(b"", Random(seed)), bytes) for seed in range(50))


def test_commands_have_names_that_are_none_and_lines_that_are_no_json() -> None:
    chance = Random(3)
    assert {"limit_power", "ping", "limit_power2"} <= {over_mqtt(chance)[0] for _ in range(500)}
    lines = [over_socket(chance) for _ in range(500)]
    assert any(line.startswith(b'{"call":"status"') for line in lines)
    assert any(not line.startswith(b"{") for line in lines)
