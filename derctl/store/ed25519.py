"""Ed25519 (RFC 8032) by the OpenSSL that Python's own `ssl` has loaded: no package more, and none of its memory."""

from __future__ import annotations

import _ssl
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

ED25519 = 1087
"""EVP_PKEY_ED25519 (openssl/obj_mac.h: NID_ED25519)."""
KEY_BYTES, SIGNATURE_BYTES = 32, 64
MISSING = "this Python's OpenSSL can't be asked for Ed25519"

_POINTER, _BYTES, _SIZE, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
CALLS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "EVP_PKEY_new_raw_private_key": (_POINTER, (_INT, _POINTER, _BYTES, _SIZE)),
    "EVP_PKEY_new_raw_public_key": (_POINTER, (_INT, _POINTER, _BYTES, _SIZE)),
    "EVP_PKEY_get_raw_public_key": (_INT, (_POINTER, _BYTES, ctypes.POINTER(_SIZE))),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_DigestSignInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestSign": (_INT, (_POINTER, _BYTES, ctypes.POINTER(_SIZE), _BYTES, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (_INT, (_POINTER, _BYTES, _SIZE, _BYTES, _SIZE)),
}
"""EVP_PKEY_new(3), EVP_DigestSignInit(3), EVP_DigestVerifyInit(3): what each returns, and takes."""


class Missing(ValueError):
    """There is no Ed25519 on this machine."""


@cache
def _crypto() -> Any:
    """The symbols of whatever `_ssl` is linked with. Raises Missing."""
    try:
        found = ctypes.CDLL(getattr(_ssl, "__file__", None))
        for name, (returns, takes) in CALLS.items():
            call = getattr(found, name)
            call.restype, call.argtypes = returns, takes
    except (OSError, AttributeError) as error:
        raise Missing(MISSING) from error
    return found


@contextmanager
def _key(call: str, raw: bytes) -> Iterator[Any]:
    """Raises Missing, ValueError."""
    if len(raw) != KEY_BYTES:
        raise ValueError(f"a key of {len(raw)} bytes, not {KEY_BYTES}")
    crypto = _crypto()
    key = getattr(crypto, call)(ED25519, None, raw, len(raw))
    if not key:
        raise Missing(MISSING)
    try:
        yield key
    finally:
        crypto.EVP_PKEY_free(key)


@contextmanager
def _context(start: str, key: Any) -> Iterator[Any]:
    crypto = _crypto()
    context = crypto.EVP_MD_CTX_new()
    try:
        if getattr(crypto, start)(context, None, None, None, key) != 1:
            raise Missing(MISSING)
        yield context
    finally:
        crypto.EVP_MD_CTX_free(context)


def public_of(seed: bytes) -> bytes:
    """The public key of a private one. Raises Missing, ValueError."""
    out, size = ctypes.create_string_buffer(KEY_BYTES), _SIZE(KEY_BYTES)
    with _key("EVP_PKEY_new_raw_private_key", seed) as key:
        if _crypto().EVP_PKEY_get_raw_public_key(key, out, ctypes.byref(size)) != 1:
            raise Missing(MISSING)
    return out.raw


def sign(seed: bytes, content: bytes) -> bytes:
    """The signature, 64 bytes. Raises Missing, ValueError."""
    out, size = ctypes.create_string_buffer(SIGNATURE_BYTES), _SIZE(SIGNATURE_BYTES)
    with _key("EVP_PKEY_new_raw_private_key", seed) as key, _context("EVP_DigestSignInit", key) as context:
        if _crypto().EVP_DigestSign(context, out, ctypes.byref(size), content, len(content)) != 1:
            raise Missing(MISSING)
    return out.raw


def good(public: bytes, content: bytes, signature: bytes) -> bool:
    """Whether that key signed that. Raises Missing, ValueError for what is no key."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    with _key("EVP_PKEY_new_raw_public_key", public) as key, _context("EVP_DigestVerifyInit", key) as context:
        return bool(_crypto().EVP_DigestVerify(context, signature, len(signature), content, len(content)) == 1)
