"""Why one side of a TLS session does not trust the other, in words for who stands at the cabinet. Pure."""

from __future__ import annotations

import ssl
from datetime import datetime

from derctl.links.keys import plain


class Told(OSError):
    """Its words are for people already. hint: what to look at."""

    distrust = True

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


PORT = "Modbus/TCP Security is usually on port 802; 502 is without TLS (a bus with tcp)"
AGAIN = "does the device refuse cert_file, or does another client hold its only connection?"
LATE = ("connected, but no answer to TLS", PORT)
ENDED = ("connected, but ended before TLS was agreed", f"{PORT}. Or does the device refuse cert_file?")
NO_CLOCK = "is this clock set? Without a battery it begins in 1970 after a power cut, until a time server is reached"

OURS: dict[int, tuple[str, str]] = {
    9: ("the device's certificate is not valid yet, and the clock here says {now}", NO_CLOCK),
    10: (
        "the device's certificate has expired, as the clock here says {now}",
        "the device needs a new certificate, if this clock is right",
    ),
    26: ("the device's certificate is not for servers", "the device needs another certificate"),
} | dict.fromkeys(
    (18, 19, 20, 21),
    (
        "the device's certificate is not signed by who stands in ca_file",
        "is it the right device, and ca_file that of its maker or of your own authority?",
    ),
) | dict.fromkeys(
    (62, 64),
    (
        "the device's certificate is for another name than {name}",
        "if it is the right device, write the name in its certificate as server_name",
    ),
)  # fmt: skip
"""By OpenSSL's number (x509_vfy.h): why we refuse the device."""

THEIRS: dict[str, tuple[str, str]] = {
    "CERTIFICATE_EXPIRED": (
        "the device says that our certificate has expired",
        "renew cert_file; if it is valid (derctl check), the device's clock is wrong",
    ),
    "UNKNOWN_CA": (
        "the device does not know who signed our certificate",
        "load that authority's certificate into the device, or use a cert_file that the device's own one signed",
    ),
    "CERTIFICATE_REQUIRED": (
        "the device wants a certificate of ours, and got none that it takes",
        "is cert_file signed by whom the device trusts?",
    ),
    "CERTIFICATE_REVOKED": ("the device says that our certificate is revoked", "get a new cert_file"),
    "ACCESS_DENIED": ("the device knows our certificate, and lets it do nothing", "give it a role in the device"),
    "PROTOCOL_VERSION": (
        "the device has no TLS 1.2 or newer",
        "derctl takes nothing older: is there newer firmware for it?",
    ),
} | dict.fromkeys(
    ("BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNSUPPORTED_CERTIFICATE", "DECRYPT_ERROR", "HANDSHAKE_FAILURE"),
    ("the device refuses our certificate ({alert})", "is cert_file meant for this device, and for a client?"),
)  # fmt: skip
"""By the alert (RFC 8446, 6.2), as OpenSSL names it: why the device refuses us."""

NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "BAD_RECORD_TYPE"}
)
OLD = frozenset({"UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"})


def distrust(error: ssl.SSLError, name: str, now: datetime) -> Told:
    """name: what the device's certificate has to be for. now: the clock that it was verified by."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text, hint = OURS.get(error.verify_code, (f"the device's certificate is refused: {error.verify_message}", ""))
        return Told(text.format(name=name, now=f"{now:%Y-%m-%d %H:%M} UTC"), hint)
    if isinstance(error, ssl.SSLEOFError):
        return Told(*ENDED)
    reason = error.reason or ""
    _, is_alert, alert = reason.partition("ALERT_")
    if is_alert:
        text, hint = THEIRS.get(alert, ("the device ends TLS: {alert}", ""))
        return Told(text.format(alert=alert.lower().replace("_", " ")), hint)
    if reason in OLD:
        return Told(*THEIRS["PROTOCOL_VERSION"])
    if reason in NO_TLS:
        return Told("what answers there does not speak TLS", PORT)
    return Told(f"TLS: {plain(error).lower()}")
