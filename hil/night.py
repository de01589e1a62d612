"""What a device does without sun, beyond showing zeros: SMA refuses models, shows nothing or a shorter map."""

import asyncio
from collections.abc import Callable

from hil.faces.bank import Bank
from hil.faces.image import ModelImage
from hil.register_faults import all_not_implemented
from hil.unit import Unit
from hil.wire import Endpoint

MEASURING = (101, 103, 111, 113, 701)


def go_dark(unit: Unit, endpoint: Endpoint, habit: str) -> Callable[[], None]:
    """Begin the night; call what comes back at dawn."""
    if habit == "closed":
        endpoint.refuse()
        for connection in list(endpoint.open):
            connection.end("fin")
        loop = asyncio.get_running_loop()
        opening: list[asyncio.Task[None]] = []
        return lambda: opening.append(loop.create_task(endpoint.listen()))
    if habit == "shorter":
        return _shortened(unit)
    models = [image.model_id for image in unit.face.bank.images if image.model_id in MEASURING]
    undo = [all_not_implemented(unit, model=model) for model in models]

    unit.face.bank.refused = frozenset(unit.face.habits.refused_models) if habit == "holes" else frozenset()

    def dawn() -> None:
        unit.face.bank.refused = frozenset()
        for end in undo:
            end()

    return dawn


def _shortened(unit: Unit) -> Callable[[], None]:
    """Model 714 without its DC ports, so that all behind it moves up."""
    day = unit.face.bank
    night = [ModelImage(714, {"NPrt": 0}) if image.model_id == 714 else image for image in day.images]
    unit.face.bank = Bank(night, base=day.base)
    unit.face.bank.overlays = day.overlays
    unit.face.bank.publish()

    def dawn() -> None:
        unit.face.bank = day
        day.publish()

    return dawn
