"""Who vouches for a record: a head of a chain, signed as a JWS (RFC 7515, 8037), and the keys that it is signed with.

What is signed is the last record's hash, so it stands for all before it. A key vouches for the one that follows it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.store.chain import Head, canonical
from derctl.store.ed25519 import KEY_BYTES, good, sign

ALGORITHM = "EdDSA"
"""RFC 8037; the key says that it is Ed25519."""
SPKI = bytes.fromhex("302a300506032b6570032100")
"""What stands before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, 4)."""
PEM_BEGIN, PEM_END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """x: as in a JWK. t: since when. statement: by which the key before vouches for it, None: none does."""

    x: str
    t: str
    statement: str | None = None

    @property
    def kid(self) -> str:
        return kid_of(self.x)

    @property
    def plain(self) -> dict[str, str | None]:
        return {"x": self.x, "t": self.t, "statement": self.statement}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """token: the signed head. keys: oldest first; the last one is in use."""

    token: str
    keys: tuple[Public, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a good seal says. given: whether the key that was given vouches for it; else only the file does."""

    kid: str
    t: str
    site: str
    what: str
    chain: str
    head: Head
    given: bool


def keys_of(plains: Iterable[Any]) -> tuple[Public, ...]:
    """As they were kept. Raises ValueError."""
    try:
        return tuple(Public(x=str(each["x"]), t=str(each["t"]), statement=each.get("statement")) for each in plains)
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("its keys can't be read") from error


def encoded(content: bytes) -> str:
    """Base64 for URLs, without its `=` (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def kid_of(x: str) -> str:
    """Its thumbprint (RFC 7638)."""
    return encoded(sha256(canonical({"crv": "Ed25519", "kty": "OKP", "x": x}).encode()).digest())


def token_of(seed: bytes, x: str, plain: Plain) -> str:
    """A compact JWS. Raises Missing."""
    content = (
        f"{encoded(canonical({'alg': ALGORITHM, 'kid': kid_of(x)}).encode())}.{encoded(canonical(plain).encode())}"
    )
    return f"{content}.{encoded(sign(seed, content.encode()))}"


def kid_in(token: str) -> str:
    """Whose it says that it is. Raises ValueError."""
    header = json.loads(decoded(token.partition(".")[0]))
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise ValueError("its signature says no key that is known here")
    return str(header["kid"])


def opened(token: str, x: str) -> Plain:
    """What was signed by that key. Raises ValueError: it was not; Missing."""
    content, _, signature = token.rpartition(".")
    if not good(decoded(x), content.encode(), decoded(signature)):
        raise ValueError("its signature is not good")
    found = json.loads(decoded(content.partition(".")[2]))
    if not isinstance(found, dict):
        raise ValueError("what was signed is no object")
    return found


def statement_of(seed: bytes, x: str, following: str, site: str, t: str) -> str:
    """By which a key vouches for the one that follows it."""
    return token_of(seed, x, {"what": "key", "site": site, "x": following, "t": t})


def vouched(keys: Sequence[Public], root: str) -> frozenset[str]:
    """All keys that this one vouches for, itself or through others that it does. Raises Missing."""
    known = {root}
    for each in keys:
        if each.statement is not None and each.x not in known and _stands(each, known):
            known.add(each.x)
    return frozenset(known)


def _stands(key: Public, known: set[str]) -> bool:
    try:
        by = {kid_of(x): x for x in known}[kid_in(str(key.statement))]
        said = opened(str(key.statement), by)
    except (ValueError, LookupError):
        return False
    return said.get("what") == "key" and said.get("x") == key.x


def checked(seal: Seal, root: str | None = None) -> Signed:
    """root: a key that somebody had from the site before; None: the file's own word has to do. Raises ValueError."""
    kid = kid_in(seal.token)
    known = {each.kid: each.x for each in seal.keys}
    if root is not None:
        known = {kid_of(x): x for x in vouched(seal.keys, root)}
    if kid not in known:
        whom = "the key given does not vouch for it" if root is not None else "it is not in the file"
        raise ValueError(f"it is signed by the key {kid}, and {whom}")
    said = opened(seal.token, known[kid])
    try:
        head = Head(n=int(said["n"]), hash=str(said["hash"]))
        words = {name: str(said[name]) for name in ("t", "site", "what", "chain")}
    except (KeyError, TypeError) as error:
        raise ValueError("what was signed is no head of a chain") from error
    return Signed(kid=kid, head=head, given=root is not None, **words)


def pem_of(x: str) -> str:
    """As openssl reads it."""
    return f"{PEM_BEGIN}\n{base64.b64encode(SPKI + decoded(x)).decode()}\n{PEM_END}\n"


def key_from(text: str) -> str:
    """x of a PEM, or of the key as a JWK has it. Raises ValueError."""
    raw = text.strip()
    if PEM_BEGIN in raw:
        der = base64.b64decode(raw.partition(PEM_BEGIN)[2].partition(PEM_END)[0])
        if not der.startswith(SPKI):
            raise ValueError("it is no Ed25519 key")
        raw = encoded(der[len(SPKI) :])
    if len(decoded(raw)) != KEY_BYTES:
        raise ValueError("it is no Ed25519 key")
    return raw
