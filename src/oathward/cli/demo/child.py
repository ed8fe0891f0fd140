"""Run one ``oathward`` command that ends when its standard input does: ``python -m oathward.cli.demo.child serve …``.

However the demo itself ends, even by kill -9, nothing it started goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from oathward.cli.main import main


def _wait_for_the_end() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_wait_for_the_end, daemon=True).start()
    main()
