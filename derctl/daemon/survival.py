"""What of the running control survives a restart, and how it comes back. The file itself is daemon/statefile's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from derctl.core.engine import Memory
from derctl.daemon.channel.channel import Channel
from derctl.daemon.requests import Held, Requests, from_plain, to_plain
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.contract_export_limit import Memory as ContractMemory
from derctl.functions.survival import kept, revived
from derctl.store.state import SavedDroop, SavedRequest

VALUE = {"limit_power": "p_ceiling_w", "set_battery_power": "p_target_w"}
"""What version 1 of the state file calls value_w."""


def kept_requests(held: Iterable[Held], *, wall: float | None, now_s: float) -> list[SavedRequest]:
    """wall: s since 1970, None where the clock is not set; now_s: the monotonic clock that the requests run on."""
    plain = [to_plain(each, wall=wall, now_s=now_s) for each in held]
    return [
        SavedRequest(
            id=each["id"],
            kind=each["kind"],
            der=each["der"],
            value_w=each[VALUE[each["kind"]]],
            ends=each["ends"],
            left_s=each["remaining_s"],
        )
        for each in plain
        if each["kind"] in VALUE
    ]


def of_version_1(saved: SavedRequest) -> dict[str, Any]:
    """The plain form that `requests.from_plain` takes. Who asked was not saved."""
    value = {VALUE[saved.kind]: saved.value_w} if saved.kind in VALUE else {}
    fields = {"id": saved.id, "kind": saved.kind, "der": saved.der, "by": "", "remaining_s": saved.left_s}
    return fields | value | {"ends": saved.ends}


def revive_requests(saved: Iterable[SavedRequest], requests: Requests, *, wall: float | None) -> None:
    """Those that have time left; wall is None where the clock is not set. One that can't be read is left out."""
    for each in saved:
        with suppress(msgspec.ValidationError):
            request = from_plain(of_version_1(each), wall=wall)
            if request.remaining_s > 0.0:
                requests.put(request)


def kept_droop(memories: Mapping[str, Memory]) -> dict[str, SavedDroop]:
    """The droop events in progress, by memory key."""
    return {key: msgspec.convert(plain, SavedDroop) for key, plain in kept(memories).items()}


def revived_droop(saved: Mapping[str, SavedDroop]) -> dict[str, Memory]:
    """They go on from where they were."""
    return revived({key: msgspec.to_builtins(each) for key, each in saved.items()}).memories


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
