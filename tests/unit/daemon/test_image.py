"""What the tick sees of a device that was lost for a while, and of a battery whose registers stand still."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from derctl.core.exchange import Exchange, Read
from derctl.core.pack import Pack
from derctl.core.types import FOREVER_S, NOTHING, Capability, Fallback, Port, Rating, Reading, Setpoint
from derctl.core.words import Certainty, LimitsBy, Status, Timer
from derctl.daemon.absent import Absent
from derctl.daemon.channel.binding import REBIND_S, forgotten
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.image import Image
from derctl.daemon.known import Known, revived
from derctl.daemon.requests import Requests
from derctl.devices import Identity, Options, Reversion
from derctl.devices.nominal import Nominal
from derctl.devices.profile import Habits
from derctl.errors import DecodeError
from derctl.links.line import Pace
from derctl.site import DerSection
from derctl.site.schema import BmsSection, FallbackSection, RatingSection
from tests import make
from tests.wire import Alone

RATING = make.rating(p_max_w=8000.0, q=0.0)


class Inverter:
    """8 kW, held to its fallback by a timer of its own. `broken`: its registers make no sense."""

    def __init__(self, *, serial: str = "1", rating: Rating = RATING) -> None:
        self.identity = Identity(maker="M", serial=serial)
        self.rating = rating
        self.can = Capability(ac=Port(limit=True))
        self.control = {"ac": Read(address=1, count=1)}
        self.slow: dict[str, Read] = {}
        self.problems: tuple[str, ...] = ()
        self.lacks: tuple[str, ...] = ()
        self.reversion = Reversion(timer=Timer.TARGET, model=704)
        self.habits = Habits()
        self.nominal = Nominal()
        self.broken = False
        self.keeps = True
        self.reading = Reading(p_w=1000.0)

    def identify(self) -> Exchange[Identity]:
        yield Read(address=0, count=1)
        return self.identity

    def decode(self, answers: Any) -> Reading:
        if self.broken:
            raise DecodeError("model 0 where 103 was")
        return self.reading

    def absent_w(self, fallback: Fallback) -> float:
        return self.rating.p_max_w if fallback.p_ceiling_w is None or not self.keeps else fallback.p_ceiling_w


class Wire(Alone):
    """Answers every poll. found: what a walk over the map finds, None: nothing that makes sense. still: addresses
    whose registers stay as they are."""

    def __init__(self) -> None:
        self.found: Inverter | None = Inverter()
        self.pace = Pace()
        self.answer_s = 0.0
        self.count = 0
        self.frozen = False
        self.still: set[int] = set()

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        if self.found is None:
            raise DecodeError("no map there")
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            while True:
                exchange.send((0,))
        return stop.value.value

    def bind(self, options: Options) -> Exchange[Any]:
        yield Read(address=0, count=1)
        return self.found

    async def request(self, unit: int, read: Any, **_: Any) -> tuple[int, ...]:
        self.count += not self.frozen
        return (self.count if read.address not in self.still else 7,)


BENCH = SimpleNamespace(require_proof=False)


def absent_in(channel: Channel, section: DerSection | None = None, **given: Any) -> Absent:
    """A site with this one DER and no contract."""
    site: Any = SimpleNamespace(
        file=SimpleNamespace(ders=[section or SECTION], site=BENCH), limit_w=None, phase_limit_w=None
    )
    return Absent(site, {"pv1": channel}, **given)


def absent_of(channel: Channel) -> tuple[dict[str, float], tuple[str, ...]]:
    found = absent_in(channel).whole()
    return found.by_der, found.unknown


SECTION = DerSection(id="pv1", bus="b", unit=1, kind="sunspec_pv")
"""Without a rating and without a fallback."""


def channel_on(wire: Wire, now: list[float]) -> Channel:
    bus: Any = wire
    kind: Any = SimpleNamespace(bind=wire.bind)
    return Channel(id="pv1", bus=bus, unit=1, expected=Expected(kind=kind, options=Options()), clock=lambda: now[0])


async def lost() -> tuple[Channel, Wire, list[float]]:
    """A channel whose device was found, polled, and forgotten since its registers make no sense any more."""
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    assert channel.state == "ok" and wire.found is not None
    wire.found.broken = True
    await channel.poll()
    wire.found = None
    now[0] += REBIND_S
    await channel.poll()
    assert channel.device is None and channel.state == "unreachable"
    return channel, wire, now


async def test_a_der_that_was_forgotten_counts_as_what_it_was() -> None:
    channel, _, _ = await lost()
    assert absent_of(channel) == ({"pv1": 8000.0}, ())
    held = structs.replace(SECTION, fallback=FallbackSection(p_ceiling_w=2000.0))
    assert absent_in(channel, held).of("pv1").p_w == 2000.0
    assert absent_in(channel, structs.replace(held, control=False)).of("pv1").p_w == 8000.0


async def test_a_der_that_was_never_found_is_still_unknown() -> None:
    wire = Wire()
    wire.found = None
    channel = channel_on(wire, [1000.0])
    await channel.poll()
    assert absent_of(channel) == ({}, ("pv1",))


async def test_a_der_that_was_forgotten_has_its_rating_and_can_be_given_nothing() -> None:
    channel, _, now = await lost()
    state = image_of(channel).snapshot(now[0])
    (der,) = state.ders
    assert (der.rating, der.absent_w) == (RATING, 8000.0)
    assert (der.can, der.fresh, der.controllable) == (Capability(), False, False)


async def test_another_device_in_its_place_counts_at_the_higher_rating_of_both_and_is_given_nothing() -> None:
    channel, wire, now = await lost()
    wire.found = Inverter(serial="2", rating=replace(RATING, p_max_w=20_000.0))
    now[0] += REBIND_S
    await channel.poll()
    assert channel.bond.binding.reason == "identity_changed"
    assert absent_of(channel) == ({"pv1": 20_000.0}, ())
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (der.rating.p_max_w, der.absent_w, der.controllable) == (20_000.0, 20_000.0, False)
    wire.found = None
    now[0] += REBIND_S
    await channel.poll()
    assert absent_of(channel) == ({"pv1": 20_000.0}, ()), "nor when that one falls silent"


async def found_once() -> Known:
    """What is remembered of an inverter of serial 1 that was found, held to its fallback by its timer."""
    wire, now, known = Wire(), [1000.0], Known()
    channel = channel_on(wire, now)
    await channel.poll()
    absent_in(channel, HELD, known=known).whole()
    return Known(revived(known.plain())[0])


HELD = structs.replace(SECTION, fallback=FallbackSection(p_ceiling_w=2000.0))


@pytest.mark.parametrize(
    ("section", "counts_w"),
    [
        (HELD, 2000.0),
        (structs.replace(HELD, serial=" 1 "), 2000.0),
        (structs.replace(HELD, serial="7", rating=RatingSection(p_max_w=9000.0)), 9000.0),  # never found
        (structs.replace(HELD, serial="7"), 2000.0),  # nor rated: the installer's word
        (structs.replace(HELD, fallback=FallbackSection(p_ceiling_w=500.0)), 500.0),
        (structs.replace(HELD, fallback=FallbackSection(p_ceiling_w=500.0, by="stands")), 500.0),
        (SECTION, 8000.0),  # no fallback is declared
        (structs.replace(HELD, control=False), 8000.0),
    ],
)
async def test_one_that_sleeps_at_the_start_counts_with_what_it_promised_before(
    section: DerSection, counts_w: float
) -> None:
    known = await found_once()
    asleep = channel_on(Wire(), [1000.0])
    absent = absent_in(asleep, section, known=known)
    assert absent.of("pv1").p_w == counts_w
    (der,) = image_of(asleep, section, known=known).snapshot(1000.0).ders
    assert (der.absent_w, der.fresh, der.controllable) == (counts_w, False, False)
    assert der.rating.p_max_w == (RATING.p_max_w if section.serial != "7" else section.rating.p_max_w or 0.0)


@pytest.mark.parametrize(
    ("p_w", "counts_w"),
    [(None, 2000.0), (0.0, 2000.0), (79.0, 2000.0), (4000.0, 8000.0)],  # 1 % of 8 kW
)
async def test_one_that_hides_its_control_model_at_night_is_the_one_that_it_was_by_day(
    p_w: float | None, counts_w: float
) -> None:
    """SMA drops models at night. By day one that can only be read counts at its rating."""
    known = await found_once()
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.can, wire.found.keeps, wire.found.reading = Capability(), False, Reading(p_w=p_w)
    channel = channel_on(wire, now)
    await channel.poll()
    assert absent_in(channel, HELD, known=known).of("pv1").p_w == counts_w
    assert known.of["pv1"].writable is (counts_w == 2000.0), "what it was by day is not forgotten in the dark"


async def test_another_device_that_answered_before_a_restart_is_not_the_right_one_after_it() -> None:
    known = await found_once()
    wire, now = Wire(), [1000.0]
    wire.found = Inverter(serial="2", rating=replace(RATING, p_max_w=20_000.0))
    channel = channel_on(wire, now)
    channel.finder.expected = replace(channel.expected, serial="1")
    section = structs.replace(HELD, serial="1")
    saved: list[bool] = []
    await channel.poll()
    assert absent_in(channel, section, known=known, changed=lambda: saved.append(True)).of("pv1").p_w == 20_000.0
    assert saved == [True]
    after = Known(revived(known.plain())[0])
    silent = channel_on(Wire(), now)
    assert absent_in(silent, section, known=after).of("pv1").p_w == 20_000.0
    await silent.poll()  # serial 1 answers again
    assert absent_in(silent, section, known=after).of("pv1").p_w == 2000.0
    assert after.of["pv1"].stranger_w is None


def test_a_record_that_cannot_be_read_is_named_and_its_der_was_never_found() -> None:
    good, refused = revived({"pv1": {"serial": 3}, "pv2": "much"})
    assert good == {} and set(refused) == {"pv1", "pv2"}


async def test_one_that_takes_no_ceiling_is_remembered_with_its_full_rating() -> None:
    wire, now, known = Wire(), [1000.0], Known()
    assert wire.found is not None
    wire.found.keeps = False
    channel = channel_on(wire, now)
    await channel.poll()
    absent_in(channel, HELD, known=known).whole()
    assert (
        known.of["pv1"].keeps == () and absent_in(channel_on(Wire(), now), HELD, known=known).of("pv1").p_w == 8000.0
    )


def image_of(
    channel: Channel, section: DerSection = SECTION, *, bms: Channel | None = None, known: Known | None = None
) -> Image:
    """Of a site of one DER and a tick of 1 s."""
    site: Any = SimpleNamespace(
        site=SimpleNamespace(id="demo", tick_s=1.0, f_nom_hz=50.0, v_nom_v=230.0), ders=[section], poc=None
    )
    of_bms = {} if bms is None else {"pv1": bms}
    absent = absent_in(channel, section, known=known or Known())
    return Image(site, absent, {"pv1": channel}, of_bms, None, Requests())


# -- who may be given setpoints -------------------------------------------------------------------------------------


async def test_only_a_der_that_the_site_file_lets_be_controlled_counts_as_controllable() -> None:
    """One that is not counts with what it is measured to give, and nothing is planned with it."""
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    for control in (True, False):
        (der,) = image_of(channel, structs.replace(SECTION, control=control)).snapshot(now[0]).ders
        assert (der.fresh, der.controllable) == (True, control)


async def test_one_that_takes_nothing_or_whose_reading_is_old_is_not_controllable() -> None:
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    for later_s, fresh in ((3.0, True), (3.1, False)):
        (der,) = image_of(channel).snapshot(now[0] + later_s).ders
        assert (der.fresh, der.controllable) == (fresh, fresh), "three ticks"
    assert wire.found is not None
    wire.found.can = Capability()
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (der.fresh, der.controllable) == (True, False)


async def test_one_whose_registers_stand_still_is_neither_fresh_nor_controllable() -> None:
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    wire.frozen = True
    while channel.state == "ok":
        now[0] += 1.0
        await channel.poll()
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (channel.state, der.age_s, der.fresh, der.controllable) == ("frozen", 0.0, False, False)


async def test_one_that_is_just_being_found_anew_is_not_fresh_however_young_its_reading_is() -> None:
    """A tick may come while its map is walked."""
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    channel.bond.binding = forgotten(channel.bond.binding)
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (channel.state, der.age_s, der.fresh, der.controllable) == ("ok", 0.0, False, False)


# -- how old a reading may be ---------------------------------------------------------------------------------------


async def young_for(image: Image, now: list[float], most_s: int = 60) -> int:
    """The whole seconds for which the DER stays fresh without another answer."""
    began = now[0]
    for later_s in range(most_s):
        if not image.snapshot(began + later_s).ders[0].fresh:
            return later_s - 1
    raise AssertionError("for ever")


@pytest.mark.parametrize(
    ("min_interval_s", "answer_s", "blocks", "young_s"),
    [(0.0, 0.0, 2, 3), (0.0, 0.3, 3, 3), (1.0, 0.05, 2, 13), (1.0, 0.0, 3, 13), (0.5, 0.0, 4, 8), (0.0, 1.4, 2, 14)],
)
async def test_a_reading_counts_for_three_polls_of_its_bus(
    min_interval_s: float, answer_s: float, blocks: int, young_s: int
) -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.control = {str(n): Read(address=n, count=1) for n in range(blocks)}
    wire.pace, wire.answer_s = Pace(min_interval_s=min_interval_s), answer_s
    channel = channel_on(wire, now)
    await channel.poll()
    assert await young_for(image_of(channel), now) == young_s


async def test_units_on_one_bus_and_slow_blocks_take_their_time_and_a_silent_one_its_deadline() -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.pace = Pace(min_interval_s=1.0)
    inverter, bms = channel_on(wire, now), channel_on(wire, now)
    await inverter.poll()
    await bms.poll()
    image = image_of(inverter, bms=bms)
    wire.found.can = Capability()
    assert await young_for(image, now) == 6
    wire.found.slow = {"soc": Read(address=9, count=1)}
    assert await young_for(image, now) == 12, "both have one"
    silent = channel_on(wire, now)
    assert await young_for(image_of(inverter, bms=silent), now) == 3 * (2 + 1) + 1, "what is not found is asked once"


async def test_a_silence_on_a_wire_without_numbers_costs_the_time_that_it_is_only_listened_to() -> None:
    """One answer that is 1.6 s late there cost the device its control for a tick or two."""
    wire, now = Wire(), [1000.0]
    wire.pace = Pace(drain_s=1.0)
    channel = channel_on(wire, now)
    await channel.poll()
    assert await young_for(image_of(channel), now) == 5


async def test_no_bus_is_slow_enough_for_an_old_reading_to_count_and_a_meter_counts_for_less() -> None:
    wire, now = Wire(), [1000.0]
    wire.pace, wire.answer_s = Pace(min_interval_s=10.0), 60.0
    channel = channel_on(wire, now)
    await channel.poll()
    image = image_of(channel)
    assert await young_for(image, now) == 30
    image.poc = channel
    assert image.stale_s(channel) == 15.0


# -- a BMS whose registers stand still ------------------------------------------------------------------------------


async def called_frozen_after(dc_p_w: float, limit_w: float, *, within_s: int) -> int | None:
    """Seconds, at a poll each second, from the last change of the registers of a BMS; None: not within that time."""
    wire, now = Wire(), [1000.0]
    wire.found = Inverter(rating=NO_RATING)
    wire.found.reading = Reading(dc_p_w=dc_p_w, p_charge_limit_w=limit_w, p_discharge_limit_w=limit_w, soc_pct=50.0)
    channel = channel_on(wire, now)
    await channel.poll()
    wire.frozen = True
    for second in range(1, within_s):
        now[0] += 1.0
        await channel.poll()
        if channel.state == "frozen":
            return second
    assert channel.state == "ok"
    return None


NO_RATING = replace(RATING, p_max_w=0.0, s_max_va=0.0)


@pytest.mark.parametrize("dc_p_w", [-5000.0, 5000.0, -50_000.0])
async def test_a_bms_that_stands_still_under_power_is_frozen_when_a_silent_one_would_stop_the_battery(
    dc_p_w: float,
) -> None:
    """A silent BMS stops the battery after 30 s (bms_guard)."""
    assert await called_frozen_after(dc_p_w, 50_000.0, within_s=120) == 31


async def test_a_bms_whose_counters_move_slowly_gets_their_time() -> None:
    """At 1 kW a count of 10 Wh takes 36 s."""
    assert await called_frozen_after(1000.0, 5000.0, within_s=200) == 109


@pytest.mark.parametrize(
    ("dc_p_w", "limit_w"), [(0.0, 5000.0), (-99.0, 5000.0), (90.0, 5000.0), (60.0, 50_000.0), (40.0, 0.0)]
)
async def test_an_idle_battery_and_one_that_feeds_itself_may_stand_still(dc_p_w: float, limit_w: float) -> None:
    assert await called_frozen_after(dc_p_w, limit_w, within_s=7200) is None


async def test_the_limits_of_a_frozen_bms_are_old_from_that_moment() -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    inverter, bms = channel_on(wire, now), channel_on(wire, now)
    await inverter.poll()
    wire.found.reading = Reading(dc_p_w=-5000.0, soc_pct=50.0)
    await bms.poll()
    image = image_of(inverter, bms=bms)
    assert image.snapshot(now[0]).ders[0].bms_age_s == 0.0
    wire.frozen = True
    for _ in range(32):
        now[0] += 1.0
        await bms.poll()
    der = image.snapshot(now[0]).ders[0]
    assert der.bms_age_s is not None and der.bms_age_s > 1e6
    assert der.reading.soc_pct is None


@pytest.mark.parametrize(
    ("ac_w", "told", "sun", "stands"),
    [
        (3000.0, Reading(dc_p_w=0.0, p_charge_limit_w=2000.0), False, True),  # it claims that it rests
        (-3000.0, Reading(pack=Pack(battery_v=51.2), p_charge_limit_w=2000.0), False, True),
        (100.0, Reading(dc_p_w=0.0, p_charge_limit_w=2000.0), False, False),
        (3000.0, Reading(dc_p_w=0.0, p_charge_limit_w=2000.0), True, False),  # the sun may give all of it
        (3000.0, Reading(p_charge_limit_w=2000.0), False, False),  # nothing of it has to move
    ],
)
async def test_a_bms_that_stands_still_while_its_inverter_moves_power_is_silent_until_it_changes(
    ac_w: float, told: Reading, sun: bool, stands: bool
) -> None:
    """Frozen at rest its own claim of 0 W is no contradiction; and a battery that rests for that proves nothing."""
    wire, other, now = Wire(), Wire(), [1000.0]
    assert wire.found is not None and other.found is not None
    wire.found.reading, other.found.reading = Reading(p_w=ac_w), told
    wire.found.can = Capability(ac=Port(aim=True), battery=Port(), pv=Port() if sun else None)
    inverter, bms = channel_on(wire, now), channel_on(other, now)
    await inverter.poll()
    await bms.poll()
    image = image_of(inverter, bms=bms)
    other.frozen = True
    ages = []
    for _ in range(60):
        now[0] += 1.0
        await inverter.poll()
        await bms.poll()
        ages.append(image.snapshot(now[0]).ders[0].bms_age_s)
    assert bms.state != "frozen" and ages[:28] == [0.0] * 28
    assert (ages[-1] == FOREVER_S) is stands
    wire.found.reading = Reading(p_w=0.0)
    await inverter.poll()
    assert (image.snapshot(now[0]).ders[0].bms_age_s == FOREVER_S) is stands, "at rest it is not believed again"
    other.frozen = False
    await bms.poll()
    assert image.snapshot(now[0]).ders[0].bms_age_s == 0.0


async def test_a_silent_bms_is_as_old_as_its_last_answer_however_much_flows() -> None:
    wire, other, now = Wire(), Wire(), [1000.0]
    assert wire.found is not None and other.found is not None
    wire.found.reading, other.found.reading = Reading(p_w=3000.0), Reading(dc_p_w=3000.0)
    inverter, bms = channel_on(wire, now), channel_on(other, now)
    await bms.poll()
    image = image_of(inverter, bms=bms)
    for _ in range(60):
        now[0] += 1.0
        await inverter.poll()
    assert image.snapshot(now[0]).ders[0].bms_age_s == 60.0


async def test_the_state_of_charge_of_a_bms_that_fell_silent_is_soon_unknown_and_its_limits_stand() -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.reading = Reading(soc_pct=50.0, p_charge_limit_w=2000.0)
    inverter, bms = channel_on(wire, now), channel_on(wire, now)
    await bms.poll()
    wire.found.reading = Reading(p_w=100.0)
    for later_s, soc_pct in ((30.0, 50.0), (30.1, None)):
        now[0] = 1000.0 + later_s
        await inverter.poll()
        der = image_of(inverter, bms=bms).snapshot(now[0]).ders[0]
        assert der.bms_age_s == pytest.approx(later_s) and der.reading.soc_pct == soc_pct
        assert (der.reading.p_w, der.reading.p_charge_limit_w) == (100.0, 2000.0)


async def test_limits_in_the_own_chain_are_as_old_as_the_poll_and_for_ever_where_the_block_is_refused() -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.control["bms"] = Read(address=2, count=1)
    wire.found.reading = Reading(p_w=0.0, p_charge_limit_w=2000.0, limits_by=LimitsBy.CHAIN)
    channel = channel_on(wire, now)
    await channel.poll()
    assert image_of(channel).snapshot(now[0] + 1.5).ders[0].bms_age_s == 1.5
    channel.answers.words = {"ac": (1,)}
    age_s = image_of(channel).snapshot(now[0]).ders[0].bms_age_s
    assert age_s is not None and age_s > 1e6


@pytest.mark.parametrize(("dc_p_w", "p_w", "stands"), [(-5000.0, 0.0, True), (None, 5000.0, True), (0.0, 0.0, False)])
async def test_limits_in_the_own_chain_that_stand_still_under_power_are_old_as_those_of_any_bms(
    dc_p_w: float | None, p_w: float, stands: bool
) -> None:
    """The inverter's registers go on; the battery's are those that its inverter heard of it last."""
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.control["bms"] = Read(address=2, count=1)
    wire.found.reading = Reading(p_w=p_w, dc_p_w=dc_p_w, p_charge_limit_w=2000.0, limits_by=LimitsBy.CHAIN)
    wire.still.add(2)
    channel = channel_on(wire, now)
    ages = []
    for _ in range(40):
        now[0] += 1.0
        await channel.poll()
        ages.append(image_of(channel).snapshot(now[0]).ders[0].bms_age_s)
    assert channel.state == "ok"
    assert ages[:29] == [0.0] * 29
    assert (ages[-1] == 1e9) is stands


@pytest.mark.parametrize(("bms", "rests"), [(None, False), (BmsSection(bus="lan", unit=1), True)])
async def test_a_battery_whose_own_chain_was_named_and_has_none_has_never_been_heard(
    bms: BmsSection | None, rests: bool
) -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.reading = Reading(p_w=0.0, limits_by=LimitsBy.NOBODY)
    channel = channel_on(wire, now)
    await channel.poll()
    age_s = image_of(channel, structs.replace(SECTION, bms=bms)).snapshot(now[0]).ders[0].bms_age_s
    assert (age_s is not None) is rests


@pytest.mark.parametrize(("told", "by"), [(LimitsBy.BMS, "bms"), (LimitsBy.NOBODY, "nobody"), (None, "bms")])
async def test_a_bms_of_its_own_reads_the_limits_unless_it_states_none(told: LimitsBy | None, by: str) -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    inverter, bms = channel_on(wire, now), channel_on(wire, now)
    wire.found.reading = Reading(p_w=0.0, limits_by=LimitsBy.NOBODY)
    await inverter.poll()
    bms.measured.reading = Reading(limits_by=told, alarms=("fan_error",))
    reading = image_of(inverter, bms=bms).snapshot(now[0]).ders[0].reading
    assert (reading.limits_by, reading.alarms) == (by, ("fan_error",))


async def test_what_a_der_gives_without_derctl_is_worked_out_when_another_is_found_and_not_each_tick() -> None:
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    absent = absent_in(channel)
    unknown = absent.whole()
    assert unknown.unknown == ("pv1",)
    await channel.poll()
    found = absent.whole()
    assert found.by_der == {"pv1": 8000.0}
    await channel.poll()
    assert absent.whole() is found


async def test_what_was_refused_in_a_ders_place_is_what_stands_against_control() -> None:
    channel, wire, now = await lost()
    timed = structs.replace(
        SECTION, fallback=FallbackSection(p_ceiling_w=2000.0), rating=RatingSection(p_max_w=8000.0)
    )
    absent = absent_in(channel, timed)
    absent.whole()
    wire.found = Inverter(serial="2")
    now[0] += REBIND_S
    await channel.poll()
    why = "serial '2' answers, '1' is expected"
    assert absent.of("pv1").refused == why
    assert f"pv1: another device answers in its place ({why}), so it may give 8,000 W" in str(absent.of("pv1").why)
    wire.found = Inverter()
    now[0] += REBIND_S
    await channel.poll()
    assert absent.of("pv1").refused == "" and absent.of("pv1").certainty is Certainty.FOUND


async def test_a_der_that_is_found_in_part_promises_what_it_was_known_to_promise() -> None:
    """The daemon is started again while its inverter is busy at the header of its control model."""
    channel, wire, now = await lost()
    held = structs.replace(SECTION, fallback=FallbackSection(p_ceiling_w=2000.0))
    absent = absent_in(channel, held)
    assert absent.of("pv1").p_w == 2000.0
    wire.found = half = Inverter()
    half.can, half.lacks = Capability(), ("a control group that limits its power",)
    half.absent_w = lambda fallback: half.rating.p_max_w
    now[0] += REBIND_S
    await channel.poll()
    assert absent.of("pv1").p_w == 2000.0, "the record is not overwritten, and counts"
    assert absent_in(channel, held).of("pv1").p_w == 8000.0, "without one it is not known to keep anything"


# -- the meter, and who else knows or follows it --------------------------------------------------------------------


async def test_another_meter_s_power_is_there_while_it_is_heard_and_who_follows_is_named() -> None:
    wire, other, now = Wire(), Wire(), [1000.0]
    meter, witness = channel_on(wire, now), channel_on(other, now)
    await meter.poll()
    site: Any = SimpleNamespace(
        site=SimpleNamespace(id="demo", tick_s=1.0, f_nom_hz=50.0, v_nom_v=230.0),
        ders=[],
        poc=SimpleNamespace(followers=["wallbox"]),
    )
    absent = absent_in(meter, SECTION, known=Known())
    image = Image(site, absent, {}, {}, meter, Requests(), witness=witness)
    poc = image.snapshot(now[0]).poc
    assert poc is not None
    assert (poc.witness_w, poc.followers) == (None, ("wallbox",))
    await witness.poll()
    poc = image.snapshot(now[0]).poc
    assert poc is not None
    assert poc.witness_w == witness.measured.reading.p_w is not None
    poc = image.snapshot(now[0] + 60.0).poc
    assert poc is not None
    assert poc.witness_w is None


async def updated(told: Setpoint, accepted: Setpoint | None) -> tuple[Image, Known, Wire, list[bool]]:
    """An inverter whose firmware was 1 and is 2 now, of which nobody knows yet. told: by derctl, before."""
    known, wire, saved = await found_once(), Wire(), list[bool]()
    assert wire.found is not None
    known.of["pv1"] = replace(known.of["pv1"], identity=Identity(firmware="1"), newer="2")
    wire.found.reading = Reading(p_w=700.0, status=Status.ON, accepted=accepted)
    channel = channel_on(wire, [1000.0])
    await channel.poll()
    image = image_of(channel, HELD, known=known)
    image.holds = lambda name: told
    image.absent.changed = lambda: saved.append(True)
    known.of["pv1"] = replace(known.of["pv1"], identity=Identity(firmware="1"), newer="2", stood_w=None)
    return image, known, wire, saved


@pytest.mark.parametrize(
    ("told", "accepted", "stood_w"),
    [
        (Setpoint(p_ceiling_w=3000.0), Setpoint(p_ceiling_w=8000.0), 3000.0),  # it restarted and forgot its limit
        (NOTHING, Setpoint(p_ceiling_w=2000.0), 2000.0),
        (Setpoint(p_ceiling_w=3000.0), None, 3000.0),  # it can't be read back
        (NOTHING, None, 700.0),  # nothing tells a limit: what it gives
        (NOTHING, Setpoint(p_ceiling_w=8000.0), 8000.0),  # no limit stood
    ],
)
async def test_what_stood_when_new_firmware_was_seen_is_the_most_until_a_word_and_is_saved(
    told: Setpoint, accepted: Setpoint | None, stood_w: float
) -> None:
    image, known, wire, saved = await updated(told, accepted)
    (der,) = image.snapshot(1000.0).ders
    assert der.reverify_w == stood_w
    assert (known.of["pv1"].stood_w, saved[-1]) == (stood_w, True)
    assert wire.found is not None
    wire.found.reading = Reading(p_w=10.0, accepted=Setpoint(p_ceiling_w=10.0), status=Status.ON)
    await image.channels["pv1"].poll()
    image.holds = lambda name: Setpoint(p_ceiling_w=10.0)
    (der,) = image.snapshot(1000.0).ders
    assert der.reverify_w == stood_w, "what is lowered since comes back"
    known.acknowledge(None)
    (der,) = image.snapshot(1000.0).ders
    assert (der.reverify_w, known.of["pv1"].stood_w) == (None, None)


async def test_of_one_that_is_not_heard_now_nothing_is_settled() -> None:
    image, known, _, _ = await updated(Setpoint(p_ceiling_w=3000.0), Setpoint(p_ceiling_w=3000.0))
    (der,) = image.snapshot(2000.0).ders
    assert (der.fresh, der.reverify_w) == (False, 3000.0)
    assert known.of["pv1"].stood_w is None


async def test_a_der_that_nobody_tried_is_steered_and_makes_no_step_for_the_meter() -> None:
    wire, now = Wire(), [1000.0]
    assert wire.found is not None
    wire.found.habits = Habits(unverified="its firmware")
    channel = channel_on(wire, now)
    await channel.poll()
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (der.controllable, der.unverified, der.can.volatile) == (True, True, False)
    wire.found.habits = Habits()
    (der,) = image_of(channel).snapshot(now[0]).ders
    assert (der.unverified, der.can.volatile) == (False, True)


async def test_the_least_that_keeps_a_der_awake_is_what_was_learned_of_it_where_that_is_more() -> None:
    """What an inverter was seen to stand by under is asked of it no more: so nobody counts with less either."""
    wire, now = Wire(), [1000.0]
    channel = channel_on(wire, now)
    await channel.poll()
    image = image_of(channel)
    for can_w, learned_w, least_w in ((80.0, 0.0, 80.0), (80.0, 600.0, 600.0), (700.0, 600.0, 700.0)):
        assert wire.found is not None
        wire.found.can = replace(wire.found.can, least_w=can_w)
        image.awake_w = {"pv1": learned_w}.__getitem__
        (der,) = image.snapshot(now[0]).ders
        assert der.can.least_w == least_w
