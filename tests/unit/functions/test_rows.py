"""The list of functions: who may be written in a site file, and what fits a grid whatever its frequency is."""

import pytest

from derctl.functions import ROWS
from tests.catalogue import made


def test_who_comes_with_another_is_not_written_in_a_site_file() -> None:
    assert {kind for kind, row in ROWS.items() if not row.in_site_file} == {
        "operator_site_limit",
        "containment",
        "grid_target",
        "probe",
    }


@pytest.mark.parametrize("f_nom_hz", [50.0, 60.0])
def test_what_names_no_frequency_fits_every_grid(f_nom_hz: float) -> None:
    assert made("reserve").misfit(f_nom_hz) is None
