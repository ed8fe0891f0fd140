"""A site whose processes are told another time: the product has no way to be told so, the Python under it has.

Use: ``clock = Moved(folder, ahead_s)``, ``site.start(**clock.environment)``, then ``clock.set(ahead_s)`` while it runs.
All that the product knows of wall time it has from ``core/clock.py``, which asks ``time.time``; a lint rule keeps it so.
"""

import time
from pathlib import Path

HOOK = Path(__file__).parent / "another_time"


class Moved:
    """How far ahead of this machine's clock that of some processes is, in seconds."""

    def __init__(self, folder: Path, ahead_s: float) -> None:
        self._file = folder / "ahead"
        self.set(ahead_s)

    @property
    def environment(self) -> dict[str, str]:
        """What processes are started with."""
        return {"PYTHONPATH": str(HOOK), "OATHWARD_TESTS_AHEAD": str(self._file)}

    def set(self, ahead_s: float) -> None:
        """Move it, also for processes that run."""
        self.ahead_s = ahead_s
        partial = self._file.with_suffix(".part")
        partial.write_text(f"{ahead_s:.3f}")
        partial.replace(self._file)

    def now_s(self) -> float:
        """What those processes are told now."""
        return time.time() + self.ahead_s
