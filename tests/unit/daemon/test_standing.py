"""What stood in a device before derctl: somebody's limit is kept until it is lifted, an own one rises on a ramp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from derctl.core.requests import LimitRequest
from derctl.core.types import Capability, DerState, Setpoint
from derctl.daemon.looks import Looks
from derctl.daemon.standing import Standing, asserted, read_w
from derctl.daemon.standings import Rule, Standings, found_before
from derctl.devices import Profile
from derctl.store.folder import Folder
from derctl.store.journal import Journal, Left
from tests import make

FULL_W = 10_000.0
BLIND = replace(Profile(), readback="effect_only")


def limit(watts: float, der: str | None = "pv1", name: str = "r1") -> LimitRequest:
    return LimitRequest(id=name, by="home", der=der, p_ceiling_w=watts, remaining_s=60.0)


def pv(name: str = "pv1", reads_w: float | None = FULL_W, p_w: float | None = 1_000.0, **given: Any) -> DerState:
    accepted = None if reads_w is None else Setpoint(p_ceiling_w=reads_w)
    return make.pv(name, p_max_w=FULL_W, p_w=p_w, accepted=accepted, **given)


def bat(target_w: float | None, p_w: float | None = 0.0) -> DerState:
    accepted = None if target_w is None else Setpoint(p_target_w=target_w)
    return make.battery("bat1", p_w=p_w, accepted=accepted)


@dataclass
class Site:
    """What stands in the devices of a site, and the journals. tick: what each DER may get, found and on the ramp."""

    path: Path
    profile: Profile = field(default_factory=Profile)
    told: list[tuple[str, str]] = field(default_factory=list)
    changes: int = 0
    requests: tuple[LimitRequest, ...] = ()
    t_s: float = 0.0

    def __post_init__(self) -> None:
        folder = Folder(self.path, self.path)
        left = Left(folder)
        self.stands = Standings(
            rules={name: Rule(habits=lambda: self.profile, ceiling_w=5_000.0) for name in ("pv1", "pv2", "bat1")},
            looks=Looks(Journal(folder), left),
            left=left,
            tell=lambda name, der, text: self.told.append((name, der)),
            changed=self.changed,
        )

    def changed(self) -> None:
        self.changes += 1

    def wrote(self, *names: str) -> None:
        """They are in the journal."""
        for name in names:
            self.stands.looks.written.note(name, since="now", fallback={})

    def released(self, *names: str) -> None:
        self.stands.looks.written.forget(names)

    def tick(self, *ders: DerState, open: bool = False, dt_s: float = 1.0) -> dict[str, tuple[Any, Any]]:
        state = self.stands.tick(make.site(*ders, requests=self.requests, t_s=self.t_s), dt_s, open)
        return {der.id: (der.found_w, der.rise_w) for der in state.ders}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    yield Site(tmp_path)


# -- a limit that was found -----------------------------------------------------------------------------------------


def test_somebody_s_limit_is_kept_by_name_through_control(site: Site) -> None:
    """The installer's 60 %, before derctl first comes."""
    assert site.tick(pv(reads_w=6_000.0)) == {"pv1": (6_000.0, 6_000.0)}
    assert site.told == [("limit_found", "pv1")] and site.changes == 1
    site.wrote("pv1")
    for _ in range(30):
        assert site.tick(pv(reads_w=4_000.0), open=True) == {"pv1": (6_000.0, None)}
    assert len(site.told) == 1


def test_while_nothing_is_written_what_somebody_else_makes_of_it_counts(site: Site) -> None:
    site.tick(pv(reads_w=6_000.0))
    assert site.tick(pv(reads_w=3_000.0)) == {"pv1": (3_000.0, 3_000.0)}
    assert site.tick(pv()) == {"pv1": (None, None)}, "whoever set it has lifted it"


