"""From a fresh checkout to a running Reverie: ``python3 installers/bootstrap.py run`` (or test, setup, doctor).

Standard library only, because it runs before anything is installed. This file keeps to words that every Python since
2.7 can read, so that an old one can say which one is needed; the rest asks for 3.7 and hands over to a suitable one.
"""

import os
import sys

if sys.version_info < (3, 7):  # noqa: UP036  (that is the point of this file)
    sys.stderr.write("Reverie needs Python 3.11, 3.12 or 3.13; this is %d.%d.\n" % sys.version_info[:2])  # noqa: UP031
    sys.stderr.write("Install one of them, then start again with it: python3.12 installers/bootstrap.py run\n")
    sys.exit(4)

# Started as a file, Python knows only the folder of this file.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120

from installers.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
