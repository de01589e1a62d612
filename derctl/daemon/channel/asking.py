"""The requests of one device's fast poll, on its bus."""

from __future__ import annotations

from collections.abc import Awaitable

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Op, Read, Registers
from derctl.core.value import replace
from derctl.devices import Device
from derctl.devices.blocks import Blocks, Joining
from derctl.errors import DeviceRefused
from derctl.links.bus import Bus
from derctl.links.carried import carried


@dataclass(slots=True)
class Asking:
    """joining: what of the device may be read together. lent: a trial alone does it now."""

    bus: Bus
    unit: int
    joining: Joining
    lent: bool = False

    def shorten(self, max_regs: int) -> None:
        """The profile of the device that was found takes no longer requests."""
        self.joining = replace(self.joining, max_regs=min(self.joining.max_regs, max_regs))

    async def ask(self, whole: Device, blocks: Blocks) -> tuple[dict[str, Registers], dict[str, str]]:
        """The blocks of the fast poll, and why those were refused without which it is still a device."""

        def vital(name: str, error: DeviceRefused) -> bool:
            return whole.without({name: _why(error)}) is None

        fresh, refused = await carried(blocks.ask(whole.control, self.joining, vital), self._request)
        return fresh, {name: _why(error) for name, error in refused.items()}

    def _request(self, op: Op) -> Awaitable[Registers]:
        assert isinstance(op, Read)
        return self.bus.request(self.unit, op)


def _why(error: DeviceRefused) -> str:
    return f"exception {error.code}, so it is not used until it answers again"
