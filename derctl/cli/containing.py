"""How long an export above the limit may last, in words for an installer."""

from __future__ import annotations

from derctl.core.containment import OF_THE_SUM, Budget
from derctl.core.words import KnownBy


def containment_text(budget: Budget) -> str:
    """What is allowed, what it takes, and what follows from that."""
    lasts_s = budget.lasts_s
    takes = "how long is not known" if lasts_s is None else f"for up to {lasts_s:.3g} s"
    text = f"a load that drops may lift the export above its limit {takes}; {budget.containment_s:g} s are allowed"
    text += f" ({budget.by})"
    if budget.hopeless:
        return f"{text}: refused, since not even the inverters' sum comes down within {_sure(budget)}"
    if budget.contained:
        return text
    return f"{text}: local load is not credited until it is measured to be shorter"


def _sure(budget: Budget) -> str:
    """What the sum takes by settings alone, and what would do."""
    tick = next((each for each in budget.summands if each.stage == "decide"), None)
    rest_s = budget.sure_s - sum(each.seconds or 0.0 for each in budget.summands if each.stage in {"poll", "decide"})
    text = f"{budget.sure_s:.3g} s"
    if tick is None or rest_s >= budget.containment_s:
        return f"{text}. Spread the devices over several buses"
    return f"{text}. A tick_s of {(budget.containment_s - rest_s) / 1.4:.2g} or less would do"


def summands_text(budget: Budget) -> str:
    """The table in one line; * for what the inverters' sum takes alone."""
    parts = []
    for each in budget.summands:
        seconds = "?" if each.seconds is None else f"{each.seconds:.3g} s"
        how = "" if each.by is KnownBy.SET else f" ({each.by})"
        parts.append(f"{each.stage}{'*' if each.stage in OF_THE_SUM else ''} {seconds}{how}")
    return " + ".join(parts)
