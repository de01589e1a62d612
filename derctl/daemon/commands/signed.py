"""Commands that are signed: an Ed25519 signature over the payload as a JWS (RFC 7515, 8037, 9864), by joserfc.

The library is an extra (`derctl[signed]`). It is asked for only where the site file lists a key.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.clock import Clock
from derctl.daemon.commands.payload import fields_of
from derctl.errors import CommandError
from derctl.site.principals import moment
from derctl.site.schema import KeySection, PrincipalSection

ALGORITHMS = ("Ed25519", "EdDSA")
"""The name of RFC 9864, and that of RFC 8037, which other libraries write still; the key itself says Ed25519."""
TOPIC = "topic"
"""What of a signed payload says where it belongs: a command that was signed for another site, name or principal is no
command here."""
MISSING = "signatures need the package joserfc: install derctl[signed]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """place: in the site file. start, end: s since 1970, None: no bound."""

    place: str
    public: str
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """base: what the site's topics begin with. keys: by principal and key id; who has none signs nothing."""

    base: str
    clock: Clock
    keys: Mapping[str, Mapping[str, Key]] = field(default_factory=dict)

    def opened(self, principal: str, name: str, payload: bytes) -> dict[str, Any]:
        """The command's fields, once the signature that its principal has to give is good. Raises CommandError."""
        keys = self.keys.get(principal)
        if not keys:
            return fields_of(payload)
        token = _compact(payload)
        fields = fields_of(self._verified(token, keys))
        meant, here = fields.pop(TOPIC, None), f"{self.base}/cmd/{principal}/{name}"
        if meant != here:
            text = f"{TOPIC} is missing in what was signed" if meant is None else f"signed for {str(meant)[:200]}"
            raise CommandError(Refusal.BAD_SIGNATURE, f"{text}; this is {here}")
        return fields

    def _verified(self, token: bytes, keys: Mapping[str, Key]) -> bytes:
        jws, jwk, errors = _library()
        try:
            header = jws.extract_compact(token).headers()
            key = self._key(header, keys)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the older name of the algorithm
                own = jwk.OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public})
                payload = jws.deserialize_compact(token, own, algorithms=list(ALGORITHMS)).payload
        except (errors.JoseError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise CommandError(Refusal.BAD_SIGNATURE, f"no good signature{_why(error)}") from error
        return bytes(payload)

    def _key(self, header: Mapping[str, Any], keys: Mapping[str, Key]) -> Key:
        """Which key it is by its own word, if that one counts now. A clock that isn't set can't tell that."""
        if not {*header} <= {"alg", "kid", "typ", "cty"}:
            raise CommandError(Refusal.BAD_SIGNATURE, "its header has more than alg, kid, typ and cty")
        kid = header.get("kid")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            which = "its header has no kid" if kid is None else f"no key {str(kid)[:64]!r} here"
            text = f"{which}; known are {', '.join(keys)}"
            raise CommandError(Refusal.BAD_SIGNATURE, text)
        now = self.clock.wall()
        if self.clock.synced and key.start is not None and now < key.start:
            raise CommandError(Refusal.BAD_SIGNATURE, f"key {kid!r} does not count yet ({key.place}.not_before)")
        if self.clock.synced and key.end is not None and now >= key.end:
            raise CommandError(Refusal.BAD_SIGNATURE, f"key {kid!r} counts no more ({key.place}.not_after)")
        return key


def _compact(payload: bytes) -> bytes:
    """A JWS in its compact form; the flattened JSON of the same is made one. Raises CommandError."""
    if not payload.lstrip().startswith(b"{"):
        return payload.strip()
    whole = fields_of(payload)
    parts = [whole.get(name) for name in ("protected", "payload", "signature")]
    if {*whole} != {"protected", "payload", "signature"} or not all(isinstance(each, str) for each in parts):
        text = "this principal signs: a compact JWS, or one in JSON of protected, payload and signature"
        raise CommandError(Refusal.BAD_SIGNATURE, text)
    return ".".join(str(each) for each in parts).encode(errors="replace")


def _why(error: Exception) -> str:
    """In the library's words, where it has more than a name for it."""
    text = str(error)[:100].strip()
    return "" if not text or text.endswith(":") else f": {text}"


def _library() -> tuple[Any, Any, Any]:
    """Raises CommandError where it is not installed: nothing is believed without it."""
    try:
        found = [importlib.import_module(f"joserfc.{name}") for name in ("jws", "jwk", "errors")]
    except ImportError as error:
        raise CommandError(Refusal.BAD_SIGNATURE, MISSING) from error
    return found[0], found[1], found[2]


def keys_of(principals: list[PrincipalSection]) -> dict[str, dict[str, Key]]:
    """Of those who sign."""
    found: dict[str, dict[str, Key]] = {}
    for i, each in enumerate(principals):
        if each.keys:
            found[each.name] = {
                key.id: _key(key, f"mqtt.principals[{i}].keys[{n}]") for n, key in enumerate(each.keys)
            }
    return found


def _key(section: KeySection, place: str) -> Key:
    start, end = moment(section.not_before), moment(section.not_after)
    return Key(
        place=place,
        public=section.public,
        start=None if start is None else start.timestamp(),
        end=None if end is None else end.timestamp(),
    )


def unusable(principals: list[PrincipalSection]) -> Iterator[tuple[str, str]]:
    """Place and message: keys without the library, or that are none."""
    places = [(f"mqtt.principals[{i}].keys", each.keys) for i, each in enumerate(principals) if each.keys]
    if not places:
        return
    try:
        _, jwk, errors = _library()
    except CommandError as error:
        yield places[0][0], str(error)
        return
    for place, keys in places:
        for n, key in enumerate(keys):
            try:
                jwk.OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public}).public_key  # noqa: B018
            except (errors.JoseError, ValueError) as error:
                yield f"{place}[{n}].public", f"no Ed25519 key: {error}"
