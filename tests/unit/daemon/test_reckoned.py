"""What takes time is reckoned with the profile that a device chose, once it is found."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from derctl.core.words import ProfileBy
from derctl.daemon.reckoned import Reckoned
from derctl.devices import Profile
from derctl.devices.profile import Habits

Found = dict[str, str]


def channel(name: str, profile: str | None, by: ProfileBy = ProfileBy.IDENTITY) -> Any:
    habits = None if profile is None else Habits(profile=Profile(name=profile), by=by)
    return SimpleNamespace(id=name, device=None if habits is None else SimpleNamespace(habits=habits))


class House:
    def __init__(self) -> None:
        self.asked: list[Found] = []
        self.site: Any = SimpleNamespace(reckoned=self._reckoned)
        self.reckoned = Reckoned()

    def _reckoned(self, found: Found) -> str:
        self.asked.append(dict(found))
        return f"plan {len(self.asked)}"

    def look(self, *channels: Any) -> Any:
        plant: Any = SimpleNamespace(channels=channels)
        return self.reckoned.look(self.site, plant)


def test_a_device_that_is_found_has_the_plan_reckoned_once() -> None:
    house = House()
    assert house.look(channel("pv1", None)) is None
    assert house.look(channel("pv1", "fronius")) == "plan 1"
    assert house.look(channel("pv1", "fronius")) is None
    assert house.asked == [{"pv1": "fronius"}]


def test_one_that_is_silent_is_still_the_one_that_it_was() -> None:
    house = House()
    house.look(channel("pv1", "fronius"), channel("poc", None))
    assert house.look(channel("pv1", None), channel("poc", None)) is None
    assert house.look(channel("pv1", None), channel("poc", "wattsonic")) == "plan 2"
    assert house.asked[-1] == {"pv1": "fronius", "poc": "wattsonic"}


def test_what_the_site_file_names_or_nobody_knows_is_reckoned_with_already() -> None:
    house = House()
    named, unknown = channel("pv1", "kaco", ProfileBy.SITE_FILE), channel("pv2", "generic", ProfileBy.NOBODY)
    assert house.look(named, unknown) is None
