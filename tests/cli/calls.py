"""What the fixtures of these tests are: ways to call the command line, and what it said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Said = tuple[int, str, str]
"""Code, stdout, stderr."""
Here = Callable[..., Awaitable[Said]]
Outside = Callable[..., Said]
SiteFile = Callable[..., Path]
At = Callable[[str], str]
Called = Callable[..., None]
Speaking = Callable[..., Awaitable[str]]
Scanned = list[tuple[int, dict[str, Any]]]
ByPysunspec2 = Callable[[str, int], Awaitable[Scanned]]
