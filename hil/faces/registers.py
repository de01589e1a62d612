"""A device without SunSpec: its maker's own registers, from a map, bound to the plant."""

from collections.abc import Mapping, Sequence

from hil.faces import signals
from hil.faces.asked import Asked
from hil.faces.bank import Refused
from hil.faces.face import Face
from hil.faces.image import ModelImage, Slot
from hil.faces.meter import flow
from hil.faces.personality import Personality
from hil.faces.register_map import RegisterMap
from hil.faces.signals import Signal
from hil.faces.tables import Table, Tables
from hil.faces.view import Rating, SiteView
from hil.plant.battery import BatteryParams
from hil.plant.inverter import InverterCommand


class Registers(Face):
    """`der`: whose terminals and pack it shows; "" for a meter. `asked` is shared by units that are one device."""

    def __init__(
        self,
        habits: Personality,
        rating: Rating,
        *,
        spec: RegisterMap,
        der: str,
        serial: str,
        pack: BatteryParams | None,
        asked: Asked | None = None,
        delivered: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__([], habits, rating, seed=seed)
        self.spec = spec
        self.der = der
        self.pack = pack
        self.serial = serial
        self.bank = Tables(spec)
        self.asked = asked if asked is not None else Asked(rating)
        self.owns = asked is None
        self._delivered_as = dict(delivered or {})
        self.asked.join(spec, self._settings())
        self._show_settings(self._settings())
        self.bank.publish()

    @property
    def tables(self) -> Sequence[Table]:
        """What it shows, one for each read function that shows something of its own."""
        return [image for image in self.bank.images if isinstance(image, Table)]

    # what goes out

    def read(self, function: int, address: int, count: int) -> bytes:
        bank = self.bank
        return bank.read_by(function, address, count) if isinstance(bank, Tables) else bank.read(address, count)

    def numbers(self, address: int, count: int) -> range:
        return range(address, address + count * self.spec.stride, self.spec.stride)

    def fill(self, view: SiteView) -> None:
        """What the device measures."""
        seen = self._seen(view)
        for table in self.tables:
            for name, line in table.lines.items():
                if line.bits:
                    table.put(name, float(sum(1 << bit for bit, by in line.bits.items() if seen.get(by))))
                elif line.shows:
                    table.put(name, seen.get(line.shows))
                elif not line.sets:
                    table.put(name, line.fixed)
                elif not self.deaf:
                    table.put(name, self.asked.settings[name])

    def _seen(self, view: SiteView) -> dict[str, Signal]:
        poc = self.noised(flow(view, self.random))
        seen: dict[str, Signal] = {"device.serial": self.serial}
        seen.update(signals.of_reading("poc", poc))
        seen.update(signals.of_house(view.state, poc))
        seen.update(signals.of_rating(self.rating))
        if self.der:
            der = view.state.ders[self.der]
            seen.update(signals.of_der(view, der, self.noised(signals.terminals(view, der))))
            if der.battery is not None and self.pack is not None:
                seen.update(signals.of_battery(der.battery, self.pack))
        seen.update({f"set.{name}": value for name, value in self.asked.settings.items()})
        return seen

    # what comes in

    def write(self, address: int, content: bytes) -> None:
        """Whole settings only; a value that is out of range leaves everything as it was."""
        image, slots = self._find(address, len(content) // 2)
        assert isinstance(image, Table)
        first = slots[0].at
        written: dict[str, float] = {}
        for slot in slots:
            at = (slot.at - first) * 2
            written[slot.name] = image.decoded(slot, content[at : at + slot.size * 2])
            written[slot.name] *= image.lines[slot.name].written
        self._within(image, written)
        for name, value in written.items():
            image.put(name, value)
            if image.lines[name].lasting:
                self.wear[name] = self.wear.get(name, 0) + 1
        if not self.deaf:
            self.asked.write(written)
        self.bank.publish()

    def _find(self, address: int, count: int) -> tuple[ModelImage, list[Slot]]:
        try:
            return self.bank.find(address, count)
        except Refused as refused:
            raise Refused(self.habits.refuse_code if refused.code == 2 else refused.code) from None

    def _within(self, table: Table, written: Mapping[str, float]) -> None:
        for name, value in written.items():
            line = table.lines[name]
            if not line.low <= value <= line.high:
                self.violations.append(f"I1 {self.spec.name}.{name} = {value} outside ({line.low}, {line.high})")
                raise Refused(self.spec.beyond)

    def command(self) -> InverterCommand:
        """What the settings ask for."""
        return self.asked.command()

    def pack_limits_a(self) -> tuple[float | None, float | None]:
        """What a BMS was told to allow: charge and discharge, A."""
        return self.asked.value("charge_max_a"), self.asked.value("discharge_max_a")

    # time

    def tick(self, dt_s: float) -> None:
        """Let the dead-man run (wall time)."""
        if not self.owns:
            return
        fallen = self.asked.elapse(dt_s)
        self.timers = self.asked.timers
        if fallen:
            self.reverted += 1
            self._show_settings(fallen)
            self.bank.publish()

    def power_on(self) -> None:
        """After a restart: what lasts stays, the rest is as it left the factory."""
        if not self.habits.keeps:
            lasting = {line.name for table in self.spec.tables for line in table.lines if line.lasting}
            given = {name: value for name, value in self._settings().items() if name not in lasting}
            self.asked.forget(given)
            self._show_settings(given)
        self.bank.publish()

    def adopt_all(self) -> None:
        """Act by what stands in the registers."""
        for table in self.tables:
            for line in table.lines.values():
                value = table.get(line.name) if line.sets else None
                if value is not None:
                    self.asked.settings[line.name] = value

    def _settings(self) -> dict[str, float]:
        """As it leaves the factory."""
        found: dict[str, float] = {}
        ratings = dict(signals.of_rating(self.rating))
        for table in self.spec.tables:
            for line in table.lines:
                if line.sets:
                    fixed = ratings.get(line.fixed, 0.0) if isinstance(line.fixed, str) else (line.fixed or 0.0)
                    found[line.name] = float(self._delivered_as.get(line.name, fixed))
        return found

    def _show_settings(self, values: Mapping[str, float]) -> None:
        for table in self.tables:
            for name, value in values.items():
                if name in table.lines:
                    table.put(name, value)
