"""Whether a locked version has a known vulnerability: `python -m tools.advisories LOCK …` asks the OSV database.

Exit code 0: all were asked, and none is known; 1: some are; 69: NOT CHECKED. It never passes in silence: a version
that is known to be vulnerable is asked for beside them, and has to be found.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCE = "https://api.osv.dev"
"""google.github.io/osv.dev/api; OSV_URL names a mirror."""
CANARY = ("pyyaml", "5.3", "CVE-2020-1747")
"""PyYAML before 5.3.1 ran code of what it read: a source that does not know that knows nothing."""
TIMEOUT_S = 30.0
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
NONE, SOME, NOT_CHECKED = 0, 1, 69

Pin = tuple[str, str]


class Unreached(Exception):
    """The source can't be asked, or its answer is none."""


def pins_in(text: str) -> list[Pin]:
    """Name and version of each package of a lock file."""
    return [(name.lower(), version) for name, version in PINNED.findall(text)]


def asked(pins: Sequence[Pin], source: str) -> dict[Pin, list[str]]:
    """The ids of what is known of each. Raises Unreached."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in pins]
    answer = _json(f"{source}/v1/querybatch", {"queries": queries})
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != len(pins):
        raise Unreached(f"{source} answers something else than was asked")
    return {pin: [each["id"] for each in found.get("vulns", ())] for pin, found in zip(pins, results, strict=True)}


def told(identity: str, source: str) -> Mapping[str, Any]:
    """An advisory. Raises Unreached."""
    return _json(f"{source}/v1/vulns/{identity}", None)


def _json(url: str, content: Mapping[str, Any] | None) -> dict[str, Any]:
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            found = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Unreached(f"{url}: {getattr(error, 'reason', error)}") from error
    if not isinstance(found, dict):
        raise Unreached(f"{url} answers no object")
    return found


def check(pins: Sequence[Pin], source: str) -> Iterable[str]:
    """A line for each advisory that is not withdrawn. Raises Unreached."""
    name, version, known = CANARY
    found = asked([*pins, (name, version)], source)
    canary = found.pop((name, version))
    if not any(known in {each, *told(each, source).get("aliases", ())} for each in canary):
        raise Unreached(f"{source} does not know {known} of {name} {version}: it knows nothing")
    for (package, locked), ids in found.items():
        for identity in ids:
            advisory = told(identity, source)
            if "withdrawn" not in advisory:
                names = ", ".join(advisory.get("aliases", ()))
                yield f"{package} {locked}: {identity} ({names}): {advisory.get('summary', 'no summary')}"


def main(paths: Sequence[str], source: str) -> int:
    """0, 1 or 69, with the reason on stdout."""
    pins = sorted({pin for path in paths for pin in pins_in(Path(path).read_text(encoding="utf-8"))})
    if not pins:
        print("NOT CHECKED: nothing is locked in", *paths)
        return NOT_CHECKED
    try:
        lines = list(check(pins, source))
    except Unreached as error:
        print(f"NOT CHECKED: {len(pins)} locked versions against known vulnerabilities: {error}")
        return NOT_CHECKED
    print(*lines, f"{len(pins)} locked versions asked for: {len(lines) or 'no'} known vulnerabilities", sep="\n")
    return SOME if lines else NONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("OSV_URL", SOURCE)))
