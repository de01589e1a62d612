"""Desired, accepted, achieved: from a decision to the device's registers, and what became of it."""
