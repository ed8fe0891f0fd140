"""Open what is kept of a patient, for a person who is signed in: find by number, open a patient, open a message.

| operation | action | told to whom there is no relation |
|---|---|---|
| ``subject_find`` | ``patient.find`` | nobody of this number |
| ``patient_open`` | ``patient.open`` | as of a subject that never was |
| ``ward_open`` | ``patient.open`` | they are not on the list |
| ``message_open`` | ``message.open`` | as of a message that never was |

Steps: 1 whose session it is · 2 whom it is about · 3 the care relationship that holds now, looked for in the same way
whether or not there is anybody · 4 the policy · 5 limits · 6 everything opens · 7 the record is durable · 8 the answer.

Rules:
- The relationship is looked up here, in rows with a stamp; nobody's word is taken for it, nor is a relation remembered.
- A number is hashed here; the console learns no hash and no subject that its person may not know of.
- For treatment, only what was kept for a recipient opens, and of the patient cared for alone: what is held was not told
  apart yet, and may be about others too.
- What a patient is called is read from the sealed card, where there is one: a message with a typing error, or about
  somebody else, renames nobody. In a ward's list a card stands for the newest message, which then stays shut.
- For treatment, what consents or labels withhold stays shut (``withheld``) until the glass is broken (``breaking``); then
  the record says by which glass, and its purpose.
- Whom a clinician reached in an emergency (``reaching``) opens while that glass stands, as if they cared for them; no merge
  that waits for a person is crossed then.
- A refusal is a record like an opening; both say purpose and basis.

Deliberately absent: reading of what was opened (the console), and any memory of content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from oathward.core.authorities import Authorities
from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.identifying import of_patient
from oathward.core.labels import CARE_PURPOSES, Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.access import Thing
from oathward.policy.people import Person
from oathward.vault import cards, care, care_rows, kept
from oathward.vault.cards import Card
from oathward.vault.care import Relation
from oathward.vault.care_rows import Stamps
from oathward.vault.keeper import allowing, glasses, keyring, opening, roles, subjects, withheld
from oathward.vault.keeper.glasses import Glass
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.original import Original
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.keeper.withheld import Left
from oathward.vault.kept import Kept

LIMIT_MAX = 500
WARD_MAX = 60
PARTS_MAX = 16
_NOBODY = Person(id="", name="")


def subject_find(
    keeper: Keeper,
    caller: Caller,
    number: str,
    authority: str,
    type: str,  # noqa: A002  the argument's name on the wire
    purpose: str,
    proof: Mapping[str, str],
) -> str:
    """Find the subject of a patient's number; empty where there is none that this person may know of.

    Raises:
        KeeperError: as ``roles.permit``; ``RATE_OF_OPENING``.
    """
    session = allowing.acting(keeper, caller, proof)
    _check_purpose(purpose)
    roles.permit(keeper, session, "patient.find", Thing("patient"), purpose=purpose)
    allowing.count(keeper, session.visitor.person_id, 0)
    index_key = keyring.site_keys(keeper.store, keeper.site)["index"]
    authorities = Authorities(keeper.settings.patients.authorities)
    named = authorities.written(authority)
    hashes = [
        of_patient(index_key, keeper.site, one, type.upper(), number)
        for one in (named, *authorities.others(named))
    ]
    stamps = Stamps(index_key, keeper.site)
    with read(keeper.engine) as db:
        subject = care_rows.named(db, keeper.site, hashes, stamps)
        relation = _relation(keeper, db, session, subject, stamps)
    told = bool(subject) and (relation is not None or purpose not in CARE_PURPOSES)
    body = _who(session, caller, purpose, relation) | {"told": told}
    keeper.note("patient.sought", body, subject=subject)
    return subject if told else ""


def patient_open(
    keeper: Keeper,
    caller: Caller,
    subject: str,
    after: str,
    limit: int,
    purpose: str,
    proof: Mapping[str, str],
) -> dict[str, Any]:
    """Open the newest originals of a patient that came after a message id, oldest first.

    Raises:
        KeeperError: refused, with the reason; recorded. VaultError, StorageError: as ``opening.open_originals``.
    """
    session = allowing.acting(keeper, caller, proof)
    _check_purpose(purpose)
    stamps = _stamps(keeper)
    with read(keeper.engine) as db:
        relation = _relation(keeper, db, session, subject, stamps)
        together = care.tied(db, keeper.site, subject, stamps)
    roles.permit(
        keeper,
        session,
        "patient.open",
        Thing("patient", subject),
        purpose=purpose,
        relation=relation is not None,
    )
    who = _who(session, caller, purpose, relation)
    shows = together & glasses.opened(keeper, session, together) if _reached(relation) else together
    alive = sorted(one for one in shows if not subjects.is_erased(keeper.store, keeper.site, one))
    with read(keeper.engine) as db:
        rows = kept.newest(db, keeper.site, alive, after=after, limit=limit + 1)
        card = cards.newest(db, keeper.site, alive)
    left = withheld.left(keeper, session, purpose, together, rows[:limit], card)
    card, fitting = left.card, _fitting(left.rows)
    originals = _opened(keeper, session, fitting, left.told(who), subject, card=card, by=left.glass)
    return {
        "card": originals.pop() if card is not None else None,
        "more": len(rows) > limit or len(left.rows) > len(fitting),
        "originals": originals[::-1],
        "relation": _plain(relation),
        "withheld": left.withheld,
    }


def ward_open(
    keeper: Keeper, caller: Caller, subjects_: list[str], purpose: str, proof: Mapping[str, str]
) -> list[dict[str, str]]:
    """Open what each of some patients is called: for a list of whom one cares for. One opening, a record each.

    The card; where there is none, the newest original.

    Whoever is not cared for is left out, like whoever never was.

    Raises:
        KeeperError: refused, with the reason; recorded. VaultError, StorageError: as ``opening.open_originals``.
    """
    session = allowing.acting(keeper, caller, proof)
    _check_purpose(purpose)
    stamps = _stamps(keeper)
    roles.permit(keeper, session, "patient.open", Thing("patient"), purpose=purpose, relation=True)
    chosen: list[tuple[str, Kept | Card, Relation, Left]] = []
    with read(keeper.engine) as db:
        for subject in dict.fromkeys(subjects_):
            relation = _relation(keeper, db, session, subject, stamps)
            together = sorted(care.tied(db, keeper.site, subject, stamps))
            alive = [one for one in together if not subjects.is_erased(keeper.store, keeper.site, one)]
            card = cards.newest(db, keeper.site, alive)
            rows = [] if card is not None else kept.newest(db, keeper.site, alive, limit=1)
            if relation is not None and (rows or card is not None):
                left = withheld.left(keeper, session, purpose, together, rows, card)
                called = [left.card] if left.card is not None else left.rows
                chosen += [(subject, row, relation, left) for row in called]
    if not chosen:
        return []
    if not keeper.confirmed:
        raise KeeperError("witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE)
    try:
        allowing.count(keeper, session.visitor.person_id, len(chosen))
        originals = [_open_called(keeper, row) for _, row, _, _ in chosen]
    except OathwardError as error:
        keeper.note(
            "keeper.refused", {**_who(session, caller, purpose, chosen[0][2]), "why": error.reason.code}
        )
        raise
    now_us = keeper.now_us()
    keeper.record(
        [
            Record(
                "keeper.opened",
                {
                    **left.told(_who(session, caller, purpose, relation)),
                    "first": row.message,
                    "last": row.message,
                    "opened": 1,
                    "card": isinstance(row, Card),
                },
                now_us,
                subject,
            )
            for subject, row, relation, left in chosen
        ]
    )
    opened = zip(chosen, originals, strict=True)
    return [{**plain.original(original), "subject": subject} for (subject, *_), original in opened]


def _open_called(keeper: Keeper, row: Kept | Card) -> Original:
    return opening.open_card(keeper, row) if isinstance(row, Card) else opening.open_rows(keeper, [row])[0]


def message_open(
    keeper: Keeper, caller: Caller, message: str, purpose: str, reason: str, proof: Mapping[str, str]
) -> list[dict[str, str]]:
    """Open what is kept of one message, part by part.

    Raises:
        KeeperError: refused, with the reason; recorded. VaultError, StorageError: as ``opening.open_originals``.
    """
    session = allowing.acting(keeper, caller, proof)
    _check_purpose(purpose)
    stamps = _stamps(keeper)
    names = [message, *(f"{message}.{number}" for number in range(1, PARTS_MAX + 1))]
    caring = purpose in CARE_PURPOSES
    if not (caring or reason.strip()):  # whoever treats nobody says why
        raise KeeperError(
            "reason", "is needed to open messages for no treatment", reason=Reason.INPUT_INVALID
        )
    with read(keeper.engine) as db:
        rows = _one_each(kept.find(db, keeper.site, names), held=not caring)
        found = {
            s: _relation(keeper, db, session, s, stamps) for s in sorted({r.subject for r in rows} or {""})
        }
    relation = next((one for one in found.values() if one is not None), None)
    roles.permit(
        keeper,
        session,
        "message.open",
        Thing("message", message),
        purpose=purpose,
        relation=relation is not None,
    )
    if caring:
        rows = [row for row in rows if found[row.subject] is not None]
    if not rows:
        raise KeeperError(
            "message", "there is no such message, or nothing of it is kept", reason=Reason.NOT_FOUND
        )
    who = _who(session, caller, purpose, relation) | {"reason": reason}
    with read(keeper.engine) as db:
        together = care.tied(db, keeper.site, rows[0].subject, stamps)
    left = withheld.left(keeper, session, purpose, together | {row.subject for row in rows}, rows)
    if left.withheld:
        keeper.note(
            "keeper.refused", who | {"why": Reason.WITHHELD.code}, subject=rows[0].subject, message=message
        )
        raise KeeperError("", reason=Reason.WITHHELD)
    return _opened(keeper, session, rows, left.told(who), rows[0].subject, message, by=left.glass)


def _opened(
    keeper: Keeper,
    session: Session,
    rows: Sequence[Kept],
    who: Mapping[str, Any],
    subject: str,
    message: str = "",
    *,
    card: Card | None = None,
    by: Glass | None = None,
) -> list[dict[str, str]]:
    """Count, open, record; all or nothing. A card is the last of what is given. ``by``: the glass that opens it."""
    try:
        if not keeper.confirmed:
            raise KeeperError(
                "witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE
            )
        allowing.count(keeper, session.visitor.person_id, len(rows), stops=by is None)
        originals = [plain.original(one) for one in opening.open_rows(keeper, rows)]
        if card is not None:
            originals.append(plain.original(opening.open_card(keeper, card)))
    except OathwardError as error:
        body = {**who, "why": error.reason.code}
        keeper.note("keeper.refused", body, subject=subject, message=message)
        raise
    ids = [row.message for row in rows]
    span: dict[str, Any] = {"first": min(ids, default=""), "last": max(ids, default=""), "opened": len(ids)}
    if card is not None:
        span["card"] = True
    keeper.note("keeper.opened", {**who, **span}, subject=subject, message=message)
    glasses.used(keeper, by)
    return originals


def _relation(
    keeper: Keeper, db: Connection, session: Session, subject: str, stamps: Stamps
) -> Relation | None:
    person = roles.person_of(keeper, session.visitor.person_id) if session.visitor.person_id else None
    asked = care.Asked.by(keeper.settings.people, stamps)
    found = care.relation(db, keeper.site, person or _NOBODY, subject, keeper.now_us(), asked)
    if person is None or not subject:
        return None
    return found or glasses.reached(keeper, session, subject)


def _reached(relation: Relation | None) -> bool:
    return relation is not None and relation.basis == "emergency"


def _stamps(keeper: Keeper) -> Stamps:
    return Stamps(keyring.site_keys(keeper.store, keeper.site)["index"], keeper.site)


def _check_purpose(purpose: str) -> None:
    if purpose not in set(Purpose):
        raise KeeperError("purpose", "is no purpose of use", reason=Reason.INPUT_INVALID)


def _fitting(rows: Sequence[Kept]) -> list[Kept]:
    """Leave out the oldest where all of them are too long for one answer."""
    found, room = [], opening.BYTES_MAX
    for row in rows:
        room -= row.body.length
        if room < 0:
            break
        found.append(row)
    return found


def _one_each(rows: Iterable[Kept], *, held: bool) -> list[Kept]:
    """Choose one original of each part: what was kept for a recipient before what is held."""
    chosen: dict[str, Kept] = {}
    for row in rows:
        if row.state != "kept" or row.purpose in kept.APART - ({kept.QUARANTINE} if held else set()):
            continue
        if row.message not in chosen or chosen[row.message].purpose == kept.QUARANTINE:
            chosen[row.message] = row
    return list(chosen.values())


def _who(session: Session, caller: Caller, purpose: str, relation: Relation | None) -> dict[str, Any]:
    return {
        "basis": relation.basis if relation is not None else "",
        "person": session.visitor.person_id,
        "process": f"{caller.role} uid {caller.uid}",
        "purpose": purpose,
        "session": session.id,
        "unit": relation.unit if relation is not None else "",
    }


def _plain(relation: Relation | None) -> dict[str, Any] | None:
    if relation is None:
        return None
    return {
        "basis": relation.basis,
        "since_us": relation.since_us,
        "unit": relation.unit,
        "until_us": relation.until_us,
    }


_TEXT = shapes.text(200)

TABLE: Mapping[str, Operation] = {
    "subject_find": Operation(
        subject_find,
        shapes.table(
            number=shapes.text(100),
            authority=shapes.text(200),
            type=WORD,
            purpose=WORD,
            proof=shapes.proof,
        ),
    ),
    "patient_open": Operation(
        patient_open,
        shapes.table(
            subject=ID,
            after=shapes.text(empty=True),
            limit=shapes.number(1, LIMIT_MAX),
            purpose=WORD,
            proof=shapes.proof,
        ),
    ),
    "ward_open": Operation(
        ward_open,
        shapes.table(subjects_=shapes.listed(ID, WARD_MAX, least=1), purpose=WORD, proof=shapes.proof),
    ),
    "message_open": Operation(
        message_open,
        shapes.table(message=ID, purpose=WORD, reason=shapes.text(200, empty=True), proof=shapes.proof),
    ),
    "opening_ask": Operation(allowing.ask, shapes.table(reason=_TEXT, proof=shapes.proof)),
    "opening_asked": Operation(allowing.asked, shapes.table(proof=shapes.proof)),
    "opening_allow": Operation(allowing.allow, shapes.table(id=ID, proof=shapes.proof)),
}
"""Of the app's socket."""
