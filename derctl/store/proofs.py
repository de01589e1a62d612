"""What `derctl verify` found of each DER's fail-safe, and of which device under which declaration."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from derctl.core.text import error_text
from derctl.core.words import Beside, FallbackBy, Proven, Unplugged
from derctl.store.folder import Folder
from derctl.store.sealed import first_good

FILE = "proofs.json"


class Proof(msgspec.Struct, kw_only=True, frozen=True):
    """One DER's. at: wall time as text. profile: whose habits were counted with.

    by, p_ceiling_w, after_s: the fallback as it was declared then. lapsed_s: how long after the last word it let go,
    None: it did not, or that was not seen. went_w: the limit that it went to, None: no limit. polled: whether it was
    asked meanwhile; False: only silence lets its timer run out. how: derctl was taken from it, None: before that was
    noted. beside: what a second client changes, None: none was there.
    """

    verdict: Proven
    serial: str
    firmware: str
    by: FallbackBy
    p_ceiling_w: float | None
    after_s: float
    at: str = ""
    profile: str = ""
    lapsed_s: float | None = None
    went_w: float | None = None
    polled: bool = True
    text: str = ""
    how: Unplugged | None = None
    beside: Beside | None = None


def load(folder: Folder) -> tuple[dict[str, Proof], str | None]:
    """By DER id, and what was wrong with the file: what can't be read proves nothing, unless its copy can."""
    try:
        found, problem = first_good(folder.read, FILE, _parsed)
    except (OSError, ValueError) as error:
        return {}, f"{folder.path / FILE}: {error_text(error)}; no fail-safe counts as proven{folder.set_aside(FILE)}"
    return found or {}, None if problem is None else f"{folder.path / FILE}: {problem}"


def _parsed(content: bytes, checked: bool) -> dict[str, Proof]:
    """Raises ValueError for one without a checksum: each was saved with one."""
    if not checked:
        raise ValueError("it has no checksum")
    return msgspec.json.decode(content, type=dict[str, Proof])


async def save(folder: Folder, proofs: Mapping[str, Proof]) -> None:
    """Raises OSError."""
    await folder.replace(FILE, msgspec.json.encode(proofs))
