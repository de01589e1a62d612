"""What a DER does without derctl (interfaces.md, table of `by`), and how it is given back."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Write
from derctl.core.types import Fallback, Setpoint
from derctl.core.words import FallbackBy
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.errors import DeviceRefused
from tests.fake import bound, lay_out

FULL = 5000.0


@pytest.mark.parametrize(
    ("name", "by", "ceiling_w", "absent_w"),
    [
        ("pv_7xx", "reversion", 2000.0, 2000.0),  # 704 has a timer and a target
        ("pv_7xx", "reversion", None, FULL),
        ("pv_7xx", "stands", 2000.0, 2000.0),
        ("pv_7xx", "device", 2000.0, 2000.0),
        ("pv_103", "reversion", 2000.0, FULL),  # 123's timer has no target
        ("pv_103", "reversion", None, FULL),
        ("pv_103", "stands", 2000.0, 2000.0),
        ("pv_103", "device", 2000.0, 2000.0),
        ("storage_7xx", "reversion", 0.0, 0.0),
        ("storage_7xx", "reversion", None, FULL),
        ("storage_124", "reversion", 0.0, FULL),  # 124's timer gives the storage back to its own mode
        ("storage_124", "stands", 0.0, 0.0),
        ("storage_7xx", "device", 1000.0, 1000.0),
    ],
)
def test_the_most_it_gives_without_derctl_is_what_the_device_makes_true(
    name: str, by: str, ceiling_w: float | None, absent_w: Any
) -> None:
    device = bound(lay_out(name), bind_storage if name.startswith("storage") else bind_pv)
    assert device.absent_w(Fallback(p_ceiling_w=ceiling_w, by=FallbackBy(by))) == absent_w


@pytest.mark.parametrize("why", ["not implemented", "counts but nothing reverts"])
@pytest.mark.parametrize("name", ["pv_7xx", "storage_7xx", "storage_124"])
def test_a_timer_that_reverts_nothing_proves_nothing(name: str, why: str) -> None:
    """OutBack implements no RvrtTms; FranklinWH's counts down and nothing follows (PyPI franklinwh-modbus)."""
    fake = lay_out(name)
    profile = {"timer_rearm": "none"} if why != "not implemented" else {}
    if why == "not implemented":
        if name == "storage_124":
            fake.put(124, InOutWRte_RvrtTms=None)
        else:
            fake.put(704, WMaxLimPctRvrtTms=None, WSetRvrtTms=None)
    device = bound(fake, bind_storage if name.startswith("storage") else bind_pv, **profile)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == device.rating.p_max_w
    assert any("reversion" in problem for problem in device.problems)
    assert device.absent_w(Fallback(p_ceiling_w=500.0, by=FallbackBy.STANDS)) == 500.0


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx", "storage_124"])
def test_a_timer_that_any_message_starts_again_is_told_and_still_counts_for_a_derctl_that_is_gone(name: str) -> None:
    """Fronius (Datamanager Modbus manual)."""
    bind = bind_storage if name == "storage_124" else bind_pv
    device = bound(lay_out(name), bind, timer_rearm="any_message")
    assert any("every Modbus message" in problem for problem in device.problems)
    plain = bound(lay_out(name), bind)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == plain.absent_w(Fallback(p_ceiling_w=0.0))
    assert not any("message" in problem for problem in plain.problems)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("pv_7xx", {"WMaxLimPctRvrt": None}),
        ("pv_7xx", {"WMaxLimPctEnaRvrt": None}),
        ("storage_7xx", {"WSetRvrt": None}),
        ("storage_7xx", {"WSetEnaRvrt": None}),
        ("storage_7xx", {"WSet": None, "WSetPctRvrt": None}),
    ],
)
def test_a_timer_without_its_target_proves_nothing(name: str, points: Any) -> None:
    fake = lay_out(name)
    fake.put(704, **points)
    device = bound(fake, bind_storage if name.startswith("storage") else bind_pv)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == device.rating.p_max_w
    assert any("reversion" in problem for problem in device.problems)


@pytest.mark.parametrize("points", [{"WSetPctRvrt": None}, {"WSet": None, "WSetRvrt": None}])
def test_the_target_in_the_unit_that_is_not_used_is_not_needed(points: Any) -> None:
    fake = lay_out("storage_7xx")
    fake.put(704, **points)
    assert bound(fake, bind_storage).absent_w(Fallback(p_ceiling_w=0.0)) == 0.0


def test_a_device_that_is_only_read_gives_its_rating_unless_a_limit_is_kept_in_it() -> None:
    device = bound(lay_out("pv_103", m123=None), bind_pv)
    assert not device.can.limit
    assert any("only read" in problem for problem in device.problems)
    assert device.absent_w(Fallback(p_ceiling_w=100.0)) == FULL
    assert device.absent_w(Fallback(p_ceiling_w=100.0, by=FallbackBy.STANDS)) == FULL
    assert device.absent_w(Fallback(p_ceiling_w=100.0, by=FallbackBy.DEVICE)) == 100.0


