"""What a timeline can do, by name: one function each. Every fault name is an action too."""

import json
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hil import certificates
from hil.children import write_clock
from hil.eyes import ask, usurp
from hil.faults import NAMES
from hil.flood import Flood
from hil.world import Knob

if TYPE_CHECKING:
    from hil.runner import Run

Action = Callable[..., Awaitable[None]]


async def note(run: "Run", **_: Any) -> None:
    """Nothing but its `says`."""


async def source_v_pu(run: "Run", *, to: float | None = None, over_s: float = 0.0, points: Any = None) -> None:
    """The voltage behind the source impedance; `points` [[s from now, pu], ...]."""
    _turn(run, run.rig.world.source_v_pu, to, over_s, points)


async def f_hz(run: "Run", *, to: float | None = None, over_s: float = 0.0, points: Any = None) -> None:
    """The frequency, where no swing model makes it."""
    knob = run.rig.world.f_hz
    if knob is None:
        raise ValueError("f_hz: the swing model decides; use loss_w")
    _turn(run, knob, to, over_s, points)


async def loss_w(run: "Run", *, to: float, over_s: float = 0.0) -> None:
    """Generation lost (+) in the swing model."""
    _turn(run, run.rig.world.loss_w, to, over_s, None)


async def load_w(run: "Run", *, load: str, to: float | None = None, over_s: float = 0.0, points: Any = None) -> None:
    """What a load draws."""
    _turn(run, run.rig.world.load_w[load], to, over_s, points)


async def irradiance(run: "Run", *, der: str | None = None, to: float | None = None, over_s: float = 0.0,
                     points: Any = None) -> None:  # fmt: skip
    """The sun on one DER or all; replaces the profile from now on."""
    world = run.rig.world
    for id in [der] if der is not None else list(world.forced):
        forced = world.forced[id]
        if forced.irradiance is None:
            forced.irradiance = Knob(world.suns[id].at(world.state.t_s))
        _turn(run, forced.irradiance, to, over_s, points)


async def trip(run: "Run", *, der: str, for_s: float = 0.5) -> None:
    """The inverter's protection trips; afterwards it enters service again."""
    forced = run.rig.world.forced[der]
    forced.trip = True

    def release() -> None:
        forced.trip = False

    run.later(for_s, release)


async def restart(run: "Run", *, on: str, for_s: float = 10.0, connection: str = "broken") -> None:
    """The device restarts: it is away for for_s and has forgotten what it was told. `connection` kept: behind a
    gateway, whose socket lives; only the device is silent."""
    number = await run.faults.start("refuse" if connection == "broken" else "blackhole", on)
    unit, endpoint = run.rig.units[on], run.rig.endpoint_of(on)

    async def back() -> None:
        unit.restart(endpoint.now_s)
        await run.faults.stop(number)

    run.later(for_s, lambda: run.spawn(back()))


async def exchange(run: "Run", *, on: str, other: str) -> None:
    """Two devices answer at each other's places from now on; open sockets are reset."""
    here, there = run.rig.endpoint_of(on), run.rig.endpoint_of(other)
    mine, theirs = run.rig.units[on].unit_id, run.rig.units[other].unit_id
    here.units[mine], there.units[theirs] = there.units[theirs], here.units[mine]
    for endpoint in (here, there):
        for connection in list(endpoint.open):
            connection.end("rst")


async def flaps(run: "Run", *, on: str, up_s: float = 4.0, down_s: float = 4.0, for_s: float | None = None,
                connection: str = "broken") -> None:  # fmt: skip
    """The device comes and goes, and forgets nothing meanwhile: heard for up_s, away for down_s. `connection` as for
    `restart`."""
    until_s = None if for_s is None else run.rig.now_s + for_s

    async def loop() -> None:
        while until_s is None or run.rig.now_s < until_s:
            number = await run.faults.start("refuse" if connection == "broken" else "blackhole", on)
            await run.pause(down_s)
            await run.faults.stop(number)
            await run.pause(up_s)

    run.spawn(loop())


async def shows(run: "Run", *, on: str, certificate: str) -> None:
    """The device's server is started again, and shows that certificate from now on. `on`: behind TLS."""
    await run.rig.endpoint_of(on).shows(certificates.server(run.rig.papers, certificate))


async def battery(run: "Run", *, der: str, **changes: Any) -> None:
    """Force charge_limit_a, discharge_limit_a, temperature_c, soc_pct, open_contactor, cell_spread_v on a battery."""
    forced = run.rig.world.forced[der]
    forced.battery = replace(forced.battery, **changes)


async def clear_faults(run: "Run", *, on: str | None = None, name: str | None = None) -> None:
    """End faults: all, or those on a device, or of one name."""
    await run.faults.clear(on, name)


async def controller(run: "Run", *, to: str) -> None:
    """kill (SIGKILL), stop (SIGTERM), start, sigstop, sigcont, hup. Time stands still until a start is done."""
    if run.child is None:
        raise ValueError("no controller in this scenario")
    if to == "start":
        await run.answering()
        return
    run.child.send(_signal(to))


async def kill_loop(
    run: "Run", *, times: int, every_s: tuple[float, float] = (2.0, 6.0), pause_s: float = 0.5
) -> None:
    """SIGKILL at random moments, `times` over, starting the controller again after pause_s each time."""

    async def loop() -> None:
        for _ in range(times):
            await run.pause(run.rig.random.uniform(*every_s))
            await controller(run, to="kill")
            await run.pause(pause_s)
            await controller(run, to="start")

    run.spawn(loop())


