"""Mutated commands by everybody, as they come from the broker, and a second reading of docs/interfaces.md, section 3:
what that calls no command may change nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

import yaml

from derctl.cli.pages import PAGES
from derctl.core.types import Capability, Port, SiteState
from derctl.core.value import replace as another
from derctl.daemon.app import App
from derctl.daemon.arming import Arming
from derctl.daemon.commands.desk import Take
from derctl.daemon.commands.intake import Intake
from derctl.daemon.commands.rights import read
from derctl.store.outbox import Message as Sent
from hil.mutation import VALUES, mutated, mutated_json

DAY_S = 86400.0
PV_W, BAT_W = 5000.0, 3000.0
AGG_W = (500.0, 2000.0)
"""The range of the aggregator's p_ceiling_w."""
MQTT = {
    "host": "127.0.0.1",
    "port": 1,
    "principals": [
        {"name": "ops"},
        {"name": "inst", "role": "installer"},
        {"name": "home", "role": "owner"},
        {"name": "agg", "role": "aggregator", "ders": ["bat1"], "ranges": {"p_ceiling_w": [*AGG_W]}},
        {"name": "look", "commands": ["ping"]},
    ],
}
SITE: dict[str, Any] = {
    "version": 1,
    "site": {"id": "house-12", "fleet": "demo", "v_nom_v": 230, "f_nom_hz": 50, "clock_sync": "assume"},
    "mqtt": MQTT,
    "buses": [{"id": "lan", "tcp": {"host": "127.0.0.1", "port": 1}}],
    "poc": {"bus": "lan", "unit": 9, "kind": "sunspec_meter", "sign": 1},
    "ders": [
        {"id": "pv1", "bus": "lan", "unit": 1, "kind": "sunspec_pv", "rating": {"p_max_w": PV_W}},
        {
            "id": "bat1",
            "bus": "lan",
            "unit": 2,
            "kind": "sunspec_storage",
            "rating": {"p_max_w": BAT_W, "p_charge_max_w": BAT_W},
        },
    ],
    "functions": [
        {"kind": "reserve", "min_pct": 20, "ders": ["bat1"]},
        {"kind": "grid_limits", "may_opt_out": True},
        {"kind": "owner_limits"},
        {"kind": "const_pf", "pf": 0.95, "ders": ["pv1"]},
        {"kind": "const_var", "q_pu": 0.1, "ders": ["bat1"]},
        {"kind": "freq_droop"},
        {"kind": "operator_limit"},
        {"kind": "setpoint"},
        {"kind": "schedule"},
        {"kind": "departure", "ders": ["bat1"]},
    ],
}

GRID = {"grid_limit", "operating_envelope", "demand_response"}
HOME = {"owner_limit", "opt_out", "set_reserve", "charge_for_departure", "doctor"}
BOTH = {
    *("limit_power", "change_limit", "floor_power", "set_battery_power", "clear", "battery_plan", "emergency_stop"),
    *("ping", "publish_all", "why"),
}
OPERATORS = GRID | HOME | BOTH | {"set_power_factor", "set_var", "set_function", "disarm", "capture"}
MAY: dict[str, set[str]] = {
    "ops": OPERATORS,
    "inst": OPERATORS | {"arm", "release", "reload", "acknowledge", "replace", "lift_stop"},
    "home": HOME | BOTH | {"disarm"},
    "agg": GRID | BOTH,
    "look": {"ping"},
}
"""The table of roles in section 3."""
STRANGERS = ("guest", "Ops", "ops ", "", "look/../inst")
LIMITS, AIMS = ("export_w", "import_w", "generation_w"), ("p_target_w", "p_ceiling_w", "p_floor_w")
PACE_S = 0.5
"""Of the intake's clock, between two messages."""


