"""derctl as a program: what `scan` and `read` say, in its own JSON."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

SECONDS = 120.0


async def told(*words: str) -> Any:
    """The JSON of one call. Raises RuntimeError with its words where it has none."""
    command = (sys.executable, "-m", "derctl", *words, "--json")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError(f"derctl {' '.join(words)}: no answer within {SECONDS:g} s") from None
    if process.returncode != 0:
        raise RuntimeError(err.decode(errors="replace").strip() or f"exit code {process.returncode}")
    return json.loads(out)


async def scanned(place: Sequence[str], unit: int) -> list[int]:
    """The ids of the models of the chain."""
    found = await told("scan", *place, "-u", str(unit))
    return [block["model"] for block in found["models"]]


async def values(place: Sequence[str], unit: int) -> dict[str, object]:
    """Each value by its model, which of that model it is, and its point."""
    tables = await told("read", *place, "-u", str(unit), "--all")
    found: dict[str, object] = {}
    count: dict[int, int] = {}
    for table in tables:
        model = table["model"]
        count[model] = count.get(model, 0) + 1
        for row in table["points"]:
            found[f"{model}#{count[model]}.{row['path']}"] = row["value"]
    return found


async def lines(place: Sequence[str], unit: int, name: str) -> dict[str, object]:
    """Who it is, and each value by its name in the register map."""
    found = await told("read", *place, "-u", str(unit), "--map", name)
    return {**found["identity"], **{row["name"]: row["value"] for row in found["lines"]}}
