"""Whether a unit is there at all, by as few requests as can tell."""

from __future__ import annotations

from derctl.core.exchange import Exchange, Read
from derctl.errors import BusTimeout, DeviceRefused

SUNSPEC = Read(address=40000, count=2)
"""Where most maps begin."""
METER = Read(address=0, count=2, function=4)
"""Where most meters have a voltage: some say nothing where a register is none of theirs."""


def present(*, twice: bool) -> Exchange[bool]:
    """Anything that it says is an answer, a refusal too; a gateway's word for it is none. twice: who is silent is
    asked something else."""
    for op in (SUNSPEC, METER) if twice else (SUNSPEC,):
        try:
            yield op
        except BusTimeout:
            continue
        except DeviceRefused as refused:
            return not refused.by_gateway
        return True
    return False