def test_what_gives_more_than_its_limit_at_first_sight_is_left_alone_until_that_is_settled(site: Site) -> None:
    """1,080 W under "0 %, enabled" is no limit; an inverter on its way down to one takes some seconds."""
    for t_s, p_w, stands in ((0.0, 1_080.0, 0.0), (10.0, 1_080.0, 0.0), (11.0, 1_080.0, None)):
        site.t_s = t_s
        assert site.tick(pv(reads_w=0.0, p_w=p_w), open=True)["pv1"][0] == stands
        assert site.stands.looks.unsure.get("pv1") == stands
    assert site.tick(pv(reads_w=0.0, p_w=0.0))["pv1"] == (None, None), "nor is it one in the night"
    assert site.tick(pv(reads_w=4_000.0, p_w=0.0))["pv1"][0] == 4_000.0, "but another one may be"
    site.stands.by_der, site.stands.looks.unsure, site.told[:] = {}, {}, []
    for t_s, p_w, unsure in ((0.0, 9_000.0, 6_000.0), (3.0, 7_000.0, 6_000.0), (5.0, 6_000.0, None)):
        site.t_s = t_s
        assert site.tick(pv("pv2", reads_w=6_000.0, p_w=p_w), open=True)["pv2"][0] == 6_000.0
        assert site.stands.looks.unsure.get("pv2") == unsure
    assert site.told == [("limit_found", "pv2")]


def test_that_nothing_is_given_under_a_limit_of_nothing_may_be_the_night(site: Site) -> None:
    for t_s in (0.0, 3_600.0):
        site.t_s = t_s
        assert site.tick(pv(reads_w=0.0, p_w=0.0), pv("pv2", reads_w=0.0, p_w=None), open=True) == {
            "pv1": (0.0, None),
            "pv2": (0.0, None),
        }
        assert site.stands.looks.unsure == {"pv1": 0.0, "pv2": 0.0}
    assert site.stands.view("pv1") == {"limit_w": 0.0, "lifted": False}
    assert site.tick(pv(reads_w=0.0, p_w=900.0), open=True)["pv1"] == (None, None), "in the morning it gives power"
    assert site.stands.lift(None) == ["pv2"] and site.stands.looks.unsure == {}
    site.wrote("pv2")
    assert site.tick(pv("pv2", reads_w=0.0, p_w=0.0), open=True)["pv2"] == (None, 0.0)
    assert site.tick(pv("pv2", reads_w=0.0, p_w=0.0), open=True)["pv2"] == (None, 1_000.0)


@pytest.mark.parametrize(
    ("der", "profile"),
    [
        (pv(reads_w=0.0, p_w=0.0), BLIND),
        (pv(reads_w=None), Profile()),
        (pv(reads_w=3_000.0, fresh=False), Profile()),
        (make.battery("bat1", accepted=Setpoint(p_target_w=-500.0)), Profile()),
        (make.charger("pv1"), Profile()),
    ],
)
def test_a_read_back_that_is_worth_nothing_is_no_limit(tmp_path: Path, der: DerState, profile: Profile) -> None:
    site = Site(tmp_path, profile=profile)
    assert site.tick(der) == {der.id: (None, None)}
    assert site.told == []


def test_a_limit_that_comes_while_one_looks_gets_its_time_until_the_power_follows(site: Site) -> None:
    """A release, or another master: an inverter takes some seconds."""
    site.tick(pv(p_w=8_000.0))
    for t_s, expected in ((1.0, 2_000.0), (9.0, 2_000.0), (12.0, None)):
        site.t_s = t_s
        assert site.tick(pv(reads_w=2_000.0, p_w=6_000.0))["pv1"][0] == expected


def test_one_that_derctl_may_not_write_has_no_limit_to_keep(site: Site) -> None:
    site.stands.rules = {}
    assert site.tick(pv(reads_w=3_000.0)) == {"pv1": (None, None)}


def test_a_limit_that_was_found_counts_whatever_its_timer_made_of_it_since(site: Site) -> None:
    """Killed: model 123 went back to no limit, and what was found came back from the state file."""
    site.stands.revive({"pv1": {"limit_w": 6_000.0, "own_w": 4_000.0}})
    site.wrote("pv1")
    assert site.tick(pv(reads_w=FULL_W)) == {"pv1": (6_000.0, None)}
    assert site.tick(pv(reads_w=6_000.0), open=True) == {"pv1": (6_000.0, None)}


