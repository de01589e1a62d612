"""What is kept for others, as `status` shows it: the ledger's intervals and the audit log."""

from __future__ import annotations

from typing import Any

from derctl.daemon.auditing import Auditing
from derctl.daemon.checking import Checking
from derctl.daemon.keeping import Keeping
from derctl.store.interval import SUMS


def kept(keeping: Keeping, audit: Auditing, checking: Checking, *, broker: bool) -> dict[str, Any]:
    """Plain values. broker: the site file has one; without it nothing waits to be sent."""
    return {"ledger": _ledger(keeping, broker=broker), "audit": _audit(audit, checking)}


def _ledger(keeping: Keeping, *, broker: bool) -> dict[str, Any]:
    file, extent = keeping.file, keeping.file.extent
    return {
        "records": file.head.n - file.first.n,
        "bytes": extent.size,
        "oldest": extent.oldest,
        "waiting": max(file.head.n - max(file.sent, file.first.n), 0) if broker else None,
        "unsaved": len(keeping.pending),
        "problem": keeping.unsaved,
        "gaps": extent.gaps,
        "dropped": file.dropped,
        "last": None if extent.last is None else _interval(extent.last),
    }


def _interval(last: Any) -> dict[str, Any]:
    """When it was, and its sums."""
    named = ("from", "to", "why", *(name for name, _, _ in SUMS))
    return {name: last.get(name) for name in named if name in last}


def _audit(audit: Auditing, checking: Checking) -> dict[str, Any]:
    return {
        "records": audit.head.n,
        "bytes": checking.size,
        "problem": audit.unsaved,
        "lost": audit.lost,
        "chain": checking.hangs,
        "text": checking.text,
        "checked": checking.at,
    }
