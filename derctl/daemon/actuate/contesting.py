"""Whether a write would put right what somebody else set to less, and whether that is to be left as it is."""

from __future__ import annotations

from derctl.core.types import Setpoint
from derctl.core.value import replace
from derctl.core.words import OnOverride, Reason
from derctl.daemon.actuate.account import Account, case_of
from derctl.daemon.actuate.contest import leaves, put_right, why_left
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.judge import overridden
from derctl.daemon.actuate.ration import tightens
from derctl.daemon.actuate.text import contested_text
from derctl.daemon.actuate.trouble import Happened
from derctl.daemon.actuate.wish import Wish


def contested(
    account: Account, desired: Setpoint, accepted: Setpoint | None, wish: Wish, *, writes: bool, busy: bool
) -> bool:
    """What gives more than derctl's is put right always, and so is what a device has made of it in a silence. writes:
    there is something to write."""
    now_s, written = wish.at_s, account.hold.written
    if accepted is None or written is None or not (writes or account.trouble.code is Reason.CONTESTED):
        return False
    second = overridden(case_of(account, wish, account.channel.measured.profile, busy=busy), now_s)
    less = bool(second) and not tightens(desired, accepted) and not account.is_back
    if account.trouble.code is Reason.CONTESTED and second is not None and not less:
        account.happened(Happened.SETTLED)
    if not (less and writes):
        return False
    if not leaves(account.contest, now_s):
        account.contest = put_right(account.contest, now_s)
        return False
    text = contested_text(written.setpoint, accepted, now_s - written.at_s, why_left(account.contest))
    kept = account.contest.policy is not OnOverride.REASSERT and _lower(accepted, written.setpoint)
    if not kept or account.contest.policy is OnOverride.ALARM:
        account.happened(Happened.CONTESTED, text)
    if kept:
        _keep(account, written, accepted)
    return True


def _lower(accepted: Setpoint, told: Setpoint) -> bool:
    """Whether it is the limit that somebody set; of var alone nothing is kept."""
    limit_w = accepted.p_ceiling_w
    return limit_w is not None and (told.p_ceiling_w is None or limit_w < told.p_ceiling_w)


def _keep(account: Account, written: Written, accepted: Setpoint) -> None:
    """From now on that is what stands: a word that lifts it lets derctl's own come back."""
    account.yields(accepted.p_ceiling_w or 0.0)
    stands = replace(written.setpoint, p_ceiling_w=accepted.p_ceiling_w)
    account.hold = replace(account.hold, written=replace(written, setpoint=stands, found=accepted))
