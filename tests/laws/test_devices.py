"""docs/devices.md is what the profiles say, and each of them says by what it was tested."""

import pytest
import yaml

from derctl.site import profiles
from tests.laws.test_workplace import ROOT
from tests.recorded import DUMPS
from tools.devices import page, proof_of

PERSONALITIES = yaml.safe_load((ROOT / "hil" / "faces" / "personalities.yaml").read_text(encoding="utf-8"))


def test_the_page_is_what_the_profiles_say() -> None:
    written = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m tools.devices"


@pytest.mark.parametrize("name", [*profiles()])
def test_a_profile_names_only_witnesses_that_there_are(name: str) -> None:
    about = profiles()[name].about
    assert not about.personality or about.personality in PERSONALITIES
    if DUMPS:
        assert {*about.dumps} <= {*DUMPS}


def test_a_profile_without_a_witness_says_so() -> None:
    bare = [each for each in profiles().values() if not each.about.dumps and not each.about.personality]
    assert {proof_of(each) for each in bare} == {"document only"}
    assert all(f"| tested with | {proof_of(each)} |" in page() for each in profiles().values())
