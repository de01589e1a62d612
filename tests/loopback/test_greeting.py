"""The look at a broker before the start: whether it takes us, and that nothing of ours is left there."""

from __future__ import annotations

from typing import Any

from derctl.core.words import Greeted
from derctl.links.broker import Broker
from derctl.links.greeting import greet


def at(port: int) -> Broker:
    return Broker(host="127.0.0.1", port=port, base="derctl/default/house", will=b"gone", username="a", password="b")


async def test_a_broker_that_takes_us_hears_neither_a_will_nor_a_message(mosquitto: Any) -> None:
    assert (await greet(at(mosquitto.port))).word is Greeted.TAKEN
    assert "derctl-default-house-check" in mosquitto.log
    assert "PUBLISH" not in mosquitto.log and "SUBSCRIBE" not in mosquitto.log and "Will message" not in mosquitto.log


async def test_a_broker_that_wants_another_password_refuses_and_one_that_is_gone_is_away(make_mosquitto: Any) -> None:
    closed = make_mosquitto("allow_anonymous false")
    assert (await greet(at(closed.port))).word is Greeted.REFUSED
    closed.stop()
    assert (await greet(at(closed.port))).word is Greeted.AWAY
