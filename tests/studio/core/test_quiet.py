import subprocess
import sys

SCRIPT = """
import sys
from studio.core.quiet import silence
silence()
from PySide6.QtCore import QObject, Signal

class Source(QObject):
    happened = Signal(bool)

source = Source()
source.happened.connect(lambda on: None)
for _ in range(2 * min(sys.getrefcount(True), 50_000)):
    source.happened.emit(True)
    source.happened.emit(False)
    source.property("absent")
print(min(sys.getrefcount(each) for each in (None, True, False)) > 1_000_000)
"""


def test_qt_cannot_use_up_the_references_of_none():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
