"""A device that a scan found: what `scan --json` says of it, and `init` reads again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, field
from typing import Any

from msgspec import Struct, convert, to_builtins

from derctl.cli.look import Pulse
from derctl.cli.plain import wrapped
from derctl.cli.proposal import ders_of, given, site_rows, timeout_of
from derctl.commission.described import Use
from derctl.commission.looking import Found
from derctl.commission.signature import Fit
from derctl.core.dataclass import dataclass
from derctl.core.text import clean
from derctl.devices import CATALOGUE, Profile
from derctl.site import Place


class Rated(Struct, frozen=True, kw_only=True):
    """What it states of its size."""

    p_max_w: float
    p_min_w: float = 0.0
    s_max_va: float = 0.0


class Advice(Struct, frozen=True, kw_only=True):
    """Which `fallback.by` works there."""

    by: str
    works: list[str]
    why: str


class Nominal(Struct, frozen=True, kw_only=True):
    """v: what it may mean to neutral."""

    v: list[float] = []
    f_hz: float | None = None


class FoundUse(Struct, frozen=True, kw_only=True):
    """As what it can be used. limit_w: a limit that stands in it already. fallback: by, works and why."""

    kind: str
    role: str
    profile: str
    section: int | None = None
    opt: str = ""
    maker: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    stores: bool = False
    rating: Rated | None = None
    can: dict[str, Any] = {}
    now_w: float | None = None
    text: str = ""
    problems: list[str] = []
    own_on: list[str] = []
    limit_w: float | None = None
    fallback: Advice | None = None
    nominal: Nominal = Nominal()
    v_v: float | None = None
    f_hz: float | None = None
    meter_sign: int | None = None

    @property
    def rated_max_w(self) -> float:
        """0 where it states none."""
        return 0.0 if self.rating is None else self.rating.p_max_w

    @property
    def name(self) -> str:
        """As it calls itself."""
        return f"{self.maker} {self.model}".strip() or "a device that does not say who it is"


class Finding(Struct, frozen=True, kw_only=True):
    """place: as the command line takes it. wire: its section in `buses[]`, by its key. also: other units under which
    the same device answers. set_w, rated_w: the most it is set to and rated for. by: sunspec | map. timeout_s: what
    the bus needs, where the profile's is not enough."""

    place: str
    wire: dict[str, dict[str, Any]]
    unit: int
    by: str
    profile: str
    uses: list[FoundUse]
    also: list[int] = []
    max_clients: int = 0
    set_w: float | None = None
    rated_w: float | None = None
    timeout_s: float | None = None
    site_file: list[str] = []
    problems: list[str] = []

    @property
    def who(self) -> tuple[str, ...]:
        """The same for one device that answers under two units; () of one that tells no serial number."""
        first = self.uses[0] if self.uses else None
        if first is None or not first.serial.strip("0"):
            return ()
        return (self.profile, first.kind, first.maker, first.model, first.serial)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Where was looked, and how it went. numbers: as `site_rows` has them."""

    place: Place
    unit: int
    pulse: Pulse
    bus: str = "lan1"
    numbers: dict[bool, int] = field(default_factory=dict)


def finding(found: Found | tuple[Fit, ...], at: Looked, known: dict[str, Profile]) -> Finding:
    """Plain, with its rows for the site file."""
    if isinstance(found, tuple):
        chosen = {fit.use.role: fit for fit in reversed(found)}
        uses = [(fit.use, fit.profile) for fit in found if chosen[fit.use.role] is fit and fit.row["usable"]]
        profile, by, problems = found[0].profile, "map", list[str]()
    else:
        profile, by, problems = known[found.profile], "sunspec", list(found.layout.chain.problems)
        rest = [use for use in found.uses if use.role != "der"]
        uses = [(use, known.get(use.profile, profile)) for use in (*ders_of(found.uses), *rest)]
    rows = site_rows(at.place, at.unit, [use for use, _ in uses], profile, at.pulse, bus=at.bus, numbers=at.numbers)
    return Finding(
        place=at.place.name,
        wire={at.place.key: given(to_builtins(at.place.section))},
        unit=at.unit,
        by=by,
        profile=profile.name,
        uses=[_use(use, each, beside=_beside(use, uses)) for use, each in uses],
        max_clients=profile.max_clients,
        set_w=None if isinstance(found, tuple) else found.beneath.set_w,
        rated_w=None if isinstance(found, tuple) else found.beneath.rated_w,
        timeout_s=timeout_of(profile, at.pulse),
        site_file=rows,
        problems=[clean(problem) for problem in problems],
    )


FACTS = ("rating", "can", "now_w", "text", "problems", "own_on", "limit_w", "fallback", "nominal", "v_v", "f_hz")


def _beside(use: Use, uses: Sequence[tuple[Use, Profile]]) -> bool:
    """Whether it is a meter in the unit of an inverter: then the site file has to say its section."""
    return use.role == "meter" and any(other.role == "der" for other, _ in uses)


def _use(use: Use, profile: Profile, *, beside: bool) -> FoundUse:
    facts = {key: use.row[key] for key in FACTS if use.row.get(key) is not None}
    row = {
        "kind": use.kind,
        "role": use.role,
        "profile": profile.name,
        "section": use.seen.section.index if use.needed or beside else None,
        "opt": use.seen.opt,
        "stores": CATALOGUE[use.kind].can.store,
        "meter_sign": profile.meter_sign,
    }
    return convert(to_builtins(row | asdict(use.seen.identity) | facts), FoundUse)


def table(findings: Sequence[Finding]) -> list[str]:
    """A line for each, for people."""
    head = ("place", "unit", "device", "serial", "kind", "rating", "profile")
    rows = [head, *(row for each in findings for row in _rows(each))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _rows(found: Finding) -> Iterator[tuple[str, ...]]:
    also = f" (also {', '.join(map(str, found.also))})" if found.also else ""
    for i, use in enumerate(found.uses):
        where = (found.place, f"{found.unit}{also}") if i == 0 else ("", "")
        rating = f"{use.rated_max_w:,.0f} W" if use.rated_max_w else ""
        yield (*where, clean(use.name), clean(use.serial) or "-", use.kind, rating or "-", use.profile)
    if not found.uses:
        yield (
            found.place,
            f"{found.unit}{also}",
            "answers, and derctl has no use for it",
            "-",
            "-",
            "-",
            found.profile,
        )


def block(found: Finding) -> Iterator[str]:
    """What is to be known of one, and its rows to paste."""
    yield f"# {found.place} unit {found.unit}"
    for use in found.uses:
        yield from wrapped(clean(f"{use.kind}: {use.name}, {use.text}"), "# ", "#   ")
        if use.fallback is not None:
            yield from wrapped(f"fallback.by {use.fallback.by}: {use.fallback.why}", "#   ", "#   ")
    if found.max_clients == 1:
        yield from wrapped("it serves one connection: end other programs that use it", "#   ", "#   ")
    for problem in found.problems:
        yield from wrapped(f"! {problem}", "#   ", "#   ")
    yield from found.site_file
