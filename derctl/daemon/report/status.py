"""The live state as the socket tells it: section 4 of docs/interfaces.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from derctl.core.requests import Request
from derctl.daemon.arming import Arming
from derctl.daemon.clock import text_of
from derctl.daemon.report.telemetry import age_of, measurement, of_decision, of_evidence, of_outcome, until_of
from derctl.daemon.report.view import DerView, DeviceView, PocView, View
from derctl.store.requests import plain_of


def status(view: View) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    return {
        "version": view.version,
        "site": view.site,
        "mode": view.arming.mode,
        "mode_reason": view.arming.reason,
        "armed": {"armed": view.arming.armed, "by": view.arming.by, "since": view.arming.since},
        "t": text_of(view.now),
        "synced": view.synced,
        "uptime_s": round(view.uptime_s, 1),
        "pid": view.pid,
        "loop": asdict(view.loop) | {"last_s": round(view.loop.last_s, 4), "worst_s": round(view.loop.worst_s, 4)},
        "absent": _absent(view.arming),
        "containment": view.containment,
        "loops": [dict(loop) for loop in view.loops],
        "poc": None if view.poc is None else _poc(view.poc),
        "ders": {each.der.id: _der(view, each) for each in view.ders},
        "buses": {
            name: {"connected": bus.line.connected, **bus.counted(), **view.loads.get(name, {})}
            for name, bus in view.buses.items()
        },
        "mqtt": None if view.mqtt is None else asdict(view.mqtt),
        "disk": asdict(view.disk),
        "records": dict(view.records),
        "contacts": dict(view.contacts),
        "requests": [_request(view, *request) for request in view.requests],
        "events": [dict(event) for event in view.events],
    }


def _request(view: View, request: Request, binds: bool) -> dict[str, Any]:
    until = until_of(view.now, request.remaining_s)
    return plain_of(request) | {"until": until, "binds": binds}


def _absent(arming: Arming) -> dict[str, Any]:
    absence = arming.absence
    return {
        "p_export_w": absence.p_export_w,
        "limit_w": absence.limit_w,
        "holds": absence.holds,
        "by_der": dict(absence.by_der),
        "unknown": list(absence.unknown),
        "between": None if absence.between is None else asdict(absence.between),
    }


def _device(device: DeviceView) -> dict[str, Any]:
    identity = None if device.identity is None else asdict(device.identity)
    name, by = (None, None) if device.habits is None else device.habits
    who = {"identity": identity, "profile": name, "profile_by": by}
    return {"reason": device.reason, "text": device.text} | who


def _poc(view: PocView) -> dict[str, Any]:
    poc, device = view.poc, view.device
    v_pu = None if poc.reading.v_v is None else poc.reading.v_v / poc.v_nom_v
    return _device(device) | {
        "fresh": poc.fresh,
        "state": device.shown(fresh=poc.fresh),
        "meter": view.belief,
        "belief": of_evidence(poc.belief),
        "measurement": measurement(poc.reading, age_of(poc), v_pu),
        "unwatched": list(view.unwatched),
    }


def _der(view: View, each: DerView) -> dict[str, Any]:
    der, decision = each.der, each.decision
    return _device(each.device) | {
        "kind": each.kind,
        "state": each.device.shown(
            fresh=der.fresh, status=der.reading.status, written=each.control, phase=each.rest.phase
        ),
        "fresh": der.fresh,
        "rating": asdict(der.rating),
        "can": asdict(der.can),
        "fallback": asdict(der.fallback),
        "found": each.found,
        "measurement": measurement(der.reading, age_of(der), der.v_pu),
        "setpoint": None if decision is None else of_decision(decision),
        "outcome": of_outcome(each.outcome, view.now, view.now_s),
        "standing": asdict(each.standing),
        "abstained": {} if decision is None else dict(decision.abstained),
        "sensitivity": asdict(each.sensitivity),
        "feeds_pu": None if der.feeds_pu is None else list(der.feeds_pu),
        "rest": {"phase": each.rest.phase, "least_w": each.rest.least_w, "wake_s": each.rest.wake_s},
        "own_on": list(der.reading.own_on),
        "own_off": list(der.reading.own_off),
        "writes": each.writes,
        "wear": dict(each.wear),
        "reverify": None if each.reverify is None else dict(each.reverify),
        "problems": list(each.device.problems),
    }
