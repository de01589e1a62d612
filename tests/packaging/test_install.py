"""The daemon's own installation is small, and exactly what its lock file says."""

import ast
import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import derctl

ROOT = Path(__file__).parents[2]
PLACE = "/opt/derctl"
"""Where it runs, wherever it was built."""


def locked(name: str) -> dict[str, str]:
    """Distribution to version."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {canonical(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(installed: Any) -> dict[str, str]:
    text = "import json, importlib.metadata as m; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    return {canonical(name): version for name, version in json.loads(installed.python("-c", text))}


def test_the_installation_is_what_the_lock_file_says(installed: Any) -> None:
    assert distributions(installed) == {**locked("requirements-run.lock"), "derctl": derctl.__version__}


def test_the_daemon_does_without_numpy_and_the_broker(installed: Any) -> None:
    assert not distributions(installed).keys() & {"numpy", "amqtt", "pytest", "hatchling"}


def test_the_installed_command_says_its_version(installed: Any) -> None:
    assert installed.derctl("--version").split() == ["derctl", derctl.__version__]


def test_both_packages_are_imported_from_the_installation(installed: Any) -> None:
    text = "import derctl, hil; print([derctl.__file__, hil.__file__])"
    for file in ast.literal_eval(installed.python("-c", text)):
        assert Path(file).is_relative_to(installed.root)


def test_every_module_of_the_daemon_can_be_imported_there(installed: Any) -> None:
    text = (
        "import derctl, importlib, pkgutil\n"
        "for info in pkgutil.walk_packages(derctl.__path__, 'derctl.'):\n"
        "    if not info.name.endswith('__main__'): importlib.import_module(info.name)"
    )
    installed.python("-W", "error", "-c", text)


def test_the_installed_command_prints_its_schema(installed: Any) -> None:
    assert "properties" in installed.derctl("schema")


def test_unit_user_and_examples_are_laid_out(installed: Any) -> None:
    etc = installed.root / "etc"
    for source, target in (
        ("systemd/derctl.service", etc / "systemd/system/derctl.service"),
        ("systemd/derctl.sysusers", etc / "sysusers.d/derctl.conf"),
        ("systemd/derctl.tmpfiles", etc / "tmpfiles.d/derctl.conf"),
    ):
        assert target.read_bytes() == (ROOT / source).read_bytes()
    assert (etc / "derctl").stat().st_mode & 0o777 == 0o750
    examples = {path.name for path in (ROOT / "config").glob("*.yaml")}
    assert {path.name for path in (etc / "derctl/examples").iterdir()} == examples
    assert not (etc / "derctl/site.yaml").exists()


def test_no_file_names_the_folder_where_it_was_built(installed: Any) -> None:
    """Else an image would run only on the machine that built it; its compiled modules would show that path."""
    words = [str(installed.built).encode(), b"derctl.new"]
    files = [path for path in installed.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if any(word in path.read_bytes() for word in words)] == []
    assert not list(installed.root.rglob("direct_url.json")), "it names the folder that the wheels were in"


def test_the_command_is_run_by_the_python_where_it_will_be(installed: Any) -> None:
    command = installed.root / "opt/derctl/bin/derctl"
    assert command.read_text(encoding="utf-8").startswith((f"#!{PLACE}/bin/python", "#!/bin/sh\n"))
    assert f"{PLACE}/bin/python" in command.read_text(encoding="utf-8")
    link = installed.root / "usr/local/bin/derctl"
    assert str(link.readlink()) == f"{PLACE}/bin/derctl"


def test_every_module_is_compiled_since_the_service_may_not_write_there(installed: Any) -> None:
    (packages,) = (installed.root / "opt/derctl/lib").glob("python*/site-packages")
    for module in (packages / "derctl").rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(module)))
        code = marshal.loads(compiled.read_bytes()[16:])
        assert code.co_filename == f"{PLACE}/{module.relative_to(installed.root / 'opt/derctl')}"


def test_the_service_may_read_what_a_root_with_a_tight_umask_installed(installed: Any) -> None:
    there = [installed.root / "opt", *(installed.root / "opt").rglob("*")]
    assert [path for path in there if path.lstat().st_mode & 0o044 != 0o044] == []
    assert [path for path in there if path.is_dir() and path.stat().st_mode & 0o055 != 0o055] == []


def test_what_is_in_etc_is_for_the_group_and_closed_to_others(installed: Any, tmp_path: Path) -> None:
    """As at each boot, with our own user in the place of theirs."""
    tmpfiles = shutil.which("systemd-tmpfiles")
    if tmpfiles is None:
        assert "CI" not in os.environ, "CI has systemd-tmpfiles: `make test` installs it"
        pytest.skip("NOT TESTED: systemd-tmpfiles is not installed")
    etc = tmp_path / "etc/derctl"
    (etc / "examples").mkdir(parents=True)
    for name, mode in (("site.yaml", 0o644), ("mqtt.password", 0o600)):
        (etc / name).touch()
        (etc / name).chmod(mode)
    text = (installed.root / "etc/tmpfiles.d/derctl.conf").read_text(encoding="utf-8")
    rules = tmp_path / "rules.conf"
    rules.write_text(text.replace("root derctl", f"{os.getuid()} {os.getgid()}"), encoding="utf-8")
    subprocess.run([tmpfiles, "--create", f"--root={tmp_path}", rules], check=True)
    modes = {path.name: f"{path.stat().st_mode & 0o777:o}" for path in [etc, *etc.iterdir()]}
    assert modes == {"derctl": "750", "examples": "750", "site.yaml": "640", "mqtt.password": "640"}
    assert re.findall(r"^[dz] +(\S+) +~?0750 +root derctl$", text, re.MULTILINE) == ["/etc/derctl", "/etc/derctl/*"]


def test_an_image_without_the_same_python_is_refused_before_anything_is_done(
    tmp_path: Path, install: Callable[..., str]
) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    with pytest.raises(pytest.fail.Exception, match=r"has no Python like .*Run install.sh in it"):
        install("--root", tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"usr", "usr/bin"}


def test_a_wheel_is_installed_only_with_its_hash(tmp_path: Path, wheel: Path, install: Callable[..., str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="--wheel needs --sha256 HASH"):
        install("--wheel", wheel, "--root", tmp_path)
    for wrong in ("0" * 64, "", "nonsense"):
        with pytest.raises(pytest.fail.Exception, match=r"is not what was published|needs --sha256"):
            install("--wheel", wheel, "--sha256", wrong, "--root", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_built_where_there_is_no_ready_package_for_the_processor(
    tmp_path: Path, wheel: Path, clean_env: dict[str, str]
) -> None:
    """A processor of 32 bits, as a Pi's armv7l: msgspec and PyYAML have no wheels there."""
    personality = ["setarch", "i686"] if os.uname().machine == "x86_64" else ["setarch", "linux32"]
    command = [*personality, "sh", str(ROOT / "systemd/install.sh"), "--root", str(tmp_path)]
    env = {**clean_env, "PYTHON": sys.executable}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no ready package for this processor" in done.stderr
    assert list(tmp_path.iterdir()) == []


