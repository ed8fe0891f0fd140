"""Who traced what, as a record of the ledger: written before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oathward import ledger
from oathward.core.db import write
from oathward.ledger import Record, prepare
from oathward.vault.opened import Opened

ASKED_MAX = 100


def note(
    site: Opened,
    of: str,
    asked: Iterable[str],
    found: int,
    *,
    by: str,
    now_us: int,
    subject: str = "",
    message: str = "",
) -> None:
    """Note that somebody traced something.

    Args:
        of: ``message``, ``subject`` or ``release``. asked: ids, which say nothing of anybody. found: how many answers there are.
    """
    body: dict[str, Any] = {"asked": sorted(asked)[:ASKED_MAX], "by": by, "found": found, "of": of}
    with write(site.engine) as db:
        ledger.append(db, site.site, [prepare(Record("trace.read", body, now_us, subject, (), message))])