def written(fake: Any, device: Any, fallback: Any, **setpoint: Any) -> None:
    fake.run(device.write(Setpoint(**setpoint), fallback, fake.poll(device)))
    fake.ops.clear()


RELEASED = [  # present W, fallback W, lift, what stands in W (None: no limit)
    (1000.0, 2000.0, False, 1000.0),
    (3000.0, 2000.0, False, 2000.0),
    (1000.0, 2000.0, True, 2000.0),
    (1000.0, None, False, 1000.0),
    (1000.0, None, True, None),
    (5000.0, None, False, None),
    (5000.0, 6000.0, False, None),
    (0.0, 2000.0, False, 0.0),
]


@pytest.mark.parametrize(("present", "ceiling", "lift", "stands"), RELEASED)
def test_a_released_limit_of_123_stands_at_the_lower_without_a_timer(
    present: Any, ceiling: Any, lift: Any, stands: Any
) -> None:
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    fallback = Fallback(p_ceiling_w=ceiling)
    written(fake, device, fallback, p_ceiling_w=present)
    accepted = fake.run(device.release(fallback, lift=lift))
    assert accepted.p_ceiling_w == (FULL if stands is None else stands)
    assert fake.get(123, "WMaxLim_Ena") == (0 if stands is None else 1)
    assert fake.get(123, "WMaxLimPct_RvrtTms") == 0
    if stands is None:
        assert fake.get(123, "WMaxLimPct") == 100.0  # Kostal keeps it over a restart


@pytest.mark.parametrize(("present", "ceiling", "lift", "stands"), RELEASED)
def test_a_released_limit_of_704_stands_at_the_lower_without_a_timer(
    present: Any, ceiling: Any, lift: Any, stands: Any
) -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    fallback = Fallback(p_ceiling_w=ceiling)
    written(fake, device, fallback, p_ceiling_w=present)
    accepted = fake.run(device.release(fallback, lift=lift))
    assert accepted.p_ceiling_w == (FULL if stands is None else stands)
    assert (fake.get(704, "WMaxLimPctEna"), fake.get(704, "WMaxLimPctRvrtTms")) == (0 if stands is None else 1, 0)
    offsets = [op.address - fake.places[704] for op in fake.writes]
    assert offsets[-2:] == [15, 14]  # the enable last


def test_release_never_passes_through_more_power_than_before() -> None:
    """Stopping never relaxes a limit, not even between two writes."""
    for name, control, share in (("pv_103", 123, "WMaxLimPct"), ("pv_7xx", 704, "WMaxLimPct")):
        fake = lay_out(name)
        device = bound(fake, bind_pv)
        written(fake, device, Fallback(p_ceiling_w=2000.0), p_ceiling_w=1000.0)
        start, seen = fake.places[control], list[Any]()
        enable = "WMaxLim_Ena" if control == 123 else "WMaxLimPctEna"

        def store(
            address: Any,
            value: Any,
            fake: Any = fake,
            seen: Any = seen,
            control: Any = control,
            enable: Any = enable,
            share: Any = share,
        ) -> None:
            fake.registers[address] = value
            seen.append((fake.get(control, enable), fake.get(control, share)))

        fake.store = store
        fake.run(device.release(Fallback(p_ceiling_w=2000.0), lift=False))
        assert seen, start
        assert {(1, 20.0)} == {*seen}


def test_a_released_setpoint_of_704_is_given_back_or_rests() -> None:
    for ceiling, enabled, accepted_w in ((None, 0, None), (0.0, 1, 0.0)):
        fake = lay_out("storage_7xx")
        device = bound(fake, bind_storage)
        fallback = Fallback(p_ceiling_w=ceiling)
        written(fake, device, fallback, p_target_w=-2000.0, q_var=300.0)
        accepted = fake.run(device.release(fallback, lift=False))
        assert (fake.get(704, "WSetEna"), fake.get(704, "VarSetEna")) == (enabled, 0)
        assert (accepted.p_target_w, accepted.q_var) == (accepted_w, None)
        if enabled:
            assert fake.get(704, "WSetRvrtTms") == 0


