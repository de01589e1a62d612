"""How much more than all of its rating a register may say."""

MOST_PU = 1.01
"""Registers have steps, and a rating is a rounded number too; beyond that no setpoint means anything
(docs/sources.md)."""
