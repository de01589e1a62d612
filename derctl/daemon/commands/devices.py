"""Words about the devices themselves: that a new firmware is relied on, and that another device took one's place."""

from __future__ import annotations

import msgspec

from derctl.daemon.commands.row import Command, Done, Order, Reach, acknowledged, check_der


class Acknowledge(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of acknowledge. der None: all of them."""

    der: str | None = None


async def acknowledge(reach: Reach, order: Order) -> Done:
    """The new firmware of a DER, or of all, is relied on."""
    args: Acknowledge = order.args
    check_der(reach, args.der)
    text, back = acknowledged(reach, args.der)
    return Done(text=text or "nothing to acknowledge: no firmware is new", back=back)


class Replace(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of replace."""

    der: str


async def replace(reach: Reach, order: Order) -> Done:
    """The device that answers in a DER's place is taken for it, if it is one of the same model and rating."""
    args: Replace = order.args
    check_der(reach, args.der)
    text = await reach.replace(args.der)
    return Done(text=text, unsaved=f"{text}; after a restart that may be forgotten")


ROWS: dict[str, Command] = {
    "acknowledge": Command(
        args=Acknowledge,
        apply=acknowledge,
        relaxing=True,
        arms=True,
        waits=False,
        says="the new firmware of the DER, without it of all, is relied on",
    ),
    "replace": Command(
        args=Replace,
        apply=replace,
        relaxing=True,
        arms=True,
        waits=False,
        says="the device that answers in its place is taken for it, if it fits (see below)",
        verb="replace pv1",
    ),
}
