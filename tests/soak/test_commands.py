"""Mutated commands by everybody, over the whole table: what is none changes nothing, and fills nothing."""

from __future__ import annotations

import asyncio
import itertools
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from derctl.core.words import Refusal
from derctl.daemon.commands.rows import COMMANDS
from tests.attack import Attack
from tests.intruders import KNOWN, Gates, message

SETTLED = 5000
"""Messages after which everything that has a bound has reached it."""
GROWN_KB = 16_384
"""More memory than this is a leak."""
NEVER = {"arm", "replace"}
"""What no message can do by itself: arming needs the word that the first one is answered with, and a replaced device
one that answers."""
SLOWEST_S = 0.5
"""Processor time of one message; a tick is a second."""


def test_the_attack_knows_every_command() -> None:
    assert KNOWN.keys() == COMMANDS.keys()


@pytest.mark.soak(full=100_000, short=700, pieces=4)
async def test_no_mutated_command_of_anybody_changes_anything(tmp_path: Path, attack: Attack) -> None:
    gates, chance = Gates.of(tmp_path), attack.chance
    await gates.begin()
    before, cpu_s, kb = gates.known(), time.process_time(), 0
    auditing = asyncio.create_task(gates.app.kept.audit.run())
    for n in range(attack.count):
        await gates.attack(message(chance, datetime.now(UTC)))
        if n == SETTLED:
            kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    auditing.cancel()
    await asyncio.gather(auditing, return_exceptions=True)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kb if kb else 0
    attack.found(
        messages=attack.count,
        wrong=len(gates.wrong),
        cpu_us_each=round(1e6 * (time.process_time() - cpu_s) / attack.count),
        slowest_ms=round(1e3 * gates.slowest_s),
        grown_kb=grown_kb,
        rarest=" ".join(f"{name} {count}" for name, count in gates.admitted.most_common()[-3:]),
        **dict(gates.seen.most_common()),
    )
    assert not gates.wrong, "\n".join(itertools.islice(gates.wrong, 10))
    gates.bounded()
    assert gates.known() == before
    assert gates.seen["admitted"] and gates.seen.keys() - {"silence", "admitted"} <= {each.value for each in Refusal}
    assert grown_kb < GROWN_KB
    assert not attack.full or gates.slowest_s < SLOWEST_S
    assert not attack.full or gates.admitted.keys() == KNOWN.keys() - NEVER
