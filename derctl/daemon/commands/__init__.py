"""Operator commands: one table for MQTT, the socket and the CLI."""
