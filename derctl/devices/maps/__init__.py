"""Devices with registers of their own: one engine, and a YAML file for each maker's map."""