def test_a_lifted_limit_rises_on_the_ramp_and_stays_lifted(site: Site) -> None:
    site.tick(pv(reads_w=6_000.0))
    assert site.stands.lift("pv2") == [] and site.stands.lift("pv1") == ["pv1"]
    assert site.stands.lift(None) == [], "once"
    assert site.tick(pv(reads_w=6_000.0)) == {"pv1": (None, 6_000.0)}, "it still stands, and nobody has to keep it"
    site.wrote("pv1")
    rises = [site.tick(pv(reads_w=6_000.0), open=True)["pv1"][1] for _ in range(5)]
    assert rises == [7_000.0, 8_000.0, 9_000.0, None, None]
    assert [name for name, _ in site.told] == ["limit_found", "limit_lifted"]
    assert site.stands.view("pv1") == {"limit_w": 6_000.0, "lifted": True}
    assert site.stands.view("pv2") is None


def test_one_that_is_lifted_under_control_rises_from_there(site: Site) -> None:
    site.stands.revive({"pv1": {"limit_w": 6_000.0, "own_w": 6_000.0}})
    site.wrote("pv1")
    site.tick(pv(reads_w=6_000.0))
    site.tick(pv(reads_w=6_000.0), open=True)
    site.stands.lift(None)
    assert site.tick(pv(reads_w=6_000.0), open=True) == {"pv1": (None, 7_000.0)}


# -- derctl's own ---------------------------------------------------------------------------------------------------


def test_what_derctl_wrote_itself_is_nobody_s_limit_and_rises_on_the_ramp(site: Site) -> None:
    """A restart: the journal names it, the device holds 1.5 kW, and nobody asks for that any more."""
    site.wrote("pv1")
    assert site.tick(pv(reads_w=1_500.0, p_w=4_000.0)) == {"pv1": (None, 1_500.0)}, "its power is on the way down"
    assert site.tick(pv(reads_w=1_500.0), open=True) == {"pv1": (None, 2_500.0)}
    assert site.told == []


@pytest.mark.parametrize("left_w", [4_000.0, 5_000.0])
def test_what_a_release_left_is_not_found_again(site: Site, left_w: float) -> None:
    """The present limit, or the fallback."""
    site.wrote("pv1")
    site.tick(pv(reads_w=4_000.0))
    site.tick(pv(reads_w=4_000.0), open=True)
    site.released("pv1")
    assert site.tick(pv(reads_w=left_w)) == {"pv1": (None, left_w)}
    kept = site.stands.kept()
    again = Site(site.path)
    again.stands.revive(kept)
    assert again.tick(pv(reads_w=left_w)) == {"pv1": (None, left_w)}
    assert again.tick(pv(reads_w=2_000.0))["pv1"][0] == 2_000.0, "but another one is somebody else's"


def test_what_an_older_version_s_release_left_is_known_by_the_journal_of_what_stands(site: Site) -> None:
    site.stands.left.keep("pv1", stands_w=2_000.0)
    assert site.tick(pv(reads_w=2_000.0)) == {"pv1": (None, 2_000.0)}


@pytest.mark.parametrize("left_w", [0.0, 160.0])
def test_a_limit_of_nothing_that_a_release_left_is_not_waited_for_until_the_power_tells(
    site: Site, left_w: float
) -> None:
    """Its power never would: it is derctl's own, and rises."""
    site.stands.left.keep("pv1", stands_w=left_w)
    assert site.tick(pv(reads_w=left_w, p_w=0.0)) == {"pv1": (None, left_w)}
    assert site.stands.looks.unsure == {}
    assert site.tick(pv(reads_w=left_w, p_w=0.0), open=True) == {"pv1": (None, left_w + 1_000.0)}


def test_where_an_older_version_was_its_fallback_is_not_taken_for_somebody_s_limit(site: Site) -> None:
    site.stands.revive(None)
    assert site.tick(pv(reads_w=5_000.0)) == {"pv1": (None, 5_000.0)}
    assert site.tick(pv("pv2", reads_w=3_000.0))["pv2"][0] == 3_000.0


# -- limits of before a restart -------------------------------------------------------------------------------------


