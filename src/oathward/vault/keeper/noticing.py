"""Open how links know a patient, for the gateway's notices: identifiers that left, of those whose consent this keeper signed.

Rules:
- Only of a patient of whom this keeper signed what they allow, or whom the caller takes for one person with such a one: a
  merge is the database's to know. Each opening is a record before it is answered, and names both.
- At most ``OPENED_HOUR_MAX`` an hour: a captured gateway gets a trickle of identifiers that recipients have anyway.
- Nothing else opens by this: no original, no card.

Deliberately absent: what a notice says, and a person's proof: the patient's signed word asks for it.
"""

from __future__ import annotations

from collections import deque

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault import shown
from oathward.vault.keeper import intake, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.original import Original
from oathward.vault.keeper.proof import Caller
from oathward.vault.seal import open_original
from oathward.vault.shown import Shown

OPENED_HOUR_MAX = 5_000
_HOUR_S = 3_600.0
_CONSENT = "consent"


def open_shown(
    keeper: Keeper, caller: Caller, subject: str, because: str, links: list[str]
) -> list[Original]:
    """Open how some links know a subject; those where nothing was sealed are left out. ``purpose`` of each is its link.

    Args:
        because: whose signed consent it is for: the subject, or one the subject is one person with.

    Raises:
        KeeperError: ``NOT_PERMITTED``: nobody had that signed. ``RATE_OF_OPENING``, ``NOT_FOUND``: erased.
        VaultError: a seal does not open.
    """
    if not keeper.confirmed:
        raise KeeperError("witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE)
    if keeper.store.one("SELECT 1 FROM signed WHERE kind = ? AND id = ?", _CONSENT, because) is None:
        raise KeeperError("because", "no consent of this patient was signed", reason=Reason.NOT_PERMITTED)
    subjects.check_not_erased(keeper.store, keeper.site, subject)
    with read(keeper.engine) as db:
        rows = [one for one in shown.of(db, keeper.site, [subject]) if one.link in links and one.key_id]
    _count(keeper, len(rows))
    opened = [_open(keeper, row) for row in rows]
    body = {
        "because": because,
        "links": [row.link for row in rows],
        "process": f"{caller.role} uid {caller.uid}",
    }
    keeper.record([Record("notice.identified", body, keeper.now_us(), subject=subject)])
    return opened


def _count(keeper: Keeper, more: int) -> None:
    now_s = keeper.monotonic()
    times: deque[float] = keeper.identified
    with keeper.guard:
        while times and times[0] <= now_s - _HOUR_S:
            times.popleft()
        if len(times) + more > OPENED_HOUR_MAX:
            raise KeeperError("notices", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        times.extend([now_s] * more)


def _open(keeper: Keeper, row: Shown) -> Original:
    if keeper.store.one("SELECT 1 FROM data_key WHERE id = ?", row.key_id) is None:
        intake.take_all(keeper)
    key = subjects.data_key(keeper.store, keeper.site, row.subject, row.key_id)
    data = open_original(key, keeper.site, row.subject, row.message, shown.PURPOSE, row.sealed)
    return Original(row.message, row.subject, row.link, Phi(data))
