"""What the site does without derctl: for each DER how much and why, and whether the sum keeps the contract.

The one truth for `derctl check`, which has found nothing yet, for the gate and for the functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.dataclass import dataclass
from derctl.core.feeding import COUNT, EVERYWHERE, NAMES
from derctl.core.types import Fallback
from derctl.core.value import replace
from derctl.core.words import Certainty, Contract, FallbackBy, Refusal, Timer, Without
from derctl.devices import CATALOGUE, Device
from derctl.devices.nominal import FEEDS_PU
from derctl.site.between import SLACK_W, Between, worst_between
from derctl.site.schema import DerSection

QUICKER = "Shorten fallback.after_s of those that hold on, or lengthen it of those that lapse first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a device that was found. absent_w: the most it gives without derctl, as its driver says."""

    p_max_w: float
    absent_w: float
    p_min_w: float = 0.0
    writable: bool = True
    timer: Timer = Timer.TARGET
    model: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerAbsence:
    """One DER's part. p_w: what counts now, None where nothing is known.

    least_w and most_w: what finding the device can still make of it; most_w None: no bound is known.
    ceiling_w, by, after_s: what the site file declares. promised_w: of one in whose place another answers, what it
    counted with before. low_w, top_w: what it may be held between, None: not known. lapses: it has a timer that ends
    what it was told. refused: why what answers in its place is not taken for it. phase: where it
    feeds, by the site file.
    """

    id: str
    how: Without
    certainty: Certainty
    p_w: float | None
    least_w: float
    most_w: float | None
    ceiling_w: float | None = None
    by: FallbackBy = FallbackBy.REVERSION
    after_s: float = 60.0
    promised_w: float | None = None
    low_w: float | None = 0.0
    top_w: float | None = None
    lapses: bool = False
    storage: bool = False
    model: int | None = None
    refused: str = ""
    phase: str | None = None

    @property
    def settled(self) -> bool:
        """Whether finding the device changes nothing any more."""
        return self.most_w is not None and self.most_w <= self.least_w

    @property
    def why(self) -> str | None:
        """Why it gives more than it should, and what to write instead; None where the declared fallback is kept."""
        if self.p_w is None or (self.ceiling_w is not None and self.p_w <= self.ceiling_w):
            return None
        declared = "" if self.ceiling_w is None else f", not {self.ceiling_w:,.0f}"
        return f"{self.id}: {_cause(self)} {self.p_w:,.0f} W{declared}. {_remedy(self)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The Pi-absent state of the site: the most that may be exported without derctl, no load counted. phase_limit_w:
    the agreed limit of each phase. too_slow: the buses that can't keep a deadline of control, in words; that stands
    against control too. unproven: whose fail-safe is not on record where the site file demands it, in words.
    """

    ders: tuple[DerAbsence, ...] = ()
    limit_w: float | None = None
    phase_limit_w: float | None = None
    too_slow: str = ""
    unproven: str = ""

    @property
    def by_der(self) -> dict[str, float]:
        """W of each DER of which something is known."""
        return {der.id: der.p_w for der in self.ders if der.p_w is not None}

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(der.id for der in self.ders if der.p_w is None)

    @property
    def p_export_w(self) -> float:
        return sum(der.p_w for der in self.ders if der.p_w is not None)

    @property
    def least_w(self) -> float:
        """The sum if each device that is still to be found makes its fallback true."""
        return sum(der.least_w for der in self.ders)

    @property
    def most_w(self) -> float | None:
        """The sum if none of them does; None where no bound is known."""
        most = [der.most_w for der in self.ders if der.most_w is not None]
        return sum(most) if len(most) == len(self.ders) else None

    @property
    def undecided(self) -> tuple[str, ...]:
        """The DERs that have to be found before the sum is known."""
        return tuple(der.id for der in self.ders if not der.settled)

    @property
    def holds(self) -> bool:
        """Whether it keeps the contract, by what is known now. Without a contract there is nothing to break."""
        if self.limit_w is None:
            return True
        return (
            not self.unknown
            and self.p_export_w <= self.limit_w + SLACK_W
            and not _over_in_phase(self, phases_w(self))
        )

    @property
    def held(self) -> bool:
        """Whether it was kept before another device answered in one's place."""
        parts = [der.p_w if der.promised_w is None else der.promised_w for der in self.ders]
        if self.limit_w is None:
            return True
        return None not in parts and sum(part or 0.0 for part in parts) <= self.limit_w + SLACK_W

    @property
    def verdict(self) -> Contract:
        """Whether it keeps the contract whatever is found: what a file alone can tell."""
        if self.limit_w is None:
            return Contract.NONE
        least = _by_phase(self.ders, [der.least_w for der in self.ders])
        if self.least_w > self.limit_w + SLACK_W or _over_in_phase(self, least):
            return Contract.BROKEN
        most = [der.most_w for der in self.ders if der.most_w is not None]
        kept = self.most_w is not None and self.most_w <= self.limit_w + SLACK_W
        return Contract.HOLDS if kept and not _over_in_phase(self, _by_phase(self.ders, most)) else Contract.OPEN

    @property
    def between(self) -> Between | None:
        """The worst moment of a kill, where some have lapsed and others have not: above the contract for how long.

        Of a site that may break it in the end that is not asked.
        """
        open_end = bool(self.unknown) or self.verdict is Contract.BROKEN
        return None if open_end else worst_between(self.ders, self.limit_w)

    @property
    def warning(self) -> str | None:
        """What does not stand against control, and should be mended."""
        between = self.between
        return None if not self.holds or between is None or between.contained else between.text

    @property
    def objection(self) -> tuple[Refusal, str] | None:
        """Code and text of what stands against control."""
        if self.holds:
            between = self.between
            if between is None or not between.refused:
                return beside(self)
            return Refusal.FALLBACK_BREAKS_CONTRACT, f"{between.text}. {QUICKER}"
        if self.unknown:
            names = ", ".join(self.unknown)
            refused = "".join(f"{der.id} is refused: {der.refused}. " for der in self.ders if der.refused)
            text = f"{refused}nothing is known yet of {names}: give rating.p_max_w or a fallback"
            return Refusal.RATING_UNKNOWN, text
        return Refusal.FALLBACK_BREAKS_CONTRACT, " ".join((*reasons(self), sum_text(self)))


