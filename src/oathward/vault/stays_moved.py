"""Visits and accounts that change their number, or their patient, and what becomes of the stays under them.

Rules:
- What is moved ends where it was and begins where it is now, with place, attendings and clocks as they were; open if it
  was open. It ends in any case: of whom it was not, nobody cares for by it.
- Whose it was is who has the number of MRG-1, in care or not. Where nobody has it, or a move names nobody, what is under
  that visit or account ends of whomever it is, and begins nothing: that is unclear. A finding says so.
- It ends only where that was said later than what is known (``stays``), and where it does not end it does not begin.
- Where the target has a stay under that number already, that one is right, and nothing begins.
- An account takes along the visits that were said to be of it.
- A visit that is heard of here for the first time, and an account, leave an end behind, so that an admission said before
  the move and told late begins nothing for the patient it was not of; where nobody knows who that is, for nobody.

Deliberately absent: who is who; merged patients share their stays by their tie (``care.tied``).

Source: HL7 v2.8.2 §3.3.41 to §3.3.45, §3.3.49, §3.3.50 (events), §3.5.2.1 (merge, move, change identifiers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from oathward.core.reasons import Reason
from oathward.ledger import Leaf
from oathward.vault import care_rows as rows
from oathward.vault.care import tied
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Stamps, Stay
from oathward.vault.stays import Said, ended_by, tombstone
from oathward.vault.stays_held import NOBODY, Held, finding

Whose = Callable[[Connection, Sequence[bytes]], list[str]]
"""Keyed identifiers -> the subjects they name."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One statement: what was under a prior number is under this one, of this patient.

    Args:
        said: of whom it is now; ``encounter`` and ``account`` are the numbers now, empty: as before.
        names: keyed identifiers of the patient it was of (MRG-1).
        visit: keyed hash of the prior visit number (MRG-5); empty: the whole account is meant.
        account: keyed hash of the prior account number (MRG-3).
        same: it was of the same patient: MRG-1 is empty, and the event is about one.
    """

    said: Said
    names: tuple[bytes, ...]
    visit: bytes
    account: bytes
    same: bool = False


def move(
    db: Connection, site: str, moves: Sequence[Moved], whose: Whose, stamps: Stamps, room: Room
) -> list[Leaf]:
    """Keep what one message's moves make of stays, inside its transaction; gives its records."""
    held = Held(db, site, stamps, room)
    moves = [one for one in moves if one.visit or one.account]
    count = held.chosen(len(moves))
    if count < len(moves):
        held.limit("message", moves[0].said, len(moves) - count)
    found: dict[tuple[bytes, ...], list[str]] = {}
    unclear: list[Said] = []
    for moved in moves[:count]:
        if moved.same:
            prior = [moved.said.subject]
        else:
            if moved.names not in found:
                found[moved.names] = whose(db, moved.names) if moved.names else []
            prior = found[moved.names]
        if prior:
            _of(held, moved, frozenset(one for subject in prior for one in held.tied(subject)), prior[0])
        else:
            unclear.append(moved.said)
            _of_nobody(held, moved)
    leaves = [finding(Reason.CARE_PRIOR, unclear[0], moves=len(unclear))] if unclear else []
    return leaves + held.write()


def renamed(db: Connection, site: str, subject: str, hashes: Iterable[bytes], stamps: Stamps) -> list[Leaf]:
    """Let the numbers a patient has now lead to the patient, if in care; there is nothing to record."""
    if rows.stays_of(db, site, tied(db, site, subject, stamps)):
        rows.name(db, site, subject, hashes, stamps)
    return []


def _of(held: Held, moved: Moved, subjects: frozenset[str], prior: str) -> None:
    """Move what is a known patient's."""
    said = moved.said
    about = [stay for stay in held.of(subjects) if _meant(stay, moved)]
    for stay in about:
        _one(held, stay, subjects, moved)
    elsewhere = said.subject not in subjects
    if moved.visit:
        leaves_end = not about and (elsewhere or said.encounter not in {b"", moved.visit})
    else:
        leaves_end = elsewhere and all(stay.encounter != moved.account for stay in about)
    if leaves_end:
        held.begin(_end(moved, prior), said)


def _of_nobody(held: Held, moved: Moved) -> None:
    """End what is under a number, of whomever it is but the patient who has it now."""
    said = moved.said
    subjects = held.tied(said.subject)
    for stay in held.under(moved.visit, moved.account):
        if stay.subject in subjects:
            _one(held, stay, subjects, moved)
        else:
            held.put(_gone(stay, said), said)
    held.end_nobodys(_end(moved, NOBODY), said)


def _meant(stay: Stay, moved: Moved) -> bool:
    if moved.visit:
        return stay.encounter == moved.visit
    return moved.account in (stay.account, stay.encounter)


def _end(moved: Moved, subject: str) -> Stay:
    number = moved.visit or moved.account
    return tombstone(
        replace(moved.said, subject=subject, encounter=number, account=b"", unit=None, attending=None)
    )


def _gone(stay: Stay, said: Said) -> Stay:
    return ended_by(stay, replace(said, unit=None, attending=None))


def _one(held: Held, stay: Stay, subjects: frozenset[str], moved: Moved) -> None:
    said, account = moved.said, moved.said.account or stay.account
    if moved.visit:
        encounter = said.encounter or stay.encounter
    else:
        encounter = account if stay.encounter == moved.account else stay.encounter
    if said.subject in subjects and encounter == stay.encounter:
        held.put(replace(stay, account=account), said)
        return
    gone = _gone(stay, said)
    if gone.ended_us is None:
        return
    held.put(gone, said)
    if any(one.encounter == encounter for one in held.of(held.tied(said.subject))):
        return
    new = replace(
        stay,
        subject=said.subject,
        encounter=encounter,
        account=account,
        heard_us=said.heard_us,
        message=said.message,
    )
    held.begin(new, said)
