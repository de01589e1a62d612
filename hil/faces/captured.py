"""A recorded inverter with a plant behind its AC points: its map, its texts and its holes are the real device's."""

from collections.abc import Iterator, Mapping, Sequence
from struct import pack
from typing import Any

from sunspec2 import device, mdef

from hil.faces import ac, immediate
from hil.faces.face import Control
from hil.faces.image import ModelImage
from hil.faces.personality import Personality
from hil.faces.pv_1xx import Inverter1xx
from hil.faces.view import Rating, SiteView
from hil.recordings import Recording

AC_MODELS = (101, 103)


class Recorded(ModelImage):
    """One model of a recording. What pysunspec2 doesn't define, or what lies behind its fixed part, has no slots."""

    def __init__(self, model_id: int, words: Sequence[int]) -> None:
        self.model_id = model_id
        self._without = ""
        self.slots = {}
        self.counts = {}
        self.size = len(words)
        if _defined(model_id):
            self._lay_out(device.get_model_def(model_id)[mdef.GROUP], "", 0)
        self.slots = {name: slot for name, slot in self.slots.items() if slot.at + slot.size <= self.size}
        self.memory = bytearray(pack(f">{self.size}H", *words))
        self.at = {slot.at: slot for slot in self.slots.values()}

    def _instances(self, group: Mapping[str, Any]) -> Iterator[str]:
        if group.get(mdef.COUNT) is None:
            yield from super()._instances(group)


class Captured(Inverter1xx):
    """What of 123 is written acts, and reads back as it was recorded: a control point of its maker is write-only.

    `recorded` holds the map; only AC points that it implements are filled.
    """

    def __init__(
        self, habits: Personality, rating: Rating, *, der: str, view: SiteView, recorded: Recording, seed: int = 0
    ) -> None:
        self._recorded = recorded
        model = next(int(entry[0]) for entry in recorded["chain"] if entry[0] in AC_MODELS)
        super().__init__(habits, rating, der=der, serial="", view=view, model=model, seed=seed)
        self._holes = [name for name in self._ac.slots if self._ac.raw(name) is None]
        self._untimed = {name for name, group in self.controls.items() if self._shown_raw(group) is None}
        self._keep_shown()
        self.adopt_all()

    @property
    def _ac(self) -> ModelImage:
        return self.bank.image(self.model)

    def _images(self, habits: Personality, rating: Rating, serial: str, view: SiteView) -> Sequence[ModelImage]:
        words = {int(address): word for address, word in self._recorded["registers"].items()}
        chain = [entry for entry in self._recorded["chain"] if entry[0] != 0xFFFF]
        return [Recorded(number, [words[at + i] for i in range(length + 2)]) for number, at, length in chain]

    def _shown_raw(self, group: Control) -> object:
        return self.bank.image(group.model_id).raw(group.timer)

    def _keep_shown(self) -> None:
        """Whatever is written: clients read what was recorded. Nothing was written yet, so nothing is held."""
        image = self.bank.image(123)
        shown = bytes(image.memory)
        image.put_all(immediate.controls_off())

        def as_recorded(each: ModelImage, memory: bytearray) -> None:
            if each is image:
                memory[:] = shown

        self.bank.overlays[-1] = as_recorded
        self.bank.publish()

    def fill(self, view: SiteView) -> None:
        """What the device measures, where it measures it."""
        der = view.state.ders[self.der]
        reading = self.noised(ac.der_reading(view, der))
        ac.fill_1xx(self._ac, reading, status=der.inverter.status, dc_v=600.0, dc_w=reading.p_w / 0.96)
        for name in self._holes:
            self._ac.clear(name)
        self._p_w = der.inverter.p_w

    def _arm(self, name: str, control: Control) -> None:
        """A timer that the recording does not implement never runs."""
        if name not in self._untimed:
            super()._arm(name, control)


def _defined(model_id: int) -> bool:
    try:
        return device.get_model_def(model_id) is not None
    except mdef.ModelDefinitionError:
        return False
