"""When this process last read well what stands of consents, and whether it moved: a look every ``poll_ms``.

Rules:
- A look is a short query on a thread of its own: neither the event loop nor a decision waits for it.
- How old the last good read is counts from before it began. Older than ``FRESH_S``, or never: not fresh, and links
  that are not for care must not start anything (``decision.consent-unreadable``). The next good read ends that.
- A process that stood still for a second asks once more before it holds anything: it was the process, not the database.

Deliberately absent: what is looked at, and what is done about a change; both are the caller's.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from oathward.core.errors import StorageError

FRESH_S = 1.0
"""A process whose last good read is older stops its links that are not for care."""

_PATIENCE_S = 0.05
_AGAIN_S = 1.0


class Watch:
    """Look now and then until stopped.

    Args:
        look: reads, and takes in what changed; its caller may be any thread.
    """

    def __init__(self, look: Callable[[], None], poll_s: float) -> None:
        self._look, self._poll_s = look, poll_s
        self._good_at_s = -math.inf
        self._asked_at_s = -math.inf
        self._good = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look on a thread from now on; without it only ``look`` and ``sure`` do."""
        self._thread = threading.Thread(target=self._run, name="consents", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self) -> None:
        """Look once, on the caller's thread.

        Raises:
            StorageError: it could not be read.
        """
        began_s = time.monotonic()
        try:
            self._look()
        except (DBAPIError, sqlite3.Error) as error:
            raise StorageError("consents", type(error).__name__) from error
        with self._good:
            self._good_at_s = max(began_s, self._good_at_s)
            self._good.notify_all()

    @property
    def fresh(self) -> bool:
        """Whether what is known of consents is at most a second old."""
        return time.monotonic() - self._good_at_s <= FRESH_S

    def sure(self) -> bool:
        """Say whether it is fresh, after a short wait for a look (or a look of its own) where it seems not to be."""
        now_s = time.monotonic()
        if now_s - self._good_at_s <= FRESH_S:
            return True
        if now_s - self._asked_at_s < _AGAIN_S:
            return False
        self._asked_at_s = now_s
        if self._thread is not None:
            with self._good:
                return self._good.wait_for(lambda: self.fresh, _PATIENCE_S)
        try:
            self.look()
        except StorageError:
            return False
        return self.fresh

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                self.look()
            except StorageError:
                continue  # not fresh after a second, and whoever asks is told so
