"""The shape of a profile file: each value with who says it and where. KEYS is the only list of its values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from derctl.site.map_file import By, MapSection, Text
from derctl.site.schema import END, Id, Port, Unit

Versions = Annotated[str, Meta(pattern=rf"^[^\n]*[0-9][^\n]*{END}", max_length=32, description="a firmware's name")]

KEYS: dict[str, dict[str, Any]] = {
    "place": {
        "units": Annotated[list[Unit], Meta(max_length=8)],
        "ports": Annotated[list[Port], Meta(max_length=4)],
    },
    "transport": {
        "timeout_s": Annotated[float, Meta(ge=0.05, le=60)],
        "min_interval_s": Annotated[float, Meta(ge=0, le=10)],
        "connect_delay_s": Annotated[float, Meta(ge=0, le=60)],
        "backoff_s": Annotated[float, Meta(ge=1, le=600)],
        "turnaround_s": Annotated[float, Meta(ge=0, le=5)],
        "answer_floor_s": Annotated[float, Meta(gt=0, le=60)],
        "answer_s": Annotated[float, Meta(gt=0, le=60)],
        "max_clients": Annotated[int, Meta(ge=1, le=64)],
    },
    "read": {
        "max_regs": Annotated[int, Meta(ge=1, le=125)],
        "refresh_s": Annotated[float, Meta(gt=0, le=900)],
        "silence_is_missing": bool,
        "refused_is_missing": bool,
        "spans": bool,
    },
    "chain": {"bases": list[Annotated[int, Meta(ge=0, le=65533)]], "repaired": Literal["read", "write"]},
    "decode": {
        "meter_sign": Literal[1, -1],
        "absent": dict[str, Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1)]],
    },
    "write": {
        "writes": Literal["block", "points", "registers", "both"],
        "enable": Literal["rewrite", "apart", "toggle"],
        "readback": Literal["values", "effect_only"],
        "gate": Annotated[list[Annotated[int, Meta(ge=0, le=65535)]], Meta(min_length=2, max_length=2)],
        "until_told": list[Annotated[str, Meta(min_length=1, max_length=64)]],
        "write_min_interval_s": Annotated[float, Meta(ge=0, le=900)],
        "deadband_pct": Annotated[float, Meta(ge=0, le=20)],
    },
    "deadman": {
        "timer_rearm": Literal["write", "any_message", "none"],
        "storage_reverts": bool,
        "own_timer_s": float,
    },
    "limits": {
        "min_limit_pct": Annotated[float, Meta(ge=0, le=50)],
        "settle_s": Annotated[float, Meta(gt=0, le=3600)],
        "wake_s": Annotated[float, Meta(gt=0, le=900)],
        "tolerance_pct": Annotated[float, Meta(gt=0, le=20)],
    },
    "flash": {
        "volatile": bool,
        "cyclic": list[Annotated[str, Meta(min_length=1, max_length=64)]],
        "writes_a_day": Annotated[int, Meta(ge=4, le=10_000)],
    },
}
"""By group: what a value may be. Each is a field of Profile, and has who uses it."""


class RowSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """match[]: a device that it is meant for."""

    maker: Annotated[str, Meta(max_length=32)] = ""
    model: Annotated[str, Meta(max_length=32)] = ""
    oldest: Versions | None = None
    newest: Versions | None = None
    has: Annotated[int, Meta(ge=1, le=65534)] | None = None
    by: By
    source: Text


class FirmwareSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """firmware: between which versions it was seen."""

    oldest: Versions
    newest: Versions
    by: By
    source: Text


class RegisterSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """registers[]: one of the maker's own, for people."""

    name: Text
    address: Annotated[int, Meta(ge=0, le=65535)]
    stored: bool | None = None
    by: By
    source: Text


def _given(key: str, kind: Any) -> type[Struct]:
    fields = [("value", kind), ("by", By), ("source", Text)]
    return msgspec.defstruct(key, fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


def _group(name: str) -> Any:
    fields = [(key, _given(key, kind) | None, None) for key, kind in KEYS[name].items()]
    return msgspec.defstruct(name, fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


ProfileFile = msgspec.defstruct(
    "ProfileFile",
    [
        ("name", Id),
        ("title", Text),
        ("reads", Text),
        ("controls", Text),
        ("failsafe", Text),
        ("notes", list[Text], msgspec.field(default_factory=list)),
        ("dumps", list[Text], msgspec.field(default_factory=list)),
        ("personality", Id | None, None),
        ("match", list[RowSection], msgspec.field(default_factory=list)),
        ("firmware", FirmwareSection | None, None),
        *((name, _group(name) | None, None) for name in KEYS),
        ("registers", list[RegisterSection], msgspec.field(default_factory=list)),
        ("map", MapSection | None, None),
    ],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
)
"""The whole file."""
