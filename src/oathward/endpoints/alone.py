"""One at a time: who resolves statements, merges or splits holds a site's inventory alone, so that no two make one device twice.

The same for other work of a site that two must not do at once: putting flows together, telling findings. A lock beside the database, held for seconds and over several transactions; readers never wait for it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from oathward.core.db import hold_alone, read


@contextmanager
def alone(engine: Engine, site: str, what: str = "endpoints") -> Iterator[None]:
    """Hold the inventory of a site, or other work of it; waits for whoever does."""
    if engine.dialect.name != "sqlite":
        with read(engine) as db:
            hold_alone(db, f"{what}|{site}")
            yield
        return
    fd = os.open(f"{engine.url.database}.{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
