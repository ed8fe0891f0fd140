"""Keep the list of patients who said something (``consent.listing``): a follower of the records that change it.

Rules:
- It follows what was said, merged, joined, taken apart and erased, from the first record on: a new version of this program
  that finds an empty list fills it by itself.
- A few records a transaction; the edges between subjects are read once for these. Twice is once.
- When a statement ends, its patient's row is written anew: a list by state stays true without anybody saying anything.

Deliberately absent: deciding by it. Nothing but lists for people reads it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from oathward.consent import listing
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.ledger import Entry, Leaf
from oathward.ledger.follow import SCAN_RECORDS_MAX, follow
from oathward.patients import views as patients
from oathward.vault.opened import Opened

NAME = "consent-list"
KINDS = frozenset(
    (
        "consent.recorded",
        "subject.merged",
        "subject.joined",
        "subject.unmerged",
        "subject.erased",
        "subject.forgotten",
    )
)
RECORDS_A_TURN = 32
"""So that a transaction stays short; who is far behind takes more turns."""


def turn(site: Opened) -> bool:
    """Take in some records, or some patients of whom something ended; says whether there is more to do at once."""
    now_us = micros(site.clock.now())
    families: list[patients.Families] = []
    records = 0

    def taken(db: Connection, entry: Entry) -> tuple[Leaf, ...]:
        nonlocal records
        records += 1
        if not families:
            families.append(patients.families(db, site.site))
        _take(site, db, set(_subjects(entry)), families[0], now_us)
        if entry.kind in {"subject.erased", "subject.forgotten"}:
            listing.forget(db, site.site, [*_subjects(entry)])
        return ()

    moved = follow(site.engine, site.site, NAME, KINDS, taken, batch=RECORDS_A_TURN)
    with read(site.engine) as db:
        ended = listing.due(db, site.site, now_us=now_us, limit=RECORDS_A_TURN)
    if ended:
        with write(site.engine) as db:
            _take(site, db, set(ended), patients.families(db, site.site), now_us)
    # Not: whether more came meanwhile, which it always does.
    return RECORDS_A_TURN in {records, len(ended)} or moved >= SCAN_RECORDS_MAX


def _take(site: Opened, db: Connection, subjects: set[str], families: patients.Families, now_us: int) -> None:
    for family in {families.of(one) for one in subjects}:
        listing.take(db, site.site, family, authority=site.authority, seen=site.seen, now_us=now_us)


def _subjects(entry: Entry) -> Iterator[str]:
    """Name everybody a record is about."""
    yield from (one for one in (entry.subject, entry.body.get("child"), entry.body.get("parent")) if one)
    yield from entry.body.get("subjects", ())
