"""Which profile a device that was found is taken by, and why it may not be raised under it. Pure."""

from __future__ import annotations

from derctl.core.exchange import Exchange
from derctl.core.value import replace
from derctl.core.words import ProfileBy
from derctl.devices.kind import Models
from derctl.devices.profile import best, within
from derctl.devices.sunspec.layout import Layout, find
from derctl.devices.types import Identity, Options


def met(models: Models, options: Options) -> Exchange[tuple[Layout, Options]]:
    """The map, and the options with the profile that is meant for who answers."""
    layout = yield from find(models, options)
    own = fitted(options, layout)
    profile = own.profile
    most = min(layout.max_regs, profile.max_regs)
    layout = replace(
        layout,
        max_regs=most,
        absent=profile.absent,
        silence_is_missing=profile.silence_is_missing,
        refused_is_missing=profile.refused_is_missing,
        repaired=profile.repaired,
    )
    return layout, own


def fitted(options: Options, layout: Layout) -> Options:
    """The site file's profile; where it names none, the one of the shelf that names most of this device. No read gets
    longer by it."""
    if not options.shelf:
        return options
    who, models = layout.identity, {block.model_id for block in layout.chain.blocks}
    profile = best(options.shelf, who.maker, who.model, who.firmware, models)
    if profile is None:
        return replace(options, profile_by=ProfileBy.NOBODY)
    shorter = replace(profile, max_regs=min(profile.max_regs, options.profile.max_regs))
    return replace(options, profile=shorter, profile_by=ProfileBy.IDENTITY)


def unverified(options: Options, who: Identity) -> str:
    """Why it is read and lowered, and not raised; empty where nothing speaks against it."""
    profile = options.profile
    seen = profile.seen
    if seen is None or within(who.firmware, seen) or _accepted(options.taken.firmware, who.firmware):
        return ""
    told = f"firmware {who.firmware}" if who.firmware else "a device that tells no firmware"
    text = f"profile {profile.name} was seen with firmware {seen[0]} to {seen[1]}, not with {told}"
    does = f"try what it does with a limit, then write firmware: {who.firmware!r} into its row of the site file"
    return f"{text}, so nobody raises it: {does}"


def _accepted(word: str | None, firmware: str) -> bool:
    """By the site file, this version and no other."""
    return word is not None and word.strip() == firmware.strip()
