"""No committed file names the machine it was written on, or where that machine gets its packages."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In pieces, so that this file keeps its own law.
PATHS = tuple(f"/{folder}/" for folder in ("work", "root"))
HOSTS = tuple(
    ".".join(names) for names in (("pypi", "org"), ("pythonhosted", "org"), ("debian", "org"), ("npmjs", "org"))
)
INDEX = tuple(f"{start}{end}" for start, end in (("--index", "-url"), ("--extra-index", "-url"), ("file:", "///")))
COPYRIGHT_FORMAT = "".join(("https://www.", "debian", ".org/doc/packaging-manuals/copyright-format/1.0/"))
"""The name of a format, by which other programs know it: no place that packages come from."""
FORBIDDEN = re.compile("|".join(re.escape(word) for word in (*PATHS, *HOSTS, *INDEX)))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("NOT TESTED: this is no git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def named(text: str) -> list[str]:
    """Line and word of each place."""
    return [f"{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()}" for hit in FORBIDDEN.finditer(text)]


def test_no_committed_file_names_this_workplace() -> None:
    found = {
        str(path.relative_to(ROOT)): where
        for path in tracked()
        if path.is_file()
        and (where := named(path.read_bytes().decode("utf-8", "replace").replace(COPYRIGHT_FORMAT, "")))
    }
    assert not found


@pytest.mark.parametrize("word", [*PATHS, *HOSTS, *INDEX])
def test_the_law_sees_each_word(word: str) -> None:
    assert named(f"one\ntwo {word}three") == [f"2: {word}"]
