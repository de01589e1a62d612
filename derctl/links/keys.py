"""Certificate and key files into a TLS context. What is wrong with one is told with its name and its place."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from derctl.core.dataclass import dataclass
from derctl.errors import LinkError

_NUMBERED = re.compile(r"^\[[A-Za-z][^\]]*\] | \(_ssl\.c:[0-9]+\)$")
NO_PEM = frozenset({"PEM_LIB", "NO_START_LINE", "NO_CERTIFICATE_OR_CRL_FOUND", "BAD_BASE64_DECODE", "BAD_END_LINE"})
"""OpenSSL's reasons for a file that holds something else."""
LOCKED = "it is locked with a passphrase that nobody can be asked for: `openssl pkey -in FILE -out NEW` takes it off"


class Unusable(LinkError):
    """One of the files. key, path, why: where it stands in its section, which one, and what is wrong with it."""

    def __init__(self, section: str, key: str, path: str, why: str) -> None:
        self.key = key
        self.path = path
        self.why = why
        super().__init__(f"{section}.{key}: {path}: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A client's files. section: where they stand in the site file. They are read anew for each connection, so that a
    renewed certificate counts from the next one on."""

    section: str
    ca_file: str
    cert_file: str | None = None
    key_file: str | None = None

    def into(self, context: ssl.SSLContext) -> None:
        """Whom to trust, and as whom to come. Raises Unusable."""
        with self.named("ca_file", self.ca_file):
            context.load_verify_locations(self.ca_file)
        self.own_into(context)

    def own_into(self, context: ssl.SSLContext) -> None:
        """As whom to come, where there is a certificate. Raises Unusable."""
        if self.cert_file is None:
            return
        key_file = self.key_file or self.cert_file
        for key, path in (("cert_file", self.cert_file), ("key_file", key_file)):
            with self.named(key, path):
                Path(path).open("rb").close()

        def locked() -> str:
            raise Unusable(self.section, "key_file", key_file, LOCKED)

        with self.named("cert_file", self.cert_file):
            context.load_cert_chain(self.cert_file, key_file, password=locked)

    @contextmanager
    def named(self, key: str, path: str) -> Iterator[None]:
        """Within, an error is told with its key and path: the system's own tells neither."""
        try:
            yield
        except FileNotFoundError as error:
            raise Unusable(self.section, key, path, "there is no such file") from error
        except OSError as error:  # ssl.SSLError is one, too
            raise Unusable(self.section, key, path, _why(error, key)) from error


def _why(error: OSError, key: str) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "key_file is not the key of this certificate"
    if reason in NO_PEM or (isinstance(error, ssl.SSLError) and reason is None):
        either = "this or key_file" if key == "cert_file" else "this"
        return f"{either} is no PEM file (it begins with -----BEGIN)"
    return plain(error)


def plain(error: Exception) -> str:
    """Its words, without `[Errno 111]` and the like around them."""
    return _NUMBERED.sub("", str(error)) or type(error).__name__
