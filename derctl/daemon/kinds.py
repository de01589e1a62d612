"""The device kinds with what the shell has read for their drivers."""

from __future__ import annotations

from derctl.devices import kinds
from derctl.links.models import model

KINDS = kinds(model)
