"""Where a broker is, as whom derctl comes to it, and the topics that are this site's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from derctl.core.dataclass import dataclass
from derctl.links.allowed import Packet
from derctl.links.keys import Keys, Unusable, plain

OF_THE_LIBRARY = {
    "Disconnected during message iteration": "the broker closed the connection",
    "The client is not currently connected.": "the broker closed the connection",
    "Operation timed out": "the broker does not answer",
    "Unspecified error": "the broker ended the session without a reason",
}
"""What aiomqtt says, for people."""
OURS: dict[int, str] = {
    9: "the broker's certificate is not valid yet: is the clock here right?",
    10: "the broker's certificate has expired: it needs a new one, if the clock here is right",
    26: "the broker's certificate is not for servers",
    **dict.fromkeys((18, 19, 20, 21), "the broker's certificate is not signed by who stands in mqtt.tls.ca_file"),
    **dict.fromkeys((62, 64), "the broker's certificate is for another name than mqtt.host"),
}
"""By OpenSSL's number (x509_vfy.h): why we refuse the broker. Without the time: another text is another event."""


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
    return any(isinstance(each, ssl.SSLError | Unusable) for each in _causes(error))


def said(error: Exception) -> str:
    """Its words, for people."""
    text = plain(error)
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return OURS.get(each.verify_code, f"the broker's certificate is refused: {each.verify_message}")
        if isinstance(each, ssl.SSLError) and "ALERT_" in (each.reason or ""):
            alert = each.reason.partition("ALERT_")[2].lower().replace("_", " ")
            return f"the broker refuses TLS with us ({alert}): look at mqtt.tls.cert_file"
    return OF_THE_LIBRARY.get(text, text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """It, and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