def beside(absence: Absence) -> tuple[Refusal, str] | None:
    """What stands against control of a site that keeps its contract without derctl."""
    if absence.too_slow:
        return Refusal.BUS_TOO_SLOW, absence.too_slow
    return (Refusal.UNPROVEN, absence.unproven) if absence.unproven else None


def _by_phase(ders: Sequence[DerAbsence], watts: Sequence[float]) -> tuple[float, ...]:
    shares = [EVERYWHERE if der.phase is None else FEEDS_PU[der.phase] for der in ders]
    pairs = list(zip(shares, watts, strict=True))
    return tuple([sum((share[k] * each for share, each in pairs), 0.0) for k in range(COUNT)])


def phases_w(absence: Absence) -> tuple[float, ...]:
    """Of what is known, what may be exported in each phase; one that says nothing of its phase counts in all."""
    return _by_phase(absence.ders, [der.p_w or 0.0 for der in absence.ders])


def _over_in_phase(absence: Absence, watts: tuple[float, ...]) -> bool:
    return absence.phase_limit_w is not None and max(watts) > absence.phase_limit_w + SLACK_W


def phases_text(absence: Absence) -> str:
    """What counts now in each phase, against the contract; "" where none is agreed for each."""
    if absence.phase_limit_w is None:
        return ""
    parts = ", ".join(f"{watts:,.0f} W in {name}" for name, watts in zip(NAMES, phases_w(absence), strict=True))
    return f"by phase {parts}, where it allows {absence.phase_limit_w:,.0f} W"


def reasons(absence: Absence) -> tuple[str, ...]:
    """What keeps the declared fallbacks from being true."""
    return tuple(why for der in absence.ders if (why := der.why) is not None)


def sum_text(absence: Absence) -> str:
    """What counts now, against the contract."""
    parts = " + ".join(f"{name} {watts:,.0f} W" for name, watts in absence.by_der.items())
    total = parts if len(absence.by_der) == 1 else f"{parts} = {absence.p_export_w:,.0f} W"
    text = f"Without derctl the site may export {total}"
    if absence.limit_w is None:
        return text
    in_phases = phases_text(absence)
    return f"{text}; the contract allows {absence.limit_w:,.0f} W{in_phases and f'; {in_phases}'}"


