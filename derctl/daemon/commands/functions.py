"""A function in another shape for a time, or another reactive mode in force; refused with the range where it can't.

What is asked for stands in no function: it is a request, which each tick reads (core/shape.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from derctl.core.plan import DerFunction
from derctl.core.requests import FunctionRequest, Setting
from derctl.core.types import DerState
from derctl.core.words import Refusal, Standing
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import OPERATORS, Command, Done, Order, Reach, admitted, check_der
from derctl.daemon.commands.written import bad
from derctl.errors import CommandError, SettingError
from derctl.functions.settings import Settings
from derctl.functions.shaped import MODES, NEEDED, SHAPED, applied, base_of, shaped, unconfirmed

AXES: Mapping[str, tuple[str, str]] = {"volt_var": ("v_pu", "q_pu"), "watt_var": ("p_pu", "q_pu")}
"""What the two numbers of a curve's point are: under these names a principal's ranges hold for them, too."""
POINTS_MAX = 16
"""Points of a curve; no code has more than six (docs/sources.md)."""


class Point(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One point of a curve: a voltage, or a power, and its var."""

    q_pu: float
    v_pu: float | None = None
    p_pu: float | None = None


class SetFunction(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_function. der None: all that have it. on: false switches it off. The others: settings of the
    function as the site file has them; each without belongs to some functions alone."""

    function: str
    der: str | None = None
    on: bool = True
    points: list[Point] | None = None
    olrt_s: float | None = None
    v1_pu: float | None = None
    v2_pu: float | None = None
    p2_pu: float | None = None
    db_of_hz: float | None = None
    db_uf_hz: float | None = None
    k_of: float | None = None
    k_uf: float | None = None
    pf: float | None = None
    excitation: str | None = None
    q_pu: float | None = None


def plain(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the points of a curve, pairs as in the site file, under their names. Raises CommandError."""
    given = fields.get("points")
    if not isinstance(given, list) or not any(isinstance(each, list) for each in given):
        return fields
    axes = AXES.get(fields["function"]) if isinstance(fields.get("function"), str) else None
    if axes is None:
        bad(f"points: only {' and '.join(AXES)} have a curve of points")
    if any(not isinstance(each, list) or len(each) != 2 for each in given):
        bad(f"points: each is a pair [{axes[0]}, {axes[1]}]")
    return {**fields, "points": [dict(zip(axes, each, strict=True)) for each in given]}


async def set_function(reach: Reach, order: Order) -> Done:
    """Another shape, another mode, or off; of each kind the latest counts."""
    args: SetFunction = order.args
    check_der(reach, args.der)
    if args.function not in SHAPED:
        bad(f"function = {args.function[:40]!r} is not one of {', '.join(SHAPED)}")
    settings = _settings(args)
    request = FunctionRequest(
        **order.asked,
        der=args.der,
        function=args.function,
        on=args.on,
        reactive=args.function in MODES,
        settings=settings,
    )
    ders, left_out = _fits(reach, request)
    margin = _stable(reach, request)
    back = put(reach, order, request)
    but = "".join(f"; not for {text}" for text in left_out)
    return Done(text=f"{admitted(reach, order)}; for {', '.join(ders)}{but}{margin}", back=back)


def _settings(args: SetFunction) -> dict[str, Setting]:
    """Those that are given. Raises CommandError: of another function, or none where one belongs."""
    known = SHAPED[args.function]
    every = {name: None for names in SHAPED.values() for name in names}
    given = {name: value for name in every if (value := getattr(args, name)) is not None}
    if others := [name for name in given if name not in known]:
        bad(f"{args.function} has no {', '.join(others)}; known are {', '.join(known)}")
    if not args.on:
        if given:
            bad(f"on is false, and {', '.join(given)} of what is off would say nothing")
        if args.function in MODES:
            bad("no reactive mode is switched off: choose another one, such as const_var with q_pu 0")
    elif not given and args.function not in MODES:
        bad(f"{args.function} says nothing: give one of {', '.join(known)}, or on = false")
    if args.points is not None:
        given["points"] = _points(args.function, args.points)
    return given


def _points(function: str, points: list[Point]) -> tuple[tuple[float, float], ...]:
    """As the site file's. Raises CommandError: too many, or of another curve."""
    if len(points) > POINTS_MAX:
        raise CommandError(Refusal.OUT_OF_RANGE, f"{len(points)} points are outside 2 to {POINTS_MAX}")
    axis, other = AXES[function][0], "p_pu" if function == "volt_var" else "v_pu"
    if any(getattr(each, axis) is None or getattr(each, other) is not None for each in points):
        bad(f"points: each is a pair [{axis}, q_pu]")
    return tuple((getattr(each, axis), each.q_pu) for each in points)


def _fits(reach: Reach, request: FunctionRequest) -> tuple[list[str], list[str]]:
    """Whose function it is; whom it is left to, and why. Raises CommandError: nobody's, or one can't have it."""
    found, left_out = list[str](), list[str]()
    ders = {der.id: der for der in reach.state().ders}
    for function, ids in reach.plan.der_functions:
        if function.kind != request.function and not (request.reactive and function.kind in MODES):
            continue
        mine = [der for der in ids if request.der in {None, der}]
        if mine:
            _check_one(reach, request, function)
        for der in mine:
            theirs = _owner(reach, request, function, ders[der])
            _check_var(request, ders[der])
            (found if theirs is None else left_out).append(der if theirs is None else theirs)
    if left_out and not found:
        raise CommandError(Refusal.TWO_OWNERS, "; ".join(left_out))
    if not found:
        what = "reactive mode to choose another in the place of" if request.reactive else request.function
        text = f"the site file has no {what} for {request.der or 'any DER'}"
        raise CommandError(Refusal.NO_FUNCTION, text)
    return found, left_out


def _check_one(reach: Reach, request: FunctionRequest, function: DerFunction) -> None:
    """Raises CommandError: the grid code does not let it be, or a value is outside its range."""
    if not request.on and request.function not in reach.plan.off:
        text = (
            f"the site's grid code does not say that {request.function} may be switched off: the site file alone can"
        )
        raise CommandError(Refusal.GRID_CODE, text)
    base = base_of(reach.plan.modes, function, request.function)
    if base is None:
        text = f"the site's grid code does not say that {request.function} may be chosen in the place of"
        raise CommandError(Refusal.GRID_CODE, f"{text} {function.kind}: the site file alone can")
    needed = NEEDED.get(request.function)
    if needed is not None and base is not function and needed not in request.settings:
        bad(f"{needed} is missing: what {request.function} is to keep")
    if silent := unconfirmed(base, request.settings):
        text = f"the site's grid code gives {request.function} no range of {', '.join(silent)} that is confirmed"
        raise CommandError(Refusal.GRID_CODE, f"{text}: the site file alone can say it")
    try:
        made = shaped(base, request.settings)
    except SettingError as error:
        raise _outside(error) from error
    wrong = made.misfit(reach.state().f_nom_hz) if isinstance(made, Settings) else None
    if wrong is not None:
        raise _outside(wrong)


def _outside(error: SettingError) -> CommandError:
    shown = f"{error.value:.10g}" if isinstance(error.value, float) else repr(error.value)
    words = error.allowed.startswith("one of")
    between = "is not" if words else "is outside"
    return CommandError(Refusal.OUT_OF_RANGE, f"{error.name} = {shown} {between} {error.allowed}")


def _owner(reach: Reach, request: FunctionRequest, function: DerFunction, der: DerState) -> str | None:
    """Why it is the device's: it runs the function, and has no curve that derctl could write and read back; or it
    does not say whether it does. Of one that was not heard yet nobody knows that: its own goes before what is asked
    for. None: it is derctl's. Raises CommandError: the device has another reactive mode of its own on."""
    on, off = der.reading.own_on, der.reading.own_off
    if request.reactive and (others := [kind for kind in MODES if kind in on and kind != function.kind]):
        text = f"{der.id} runs {', '.join(others)} itself, beside which no other reactive mode has a place"
        raise CommandError(Refusal.TWO_OWNERS, text)
    kinds = sorted({function.kind, request.function} & reach.plan.also_on_device - {*off})
    if running := [kind for kind in kinds if kind in on]:
        return f"{der.id}, which runs {', '.join(running)} itself: derctl writes no curves into devices"
    if kinds and der.fresh:
        return f"{der.id}, of which can't be read whether it runs {', '.join(kinds)} itself: derctl's is off there"
    return None


def _check_var(request: FunctionRequest, der: DerState) -> None:
    """Raises CommandError: it can't give so much var."""
    q_pu = request.settings.get("q_pu")
    if isinstance(q_pu, float) and der.rating.s_max_va > 0.0:
        low, high = (var / der.rating.s_max_va for var in (-der.rating.q_abs_max_var, der.rating.q_inj_max_var))
        if not low <= q_pu <= high:
            text = f"q_pu = {q_pu:g} is outside {low:.3g} to {high:.3g}, which {der.id} can"
            raise CommandError(Refusal.OUT_OF_RANGE, text)


def _stable(reach: Reach, request: FunctionRequest) -> str:
    """How far its loop would be from hunting, as of a site file; "" of one that is no loop. Raises CommandError: it
    would hunt."""
    alive = (each for each in reach.requests.alive() if isinstance(each, FunctionRequest))
    others = [each for each in alive if (each.place, each.der) != (request.place, request.der)]
    own = [
        each
        for each in reach.views.margins(applied(reach.plan, [*others, request]))
        if each[0].startswith(f"{request.function}:")
    ]
    if texts := [text for text, refused in own if refused]:
        raise CommandError(Refusal.WOULD_HUNT, "; ".join(texts))
    return "".join(f"; {text}" for text, _ in own)


SITE_FILE = "the site file"
"""Who ends what another site file does not let be any more."""


def drop_misfits(reach: Reach) -> None:
    """Behind another site file, as it was read again or while derctl was away: what it does not let be has ended."""
    for each in reach.requests.alive():
        if isinstance(each, FunctionRequest) and not _still_fits(reach, each):
            key = each.by, each.id
            reach.requests.drop(lambda one, key=key: (one.by, one.id) == key, Standing.CLEARED, SITE_FILE)  # type: ignore[misc]


def _still_fits(reach: Reach, request: FunctionRequest) -> bool:
    try:
        _fits(reach, request)
        _stable(reach, request)
    except CommandError:
        return False
    return True


ROWS: dict[str, Command] = {
    "set_function": Command(
        args=SetFunction,
        apply=set_function,
        relaxing=True,
        says="a function in another shape than the site file's until the command expires, or the next one: a curve "
        "(`volt_var`, `watt_var`, `volt_watt`) or a droop (`freq_droop`); or another reactive mode in force, one at "
        "a time. Inside the grid code's ranges, and where nothing would hunt (see below)",
        plain=plain,
        may=OPERATORS,
    ),
}
