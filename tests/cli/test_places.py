"""`scan` and `read` at a serial port and at a gateway for serial frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from derctl.links.wires.rtu import PymodbusRtu
from derctl.site import place_at
from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import Here

DEVICES = tuple(
    {"id": name, "face": "pv_1xx", "endpoint": line, "unit": 3, "serial": name, "habits": {"latency_s": [0.0, 0.0]}}
    for name, line in (("pv1", "line"), ("pv2", "gate"))
)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """The same inverter on a fast serial line and behind a gateway."""
    kinds = {"serial": {"line": {"baud": 115200}}, "rtu_over_tcp": ["gate"]}
    made = Rig(parse({"name": "test", "plant": {"loads": {}}, "devices": DEVICES, **kinds}))
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("key", ["rtu", "rtu_over_tcp"])
async def test_a_scan_gives_the_rows_of_its_wire(rig: Rig, here: Here, tmp_path: Path, key: str) -> None:
    ports = rig.ports()
    place = f"{ports['line']}:115200" if key == "rtu" else f"rtu+tcp://127.0.0.1:{ports['gate']}"
    code, out, err = await here("scan", place, "-u", "3")
    assert (code, err) == (0, "")
    rows = yaml.safe_load(out.partition("for the site file:\n")[2])
    section = {"port": ports["line"], "baud": 115200, "parity": "none", "stop_bits": 1}
    assert rows["buses"][0][key] == (section if key == "rtu" else {"host": "127.0.0.1", "port": ports["gate"]})
    site = {"id": "house", "v_nom_v": 230, "f_nom_hz": 50, "state_dir": str(tmp_path), "socket": str(tmp_path / "s")}
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "site": site, **rows}))
    assert (await here("check", "-c", str(path)))[0] == 0


async def test_a_model_is_read_over_a_serial_line(rig: Rig, here: Here) -> None:
    code, out, _ = await here("read", f"{rig.ports()['line']}:115200", "1", "-u", "3")
    assert code == 0
    assert "pv1" in out


async def test_a_port_that_the_service_holds_is_refused_with_what_to_do(rig: Rig, here: Here) -> None:
    service = PymodbusRtu(rig.ports()["line"], 115200)
    await service.connect(lambda error: None)
    code, out, err = await here("scan", f"{rig.ports()['line']}:115200", "-u", "3")
    service.close()
    assert (code, out) == (69, "")
    assert "device or resource busy: another program holds it, maybe derctl itself: `derctl status`" in err


async def test_a_unit_that_is_not_there_is_told_with_the_place_as_it_was_given(rig: Rig, here: Here) -> None:
    place = f"{rig.ports()['line']}:115200"
    code, _, err = await here("scan", place, "-u", "9", "--timeout", "0.2")
    assert code == 69
    assert "no answer within 0.2 s" in err


@pytest.mark.parametrize(
    ("word", "key", "name"),
    [
        ("/dev/ttyUSB0:19200", "rtu", "/dev/ttyUSB0:19200"),
        ("/dev/ttyUSB0", "rtu", "/dev/ttyUSB0:9600"),
        ("/dev/ttyUSB0:9600:8E1", "rtu", "/dev/ttyUSB0:9600:8E1"),
        ("/dev/ttyUSB0:9600:8N1", "rtu", "/dev/ttyUSB0:9600"),
        ("/dev/serial/by-path/pci-0:1:1.0-port0", "rtu", "/dev/serial/by-path/pci-0:1:1.0-port0:9600"),
        ("rtu+tcp://10.0.0.5", "rtu_over_tcp", "rtu+tcp://10.0.0.5:502"),
        ("rtu+tcp://[fe80::1]:4196", "rtu_over_tcp", "rtu+tcp://[fe80::1]:4196"),
        ("10.0.0.5:1502", "tcp", "10.0.0.5:1502"),
    ],
)  # fmt: skip
def test_a_word_names_its_wire_and_its_name_names_it_again(word: str, key: str, name: str) -> None:
    place = place_at(word)
    assert (place.key, place.name) == (key, name)
    assert place_at(place.name) == place


@pytest.mark.parametrize(
    "word", ["/dev/ttyUSB0:100", "/dev/tty USB0", "/dev/ttyUSB0:9999999", "rtu+tcp://", "rtu+tcp://a:0"]
)
def test_a_word_that_makes_no_sense_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"is no (PORT:BAUD|HOST)"):
        place_at(word)
