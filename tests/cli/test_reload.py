"""`derctl reload`: what became of the site file that is read again."""

from __future__ import annotations

from typing import Any

from derctl.core.words import Refusal
from derctl.errors import CommandError
from tests.cli.calls import Here, SiteFile


async def test_what_was_taken_over_is_printed(here: Here, site_file: SiteFile, answers: Any) -> None:
    answers("taken over: functions")
    assert await here("reload", "-c", str(site_file())) == (0, "taken over: functions\n", "")


async def test_a_file_that_the_daemon_refuses_ends_with_78_and_says_that_the_running_one_stays(
    here: Here, site_file: SiteFile, answers: Any
) -> None:
    answers(CommandError(Refusal.BAD_SITE_FILE, "site.state_dir can't change"))
    code, out, _ = await here("reload", "-c", str(site_file()))
    assert (code, out) == (78, "the running site file stays: site.state_dir can't change\n")


async def test_any_other_no_is_a_no(here: Here, site_file: SiteFile, answers: Any) -> None:
    answers(CommandError(Refusal.NOT_READY, "not now"))
    assert (await here("reload", "-c", str(site_file())))[0] == 1


async def test_a_file_that_is_broken_is_said_without_asking_the_daemon(
    here: Here, site_file: SiteFile, answers: Any
) -> None:
    answers(AssertionError("asked"))
    code, _, err = await here("reload", "-c", str(site_file(("limit_w: 5000", "limit_w: much"))))
    assert code == 78
    assert "functions[0].limit_w" in err and "a running daemon keeps the one it has" in err


async def test_without_a_daemon_there_is_nothing_to_reload(here: Here, site_file: SiteFile) -> None:
    assert (await here("reload", "-c", str(site_file())))[0] == 69
