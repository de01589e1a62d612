"""`check` and `scan` of devices behind Modbus/TCP Security: the role, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import Here, SiteFile

FAST = {"latency_s": [0.0, 0.0]}


@pytest.fixture
async def secured() -> AsyncIterator[Rig]:
    """An inverter behind TLS that stands still."""
    device = {"id": "pv1", "face": "pv_1xx", "serial": "1001", "tls": "server", "rating": {"p_max_w": 5000}}
    made = Rig(parse({"name": "test", "devices": [device | {"habits": FAST}]}))
    await made.start()
    yield made
    await made.stop()


def words(rig: Rig, name: str) -> list[str]:
    files = {"ca": "ca.pem", "cert": f"{name}.pem", "key": f"{name}.key"}
    place = f"tls://127.0.0.1:{rig.endpoint_of('pv1').port}"
    return [place, *(word for key, file in files.items() for word in (f"--{key}", str(rig.papers / file)))]


@pytest.mark.parametrize(
    ("name", "says"), [("operator", "over TLS, our role is Operator"), ("viewer", "over TLS, our role is Viewer")]
)
async def test_scan_goes_over_tls_and_says_the_role(secured: Rig, here: Here, name: str, says: str) -> None:
    code, out, err = await here("scan", *words(secured, name))
    assert (code, out.splitlines()[1]) == (0, says), err
    place, ca, cert, key = words(secured, name)[0], *words(secured, name)[2::2]
    port = place.rpartition(":")[2]
    row = f"tls: {{host: 127.0.0.1, port: {port}, ca_file: "
    [line] = [line for line in out.splitlines() if row in line]
    assert ca in line and cert in line and key in line


async def test_scan_for_programs_has_the_role(secured: Rig, here: Here) -> None:
    _, out, _ = await here("scan", *words(secured, "operator"), "--json")
    assert json.loads(out)["role"] == "Operator"


async def test_a_role_that_may_not_even_read_is_told_to_who_scans(secured: Rig, here: Here) -> None:
    code, _, err = await here("scan", *words(secured, "nobody"))
    assert code == 69
    assert "exception 1 (or a certificate without a role may not) at" in err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["tls://127.0.0.1:1"], "tls://127.0.0.1:1 needs --ca, --cert, --key"),
        (["tls://127.0.0.1:1", "--ca", "a", "--key", "b"], "tls://127.0.0.1:1 needs --cert"),
        (["127.0.0.1:1", "--ca", "a"], "files for TLS go with a place over TLS: tls://127.0.0.1:1"),
    ],
)
async def test_files_and_tls_belong_together(capsys: pytest.CaptureFixture[str], given: list[str], says: str) -> None:
    from derctl.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["scan", *given])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("viewer", "bus lan over TLS: our role is Viewer; it counts until 20"),
        ("nobody", "bus lan over TLS: our certificate has no role: a device that asks for one"),
    ],
)
async def test_check_says_the_role_and_until_when_it_counts(
    secured: Rig, here: Here, site_file: SiteFile, name: str, says: str
) -> None:
    folder: Path = secured.papers
    own = f"ca_file: {folder}/ca.pem, cert_file: {folder}/{name}.pem, key_file: {folder}/{name}.key"
    path = site_file(("tcp: {host: 127.0.0.1, port: 1}", f"tls: {{host: 127.0.0.1, {own}}}"))
    _, out, err = await here("check", "-c", str(path))
    assert says in out, err
    _, out, _ = await here("check", "-c", str(path), "--json")
    assert json.loads(out)["certificates"]["lan"]["role"] == {"viewer": "Viewer", "nobody": None}[name]
