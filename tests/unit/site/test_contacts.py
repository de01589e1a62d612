"""Contacts of a site file: what can't be meant is refused, above all a wire that could break unseen."""

from __future__ import annotations

import pytest

from derctl.core.contacts import MODES
from derctl.core.words import Contact
from derctl.errors import ConfigError
from derctl.site.contacts import CONTACTS_MAX, latched, offsets_of, wiring_of
from derctl.site.lines import parse
from derctl.site.schema import SiteFile
from derctl.site.site import build
from tests.unit.site.conftest import fenced

SITE = """\
version: 1
site: {id: house, v_nom_v: 230, f_nom_hz: 50}
mqtt: {host: 127.0.0.1, principals: [{name: ops}]}
buses: [{id: lan, tcp: {host: 192.0.2.7}}, {id: lan2, tcp: {host: 192.0.2.8}}]
ders: [{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, rating: {p_max_w: 5000}, fallback: {p_ceiling_w: 0}}]
"""
GRID = "functions: [{kind: grid_limits}]\n"
CHIP = "chip: /dev/gpiochip0"
STOP = f"{{name: stop, kind: emergency_stop, {CHIP}, lines: {{stop: 17}}}}"
FRE = f"{{name: fre, kind: ripple_control, {CHIP}, lines: {{p100: 5, p60: 6, p30: 13, p0: 19}}}}"
DRED = f"{{name: dred, kind: dred, {CHIP}, lines: {{drm5: 1, drm7: 2}}, loop: 3}}"


def file(*contacts: str, grid: bool = True, more: str = "") -> SiteFile:
    text = SITE + (GRID if grid else "") + more + f"contacts: [{', '.join(contacts)}]\n"
    return build(parse(text, "site.yaml")).file


def refused(*contacts: str, grid: bool = True) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        file(*contacts, grid=grid)
    return [(each.path, each.message) for each in caught.value.problems]


def test_contacts_that_are_wired_well_are_taken_with_what_is_usual() -> None:
    stop, fre, dred = file(STOP, FRE, DRED).contacts
    assert (wiring_of(stop).closed_at_rest, wiring_of(stop).debounce_s, latched(stop)) == (True, 0.1, True)
    assert (wiring_of(fre).closed_at_rest, wiring_of(fre).debounce_s, latched(fre)) == (False, 1.0, False)
    assert (wiring_of(dred).kind, wiring_of(dred).loop, wiring_of(dred).debounce_s) == (Contact.DRED, True, 0.5)
    assert offsets_of(dred) == {"drm5": 1, "drm7": 2, "loop": 3}
    assert all(wiring_of(each).supervised for each in (stop, fre, dred))


def test_the_contacts_of_the_document_load() -> None:
    [(_, text)] = fenced("contacts")
    loaded = build(parse(SITE + GRID + text, "site.yaml")).file.contacts
    assert [(each.name, each.kind) for each in loaded] == [
        ("red_button", "emergency_stop"), ("grid_receiver", "ripple_control"), ("dred", "dred"),
    ]  # fmt: skip
    assert {name for each in loaded for name in each.lines} <= {name for kind in MODES.values() for name in kind}


def test_a_second_contact_is_an_input_of_its_own() -> None:
    both = STOP.replace("17}", "17}, inverse: {stop: 27}, latch: false, debounce_s: 0.2")
    [stop] = file(both).contacts
    assert offsets_of(stop) == {"stop": 17, "stop inverse": 27}
    assert wiring_of(stop).inputs == ("stop", "stop inverse")
    assert (wiring_of(stop).debounce_s, latched(stop)) == (0.2, False)


def named(text: str, name: str) -> str:
    return text.replace("name: stop", f"name: {name}")


REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "a stop that a broken wire would hide": (
        (STOP.replace("17}", "17}, rest: open"),), "contacts[0].lines", "a broken wire would not be noticed",
    ),
    "a dred without a loop": (
        (DRED.replace(", loop: 3", ""),), "contacts[0].lines", "a broken wire would not be noticed",
    ),
    "a second contact for one of two lines": (
        (DRED.replace(", loop: 3", ", inverse: {drm5: 9}"),), "contacts[0].lines", "a broken wire",
    ),
    "the inverse of nothing": (
        (DRED.replace("loop: 3", "loop: 3, inverse: {drm6: 9}"),), "contacts[0].inverse.drm6", "no line 'drm6'",
    ),
    "a line of another kind": (
        (STOP.replace("{stop: 17}", "{stop: 17, drm5: 4}"),), "contacts[0].lines.drm5", "no line",
    ),
    "no line at all": ((STOP.replace("{stop: 17}", "{}"),), "contacts[0].lines", "give the lines of stop"),
    "three of four": ((FRE.replace(", p0: 19", ""),), "contacts[0].lines", "p0: all four are needed"),
    "a receiver that rests": ((FRE.replace("19}", "19}, rest: closed"),), "contacts[0].rest", "exactly one"),
    "two of one name": ((STOP, named(DRED.replace("dred,", "stop,", 1), "stop")), "contacts[1].name", "already"),
    "the name of somebody else": ((named(STOP, "ops"),), "contacts[0].name", "mqtt.principals[0]"),
    "the name of the socket": ((named(STOP, "local"),), "contacts[0].name", "who comes over the socket"),
    "a chip that is no path": ((STOP.replace("/dev/", ""),), "contacts[0].chip", "a path like /dev/gpiochip0"),
    "one line twice": ((STOP, DRED.replace("drm7: 2", "drm7: 17")), "contacts[1].lines", "stop's stop already"),
    "a stop with a rating": ((STOP.replace("17}", "17}, rated_w: 5000"),), "contacts[0].rated_w", "it stops"),
    "a stop of the export": ((STOP.replace("17}", "17}, limits: export"),), "contacts[0].limits", "it stops"),
    "a latched dred": ((DRED.replace("loop: 3", "loop: 3, latch: true"),), "contacts[0].latch", "only an emergency"),
    "an export that nobody measures": (
        (DRED.replace("loop: 3", "loop: 3, limits: export"),), "contacts[0].limits", "needs a meter",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_meant_is_refused_with_its_place(name: str) -> None:
    contacts, path, text = REFUSED[name]
    assert any(path == where and text in said for where, said in refused(*contacts)), refused(*contacts)


def test_who_keeps_the_limit_has_to_be_there() -> None:
    for each in (FRE, DRED):
        [(path, text)] = refused(each, grid=False)
        assert path == "contacts[0].kind" and "needs the function grid_limits" in text
    assert file(STOP, grid=False).contacts


def test_there_are_not_endlessly_many() -> None:
    many = [named(STOP, f"s{n}").replace("17", str(n)) for n in range(CONTACTS_MAX + 1)]
    assert ("contacts", "17 contacts, more than 16") in refused(*many)
    assert len(file(*many[:-1]).contacts) == CONTACTS_MAX


def test_an_export_that_is_measured_may_be_limited() -> None:
    poc = "poc: {bus: lan2, unit: 1, kind: sunspec_meter, sign: 1}\n"
    [dred] = file(DRED.replace("loop: 3", "loop: 3, limits: export, rated_w: 9000"), more=poc).contacts
    assert (dred.limits, dred.rated_w) == ("export", 9000.0)
