"""Where a broker is, as whom derctl comes to it, and the topics that are this site's."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from derctl.links.allowed import Packet
from derctl.links.keys import Keys, Unusable, plain

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
        keys = Keys(section="mqtt.tls", ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file)
        with keys.named("ca_file", self.ca_file):
            context = ssl.create_default_context(cafile=self.ca_file)
        keys.own_into(context)
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


def distrusted(error: BaseException | None) -> bool:
    """Whether TLS was not agreed: for a certificate, or a file of ours."""
    while error is not None:
        if isinstance(error, ssl.SSLError | Unusable):
            return True
        error = error.__cause__ or error.__context__
    return False


def said(error: Exception) -> str:
    """Its words, for people."""
    text = plain(error)
    return OF_THE_LIBRARY.get(text, text)
