"""The file that counts writes to registers that wear out before they are made: of the daemon, and of a rescue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from derctl.core.dataclass import dataclass
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.clock import Clock
from derctl.store import worn
from derctl.store.folder import Folder


class Saved(Protocol):
    """What was saved when, and whether the clock could be believed then."""

    @property
    def saved(self) -> float: ...
    @property
    def synced(self) -> bool | None: ...
    @property
    def wear(self) -> Mapping[str, Any]: ...


@dataclass(slots=True)
class Wearing:
    """also: DERs that the file names though nothing of theirs wears out."""

    folder: Folder
    clock: Clock
    ledger: Ledger
    also: Callable[[], Iterable[str]] = tuple

    def restore(self, state: Saved, tell: Callable[[str, str, str], None] = lambda event, who, text: None) -> None:
        """What the state knows, and this file, which knows of more of the writes to what wears out. tell: what News
        takes."""
        ahead, problem = worn.load(self.folder)
        if problem is not None:
            tell("state_unreadable", "", problem)
        saved: tuple[Saved, ...] = (state, ahead)
        for each in saved:
            away_s = self.clock.since_s(each.saved, synced=each.synced)
            for der_id, text in self.ledger.revive(each.wear, away_s).items():
                tell("state_unreadable", der_id, f"how often it was written: {text}")
        self.ledger.keep = self.keep

    async def keep(self) -> None:
        """Return when what was written, or may be now, is on disk. Raises OSError."""
        wear, clock = self.ledger.ahead(self.also()), self.clock
        await worn.save(self.folder, worn.Worn(saved=clock.wall(), synced=clock.synced, wear=wear))

    async def end(self) -> None:
        """Nothing is written any more: what was reserved for that was not."""
        if self.ledger.settle() or set(self.also()):
            with suppress(OSError):
                await self.keep()
