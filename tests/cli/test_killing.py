"""What a killed daemon's DER did is its own work only where nobody came between."""

from __future__ import annotations

from derctl.cli.killing import not_alone
from derctl.commission.trial import Finding
from derctl.core.words import Proven, Unplugged


def test_a_proof_that_a_release_came_between_is_none() -> None:
    seen = Finding(verdict=Proven.PROVEN, text="it went to a limit of 2,000 W", lapsed_s=7.0, went_w=2000.0)
    found = not_alone(seen, "derctl's release has given back meanwhile what was written")
    assert found.verdict is Proven.UNCONFIRMED and found.how is Unplugged.KILLED
    assert found.lapsed_s is None and found.went_w is None, "what others did is no measurement of the device"
    assert "it went to a limit of 2,000 W" in found.text and "Stop the service" in found.text
