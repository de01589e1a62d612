"""tools/venv.sh installs what a lock says: with an old pip, an index that has gone on, whatever pip is set to."""

import hashlib
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VENV_SH = ROOT / "tools/venv.sh"
OLD = "23.0.1" if sys.version_info < (3, 12) else "23.2.1"
"""Debian 12's; it does not run on a newer Python."""


def put_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """A wheel with one empty module; requires: header lines of its metadata."""
    stem = f"{name}-{version}"
    parts = {
        f"{name}.py": "",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in parts.items():
            archive.writestr(path, text)
        archive.writestr(record, "".join(f"{path},,\n" for path in [*parts, record]))


@dataclass(frozen=True)
class Place:
    """An index without a network, and an environment whose pip is old."""

    folder: Path
    env: dict[str, str]

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    def lock(self, **versions: str) -> Path:
        """A lock file, with the hashes of the index."""
        lines = []
        for name, version in versions.items():
            wheel = self.folder / f"index/{name}-{version}-py3-none-any.whl"
            lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
        path = self.folder / "locked.txt"
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def call(self, *command: str | Path, **env: str) -> int:
        return subprocess.run(command, env=self.env | env, capture_output=True, check=False).returncode

    def set_up(self, lock: Path, **env: str) -> int:
        return self.call("sh", VENV_SH, self.venv, lock, sys.executable, **env)

    def set_up_the_old_way(self, lock: Path) -> int:
        return self.call(self.venv / "bin/python", "-m", "pip", "install", "--require-hashes", "-r", lock)

    def installed(self) -> dict[str, str]:
        """Distribution to version."""
        found = self.venv.glob("lib/python*/site-packages/*.dist-info")
        return dict(path.name.removesuffix(".dist-info").split("-") for path in found)


@pytest.fixture(scope="session")
def old_pip(once: Callable[[str, Callable[[Path], None]], Path], clean_env: dict[str, str]) -> Path:
    """The wheel of Debian 12's pip, from where the set-up gets its packages."""

    def fetch(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-d", str(folder)]
        done = subprocess.run([*command, "-r", HERE / "old-pip.txt"], env=clean_env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    (found,) = once("old-pip", fetch).glob("*.whl")
    return found


@pytest.fixture
def place(tmp_path: Path, old_pip: Path, clean_env: dict[str, str]) -> Place:
    """a 1.0 requires b[fast], of any version; the index has b 1.0, and by now b 2.0."""
    index = tmp_path / "index"
    index.mkdir()
    put_wheel(index, "a", "1.0", "Requires-Dist: b[fast]>=1\n")
    for version in ("1.0", "2.0"):
        put_wheel(index, "b", version, "Provides-Extra: fast\n")
    venv.create(tmp_path / "venv")
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(old_pip).extractall(packages)
    own = {key: value for key, value in clean_env.items() if not key.startswith("PIP_")}
    own |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    return Place(tmp_path, own)


def test_an_old_pip_installs_a_lock_that_is_older_than_the_index(place: Place) -> None:
    assert place.set_up(place.lock(a="1.0", b="1.0")) == 0
    assert place.installed() == {"pip": OLD, "a": "1.0", "b": "1.0"}


def test_that_pip_stops_where_it_may_choose_unless_the_lock_is_the_newest(place: Place) -> None:
    assert place.set_up_the_old_way(place.lock(a="1.0", b="1.0")) != 0
    assert place.set_up_the_old_way(place.lock(a="1.0", b="2.0")) == 0


def test_an_environment_that_is_there_is_brought_to_what_the_lock_says(place: Place) -> None:
    assert place.set_up_the_old_way(place.lock(a="1.0", b="2.0")) == 0
    assert place.set_up(place.lock(a="1.0", b="1.0")) == 0
    assert place.installed() == {"pip": OLD, "a": "1.0", "b": "1.0"}


def test_an_environment_whose_pip_does_not_run_is_made_anew(place: Place) -> None:
    (main,) = place.venv.glob("lib/python*/site-packages/pip/__main__.py")
    main.write_text("raise SystemExit(1)\n", encoding="utf-8")
    assert place.set_up(place.lock(a="1.0", b="1.0")) == 0
    assert {"a": "1.0", "b": "1.0"}.items() <= place.installed().items()


def test_a_file_with_another_hash_is_not_installed(place: Place) -> None:
    lock = place.lock(a="1.0", b="1.0")
    put_wheel(place.folder / "index", "b", "1.0", "Summary: not the file that was locked\n")
    assert place.set_up(lock) != 0
    assert place.installed() == {"pip": OLD}


def test_settings_for_other_work_change_neither_what_is_installed_nor_where(place: Place) -> None:
    newest, config = place.folder / "newest.txt", place.folder / "pip.conf"
    newest.write_text("b==2.0\n", encoding="utf-8")
    config.write_text(f"[global]\nuser = true\nconstraint = {newest}\n", encoding="utf-8")
    zipfile.ZipFile(place.folder / "index/b-1.0-py3-none-any.whl").extractall(place.folder / "other")
    settings = {
        "PYTHONPATH": str(place.folder / "other"),
        "PIP_CONFIG_FILE": str(config),
        "PIP_CONSTRAINT": str(newest),
        "PIP_TARGET": str(place.folder / "elsewhere"),
        "PIP_PREFIX": str(place.folder / "elsewhere"),
        "PIP_ROOT": str(place.folder / "elsewhere"),
        "PIP_PYTHON": sys.executable,
    }
    assert place.set_up(place.lock(a="1.0", b="1.0"), **settings) == 0
    assert place.installed() == {"pip": OLD, "a": "1.0", "b": "1.0"}
    assert not (place.folder / "elsewhere").exists()


def choosing(text: str) -> list[str]:
    """Commands that leave pip to choose what else it installs, or that go past tools/pip.sh."""
    commands = re.findall(r"^.*\bpip\b.* (?:install|wheel) .*$", text.replace("\\\n", " "), re.MULTILINE)
    return [line for line in commands if "--no-deps" not in line or " -m pip " in line]


@pytest.mark.parametrize("name", ["Makefile", "tools/venv.sh", "systemd/install.sh", "tools/deb.sh", ".ci/run"])
def test_pip_is_left_to_choose_nowhere(name: str) -> None:
    assert not choosing((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        '"$pip" install --quiet --require-hashes -r "$lock"',
        'pip "$python" wheel --quiet --require-hashes \\\n    -r requirements-run.lock',
        '"$python" -m pip install --no-deps --require-hashes -r "$lock"',
    ],
)
def test_a_pip_that_may_choose_would_be_seen(line: str) -> None:
    assert choosing(f"set -eu\n{line}\n")
