"""Plant parts as Modbus holding registers, laid out and encoded by pysunspec2."""