def test_a_released_setpoint_of_124_is_given_back_or_rests() -> None:
    for ceiling, mode, accepted_w in ((None, 0, None), (0.0, 3, 0.0)):
        fake = lay_out("storage_124")
        device = bound(fake, bind_storage)
        fallback = Fallback(p_ceiling_w=ceiling)
        written(fake, device, fallback, p_target_w=-2000.0, q_var=300.0)
        accepted = fake.run(device.release(fallback, lift=False))
        assert (fake.get(124, "StorCtl_Mod"), fake.get(123, "VArPct_Ena")) == (mode, 0)
        assert (accepted.p_target_w, accepted.q_var) == (accepted_w, None)
        assert fake.get(124, "InOutWRte_RvrtTms") == (60 if mode == 0 else 0)


def test_var_is_given_back_before_the_limit_is_touched() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    written(fake, device, Fallback(), p_ceiling_w=1000.0, q_var=300.0)
    fake.run(device.release(Fallback(p_ceiling_w=800.0), lift=False))
    assert [op.address - fake.places[704] for op in fake.writes] == [35, 15, 14]


def test_release_reads_what_stands_now_before_it_writes() -> None:
    """Somebody may have lowered the limit since: the lower one stands."""
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    written(fake, device, Fallback(p_ceiling_w=2000.0), p_ceiling_w=3000.0)
    fake.put(704, WMaxLimPct_SF=-1, WMaxLimPct=12.0)
    assert fake.run(device.release(Fallback(p_ceiling_w=2000.0), lift=False)).p_ceiling_w == 600.0


def test_a_release_that_is_refused_says_so() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    fake.refuse = lambda op: 4 if hasattr(op, "values") else None
    with pytest.raises(DeviceRefused, match="exception 4"):
        fake.run(device.release(Fallback(), lift=False))


def write_only(fake: Any, model_id: Any, *points: Any) -> None:
    """These points take writes and always read as not implemented (SMA's model 123: technical information)."""
    fake.put(model_id, **dict.fromkeys(points))
    fake.store = lambda address, value: None


UNREAD = [  # fallback W, by, what derctl wrote last, lift, what is written: (percent, enabled), or None for nothing
    (None, "reversion", None, False, None),
    (None, "stands", None, False, None),
    (2000.0, "stands", None, False, None),
    (2000.0, "device", None, False, None),
    (2000.0, "reversion", None, False, (40.0, 1)),  # the timer would let go altogether
    (0.0, "reversion", None, False, (0.0, 1)),
    (FULL, "reversion", None, False, None),  # the timer does as much
    (None, "reversion", 1000.0, False, (20.0, 1)),
    (2000.0, "reversion", 1000.0, False, (20.0, 1)),
    (2000.0, "stands", 1000.0, False, (20.0, 1)),
    (2000.0, "stands", 3000.0, False, (40.0, 1)),
    (2000.0, "device", 0.0, False, (0.0, 1)),
    (None, "stands", FULL, False, (100.0, 0)),
    (None, "stands", None, True, (100.0, 0)),
    (None, "reversion", 1000.0, True, (100.0, 0)),
    (2000.0, "stands", 1000.0, True, (40.0, 1)),
    (2000.0, "device", None, True, (40.0, 1)),
]


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
@pytest.mark.parametrize(("ceiling", "by", "held", "lift", "expected"), UNREAD)
def test_a_limit_that_cannot_be_read_back_is_never_relaxed_by_a_guess(
    name: str, ceiling: Any, by: Any, held: Any, lift: Any, expected: Any
) -> None:
    fake = lay_out(name)
    device = bound(fake, bind_pv, readback="effect_only")
    if name == "pv_103":
        write_only(fake, 123, "WMaxLimPct", "WMaxLim_Ena")
    else:
        write_only(fake, 704, "WMaxLimPct", "WMaxLimPctEna")
    start, share, enable = (fake.places[123], 5, 9) if name == "pv_103" else (fake.places[704], 15, 14)
    accepted = fake.run(
        device.release(Fallback(p_ceiling_w=ceiling, by=FallbackBy(by)), lift=lift, held=Setpoint(p_ceiling_w=held))
    )
    if expected is None:
        assert (accepted.p_ceiling_w, fake.writes) == (held, []), "what was written last stands, as far as is known"
        return
    assert accepted.p_ceiling_w == expected[0] / 100.0 * FULL
    sent = {op.address - start + i: value for op in fake.writes for i, value in enumerate(op.values)}
    assert (sent[share] / 10.0, sent[enable]) == expected
    timers = (7,) if name == "pv_103" else (18, 19)
    assert [sent[offset] for offset in timers] == [0] * len(timers)


