"""A site file that is about to be written: what was found, under the names that it gets, and what was answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from derctl.cli.finding import Finding, FoundUse
from derctl.cli.plain import wrapped
from derctl.cli.proposal import flow
from derctl.commission.jurisdictions import HOLDERS, place_of
from derctl.commission.rivals import Rival
from derctl.core.dataclass import dataclass
from derctl.core.text import clean
from derctl.core.words import Told

NOT_AS_SERVICE = "# Not as the service: `init --here` keeps state and socket beside this file (state_dir, socket)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A device under the name that it gets."""

    id: str
    bus: str
    found: Finding
    use: FoundUse

    @property
    def row(self) -> dict[str, Any]:
        """What each section of the site file has in common."""
        row: dict[str, Any] = {"bus": self.bus, "unit": self.found.unit}
        row |= {} if self.use.role == "bms" else {"kind": self.use.kind}
        row |= {} if self.use.section is None else {"section": self.use.section}
        row |= {} if self.use.profile == "generic" else {"profile": self.use.profile}
        return row | ({"serial": self.use.serial} if self.use.serial.strip("0") else {})

    @property
    def told(self) -> str:
        """For people."""
        now = "" if self.use.now_w is None else f", {self.use.now_w:,.0f} W now"
        serial = f", serial {self.use.serial}" if self.use.serial else ""
        return clean(f"{self.id}: {self.use.name}{serial} at {self.found.place} unit {self.found.unit}{now}")


def parts_of(findings: Sequence[Finding]) -> list[Part]:
    """Each use of each device, and a bus for each place."""
    buses: dict[str, str] = {}
    counts: dict[str, int] = {}
    parts = []
    for found in findings:
        kind = "rtu" if "rtu" in found.wire else "lan"
        bus = buses.setdefault(found.place, f"{kind}{sum(b.startswith(kind) for b in buses.values()) + 1}")
        for use in found.uses:
            stem = {"meter": "meter", "bms": "bms"}.get(use.role, "bat" if use.stores else "pv")
            counts[stem] = counts.get(stem, 0) + 1
            parts.append(Part(id=f"{stem}{counts[stem]}", bus=bus, found=found, use=use))
    return parts


@dataclass(slots=True, kw_only=True)
class Draft:
    """parts: all that was found. owners: by `DER.what`, who tells it. ceilings_w, ratings_w: by DER."""

    parts: list[Part]
    id: str = ""
    v_nom_v: float = 230.0
    f_nom_hz: int = 50
    grid_code: str | None = None
    poc: str = "none"
    sign: int = 1
    limit_w: float | None = None
    limiter: str = "no_limit"
    mqtt: str = ""
    grid_functions: str = "device"
    rivals: list[Rival] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    ratings_w: dict[str, float] = field(default_factory=dict)
    ceilings_w: dict[str, float | None] = field(default_factory=dict)

    def of(self, role: str) -> list[Part]:
        return [part for part in self.parts if part.use.role == role]

    def mine(self, der: str, what: Told) -> bool:
        """Whether derctl tells it that."""
        return self.owners.get(f"{der}.{what}", "derctl") == "derctl"

    def controlled(self, part: Part) -> bool:
        """Whether derctl writes it. What takes targets alone is limited by its power, so that has to be derctl's."""
        limits = bool((part.use.can.get("ac") or {}).get("limit"))
        return self.mine(part.id, Told.LIMIT) and (limits or self.mine(part.id, Told.POWER))

    @property
    def balanced(self) -> list[str]:
        """The batteries that derctl steers for the site's balance."""
        ders = [part for part in self.of("der") if part.use.stores and (part.use.can.get("ac") or {}).get("aim")]
        return [part.id for part in ders if self.mine(part.id, Told.POWER) and self.controlled(part)]


def text_of(draft: Draft, came_from: str, here: Path | None = None) -> str:
    """The whole file."""
    lines = [
        f"# Written by `derctl init` from {clean(came_from)}. Every key: docs/interfaces.md, section 1.",
        "# Sign everywhere: positive is towards the grid (generation, discharge, export).",
        "# derctl watches and writes nothing until `mode` says control; `derctl check -c FILE` reads this again.",
        *([NOT_AS_SERVICE] if here is None else []),
        "version: 1",
        f"site: {flow(_site(draft, here))}",
        *_mqtt(draft),
        "",
        "buses:   # one for each address or line; several units share one",
        *_buses(draft),
        "",
        *_ders(draft),
        "",
        *_poc(draft),
        "",
        *_functions(draft),
        *_controllers(draft),
    ]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _site(draft: Draft, here: Path | None) -> dict[str, Any]:
    site: dict[str, Any] = {"id": draft.id, "v_nom_v": draft.v_nom_v, "f_nom_hz": draft.f_nom_hz}
    site |= {} if draft.grid_code is None else {"grid_code": draft.grid_code}
    lies = {} if here is None else {"state_dir": str(here / "state"), "socket": str(here / "derctl.sock")}
    return site | {"mode": "observe"} | lies


def _mqtt(draft: Draft) -> list[str]:
    if not draft.mqtt:
        return ["# mqtt: {host: broker.example.net, principals: [{name: ops, may_arm: true}]}   # without it: alone"]
    host, _, port = draft.mqtt.partition(":")
    where = {"host": host} | ({"port": int(port)} if port else {})
    return [f"mqtt: {flow(where)}   # principals: [{{name: ops}}] says who may command; nobody does yet"]


