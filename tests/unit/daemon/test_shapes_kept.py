"""A shape that another site file does not let be has ended once that file is taken over."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import yaml

from derctl.core.requests import FunctionRequest
from derctl.daemon.app import App, takers
from derctl.daemon.commands.rights import read
from derctl.site import Site
from tests.intruders import SITE

DROOP = FunctionRequest(
    id="d", by="ops", der=None, remaining_s=600.0, function="freq_droop", settings={"k_of": 0.03, "db_of_hz": 0.2}
)


def site(folder: Path, droop: dict[str, Any] | None) -> Site:
    """The intruders' site, with this droop or none."""
    file: Any = copy.deepcopy(SITE)
    file["site"] |= {"state_dir": str(folder / "state"), "socket": str(folder / "sock")}
    rest = [each for each in file["functions"] if each["kind"] != "freq_droop"]
    file["functions"] = rest if droop is None else [*rest, droop]
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(file))
    return read(path)


def test_a_shape_outlives_a_site_file_that_lets_it_be_and_no_other(tmp_path: Path) -> None:
    app = App(site(tmp_path, {"kind": "freq_droop"}))
    app.requests.put(DROOP)
    takers(app)(app.control.site)
    assert [each.id for each in app.requests.alive()] == ["d"]
    desk = app.calls.desk
    other = site(tmp_path, {"kind": "freq_droop", "of_stop_hz": 50.3, "db_of_hz": 0.5})
    desk.reach = dataclasses.replace(desk.reach, plan=other.plan)
    takers(app)(other)
    assert app.requests.alive() == (), "its dead band of 0.2 Hz ends below the stop threshold"