@pytest.mark.parametrize("name", ["pv_103", "pv_7xx"])
@pytest.mark.parametrize(
    ("fallback", "held", "written"),
    [
        (Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS), None, None),
        (Fallback(p_ceiling_w=2000.0, by=FallbackBy.REVERSION), None, 40.0),
        (Fallback(by=FallbackBy.REVERSION), None, None),
        (Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS), 1000.0, 20.0),
        (Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS), 3000.0, 40.0),
    ],
)
def test_a_limit_that_the_power_contradicts_is_not_written_for_good(
    name: str, fallback: Fallback, held: float | None, written: float | None
) -> None:
    """An SMA's 123 reads 0 % and enabled while it gives 1,080 W: 0 W is not what stands."""
    model_id, limit, enable = (
        (123, "WMaxLimPct", "WMaxLim_Ena") if name == "pv_103" else (704, "WMaxLimPct", "WMaxLimPctEna")
    )
    changes: dict[str, Any] = {f"m{model_id}": {limit: 0, enable: 1}}
    if name == "pv_7xx" and fallback.by is FallbackBy.REVERSION:
        written = None  # its timer has a target, and brings the fallback by itself
    fake = lay_out(name, **changes)
    device = bound(fake, bind_pv)
    assert fake.reading(device).accepted.p_ceiling_w == 0.0
    left = fake.run(device.release(fallback, lift=False, held=Setpoint(p_ceiling_w=held), believed=False))
    assert (left.p_ceiling_w, len(fake.writes) > 0) == (
        (None, False) if written is None else (written / 100.0 * FULL, True)
    )
    assert fake.get(model_id, limit) == (0.0 if written is None else written)


def test_what_is_read_back_counts_and_not_what_was_written() -> None:
    """Somebody lowered it since: 1000 W stand, not the 3000 W that derctl wrote."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    written(fake, device, Fallback(), p_ceiling_w=1000.0)
    held = Setpoint(p_ceiling_w=3000.0)
    assert fake.run(device.release(Fallback(), lift=False, held=held)).p_ceiling_w == 1000.0


@pytest.mark.parametrize(("name", "offset"), [("pv_103", 22), ("pv_7xx", 35), ("storage_124", 22)])
def test_var_that_cannot_be_read_back_is_given_back_where_derctl_wrote_it(name: str, offset: int) -> None:
    fake = lay_out(name)
    model_id, enable = ENABLE_VAR[name]
    device = bound(fake, bind_storage if name == "storage_124" else bind_pv, readback="effect_only")
    write_only(fake, model_id, enable)
    start = fake.places[model_id]
    fake.run(device.release(Fallback(by=FallbackBy.STANDS), lift=False))
    assert start + offset not in {op.address for op in fake.writes}
    fake.run(device.release(Fallback(by=FallbackBy.STANDS), lift=False, held=Setpoint(q_var=0.0)))
    assert [op.values for op in fake.writes if op.address == start + offset] == [(0,)]


ENABLE_VAR = {"pv_103": (123, "VArPct_Ena"), "pv_7xx": (704, "VarSetEna"), "storage_7xx": (704, "VarSetEna")}
ENABLE_VAR |= {"storage_124": (123, "VArPct_Ena")}


@pytest.mark.parametrize("name", ENABLE_VAR)
def test_power_is_released_although_the_device_refuses_to_take_var_back(name: str) -> None:
    """Exception 3 on VArPct_Ena left StorCtl_Mod at 3 and the battery at 75 %."""
    fake = lay_out(name)
    storage = name.startswith("storage")
    device = bound(fake, bind_storage if storage else bind_pv)
    written(fake, device, Fallback(), q_var=300.0, **{"p_target_w" if storage else "p_ceiling_w": 3000.0})
    model_id, point = ENABLE_VAR[name]
    place = fake.places[model_id] + device.controls.groups.var.view.model.fixed[point].offset
    fake.refuse = lambda op: 3 if isinstance(op, Write) and op.address == place else None
    with pytest.raises(DeviceRefused, match="exception 3") as caught:
        fake.run(device.release(Fallback(), lift=True))
    assert caught.value.address == place
    power = {"pv_103": (123, "WMaxLim_Ena"), "pv_7xx": (704, "WMaxLimPctEna"), "storage_7xx": (704, "WSetEna")}
    assert fake.get(*power.get(name, (124, "StorCtl_Mod"))) == 0
    assert fake.get(model_id, point) == 1


def test_of_two_refusals_the_first_is_told() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    written(fake, device, Fallback(), p_ceiling_w=1000.0, q_var=300.0)
    codes = {fake.places[704] + 35: 3, fake.places[704] + 15: 6}
    fake.refuse = lambda op: codes.get(op.address) if isinstance(op, Write) else None
    with pytest.raises(DeviceRefused) as caught:
        fake.run(device.release(Fallback(), lift=True))
    assert caught.value.code == 3
    assert {op.address for op in fake.writes} == {*codes}


def test_releasing_what_can_only_be_read_writes_nothing() -> None:
    fake = lay_out("pv_103", m123=None)
    device = bound(fake, bind_pv)
    fake.run(device.release(Fallback(p_ceiling_w=100.0), lift=True))
    assert fake.writes == []
