"""How a setpoint becomes registers: one class per SunSpec control group, enable last."""
