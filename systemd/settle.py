"""`settle.py BUILT PLACE`: a virtual environment built in BUILT, to be moved to PLACE, names PLACE alone."""

import compileall
import sys
from pathlib import Path


def settle(built: Path, place: str) -> None:
    """Scripts and settings name where they run; compiled modules what a traceback shows."""
    for file in (built / "pyvenv.cfg", *(built / "bin").iterdir()):
        if not file.is_symlink():
            file.write_bytes(file.read_bytes().replace(bytes(built), place.encode()))
    for record in built.glob("lib/python*/site-packages/*.dist-info/direct_url.json"):
        record.unlink()  # which file it was installed from: one of a folder that is gone
    if not compileall.compile_dir(built / "lib", quiet=1, stripdir=str(built), prependdir=place):
        sys.exit("not all modules can be compiled")


if __name__ == "__main__":
    settle(Path(sys.argv[1]), sys.argv[2])
