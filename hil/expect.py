"""What a scenario expects of a signal over a window of wall time. Grammar in hil/README.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hil.plant.curve import interpolate, points_of

Sample = tuple[float, Any]
WINDOW = ("signal", "from", "to", "says", "minus", "along", "abs", "scale", "missing", "unless")
BOUNDS = ("min", "max", "tolerance", "tolerance_pct", "tolerate_s", "equals", "one_of", "never")
WHOLE = ("at_end", "counts", "pp", "mean", "reversals")
SHAPES = (*WHOLE, "within_s", "stays")
KEYS = frozenset((*WINDOW, *BOUNDS, *SHAPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One verdict: what was expected in plain words, whether it held, and the number that was seen.

    spare: how much of the time or the tolerance that it had was left, 0 to 1; None where there is nothing to measure.
    """

    says: str
    passed: bool
    seen: str
    wanted: str = ""
    spare: float | None = None


def ready_s(expectation: Mapping[str, Any]) -> float:
    """From when on it can be judged: what is measured over a window needs the window whole."""
    if "to" in expectation and any(key in expectation for key in WHOLE):
        return float(expectation["to"])
    return float(expectation.get("from", 0.0)) + float(expectation.get("within_s", 0.0))


def look_up(snapshot: Mapping[str, Any], path: str) -> Any:
    """`a.b.0.c` inside nested mappings and lists; None where it ends early."""
    value: Any = snapshot
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.lstrip("-").isdigit() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def check(expectation: Mapping[str, Any], snapshots: Sequence[Mapping[str, Any]]) -> Check:
    """Judge one expectation over the recorded run."""
    if unknown := unknown_keys(expectation):
        raise ValueError(f"expectation with unknown {', '.join(unknown)}: {dict(expectation)}")
    says = str(expectation.get("says") or _words(expectation))
    samples = _samples(expectation, snapshots)
    known = [(t_s, value) for t_s, value in samples if value is not None]
    missing_fails = expectation.get("missing") == "fail" and len(known) < len(samples)
    if not known or missing_fails:
        absent_wanted = "equals" in expectation and expectation["equals"] is None
        return Check(says=says, passed=absent_wanted and not known, seen="no value", wanted=_words(expectation))
    passed, seen = _judge(expectation, known)
    spare = _spare(expectation, known) if passed else None
    return Check(says=says, passed=passed, seen=seen, wanted=_words(expectation), spare=spare)


def unknown_keys(expectation: Mapping[str, Any]) -> list[str]:
    """Keys that the grammar does not have (a `says` with a comma that lacks its quotes)."""
    unless = set(expectation.get("unless", ())) - {"signal", "minus", "along", "abs", "scale", *BOUNDS}
    return sorted(str(key) for key in (set(expectation) - KEYS) | unless)


def _words(expectation: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in expectation.items() if key != "says")


def _samples(expectation: Mapping[str, Any], snapshots: Sequence[Mapping[str, Any]]) -> list[Sample]:
    start_s, stop_s = float(expectation.get("from", 0.0)), float(expectation.get("to", 1e9))
    inside = (snapshot for snapshot in snapshots if start_s <= snapshot["t_s"] <= stop_s)
    return [(s["t_s"], _value(expectation, s)) for s in inside if not _excused(expectation, s)]


def _excused(expectation: Mapping[str, Any], snapshot: Mapping[str, Any]) -> bool:
    """Whether `unless` holds in this sample, so that nothing is expected of it."""
    unless = expectation.get("unless")
    if unless is None:
        return False
    value = _value(unless, snapshot)
    return value is not None and _holds(unless, value)


def _value(expectation: Mapping[str, Any], snapshot: Mapping[str, Any]) -> Any:
    value = look_up(snapshot, expectation["signal"])
    if "minus" in expectation and value is not None:
        other = look_up(snapshot, expectation["minus"])
        value = None if other is None else value - other
    if "along" in expectation and value is not None:
        x = look_up(snapshot, expectation["along"]["signal"])
        value = None if x is None else value - interpolate(points_of(expectation["along"]["points"]), x)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = abs(value) if expectation.get("abs") else value
        value *= expectation.get("scale", 1)
    return value


def _holds(expectation: Mapping[str, Any], value: Any) -> bool:
    slack = float(expectation.get("tolerance", 0.0))
    if "tolerance_pct" in expectation:
        slack += abs(float(expectation["equals"])) * float(expectation["tolerance_pct"]) / 100.0
    if "min" in expectation and not value >= expectation["min"] - slack:
        return False
    if "max" in expectation and not value <= expectation["max"] + slack:
        return False
    if "equals" in expectation and not _same(value, expectation["equals"], slack):
        return False
    if "one_of" in expectation and value not in expectation["one_of"]:
        return False
    return not ("never" in expectation and value == expectation["never"])


def _same(value: Any, wanted: Any, slack: float) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (value, wanted))
    return abs(value - wanted) <= slack + 1e-9 if numbers else bool(value == wanted)


def _judge(expectation: Mapping[str, Any], known: Sequence[Sample]) -> tuple[bool, str]:
    values = [value for _, value in known]
    for key in ("counts", "pp", "mean"):
        if key in expectation:
            number = _measure(key, values)
            return _holds(expectation[key], number), f"{key} {number:.6g}"
    if "reversals" in expectation:
        return _reversals(expectation["reversals"], values)
    if expectation.get("at_end"):
        return _holds(expectation, values[-1]), f"{_shown(values[-1])} at {known[-1][0]:.1f} s"
    if "within_s" in expectation:
        return _within(expectation, known)
    return _always(expectation, known)


