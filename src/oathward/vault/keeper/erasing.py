"""Erase a subject: destroy its keys, leave a tombstone, certify what was destroyed and until when copies live.

Steps: 1. keys deleted and tombstone kept in one commit, file rewritten; 2. tombstone published; 3. rows of
the database follow (wrapped keys on their way deleted, originals marked), with the record, in one commit;
4. the certificate is signed. A crash after step 1 loses nothing: a start publishes and records, and asking
again gives the same tombstone. What holders of the patient portal had of the subject ends with it.

Rules:
- The certificate has two dates: when no living key can open anything of the subject any more, not even
  from a copy of the database made before (the intake keys of these days must be gone), and when the last
  copy of the key store expires.
- The reason is a code, never words about a person: it is published.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import orjson

from oathward import ledger
from oathward.core.db import write
from oathward.core.errors import KeeperError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault import intake, kept
from oathward.vault.authority import Document, signing_input
from oathward.vault.keeper import backups, keyring, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import giving, reports, requests
from oathward.vault.keeper.proof import Person

_CODE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}", re.ASCII)
_ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a certificate of erasure says; times in microseconds since 1970 UTC.

    ``key_id`` and ``tombstone`` name the destroyed key; ``originals``: how many can never be opened again.
    """

    subject: str
    key_id: str
    tombstone: int
    originals: int
    erased_us: int
    live_keys_destroyed_us: int
    last_backup_expires_us: int


def erase(keeper: Keeper, subject: str, reason: str, person: Person) -> Document:
    """Erase a subject; gives the signed certificate (kind ``erasure``, body an ``Erasure`` as JSON).

    Raises:
        KeeperError: ``INPUT_INVALID``; the reason is not a code.
    """
    if not _CODE.fullmatch(reason):
        raise KeeperError("reason", "must be a code such as `gdpr.art17`", reason=Reason.INPUT_INVALID)
    now_us = keeper.now_us()
    store = keeper.store
    tombstone = subjects.erase(store, keeper.site, subject, reason, now_us)
    point("erase.committed")
    keeper.publish_tombstones()
    point("erase.published")
    giving.forget_subject(keeper, subject, person)
    reports.forget(keeper, subject)
    requests.forget(keeper, subject)
    originals = _follow(keeper, subject, reason, person, tombstone.serial)
    keeper.record_erasures()
    intake_gone = max(k.not_after_us + keyring.MARGIN_US for k in keyring.exchanges(store, "intake"))
    erasure = Erasure(
        subject,
        tombstone.key_id,
        tombstone.serial,
        originals,
        tombstone.at_us,
        max(tombstone.at_us, intake_gone),
        backups.last_expiry_us(store, now_us),
    )
    body = orjson.dumps(asdict(erasure), option=orjson.OPT_SORT_KEYS)
    unsigned = Document(keeper.site, "erasure", tombstone.key_id, 1, body, b"", now_us)
    return Document(
        keeper.site,
        "erasure",
        tombstone.key_id,
        1,
        body,
        keeper.authority.sign(signing_input(unsigned)),
        now_us,
    )


def _follow(keeper: Keeper, subject: str, reason: str, person: Person, serial: int) -> int:
    """Let the database's rows follow; gives how many originals are closed for ever."""
    with write(keeper.engine) as db:
        waiting = intake.waiting(db, keeper.site, _ROWS_MAX, subject=subject)
        intake.remove(db, [row.id for row in waiting])
        originals = kept.mark_erased(db, keeper.site, subject)
        body = {"originals": originals, "person": person.name, "reason": reason, "tombstone": serial}
        leaf = ledger.prepare(Record("subject.erased", body, keeper.now_us(), subject=subject))
        ledger.append(db, keeper.site, [leaf])
    return originals
