"""What the site does without derctl: one answer for `check`, the gate and the functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert, structs

from derctl.cli.check import late_text
from derctl.core.words import Certainty, Contract, Refusal, Timer, Without
from derctl.site import DerSection, Site, absence_of, der_absence
from derctl.site.absence import Absence, Found, reasons
from derctl.site.schema import FallbackSection, RatingSection

FULL = 5000.0
LOW = 3000.0


def section(
    by: str = "reversion",
    ceiling: float | None = LOW,
    *,
    control: bool = True,
    rated: float | None = None,
    name: str = "pv1",
    kind: str = "sunspec_pv",
) -> DerSection:
    return DerSection(
        id=name,
        bus="lan",
        unit=1,
        kind=kind,
        control=control,
        rating=RatingSection(p_max_w=rated),
        fallback=convert({"by": by, "p_ceiling_w": ceiling}, FallbackSection),
    )


def device(by: str, ceiling: float | None, timer: Timer, *, full: float = FULL, writable: bool = True) -> Found:
    """A device that keeps what the table of `by` in docs/interfaces.md says of it."""
    kept = by == "device" or (writable and (by == "stands" or timer is Timer.TARGET))
    watts = ceiling if kept and ceiling is not None else full
    return Found(p_max_w=full, absent_w=watts, writable=writable, timer=timer, model=704)


NOT_FOUND = [  # by, ceiling, control, rating -> how, what counts, at least, at most (None: unknown)
    ("reversion", LOW, True, None, Without.TIMER, LOW, LOW, None),
    ("reversion", LOW, True, FULL, Without.TIMER, FULL, LOW, FULL),
    ("reversion", None, True, None, Without.NO_CEILING, None, 0.0, None),
    ("reversion", None, True, FULL, Without.NO_CEILING, FULL, FULL, FULL),
    ("reversion", LOW, False, None, Without.NOT_WRITTEN, None, 0.0, None),
    ("reversion", LOW, False, FULL, Without.NOT_WRITTEN, FULL, FULL, FULL),
    ("reversion", None, False, None, Without.NOT_WRITTEN, None, 0.0, None),
    ("reversion", None, False, FULL, Without.NOT_WRITTEN, FULL, FULL, FULL),
    ("stands", LOW, True, None, Without.STANDS, LOW, LOW, None),
    ("stands", LOW, True, FULL, Without.STANDS, FULL, LOW, FULL),
    ("stands", LOW, False, None, Without.NOT_WRITTEN, None, 0.0, None),  # nobody wrote the limit that would stand
    ("stands", LOW, False, FULL, Without.NOT_WRITTEN, FULL, FULL, FULL),
    ("device", LOW, True, None, Without.DEVICE, LOW, LOW, LOW),
    ("device", LOW, True, FULL, Without.DEVICE, LOW, LOW, LOW),
    ("device", LOW, False, None, Without.DEVICE, LOW, LOW, LOW),
    ("device", LOW, False, FULL, Without.DEVICE, LOW, LOW, LOW),
]


@pytest.mark.parametrize(("by", "ceiling", "control", "rated", "how", "counts", "least", "most"), NOT_FOUND)
def test_what_was_never_found_counts_at_its_rating_and_without_one_on_the_site_files_word(
    by: Any, ceiling: Any, control: Any, rated: Any, how: Any, counts: Any, least: Any, most: Any
) -> None:
    part = der_absence(section(by, ceiling, control=control, rated=rated), None)
    assert (part.how, part.p_w, part.least_w, part.most_w) == (how, counts, least, most)
    unknown = Certainty.UNKNOWN if counts is None else Certainty.EXPECTED
    assert part.certainty is (Certainty.DECLARED if by == "device" else unknown)


FOUND = [  # by, ceiling, control, timer, writable -> how, W
    ("reversion", LOW, True, Timer.TARGET, True, Without.TIMER, LOW),
    ("reversion", LOW, True, Timer.NO_TARGET, True, Without.NO_TARGET, FULL),
    ("reversion", LOW, True, Timer.NONE, True, Without.NO_TIMER, FULL),
    ("reversion", LOW, True, Timer.NONE, False, Without.ONLY_READ, FULL),
    ("reversion", FULL, True, Timer.NO_TARGET, True, Without.TIMER, FULL),  # its full rating is what is declared
    ("reversion", None, True, Timer.TARGET, True, Without.NO_CEILING, FULL),
    ("stands", LOW, True, Timer.NO_TARGET, True, Without.STANDS, LOW),
    ("stands", LOW, True, Timer.NONE, True, Without.STANDS, LOW),
    ("stands", LOW, True, Timer.NONE, False, Without.ONLY_READ, FULL),
    ("device", LOW, True, Timer.NONE, False, Without.DEVICE, LOW),
    ("reversion", LOW, False, Timer.TARGET, True, Without.NOT_WRITTEN, FULL),
    ("stands", LOW, False, Timer.TARGET, True, Without.NOT_WRITTEN, FULL),
    ("device", LOW, False, Timer.TARGET, True, Without.DEVICE, LOW),
]


@pytest.mark.parametrize(("by", "ceiling", "control", "timer", "writable", "how", "watts"), FOUND)
def test_of_what_was_found_the_device_decides(
    by: Any, ceiling: Any, control: Any, timer: Any, writable: Any, how: Any, watts: Any
) -> None:
    found = device(by, ceiling, timer, writable=writable)
    part = der_absence(section(by, ceiling, control=control), found)
    assert (part.how, part.p_w, part.least_w, part.most_w) == (how, watts, watts, watts)
    assert part.certainty is (Certainty.DECLARED if by == "device" else Certainty.FOUND)
    assert part.settled


REASONS = [  # how it comes about, kind, what is said
    (
        ("reversion", LOW, True),
        Found(p_max_w=FULL, absent_w=FULL, timer=Timer.NO_TARGET, model=123),
        "sunspec_pv",
        "pv1: model 123's timer has no target, so it returns to 5,000 W, not 3,000. Use by: stands.",
    ),
    (
        ("reversion", 0.0, True),
        Found(p_max_w=FULL, absent_w=FULL, timer=Timer.NO_TARGET, model=124),
        "sunspec_storage",
        "pv1: model 124's timer has no target, so it returns to 5,000 W, not 0. "
        "Keep a limit in the device, and use by: device.",
    ),
    (
        ("reversion", LOW, True),
        Found(p_max_w=FULL, absent_w=FULL, timer=Timer.NONE, model=704),
        "sunspec_pv",
        "pv1: it has no timer that reverts, so it may give 5,000 W, not 3,000. Use by: stands.",
    ),
    (
        ("stands", LOW, True),
        Found(p_max_w=FULL, absent_w=FULL, timer=Timer.NONE, writable=False),
        "sunspec_pv",
        "pv1: derctl can only read it, so it may give 5,000 W, not 3,000. "
        "Keep a limit in the device, and use by: device.",
    ),
    (
        ("reversion", None, True),
        Found(p_max_w=FULL, absent_w=FULL, model=704),
        "sunspec_pv",
        "pv1: it has no fallback.p_ceiling_w, so it may give 5,000 W. Give it one.",
    ),
    (
        ("stands", LOW, False),
        Found(p_max_w=FULL, absent_w=LOW),
        "sunspec_pv",
        "pv1: derctl doesn't write it (control: false), so it may give 5,000 W, not 3,000. "
        "Keep a limit in the device, and use by: device.",
    ),
]


@pytest.mark.parametrize(("given", "found", "kind", "says"), REASONS)
def test_the_objection_says_why_and_what_to_write(given: Any, found: Any, kind: Any, says: Any) -> None:
    by, ceiling, control = given
    absence = absence_of([section(by, ceiling, control=control, kind=kind)], {"pv1": found}, LOW)
    assert absence.objection == (
        Refusal.FALLBACK_BREAKS_CONTRACT,
        f"{says} Without derctl the site may export pv1 5,000 W; the contract allows 3,000 W",
    )


def test_a_device_that_is_still_to_be_found_counts_with_its_rating_and_it_is_said() -> None:
    absence = absence_of([section(rated=FULL)], {}, 4000.0)
    assert absence.objection is not None
    code, text = absence.objection
    assert code == "fallback_breaks_contract"
    assert text.startswith("pv1: not found yet, so it counts with its full rating, 5,000 W, not 3,000.")


def test_fallbacks_that_are_kept_and_too_high_in_all_are_added_up() -> None:
    sections = [section("stands", LOW), section("stands", 4500.0, name="pv2")]
    found = {each.id: device("stands", each.fallback.p_ceiling_w, Timer.NO_TARGET) for each in sections}
    absence = absence_of(sections, found, 7000.0)
    assert reasons(absence) == ()
    assert absence.objection is not None
    assert absence.objection[1] == (
        "Without derctl the site may export pv1 3,000 W + pv2 4,500 W = 7,500 W; the contract allows 7,000 W"
    )


def test_nothing_known_of_one_is_an_objection_although_the_others_fit() -> None:
    absence = absence_of([section("device", 0.0), section(ceiling=None, name="pv2")], {}, 7000.0)
    assert (absence.by_der, absence.unknown, absence.holds) == ({"pv1": 0.0}, ("pv2",), False)
    assert absence.objection is not None
    assert absence.objection[0] == "rating_unknown"
    assert absence.verdict is Contract.OPEN


@pytest.mark.parametrize(
    ("by", "ceiling", "rated", "limit", "verdict"),
    [
        ("device", LOW, None, LOW, Contract.HOLDS),
        ("device", LOW, None, LOW - 1.0, Contract.BROKEN),
        ("reversion", LOW, FULL, FULL, Contract.HOLDS),  # whatever its timer does
        ("reversion", LOW, FULL, 4000.0, Contract.OPEN),  # 704 keeps it, 123 breaks it
        ("reversion", LOW, FULL, 2000.0, Contract.BROKEN),
        ("reversion", LOW, None, 4000.0, Contract.OPEN),
        ("reversion", None, None, 4000.0, Contract.OPEN),
        ("reversion", None, FULL, 4000.0, Contract.BROKEN),
        ("stands", LOW, None, LOW, Contract.OPEN),
        ("stands", LOW, None, 2000.0, Contract.BROKEN),
        ("stands", LOW, None, None, Contract.NONE),
    ],
)
def test_the_file_alone_says_whether_the_contract_is_kept_broken_or_open(
    by: str, ceiling: Any, rated: Any, limit: Any, verdict: Any
) -> None:
    assert absence_of([section(by, ceiling, rated=rated)], {}, limit).verdict is verdict


ANOTHER = [  # by, ceiling, rating in the file, rating of the one before, of the stranger -> W
    ("reversion", LOW, None, FULL, 8000.0, 8000.0),
    ("reversion", LOW, None, FULL, 0.0, FULL),  # of another kind: as much as the one that should be there
    ("stands", LOW, 6000.0, FULL, 4000.0, 6000.0),
    ("device", LOW, None, FULL, 4000.0, FULL),  # the limit was kept in the device that is gone
    ("device", LOW, None, None, 0.0, None),
    ("reversion", LOW, None, None, 8000.0, 8000.0),
]


@pytest.mark.parametrize(("by", "ceiling", "rated", "full", "stranger", "watts"), ANOTHER)
def test_another_device_in_its_place_counts_at_the_highest_rating_that_is_known(
    by: Any, ceiling: Any, rated: Any, full: Any, stranger: Any, watts: Any
) -> None:
    found = None if full is None else device(by, ceiling, Timer.TARGET, full=full)
    part = der_absence(section(by, ceiling, rated=rated), found, stranger)
    assert (part.how, part.p_w) == (Without.ANOTHER, watts)
    assert part.promised_w == der_absence(section(by, ceiling, rated=rated), found).p_w


def test_another_device_is_named_in_the_objection_and_what_to_write() -> None:
    part = der_absence(section(), device("reversion", LOW, Timer.TARGET), 8000.0)
    objection = Absence(ders=(part,), limit_w=LOW).objection
    assert objection is not None
    assert objection[1].startswith(
        "pv1: another device answers in its place, so it may give 8,000 W, not 3,000. "
        "If it was replaced, write its serial."
    )


def test_what_control_began_under_is_held_although_another_device_answers_now() -> None:
    kept = der_absence(section(), device("reversion", LOW, Timer.TARGET), 8000.0)
    alone = der_absence(section("device", None), None, 8000.0)
    assert Absence(ders=(kept,), limit_w=LOW).held and not Absence(ders=(kept,), limit_w=LOW).holds
    assert not Absence(ders=(kept, kept), limit_w=LOW).held
    assert not Absence(ders=(replace(alone, promised_w=None, p_w=None),), limit_w=LOW).held
    assert Absence(ders=(alone,)).held, "without a contract"


SECTIONS = [
    (by, ceiling, control, rated)
    for by, ceiling, control, rated in product(
        ("reversion", "stands", "device"), (None, 0.0, LOW, FULL), (True, False), (None, FULL)
    )
    if by == "reversion" or ceiling is not None  # the others need a ceiling
]
DEVICES = [(timer, writable) for timer in Timer for writable in (True, False)]


@given(
    rows=st.lists(st.tuples(st.sampled_from(SECTIONS), st.sampled_from(DEVICES)), min_size=1, max_size=4),
    limit=st.sampled_from([None, 0.0, 3000.0, 5000.0, 8000.0, 13000.0]),
)
def test_check_and_gate_agree_on_every_device_that_fits_the_file(rows: Any, limit: Any) -> None:
    """A device fits if it has the rating that the file declares, and none below the ceiling that it declares."""
    sections = [section(by, low, control=c, rated=r, name=f"pv{i}") for i, ((by, low, c, r), _) in enumerate(rows)]
    found = {f"pv{i}": device(by, low, timer, writable=w) for i, ((by, low, _, _), (timer, w)) in enumerate(rows)}
    check, gate = absence_of(sections, {}, limit), absence_of(sections, found, limit)
    assert_bounds(check, gate)
    if check.verdict is Contract.BROKEN:
        assert gate.objection is not None
    if check.verdict in {Contract.HOLDS, Contract.NONE}:
        assert gate.objection is None
    if not check.undecided:
        assert (check.by_der, check.holds) == (gate.by_der, gate.holds)


def assert_bounds(check: Absence, gate: Absence) -> None:
    for before, after in zip(check.ders, gate.ders, strict=True):
        assert after.p_w is not None
        assert before.least_w <= after.p_w
        assert before.most_w is None or after.p_w <= before.most_w
    assert gate.unknown == ()
    assert gate.verdict in ({Contract.NONE} if gate.limit_w is None else {Contract.HOLDS, Contract.BROKEN})
    assert gate.holds == (gate.verdict is not Contract.BROKEN)


@pytest.mark.parametrize(
    ("profile", "by", "says"),
    [
        ("fronius", "stands", "; a lower one that a stop writes may not act"),
        ("kostal", "stands", ""),
        ("fronius", "device", ""),
    ],
)
def test_of_one_that_heeds_a_limit_only_when_its_enable_is_toggled_it_is_said_what_a_stop_leaves(
    site_of: Callable[[str], Site], profile: str, by: str, says: str
) -> None:
    """Off it would have no limit at all, and a stop has no time to wait until it is on."""
    site = site_of(f"""