def good(chance: Random, at: datetime, who: str) -> tuple[str, dict[str, Any]]:
    """A command that might be admitted, with its envelope."""
    begun, before, soon, later = [(at + timedelta(minutes=m)).isoformat() for m in (-5, 9, 10, 40)]
    limits = [{"start": begun, "export_w": 500.0}, {"start": soon, "end": later, "import_w": 1}]
    aims = [{"start": begun, "end": soon, "p_target_w": chance.uniform(-3500.0, 3500.0)}]
    der = chance.choice(("pv1", "bat1"))
    rows: dict[str, dict[str, Any]] = {
        "limit_power": {"p_ceiling_w": chance.uniform(0.0, 3000.0), "der": der},
        "change_limit": {"p_ceiling_w": chance.uniform(0.0, 9000.0)},
        "set_battery_power": {"p_target_w": chance.uniform(-3500.0, 3500.0), "der": "bat1"},
        "floor_power": {"p_floor_w": chance.uniform(-3500.0, 3500.0), "der": "bat1"},
        "clear": chance.choice(({}, {"der": der}, {"found": True})),
        "grid_limit": {"export_w": chance.uniform(-10.0, 5000.0)},
        "owner_limit": {"import_w": chance.uniform(0.0, 5000.0), "generation_w": 1000},
        "operating_envelope": {"intervals": limits},
        "demand_response": {"duration_s": chance.uniform(1.0, 900.0), "export_w": 0}
        | chance.choice(({}, {"p_target_w": chance.uniform(-3500.0, 3500.0)}, {"poc_target_w": -9})),
        "opt_out": {},
        "battery_plan": {"der": "bat1", "intervals": aims},
        "charge_for_departure": {"der": "bat1", "soc_pct": chance.uniform(0.0, 110.0), "departure": before},
        "set_reserve": {"min_pct": chance.uniform(0.0, 110.0), "der": "bat1"},
        "set_power_factor": {"pf": chance.uniform(0.7, 1.1), "excitation": "absorbing"},
        "set_var": {"q_pu": chance.uniform(-1.2, 1.2)},
        "set_function": chance.choice(
            (
                {"function": "freq_droop", "k_of": chance.uniform(0.01, 0.06), "db_uf_hz": chance.uniform(0.0, 1.1)},
                {"function": "const_pf", "pf": chance.uniform(0.7, 1.1), "der": "pv1"},
                {"function": "const_var", "q_pu": chance.uniform(-1.2, 1.2), "der": der},
                {"function": "volt_var", "points": [[0.9, 0.3], [0.98, 0], [1.02, 0], [1.1, -0.3]]},
                {"function": "freq_droop", "on": False},
            )
        ),
        "emergency_stop": {},
        "lift_stop": {},
        "arm": {},
        "disarm": {},
        "release": chance.choice(({}, {"lift": True})),
        "reload": {},
        "ping": {},
        "acknowledge": {},
        "replace": {"der": der},
        "publish_all": {},
        "why": {"der": der},
        "doctor": {},
        "capture": {},
    }
    name = chance.choice([*rows] if chance.random() < 0.2 else sorted(MAY.get(who, rows)))
    own = {"id": f"{chance.getrandbits(48):x}", "issued_at": at.isoformat(), "expires_s": 600.0}
    return name, {**own, **rows[name]}


def deeper(fields: Mapping[str, Any], chance: Random) -> bytes:
    """Changed inside of what is nested: a value, a key, or a part that is there twice."""
    changed = deepcopy(dict(fields))
    parts = changed.get("intervals")
    part: dict[str, Any] = chance.choice(parts) if parts else changed
    name = chance.choice([*part, "more", "end"])
    turn = chance.random()
    if turn < 0.2:
        part.pop(name, None)
    elif turn < 0.3 and parts:
        changed["intervals"] = parts * chance.choice((2, 50, 200))
    else:
        part[name] = chance.choice(
            (*VALUES, "2026-11-21T12:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00")
        )
    return json.dumps(changed).encode()


@dataclass(frozen=True)
class Message:
    """topic: without the site's prefix."""

    topic: str
    payload: bytes
    retained: bool
    correlation: bytes | None


def message(chance: Random, at: datetime) -> Message:
    """One of everybody's, made bad in its payload, its topic, its time or its envelope."""
    who = chance.choice((*MAY, *MAY, chance.choice(STRANGERS)))
    stale = chance.random() < 0.1
    name, fields = good(chance, at + timedelta(seconds=chance.choice((-9e5, -601, 31, 4e9)) if stale else 0.0), who)
    payload = json.dumps(fields).encode()
    if not stale and chance.random() < 0.75:
        payload = deeper(fields, chance) if chance.random() < 0.4 else mutated_json(fields, chance)
    topic = f"cmd/{who}/{name}"
    if chance.random() < 0.1:
        topic = mutated(topic.encode(), chance).decode("utf-8", "replace")
    elif chance.random() < 0.05:
        beside = ("/", f"/{name}", "é", "n" * 300)
        topic = chance.choice((f"reply/{who}", f"cmd/{who}", f"CMD/{who}/{name}", *(topic + each for each in beside)))
    correlation = chance.choice(
        (None, None, b"", b"k", b"\x00\xff" * 40, b"x" * 1024, b"k", b"x" * chance.choice((1, 9, 1024, 1025, 60_000)))
    )
    return Message(topic, payload, chance.random() < 0.05, correlation)


