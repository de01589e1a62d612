"""What is kept for others: who asked for what (the audit log), and how much energy went where (the ledger)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from derctl import __version__
from derctl.core.types import Tick
from derctl.daemon.arming import Arming
from derctl.daemon.auditing import Auditing
from derctl.daemon.checking import Checking
from derctl.daemon.clock import Clock, Steps
from derctl.daemon.commands.desk import Desk
from derctl.daemon.feeding import Feeding
from derctl.daemon.gate import Gate
from derctl.daemon.heard import SELF, Heard
from derctl.daemon.keeping import Keeping
from derctl.daemon.news import News
from derctl.daemon.often import Often
from derctl.daemon.report.kept import kept
from derctl.daemon.security import Distrust, Security
from derctl.daemon.tasks import Tasks
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.looked import audit_end
from derctl.store.outbox import Outbox
from derctl.store.signer import Signer

REFUSAL = "refusal"
"""What the audit log calls it."""


class Kept:
    """Wires them: the desk, the gate and the news tell it what they do."""

    def __init__(
        self, site: Site, folder: Folder, clock: Clock, outbox: Outbox, news: News, connected: Callable[[], bool]
    ) -> None:
        self.tell = news.tell
        self.signer = Signer(folder.path, site.file.site.id, clock.stamp)
        self.audit = Auditing(folder, clock, news.tell, signer=self.signer)
        self.security = Security(site.file.site.id, clock, news.log, outbox.put, Often(self.audit.monotonic))
        self.steps = Steps(clock, lambda event, text: news.tell(event, "", text))
        self.distrust = Distrust(lambda event, text: news.tell(event, "", text))
        self.heard = Heard(self.audit.note)
        self.checking = Checking(folder, clock, news.tell, self.audit.kept)
        self.keeping = Keeping(site, folder, clock, news.tell)
        self.keeping.file.signer = self.signer
        self.feeding = Feeding(
            self.keeping, clock, outbox, connected, lambda: self.audit.head, lambda: self.audit.signed
        )
        for event in news.events:
            self.heard.event(event)
            self.security.event(event)
        news.hearers = (*news.hearers, self.heard.event, self.security.event, _at_each_session(self.feeding))

    def listen(self, desk: Desk, gate: Gate) -> None:
        """To commands, and to words on control."""
        desk.note, desk.kept = self._asked, self.audit.kept
        desk.turned_away = self._turned_away
        if desk.stories is not None:
            desk.stories.heard = self.heard.became
        gate.heard = self._word

    def _asked(self, what: str, who: str, text: str, **more: Any) -> None:
        """Of the desk. Refusals are noted so often at most: who sends them could fill the log with nothing else."""
        code = more.get("code")
        self.audit.note(what, who, text, often=f"{code} {who}" if what == REFUSAL else None, **more)
        if what == REFUSAL:
            self.security.refused(who, code, text)

    def _turned_away(self, who: str, command: str, command_id: str | None, verdict: str, why: str) -> None:
        self.heard.turned_away(who, command, command_id, verdict, why)
        self.security.refused(who, why.partition(":")[0], f"{command}: {why}")

    def _word(self, before: Arming, now: Arming) -> None:
        self.heard.arming(before, now)
        self.security.arming(before, now)

    def begins(self) -> None:
        """derctl starts. site_file: the SHA-256 of what it says: two that say the same have the same."""
        self.checking.noted = audit_end(self.keeping.folder.path)
        self.audit.note("configuration", SELF, f"started, version {__version__}", site_file=_hash(self.keeping.site))

    def takes(self, site: Site) -> None:
        """Another site file."""
        self.keeping.takes(site)
        self.security.site = self.signer.site = site.file.site.id
        self.audit.note("configuration", SELF, "another site file", site_file=_hash(site))

    def start(self, tasks: Tasks) -> None:
        """What breaks in there reaches no control."""
        tasks.guard("audit", self.audit.run)
        tasks.guard("audit check", self.checking.run)
        tasks.guard("ledger", self.keeping.run)
        tasks.guard("backfill", self.feeding.run)

    def view(self) -> dict[str, Any]:
        """For `status`."""
        return kept(self.keeping, self.audit, self.checking, broker=self.keeping.site.file.mqtt is not None)

    def report(self, tick: Tick) -> None:
        """A tick."""
        self.heard.decisions(tick.decisions)
        self.keeping.report(tick.state)
        self.steps.look()
        if self.signer.news:
            self._of_the_key()

    def _of_the_key(self) -> None:
        """What became of it, in the disk's thread."""
        news, self.signer.news = self.signer.news, []
        for event, text in news:
            self.tell(event, "", text)

    async def end(self) -> None:
        """derctl stops."""
        self.audit.note("configuration", SELF, "stopped")
        await self.audit.sign()
        await self.keeping.end()


def _at_each_session(feeding: Feeding) -> Callable[[Mapping[str, Any]], None]:
    """Of events: the broker of another session may know no head."""

    def hear(event: Mapping[str, Any]) -> None:
        if event["event"] == "broker_connected":
            feeding.anew()

    return hear


def _hash(site: Site) -> str:
    return sha256(msgspec.json.encode(site.file, order="deterministic")).hexdigest()
