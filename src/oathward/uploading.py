"""An upload that bypasses Oathward, compared with what the patient says now; and what is checked before one is kept.

| answer | where |
|---|---|
| ``law`` | the party has the data by a link on which the law is stronger than an objection |
| ``allowed`` | all of its classes may pass to that party for that purpose, by what stands |
| ``denied`` | something that stands denies it: said as this choice, or elsewhere |
| ``never-asked`` | nothing says so: the party is no recipient, the classes were on no table, nobody said yes or no, or no patient is known |

Rules:
- Computed from the bundle in force and the statements that stand; kept as of the last time, and computed anew for the patient.
- Where the purpose is not known, each of the party's choices must allow it.
- Where it cannot be read what the patient says, nothing is compared: the answer of before stands.

Deliberately absent: any effect on what Oathward itself sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward import choosing
from oathward.activation import load_active
from oathward.consent.choices import Choice
from oathward.core.db import read, write
from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.inventory import views as inventory
from oathward.patients import views as patients
from oathward.policy.model import TRANSPORT_CLASSES
from oathward.uploads import actions, views
from oathward.uploads.model import Answer, Sighting, UploadFilters, UploadRow

if TYPE_CHECKING:
    from oathward.choosing import Board
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened

COMPARED_MAX = 5_000
"""Uploads compared in one go."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a sighting cannot be kept: which field names nothing there is."""

    field: str
    why: str
    code: str


def unfit(site: Opened, said: Sighting) -> Unfit | None:
    """Say which device, patient or party of a sighting is not there; None where all are."""
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
        if said.party and (active is None or said.party not in active.bundle.recipients):
            return Unfit("party", "is no recipient of the policy in force", Reason.NOT_FOUND.code)
        if said.device and inventory.one(db, site.site, said.device, site.authority, site.seen) is None:
            return Unfit("device", "is not in the inventory", Reason.NOT_FOUND.code)
        if said.subject and not patients.exists(db, site.site, said.subject):
            return Unfit("subject", "there is no such patient", Reason.NOT_FOUND.code)
    return None


def compare(site: Opened, now_us: int) -> int:
    """Compare every upload that goes on; gives how many records that made."""
    with read(site.engine) as db:
        rows = views.listed(db, site.site, UploadFilters(), limit=COMPARED_MAX)
        active = load_active(db, site.site, site.authority, site.seen) if rows else None
    boards: dict[str, Board | None] = {}
    answers = {}
    for row in rows:
        subject = row.sighting.subject
        if subject not in boards:
            boards[subject] = _board(site, active.bundle if active else None, subject)
        board = boards[subject]
        if not subject or active is None:
            answers[row.id] = Answer.NEVER_ASKED
        elif board is not None:
            answers[row.id] = answer_of(row.sighting, board)
    changed = {
        row.id: answers[row.id] for row in rows if row.id in answers and answers[row.id] is not row.answer
    }
    if not changed:
        return 0
    with write(site.engine) as db:
        return actions.compared(db, site.site, changed, now_us=now_us)


def answer_of(said: Sighting, board: Board) -> Answer:
    """Say what the patient's word on an upload is."""
    mine = [
        one
        for one in board.choices
        if said.party and one.recipient == said.party and said.purpose in {"", one.purpose}
    ]
    if not mine:
        return Answer.NEVER_ASKED
    found = {_of(said, one, board) for one in mine}
    for answer in (Answer.DENIED, Answer.NEVER_ASKED, Answer.ALLOWED):
        if answer in found:
            return answer
    return Answer.LAW


def of_patient(
    site: Opened, bundle: Bundle, board: Board, subject: str
) -> list[tuple[UploadRow, str, Answer]]:
    """List a patient's uploads with the name of who gets each, and what they say of it now.

    Only those of the patient and of whom joins and confirmed merges make one with them.

    Raises:
        AuthorityError: a confirmation of a merge does not verify.
    """
    with read(site.engine) as db:
        together = patients.confirmed_family(db, site.site, subject, site.authority, site.seen)
        rows = views.of_patient(db, site.site, together)
    return [(row, _name(bundle, row.sighting), answer_of(row.sighting, board)) for row in rows]


def _of(said: Sighting, choice: Choice, board: Board) -> Answer:
    known = said.classes - TRANSPORT_CLASSES <= choice.classes
    if choice.kind == "law" or choice.state == "allowed":
        yes = Answer.LAW if choice.kind == "law" else Answer.ALLOWED
        return yes if known else Answer.NEVER_ASKED
    answered = choice.elsewhere or any(
        choice.mark in one.origins and not one.fact.permit for one in board.statements
    )
    return Answer.DENIED if answered else Answer.NEVER_ASKED


def _board(site: Opened, bundle: Bundle | None, subject: str) -> Board | None:
    if bundle is None or not subject:
        return None
    try:
        return choosing.board(site, bundle, subject)
    except AuthorityError:
        return None


def _name(bundle: Bundle, said: Sighting) -> str:
    recipient = bundle.recipients.get(said.party)
    return recipient.name if recipient is not None else said.maker or said.party


def kept(site: Opened, sightings: Sequence[Sighting], *, by: str, now_us: int) -> list[UploadRow]:
    """Keep sightings that were found fit, and compare at once.

    Raises:
        InputError: as ``actions.see``.
    """
    with write(site.engine) as db:
        rows = actions.see(db, site.site, sightings, by=by, now_us=now_us)
    compare(site, now_us)
    return rows
