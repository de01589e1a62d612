"""The live state as the socket tells it: section 4 of docs/interfaces.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from derctl.core.types import Decision, DerState
from derctl.daemon.report.telemetry import age_of, measurement, of_decision, of_outcome
from derctl.links.bus import Bus

if TYPE_CHECKING:
    from derctl.daemon.app import App


def status(app: App) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    tick = app.recorder.latest
    state = app.image.snapshot(app.clock_s())
    decisions = {} if tick is None else {decision.der: decision for decision in tick.decisions}
    return {
        "version": app.version,
        "site": app.site.file.site.id,
        "mode": "control" if app.gate.open else "observe",
        "mode_reason": app.gate.reason,
        "t": app.clock.stamp(),
        "synced": app.clock.synced,
        "uptime_s": round(app.clock_s() - app.started_s, 1),
        "pid": app.pid,
        "loop": _loop(app),
        "absent": _absent(app),
        "poc": None if state.poc is None else _poc(app, state.poc),
        "ders": {der.id: _der(app, der, decisions.get(der.id)) for der in state.ders},
        "buses": {name: _bus(bus) for name, bus in app.buses.items()},
        "mqtt": _mqtt(app),
        "requests": [msgspec.to_builtins(request) for request in state.requests],
        "events": list(app.events),
    }


def _loop(app: App) -> dict[str, Any]:
    loop = app.loop
    return {
        "tick_s": loop.tick_s,
        "ticks": loop.ticks,
        "missed": loop.missed,
        "overran": loop.overran,
        "last_s": round(loop.last_s, 4),
        "worst_s": round(loop.worst_s, 4),
    }


def _absent(app: App) -> dict[str, Any]:
    absence = app.gate.last
    return {
        "p_export_w": absence.p_export_w,
        "limit_w": absence.limit_w,
        "holds": absence.holds,
        "by_der": absence.by_der,
        "unknown": list(absence.unknown),
    }


def _poc(app: App, poc: Any) -> dict[str, Any]:
    channel = app.image.poc
    v_pu = None if poc.reading.v_v is None else poc.reading.v_v / poc.v_nom_v
    return {
        "fresh": poc.fresh,
        "state": _state(channel, poc.fresh),
        "text": "" if channel is None else channel.text,
        "identity": _identity(channel),
        "measurement": measurement(poc.reading, age_of(poc), v_pu),
    }


def _identity(channel: Any) -> dict[str, str] | None:
    return None if channel is None or channel.known is None else asdict(channel.known)


def _state(channel: Any, fresh: bool) -> str:
    if channel is None:
        return "starting"
    return "stale" if channel.state == "ok" and not fresh else str(channel.state)


def _der(app: App, der: DerState, decision: Decision | None) -> dict[str, Any]:
    channel, writer = app.channels[der.id], app.writers[der.id]
    state = _state(channel, der.fresh)
    if state == "ok" and str(der.reading.status) in {"asleep", "fault"}:
        state = str(der.reading.status)
    return {
        "kind": app.kinds[der.id],
        "state": "observed" if state == "ok" and not writer.control else state,
        "fresh": der.fresh,
        "reason": channel.reason,
        "text": channel.text,
        "identity": _identity(channel),
        "rating": asdict(der.rating),
        "can": asdict(der.can),
        "fallback": asdict(der.fallback),
        "measurement": measurement(der.reading, age_of(der), der.v_pu),
        "setpoint": None if decision is None else of_decision(decision),
        "outcome": of_outcome(writer.outcome, app.clock.now(), app.clock_s()),
        "abstained": {} if decision is None else dict(decision.abstained),
        "own_on": list(der.reading.own_on),
        "own_off": list(der.reading.own_off),
        "writes": writer.writes,
        "problems": [] if channel.device is None else list(channel.device.problems),
        "unreadable": list(channel.unreadable),
    }


def _bus(bus: Bus) -> dict[str, Any]:
    return {"connected": bus.connected} | asdict(bus.counters)


def _mqtt(app: App) -> Mapping[str, Any] | None:
    link = app.mqtt
    if link is None:
        return None
    return {
        "connected": link.connected,
        "protocol": link.protocol,
        "text": link.text,
        "sessions": link.sessions,
        "published": app.outbox.published,
        "dropped": app.outbox.dropped,
    }
