"""The running daemon's answers to commands that only look. The words for people come from who starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from derctl import __version__
from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.core.words import Refusal
from derctl.daemon.capture import FILE, Captured, captured
from derctl.daemon.clock import Clock
from derctl.daemon.commands.views import Views, not_ready
from derctl.errors import CommandError
from derctl.site import Site
from derctl.store.folder import Folder, leave_room, replace_file
from derctl.store.ticks import Recorder

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What `status` says, for people. why: of a DER. doctor: a page's lines, what needs somebody first."""

    why: Callable[[str, State], str] = lambda der, state: not_ready()
    doctor: Callable[[State], Sequence[str]] = lambda state: [not_ready()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """state: what `status` tells now. site: the file that counts. publish: puts all that is retained out anew."""

    pages: Pages
    state: Callable[[], State]
    site: Callable[[], Site]
    publish: Callable[[], None]
    recorder: Recorder
    folder: Folder
    clock: Clock

    @property
    def views(self) -> Views:
        """For the commands."""
        return Views(
            publish=self._publish,
            why=self._why,
            doctor=self._doctor,
            capture=self._capture,
            margins=lambda plan: self.site().margins(plan),
        )

    def _publish(self) -> str:
        self.publish()
        return "all that is retained goes out again with the next tick"

    def _why(self, der: str) -> str:
        return self.pages.why(der, self.state())

    def _doctor(self) -> Sequence[str]:
        return self.pages.doctor(self.state())

    async def _capture(self) -> str:
        """What takes time is done in the disk's thread. Raises CommandError: the disk takes none."""
        site = self.site()
        head = {"version": __version__, "site": site.file.site.id, "t": self.clock.stamp()}
        parts = {"status": dict(self.state()), "site_file": msgspec.to_builtins(site.file)}
        ticks = self.recorder.ticks
        path = self.folder.path / FILE

        def written() -> Captured:
            made = captured(head, parts, ticks, site.secret)
            leave_room(self.folder.path)
            replace_file(path, made.content)
            self.folder.writes += 1
            self.folder.bytes += len(made.content)
            return made

        try:
            made = await self.folder.on_disk(written)
        except OSError as error:
            raise CommandError(Refusal.NOT_SAVED, f"{path}: {error_text(error)}") from error
        return f"{path} on the device: {len(made.content):,} bytes, SHA-256 {made.digest}; {_ticks(made)}"


def _ticks(made: Captured) -> str:
    cut = made.of - made.ticks
    return f"the last {made.ticks} ticks" + (f"; cut: {cut} older ones are left out" if cut else "")