class No(Exception):
    """It is no command."""


def need(true: object) -> None:
    if not true:
        raise No


def judged(sent: Message, now: datetime) -> None:
    """Whether section 3 lets it be a command. Raises No."""
    level, who, name = (sent.topic.split("/") + [""] * 3)[:3]
    need(sent.topic.count("/") == 2 and level == "cmd" and name in MAY.get(who, ()) and not sent.retained)
    most = 32_768 if name in {"operating_envelope", "battery_plan"} else 8192
    need(len(sent.payload) <= most and len(sent.correlation or b"") <= 1024)
    try:
        fields = json.loads(sent.payload.decode("utf-8"), parse_constant=lambda word: need(False))
    except (ValueError, RecursionError):
        raise No from None
    need(isinstance(fields, dict))
    life_s = envelope(fields, now)
    args = {key: value for key, value in fields.items() if key not in {"id", "issued_at", "expires_s", "expires_at"}}
    arguments(name, args, life_s)
    if who == "agg" and name not in {"ping", "publish_all"}:
        ders = [value for key, value in args.items() if key == "der" and value is not None]
        need(ders and all(der == "bat1" for der in ders))
        told = [args, *args.get("intervals", ())]
        need(all(AGG_W[0] <= w <= AGG_W[1] for part in told if (w := part.get("p_ceiling_w")) is not None))


def number(value: Any, low: float, high: float) -> None:
    need(isinstance(value, int | float) and not isinstance(value, bool))
    need(math.isfinite(value) and low <= value <= high)


def moment(value: Any) -> datetime:
    need(isinstance(value, str))
    try:
        at = datetime.fromisoformat(value.replace("z", "Z").replace(" ", "T"))
    except ValueError:
        raise No from None
    need(at.tzinfo is not None)
    return at


def envelope(fields: dict[str, Any], now: datetime) -> float:
    """Its whole life, s."""
    need(isinstance(fields.get("id"), str) and 0 < len(fields["id"]) <= 128)
    issued = moment(fields.get("issued_at"))
    need(("expires_s" in fields) != (fields.get("expires_at") is not None))
    if "expires_s" in fields:
        number(fields["expires_s"], 1e-300, 7 * DAY_S)
        life_s = float(fields["expires_s"])
    else:
        life_s = (moment(fields["expires_at"]) - issued).total_seconds()
    age_s = (now - issued).total_seconds()
    need(0.0 < life_s <= 7 * DAY_S and -31.0 <= age_s < life_s + 1.0)
    return life_s


KNOWN: dict[str, set[str]] = {
    **{name: {"p_ceiling_w", "der"} for name in ("limit_power", "change_limit")},
    **{name: {*LIMITS} for name in ("grid_limit", "owner_limit")},
    **{name: set() for name in ("emergency_stop", "lift_stop", "disarm", "reload", "ping")},
    **{name: set() for name in ("publish_all", "doctor", "capture")},
    "release": {"lift"},
    "floor_power": {"p_floor_w", "der"},
    "charge_for_departure": {"der", "soc_pct", "departure"},
    "why": {"der"},
    "set_battery_power": {"der", "p_target_w"},
    "clear": {"der", "found"},
    "operating_envelope": {"intervals"},
    "demand_response": {"duration_s", "start", *LIMITS, "p_target_w", "poc_target_w"},
    "opt_out": {"event"},
    "battery_plan": {"der", "intervals"},
    "set_reserve": {"min_pct", "der"},
    "set_power_factor": {"pf", "excitation", "der"},
    "set_var": {"q_pu", "der"},
    "set_function": {
        *("function", "der", "on", "points", "olrt_s", "v1_pu", "v2_pu", "p2_pu"),
        *("db_of_hz", "db_uf_hz", "k_of", "k_uf", "pf", "excitation", "q_pu"),
    },
    "arm": {"confirm"},
    "acknowledge": {"der"},
    "replace": {"der"},
}


