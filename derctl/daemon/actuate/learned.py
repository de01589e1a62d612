"""What was learned of how inverters stand by, as plain values for the state file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from derctl.core.value import replace
from derctl.daemon.actuate.rest import Rest
from derctl.daemon.actuate.writer import Writer

POSITIVE = msgspec.Meta(ge=0.0)


class Learned(msgspec.Struct, kw_only=True, frozen=True):
    """Of a Rest, what outlives a restart."""

    least_w: Annotated[float, POSITIVE] = 0.0
    wake_s: Annotated[float, POSITIVE] | None = None


NOTHING = Learned()


def learned(writers: Mapping[str, Writer]) -> dict[str, Any]:
    """By DER id, where there is anything."""
    found = {name: _of(each.account.rest) for name, each in writers.items()}
    return {name: msgspec.to_builtins(each) for name, each in found.items() if each != NOTHING}


def relearned(writers: Mapping[str, Writer], saved: Mapping[str, Any]) -> dict[str, str]:
    """Gives it back. Returns what was wrong with those that can't be read: they learn anew."""
    refused = dict[str, str]()
    for name, plain in saved.items():
        try:
            known = msgspec.convert(plain, Learned)
        except msgspec.ValidationError as error:
            refused[name] = str(error)
            continue
        if name in writers:
            account = writers[name].account
            account.rest = replace(account.rest, least_w=known.least_w, wake_s=known.wake_s)
    return refused


def _of(rest: Rest) -> Learned:
    return Learned(least_w=rest.least_w, wake_s=rest.wake_s)
