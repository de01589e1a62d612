"""The table of operator commands, for MQTT, the socket and the CLI. A family of commands has a file of its own."""

from __future__ import annotations

from derctl.daemon.commands import (
    departure,
    devices,
    functions,
    looking,
    mode,
    plans,
    power,
    settings,
    site_limits,
    stop,
)
from derctl.daemon.commands.row import Command

COMMANDS: dict[str, Command] = (
    power.ROWS
    | site_limits.ROWS
    | plans.ROWS
    | departure.ROWS
    | settings.ROWS
    | functions.ROWS
    | stop.ROWS
    | mode.ROWS
    | devices.ROWS
    | looking.ROWS
)
