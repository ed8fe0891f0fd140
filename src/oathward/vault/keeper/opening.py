"""Open sealed originals: one request, one decision, one record, then the answer.

Steps:
1. the proof names a person (``proof``); 2. limits per person and overall; 3. the rows are found, all of
this subject; 4. the keys are there (those on their way are taken in first); 5. everything opens;
6. the record is durable; 7. the answer.

Rules:
- A refusal at any step is a record too; an answer is whole or not at all.
- Rows are hints: what is bound in the seal decides what opens.
- Over a limit the answer is no; a second person's word is a later issue.

Deliberately absent: what a role may open (the signed policy decides, issue 4), and any memory of content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.labels import Purpose
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault import cards, kept
from oathward.vault.cards import Card
from oathward.vault.keeper import intake, proof, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.original import Original
from oathward.vault.kept import Kept
from oathward.vault.seal import open_original

MESSAGES_MAX = 500
BYTES_MAX = 32 * 1024 * 1024
"""Of sealed bytes in one answer; ask for fewer messages."""

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to open, for which purpose of use.

    ``subject``: all messages must be of this one; empty (a release from quarantine): of any.
    ``sealed_for``: only originals sealed for this; empty: all of the messages.
    """

    messages: tuple[str, ...]
    purpose: str
    subject: str = ""
    sealed_for: str = ""
    reason: str = ""


def open_originals(
    keeper: Keeper, request: Request, caller: proof.Caller, who: Callable[[], proof.Person]
) -> list[Original]:
    """Open originals for a person, recorded before they are returned.

    Args:
        who: says whose the request is, once they may.

    Raises:
        KeeperError: refused, with the reason; the refusal is recorded.
        VaultError: a seal does not open; recorded too.
        StorageError: a body or the record could not be read or written; nothing is returned.
    """
    try:
        person = who()
    except OathwardError as error:
        keeper.record([_record(keeper, "keeper.refused", request, "", caller, {"why": error.reason.code})])
        raise
    return open_for(keeper, request, person, caller)


def open_for(keeper: Keeper, request: Request, person: proof.Person, caller: proof.Caller) -> list[Original]:
    """Open originals for a person who has proved to be that person, recorded before they are returned.

    Raises:
        KeeperError, VaultError, StorageError: as ``open_originals``.
    """
    try:
        _check_request(request)
        _check_limits(keeper, person.name, len(request.messages))
        opened = _open(keeper, request)
    except OathwardError as error:
        refused = _record(keeper, "keeper.refused", request, person.name, caller, {"why": error.reason.code})
        keeper.record([refused])
        raise
    keeper.record([_record(keeper, "keeper.opened", request, person.name, caller, {"opened": len(opened)})])
    return opened


def _check_request(request: Request) -> None:
    if not 1 <= len(request.messages) <= MESSAGES_MAX:
        raise KeeperError("messages", f"must be 1 to {MESSAGES_MAX}", reason=Reason.LIMIT_EXCEEDED)
    if request.purpose not in set(Purpose):
        raise KeeperError("purpose", "is no purpose of use", reason=Reason.INPUT_INVALID)
    if not request.subject and not request.reason:
        raise KeeperError("reason", "is needed to open messages of any subject", reason=Reason.INPUT_INVALID)


def _check_limits(keeper: Keeper, person: str, messages: int) -> None:
    """Count one opening, or refuse it; refused ones do not count."""
    limits = keeper.settings.keeper
    now_us = keeper.now_us()
    since = now_us - _HOUR_US
    store = keeper.store
    with store.transaction():
        store.rows("DELETE FROM opening WHERE at_us < ?", since)
        counted = store.one("SELECT COUNT(*), COUNT(*) FILTER (WHERE person = ?) FROM opening", person)
        overall, own = counted or (0, 0)
        if own >= limits.openings_per_person_per_hour_max:
            raise KeeperError("openings per person", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        if overall >= limits.openings_per_hour_max:
            raise KeeperError("openings", "too many in an hour", reason=Reason.RATE_OF_OPENING)
        store.rows("INSERT INTO opening VALUES (?, ?, ?)", now_us, person, messages)


def _open(keeper: Keeper, request: Request) -> list[Original]:
    if not keeper.confirmed:
        raise KeeperError("witness", "has not been asked since the start", reason=Reason.KEEPER_UNAVAILABLE)
    if request.subject:
        subjects.check_not_erased(keeper.store, keeper.site, request.subject)
    rows = _find(keeper, request)
    if sum(row.body.length for row in rows) > BYTES_MAX:
        raise KeeperError("messages", "too many bytes for one answer", reason=Reason.LIMIT_EXCEEDED)
    return open_rows(keeper, rows)


def open_rows(keeper: Keeper, rows: Sequence[Kept]) -> list[Original]:
    """Open originals whose rows are chosen: all or nothing; whoever calls it records it before anybody is told.

    Raises:
        KeeperError, VaultError, StorageError: as ``open_originals``.
    """
    if _any_on_its_way(keeper, rows):
        intake.take_all(keeper)
    return [_open_one(keeper, row) for row in rows]


def open_card(keeper: Keeper, card: Card) -> Original:
    """Open a sealed card; whoever calls it records it before anybody is told.

    Raises:
        KeeperError, VaultError: as ``open_originals``.
    """
    if keeper.store.one("SELECT 1 FROM data_key WHERE id = ?", card.key_id) is None:
        intake.take_all(keeper)
    key = subjects.data_key(keeper.store, keeper.site, card.subject, card.key_id)
    data = open_original(key, keeper.site, card.subject, card.message, cards.PURPOSE, card.sealed)
    return Original(card.message, card.subject, cards.PURPOSE, Phi(data))


def _find(keeper: Keeper, request: Request) -> list[Kept]:
    with read(keeper.engine) as db:
        rows = kept.find(db, keeper.site, request.messages)
    if request.sealed_for:
        rows = [row for row in rows if row.purpose == request.sealed_for]
    if request.subject and any(row.subject != request.subject for row in rows):
        raise KeeperError("messages", "are not all of this subject", reason=Reason.NOT_PERMITTED)
    if {row.message for row in rows} != set(request.messages):
        raise KeeperError("messages", "not all were kept", reason=Reason.NOT_FOUND)
    return rows


def _any_on_its_way(keeper: Keeper, rows: Sequence[Kept]) -> bool:
    return any(keeper.store.one("SELECT 1 FROM data_key WHERE id = ?", row.key_id) is None for row in rows)


def _open_one(keeper: Keeper, row: Kept) -> Original:
    key = subjects.data_key(keeper.store, keeper.site, row.subject, row.key_id)
    sealed = keeper.bodies.read(row.body)
    data = open_original(key, keeper.site, row.subject, row.message, row.purpose, sealed)
    return Original(row.message, row.subject, row.purpose, Phi(data))


def _record(
    keeper: Keeper, kind: str, request: Request, person: str, caller: proof.Caller, outcome: dict[str, Any]
) -> Record:
    body = outcome | {
        "messages": list(request.messages[:MESSAGES_MAX]),
        "person": person,
        "process": f"{caller.role} uid {caller.uid}",
        "purpose": request.purpose,
        "reason": request.reason,
    }
    message = request.messages[0] if len(request.messages) == 1 else ""
    return Record(kind, body, keeper.now_us(), subject=request.subject, message=message)
