"""The only package that awaits the outside: the Modbus bus, the broker, systemd, the unix socket."""

from derctl.links.deferred import deferred

deferred("urllib.request", "serial", "bz2", "lzma", "stringprep")
"""By whom, and when they are used: paho, for the proxies that are set, where PySocks is there; pymodbus, for a serial
port; shutil, for archives; the codec of host names, for names beyond ASCII."""
