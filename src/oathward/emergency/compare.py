"""Compare a copy with the system as it is now, patient by patient; by ids and digests, nothing is opened.

| answer | the system has |
|---|---|
| ``same`` | what the copy has, and nothing since |
| ``newer`` | what the copy has, and more since |
| ``older`` | the copy's first messages and not its last: a restore went back behind the copy |
| ``missing`` | nothing of this patient's time in the copy |
| ``different`` | other messages, or others under the same ids |
| ``nothing`` | the copy has no message of this patient to compare |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import Connection

from oathward.vault import care, kept
from oathward.vault.emergency.copies import Section, digest_of
from oathward.vault.kept import Kept

Answer = Literal["same", "newer", "older", "missing", "different", "nothing"]


def compare(db: Connection, site: str, section: Section) -> Answer:
    """Compare one patient."""
    if not section.count:
        return "nothing"
    subjects = sorted(care.tied(db, site, section.subject, None))
    rows = [row for one in subjects for row in _since(db, site, one, section.first)]
    inside = [row for row in rows if row.message <= section.newest]
    if not inside:
        return "missing"
    if _is_same(inside, section):
        return "newer" if any(row.message > section.newest for row in rows) else "same"
    return "older" if max(row.message for row in inside) < section.newest else "different"


def _since(db: Connection, site: str, subject: str, first: str) -> Sequence[Kept]:
    """List what was kept of a subject from a message on, page by page."""
    found: list[Kept] = []
    after = first[:-1]  # the id itself included
    while page := kept.of_subject(db, site, subject, after=after):
        found += [row for row in page if row.message >= first and row.purpose not in kept.APART]
        after = page[-1].message
    return found


def _is_same(rows: Sequence[Kept], section: Section) -> bool:
    """Say whether these are the messages the copy holds; one that was kept on several links is the first of them."""
    named: dict[str, str] = {}
    for row in sorted(rows, key=lambda one: (one.message, one.purpose)):
        named.setdefault(row.message, row.body.sha256.hex())
    return len(named) == section.count and digest_of(named.items()) == section.digest
