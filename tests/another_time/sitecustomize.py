"""Found by a Python whose path names this folder, and by no other: its clock is as far ahead as a file says (``tests/moved_clock.py``).

Read anew each time, so that a running process can be told another time. The clock that only goes forward stays as it is.
"""

import os
import time
from pathlib import Path

_FILE = Path(os.environ["OATHWARD_TESTS_AHEAD"])
_here = time.time

time.time = lambda: _here() + float(_FILE.read_text())