BACKEND = """\
from pathlib import Path
Path({marker!r}).touch()
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def only_sources(tmp_path: Path) -> tuple[Path, str, Path]:
    """A folder with a package that has no wheel, its line in a lock file, and what it leaves when it is built."""
    folder, marker = tmp_path / "links", tmp_path / "built"
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND.format(marker=str(marker))}
    files["PKG-INFO"] = "Metadata-Version: 2.1\nName: only-sources\nVersion: 1.0\n"
    folder.mkdir()
    with tarfile.open(folder / "only_sources-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"only_sources-1.0/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    digest = hashlib.sha256((folder / "only_sources-1.0.tar.gz").read_bytes()).hexdigest()
    return folder, f"only-sources==1.0 --hash=sha256:{digest}\n", marker


@pytest.mark.parametrize("lock", ["requirements-build.lock", "requirements-run.lock"])
@pytest.mark.parametrize("settings", [{}, {"PIP_NO_BINARY": ":all:"}], ids=["plain", "root prefers sources"])
def test_nothing_is_built_as_root_though_a_lock_names_its_sources(
    tmp_path: Path,
    wheel: Path,
    clean_env: dict[str, str],
    only_sources: tuple[Path, str, Path],
    lock: str,
    settings: dict[str, str],
) -> None:
    """What builds a package would be fetched unchecked, and its code would run."""
    links, line, marker = only_sources
    for folder in ("systemd", "tools"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder)
    for name in ("requirements-build.lock", "requirements-run.lock"):
        (tmp_path / "tree" / name).write_text(line if name == lock else "", encoding="utf-8")
    command: list[str | Path] = [
        "sh",
        tmp_path / "tree/systemd/install.sh",
        "--root",
        tmp_path / "root",
        "--wheel",
        wheel,
    ]
    command += ["--sha256", hashlib.sha256(wheel.read_bytes()).hexdigest()]
    env = {**clean_env, **settings, "PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "No matching distribution" in done.stderr, done.stderr
    assert not marker.exists()
    assert list((tmp_path / "root").iterdir()) == []


SITE = """\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, state_dir: {0}/var/lib/derctl, socket: {0}/derctl.sock}}
buses: [{{id: roof, tcp: {{host: 127.0.0.1, port: 1}}}}]
ders: [{{id: pv1, bus: roof, unit: 1, kind: sunspec_pv}}]
"""


def wrote(root: Path, journal: str) -> Path:
    """As a daemon leaves it: what it wrote to which DER."""
    path = root / "var/lib/derctl/written.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(journal, encoding="utf-8")
    return path


def site_file(root: Path) -> Path:
    path = root / "etc/derctl/site.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SITE.format(root), encoding="utf-8")
    return path


def test_installing_again_and_removing_leaves_what_is_not_ours_alone(
    tmp_path: Path, wheel: Path, install: Callable[..., str]
) -> None:
    site = site_file(tmp_path)
    content = site.read_text(encoding="utf-8")
    stale = tmp_path / "opt/derctl/lib/stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    foreign = tmp_path / "usr/local/bin/derctl"
    foreign.parent.mkdir(parents=True)
    foreign.touch()

    install("--wheel", wheel, "--sha256", hashlib.sha256(wheel.read_bytes()).hexdigest(), "--root", tmp_path)
    assert not stale.exists()
    assert (tmp_path / "opt/derctl/bin/derctl").exists()
    assert [path.name for path in (tmp_path / "opt").iterdir()] == ["derctl"]
    assert site.read_text(encoding="utf-8") == content

    install("--uninstall", "--root", tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([site, foreign])


@pytest.fixture
def image(installed: Any, tmp_path: Path) -> Path:
    """An installation that may be removed."""
    shutil.copytree(installed.root, tmp_path / "image", symlinks=True)
    return tmp_path / "image"


def test_it_is_not_removed_before_it_said_which_device_holds_what_it_wrote(
    image: Path, install: Callable[..., str]
) -> None:
    site_file(image)
    journal = wrote(image, '{"pv1": {"since": "2026-11-26T12:00:00.000Z", "fallback": {}}}')
    enabled = image / "etc/systemd/system/multi-user.target.wants/derctl.service"
    enabled.parent.mkdir()
    enabled.symlink_to("/etc/systemd/system/derctl.service")
    with pytest.raises(pytest.fail.Exception, match=r"-> 1\n.*pv1: written since 2026-11-26") as refused:
        install("--uninstall", "--root", image)
    assert "derctl release --lift " in str(refused.value)
    assert (image / "opt/derctl/bin/derctl").exists() and (image / "etc/systemd/system/derctl.service").exists()

    assert "pv1: written since" in install("--uninstall", "--leave-limits", "--root", image)
    assert not (image / "opt/derctl").exists()
    assert not (image / "usr/local/bin/derctl").is_symlink() and not enabled.is_symlink()
    assert journal.exists()


def test_it_is_not_removed_while_a_broken_site_file_keeps_it_from_saying(
    image: Path, install: Callable[..., str]
) -> None:
    site_file(image).write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match=r"-> 1\n(?s:.*)site.yaml(?s:.*)Not removed"):
        install("--uninstall", "--root", image)
    assert (image / "opt/derctl/bin/derctl").exists()


def test_a_journal_counts_where_the_site_file_is_gone(image: Path, install: Callable[..., str]) -> None:
    wrote(image, '{"pv1":{"since":"2026-11-26T12:00:00.000Z"}}')
    with pytest.raises(pytest.fail.Exception, match=r'-> 1\n\{"pv1":'):
        install("--uninstall", "--root", image)
    wrote(image, "{}")
    assert "Removed." in install("--uninstall", "--root", image)
    assert not (image / "opt/derctl").exists()


def test_a_folder_that_is_no_installation_is_not_removed(tmp_path: Path, install: Callable[..., str]) -> None:
    kept = tmp_path / "opt/derctl/kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    install("--uninstall", "--root", tmp_path)
    assert kept.exists()


def test_the_installer_refuses_what_it_does_not_know(install: Callable[..., str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="-> 2"):
        install("--purge")
