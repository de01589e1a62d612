"""The bill of materials: CycloneDX by its official schema, whole by the lock file, and in each wheel."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from derctl import __version__
from tests.packaging.test_locks import ROOT, entries, needed
from tools.sbom import FILE, LOCK, bill, page, pinned

SCHEMAS = Path(__file__).parent / "cyclonedx"
"""Of CycloneDX 1.6, published under the Apache License 2.0."""


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def official() -> Any:
    """What judges a bill."""
    others = {f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json": name for name in ("spdx", "jsf-0.82")}
    registry: Any = Registry().with_resources(
        (place, Resource.from_contents(schema(name))) for place, name in others.items()
    )
    return jsonschema.Draft7Validator(schema("bom-1.6"), registry=registry)


def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def test_it_is_what_the_lock_file_gives() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "write it anew: python -m tools.sbom"


def test_it_is_valid_by_the_official_schema(official: Any) -> None:
    assert [error.message for error in official.iter_errors(written())] == []


@pytest.mark.parametrize(
    "broken", [{"bomFormat": "x"}, {"components": [{"name": "x"}]}, {"serialNumber": "5"}, {"more": 1}]
)
def test_the_schema_is_one_that_refuses(official: Any, broken: dict[str, Any]) -> None:
    assert not official.is_valid(written() | broken)


def test_it_names_each_pinned_package_with_each_of_its_hashes() -> None:
    locked = {requirement.name: (str(requirement.specifier), n) for requirement, n in entries(LOCK.name)}
    named = {each["name"]: (f"=={each['version']}", len(each["hashes"])) for each in written()["components"]}
    assert named == locked


def test_what_requires_what_is_what_the_packages_say_themselves() -> None:
    """By the metadata of those that the tests run with."""
    names = {each["bom-ref"]: each["name"] for each in written()["components"]}
    for each in written()["dependencies"]:
        if each["ref"] not in names:
            assert len(each["dependsOn"]) >= 7, "derctl's own"
            continue
        wanted = {requirement.name.lower() for requirement in needed(names[each["ref"]], (), "3.11")}
        assert {names[ref] for ref in each["dependsOn"]} == wanted & set(names.values())


def test_a_line_of_the_lock_that_is_not_known_is_an_error_with_its_number() -> None:
    with pytest.raises(ValueError, match="line 2 "):
        pinned("aiomqtt==2.5.1 \\\n    --hash=md5:00\n")


def test_a_package_for_some_machines_only_says_which() -> None:
    [found] = pinned("uvloop==0.23.0 ; sys_platform != 'win32' \\\n    --hash=sha256:" + 64 * "0" + "\n")
    [property_] = bill("1", [found])["components"][0]["properties"]
    assert property_["value"] == "sys_platform != 'win32'"


def test_each_wheel_carries_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = archive.read(f"derctl-{__version__}.dist-info/sboms/{FILE.name}")
    assert carried.decode() == page()
    assert FILE.parent == ROOT
