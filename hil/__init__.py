"""The bench: a simulated site that speaks Modbus bytes to whatever controls it. Imports nothing from derctl.

One BLAS thread: the solver's matrices are small, and more threads only burn the CPU that the daemon under test needs.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
