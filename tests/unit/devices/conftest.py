"""How thoroughly the tests of the drivers search."""

from hypothesis import settings

settings.register_profile("devices", deadline=None)
settings.load_profile("devices")
