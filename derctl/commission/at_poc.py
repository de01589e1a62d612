"""What the meter at the point of connection and the DERs say of each other. Pure.

Positive is towards the grid: what the DERs give and the house does not draw is what the meter must show. A load is
never negative, and the meter follows a step of the sun.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derctl.commission.finding import Finding, Found, look, mend
from derctl.commission.met import Met
from derctl.core.dataclass import dataclass

LEAST_W, LEAST_PU = 200.0, 0.02
"""Our choice: what the DERs must have moved by before the meter is judged by it, W and of their rating."""
FOLLOWS = 0.5
"""Our choice: of a step of the DERs, what a meter shows that goes with it, or against it."""
SURE = 0.8
"""Our choice: how much of the meter's movement the DERs must explain (r squared)."""
SUN_W, SUN_PU = 300.0, 0.05
"""Our choice: what the DERs must give for the meter to be judged by it, W and of their rating."""
APART_W, APART_PU = 100.0, 0.05
"""Our choice: what two measurements may differ by, W and of what the DERs give."""
SAME_W, SAME_PU = 20.0, 0.02
"""Our choice: what the meter and the DERs differ by where they measure the same."""
FEW, SEVERAL = 3, 5
"""Our choice: moments by which amounts are judged, and by which a slope is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One moment. given_w: of all DERs; shown_w: by the meter, positive for export."""

    given_w: float
    shown_w: float


def at_poc(meter: Met, ders: Sequence[Met]) -> Iterator[Finding]:
    """What can be told of its sign and of what it measures. The DERs have to be heard, all of them."""
    pairs = pairs_of(meter, ders)
    if len(pairs) < FEW:
        return
    rated_w = sum(each.device.rating.size_w for each in ders if each.device is not None)
    slope = _slope(pairs, rated_w)
    if slope is not None and slope < -FOLLOWS:
        text = f"while the DERs gave more, the meter showed less export (by {-slope:.1f} W for each W)"
        yield mend(Found.METER_REVERSED, meter.asked.id, f"{text}: it counts the other way round", _turn(meter))
        return
    yield from _by_amount(meter, pairs, rated_w, followed=slope is not None and slope > FOLLOWS)


def pairs_of(meter: Met, ders: Sequence[Met]) -> list[Pair]:
    """The moments at which all were heard."""
    found = []
    for i, sample in enumerate(meter.samples):
        given = [each.samples[i] if i < len(each.samples) else None for each in ders]
        watts = [each.p_w for each in given if each is not None and each.p_w is not None]
        if ders and sample is not None and sample.p_w is not None and len(watts) == len(ders):
            found.append(Pair(given_w=sum(watts), shown_w=sample.p_w))
    return found


def _slope(pairs: Sequence[Pair], rated_w: float) -> float | None:
    """W of the meter for each W of the DERs; None where they moved too little, or other things more.

    By levels, not by steps: a meter that is some seconds late would else seem to go against them."""
    given, shown = [each.given_w for each in pairs], [each.shown_w for each in pairs]
    if len(pairs) < SEVERAL or max(given) - min(given) < max(LEAST_W, LEAST_PU * rated_w):
        return None
    mean_x, mean_y = sum(given) / len(given), sum(shown) / len(shown)
    xx, yy = sum((x - mean_x) ** 2 for x in given), sum((y - mean_y) ** 2 for y in shown)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in zip(given, shown, strict=True))
    return xy / xx if yy > 0.0 and xy * xy / (xx * yy) >= SURE else None


def _by_amount(meter: Met, pairs: Sequence[Pair], rated_w: float, *, followed: bool) -> Iterator[Finding]:
    who, last = meter.asked.id, pairs[-1]
    seen = f"the DERs give {last.given_w:,.0f} W in all, and the meter shows {_flow(last.shown_w)}"
    sun = all(each.given_w >= max(SUN_W, SUN_PU * rated_w) for each in pairs)
    if sun and all(_same(each) for each in pairs):
        turned = " (and counts the other way round)" if last.shown_w < 0.0 else ""
        text = f"{seen}, the same each time: as a meter does that measures their production{turned}, and not the grid"
        remedy = "Switch something on that draws 1 kW: a meter of the grid shows it. If this one does not, name the"
        yield look(
            Found.METER_OF_PRODUCTION, who, text, f"{remedy} grid's meter (or its section) as poc, or move its clamps"
        )
    elif all(each.shown_w - each.given_w > _apart_w(each) for each in pairs):
        yield from _too_much(meter, seen, followed=followed)
    elif sun and not followed and all(each.shown_w < -_apart_w(each) for each in pairs):
        text = f"{seen} while there is sun: true only if the house draws {last.given_w - last.shown_w:,.0f} W now"
        remedy = f"If it does not, the clamps are reversed: {_turn(meter)}. Else look again when less is drawn"
        yield look(Found.METER_SIGN_OPEN, who, text, remedy)


def _too_much(meter: Met, seen: str, *, followed: bool) -> Iterator[Finding]:
    """More export than the DERs give: a load would be negative."""
    if followed:
        remedy = (
            "Something else feeds in behind this meter: write it as a DER (control: false), or look at the meter's"
        )
        text = f"{seen}: more than there is, though it goes with them"
        yield mend(Found.EXPORT_UNEXPLAINED, meter.asked.id, text, f"{remedy} ratio of transformation")
        return
    text = f"{seen}: more than there is, so it counts the other way round, or something else feeds in behind it"
    remedy = f"{_turn(meter)}. If it is right, write what else feeds in as a DER (control: false)"
    yield mend(Found.METER_REVERSED, meter.asked.id, text, remedy)


def _turn(meter: Met) -> str:
    return f"Turn all its clamps round, or write sign: {-meter.asked.sign} for {meter.asked.id}"


def _same(pair: Pair) -> bool:
    """Whichever way it is mounted."""
    return abs(abs(pair.shown_w) - pair.given_w) <= max(SAME_W, SAME_PU * pair.given_w)


def _apart_w(pair: Pair) -> float:
    return max(APART_W, APART_PU * abs(pair.given_w))


def _flow(watts: float) -> str:
    return f"{abs(watts):,.0f} W of {'export' if watts >= 0.0 else 'import'}"
