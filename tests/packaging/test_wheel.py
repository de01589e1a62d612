"""The wheel carries its data, and stands on its own."""

import re
import tarfile
import zipfile
from pathlib import Path

import derctl

ROOT = Path(__file__).parents[2]
DATA = {".yaml", ".json", ".py"}


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def in_the_packages() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for package in ("derctl", "hil")
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA and "__pycache__" not in path.parts
    }


def test_every_source_and_data_file_is_in_the_wheel(wheel: Path) -> None:
    there = in_the_packages()
    assert there - names(wheel) == set()
    assert "derctl/devices/profiles/generic.yaml" in there
    assert "derctl/site/grid_codes/ieee1547_b.yaml" in there
    assert "hil/scenarios/demo.yaml" in there


def test_a_wheel_can_be_built_from_the_source_archive(sdist: Path) -> None:
    """config/grid-codes is a link into the package: both must be there as files."""
    with tarfile.open(sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    assert in_the_packages() - there == set()
    assert "config/grid-codes/ieee1547_b.yaml" in there


def test_nothing_but_the_two_packages_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert tops == {"derctl", "hil", f"derctl-{derctl.__version__}.dist-info"}


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    assert any(re.search(r"\.dist-info/licenses/LICENSE$", name) for name in names(wheel))
