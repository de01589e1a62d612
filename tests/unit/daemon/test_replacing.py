"""What a device has to be that takes a DER's place, and what goes on with it; nothing is written to ask."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Capability, Setpoint
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.rest import AWAKE, Rest
from derctl.daemon.actuate.trouble import Trouble
from derctl.daemon.known import Known, Once
from derctl.daemon.replacing import Replacing, replaced_text, unfit
from derctl.devices import Identity
from derctl.devices.types import Reversion
from derctl.errors import BusTimeout, CommandError, DeviceRefused
from derctl.site import DerSection
from tests import make
from tests.unit.daemon.channel.test_serial import Line, channel_on
from tests.unit.daemon.test_known import seen

RATING = make.rating(p_max_w=5000.0, q=0.0)
OLD = replace(seen("1"), rating=RATING)


def device(**given: Any) -> Any:
    return SimpleNamespace(**{"rating": RATING, "can": make.LIMITED, "lacks": ()} | given)


@pytest.mark.parametrize(
    ("known", "given", "told", "numbers"),
    [
        (OLD, {}, {}, ()),
        (OLD, {}, {"firmware": "9"}, ()),  # it is to be acknowledged, and fits
        (OLD, {"rating": make.rating(p_max_w=5200.0, q=0.0)}, {}, ()),  # within 5 %
        (OLD, {"rating": make.rating(p_max_w=8000.0, q=0.0)}, {}, ("8,000 W", "5,000 W")),
        (OLD, {"rating": make.rating(p_max_w=5000.0, p_min_w=-3000.0)}, {}, ("3,000 W charging", "0 W")),
        (OLD, {}, {"model": "Two"}, ("Acme Two", "Acme One")),
        (OLD, {}, {"maker": "Other"}, ("Other One", "Acme One")),
        (OLD, {}, {"maker": "", "model": ""}, ("Acme One",)),  # one that tells nothing is nobody's heir
        (replace(OLD, identity=Identity()), {}, {"model": "Two"}, ()),  # an older version did not note it
        (OLD, {"can": Capability()}, {}, ("only be read",)),
        (replace(OLD, writable=False), {"can": Capability()}, {}, ()),
        (OLD, {}, {"serial": ""}, ("no serial number",)),
        (OLD, {}, {"serial": "000"}, ("no serial number",)),
    ],
)
def test_one_that_does_not_fit_is_refused_with_both_numbers(
    known: Once, given: dict[str, Any], told: dict[str, str], numbers: tuple[str, ...]
) -> None:
    who = replace(Identity(maker="Acme", model="One", serial="SN9", firmware="1"), **told)
    text = "; ".join(unfit(known, device(**given), who))
    assert bool(text) is bool(numbers)
    assert all(number in text for number in numbers)


def test_both_serial_numbers_are_named_and_what_to_write() -> None:
    who = Identity(serial="SN9", firmware="2")
    assert replaced_text(OLD, who, "SN1") == (
        "serial SN9 takes the place of SN1; firmware 2, before 1; write serial: 'SN9' in the site file"
    )
    assert replaced_text(replace(OLD, serial=""), replace(who, firmware="1"), None) == (
        "serial SN9 takes the place of one that told none"
    )


class Kept(Line):
    """Its device promises a fallback."""

    def bind(self, options: Any) -> Any:
        found = yield from super().bind(options)
        found.absent_w, found.reversion = lambda fallback: 0.0, Reversion()
        return found


class House:
    """pv1 on a line of its own: it was SN1, and SN9 answers in its place."""

    def __init__(self) -> None:
        self.line = Kept()
        self.channel = channel_on(self.line, serial="SN1")
        self.known = Known()
        self.forgot: list[str] = []
        self.told: list[tuple[str, str, str]] = []
        section = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", serial="SN1")
        self.channel.finder.expected = replace(self.channel.expected, heir=lambda: self.known.heir(section))
        self.channel.expected = self.channel.finder.expected
        self.account: Any = SimpleNamespace(
            hold=Hold(holds=Setpoint(p_ceiling_w=1.0)),
            effect=None,
            trouble=Trouble(late=1),
            toggles=True,
            rest=Rest(least_w=600.0),
        )
        forget = SimpleNamespace(forget=self.forgot.extend)
        self.control: Any = SimpleNamespace(
            plant=SimpleNamespace(ders={"pv1": self.channel}),
            site=SimpleNamespace(file=SimpleNamespace(ders=[section])),
            absent=SimpleNamespace(known=self.known),
            writers={"pv1": SimpleNamespace(account=self.account)},
            standings=forget,
            releaser=SimpleNamespace(records=SimpleNamespace(written=forget, left=forget)),
            loop=SimpleNamespace(memories={"volt_var/pv1": 1, "volt_var/pv2": 2, "site": 3}),
            ears=SimpleNamespace(tell=lambda *event: self.told.append(event)),
        )

    async def answers(self, serial: str, **given: Any) -> None:
        for name, found in {"serial": serial, **given}.items():
            setattr(self.line, name, found)
        self.line.reconnect()
        self.channel.bond.look_again()
        await self.channel.poll()

    async def refused(self) -> tuple[str, str]:
        before = self.known.plain()
        with pytest.raises(CommandError) as caught:
            await Replacing(self.control).take("pv1")
        assert (self.known.plain(), self.forgot) == (before, [])
        return str(caught.value.code), str(caught.value)


@pytest.fixture
async def house() -> House:
    """It was found as SN1, and then SN9 answers."""
    house = House()
    await house.answers("SN1")
    assert house.channel.device is not None
    house.known.of["pv1"] = replace(OLD, writable=False)
    await house.answers("SN9")
    assert house.channel.bond.binding.reason == "identity_changed"
    return house


async def test_the_one_that_fits_is_found_and_what_stood_in_the_one_before_says_nothing_of_it(house: House) -> None:
    text = await Replacing(house.control).take("pv1")
    assert text == "pv1: serial SN9 takes the place of SN1; write serial: 'SN9' in the site file"
    assert house.told == [("device_replaced", "pv1", text.removeprefix("pv1: "))]
    assert (house.account.hold, house.account.trouble, house.account.toggles) == (Hold(), Trouble(), False)
    assert house.account.rest is AWAKE, "what keeps another inverter awake is learned anew"
    assert house.forgot == ["pv1"] * 3
    assert house.control.loop.memories == {"volt_var/pv2": 2, "site": 3}
    await house.channel.poll()
    assert house.channel.bond.verified
    assert house.channel.bond.binding.known == Identity(maker="Acme", model="One", serial="SN9", firmware="1")
    await house.answers("SN1")
    assert house.channel.device is None, "the one before is the stranger now"


async def test_other_firmware_fits_and_is_to_be_acknowledged(house: House) -> None:
    house.line.firmware = "2"
    await Replacing(house.control).take("pv1")
    assert house.known.of["pv1"].newer == "2"
    assert len(house.known.news) == 1


async def test_one_that_does_not_fit_stays_a_stranger(house: House) -> None:
    house.line.rating = make.rating(p_max_w=9000.0, q=0.0)
    code, text = await house.refused()
    assert code == "does_not_fit" and "9,000 W" in text and "5,000 W" in text
    house.line.rating = RATING
    house.channel.expected = replace(
        house.channel.expected, check=lambda device: "rating.p_max_w is 7 in the site file"
    )
    assert await house.refused() == ("does_not_fit", "rating.p_max_w is 7 in the site file")


async def test_nobody_is_replaced_who_answers_or_was_never_found(house: House) -> None:
    await house.answers("SN1")
    code, text = await house.refused()
    assert (code, text) == ("nothing_new", "no other device answers in the place of pv1")
    house.known.of.clear()
    assert (await house.refused())[0] == "nothing_new"


@pytest.mark.parametrize("error", [BusTimeout("no answer"), DeviceRefused(4, function=3, address=1, count=1)])
async def test_one_that_cannot_be_read_now_is_asked_for_later(house: House, error: Exception) -> None:
    house.line.mute = error
    code, text = await house.refused()
    assert code == "not_ready" and str(error) in text


async def test_one_that_was_found_in_part_is_asked_for_later(house: House) -> None:
    whole = house.line.bind

    def half(options: Any) -> Any:
        found = yield from whole(options)
        found.lacks = ("all of model 704",)
        return found

    object.__setattr__(house.channel.expected.kind, "bind", half)
    assert await house.refused() == ("not_ready", "found without all of model 704: try again")