version: 1
site: {{id: roof, v_nom_v: 230, f_nom_hz: 50}}
buses:
  - {{id: lan, tcp: {{host: 192.0.2.1}}}}
ders:
  - id: pv1
    bus: lan
    unit: 1
    kind: sunspec_pv
    own_functions: "off"
    profile: {profile}
    fallback: {{p_ceiling_w: 5000, by: {by}}}
functions: [{{kind: operator_limit}}]
""")
    [der] = absence_of(site.file.ders, {}).ders
    assert late_text(der, site).startswith(says) and bool(late_text(der, site)) is bool(says)


@pytest.mark.parametrize(
    ("phases", "holds", "verdict"),
    [
        (("A", "B"), True, Contract.HOLDS),
        (("A", "A"), False, Contract.BROKEN),
        (("A", "ABC"), False, Contract.BROKEN),
        (("ABC", "ABC"), True, Contract.HOLDS),
        (("A", None), False, Contract.BROKEN),
    ],
)
def test_without_derctl_each_phase_keeps_its_own_limit_too(phases: Any, holds: bool, verdict: Contract) -> None:
    """3 kW each, of which 3.5 may go out in one phase."""
    rows = [section("device", name=f"pv{i}", rated=LOW) for i in range(2)]
    rows = [structs.replace(row, phase=phase) for row, phase in zip(rows, phases, strict=True)]
    absence = absence_of(rows, {}, 9000.0, 3500.0)
    assert (absence.holds, absence.verdict) == (holds, verdict)
    text = "" if absence.objection is None else absence.objection[1]
    assert holds or "where it allows 3,500 W" in text
    assert absence_of(rows, {}, 9000.0).holds


def test_what_finding_a_device_can_still_make_of_a_phase_leaves_it_open() -> None:
    row = structs.replace(section("reversion", rated=FULL), phase="A")
    assert absence_of([row], {}, 9000.0, 3500.0).verdict is Contract.OPEN
    assert absence_of([row], {}, 9000.0, 9000.0).verdict is Contract.HOLDS