def waiting(site: Site, *requests: LimitRequest) -> Site:
    site.requests = requests
    site.stands.waiting = {each.id for each in requests}
    site.wrote("pv1", "pv2", "bat1")
    return site


def test_nobody_is_raised_before_an_operator_s_limit_stands_in_its_device_again(site: Site) -> None:
    waiting(site, limit(1_000.0))
    away = pv("pv1", reads_w=None, fresh=False)
    for open_ in (False, True, True, True):
        assert site.tick(away, pv("pv2", reads_w=2_000.0), open=open_)["pv2"] == (None, 2_000.0)
    reverted, other = pv("pv1", reads_w=FULL_W), pv("pv2", reads_w=2_000.0)
    assert site.tick(reverted, other, open=True)["pv2"] == (None, 2_000.0), "it answers, and does not hold it yet"
    assert site.tick(pv("pv1", reads_w=1_000.0), other, open=True)["pv2"] == (None, 3_000.0)
    assert site.tick(away, other, open=True)["pv2"] == (None, 4_000.0), "once is enough"


def test_a_limit_that_ends_or_is_dropped_meanwhile_holds_nobody_back(site: Site) -> None:
    waiting(site, limit(1_000.0))
    away, other = pv("pv1", reads_w=None, fresh=False), pv("pv2", reads_w=2_000.0)
    site.tick(away, other)
    site.requests = ()
    assert site.tick(away, other, open=True)["pv2"] == (None, 3_000.0)


def test_while_it_is_waited_for_one_that_went_down_is_not_raised_to_where_it_was(site: Site) -> None:
    waiting(site, limit(1_000.0))
    away = pv("pv1", reads_w=None, fresh=False)
    site.tick(away, pv("pv2", reads_w=4_000.0))
    site.tick(away, pv("pv2", reads_w=3_000.0), open=True)
    assert site.tick(away, pv("pv2", reads_w=3_000.0), open=True)["pv2"] == (None, 3_000.0)


@pytest.mark.parametrize(
    ("target_w", "p_w", "most_w"), [(2_000.0, 1_900.0, 2_000.0), (-2_000.0, -2_000.0, 0.0), (None, 700.0, 700.0)]
)
def test_a_store_gives_no_more_meanwhile_but_need_not_charge_on(
    site: Site, target_w: float | None, p_w: float, most_w: float
) -> None:
    waiting(site, limit(1_000.0))
    away = pv("pv1", reads_w=None, fresh=False)
    for open_ in (False, True):
        assert site.tick(away, bat(target_w, p_w), open=open_)["bat1"] == (None, most_w)
    site.stands.waiting = set()
    assert site.tick(away, bat(target_w, p_w), open=True)["bat1"] == (None, None)


def test_one_that_tells_no_limit_keeps_what_it_gave(tmp_path: Path) -> None:
    site = waiting(Site(tmp_path, profile=BLIND), limit(1_000.0))
    away = pv("pv1", reads_w=None, fresh=False)
    for p_w in (1_200.0, 900.0, 5_000.0):
        assert site.tick(away, pv("pv2", reads_w=None, p_w=p_w), open=True)["pv2"] == (None, 1_200.0)
    assert site.tick(away, bat(5_000.0, None), open=True)["bat1"] == (None, None), "nothing is known of it"


def test_a_battery_that_nobody_aims_at_goes_to_rest_from_what_it_gave_by_itself(site: Site) -> None:
    def rests(p_w: float | None, *, open: bool) -> float | None:
        (der,) = site.stands.tick(make.site(make.battery("bat1", p_w=p_w)), 1.0, open).ders
        return der.rest_w

    assert [rests(2_000.0, open=False), rests(-1_300.0, open=False)] == [2_000.0, -1_300.0]
    assert [rests(-1_300.0, open=True) for _ in range(4)] == [-800.0, -300.0, None, None]
    site.tick(pv(p_w=3_000.0))
    assert site.stands.by_der["pv1"].rest_w is None, "what takes a limit is free"


