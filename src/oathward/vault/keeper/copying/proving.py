"""What of one patient is proved good: originals and card whose digest a proved record names.

Steps for one patient: 1 the ledger's records say what was kept of them lately, newest first, up to the checkpoint ·
2 each record is proved · 3 the sealed original lies where its row says and has the digest that the record names ·
4 it opens. The card in the same way.

Rules:
- The ledger says what there must be: an original that is gone is as bad as one that was changed.
- What came after the checkpoint is not looked at: it is in the next copy.
- What was accepted before records named digests, what a retention let go of, and whoever was erased, are left out in silence.
- A row is a hint; nothing of the database is believed without its proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from oathward import ledger
from oathward.core.errors import OathwardError, VaultError
from oathward.core.reasons import Reason
from oathward.ledger import Query
from oathward.ledger.proving import Proofs
from oathward.vault import cards, kept
from oathward.vault.keeper import opening
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.kept import Kept

_ACCEPTED = "message.accepted"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one patient is copied: since when, how many messages, how many bytes of them."""

    since_us: int
    messages_max: int
    bytes_max: int


@dataclass(slots=True)
class Good:
    """What proved of one patient. ``messages``: id, digest of what lies sealed, the original; newest first.

    ``bad``: what did not, by message id (or ``card``), with the reason's code.
    """

    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    card: bytes = b""
    bad: dict[str, str] = field(default_factory=dict)


def good_of(keeper: Keeper, db: Connection, subjects: Sequence[str], proofs: Proofs, bounds: Bounds) -> Good:
    """Gather what proves of one patient's subjects; nothing of it is recorded here."""
    found, room = Good(), bounds.bytes_max
    wanted = _wanted(keeper, db, subjects, proofs.signed.size, bounds)
    lying: dict[str, list[Kept]] = {message: [] for _, message, _ in wanted}
    for one in kept.find(db, keeper.site, list(lying)):
        lying[one.message].append(one)
    done: set[str] = set()
    for index, message, named in wanted:
        if message in done:
            continue
        done.add(message)
        try:
            purpose, digest = _named(proofs.record(db, index), message, subjects, named)
            row = _row(lying[message], purpose, subjects)
            if row.state == "erased":
                continue
            room -= row.body.length
            if room < 0:
                break
            found.messages.append((message, digest, _opened(keeper, row, digest)))
        except OathwardError as error:
            found.bad[message] = error.reason.code
    _card(keeper, db, subjects, proofs, found)
    return found


def _wanted(
    keeper: Keeper, db: Connection, subjects: Sequence[str], size: int, bounds: Bounds
) -> list[tuple[int, str, Mapping[str, str]]]:
    """Say which messages must be there: record, message, purpose -> digest; newest first."""
    entries = []
    for subject in subjects:
        query = Query(subject=subject, kind=_ACCEPTED, since_us=bounds.since_us)
        entries += ledger.search(db, keeper.site, query, before=size, limit=bounds.messages_max)
    wanted: list[tuple[int, str, Mapping[str, str]]] = []
    for entry in entries:
        named = {p: d for p, d in dict(entry.body.get("kept", {})).items() if p not in kept.APART}
        if named:
            wanted.append((entry.index, entry.message, named))
    return sorted(wanted, key=lambda one: one[1], reverse=True)[: bounds.messages_max]


def _named(
    record: Mapping[str, Any], message: str, subjects: Sequence[str], said: Mapping[str, str]
) -> tuple[str, str]:
    """Take purpose and digest from a proved record, and see that the index did not lie about it."""
    named = dict(record["body"].get("kept", {}))
    if record["kind"] != _ACCEPTED or record["message"] != message or record["subject"] not in subjects:
        raise _altered(f"message {message}")
    purpose = min(said)
    if named.get(purpose) != said[purpose]:
        raise _altered(f"message {message}")
    return purpose, named[purpose]


def _row(rows: Sequence[Kept], purpose: str, subjects: Sequence[str]) -> Kept:
    for row in rows:
        if row.purpose == purpose and row.subject in subjects:
            return row
    raise _altered("kept original")


def _opened(keeper: Keeper, row: Kept, digest: str) -> bytes:
    sealed = keeper.bodies.read(row.body)
    if hashlib.sha256(sealed).hexdigest() != digest:
        raise _altered(f"message {row.message}")
    return opening.open_rows(keeper, [row])[0].data.reveal()


def _card(keeper: Keeper, db: Connection, subjects: Sequence[str], proofs: Proofs, into: Good) -> None:
    """Open the newest card where the record of its message names it; one that is newer than the checkpoint waits."""
    card = cards.newest(db, keeper.site, subjects)
    if card is None:
        return
    entries = ledger.search(db, keeper.site, Query(kind=_ACCEPTED, message=card.message))
    named = [one for one in entries if "card" in one.body]
    if entries and not named:
        return  # from before records named digests
    covered = [one for one in named if one.index < proofs.signed.size]
    if named and not covered:
        return
    try:
        digest = hashlib.sha256(card.sealed).hexdigest()
        if not any(proofs.record(db, one.index)["body"].get("card") == digest for one in covered):
            raise _altered("card")
        into.card = opening.open_card(keeper, card).data.reveal()
    except OathwardError as error:
        into.bad["card"] = error.reason.code


def _altered(where: str) -> OathwardError:
    return VaultError(where, "is not what the ledger says", reason=Reason.EMERGENCY_NOT_PROVED)
