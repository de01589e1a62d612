"""Another device in a DER's place, taken for it by an operator's word: what it has to be, and what goes on."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, patient
from derctl.core.value import replace
from derctl.core.words import Reason, Refusal
from derctl.daemon.actuate.effect import NOT_TOLD
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.rest import AWAKE
from derctl.daemon.actuate.trouble import Trouble
from derctl.daemon.channel.answers import Answers
from derctl.daemon.channel.believed import number, rates_differ, readable, unchanged
from derctl.daemon.channel.binding import Binding
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.measured import Measured
from derctl.daemon.control import Control
from derctl.daemon.known import Once, once, relying_on
from derctl.devices import Device, Identity
from derctl.errors import BusError, CommandError, DeviceError
from derctl.links.turns import Priority


@dataclass(frozen=True, slots=True)
class Replacing:
    """Its name, its requests and its write counters stay; what stood in the one before says nothing of this one."""

    control: Control

    async def take(self, der_id: str) -> str:
        """What was taken over, in words. Raises CommandError, with both numbers where it doesn't fit."""
        channel = self.control.plant.ders[der_id]
        section = next(each for each in self.control.site.file.ders if each.id == der_id)
        record = self.control.absent.known.record(section)
        binding = channel.bond.binding
        if record is None or binding.device is not None or binding.reason is not Reason.IDENTITY_CHANGED:
            raise CommandError(Refusal.NOTHING_NEW, _nothing_new(der_id, channel, record))
        device, told = await _asked(channel)
        objections = unfit(record, device, told)
        wrong = channel.expected.check(device)
        if objections or wrong is not None:
            raise CommandError(Refusal.DOES_NOT_FIT, "; ".join([*objections, *([wrong] if wrong else [])]))
        heir = replace(once(device), serial=number(told.serial), replaced=number(section.serial or record.serial))
        self.control.absent.known.put(der_id, relying_on(record.identity.firmware, heir))
        self._begin(der_id, channel)
        text = replaced_text(record, told, section.serial)
        self.control.ears.tell("device_replaced", der_id, text)
        return f"{der_id}: {text}"

    def _begin(self, der_id: str, channel: Channel) -> None:
        """It is looked for anew, as one that nobody has written: what it holds is somebody's."""
        control = self.control
        channel.bond.binding, channel.finder.rating = Binding(), None
        channel.answers, channel.measured = Answers(), Measured(channel.expected)
        account = control.writers[der_id].account
        account.hold, account.effect, account.trouble, account.toggles = Hold(), NOT_TOLD, Trouble(), False
        account.rest = AWAKE
        control.standings.forget([der_id])
        control.releaser.records.written.forget([der_id])
        control.releaser.records.left.forget([der_id])
        memories = control.loop.memories
        control.loop.memories = {key: each for key, each in memories.items() if key.rpartition("/")[2] != der_id}


async def _asked(channel: Channel) -> tuple[Device, Identity]:
    """Who answers there, and what it can do; nothing is written. Raises CommandError."""

    def look() -> Exchange[tuple[Device, Identity]]:
        device = yield from channel.expected.kind.bind(channel.expected.options)
        return device, unchanged(device.identity, (yield from device.identify()))

    try:
        device, told = await channel.bus.execute(channel.unit, patient(look()), priority=Priority.SLOW)
    except (BusError, DeviceError) as error:
        raise CommandError(Refusal.NOT_READY, f"what answers there can't be read now: {error}") from error
    if device.lacks:
        raise CommandError(Refusal.NOT_READY, f"found without {', '.join(device.lacks)}: try again")
    return device, told


def _nothing_new(der_id: str, channel: Channel, record: Once | None) -> str:
    if record is None:
        return f"{der_id} was never found, so there is nothing to compare: write its serial in the site file"
    said = channel.bond.binding.text
    return f"no other device answers in the place of {der_id}" + (f" ({said})" if said else "")


def unfit(record: Once, device: Device, told: Identity) -> list[str]:
    """What keeps a device from taking the place of the one that is known, each with both."""
    found = list[str]()
    if not number(told.serial):
        found.append("it tells no serial number")
    pairs = ((told.maker, record.identity.maker), (told.model, record.identity.model))
    if any(now != before for now, before in pairs if readable(before)):
        found.append(f"it is a {told.name}, the one before was a {record.identity.name}")
    if rates_differ(record.rating, device.rating) is not None:
        now, before = device.rating, record.rating
        found.append(
            f"it is rated {now.p_max_w:,.0f} W / {-now.p_min_w:,.0f} W charging, the one before"
            f" {before.p_max_w:,.0f} W / {-before.p_min_w:,.0f} W"
        )
    if record.writable and not device.can.steer:
        found.append("it can only be read, the one before could be told")
    return found


def replaced_text(record: Once, told: Identity, expected: str | None) -> str:
    """Such as `serial 1002 takes the place of 1001; write serial: '1002' in the site file`."""
    text = f"serial {told.serial} takes the place of {record.serial or 'one that told none'}"
    if readable(record.identity.firmware) and told.firmware != record.identity.firmware:
        text += f"; firmware {told.firmware}, before {record.identity.firmware}"
    return text if expected is None else f"{text}; write serial: {told.serial!r} in the site file"