@pytest.mark.parametrize(
    ("request_", "ders", "stands"),
    [
        (limit(1_000.0), [(pv("pv1", 1_000.0), Profile())], True),
        (limit(1_000.0), [(pv("pv1", 1_200.0), Profile())], False),
        (limit(1_000.0), [(pv("pv1", None), Profile())], False),
        (limit(1_000.0), [(pv("pv1", 900.0, fresh=False), Profile())], False),
        (limit(1_000.0), [(pv("pv1", 900.0, p_w=5_000.0), Profile())], False),  # it gives more: no claim
        (limit(1_000.0), [(pv("pv1", 0.0), BLIND)], False),
        (limit(1_000.0), [(pv("pv1", 0.0, written=Setpoint(p_ceiling_w=990.0)), BLIND)], True),
        (limit(1_000.0), [(pv("pv2", FULL_W), Profile())], True),  # concerns none that is written
        # the whole site: what all hold, and what those give that can't be told
        (limit(3_000.0, None), [(pv("pv1", 1_000.0), Profile()), (pv("pv2", 2_000.0), Profile())], True),
        (limit(3_000.0, None), [(pv("pv1", 2_000.0), Profile()), (pv("pv2", 2_000.0), Profile())], False),
        (limit(3_000.0, None), [(pv("pv1", 2_500.0), Profile()), (bat(-2_000.0), Profile())], True),
        (limit(3_000.0, None), [(pv("pv1", 2_500.0), Profile()), (bat(900.0), Profile())], False),
        (
            limit(3_000.0, None),
            [(pv("pv1", 2_500.0), Profile()), (replace(pv("pv2", None), can=Capability()), Profile())],
            False,
        ),
        (
            limit(3_000.0, None),
            [(pv("pv1", 2_000.0), Profile()), (replace(pv("pv2", None), can=Capability()), Profile())],
            True,
        ),
    ],
)
def test_a_limit_stands_where_the_devices_that_it_concerns_say_so(
    request_: LimitRequest, ders: list[tuple[DerState, Profile]], stands: bool
) -> None:
    assert asserted(request_, ders) is stands


def test_a_limit_above_the_rating_reads_as_none() -> None:
    assert read_w(pv(reads_w=12_000.0), Profile()) == FULL_W


def test_what_is_kept_for_a_restart_is_only_what_says_something(site: Site) -> None:
    site.stands.by_der = {"pv1": Standing(rise_w=5.0), "pv2": Standing(limit_w=3.0, lifted=True, own_w=2.0)}
    assert site.stands.kept() == {"pv2": {"limit_w": 3.0, "lifted": True, "own_w": 2.0}}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, {}),
        (b"{", {}),
        (b"{}", {}),
        (b'{"found": null}', {}),
        (b'{"found": [1]}', {}),
        (b'{"found": {"pv1": 3}}', {}),
        (
            b'{"found": {"pv1": {"limit_w": 3000}, "pv2": {"limit_w": 1, "lifted": true}, "pv3": {"own_w": 2}}}',
            {"pv1": 3000.0},
        ),
    ],
)
def test_a_release_without_a_daemon_knows_what_was_found_by_the_state_file(
    tmp_path: Path, content: bytes | None, found: dict[str, float]
) -> None:
    if content is not None:
        (tmp_path / "state.json").write_bytes(content)
    assert found_before(Folder(tmp_path, tmp_path)) == found


def test_of_a_device_that_is_another_one_now_nothing_is_kept(site: Site) -> None:
    site.tick(pv(reads_w=6_000.0), pv("pv2", reads_w=0.0, p_w=0.0))
    site.stands.forget(["pv1", "pv2", "gone"])
    assert (site.stands.by_der, site.stands.looks.unsure) == ({}, {})
    assert site.tick(pv()) == {"pv1": (None, None)}


def test_a_limit_whose_lifting_could_not_be_saved_is_kept_again(site: Site) -> None:
    site.stands.by_der["pv1"] = Standing(limit_w=3000.0)
    assert site.stands.lift("pv1") == ["pv1"] and site.stands.found_w("pv1") is None
    site.stands.keep_again(["pv1", "gone"])
    assert site.stands.found_w("pv1") == 3000.0 and "gone" not in site.stands.by_der
