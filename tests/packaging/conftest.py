"""The wheel and a clean installation of it, each made once for all workers of a test run."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def clean_env() -> dict[str, str]:
    """No path or setting of the environment that the tests run in."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV_", "COVERAGE"))}


def run(command: list[str | Path], env: dict[str, str], cwd: Path = ROOT, umask: int = -1) -> str:
    """Standard output; the test fails with all output where the command does."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, umask=umask)
    if done.returncode:
        pytest.fail(f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, Callable[[Path], None]], Path]:
    """A folder below the test run's that all workers share, made by the first that asks."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def get(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def wheel(once: Callable[[str, Callable[[Path], None]], Path], clean_env: dict[str, str]) -> Path:
    """The built wheel."""

    def make(folder: Path) -> None:
        run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], clean_env)

    (found,) = once("wheel", make).glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(once: Callable[[str, Callable[[Path], None]], Path], clean_env: dict[str, str]) -> Path:
    """The built source archive."""

    def make(folder: Path) -> None:
        run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT], clean_env)

    (found,) = once("sdist", make).glob("*.tar.gz")
    return found


@dataclass(frozen=True)
class Installed:
    """What systemd/install.sh made below a folder that was then moved to root. built: where it was."""

    root: Path
    built: Path
    env: dict[str, str]

    def python(self, *arguments: str) -> str:
        """Standard output of the service's own Python, far from the sources."""
        return run([self.root / "opt/derctl/bin/python", "-I", *arguments], self.env, self.root)

    def derctl(self, *arguments: str) -> str:
        """Standard output of the command."""
        return self.python(str(self.root / "opt/derctl/bin/derctl"), *arguments)


@pytest.fixture(scope="session")
def install(clean_env: dict[str, str]) -> Callable[..., str]:
    """Runs systemd/install.sh with these arguments, with the Python of the tests and a tight umask."""

    def call(*arguments: str | Path) -> str:
        command = ["sh", ROOT / "systemd/install.sh", *arguments]
        return run(command, {**clean_env, "PYTHON": sys.executable}, umask=0o077)

    return call


@pytest.fixture(scope="session")
def installed(
    once: Callable[[str, Callable[[Path], None]], Path],
    wheel: Path,
    install: Callable[..., str],
    clean_env: dict[str, str],
) -> Installed:
    """The wheel, installed clean with requirements-run.lock into an image, which then becomes a machine's root."""

    def make(folder: Path) -> None:
        built = folder.with_name("built-here")
        install("--wheel", wheel, "--sha256", hashlib.sha256(wheel.read_bytes()).hexdigest(), "--root", built)
        built.rename(folder)

    root = once("installed", make)
    return Installed(root, root.with_name("built-here"), clean_env)