async def broker(run: "Run", *, to: str) -> None:
    """stop, kill, start, sigstop, sigcont."""
    if run.broker is None:
        raise ValueError("no broker in this scenario: mqtt: true")
    if to == "start":
        await run.broker.start()
        return
    run.broker.send(_signal(to))


def _signal(to: str) -> signal.Signals:
    known = {"kill": signal.SIGKILL, "stop": signal.SIGTERM, "sigstop": signal.SIGSTOP, "sigcont": signal.SIGCONT}
    return {**known, "hup": signal.SIGHUP}[to]


async def command(run: "Run", *, name: str, via: str = "socket", args: Mapping[str, Any] | None = None,
                  principal: str = "hil", expires_s: float = 600.0, retain: bool = False, id: str | None = None,
                  issued_ago_s: float = 0.0, bare: bool = False, qos: int = 1) -> None:  # fmt: skip
    """A command to the daemon, over its socket or MQTT (docs/interfaces.md 3, 4); `bare` adds no id and times.

    The socket's answer is the signal `reply`; that over MQTT is `mqtt.last.reply/PRINCIPAL`.
    """
    payload: dict[str, Any] = dict(args or {})
    if via == "mqtt":
        issued = datetime.fromtimestamp(time.time() - issued_ago_s, UTC)
        own = {"id": id or uuid.uuid4().hex[:12], "issued_at": issued.isoformat(timespec="milliseconds")}
        payload = payload if bare else {**own, "expires_s": expires_s, **payload}
        await run.publish(f"{run.prefix}/cmd/{principal}/{name}", payload, retain=retain, qos=qos)
        return
    answer = await ask(run.socket_path, name, payload if bare else {"expires_s": expires_s, **payload})
    run.say(f"{name}: {json.dumps(answer)[:300]}")
    run.replies.append(answer)


async def mutated_commands(run: "Run", *, count: int, per_s: float = 100.0, keep: str = "") -> None:
    """Mutated commands over MQTT and the socket in turn. The signal `mutated` tells how many were sent."""
    flood = Flood(port=run.mqtt_port, prefix=run.prefix, path=run.socket_path, chance=run.rig.random, keep=keep)

    def sent(so_far: int) -> None:
        run.mutated = so_far

    run.spawn(flood.run(count, per_s, sent))


async def publish(run: "Run", *, topic: str, payload: Any, retain: bool = False) -> None:
    """Any message; `{prefix}` in the topic becomes the site's."""
    await run.publish(topic.replace("{prefix}", run.prefix), payload, retain=retain)


async def registers(run: "Run", *, on: str, set: Mapping[str, float]) -> None:
    """Somebody else than the daemon sets a device: {"123.WMaxLimPct": 60, "123.WMaxLim_Ena": 1}, scaled values."""
    face = run.rig.units[on].face
    for name, value in set.items():
        model_id, _, point = name.partition(".")
        face.bank.image(int(model_id)).put_all({point: value})
    face.adopt_all()
    face.bank.publish()


async def namesake(run: "Run", *, times: int = 1, every_s: float = 1.0) -> None:
    """Another client comes to the broker under the daemon's name, `times` over, as a cloned card does."""
    name = run.prefix.replace("/", "-")

    async def loop() -> None:
        for _ in range(times):
            await usurp(run.mqtt_port, name)
            await run.pause(every_s)

    run.spawn(loop())


async def clock_step(run: "Run", *, by_s: float, sets: str | None = None) -> None:
    """The daemon's wall clock jumps (its monotonic one does not). sets: a file in the run's directory that is there
    from now on. Needs libfaketime: `needs: [faketime]`."""
    run.clock_offset_s += by_s
    write_clock(run.directory, run.clock_offset_s)
    if sets is not None:
        (run.directory / sets).touch()


async def site_file(run: "Run", *, set: Mapping[str, Any]) -> None:
    """Change the daemon's site file: {"functions.0.limit_w": 5000}. The daemon hears of it by controller: hup."""
    run.change_site(set)


def _turn(run: "Run", knob: Knob, to: float | None, over_s: float, points: Any) -> None:
    t_s, speed = run.rig.world.state.t_s, run.scenario.plant_speed
    if points is not None:
        knob.follow(t_s, [[at_s * speed, value] for at_s, value in points])
    elif to is not None:
        knob.turn(t_s, to, over_s * speed)


ACTIONS: Mapping[str, Action] = {
    f.__name__: f
    for f in (
        note, source_v_pu, f_hz, loss_w, load_w, irradiance, trip, restart, exchange, flaps, shows, battery,
        clear_faults, controller, kill_loop, broker, command, mutated_commands, publish, registers, namesake,
        clock_step, site_file,
    )
}  # fmt: skip


async def carry_out(run: "Run", do: str, args: Mapping[str, Any]) -> None:
    """An action or a fault; `for_s` ends a fault, `says` is shown."""
    given = {key: value for key, value in args.items() if key != "says"}
    if do in ACTIONS:
        await ACTIONS[do](run, **given)
        return
    if do not in NAMES:
        raise ValueError(f"no action or fault {do!r}; actions: {sorted(ACTIONS)}; faults: {sorted(NAMES)}")
    for_s = given.pop("for_s", None)
    number = await run.faults.start(do, given.pop("on"), **given)
    if for_s is not None:
        run.later(float(for_s), lambda: run.spawn(run.faults.stop(number)))
