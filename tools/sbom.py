"""`python -m tools.sbom`: writes derctl.cdx.json, the bill of materials (CycloneDX 1.6) that each wheel carries.

It is what requirements-run.lock pins, and nothing of the time or the machine: the same lock gives the same file.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = ROOT / "derctl.cdx.json"
LOCK = ROOT / "requirements-run.lock"
ENTRY = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+)(?: ; (?P<marker>[^\\]+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:(?P<hash>[0-9a-f]{64})(?: \\)?$")
VIA = re.compile(r"^    #(?: via)? +(?P<by>[\w.-]+)(?: \(pyproject\.toml\))?$")


@dataclass(frozen=True, slots=True)
class Pinned:
    """hashes: SHA-256 of its files, any of which may be installed. by: what requires it."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]
    by: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{self.name}@{self.version}"

    def component(self) -> dict[str, Any]:
        """As CycloneDX has it."""
        marker = [] if self.marker is None else [{"name": "derctl:marker", "value": self.marker}]
        return {
            "type": "library",
            "bom-ref": self.purl,
            "name": self.name,
            "version": self.version,
            "scope": "required",
            "purl": self.purl,
            "hashes": [{"alg": "SHA-256", "content": each} for each in self.hashes],
        } | ({"properties": marker} if marker else {})


def pinned(text: str) -> list[Pinned]:
    """What a lock pins. Raises ValueError for a line that it does not know: nothing is left out silently."""
    found: list[Pinned] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if entry := ENTRY.match(line):
            found.append(Pinned(entry["name"], entry["version"], entry["marker"], (), ()))
            continue
        digest, by = HASH.match(line), VIA.match(line)
        known = bool(found) and (digest or by or line.strip() == "# via" or line.startswith("    #   -c "))
        if not known:
            raise ValueError(f"line {number} of the lock is not known: {line!r}")
        last = found[-1]
        hashes = (*last.hashes, digest["hash"]) if digest else last.hashes
        parents = (*last.by, by["by"]) if by else last.by
        found[-1] = Pinned(last.name, last.version, last.marker, hashes, parents)
    return found


def bill(version: str, found: list[Pinned]) -> dict[str, Any]:
    """The whole document."""
    own = f"pkg:pypi/derctl@{version}"
    refs = {"derctl": own} | {each.name: each.purl for each in found}
    needs = {ref: sorted(each.purl for each in found if name in each.by) for name, ref in refs.items()}
    content: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "derctl",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [each.component() for each in found],
        "dependencies": [{"ref": ref, "dependsOn": below} for ref, below in needs.items()],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content))
    return {"serialNumber": f"urn:uuid:{serial}", **content}


def page() -> str:
    """The file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = pinned(LOCK.read_text(encoding="utf-8"))
    return json.dumps(bill(project["version"], found), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
