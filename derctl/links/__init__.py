"""The only package that awaits the outside: the Modbus bus, the broker, systemd, the unix socket."""
