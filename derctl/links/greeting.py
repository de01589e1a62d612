"""One look at the broker before the start: whether it would take us, and until when its certificate counts.

It says as whom it comes and goes again: without a will, subscribing to nothing and publishing nothing, under a client
id of its own, so that a session of the site is not taken over.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import aiomqtt

from derctl.core.dataclass import dataclass
from derctl.core.words import Greeted
from derctl.errors import LinkError
from derctl.links.broker import Broker, said
from derctl.links.certificate import Certificate, certificate_of
from derctl.links.keys import plain

GREET_S = 5.0
"""Our choice: what a broker gets to answer in."""
EXPIRED, EARLY = 10, 9
"""X509_V_ERR_CERT_HAS_EXPIRED and _NOT_YET_VALID (x509_vfy.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """text: the words of what failed. certificate: the broker's, None where it shows none."""

    word: Greeted
    text: str = ""
    certificate: Certificate | None = None

    def ends_in_s(self, now: datetime) -> float | None:
        """None: no certificate was seen."""
        return None if self.certificate is None else (self.certificate.not_after - now).total_seconds()


async def greet(broker: Broker) -> Greeting:
    """Never raises for what the broker or a file does."""
    before = await shaken(broker)
    return before if before.word is not Greeted.TAKEN else await _taken(broker, broker.tls(), before)


async def shaken(broker: Broker) -> Greeting:
    """TLS alone, without a word of MQTT. Never raises for what the broker or a file does."""
    try:
        context = broker.tls()
    except LinkError as error:
        return Greeting(word=Greeted.FILES, text=str(error))
    return Greeting(word=Greeted.TAKEN) if context is None else await _shaken(broker, context)


async def _shaken(broker: Broker, context: ssl.SSLContext) -> Greeting:
    """Of a certificate that is not taken, until when it counts is asked again without belief in it."""
    try:
        return Greeting(word=Greeted.TAKEN, certificate=await _shown(broker, context))
    except ssl.SSLCertVerificationError as error:
        word = {EXPIRED: Greeted.EXPIRED, EARLY: Greeted.EARLY}.get(error.verify_code, Greeted.UNTRUSTED)
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
        certificate = None
        with suppress(OSError, TimeoutError, ValueError):
            certificate = await _shown(broker, bare)
        return Greeting(word=word, text=error.verify_message, certificate=certificate)
    except ssl.SSLError as error:
        return Greeting(word=Greeted.UNTRUSTED, text=f"it speaks no TLS there, or not ours: {plain(error)}")
    except TimeoutError:
        return Greeting(word=Greeted.AWAY, text="no answer")
    except (OSError, ValueError) as error:
        return Greeting(word=Greeted.AWAY, text=plain(error))


async def _shown(broker: Broker, context: ssl.SSLContext) -> Certificate | None:
    async with asyncio.timeout(GREET_S):
        _, writer = await asyncio.open_connection(broker.host, broker.port, ssl=context)
    try:
        own = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return None if own is None else certificate_of(own)
    finally:
        writer.transport.abort()


async def _taken(broker: Broker, context: ssl.SSLContext | None, before: Greeting) -> Greeting:
    """Whether it takes our name and password; by the version that every broker speaks."""
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=f"{broker.base.replace('/', '-')}-check",
        protocol=aiomqtt.ProtocolVersion.V311,
        timeout=GREET_S,
        tls_context=context,
    )
    try:
        async with client:
            return before
    except aiomqtt.MqttCodeError as error:
        return replace(before, word=Greeted.REFUSED, text=said(error))
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        return replace(before, word=Greeted.AWAY, text=said(error))
