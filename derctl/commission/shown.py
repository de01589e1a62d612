"""What the meter at the point of connection reads beside what the DERs give, and what house that leaves. Pure."""

from __future__ import annotations

SUN_W = 300.0
"""Our choice: with less from the DERs either sign leaves a house that may be."""
APART_W, APART_PU = 200.0, 0.1
"""Our choice: what was read at two moments of a scan may differ by so much, W and of what the DERs give."""


def house_w(sign: int, raw_w: float, given_w: float) -> float:
    """What the house draws by that: what the DERs give and does not go out. raw_w: as the meter counts itself."""
    return given_w - sign * raw_w


def impossible(sign: int, raw_w: float, given_w: float) -> bool:
    """No house gives power."""
    return house_w(sign, raw_w, given_w) < -max(APART_W, APART_PU * abs(given_w))


def shown_text(raw_w: float, given_w: float | None) -> str:
    """For the question. given_w: of all DERs, None where one was not read."""
    if given_w is None or abs(given_w) < SUN_W:
        beside = "" if given_w is None else f" while the DERs give {given_w:,.0f} W: too little sun to tell"
        return f"with 1 it reads {_way(raw_w)} now{beside}"
    parts = [f"with {sign} it reads {_way(sign * raw_w)}, {_house(sign, raw_w, given_w)}" for sign in (1, -1)]
    return f"the DERs give {given_w:,.0f} W now: {'; '.join(parts)}"


def sign_text(sign: int, raw_w: float, given_w: float | None) -> str:
    """What the sign that was chosen means now, and whether that can be."""
    if given_w is None or abs(given_w) < SUN_W:
        return (
            f"the meter reads {_way(sign * raw_w)} now; its sign shows in the sun: derctl check --live --for 1m, and"
            " derctl identify proves it"
        )
    text = f"the meter reads {_way(sign * raw_w)} while the DERs give {given_w:,.0f} W"
    if not impossible(sign, raw_w, given_w):
        return (
            f"{text}: the house draws {house_w(sign, raw_w, given_w):,.0f} W. Its sign is proven once derctl controls"
        )
    turned = "" if impossible(-sign, raw_w, given_w) else f": write sign: {-sign}"
    return f"! {text}, and no more than that can go out: the sign is wrong, or one that gives is missing{turned}"


def _way(watts: float) -> str:
    return f"{abs(watts):,.0f} W of {'export' if watts >= 0.0 else 'import'}"


def _house(sign: int, raw_w: float, given_w: float) -> str:
    if impossible(sign, raw_w, given_w):
        return "which can't be"
    return f"so that the house draws {max(house_w(sign, raw_w, given_w), 0.0):,.0f} W"
