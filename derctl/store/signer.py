"""The site's own key, by which the ledger and the audit log are signed: made on first start, mode 0600."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from derctl.core.dataclass import dataclass
from derctl.core.text import error_text
from derctl.core.value import replace
from derctl.store.audit import was_signed
from derctl.store.chain import Head
from derctl.store.ed25519 import KEY_BYTES, Missing, public_of
from derctl.store.folder import READ_MAX, leave_room, replace_file
from derctl.store.seal import Public, decoded, encoded, keys_of, statement_of, token_of, vouched
from derctl.store.sealed import UNUSABLE, opened, sealed

FILE = "signing.key"
VERSION = 1
CHANGED, MADE, UNVOUCHED = "signing_key_changed", "signing_key_made", "signing_key_unvouched"
MODE = 0o600
"""Whoever reads it can sign in the site's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """seed: the private key. keys: as in a Seal; the last one is its public key."""

    seed: bytes = field(repr=False)
    keys: tuple[Public, ...]

    @property
    def public(self) -> Public:
        return self.keys[-1]


@dataclass(slots=True)
class Signer:
    """For the disk's thread. site, stamp: what stands in what is signed. unsigned: why nothing is, None: all is.

    news: what became of the key, event and text, until somebody takes it. known: who signed last, by the ledger.
    audit: the end of the audit log as it is on the card, which the ledger notes with each commit.
    """

    folder: Path
    site: str
    stamp: Callable[[], str]
    unsigned: str | None = "not tried yet"
    news: list[tuple[str, str]] = field(default_factory=list)
    known: str | None = None
    audit: Head = field(default_factory=Head)
    _pair: Pair | None = None
    _seen: tuple[int, int] | None = None

    @property
    def keys(self) -> tuple[Public, ...]:
        return () if self._pair is None else self._pair.keys

    def head(self, what: str, chain: str, head: Head) -> str | None:
        """Signed; None: `unsigned` says why. Never raises: a record without a signature is better than none."""
        try:
            pair = self._look()
            plain = {
                "what": what,
                "site": self.site,
                "chain": chain,
                "n": head.n,
                "hash": head.hash,
                "t": self.stamp(),
            }
            token = token_of(pair.seed, pair.public.x, plain)
        except (OSError, Missing) as error:
            before, self.unsigned = self.unsigned, error_text(error)
            if before != self.unsigned:
                self.news.append(("records_unsigned", self.unsigned))
            return None
        self.unsigned = None
        return token

    def _look(self) -> Pair:
        """The key as the file has it now: `derctl ledger rotate` may have put another one there. Raises OSError."""
        path = self.folder / FILE
        try:
            found = path.stat()
        except FileNotFoundError:
            return self._anew(path, "")
        if self._pair is None or self._seen != (found.st_ino, found.st_mtime_ns):
            try:
                pair = read(path)
            except UNUSABLE as error:
                if isinstance(error, OSError):
                    raise
                path.replace(path.with_name(f"{FILE}.unreadable"))
                return self._anew(path, f"{FILE}: {error_text(error)}; kept as {FILE}.unreadable; ")
            if self.known is not None and self.known != pair.public.x:
                given = pair.public.x in vouched(pair.keys, self.known)
                event, word = (CHANGED, "the one before") if given else (UNVOUCHED, "none")
                self.news.append((event, f"key {pair.public.kid} signs from now on; {word} vouches for it"))
            self._pair, self._seen = pair, (found.st_ino, found.st_mtime_ns)
            self.known = pair.public.x
        return self._pair

    def _anew(self, path: Path, why: str) -> Pair:
        """A first key, or one that nobody vouches for. It signs nothing before it is on disk."""
        later = bool(why) or self.known is not None or was_signed(self.folder)
        pair = first(self.stamp())
        leave_room(self.folder)
        write(path, pair)
        found = path.stat()
        self._pair, self._seen, self.known = pair, (found.st_ino, found.st_mtime_ns), pair.public.x
        if later:
            why = why or f"{FILE} was gone; "
            text = f"{why}key {pair.public.kid} was made, and signs from now on; none vouches for it"
            self.news.append((UNVOUCHED, text))
        else:
            self.news.append(
                (MADE, f"key {pair.public.kid} was made, the first one of this site: it signs the records")
            )
        return pair


def first(t: str) -> Pair:
    """A key that none vouches for. Raises Missing."""
    seed = secrets.token_bytes(KEY_BYTES)
    return Pair(seed=seed, keys=(Public(x=encoded(public_of(seed)), t=t),))


def following(before: Pair, site: str, t: str) -> Pair:
    """Another key, for which the one before vouches. Raises Missing."""
    pair = first(t)
    statement = statement_of(before.seed, before.public.x, pair.public.x, site, t)
    return Pair(seed=pair.seed, keys=(*before.keys, replace(pair.public, statement=statement)))


def read(path: Path) -> Pair:
    """Raises OSError, or one of UNUSABLE. One that others may read is closed to them."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            with suppress(OSError):
                os.fchmod(file.fileno(), MODE)
        raw = file.read(READ_MAX)
    content = opened(raw)
    plain = json.loads(raw if content is None else content)
    if plain.get("version") != VERSION:
        raise ValueError(f"version {plain.get('version')!r} is not known here; {VERSION} is the newest")
    pair = Pair(seed=decoded(plain["d"]), keys=keys_of(plain["keys"]))
    if encoded(public_of(pair.seed)) != pair.public.x:
        raise ValueError("its private key is not that of its public one")
    return pair


def write(path: Path, pair: Pair) -> None:
    """Old or new, never mixed. Raises OSError."""
    plain = {"version": VERSION, "d": encoded(pair.seed), "keys": [each.plain for each in pair.keys]}
    replace_file(path, sealed(json.dumps(plain).encode()), MODE)
