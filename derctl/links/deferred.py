"""Modules that a library imports and derctl does not use: read when something of them is asked for, which may be
never."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class Deferred(ModuleType):
    """It stands for the module of its name, and has what that has."""

    def __getattr__(self, name: str) -> Any:
        if name == "__file__":  # whoever looks through all modules needs none of them
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = import_module(self.__name__)
        vars(self).update(vars(module))  # who imported it keeps this one
        return getattr(module, name)


def deferred(*names: str) -> None:
    """What is installed and not read yet."""
    for name in names:
        if name not in sys.modules and find_spec(name) is not None:
            sys.modules[name] = module = Deferred(name)
            above, _, last = name.rpartition(".")
            if above:
                setattr(sys.modules[above], last, module)
