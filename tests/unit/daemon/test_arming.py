"""Whether setpoints may leave: the word that was given, and the Pi-absent state of the site."""

from __future__ import annotations

import pytest

from derctl.core.words import Certainty, Without
from derctl.daemon.arming import Absence, Gate
from derctl.site.absence import DerAbsence


def absence(limit_w: float | None = None, **by_der: float | None) -> Absence:
    """A site whose DERs were found and give this without derctl; None: nothing is known of it."""
    ders = tuple(
        DerAbsence(
            id=name,
            how=Without.TIMER,
            certainty=Certainty.UNKNOWN if watts is None else Certainty.FOUND,
            p_w=watts,
            least_w=watts or 0.0,
            most_w=watts,
            ceiling_w=watts,
        )
        for name, watts in by_der.items()
    )
    return Absence(ders=ders, limit_w=limit_w)


class Site:
    def __init__(self, absence: Absence, *, armed: bool = True) -> None:
        self.absence = absence
        self.events: list[tuple[str, str]] = []
        self.gate = Gate(armed=armed, absence=lambda: self.absence, on_event=self.on_event)

    def on_event(self, name: str, der: str, text: str) -> None:
        assert der == ""
        self.events.append((name, text))


HOLDS = absence(7000.0, pv1=5000.0, pv2=2000.0, bat1=0.0)
BREAKS = absence(7000.0, pv1=5000.0, pv2=10000.0)


def test_the_documents_own_example_holds_to_the_watt() -> None:
    """docs/interfaces.md: 5000 + 2000 + 0 W without derctl, 7000 W in the contract."""
    assert (HOLDS.p_export_w, HOLDS.holds, HOLDS.objection) == (7000.0, True, None)
    assert not absence(7000.0, pv1=7001.0).holds


def test_a_site_without_a_contract_has_nothing_to_break() -> None:
    assert absence(pv1=1e6, pv2=None).holds


def test_a_der_of_which_nothing_is_known_keeps_the_gate_closed() -> None:
    objection = absence(7000.0, pv1=0.0, pv2=None, pv3=None).objection
    assert objection is not None
    assert objection[0] == "rating_unknown"
    assert "pv2, pv3" in objection[1]


def test_the_objection_names_every_der_with_its_watts() -> None:
    assert BREAKS.objection is not None
    code, text = BREAKS.objection
    assert code == "fallback_breaks_contract"
    assert all(part in text for part in ("pv1 5,000 W", "pv2 10,000 W", "15,000 W", "7,000 W"))


@pytest.mark.parametrize(
    ("armed", "absence", "is_open", "reason"),
    [
        (True, HOLDS, True, None),
        (False, HOLDS, False, "not armed"),
        (False, BREAKS, False, "not armed"),
        (True, BREAKS, False, "fallback_breaks_contract"),
    ],
)
def test_open_means_armed_and_nothing_against_it(
    armed: bool, absence: Absence, is_open: bool, reason: str | None
) -> None:
    gate = Site(absence, armed=armed).gate
    assert gate.evaluate() is is_open
    assert gate.open is is_open
    assert (gate.reason or "").split(":")[0] == (reason or "")


def test_it_is_closed_until_it_was_looked_at() -> None:
    assert not Site(HOLDS).gate.open


def test_it_says_so_when_it_opens_or_closes_and_only_then() -> None:
    site = Site(HOLDS)
    for _ in range(3):
        site.gate.evaluate()
    site.absence = BREAKS
    for _ in range(3):
        assert site.gate.evaluate() is False
    site.absence = HOLDS
    site.gate.evaluate()
    site.gate.armed = False
    site.gate.evaluate()
    assert [name for name, _ in site.events] == ["mode_control", "mode_observe", "mode_control", "mode_observe"]
    assert "pv2 10,000 W" in site.events[1][1]
    assert site.events[3][1] == "not armed"
