"""What a release has to touch, what it need not, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Fallback
from derctl.core.words import Record, Released, Seen
from derctl.daemon.actuate.inventory import Inventory
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.standing import Standing
from derctl.store.folder import Folder
from derctl.store.journal import Journal

EMPTY, SILENT = Standing(seen=Seen.READ_BACK), Standing()
LOW, OLD = Standing(p_ceiling_w=2000.0, seen=Seen.READ_BACK), Standing(p_ceiling_w=2000.0, seen=Seen.OLD)
SENT = Standing(p_ceiling_w=2000.0, seen=Seen.AS_WRITTEN)


class Site:
    """Its DERs hold what the test says. one: what of pv1 is written down."""

    def __init__(
        self, path: Path, one: Record = Record.NOTHING, *, control: bool = True, fallback_w: float | None = None,
        **stands: Standing,
    ) -> None:  # fmt: skip
        self.records = Records(Journal(Folder(path, path)), lambda: "", lambda *event: None)
        if one is Record.WRITTEN:
            self.records.note("pv1", Fallback())
        elif one is Record.LEFT:
            self.records.leave("pv1", 2000.0, None)
        elif one is Record.MISSING:
            self.records.left.unknown(["pv1"])
        writers: dict[str, Any] = {
            name: self._writer(each, control, Fallback(p_ceiling_w=fallback_w)) for name, each in stands.items()
        }
        self.inventory = Inventory(self.records, lambda: writers)

    @staticmethod
    def _writer(stands: Standing, control: bool, promise: Fallback) -> Any:
        return SimpleNamespace(
            control=control,
            promised=SimpleNamespace(told=promise),
            standing=lambda record: replace(stands, record=record),
        )


@pytest.mark.parametrize(
    ("record", "stands", "lifted"),
    [
        (Record.WRITTEN, LOW, False),
        (Record.NOTHING, EMPTY, False),
        (Record.NOTHING, LOW, True),
        (Record.NOTHING, SILENT, False),
        (Record.LEFT, EMPTY, False),
        (Record.LEFT, SILENT, True),
        (Record.LEFT, OLD, True),
        (Record.MISSING, SILENT, True),
        (Record.MISSING, EMPTY, False),
    ],
)
def test_a_lift_reaches_what_holds_something_back_or_may(
    tmp_path: Path, record: Record, stands: Standing, lifted: bool
) -> None:
    assert Site(tmp_path, record, pv1=stands).inventory.to_lift() == (["pv1"] if lifted else [])


@pytest.mark.parametrize(("record", "lifted"), [(Record.NOTHING, False), (Record.LEFT, True)])
def test_what_derctl_may_not_write_is_lifted_only_where_it_wrote_before(
    tmp_path: Path, record: Record, lifted: bool
) -> None:
    assert Site(tmp_path, record, control=False, pv1=LOW).inventory.to_lift() == (["pv1"] if lifted else [])


@pytest.mark.parametrize(
    ("stands", "fallback_w", "control", "given_back"),
    [
        (EMPTY, None, True, True),
        (LOW, None, True, False),
        (LOW, 2000.0, True, True),
        (SENT, 2000.0, True, True),
        (OLD, 2000.0, True, False),
        (SILENT, None, True, False),
        (SILENT, None, False, True),
    ],
)
def test_what_is_given_back_is_read_or_known_to_be_its_fallback(
    tmp_path: Path, stands: Standing, fallback_w: float | None, control: bool, given_back: bool
) -> None:
    site = Site(tmp_path, control=control, fallback_w=fallback_w, pv1=stands)
    assert site.inventory.given_back("pv1") is given_back


def test_what_was_written_and_is_not_in_the_file_is_not_lost_sight_of(tmp_path: Path) -> None:
    site = Site(tmp_path, Record.WRITTEN, pv1=LOW)
    site.records.note("sold", Fallback())
    assert (site.inventory.wrote(), site.inventory.elsewhere()) == (["pv1"], ["sold"])
    assert site.inventory.beside({"pv1": Release(Released.RELEASED)})["sold"].result is Released.NOT_IN_FILE


def test_of_the_others_it_says_what_was_left_and_what_stands_without_a_record(tmp_path: Path) -> None:
    site = Site(tmp_path, Record.LEFT, pv1=LOW, pv2=LOW, pv3=EMPTY)
    said = site.inventory.beside({})
    assert {name: (each.result, each.stands_w) for name, each in said.items()} == {
        "pv1": (Released.RELEASED, 2000.0),
        "pv2": (Released.NOT_WRITTEN, 2000.0),
    }


@pytest.mark.parametrize(("stands", "empty"), [(EMPTY, {"pv1"}), (LOW, set()), (SILENT, set()), (OLD, set())])
def test_what_was_left_is_gone_only_where_the_device_says_so(
    tmp_path: Path, stands: Standing, empty: set[str]
) -> None:
    assert Site(tmp_path, Record.LEFT, pv1=stands).inventory.empty() == empty
