"""What a device's registers always show, whatever it means: points that it lacks, and points that never change."""

from collections.abc import Mapping
from functools import cache

from hil.faces.bank import Overlay
from hil.faces.image import ModelImage
from hil.faces.personality import Personality


def mask(habits: Personality) -> Overlay:
    """An overlay by `without` and `shows`, whose points are named `MODEL.POINT`."""
    shown: Mapping[str, float | None] = {**dict.fromkeys(habits.without), **habits.shows}

    def overlay(image: ModelImage, memory: bytearray) -> None:
        for name, value in shown.items():
            model, _, point = name.partition(".")
            if model == str(image.model_id) and point in image.slots:
                slot = image.slots[point]
                memory[slot.at * 2 : (slot.at + slot.size) * 2] = _words(
                    image.model_id, tuple(image.counts.items()), point, value
                )

    return overlay


@cache
def _words(model_id: int, counts: tuple[tuple[str, int], ...], point: str, value: float | None) -> bytes:
    """Registers of a point; None: not implemented."""
    blank = ModelImage(model_id, dict(counts))
    slot = blank.slots[point]
    if value is not None:
        blank.put_raw(point, int(value))
    return bytes(blank.memory[slot.at * 2 : (slot.at + slot.size) * 2])
