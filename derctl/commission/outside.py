"""Clock, broker and certificates before the start, and what mends them. Pure: times are given."""

from __future__ import annotations

from collections.abc import Iterator

from derctl.commission.finding import Finding, Found, look, mend, note
from derctl.core.dataclass import dataclass
from derctl.core.words import Greeted

SOON_DAYS = 30.0
"""Our choice: a certificate that ends sooner is told of; renewing one takes a visit."""
DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """place: host:port. said: the words of what failed. ends_in_s: its certificate, from now; None: none."""

    place: str
    greeted: Greeted
    said: str = ""
    ends_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One of our certificates: whose, which file, and in how many seconds it ends."""

    about: str
    file: str
    ends_in_s: float


def clock(*, synced: bool, text: str, broker: bool) -> Iterator[Finding]:
    """text: what waits for it, and how to say that it is good, where it is not set. broker: there is one."""
    if not synced:
        said, _, remedy = text.partition(". ")
        yield (mend if broker else look)(Found.CLOCK_UNSET, "clock", said, remedy)


def broker(seen: Broker, *, synced: bool) -> Iterator[Finding]:
    """Whether it will take us. synced: whether our clock can be believed."""
    doubt = "" if synced else " (or our clock is wrong: see clock)"
    if seen.greeted is Greeted.EXPIRED:
        since = "" if seen.ends_in_s is None else f" {_days(-seen.ends_in_s)} ago"
        text = f"the certificate of {seen.place} expired{since}{doubt}: {seen.said}"
        yield mend(Found.BROKER_EXPIRED, "broker", text, "Renew the broker's certificate on its own machine")
    elif seen.greeted is Greeted.EARLY:
        text = f"the certificate of {seen.place} does not count yet{doubt}: {seen.said}"
        yield mend(Found.BROKER_UNTRUSTED, "broker", text, "Set the clock here, or on the machine that made it")
    elif seen.greeted is not Greeted.TAKEN:
        code, remedy = REMEDIES[seen.greeted]
        yield mend(code, "broker", f"{seen.place}: {seen.said}", remedy)
    if seen.ends_in_s is not None and 0.0 < seen.ends_in_s < SOON_DAYS * DAY_S:
        text = f"the certificate of {seen.place} ends in {_days(seen.ends_in_s)}"
        yield note(Found.CERTIFICATE_ENDS, "broker", text, "Renew the broker's certificate before")


REMEDIES = {
    Greeted.AWAY: (
        Found.BROKER_AWAY,
        "Look at mqtt.host and mqtt.port (1883, with TLS 8883), at the network, and whether the broker runs. Control"
        " works without it",
    ),
    Greeted.REFUSED: (
        Found.BROKER_REFUSES,
        "Look at mqtt.username and mqtt.password_file, and at the broker's list of who may connect",
    ),
    Greeted.UNTRUSTED: (
        Found.BROKER_UNTRUSTED,
        "Give as mqtt.tls.ca_file who signed the broker's certificate, and as mqtt.host the name that it is for",
    ),
    Greeted.FILES: (Found.BROKER_UNTRUSTED, "Put the file there, readable for the group derctl"),
}


def papers(ours: Iterator[Paper]) -> Iterator[Finding]:
    """Our own certificates, for the broker and for devices behind TLS."""
    for each in ours:
        if each.ends_in_s <= 0.0:
            text = f"our certificate {each.file} expired {_days(-each.ends_in_s)} ago"
            yield mend(Found.CERTIFICATE_EXPIRED, each.about, text, "Have it renewed, and put it in the same place")
        elif each.ends_in_s < SOON_DAYS * DAY_S:
            text = f"our certificate {each.file} ends in {_days(each.ends_in_s)}"
            yield look(Found.CERTIFICATE_ENDS, each.about, text, "Have it renewed before, and put it in its place")


def _days(seconds: float) -> str:
    days = seconds / DAY_S
    if days >= 2.0:
        return f"{days:.0f} days"
    return f"{seconds / 3600.0:.0f} hours"