def arguments(name: str, args: dict[str, Any], life_s: float) -> None:
    """The third column of the table, and the ranges of this site."""
    need(args.keys() <= KNOWN[name])
    need(args.get("der") in {None, "pv1", "bat1"} if isinstance(args.get("der"), str | None) else False)
    if name in {"limit_power", "change_limit"}:
        number(args.get("p_ceiling_w"), 0.0, {None: PV_W + BAT_W, "pv1": PV_W, "bat1": BAT_W}[args.get("der")])
    elif name == "set_battery_power":
        need(args.get("der") == "bat1")
        number(args.get("p_target_w"), -BAT_W, BAT_W)
    elif name in {"grid_limit", "owner_limit"}:
        some(args, LIMITS, 0.0, 1e8)
    elif name == "demand_response":
        number(args.get("duration_s"), 1e-300, life_s + 1.0)
        if args.get("p_target_w") is None:
            some(args, LIMITS, 0.0, 1e8)
        else:
            number(args["p_target_w"], -BAT_W, BAT_W)
            some({"beside": 0, **args}, ("beside", *LIMITS), 0.0, 1e8)
        need(args.get("poc_target_w") is None)  # nobody proves the meter of this site
    elif name in {"operating_envelope", "battery_plan"}:
        need(name != "battery_plan" or args.get("der") == "bat1")
        least = 0 if name == "battery_plan" else 1  # without any it ends the one before
        need(isinstance(args.get("intervals"), list) and least <= len(args["intervals"]) <= 288)
        for part in args["intervals"]:
            need(isinstance(part, dict))
            names, (low, high) = (LIMITS, (0.0, 1e8)) if name == "operating_envelope" else (AIMS, (-BAT_W, BAT_W))
            need(part.keys() <= {"start", "end", *names})
            some(part, names, low, high)
            moment(part.get("start"))
    elif name == "set_reserve":
        need(args.get("der") != "pv1")
        number(args.get("min_pct"), 20.0, 100.0)
    elif name == "set_power_factor":
        need(args.get("der") != "bat1")
        number(args.get("pf"), 0.8, 1.0)
        need(args.get("excitation") in ("absorbing", "injecting"))
    elif name == "set_var":
        need(args.get("der") != "pv1")
        number(args.get("q_pu"), -1.0, 1.0)
    elif name == "set_function":
        shaped(args)
    elif name == "floor_power":
        need(args.get("der") == "bat1")
        number(args.get("p_floor_w"), -BAT_W, BAT_W)
    elif name == "charge_for_departure":
        need(args.get("der") == "bat1")
        number(args.get("soc_pct"), math.ulp(0.0), 100.0)
        moment(args.get("departure"))
    elif name in {"replace", "why"}:
        need(args.get("der") is not None)
    need(isinstance(args.get("found", False), bool))


SHAPES: dict[str, dict[str, tuple[float, float]]] = {
    "freq_droop": {
        **dict.fromkeys(("db_of_hz", "db_uf_hz"), (0.017, 1.0)),
        **dict.fromkeys(("k_of", "k_uf"), (0.02, 0.05)),
        "olrt_s": (0.2, 10.0),
    },
    "const_pf": {"pf": (0.8, 1.0)},
    "const_var": {"q_pu": (-1.0, 1.0)},
}
"""What may be shaped at this site, which has no grid code: nobody may choose another mode, or switch one off."""


def shaped(args: dict[str, Any]) -> None:
    function = str(args.get("function"))
    need(function == args.get("function") and function in SHAPES and args.get("on", True) is True)
    need(args.get("der") == {"const_pf": "pv1", "const_var": "bat1"}.get(function, args.get("der")))
    given = {name for name, value in args.items() if value is not None} - {"function", "der", "on"}
    words = {"excitation"} if function == "const_pf" else set()
    need(given <= SHAPES[function].keys() | words and (given or function != "freq_droop"))
    need(args.get("excitation") in (None, "absorbing", "injecting"))
    for name in given - words:
        number(args[name], *SHAPES[function][name])


def some(part: Mapping[str, Any], names: tuple[str, ...], low: float, high: float) -> None:
    given = [part[name] for name in names if part.get(name) is not None]
    need(given)
    for value in given:
        number(value, low, high)


@dataclass(frozen=True)
class Known:
    """All that a command could change, as it was."""

    held: dict[Any, Any]
    arming: Arming
    firmware: dict[str, Any]


