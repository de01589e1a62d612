"""The common invariants of hil/README.md, checked in every scenario unless it waives one with a reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hil.charging import Charging
from hil.children import Child
from hil.expect import Check
from hil.listening import Listening
from hil.memory import Memory
from hil.rig import Rig
from hil.unit import Unit

READ_BACK_S = 15.0
ORACLE_S = 3.0
MISSED_SHARE = 0.01


@dataclass(slots=True, kw_only=True)
class Watch:
    """What has to be watched while a scenario runs. The oracle is what the servers answered."""

    unverified: set[str] = field(default_factory=set)
    health: dict[str, float] = field(default_factory=dict)
    health_said: list[str] = field(default_factory=list)
    ticks: int = 0
    missed: int = 0
    charging: Charging | None = None
    memory: Memory = field(default_factory=Memory)
    listening: Listening = field(default_factory=Listening)

    def look(self, rig: Rig, status: Mapping[str, Any] | None, now_s: float, start_s: float) -> None:
        """Once per plant step. `now_s` is the loop's clock."""
        for name, unit in rig.units.items():
            self._read_back(name, unit)
        if status is not None:
            self._loop(status)
            self._health(rig, status, now_s, start_s)

    def _read_back(self, name: str, unit: Unit) -> None:
        """A write older than READ_BACK_S that later reads could have verified and none did."""
        for (address, count), (readable_s, reads) in unit.unverified.items():
            if unit.readable_s - readable_s > READ_BACK_S and unit.count.reads - reads >= 5:
                self.unverified.add(f"{name}: {count} registers at {address}")

    def _loop(self, status: Mapping[str, Any]) -> None:
        loop = status.get("loop") or {}
        self.ticks = max(self.ticks, int(loop.get("ticks", 0)))
        self.missed = max(self.missed, int(loop.get("missed", 0)))

    def _health(self, rig: Rig, status: Mapping[str, Any], now_s: float, start_s: float) -> None:
        """A DER that has not been answered cleanly for long must not be fresh; one that has, must not be stale. One
        that answers no more may be called so at once."""
        tick_s = float((status.get("loop") or {}).get("tick_s", 1.0))
        for der, told in (status.get("ders") or {}).items():
            unit = rig.units.get(der)
            if unit is None or unit.count.first_s < 0.0:
                continue
            count = unit.count
            silent_s = now_s - max(count.clean_s, start_s)
            spoiled = silent_s > ORACLE_S + 5.0 * tick_s
            well = (
                count.clean_s > count.spoiled_s and now_s - max(count.spoiled_s, count.first_s) > 15.0 + 5.0 * tick_s
            )
            fresh = bool(told.get("fresh"))
            slandered = well and silent_s < 2.0 * tick_s and told.get("state") == "unreachable"
            wrong = (spoiled and fresh) or slandered
            since_s = self.health.setdefault(der, now_s) if wrong else now_s
            if not wrong:
                self.health.pop(der, None)
            elif now_s - since_s > ORACLE_S and not (slandered and count.clean_s < since_s):
                self.health_said.append(
                    f"{der} said fresh={fresh} state={told.get('state')}, silent {silent_s:.1f} s"
                )


def verdicts(
    rig: Rig, watch: Watch, child: Child | None, mqtt: Sequence[str], waived: Mapping[str, str]
) -> list[Check]:
    """One Check per invariant, waived ones as passed with the reason."""
    checks = []
    for name, says, faults in _found(rig, watch, child, mqtt):
        if name in waived:
            checks.append(Check(says=f"{name} waived: {waived[name]}", passed=True, seen=f"{len(faults)} findings"))
            continue
        seen = "; ".join(dict.fromkeys(faults))[:400] if faults else "none"
        checks.append(Check(says=f"{name} {says}", passed=not faults, seen=seen))
    return checks


def _found(rig: Rig, watch: Watch, child: Child | None, mqtt: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    written = [f"{name}: {text}" for name, unit in rig.units.items() for text in unit.face.violations]
    yield "I1", "no setpoint outside the nameplate on the wire", [text for text in written if " I1 " in text]
    yield "I2", "no not-implemented value written", [text for text in written if " I2 " in text]
    if child is None:
        return
    yield "I3", "every write read back or asserted again", sorted(watch.unverified)
    allowed = 1 + watch.ticks * MISSED_SHARE
    late = [f"{watch.missed} of {watch.ticks} ticks missed"] if watch.missed > allowed else []
    yield "I4", "the control period is kept", late
    yield "I5", "the daemon's memory does not grow", watch.memory.faults()
    yield "I6", "no unhandled exception, no unexpected end", _errors(child)
    charged = [] if watch.charging is None else watch.charging.faults()
    yield "I8", "no store charges from the grid or another store unasked", charged
    yield "I9", "nobody listens beyond loopback", watch.listening.faults()
    yield "I7", "health and MQTT state agree with the oracle", [*watch.health_said, *mqtt]


def _errors(child: Child) -> list[str]:
    found = []
    text = child.stderr()
    if "Traceback (most recent call last)" in text:
        found.append(
            "stderr: " + text[text.rindex("Traceback (most recent call last)") :][-300:].replace("\n", " | ")
        )
    code = child.exit_code
    if code is not None and not (child.expected_end and code in (0, -9)):
        found.append(f"exit code {code}; stderr ends: {text[-300:].strip()!r}")
    return found