def _buses(draft: Draft) -> Iterator[str]:
    seen: dict[str, list[Part]] = {}
    for part in draft.parts:
        seen.setdefault(part.bus, []).append(part)
    for bus, parts in seen.items():
        found = parts[0].found
        slow = [each.found.timeout_s for each in parts if each.found.timeout_s is not None]
        wire = {"id": bus, **found.wire} | ({"timeout_s": max(slow)} if slow else {})
        alone = "   # it serves one connection: no other program may use it" if found.max_clients == 1 else ""
        yield f"  - {flow(wire)}{alone}"


def _ders(draft: Draft) -> Iterator[str]:
    ders = draft.of("der")
    if not ders:
        yield "ders: []"
        return
    yield "ders:"
    for part in ders:
        row: dict[str, Any] = {"id": part.id} | part.row
        rated = draft.ratings_w.get(part.id)
        rating = {} if rated is None else {"p_max_w": rated}
        row |= {"rating": rating} if rating else {}
        row |= {} if draft.controlled(part) else {"control": False}
        bms = bms_of(draft, part)
        row |= {} if bms is None else {"bms": bms.row}
        yield from wrapped(clean(f"{part.use.name}, {_text(part, bms)}"), "  # ", "  #   ", width=110)
        advice, ceiling = part.use.fallback, draft.ceilings_w.get(part.id)
        if advice is not None:
            yield from wrapped(clean(f"without derctl ({advice.by}): {advice.why}"), "  # ", "  #   ", width=110)
            if ceiling is not None:
                row["fallback"] = {"p_ceiling_w": ceiling, "by": advice.by} | _after(part, draft)
        yield f"  - {flow(row)}"


SOON_S = 15.0
"""Where a battery rests when derctl is silent, what is limited beside it has to lapse no later (core/containment)."""


def _after(part: Part, draft: Draft) -> dict[str, float]:
    """What a battery took is exported once its timer has run out: the others hold on no longer."""
    timed = part.use.fallback is not None and part.use.fallback.by == "reversion"
    return {"after_s": SOON_S} if timed and not part.use.stores and draft.balanced else {}


def _text(part: Part, bms: Part | None) -> str:
    """Without what is mended by naming the battery's management system."""
    text = part.use.text
    for problem in part.use.problems if bms is not None else ():
        text = text.replace(f"; {problem}", "") if "bms" in problem else text
    return text


def bms_of(draft: Draft, part: Part) -> Part | None:
    """Of the same place; else the only one of a single battery."""
    if not part.use.stores:
        return None
    there, batteries = draft.of("bms"), [each for each in draft.of("der") if each.use.stores]
    same = [each for each in there if each.found.place == part.found.place]
    if len(same) == 1 and sum(each.found.place == part.found.place for each in batteries) == 1:
        return same[0]
    return there[0] if len(there) == len(batteries) == 1 else None


def _poc(draft: Draft) -> Iterator[str]:
    for part in draft.of("meter"):
        row = flow(part.row | {"sign": draft.sign if part.id == draft.poc else part.use.meter_sign or 1})
        if part.id == draft.poc:
            yield f"poc: {row}   # {part.told}"
        else:
            yield f"# {part.told}: {row}"
    if draft.poc == "none":
        yield "# poc: the meter at the point of connection; without one nothing can be held there"


def _functions(draft: Draft) -> Iterator[str]:
    yield "functions:   # the order doesn't matter: each kind has its rank (derctl check shows it)"
    if draft.limit_w is not None:
        place = place_of(draft.grid_code)
        held = HOLDERS[draft.limiter]
        yield from wrapped(f"the agreement; beneath it stands {held}: {place.rule}", "  # ", "  #   ", width=110)
        yield f"  - {{kind: contract_export_limit, limit_w: {flow(draft.limit_w)}}}"
    running = sorted({name for part in draft.of("der") for name in part.use.own_on})
    seen = f" (here: {', '.join(running)})" if running else ""
    yield f"  # volt-var, volt-watt and droop: the certified ones in the devices are preferred{seen}"
    mark = "" if draft.grid_functions == "derctl" else "# "
    for kind in ("volt_watt", "volt_var", "freq_droop"):
        yield f"  {mark}- {{kind: {kind}}}"
    if any(part.use.stores for part in draft.of("der")):
        yield "  - {kind: bms_guard}"
        yield "  - {kind: soc_guard, min_pct: 10, max_pct: 95}"
    yield "  - {kind: operator_limit}"
    if draft.balanced:
        of = {"ders": draft.balanced}
        yield f"  - {{kind: setpoint, {flow(of)[1:-1]}}}"
        if draft.poc != "none":
            yield f"  - {{kind: self_consumption, {flow(of)[1:-1]}}}"


def _controllers(draft: Draft) -> Iterator[str]:
    seen = {rival.key: rival.name for rival in draft.rivals}
    told = {**dict.fromkeys(seen, "derctl"), **draft.owners}
    rows: dict[tuple[str, str], dict[str, list[str]]] = {}
    for key, owner in told.items():
        der, _, what = key.rpartition(".")
        name, side = (seen.get(key), "could") if owner == "derctl" else (owner, "owns")
        if name is not None:
            rows.setdefault((name, der), {}).setdefault(side, []).append(what)
    if rows:
        yield ""
        yield "controllers:   # who else can tell a device something; each thing has one owner"
    for (name, der), sides in rows.items():
        yield f"  - {flow({'name': name, 'ders': [der]} | sides)}"
