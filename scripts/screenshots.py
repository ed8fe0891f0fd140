"""Make a picture of every page of the console and the patient portal, in both themes, to look at: ``make screenshots``.

What it does stands in ``tests/e2e/pictures.py``, beside the site and the list of pages it shares with the tests.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if __name__ == "__main__":
    runpy.run_module("tests.e2e.pictures", run_name="__main__", alter_sys=True)
