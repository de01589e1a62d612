"""Programs of others: where they are installed, and how they are run."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from witness.images import Image

JUDGES = Path(__file__).parent / "judges"
SECONDS = 60.0
LOCKS = [Path(__file__).parent / f"{name}.lock" for name in ("requirements", "home_assistant")]
PINNED = re.compile(r"^([a-z0-9-]+)==([^ ;]+)", re.MULTILINE)
Ports = dict[str, Any]
PIPE = asyncio.subprocess.PIPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """python: that of their own environment, None where this machine has none for them; why_not: then why."""

    python: Path | None
    why_not: str = ""

    async def asked(self, name: str, *words: str) -> dict[str, Any]:
        """The JSON that a judge prints. Raises RuntimeError with its words where it prints none."""
        command = (str(self.python), "-I", str(JUDGES / f"{name}.py"), *words)
        out = await output(*command)
        answer: dict[str, Any] = json.loads(out)
        return answer

    @asynccontextmanager
    async def serving(
        self, images: Mapping[str, Image], folder: Path, papers: Path
    ) -> AsyncIterator[dict[str, Ports]]:
        """tmodbus serves the images; the ports of each, by wire, and the path of its serial line."""
        plain = {name: {"unit": image.unit, "registers": dict(image.registers)} for name, image in images.items()}
        job = folder / "job.json"
        job.write_text(json.dumps({"images": plain, "tls": str(papers)}), encoding="utf-8")
        command = (str(self.python), "-I", str(JUDGES / "serve_tmodbus.py"), str(job))
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert process.stdin is not None and process.stdout is not None
        try:
            yield json.loads(await asyncio.wait_for(process.stdout.readline(), SECONDS))
        finally:
            process.stdin.close()
            await process.wait()


def versions() -> dict[str, str]:
    """Of each judge, by name."""
    found = (PINNED.findall(lock.read_text(encoding="utf-8")) for lock in reversed(LOCKS))
    return dict(pair for pairs in found for pair in pairs)


async def output(*command: str) -> str:
    """What a program prints. Raises RuntimeError with its words where it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError(f"no answer within {SECONDS:g} s") from None
    if process.returncode != 0:
        words = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
        raise RuntimeError(words[-1])
    return out.decode()