def _spare(expectation: Mapping[str, Any], known: Sequence[Sample]) -> float | None:
    """Of what held: the least of what is left of its time, and of the way from the worst value to a bound."""
    values = [value for _, value in known]
    for key in ("counts", "pp", "mean"):
        if key in expectation:
            return _room(expectation[key], [_measure(key, values)])
    if "reversals" in expectation:
        return _room(expectation["reversals"], [_turns(expectation["reversals"], values)])
    if expectation.get("at_end"):
        return _room(expectation, values[-1:])
    if "within_s" in expectation:
        took_s = next(t_s for t_s, value in known if _holds(expectation, value)) - float(expectation.get("from", 0.0))
        return _share(float(expectation["within_s"]) - took_s, float(expectation["within_s"]))
    longest_s, tolerated_s = _outside(expectation, known), float(expectation.get("tolerate_s", 0.0))
    return _share(tolerated_s - longest_s, tolerated_s) if longest_s else _room(expectation, values)


def _room(bounds: Mapping[str, Any], values: Sequence[Any]) -> float | None:
    """Of the tolerance, else of the bound itself."""
    slack = float(bounds.get("tolerance", 0.0))
    if "tolerance_pct" in bounds:
        slack += abs(float(bounds["equals"])) * float(bounds["tolerance_pct"]) / 100.0
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    rooms = []
    for key, sign in (("min", 1.0), ("max", -1.0)):
        if key in bounds and numbers:
            nearest = min(sign * (value - bounds[key]) for value in numbers)
            rooms.append(_share(nearest + slack, slack or abs(float(bounds[key]))))
    if slack and "equals" in bounds and numbers:
        rooms.append(_share(slack - max(abs(value - bounds["equals"]) for value in numbers), slack))
    known = [room for room in rooms if room is not None]
    return min(known) if known else None


def _share(left: float, of: float) -> float | None:
    return round(min(left / of, 1.0), 3) if of else None


def _measure(key: str, values: Sequence[float]) -> float:
    """counts: growth over the window; pp: peak to peak; mean."""
    if key == "counts":
        return values[-1] - values[0]
    return max(values) - min(values) if key == "pp" else sum(values) / len(values)


def _within(expectation: Mapping[str, Any], known: Sequence[Sample]) -> tuple[bool, str]:
    start_s = float(expectation.get("from", 0.0))
    first = next((t_s for t_s, value in known if _holds(expectation, value)), None)
    if first is None:
        return False, f"not reached; {_shown(known[-1][1])} at {known[-1][0]:.1f} s"
    good = first - start_s <= float(expectation["within_s"]) + 1e-6
    if good and expectation.get("stays"):
        later = [(t_s, value) for t_s, value in known if t_s >= start_s + float(expectation["within_s"])]
        lost = next((t_s for t_s, value in later if not _holds(expectation, value)), None)
        if lost is not None:
            return False, f"reached after {first - start_s:.1f} s, lost at {lost:.1f} s"
    return good, f"after {first - start_s:.1f} s"


def _always(expectation: Mapping[str, Any], known: Sequence[Sample]) -> tuple[bool, str]:
    """Held in every sample, but for spells of at most tolerate_s."""
    longest_s, worst = _outside(expectation, known), None
    for t_s, value in known:
        if not _holds(expectation, value):
            worst = (t_s, value) if worst is None or _further(expectation, value, worst[1]) else worst
    passed = longest_s <= float(expectation.get("tolerate_s", 0.0))
    if worst is None:
        return passed, _range(known)
    return passed, f"{_shown(worst[1])} at {worst[0]:.1f} s; outside for {longest_s:.1f} s at a time"


def _outside(expectation: Mapping[str, Any], known: Sequence[Sample]) -> float:
    """The longest spell in which it did not hold; 0.0: it always did."""
    longest_s, began = 0.0, None
    for t_s, value in known:
        if _holds(expectation, value):
            began = None
            continue
        began = t_s if began is None else began
        longest_s = max(longest_s, t_s - began + 1e-3)
    return longest_s


def _further(expectation: Mapping[str, Any], value: Any, than: Any) -> bool:
    if not isinstance(value, int | float) or not isinstance(than, int | float):
        return False
    return value > than if "max" in expectation else value < than


def _range(known: Sequence[Sample]) -> str:
    values = [value for _, value in known]
    if all(isinstance(value, int | float) for value in values):
        return f"{_shown(min(values))} to {_shown(max(values))}"
    return _shown(values[-1])


def _reversals(wanted: Mapping[str, Any], values: Sequence[float]) -> tuple[bool, str]:
    count = _turns(wanted, values)
    bounds = {key: limit for key, limit in wanted.items() if key in ("min", "max", "equals")}
    return _holds(bounds, count), f"{count} reversals"


def _turns(wanted: Mapping[str, Any], values: Sequence[float]) -> int:
    """How often the signal turns by at least `size`."""
    size = float(wanted.get("size", 0.0))
    count, direction, extreme = 0, 0, values[0]
    for value in values:
        if direction >= 0 and value <= extreme - size:
            count, direction, extreme = count + (direction > 0), -1, value
        elif direction <= 0 and value >= extreme + size:
            count, direction, extreme = count + (direction < 0), 1, value
        elif (value - extreme) * direction > 0:
            extreme = value
    return count


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