def agreement(absence: Absence) -> str:
    """What the site file promises, in a line that changes with it."""
    ders = [f"{der.id} {der.by} {der.ceiling_w} W {der.after_s:g} s" for der in absence.ders]
    in_phases = [] if absence.phase_limit_w is None else [f"in each phase {absence.phase_limit_w} W"]
    return ", ".join([*ders, f"limit {absence.limit_w} W", *in_phases])


def fallback_of(section: DerSection) -> Fallback:
    """The declared fallback in control's words."""
    given = section.fallback
    return Fallback(p_ceiling_w=given.p_ceiling_w, by=FallbackBy(given.by), after_s=given.after_s)


def attested(section: DerSection) -> bool:
    """Whether derctl writes it, and its fallback is a limit that is kept in the device: derctl can't measure that, so
    somebody has to be on record who saw it there."""
    return section.control and _by(section) is FallbackBy.DEVICE


def _by(section: DerSection) -> FallbackBy:
    return FallbackBy(section.fallback.by)


def found_of(device: Device | None, fallback: Fallback) -> Found | None:
    """A device that was found, in the words of this file."""
    if device is None:
        return None
    return Found(
        p_max_w=device.rating.p_max_w,
        absent_w=device.absent_w(fallback),
        p_min_w=device.rating.p_min_w,
        writable=device.can.steer,
        timer=device.reversion.timer,
        model=device.reversion.model,
    )


def absence_of(
    sections: Sequence[DerSection],
    found: Mapping[str, Found | None],
    limit_w: float | None = None,
    phase_limit_w: float | None = None,
) -> Absence:
    """The whole site. found: by DER id; one that is missing or None was never found."""
    ders = tuple(der_absence(each, found.get(each.id)) for each in sections)
    return Absence(ders=ders, limit_w=limit_w, phase_limit_w=phase_limit_w)


def der_absence(section: DerSection, found: Found | None, stranger_w: float | None = None) -> DerAbsence:
    """One DER's part of it. A limit kept in the device (by: device) counts whether or not derctl writes it.

    found: also of one that was found once, and is lost. stranger_w: the rating of another that answers in its place.
    """
    if stranger_w is not None:
        return _another(section, der_absence(section, found), found, stranger_w)
    ceiling = section.fallback.p_ceiling_w
    if _by(section) is FallbackBy.DEVICE and ceiling is not None:
        return _part(section, Without.DEVICE, Certainty.DECLARED, ceiling, (ceiling, ceiling), found)
    if found is None:
        return _expected(section)
    watts = found.absent_w if section.control else found.p_max_w
    return _part(section, _how(section, found), Certainty.FOUND, watts, (watts, watts), found)


def _another(section: DerSection, before: DerAbsence, found: Found | None, stranger_w: float) -> DerAbsence:
    """Nothing of what the one before promised counts. Of another kind (0 W) nothing more is known."""
    rated = [w for w in (section.rating.p_max_w, None if found is None else found.p_max_w, stranger_w) if w]
    watts = max(rated) if rated else None
    certainty = Certainty.UNKNOWN if watts is None else Certainty.EXPECTED
    part = _part(section, Without.ANOTHER, certainty, watts, (watts or 0.0, watts), found)
    return replace(part, promised_w=before.p_w, top_w=watts, lapses=False)


def _how(section: DerSection, found: Found) -> Without:
    """Why a device that was found gives what it gives."""
    ceiling, stands = section.fallback.p_ceiling_w, _by(section) is FallbackBy.STANDS
    if not section.control:
        return Without.NOT_WRITTEN
    if ceiling is None:
        return Without.NO_CEILING
    if found.absent_w <= ceiling:
        return Without.STANDS if stands else Without.TIMER
    if stands or not found.writable:
        return Without.ONLY_READ
    return Without.NO_TARGET if found.timer == Timer.NO_TARGET else Without.NO_TIMER


