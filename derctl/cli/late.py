"""What `verify` and `identify` need inside a daemon, read when somebody asks for it: most days nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

from derctl.core.words import Refusal
from derctl.daemon.trials import Trials
from derctl.errors import CommandError
from derctl.links.talk import Talk

Session = Callable[[Trials, Mapping[str, Any], str, Talk], Awaitable[Any]]

OTHER = "what is installed is another version than the one that runs: restart the service first"


def late(name: str) -> Session:
    """It raises CommandError too where what is on disk does not fit what runs."""

    async def session(trials: Trials, args: Mapping[str, Any], who: str, talk: Talk) -> Any:
        try:
            module = await asyncio.to_thread(import_module, "derctl.cli.sessions")  # ticks go on meanwhile
        except (ImportError, SyntaxError) as error:
            raise CommandError(Refusal.NOT_READY, OTHER) from error
        return await module.SESSIONS[name](trials, args, who, talk)

    return session


SESSIONS: dict[str, Session] = {name: late(name) for name in ("verify", "identify")}
"""By call, as in cli/sessions."""
