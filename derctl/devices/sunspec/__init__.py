"""Devices that speak SunSpec: inverters, meters and battery management systems."""
