"""What a device does without sun, beyond showing zeros: SMA refuses models or shows "not implemented"."""

import asyncio
from collections.abc import Callable

from hil.register_faults import all_not_implemented
from hil.wire import Endpoint, Unit

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
    models = [image.model_id for image in unit.face.bank.images if image.model_id in MEASURING]
    undo = [all_not_implemented(unit, model=model) for model in models]

    def dawn() -> None:
        for end in undo:
            end()

    return dawn
