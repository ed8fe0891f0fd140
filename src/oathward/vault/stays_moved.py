"""Visits and accounts that change their number, or their patient, and what becomes of the stays under them.

Rules:
- What is moved ends where it was and begins where it is now, with place, attendings and clocks as they were; open if it
  was open. It ends in any case: of whom it was not, nobody cares for by it.
- It ends only where that was said later than what is known (``stays``), and where it does not end it does not begin.
- Where the target has a stay under that number already, that one is right, and nothing begins.
- An account takes along the visits that were said to be of it.
- A visit that is heard of here for the first time leaves an end behind, so that its admission, told late, begins nothing
  for the patient it was not of.

Deliberately absent: who is who; merged patients share their stays by their tie (``care.tied``).

Source: HL7 v2.8.2 §3.3.41 to §3.3.45, §3.3.49, §3.3.50 (events), §3.5.2.1 (merge, move, change identifiers).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oathward.ledger import Leaf
from oathward.vault import care_rows as rows
from oathward.vault.care import tied
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Stamps, Stay
from oathward.vault.stays import Said, ended_by, put_new, told, tombstone


@dataclass(frozen=True, slots=True)
class Moved:
    """One statement: what was under a prior number is under this one, of this patient.

    Args:
        said: of whom it is now; ``encounter`` and ``account`` are the numbers now, empty: as before.
        names: keyed identifiers of the patient it was of (MRG-1); empty: the same one.
        visit: keyed hash of the prior visit number (MRG-5); empty: the whole account is meant.
        account: keyed hash of the prior account number (MRG-3).
    """

    said: Said
    names: tuple[bytes, ...]
    visit: bytes
    account: bytes


def move(db: Connection, site: str, moved: Moved, stamps: Stamps, room: Room) -> list[Leaf]:
    """Keep what a move makes of stays, inside the transaction of its message; gives its records."""
    said = moved.said
    source = rows.named(db, site, moved.names, stamps) if moved.names else said.subject
    if not source or not (moved.visit or moved.account):
        return []
    subjects = tied(db, site, source, stamps)
    kept = rows.stays_of(db, site, subjects)
    about = [stay for stay in kept if _meant(stay, moved)]
    leaves = [leaf for stay in about for leaf in _one(db, site, stay, subjects, moved, stamps, room)]
    if (
        not about
        and moved.visit
        and (said.subject not in subjects or said.encounter not in {b"", moved.visit})
    ):
        ended = tombstone(replace(said, subject=source, encounter=moved.visit, unit=None, attending=None))
        leaves += put_new(db, site, ended, said, stamps, room, kept)
    return leaves


def renamed(db: Connection, site: str, subject: str, hashes: Iterable[bytes], stamps: Stamps) -> list[Leaf]:
    """Let the numbers a patient has now lead to the patient, if in care; there is nothing to record."""
    if rows.stays_of(db, site, tied(db, site, subject, stamps)):
        rows.name(db, site, subject, hashes, stamps)
    return []


def _meant(stay: Stay, moved: Moved) -> bool:
    if moved.visit:
        return stay.encounter == moved.visit
    return moved.account in (stay.account, stay.encounter)


def _one(
    db: Connection,
    site: str,
    stay: Stay,
    subjects: frozenset[str],
    moved: Moved,
    stamps: Stamps,
    room: Room,
) -> list[Leaf]:
    said, account = moved.said, moved.said.account or stay.account
    if moved.visit:
        encounter = said.encounter or stay.encounter
    else:
        encounter = account if stay.encounter == moved.account else stay.encounter
    if said.subject in subjects and encounter == stay.encounter:
        rows.put_stay(db, site, replace(stay, account=account), stamps)
        return []
    gone = ended_by(stay, replace(said, unit=None, attending=None))
    if gone.ended_us is None:
        return []
    rows.put_stay(db, site, gone, stamps)
    leaves = told(stay, gone, said)
    there = rows.stays_of(db, site, tied(db, site, said.subject, stamps))
    if any(one.encounter == encounter for one in there):
        return leaves
    new = replace(
        stay,
        subject=said.subject,
        encounter=encounter,
        account=account,
        heard_us=said.heard_us,
        message=said.message,
    )
    return leaves + put_new(db, site, new, said, stamps, room, there)