def _expected(section: DerSection) -> DerAbsence:
    """One that was never found counts with its rating; what its fallback makes of it is decided when it is found.
    Where no rating is declared the ceiling is the installer's word for what it gives."""
    ceiling, rated = section.fallback.p_ceiling_w, section.rating.p_max_w
    if not section.control or ceiling is None:
        how = Without.NO_CEILING if section.control else Without.NOT_WRITTEN
        certainty = Certainty.UNKNOWN if rated is None else Certainty.EXPECTED
        return _part(section, how, certainty, rated, (rated or 0.0, rated))
    how = Without.STANDS if _by(section) is FallbackBy.STANDS else Without.TIMER
    watts = ceiling if rated is None else max(rated, ceiling)
    return _part(section, how, Certainty.EXPECTED, watts, (ceiling, rated))


def _part(
    section: DerSection,
    how: Without,
    certainty: Certainty,
    p_w: float | None,
    bounds: tuple[float, float | None],
    found: Found | None = None,
) -> DerAbsence:
    kind, by = CATALOGUE.get(section.kind), _by(section)
    storage = kind is not None and kind.can.store
    timer = Timer.TARGET if found is None else found.timer
    return DerAbsence(
        id=section.id,
        how=how,
        certainty=certainty,
        p_w=p_w,
        least_w=bounds[0],
        most_w=bounds[1],
        ceiling_w=section.fallback.p_ceiling_w,
        by=by,
        after_s=section.fallback.after_s,
        low_w=_low_w(section, found, storage=storage),
        top_w=_top_w(section, found, storage=storage),
        lapses=section.control and by is not FallbackBy.STANDS and timer is not Timer.NONE,
        storage=storage,
        model=None if found is None else found.model,
        phase=section.phase,
    )


def _low_w(section: DerSection, found: Found | None, *, storage: bool) -> float | None:
    """The least that it may be held at: a store charges, of one that isn't known nobody knows how much."""
    if found is not None:
        return found.p_min_w
    charge_w = section.rating.p_charge_max_w
    if storage:
        return None if charge_w is None else -charge_w
    return 0.0


def _top_w(section: DerSection, found: Found | None, *, storage: bool) -> float | None:
    """The most that it may be held at; a limit that stands, or that is kept in the device, is never above the
    fallback. No store is discharged above it while others are held down."""
    rated = section.rating.p_max_w if found is None else found.p_max_w
    ceiling, by = section.fallback.p_ceiling_w, _by(section)
    told = section.control and (storage or by is FallbackBy.STANDS)
    if ceiling is None or not (told or by is FallbackBy.DEVICE):
        return rated
    return ceiling if rated is None else min(rated, ceiling)


def _cause(der: DerAbsence) -> str:
    """The begin of a sentence that ends in watts."""
    model = "its" if der.model is None else f"model {der.model}'s"
    if der.certainty is not Certainty.FOUND and der.how in {Without.TIMER, Without.STANDS}:
        why = f"refused ({der.refused})" if der.refused else "not found yet"
        return f"{why}, so it counts with its full rating,"
    another = f" ({der.refused})" if der.refused else ""
    return {
        Without.NO_TARGET: f"{model} timer has no target, so it returns to",
        Without.NO_TIMER: "it has no timer that reverts, so it may give",
        Without.NO_CEILING: "it has no fallback.p_ceiling_w, so it may give",
        Without.NOT_WRITTEN: "derctl doesn't write it (control: false), so it may give",
        Without.ONLY_READ: "derctl can only read it, so it may give",
        Without.ANOTHER: f"another device answers in its place{another}, so it may give",
    }.get(der.how, "it may give")


def _remedy(der: DerAbsence) -> str:
    if der.certainty is not Certainty.FOUND and der.how in {Without.TIMER, Without.STANDS}:
        return "This is decided when the right one is found." if der.refused else "This is decided when it is found."
    if der.how is Without.ANOTHER:
        return "If it was replaced, write its serial."
    if der.how is Without.NO_CEILING:
        return "Give it one."
    if der.how in {Without.NOT_WRITTEN, Without.ONLY_READ} or der.storage:
        return "Keep a limit in the device, and use by: device."
    return "Use by: stands."