@dataclass
class Gates:
    """A site whose gates are attacked, without its devices, which are as they were found. wrong: what should not have
    happened. admitted: how often each command was."""

    app: App
    take: Take = field(init=False)
    answers: list[Sent] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    passed_s: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, folder: Path) -> Gates:
        """With what its people asked for already."""
        site = SITE | {"site": SITE["site"] | {"state_dir": str(folder / "state"), "socket": str(folder / "sock")}}
        path = folder / "site.yaml"
        path.write_text(yaml.safe_dump(site))
        app = App(read(path), pages=PAGES)
        app.survival.folder.hold()
        made = cls(app)
        made.intake.log = _Quiet()
        made.intake.clock, made.intake.send = lambda: made.passed_s, made.answers.append
        desk = app.calls.desk
        made.take = desk.on_mqtt(made.answers.append)
        views = replace(desk.reach.views, clock=lambda: made.passed_s)
        desk.reach = replace(desk.reach, look=no_look, state=lambda: found(app.control.state()), views=views)
        desk.log = _Quiet()
        return made

    @property
    def intake(self) -> Intake:
        assert self.app.uplink.link is not None
        return cast(Intake, cast(Any, self.app.uplink.link.admits).__self__)

    async def begin(self) -> None:
        """A limit of each, an envelope and a stop stand."""
        now = datetime.now(UTC)
        soon = (now + timedelta(hours=2)).isoformat()
        intervals = [{"start": now.isoformat(), "end": soon, "export_w": 4000.0}]
        asked: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("ops", "limit_power", {"p_ceiling_w": 1500.0, "der": "pv1"}),
            ("home", "owner_limit", {"export_w": 2500.0}),
            ("inst", "operating_envelope", {"intervals": intervals}),
            ("ops", "set_battery_power", {"der": "bat1", "p_target_w": -800.0}),
            ("ops", "emergency_stop", {}),
        )
        for n, (who, name, args) in enumerate(asked):
            fields = {"id": f"first-{n}", "issued_at": now.isoformat(), "expires_s": 6e5, **args}
            reply = await self.send(Message(f"cmd/{who}/{name}", json.dumps(fields).encode(), False, None))
            assert reply is not None and reply["result"] == "admitted", reply

    async def send(self, sent: Message) -> dict[str, Any] | None:
        """Its answer, as it goes to the broker."""
        self.passed_s += PACE_S
        self.answers.clear()
        if self.intake.admits(sent.topic, sent.payload, sent.correlation):
            await self.take(sent.topic, sent.payload, sent.retained, sent.correlation)
        assert len(self.answers) <= 1
        return json.loads(self.answers[0].payload) if self.answers else None

    def known(self) -> Known:
        control = self.app.control
        return Known(
            held=dict(self.app.requests.held),
            arming=self.app.gate.arming,
            firmware=dict(control.absent.known.of),
        )

    def back(self, before: Known) -> None:
        """What was admitted is undone, so that the next one finds the same site."""
        self.app.requests.undo(before.held)()
        self.app.gate.arming = before.arming
        self.app.control.absent.known.of.update(before.firmware)

    async def attack(self, sent: Message) -> None:
        before, now, began = self.known(), datetime.now(UTC), time.process_time()
        reply = await self.send(sent)
        self.slowest_s = max(self.slowest_s, time.process_time() - began)
        after = self.known()
        code = "silence" if reply is None else str(reply["code"] or reply["result"])
        self.seen[code] += 1
        changed = f"{code}: {sent} changed {before} to {after}" if after != before else ""
        if code == "admitted":
            self.admitted[sent.topic.rpartition("/")[2]] += 1
            try:
                judged(sent, now)
            except No:
                self.wrong.append(f"admitted: {sent}")
        elif changed:
            self.wrong.append(changed)
        self.back(before)
        self.app.requests.news()

    def bounded(self) -> None:
        """What an attacker could fill."""
        desk, app = self.app.calls.desk, self.app
        assert all(len(each.ids) <= 1000 for each in desk.seen.values()) and len(desk.seen) <= len(MAY)
        assert len(app.requests.held) <= 64 * len(MAY) and len(app.requests.ended) <= 4096
        assert len(app.stories.of) <= len(app.requests.held) + len(app.requests.ended)
        assert len(app.news.events) <= 200
        assert self.intake.buckets.keys() == MAY.keys()


def found(state: SiteState) -> SiteState:
    """Each of its devices takes all."""
    every = Port(limit=True, aim=True, var=True)
    ders = [
        another(
            der,
            can=Capability(ac=every, battery=every if der.id == "bat1" else None),
            rating=another(der.rating, s_max_va=BAT_W, q_inj_max_var=BAT_W, q_abs_max_var=BAT_W),
        )
        for der in state.ders
    ]
    return another(state, ders=tuple(ders))


async def no_look(seconds: float) -> None:
    """No device answers here."""
    await asyncio.sleep(0)


class _Quiet:
    """What is logged costs no line of the test's."""

    def log(self, *args: Any, **more: Any) -> None:
        return

    info = warning = error = exception = log


logging.getLogger("derctl").setLevel(logging.CRITICAL)
