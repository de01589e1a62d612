"""Where a broker is, as whom derctl comes to it, and the topics that are this site's."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from derctl.errors import LinkError
from derctl.links.allowed import Packet

_NUMBERED = re.compile(r"^\[[A-Za-z][^\]]*\] | \(_ssl\.c:[0-9]+\)$")
OF_THE_LIBRARY = {
    "Disconnected during message iteration": "the broker closed the connection",
    "Operation timed out": "the broker does not answer",
    "Unspecified error": "the broker ended the session without a reason",
}
"""What aiomqtt says, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where and as whom. base: `{prefix}/{fleet}/{site}`; will: the retained payload of `online` when we vanish."""

    host: str
    port: int
    base: str
    will: bytes
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: int = 30

    def tls(self) -> ssl.SSLContext | None:
        """Raises LinkError where a file can't be used."""
        if self.ca_file is None:
            return None
        with _named("ca_file", self.ca_file):
            context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            for key, path in (("cert_file", self.cert_file), ("key_file", self.key_file or self.cert_file)):
                with _named(key, path):
                    Path(path).open("rb").close()
            with _named("cert_file", self.cert_file):
                context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def topic(self, name: str) -> str:
        """A topic of the site, whole."""
        return f"{self.base}/{name}"

    def own(self, topic: str) -> str:
        """The same without what all topics of the site begin with."""
        return topic.removeprefix(f"{self.base}/")

    def online(self, payload: bytes) -> Packet:
        """The retained word that the site is there, or is not."""
        return Packet(topic=self.topic("online"), payload=payload, qos=1, retain=True)


@contextmanager
def _named(key: str, path: str) -> Iterator[None]:
    """The system's own error tells neither the file nor what in the site file named it."""
    try:
        yield
    except FileNotFoundError as error:
        raise LinkError(f"mqtt.tls.{key}: {path}: there is no such file") from error
    except OSError as error:  # ssl.SSLError is one, too
        raise LinkError(f"mqtt.tls.{key}: {path}: {said(error)}") from error


def said(error: Exception) -> str:
    """Its words, without `[Errno 111]` and the like around them."""
    text = _NUMBERED.sub("", str(error)) or type(error).__name__
    return OF_THE_LIBRARY.get(text, text)
