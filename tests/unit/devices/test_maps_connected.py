"""How a device with a register map is connected: its map says it of all, or a register of each."""

from __future__ import annotations

import pytest

from derctl.cli.maps import told
from derctl.devices.maps.line import Type
from derctl.devices.nominal import System, feeds_pu, phase_problem
from derctl.errors import ConfigError, DeviceRefused
from derctl.site.lines import parse
from derctl.site.profiles import profile
from tests.unit.devices.test_maps import METER, PV, acme, found, made, packed

CONNECTION = """\
  system: {address: 50, systems: [{raw: 0, means: single}, {raw: 1, means: three}, {raw: 7, means: split}]}
  lines:
    - {name: v_a_v, address: 60, scale: 0.1, when: single}
    - {name: v_a_v, address: 61, scale: 0.1, unless: single}
    - {name: v_b_v, address: 62, scale: 0.1, unless: single}
    - {name: v_c_v, address: 63, scale: 0.1, unless: single}
"""
TOLD = PV.replace("  lines:\n", CONNECTION)
NAMED = (
    "{address: 50, systems: [{raw: 0, means: single}, {raw: 1, means: three}, {raw: 7, means: split}]}",
    "{address: 50, type: string, registers: 2, systems: [{text: -l1, means: single}]}",
)
VOLTS = {"r60": 2300, "r61": 1150, "r62": 1160, "r63": 1170}


@pytest.mark.parametrize(
    ("raw", "system", "v_v"),
    [(0, System.SINGLE, 230.0), (1, System.THREE, 116.0), (5, None, 116.0)],
)
def test_a_register_says_how_it_is_connected_and_which_lines_count(
    raw: int, system: System | None, v_v: float
) -> None:
    fake = acme(r1=(0, 8000), r10=packed(Type.S32, 600), r50=raw, **VOLTS)
    device = found(fake, TOLD)
    assert device.nominal.system is system and fake.reading(device).v_v == pytest.approx(v_v)
    assert feeds_pu(None, device.nominal.system) == ((1 / 3,) * 3 if system is System.THREE else None)


def test_the_site_file_s_phase_is_held_against_what_it_says() -> None:
    device = found(acme(r1=(0, 8000), r50=0, **VOLTS), TOLD)
    said = phase_problem("ABC", device.nominal.system)
    assert said is not None and "the device has one phase, the site file says phase: ABC" in said
    assert phase_problem("B", device.nominal.system) is None


@pytest.mark.parametrize(("words", "system"), [((0x2D4C, 0x3100), System.SINGLE), ((0x2D4D, 0x3100), None)])
def test_a_part_of_its_text_may_say_it(words: tuple[int, int], system: System | None) -> None:
    """-L1 and -M1, in capitals or not."""
    fake = acme(r1=(0, 8000), r50=words, **VOLTS)
    assert found(fake, TOLD, NAMED).nominal.system is system


def test_a_register_that_it_does_not_have_says_nothing_and_a_busy_device_is_asked_again() -> None:
    fake = acme(r1=(0, 8000), **VOLTS)
    fake.refuse = lambda op: 2 if op.address == 50 else None
    assert found(fake, TOLD).nominal.system is None
    fake.refuse = lambda op: 6 if op.address == 50 else None
    with pytest.raises(DeviceRefused):
        found(fake, TOLD)


def test_a_map_that_says_it_of_all_asks_none() -> None:
    assert found(acme(), METER).nominal.system is System.THREE


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        (("when: single", "when: split"), "map.lines[1].name", "stands twice"),
        (
            ("unless: single}\n    - {name: v_b_v", "slow: true}\n    - {name: v_b_v"),
            "map.lines[1].name",
            "stands twice",
        ),
        (("{name: v_b_v,", "{name: v_a_v,"), "map.lines[2].name", "stands twice"),
        (("{raw: 0, means", "{text: x, means"), "map.system.systems[0]", "needs raw: ... of a number"),
        (("{raw: 0, means", "{raw: 0, text: x, means"), "map.system.systems[0]", "needs raw: ... of a number"),
        ((CONNECTION.splitlines()[0], "  system: tree"), "map.system", "three"),
        (("{address: 50, systems", "{systems"), "map.system", "address is missing"),
        (("{address: 50,", "{address: 65535, type: u32,"), "map.system.address", "behind register 65535"),
        ((CONNECTION.splitlines()[0], ""), "map.lines[0]", "need a register in map.system"),
    ],
)
def test_a_mistake_in_it_is_named_with_its_place(change: tuple[str, str], path: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(TOLD, change)
    assert any(each.path == path and says in each.message for each in caught.value.problems), caught.value.problems


def test_two_lines_of_one_name_for_two_connections_are_no_mistake() -> None:
    two = TOLD.replace("unless: single}\n    - {name: v_b_v", "when: three}\n    - {name: v_b_v")
    assert profile(parse(two, "acme.yaml")).map is not None


@pytest.mark.parametrize(("raw", "wanted"), [(0, {60}), (1, {61, 62, 63})])
def test_derctl_read_shows_the_lines_that_count(raw: int, wanted: set[int]) -> None:
    fake = acme(r1=(0, 8000), r50=raw, **VOLTS)
    shown = fake.run(told(made(TOLD), 125)).rows
    assert {row["address"] for row in shown if row["name"].startswith("v_")} == wanted
