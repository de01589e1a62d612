"""How thoroughly the properties are searched."""

from hypothesis import settings

settings.register_profile("properties", deadline=None)
settings.load_profile("properties")
