"""`python -m derctl`."""

import sys

from derctl.cli import main

sys.exit(main())
