"""What is said of a session that could not be had: whose fault it is, and that of which certificate."""

from __future__ import annotations

import ssl

import pytest

from derctl.links.broker import distrusted, said
from derctl.links.keys import Unusable


def unverified(code: int, message: str) -> ssl.SSLCertVerificationError:
    """As OpenSSL numbers it (x509_vfy.h)."""
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    error.verify_code, error.verify_message = code, message
    return error


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:2580)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (unverified(10, "certificate has expired"), "the broker's certificate has expired: it needs a new one"),
        (unverified(9, "certificate is not yet valid"), "the broker's certificate is not valid yet: is the clock"),
        (unverified(20, "unable to get local issuer certificate"), "is not signed by who stands in mqtt.tls.ca_file"),
        (unverified(64, "IP address mismatch"), "the broker's certificate is for another name than mqtt.host"),
        (unverified(26, "unsuitable certificate purpose"), "the broker's certificate is not for servers"),
        (unverified(23, "certificate revoked"), "the broker's certificate is refused: certificate revoked"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "the broker refuses TLS with us (certificate required)"),
        (alert("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "the broker refuses TLS with us (certificate expired)"),
        (Unusable("mqtt.tls", "ca_file", "/x", "there is no such file"), "mqtt.tls.ca_file: /x: there is no such"),
    ],
)
def test_whose_certificate_is_not_taken_and_why(error: Exception, text: str) -> None:
    assert text in said(error) and distrusted(error)
    library = OSError("something of the library")
    library.__cause__ = error
    assert distrusted(library)
    assert isinstance(error, Unusable) or text in said(library)


def test_a_broker_that_is_away_is_no_matter_of_trust() -> None:
    for error in (ConnectionRefusedError(111, "Connection refused"), TimeoutError(), OSError("Operation timed out")):
        assert not distrusted(error)
    assert said(OSError("Operation timed out")) == "the broker does not answer"
    assert said(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
