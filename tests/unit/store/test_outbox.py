"""The outbox: bounded, in order, and the newest of what may be lost."""

from __future__ import annotations

import asyncio

from derctl.store.outbox import EVENTS_MAX, LANE_BYTES_MAX, LATEST_BYTES_MAX, Message, Outbox


def event(n: int) -> Message:
    return Message(topic="event", payload=b"%d" % n, qos=1)


def measured(n: int, topic: str = "der/pv1/measurement") -> Message:
    return Message(topic=topic, payload=b"%d" % n)


async def drain(outbox: Outbox) -> list[bytes]:
    found = []
    while outbox.ordered or outbox.latest:
        message = await outbox.peek()
        found.append(message.payload)
        outbox.sent(message)
    return found


async def test_events_leave_in_the_order_they_came_and_what_is_measured_now_waits_for_one_of_them() -> None:
    outbox = Outbox()
    for n in range(5):
        outbox.put(measured(100 + n))
        outbox.put(measured(200 + n, "poc"))
        outbox.put(event(n))
    assert await drain(outbox) == [b"0", b"104", b"204", b"1", b"2", b"3", b"4"]
    assert (outbox.published, outbox.dropped) == (7, 0)


async def test_what_is_measured_all_the_time_does_not_keep_an_event_from_leaving() -> None:
    outbox, seen = Outbox(), []
    for n in range(4):
        outbox.put(event(n))
    for n in range(12):
        outbox.put(measured(n, ("poc", "der/pv1/measurement")[n % 2]))
        message = await outbox.peek()
        seen.append(message.topic)
        outbox.sent(message)
    assert seen.count("event") == 4 and {*seen} == {"event", "poc", "der/pv1/measurement"}


async def test_a_message_stays_until_it_is_sent() -> None:
    outbox = Outbox()
    outbox.put(event(1))
    assert await outbox.peek() is await outbox.peek()
    assert len(outbox.ordered) == 1


async def test_beyond_the_bound_the_oldest_events_go_and_are_counted() -> None:
    outbox = Outbox()
    for n in range(EVENTS_MAX + 7):
        outbox.put(event(n))
    assert (len(outbox.ordered), outbox.dropped) == (EVENTS_MAX, 7)
    assert (await drain(outbox))[0] == b"7"


async def test_an_event_that_is_dropped_while_it_is_being_sent_takes_no_other_with_it() -> None:
    outbox = Outbox()
    for n in range(EVENTS_MAX):
        outbox.put(event(n))
    sending = await outbox.peek()
    outbox.put(event(EVENTS_MAX))
    outbox.sent(sending)
    assert [int(payload) for payload in await drain(outbox)] == list(range(1, EVENTS_MAX + 1))


async def test_a_newer_measurement_that_comes_while_the_older_is_sent_is_not_forgotten() -> None:
    outbox = Outbox()
    outbox.put(measured(1))
    sending = await outbox.peek()
    outbox.put(measured(2))
    outbox.sent(sending)
    assert await drain(outbox) == [b"2"]


async def test_a_topic_that_is_renewed_all_the_time_does_not_starve_the_others() -> None:
    outbox = Outbox()
    outbox.put(measured(0, "der/pv1/measurement"))
    outbox.put(measured(1, "der/pv2/measurement"))
    seen = []
    for n in range(2, 6):
        message = await outbox.peek()
        seen.append(message.topic)
        outbox.put(measured(n, "der/pv1/measurement"))
        outbox.sent(message)
    assert "der/pv2/measurement" in seen[:2]


async def test_who_waits_is_woken_by_the_next_message() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.peek())
    await asyncio.sleep(1.0)
    assert not waiting.done()
    outbox.put(event(1))
    assert (await waiting).payload == b"1"


async def test_what_a_broker_does_not_take_is_left_out_and_counted() -> None:
    outbox = Outbox()
    outbox.put(measured(1))
    outbox.put(event(1))
    outbox.left_out(await outbox.peek())
    outbox.left_out(await outbox.peek())
    assert (outbox.published, outbox.dropped, len(outbox.ordered), len(outbox.latest)) == (0, 2, 0, 0)


async def test_at_the_end_it_is_waited_for_until_all_is_sent_and_no_longer_than_said() -> None:
    outbox, began = Outbox(), asyncio.get_running_loop().time()
    outbox.put(event(1))
    outbox.put(measured(2))
    await outbox.emptied(0.05)
    assert asyncio.get_running_loop().time() - began >= 0.049, "a broker that stands still"
    waiting = asyncio.create_task(outbox.emptied(60.0))
    await asyncio.sleep(0)
    await drain(outbox)
    await waiting
    await outbox.emptied(60.0)
    assert asyncio.get_running_loop().time() - began < 30.0


def answered(n: int, size: int = 1) -> Message:
    return Message(topic="reply/ops", payload=b"%d" % n + b" " * size, qos=1)


async def test_replies_and_events_do_not_push_each_other_out() -> None:
    outbox = Outbox()
    outbox.put(answered(1))
    outbox.put(event(1))
    for n in range(2 * EVENTS_MAX):
        outbox.put(event(n))
    for n in range(2 * EVENTS_MAX):
        outbox.put(Message(topic="notice/ops", payload=b"%d" % n, qos=1))
    lanes = [message.lane for message in outbox.ordered]
    assert (lanes.count("reply"), lanes.count("event"), lanes.count("notice")) == (1, EVENTS_MAX, EVENTS_MAX)
    assert (await drain(outbox))[0] == b"1 "


async def test_what_waits_is_bounded_in_bytes_and_the_newest_stays() -> None:
    outbox = Outbox()
    for n in range(100):
        outbox.put(answered(n, 100_000))
        outbox.put(measured(n, f"der/{n}/" + "x" * 100_000))
    assert sum(message.size for message in outbox.ordered) <= LANE_BYTES_MAX
    assert sum(message.size for message in outbox.latest.values()) <= LATEST_BYTES_MAX
    assert outbox.ordered[-1].payload.startswith(b"99 ")
    assert outbox.dropped == 200 - len(outbox.ordered) - len(outbox.latest)
    await drain(outbox)
    for n in range(EVENTS_MAX):
        outbox.put(answered(n))
    assert len(outbox.ordered) == EVENTS_MAX, "what was sent counts no more"


async def test_one_message_above_the_bound_is_left_out_and_harms_no_other_lane() -> None:
    outbox = Outbox()
    outbox.put(event(1))
    outbox.put(answered(1, LANE_BYTES_MAX))
    assert (await drain(outbox), outbox.dropped) == ([b"1"], 1)


async def test_what_is_put_where_no_broker_is_to_come_is_not_kept() -> None:
    outbox = Outbox(shut=True)
    outbox.put(event(1))
    outbox.put(measured(2))
    outbox.shut = False
    outbox.put(event(3))
    assert await drain(outbox) == [b"3"] and outbox.dropped == 0


async def test_who_delivers_hears_whether_the_broker_has_it() -> None:
    outbox = Outbox()
    for end, taken in ((outbox.sent, True), (outbox.left_out, False)):
        message = Message(topic="interval", payload=b"{}", qos=1)
        delivering = asyncio.create_task(outbox.deliver(message))
        end(await outbox.peek())
        assert await delivering is taken
