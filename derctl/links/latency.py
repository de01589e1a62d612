"""How long a unit takes to begin its answer, learned from its answers, and the deadline that follows. Pure."""

from __future__ import annotations

from derctl.core.value import replace, value

TIMES = 4.0
"""A deadline is so many times the filtered latency."""
WEIGHT = 0.125
"""Of a new latency in the filtered one; what is slower counts at once, so that a deadline never lags behind."""

MEET_MOST_S = 5.0
"""The most that a unit of a wire without characters gets for an answer until it is known what it is: about one
request a second is the slowest that anybody serves (docs/sources.md)."""


@value
class Latency:
    """mean_s: the filtered one, None before the first answer. silent: requests in a row without an answer."""

    mean_s: float | None = None
    silent: int = 0


FRESH = Latency()


def took(latency: Latency, seconds: float) -> Latency:
    """An answer came, so long after its request and without the time that both were on the line."""
    now_s, mean_s = max(seconds, 0.0), latency.mean_s
    if mean_s is None or now_s >= mean_s:
        return Latency(mean_s=now_s)
    return Latency(mean_s=mean_s + WEIGHT * (now_s - mean_s))


def unanswered(latency: Latency) -> Latency:
    """None came."""
    return replace(latency, silent=latency.silent + 1)


def deadline_s(latency: Latency, span_s: float, *, floor_s: float, most_s: float) -> float:
    """Of a request that is on the line for span_s. Each silence doubles it, up to the configured one (most_s), which
    also holds for a unit that never answered."""
    if latency.mean_s is None:
        return most_s
    return min(most_s, (span_s + max(floor_s, TIMES * latency.mean_s)) * 2.0 ** min(latency.silent, 8))


def meeting_s(late: int, timeout_s: float, most_s: float) -> float:
    """The deadline of one that has answered, and was too slow for so many requests since it is looked for."""
    return max(timeout_s, min(most_s, timeout_s * 2.0 ** min(late, 8)))
