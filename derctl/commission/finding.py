"""What was found before control, with what mends it. Pure."""

from __future__ import annotations

from enum import StrEnum

from derctl.core.dataclass import dataclass


class Weight(StrEnum):
    """mend: control would be wrong with it; look: it may be right, and a person has to say so; note: good to know."""

    MEND = "mend"
    LOOK = "look"
    NOTE = "note"


class Found(StrEnum):
    """What can be found, as a code that sites can be grouped by; docs/glossary.md says each in words."""

    NO_CONNECTION = "no_connection"
    ONE_CLIENT = "one_client"
    PLACE_SILENT = "place_silent"
    UNIT_WRONG = "unit_wrong"
    BAUD_WRONG = "baud_wrong"
    LINE_SILENT = "line_silent"
    NOT_UNDERSTOOD = "not_understood"
    KIND_WRONG = "kind_wrong"
    SECTION_UNCLEAR = "section_unclear"
    SERIAL_WRONG = "serial_wrong"
    MODEL_WRONG = "model_wrong"
    RATING_WRONG = "rating_wrong"
    PHASE_WRONG = "phase_wrong"
    NOMINAL_WRONG = "nominal_wrong"
    MET_TWICE = "met_twice"
    FIRMWARE_UNSEEN = "firmware_unseen"
    TIMER_NEVER_REVERTS = "timer_never_reverts"
    TIMER_FED_BY_READING = "timer_fed_by_reading"
    ABSENT_BREAKS_CONTRACT = "absent_breaks_contract"
    MEASURES_NOTHING = "measures_nothing"
    MAP_PROBLEM = "map_problem"
    BMS_SILENT = "bms_silent"
    BMS_NOBODY = "bms_nobody"
    ANSWERS_SLOWLY = "answers_slowly"
    ANSWERS_SELDOM = "answers_seldom"
    LIMIT_MOVES = "limit_moves"
    LIMIT_STANDS = "limit_stands"
    METER_REVERSED = "meter_reversed"
    METER_SIGN_OPEN = "meter_sign_open"
    METER_OF_PRODUCTION = "meter_of_production"
    EXPORT_UNEXPLAINED = "export_unexplained"
    CLOCK_UNSET = "clock_unset"
    BROKER_AWAY = "broker_away"
    BROKER_REFUSES = "broker_refuses"
    BROKER_EXPIRED = "broker_certificate_expired"
    BROKER_UNTRUSTED = "broker_untrusted"
    CERTIFICATE_ENDS = "certificate_ends"
    CERTIFICATE_EXPIRED = "certificate_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """about: a DER's id, `ID.bms`, `poc`, `poc.witness`, a bus, `broker`, `clock` or `site`. text: what was seen,
    with its numbers; remedy: what to do, in the words of the site file where it is mended there."""

    code: Found
    weight: Weight
    about: str
    text: str
    remedy: str


def mend(code: Found, about: str, text: str, remedy: str) -> Finding:
    """Has to be mended."""
    return Finding(code=code, weight=Weight.MEND, about=about, text=text, remedy=remedy)


def look(code: Found, about: str, text: str, remedy: str) -> Finding:
    """Has to be looked at."""
    return Finding(code=code, weight=Weight.LOOK, about=about, text=text, remedy=remedy)


def note(code: Found, about: str, text: str, remedy: str) -> Finding:
    """Is good to know."""
    return Finding(code=code, weight=Weight.NOTE, about=about, text=text, remedy=remedy)


ORDER: tuple[Weight, ...] = (Weight.MEND, Weight.LOOK, Weight.NOTE)


def heaviest_first(findings: list[Finding]) -> list[Finding]:
    """In the order in which they are told; equals stay as they came."""
    return sorted(findings, key=lambda each: ORDER.index(each.weight))
