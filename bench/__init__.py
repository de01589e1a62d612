"""Measurements that print ratios; never part of a pass/fail test. `python -m bench [--quick] [--json]`."""
