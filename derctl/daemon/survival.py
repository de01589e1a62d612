"""What of the running control survives a restart, and how it comes back. The file itself is daemon/statefile's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace

from derctl.core.engine import Memory
from derctl.core.response import Lag
from derctl.daemon.channel.channel import Channel
from derctl.daemon.requests import Held, Requests
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.contract_export_limit import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.store.state import SavedDroop, SavedRequest


def kept_requests(held: Iterable[Held], *, wall: float | None, now_s: float) -> list[SavedRequest]:
    """wall: s since 1970, None where the clock is not set; now_s: the monotonic clock that the requests run on."""
    return [
        SavedRequest(
            id=each.id,
            kind=each.kind,
            der=each.der,
            value_w=each.value_w,
            ends=None if wall is None else wall + each.ends_s - now_s,
            left_s=each.ends_s - now_s,
        )
        for each in held
    ]


def revive_requests(saved: Iterable[SavedRequest], requests: Requests, *, wall: float | None) -> None:
    """Those that have time left; wall is None where the clock is not set.

    Where it isn't, or wasn't when they were saved, what was left then counts.
    """
    for each in saved:
        left_s = each.left_s if wall is None or each.ends is None else min(each.left_s, each.ends - wall)
        if left_s > 0.0:
            requests.put(each.kind, each.der, each.value_w, request_id=each.id, seconds=left_s)


def kept_droop(memories: Mapping[str, Memory]) -> dict[str, SavedDroop]:
    """The droop events in progress, by memory key."""
    return {
        key: SavedDroop(p_pre=memory.p_pre, side=memory.side, y=memory.lag.y)
        for key, memory in memories.items()
        if isinstance(memory, DroopMemory) and memory.p_pre is not None and memory.lag is not None
    }


def revived_droop(saved: Mapping[str, SavedDroop]) -> dict[str, DroopMemory]:
    """They go on from where they were."""
    return {
        key: DroopMemory(p_pre=each.p_pre, side=each.side, lag=Lag(y=each.y, u=each.y)) for key, each in saved.items()
    }


@dataclass(slots=True)
class MeterProof:
    """Which meter at the point of connection was seen to follow the inverters: the same one needs no second proof.

    proven: serial and sign of the one that was proven last. The sign belongs to it: what was proven is that the power
    moves the way that the inverters do, and an edit of the site file turns it round.
    """

    poc: Channel | None
    proven: str | None = None
    _recalled: bool = False

    @property
    def _serial(self) -> str | None:
        """Of the meter that answers; None before one does."""
        return None if self.poc is None or self.poc.known is None else self.poc.known.serial

    @property
    def _name(self) -> str | None:
        return None if self.poc is None or self._serial is None else f"{self._serial} {self.poc.options.sign:+d}"

    def recall(self, memories: MutableMapping[str, Memory]) -> None:
        """Trust the meter from before the restart, as soon as it answers."""
        name = self._name
        if self._recalled or name is None:
            return
        self._recalled = True
        memory = memories.get(ContractExportLimit.kind, ContractMemory())
        if name == self.proven and self._serial and isinstance(memory, ContractMemory):
            trust = replace(memory.trust, proven=True)
            memories[ContractExportLimit.kind] = replace(memory, trust=trust)

    def learn(self, memories: Mapping[str, Memory]) -> str | None:
        """The serial of a meter that has been proven just now, or is believed again."""
        memory = memories.get(ContractExportLimit.kind)
        name = self._name
        if not isinstance(memory, ContractMemory) or name is None:
            return None
        if memory.trust.doubted:  # a restart does not wash it clean
            self.proven = None if name == self.proven else self.proven
            return None
        if not memory.trust.proven or name == self.proven:
            return None
        self.proven = name
        return self._serial
