"""What of a function's settings may be another for a time: the reserve, the power factor, the reactive power."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from derctl.core.requests import PowerFactorRequest, ReserveRequest, VarRequest
from derctl.core.words import Refusal
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import HOME, Command, Done, Order, Reach, admitted, check_der
from derctl.errors import CommandError
from derctl.functions.const_pf import EXCITATION, ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.reserve import Reserve
from derctl.functions.settings import Settings, settings_of, violation

F = TypeVar("F", bound=Settings)


class SetReserve(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_reserve. der None: all batteries that have one."""

    min_pct: float
    der: str | None = None


class SetPowerFactor(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_power_factor. der None: all that keep one."""

    pf: float
    excitation: str
    der: str | None = None


class SetVar(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_var; + injects. der None: all that keep one."""

    q_pu: float
    der: str | None = None


async def set_reserve(reach: Reach, order: Order) -> Done:
    """The owner's reserve for a time: higher than the site file's, lower only where that allows it."""
    args: SetReserve = order.args
    for each in _functions(reach, Reserve, args.der):
        _check(each, "min_pct", args.min_pct)
        if args.min_pct < each.min_pct and not each.may_lower:
            text = (
                f"min_pct = {args.min_pct:g} is outside {each.min_pct:g} to 100 %: the site file does not let it be"
            )
            raise CommandError(Refusal.OUT_OF_RANGE, f"{text} lowered (reserve.may_lower)")
    back = put(reach, order, ReserveRequest(**order.asked, der=args.der, min_pct=args.min_pct))
    return Done(text=admitted(reach, order), back=back)


async def set_power_factor(reach: Reach, order: Order) -> Done:
    """Another power factor for a time."""
    args: SetPowerFactor = order.args
    for each in _functions(reach, ConstPf, args.der):
        _check(each, "pf", args.pf)
        if args.excitation not in EXCITATION:
            text = f"excitation = {args.excitation[:40]!r} is not one of {', '.join(EXCITATION)}"
            raise CommandError(Refusal.OUT_OF_RANGE, text)
    request = PowerFactorRequest(**order.asked, der=args.der, pf=args.pf, excitation=args.excitation)
    return Done(text=admitted(reach, order), back=put(reach, order, request))


async def set_var(reach: Reach, order: Order) -> Done:
    """Another reactive power for a time, no more than each of them can."""
    args: SetVar = order.args
    for each in _functions(reach, ConstVar, args.der):
        _check(each, "q_pu", args.q_pu)
    ids = {der for function, ders in reach.plan.der_functions if isinstance(function, ConstVar) for der in ders}
    for der in reach.state().ders:
        if der.id in ids and args.der in {None, der.id} and der.rating.s_max_va > 0.0:
            low, high = (w / der.rating.s_max_va for w in (-der.rating.q_abs_max_var, der.rating.q_inj_max_var))
            if not low <= args.q_pu <= high:
                text = f"q_pu = {args.q_pu:g} is outside {low:.3g} to {high:.3g}, which {der.id} can"
                raise CommandError(Refusal.OUT_OF_RANGE, text)
    return Done(
        text=admitted(reach, order), back=put(reach, order, VarRequest(**order.asked, der=args.der, q_pu=args.q_pu))
    )


def _functions(reach: Reach, kind: type[F], der: str | None) -> list[F]:
    """Those that the site file gives this DER (None: any). Raises CommandError: none."""
    check_der(reach, der)
    found: list[Any] = [
        function
        for function, ids in reach.plan.der_functions
        if isinstance(function, kind) and (der is None or der in ids)
    ]
    if not found:
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no {kind.kind} for {der or 'any DER'}")
    return found


def _check(function: Settings, name: str, value: Any) -> None:
    """Raises CommandError: not what the site file may say either."""
    [item] = [each for each in settings_of(type(function)) if each.name == name]
    wrong = violation(item, value, getattr(function, "rules", None))
    if wrong is not None:
        raise CommandError(Refusal.OUT_OF_RANGE, f"{name} = {value:g} is outside {wrong.allowed}")


ROWS: dict[str, Command] = {
    "set_reserve": Command(
        args=SetReserve,
        apply=set_reserve,
        relaxing=False,
        says="the owner's reserve (rank 5) until the command expires, or the next one; only higher than the site "
        "file's unless that allows it (`reserve.may_lower`)",
        may=HOME,
    ),
    "set_power_factor": Command(
        args=SetPowerFactor,
        apply=set_power_factor,
        relaxing=True,
        says="another power factor than the site file's, 0.8 to 1, `absorbing` or `injecting`, until the command "
        "expires, or the next one. Needs `const_pf`",
    ),
    "set_var": Command(
        args=SetVar,
        apply=set_var,
        relaxing=True,
        says="another reactive power than the site file's, per unit of the rated apparent power (+ injects), until "
        "the command expires, or the next one. Needs `const_var`",
    ),
}
