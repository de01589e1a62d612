"""Who else can tell a device something, and that each thing that can be told has exactly one owner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.core.dataclass import dataclass
from derctl.core.plan import Plan
from derctl.core.words import Told
from derctl.devices import CATALOGUE
from derctl.functions import ROWS
from derctl.site.schema import DerSection, SiteFile

DERCTL = "derctl"
TELLS: Mapping[str, Told] = {
    **dict.fromkeys(("contract_export_limit", "fuse_limit", "owner_export_limit", "utility_limit"), Told.LIMIT),
    **dict.fromkeys(("grid_limits", "owner_limits"), Told.LIMIT),
    **dict.fromkeys(("operator_limit", "volt_watt", "freq_droop", "enter_service"), Told.LIMIT),
    **dict.fromkeys(("self_consumption", "setpoint", "schedule", "departure"), Told.POWER),
}
"""What a function makes a device be told; modes of reactive power are told by their row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """what of a DER is whose. functions: by which it is derctl's."""

    der: str
    what: Told
    name: str
    functions: tuple[str, ...] = ()


def owners(site: SiteFile, plan: Plan) -> tuple[Owner, ...]:
    """Each that owns something, derctl first."""
    ours = [
        Owner(der=der.id, what=what, name=DERCTL, functions=functions)
        for der in site.ders
        if der.control
        for what in Told
        if (functions := tuple(_telling(der, what, plan)))
    ]
    others = [
        Owner(der=der_id, what=Told(what), name=each.name)
        for each in site.controllers
        for der_id in each.ders
        for what in each.owns
    ]
    return (*ours, *others)


def _telling(der: DerSection, what: Told, plan: Plan) -> Iterator[str]:
    """The functions by which derctl tells it that. One that takes targets alone is limited by its target."""
    row = CATALOGUE.get(der.kind)
    aims_only = row is not None and row.can.rest
    kinds = [f.kind for f, ids in plan.der_functions if der.id in ids]
    kinds += [f.kind for f, ids in plan.site_functions if der.id in ids]
    for kind in kinds:
        tells = told_by(kind)
        if tells is Told.LIMIT and aims_only:
            tells = Told.POWER
        if tells is what:
            yield kind


def told_by(kind: str) -> Told | None:
    """What a function tells; None: it only bounds what others tell."""
    row = ROWS.get(kind)
    return Told.VAR if row is not None and row.reactive else TELLS.get(kind)


def unowned(site: SiteFile, plan: Plan) -> Iterator[tuple[str, str]]:
    """Path and message of what two own, or nobody."""
    found = owners(site, plan)
    known = {der.id for der in site.ders}
    for i, each in enumerate(site.controllers):
        if each.name == DERCTL:
            yield (
                f"controllers[{i}].name",
                f"{DERCTL} is our own name: what it owns follows from functions and control",
            )
        for der_id in each.ders:
            if der_id not in known:
                yield f"controllers[{i}].ders", f"no DER {der_id!r}; known are {', '.join(sorted(known))}"
                continue
            for what in dict.fromkeys((*each.owns, *each.could)):
                whose = [owner for owner in found if (owner.der, owner.what) == (der_id, what)]
                yield from _single(f"controllers[{i}]", each.name, der_id, what, whose, owns=what in each.owns)


def _single(
    path: str, name: str, der_id: str, what: str, whose: list[Owner], *, owns: bool
) -> Iterator[tuple[str, str]]:
    others = [owner for owner in whose if owner.name != name or not owns]
    if owns and others:
        first = others[0]
        how = f" by {', '.join(first.functions)}" if first.functions else ""
        yield f"{path}.owns", f"{name} and {first.name}{how} both own the {what} of {der_id}: leave it to one of them"
    elif not whose:
        text = (
            f"nobody owns the {what} of {der_id}: write it under owns of who does, or give derctl a function for it"
        )
        yield f"{path}.could", text
