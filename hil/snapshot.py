"""One sample of everything: the plant's truth, what the devices saw, and what the daemon says of itself."""

from collections import Counter
from typing import Any

from hil.children import Child
from hil.eyes import MqttEye, StatusEye
from hil.plant.battery import stored_wh
from hil.rig import Rig


def snapshot(rig: Rig, status: StatusEye | None, child: Child | None, mqtt: MqttEye | None) -> dict[str, Any]:
    """Nested plain values; the signal names of a scenario are paths into it."""
    return {
        "t_s": round(rig.now_s, 3),
        "plant_s": rig.world.state.t_s,
        "poc": _poc(rig),
        "source": {"v_pu": rig.world.source_v_pu.at(rig.world.state.t_s)},
        "load": {name: knob.at(rig.world.state.t_s) for name, knob in rig.world.load_w.items()},
        "der": {id: _der(rig, id) for id in rig.world.ders},
        "sum": _sums(rig),
        "dev": {name: _device(rig, name) for name in rig.units},
        "hil": {"behind_s": rig.behind_s, "converged": rig.world.state.converged},
        "status": status.status if status is not None else None,
        "told": _told(status),
        "states": _states(status),
        "daemon": _daemon(child),
        "mqtt": _mqtt(mqtt),
    }


def _poc(rig: Rig) -> dict[str, Any]:
    poc = rig.world.state.poc
    return {
        "p_w": poc.p_w,
        "export_w": max(0.0, poc.p_w),
        "import_w": max(0.0, -poc.p_w),
        "q_var": poc.q_var,
        "v_pu": poc.v_pu,
        "f_hz": poc.f_hz,
        "export_wh": poc.export_wh,
        "import_wh": poc.import_wh,
        **{
            phase: {"p_w": p_w, "q_var": q_var, "v_pu": v_pu}
            for phase, p_w, q_var, v_pu in zip("abc", poc.each_p_w, poc.each_q_var, poc.each_v_pu, strict=False)
        },
    }


def _sums(rig: Rig) -> dict[str, float]:
    """All DERs together."""
    inverters = [der.inverter for der in rig.world.state.ders.values()]
    return {
        "der_p_w": sum(i.p_w for i in inverters),
        "der_q_var": sum(i.q_var for i in inverters),
        "out_wh": sum(i.energy_out_wh for i in inverters),
        "in_wh": sum(i.energy_in_wh for i in inverters),
    }


def _der(rig: Rig, id: str) -> dict[str, Any]:
    der = rig.world.state.ders[id]
    command = rig.world.faces[id].command()
    told: dict[str, Any] = {
        "p_w": der.inverter.p_w,
        "q_var": der.inverter.q_var,
        "v_pu": der.v_pu,
        "status": der.inverter.status,
        "p_available_w": der.p_available_w,
        "out_wh": der.inverter.energy_out_wh,
        "in_wh": der.inverter.energy_in_wh,
        "p_ceiling_w": command.p_ceiling_w,
        "p_floor_w": command.p_floor_w,
        "p_target_w": command.p_target_w,
        "q_set_var": command.q_var,
        "connect": command.connect,
    }
    if rig.world.hybrid(id):
        told["pv_w"] = der.pv_w
    battery = der.battery
    pack = rig.world.packs.get(id)
    if battery is not None and pack is not None:
        stored = stored_wh(battery, pack)
        told |= {
            "soc_pct": battery.soc_pct,
            "current_a": battery.current_a,
            "charge_a": max(0.0, -battery.current_a),
            "discharge_a": max(0.0, battery.current_a),
            "charge_limit_a": battery.charge_limit_a,
            "discharge_limit_a": battery.discharge_limit_a,
            "temperature_c": battery.temperature_c,
            "cell_max_v": battery.cell_max_v,
            "closed": battery.closed,
            "stored_wh": stored,
            "lost_wh": der.inverter.energy_in_wh - der.inverter.energy_out_wh - stored,
        }
    return told


def _device(rig: Rig, name: str) -> dict[str, Any]:
    unit, endpoint = rig.units[name], rig.endpoint_of(name)
    running = [t.remaining_s for t in unit.face.timers.values() if t.remaining_s is not None]
    return {
        "requests": unit.count.requests,
        "reads": unit.count.reads,
        "writes": unit.count.writes,
        "refused": unit.count.refused,
        "mutated": unit.count.mutated,
        "blind": unit.count.blind,
        "reverted": unit.face.reverted,
        "violations": len(unit.face.violations),
        "wear": max(unit.face.wear.values(), default=0),
        "timer_s": min(running) if running else None,
        "connects": endpoint.connects,
        "open": len(endpoint.open),
        "turned_away": endpoint.turned_away,
        "crowded": endpoint.crowded,
        "told_s": unit.told_s,
        "back_s": unit.back_s,
        "canary": unit.canaries[-1][1] if unit.canaries else None,
    }


def _told(status: StatusEye | None) -> dict[str, int]:
    """How many of the daemon's last events have each name."""
    events = (status.status or {}).get("events", []) if status is not None else []
    return dict(Counter(event["event"] for event in events))


def _states(status: StatusEye | None) -> dict[str, int]:
    """How many of the daemon's DERs are in each state."""
    ders = (status.status or {}).get("ders", {}) if status is not None else {}
    return dict(Counter(str(der["state"]) for der in ders.values()))


def _daemon(child: Child | None) -> dict[str, Any]:
    if child is None:
        return {"running": False, "exit_code": None, "rss_mb": None, "starts": 0}
    return {"running": child.running, "exit_code": child.exit_code, "rss_mb": child.rss_mb, "starts": child.starts}


def _mqtt(mqtt: MqttEye | None) -> dict[str, Any]:
    if mqtt is None:
        return {"online": None, "connected": False, "messages": 0, "last": {}}
    short = {"/".join(topic.split("/")[3:]): value for topic, value in mqtt.last.items()}
    return {"online": mqtt.online(), "connected": mqtt.connected, "messages": mqtt.messages, "last": short}
