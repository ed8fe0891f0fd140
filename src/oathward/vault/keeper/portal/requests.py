"""A copy of a patient's data, asked for by its holder: a link that ends, and what it opens, part by part.

Steps of a fetch: 1 whose session it is · 2 the request of that link, of this very holder, not over · 3 the access that is
in force now · 4 limits · 5 the record is durable · 6 parts are opened, each under the access that is in force then.

Rules:
- The link is random; it is worth nothing without the session of its own holder, with an access in force.
- A link that never was, that is over, that is another's and one whose access has ended are one answer.
- A fetch is counted when it begins, and is one opening of its holder's; a site that keeps values off the portal gives no copy.
- The newest messages are given, at most ``MESSAGES_MAX``; whoever gets fewer than there are is told so.
- What consents or labels withhold from who cares for the patient is not given to a proxy. The patient gets all of it.
- A part is given once, in order, to the session that began; nothing of it is remembered.

Deliberately absent: reading of what was opened and the forms it is given in (the portal), other rights of patients.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.portal import Access
from oathward.vault import cards, kept
from oathward.vault.cards import Card
from oathward.vault.keeper import allowing, opening, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.portal import seats
from oathward.vault.keeper.portal.desk import Copying
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.keeper.withheld import from_proxy
from oathward.vault.kept import Kept

FORMS = ("bundle", "pdf", "page")
MESSAGES_MAX = 20_000
PART_MAX = 200
FETCHES_MAX = 5
STANDING_MAX = 5
"""Requests of one holder that are not over, for one patient."""

_HOUR_US = 3_600_000_000
_KEPT_US = 30 * 24 * _HOUR_US
"""So long the page still says that there was one."""


def request(keeper: Keeper, caller: Caller, subject: str, once: str, proof: Proof) -> str:
    """Begin a request; gives the random part of its link. The same ``once`` again begins nothing more.

    Raises:
        KeeperError: as ``seats.permit``; ``LIMIT_EXCEEDED``: too many stand.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    access = _permit(keeper, session, subject)
    store, now_us = keeper.store, keeper.now_us()
    until_us = now_us + int(keeper.settings.portal.copy_hours * _HOUR_US)
    with store.guard:
        known = store.one("SELECT link FROM copy_request WHERE once = ? AND holder = ?", once, holder.id)
        if known:
            return str(known[0])
        (standing,) = store.one(
            "SELECT COUNT(*) FROM copy_request WHERE holder = ? AND subject = ? AND until_us > ?",
            *(holder.id, subject, now_us),
        ) or (0,)
        if standing >= STANDING_MAX:
            raise KeeperError("copies", "too many stand: fetch one of them", reason=Reason.LIMIT_EXCEEDED)
        id_, link = uuid7(now_us // 1_000), secrets.token_urlsafe(32)
        body = {"access": access.id, "id": id_, "person": holder.id, "session": session.id}
        keeper.note("portal.requested", body, subject=subject)
        store.rows(
            "INSERT INTO copy_request VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            *(id_, once, link, holder.id, subject, now_us, until_us),
        )
    return link


def requested(keeper: Keeper, caller: Caller, subject: str, proof: Proof) -> list[dict[str, Any]]:
    """List what this holder asked for of a patient, newest first; raises as ``seats.permit``."""
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit(keeper, session, "portal.request", subject)
    rows = keeper.store.rows(
        "SELECT link, at_us, until_us, fetched FROM copy_request WHERE holder = ? AND subject = ? ORDER BY id DESC",
        *(holder.id, subject),
    )
    return [
        {
            "at_us": at_us,
            "left": max(0, FETCHES_MAX - fetched),
            "link": link,
            "over": until_us <= keeper.now_us() or fetched >= FETCHES_MAX,
            "until_us": until_us,
        }
        for link, at_us, until_us, fetched in rows
    ]


def begin(keeper: Keeper, caller: Caller, subject: str, link: str, form: str, proof: Proof) -> dict[str, Any]:
    """Begin to fetch a copy: gives the card, how many messages there are, and the ticket for its parts.

    Raises:
        KeeperError: ``NOT_FOUND``: one answer to all that is wrong with a link. ``RATE_OF_OPENING``.
            Otherwise as ``opening.open_card``; recorded.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    access = _permit(keeper, session, subject)
    if form not in FORMS:
        raise KeeperError("form", f"must be one of {', '.join(FORMS)}", reason=Reason.INPUT_INVALID)
    subjects.check_not_erased(keeper.store, keeper.site, subject)
    with read(keeper.engine) as db:
        ids = kept.newest_ids(db, keeper.site, subject, limit=MESSAGES_MAX + 1)
        card = cards.newest(db, keeper.site, [subject])
    given, more = ids[:MESSAGES_MAX], len(ids) > MESSAGES_MAX
    if not access.own:  # also the record counts what they get alone: they can read it
        closed, card_shut = from_proxy(keeper, subject, given)
        given, card = [one for one in given if one not in closed], None if card_shut else card
    said = _said(caller, session, access)
    with keeper.store.guard:  # nobody fetches twice by one count
        id_ = _use(keeper, session, subject, link)
        try:
            opened = _card(keeper, session, card)
        except OathwardError as error:
            keeper.note("keeper.refused", said | {"copy": id_, "why": error.reason.code}, subject=subject)
            raise
        first, last = (given[-1], given[0]) if given else ("", "")
        span = {"card": card is not None, "copy": id_, "first": first, "last": last, "opened": len(given)}
        now_us = keeper.now_us()
        fetched = {
            "form": form,
            "id": id_,
            "messages": len(given),
            "person": holder.id,
            "session": session.id,
        }
        keeper.record(
            [
                Record("portal.fetched", fetched | {"access": access.id}, now_us, subject),
                Record("keeper.opened", said | span, now_us, subject),
            ]
        )
        keeper.store.rows("UPDATE copy_request SET fetched = fetched + 1 WHERE id = ?", id_)
    keeper.desk.copies.drop(lambda one: one.holder == holder.id)  # one at a time
    after = ids[MESSAGES_MAX] if more else ""
    ticket = keeper.desk.copies.put(
        Copying(holder.id, session.id, access.id, subject, access.own, after, last)
    )
    return {"card": opened, "messages": len(given), "more": more, "ticket": ticket}


def part(keeper: Keeper, caller: Caller, ticket: str) -> dict[str, Any]:
    """Open the next part of a copy that is being fetched, oldest first; the last one is said to be so.

    Raises:
        KeeperError: ``NOT_FOUND``: it has ended, with the session or the access. As ``opening.open_rows``; recorded.
    """
    found = keeper.desk.copies.get(ticket)
    if found is None:
        raise _absent()
    session = next((one for one in keeper.holders.listed(found.holder) if one.id == found.session), None)
    if session is None or _permit(keeper, session, found.subject).id != found.access:
        raise _absent()
    subjects.check_not_erased(keeper.store, keeper.site, found.subject)
    with read(keeper.engine) as db:
        rows = kept.between(
            db, keeper.site, found.subject, after=found.after, until=found.until, limit=PART_MAX
        )
    fitting = wanted = _fitting(rows)
    if not found.own and wanted:
        closed, _ = from_proxy(keeper, found.subject, [row.message for row in wanted])
        wanted = [row for row in wanted if row.message not in closed]
    try:
        originals = [plain.original(one) for one in opening.open_rows(keeper, wanted)]
    except OathwardError as error:
        said = {"person": found.holder, "process": f"{caller.role} uid {caller.uid}", "session": session.id}
        body = said | {"purpose": Purpose.PATRQT.value, "why": error.reason.code}
        keeper.note("keeper.refused", body, subject=found.subject)
        raise
    found.after = fitting[-1].message if fitting else found.until
    last = found.after >= found.until
    if last:
        keeper.desk.copies.take(ticket)
    return {"last": last, "originals": originals}


def forget(keeper: Keeper, subject: str) -> None:
    """Forget what was asked for of a patient whose keys are destroyed."""
    keeper.store.rows("DELETE FROM copy_request WHERE subject = ?", subject)


def keep_up(keeper: Keeper) -> None:
    """Forget what was over a month ago, and what an old copy of the store brought back of erased patients."""
    keeper.store.rows("DELETE FROM copy_request WHERE until_us < ?", keeper.now_us() - _KEPT_US)
    for (subject,) in keeper.store.rows("SELECT DISTINCT subject FROM copy_request"):
        if subjects.is_erased(keeper.store, keeper.site, subject):
            forget(keeper, subject)


def _permit(keeper: Keeper, session: Session, subject: str) -> Access:
    """Say by which access a holder may have a copy: they may ask for one, and see values; raises as ``seats.permit``."""
    seats.permit(keeper, session, "portal.values", subject)
    return seats.permit(keeper, session, "portal.request", subject)


def _use(keeper: Keeper, session: Session, subject: str, link: str) -> str:
    """Find the request of a link that stands; gives its id."""
    row = keeper.store.one(
        "SELECT id FROM copy_request WHERE link = ? AND holder = ? AND subject = ? AND until_us > ? AND fetched < ?",
        *(link, session.visitor.person_id, subject, keeper.now_us(), FETCHES_MAX),
    )
    if row is None:
        raise seats.refused(keeper, session, "portal.request")
    return str(row[0])


def _card(keeper: Keeper, session: Session, card: Card | None) -> dict[str, str] | None:
    if not keeper.confirmed:
        why = "has not been asked since the start"
        raise KeeperError("witness", why, reason=Reason.KEEPER_UNAVAILABLE)
    allowing.count_holder(keeper, session.visitor.person_id)
    return plain.original(opening.open_card(keeper, card)) if card is not None else None


def _said(caller: Caller, session: Session, access: Access) -> dict[str, Any]:
    return {
        "access": access.id,
        "basis": access.basis,
        "person": session.visitor.person_id,
        "process": f"{caller.role} uid {caller.uid}",
        "purpose": Purpose.PATRQT.value,
        "session": session.id,
    }


def _fitting(rows: Sequence[Kept]) -> list[Kept]:
    """Take what fits one answer, the first one in any case: an answer without any would go on for ever."""
    found: list[Kept] = []
    room = opening.BYTES_MAX
    for row in rows:
        room -= row.body.length
        if found and room < 0:
            break
        found.append(row)
    return found


def _absent() -> KeeperError:
    return KeeperError("copy", "there is no such, or it has ended", reason=Reason.NOT_FOUND)


_ASKED = shapes.table(subject=ID, proof=shapes.proof)

PORTAL: Mapping[str, Operation] = {
    "portal_request": Operation(request, shapes.table(subject=ID, once=ID, proof=shapes.proof)),
    "portal_requests": Operation(requested, _ASKED),
    "portal_copy_begin": Operation(
        begin, shapes.table(subject=ID, link=shapes.anything(64), form=WORD, proof=shapes.proof)
    ),
    "portal_copy_part": Operation(part, shapes.table(ticket=shapes.text())),
}
"""Of the portal's socket."""
