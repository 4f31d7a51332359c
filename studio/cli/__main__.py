"""``python -m studio.cli``: the same as the command ``reverie``."""

import sys

from studio.cli import main

sys.exit(main())
