"""How thoroughly the tests of the functions search."""

from hypothesis import settings

settings.register_profile("functions", deadline=None)
settings.load_profile("functions")
