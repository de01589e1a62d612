"""Devices found by the register maps that ship."""

from __future__ import annotations

from typing import Any

from derctl.devices import CATALOGUE, Options
from derctl.site import profiles
from tests.fake import Fake

MAPS = {name: each for name, each in profiles().items() if each.map is not None}


def found(name: str, fake: Fake, **options: Any) -> Any:
    """The device, as the daemon finds it."""
    made = MAPS[name].map
    assert made is not None
    device = fake.run(CATALOGUE[made.kind].bind(Options(profile=MAPS[name], **options)))
    fake.ops.clear()
    return device
