"""derctl: a controller for mixed-brand solar and battery sites."""

__version__ = "0.1.0"
