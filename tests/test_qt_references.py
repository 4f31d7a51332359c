"""PySide counts references as this Python needs it.

PySide6 6.12.0 returns None, True and False without counting, as is right from Python 3.12 on: on 3.11 every ``setText``
took one reference from None, and after some ten thousand calls the process aborted.
"""

import subprocess
import sys

SCRIPT = """
import sys
from PySide6.QtCore import QObject, Signal

class Source(QObject):
    happened = Signal(bool)

source = Source()
source.happened.connect(lambda on: None)
before = [sys.getrefcount(each) for each in (None, True, False)]
for _ in range(200):
    source.happened.emit(True)
    source.setObjectName("a")
    source.property("absent")
after = [sys.getrefcount(each) for each in (None, True, False)]
print(max(abs(a - b) for a, b in zip(after, before, strict=True)))
"""


def test_qt_calls_leave_the_count_of_none_and_the_booleans_alone():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20
