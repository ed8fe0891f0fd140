"""The only SQL on this context's tables but that of its views (``tables``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Connection,
    delete,
    func,
    select,
    update,
)

from oathward.core.db import direct, insert_many, where_in
from oathward.core.errors import StorageError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.messages.model import CreatedRow, Delivery, HeldRow, MessageRow, OutboxRow
from oathward.messages.tables import created_once, message, outbox, quarantine
from oathward.vault.bodies import BodyRef


def known(db: Connection, keys: Sequence[bytes]) -> dict[bytes, list[tuple[bytes, str, str, int, str]]]:
    """Find earlier messages with these duplicate keys: key -> [(digest, answer, id, received_us, subject)]."""
    found: dict[bytes, list[tuple[bytes, str, str, int, str]]] = {}
    sql = (
        "SELECT duplicate_key, digest, answer, id, received_us, subject FROM message"
        " WHERE duplicate_key IN ({})"
    )
    for key, digest, answer, id_, received_us, subject in where_in(db, sql, keys):
        found.setdefault(bytes(key), []).append((bytes(digest), answer, id_, received_us, subject))
    return found


def retire_duplicate_key(db: Connection, message_id: str, replacement: bytes) -> None:
    """Free a duplicate key whose window has passed."""
    db.execute(update(message).where(message.c.id == message_id).values(duplicate_key=replacement))


def created(db: Connection, keys: Sequence[bytes]) -> dict[bytes, list[CreatedRow]]:
    """Find what conditional creates made under these keys, and which links have it: not those that it is dead on."""
    found: dict[bytes, list[CreatedRow]] = {}
    sql = f"SELECT {', '.join(CreatedRow._fields)} FROM created_once WHERE key IN ({{}})"  # noqa: S608  names of our own
    rows = [CreatedRow(bytes(key), *rest) for key, *rest in where_in(db, sql, keys)]
    dead = {tuple(one) for one in where_in(db, _DEAD, list({row.source for row in rows}))}
    for row in rows:
        links = " ".join(link for link in row.links.split() if (row.source, link) not in dead)
        found.setdefault(row.key, []).append(row._replace(links=links))
    return found


def put_created(db: Connection, rows: Sequence[CreatedRow]) -> None:
    """Note what conditional creates made, in place of what was noted under the same key of the same subject."""
    for row in rows:
        direct(db, "DELETE FROM created_once WHERE key = ? AND subject = ?", (row.key, row.subject))
    insert_many(db, created_once, rows)


def insert_messages(db: Connection, rows: Sequence[MessageRow]) -> None:
    """Add received messages."""
    insert_many(db, message, rows)


def insert_outbox(db: Connection, rows: Sequence[OutboxRow], bodies: Sequence[BodyRef] | None = None) -> None:
    """Queue deliveries in the order given.

    Args:
        bodies: where the sealed bodies lie, one a row, where the rows do not say.
    """
    after, behind = _BODY_AT + 1, _SEQ_AT + 1
    refs = [row.body for row in rows] if bodies is None else bodies
    pairs = zip(rows, refs, strict=True)
    flat = [(*r[:_BODY_AT], *ref, *r[after:_SEQ_AT], *r[behind:]) for r, ref in pairs]
    insert_many(db, outbox, flat, skip="seq")


_BODY_AT = OutboxRow._fields.index("body")
_SEQ_AT = OutboxRow._fields.index("seq")
_FLAT = (
    *OutboxRow._fields[:_BODY_AT],
    *("store", "segment", "offset_bytes", "length_bytes", "sha256"),  # of BodyRef, in its order
    *OutboxRow._fields[_BODY_AT + 1 :],
)
OUTBOX_COLUMNS = [outbox.c[name] for name in _FLAT]
_BODY_END = _BODY_AT + len(BodyRef._fields)
_ARRIVED = "SELECT link, max(seq) FROM outbox WHERE seq > ? GROUP BY link"
_BLOCKED = "SELECT DISTINCT sender FROM outbox WHERE link = ? AND state = 'blocked'"  # as its index says
_DEAD = "SELECT message, link FROM outbox WHERE state = 'dead' AND message IN ({})"
_NOT_THERE = "UPDATE created_once SET links = trim(replace(' ' || links || ' ', ?, ' ')) WHERE source = ?"
_SET_DELIVERY = "UPDATE outbox SET state = ?, attempts = ?, next_us = ?, reason = ? WHERE seq = ?"


@lru_cache
def _pending_sql(skipped: int) -> str:
    skip = f" AND sender NOT IN ({', '.join('?' * skipped)})" if skipped else ""
    return (
        f"SELECT {', '.join(_FLAT)} FROM outbox WHERE link = ? AND seq > ? AND state = ?{skip}"  # noqa: S608  names of our own
        " ORDER BY seq LIMIT ?"
    )


def insert_held(db: Connection, rows: Iterable[HeldRow]) -> None:
    """Put messages in quarantine."""
    held = [(r.message, r.site, r.at_us, r.device, r.peer, r.reason, r.place, r.links, r.state) for r in rows]
    insert_many(db, quarantine, held)


def pending(
    db: Connection, link: str, after_seq: int, limit: int, *, skip_senders: Iterable[str] = ()
) -> list[OutboxRow]:
    """Read a link's waiting deliveries behind a position, in order."""
    skipped = list(skip_senders)
    if skipped:  # as many marks as a power of two: few texts, so that each stays prepared
        skipped += skipped[-1:] * ((1 << (len(skipped) - 1).bit_length()) - len(skipped))
    values = (link, after_seq, Delivery.PENDING.value, *skipped, limit)
    return [outbox_row(row) for row in direct(db, _pending_sql(len(skipped)), values).fetchall()]


def pending_about(db: Connection, link: str, subjects: Sequence[str], limit: int) -> list[OutboxRow]:
    """Read a link's waiting deliveries that are about some subjects, in order."""
    one = outbox.c
    about = one.subject.in_(list(subjects)) | (one.others != "")
    query = select(*OUTBOX_COLUMNS).where(one.link == link, one.state == Delivery.PENDING.value, about)
    rows = map(outbox_row, db.execute(query.order_by(one.seq).limit(limit)))
    return [row for row in rows if not set(subjects).isdisjoint(row.persons)]


def arrived(db: Connection, after_seq: int) -> dict[str, int]:
    """Say on which links deliveries were added behind a position, and up to which: link -> last ``seq``."""
    return dict(direct(db, _ARRIVED, (after_seq,)).fetchall())  # type: ignore[arg-type]  # rows are pairs


def any_of(db: Connection, link: str, subject: str) -> bool:
    """Say whether anything of a subject waits on a link or is on its wire."""
    one = outbox.c
    query = select(*OUTBOX_COLUMNS).where(one.link == link, one.state == Delivery.PENDING.value)
    rows = db.execute(query.where((one.subject == subject) | (one.others != "")))
    return any(subject in outbox_row(row).persons for row in rows)


def last_seq(db: Connection) -> int:
    """Give the last ``seq`` of the outbox, 0 when it is empty."""
    return int(direct(db, "SELECT coalesce(max(seq), 0) FROM outbox").fetchall()[0][0])


def blocked_senders(db: Connection, link: str) -> set[str]:
    """Senders of a link whose oldest delivery waits for a person."""
    return {sender for (sender,) in direct(db, _BLOCKED, (link,)).fetchall()}


def delete_delivered(db: Connection, seqs: Sequence[int]) -> None:
    """Take deliveries that happened out of the outbox."""
    list(where_in(db, "DELETE FROM outbox WHERE seq IN ({})", seqs))


def delete_delivery(db: Connection, row: OutboxRow) -> None:
    """Take one delivery that was given up out of the outbox; what it would have created is not there."""
    db.execute(delete(outbox).where(outbox.c.seq == row.seq))
    direct(db, _NOT_THERE, (f" {row.link} ", row.message))


def set_delivery(db: Connection, seq: int, *, state: str, attempts: int, next_us: int, reason: str) -> None:
    """Note a failed try, or set a delivery aside."""
    direct(db, _SET_DELIVERY, (str(state), attempts, next_us, reason, seq))


def outbox_by_id(db: Connection, id_: str) -> OutboxRow | None:
    """Find one delivery by its outgoing id."""
    row = db.execute(select(*OUTBOX_COLUMNS).where(outbox.c.id == id_)).first()
    return outbox_row(row) if row else None


def outbox_rows(db: Connection, *, state: str | None, limit: int) -> list[OutboxRow]:
    """List deliveries that have not happened."""
    query = select(*OUTBOX_COLUMNS).order_by(outbox.c.seq).limit(limit)
    if state:
        query = query.where(outbox.c.state == state)
    return [outbox_row(row) for row in db.execute(query)]


def outbox_rows_of(db: Connection, message_id: str) -> list[OutboxRow]:
    """List the deliveries of one message that have not happened."""
    query = select(*OUTBOX_COLUMNS).where(outbox.c.message == message_id).order_by(outbox.c.link)
    return [outbox_row(row) for row in db.execute(query)]


def outbox_counts(db: Connection) -> dict[tuple[str, str], int]:
    """Count deliveries by (link, state)."""
    rows = db.execute(
        select(outbox.c.link, outbox.c.state, func.count()).group_by(outbox.c.link, outbox.c.state)
    )
    return {(link, state): count for link, state, count in rows}


def outbox_keys_in_use(db: Connection) -> list[str]:
    """Outbox keys that undelivered rows are sealed to."""
    query = select(outbox.c.key).where(outbox.c.end_to_end.is_(False)).distinct()
    return [key for (key,) in db.execute(query)]


def bodies_in_use(db: Connection, store: str) -> set[int]:
    """Segments of the outbox store that undelivered rows still need."""
    query = select(outbox.c.segment).where(outbox.c.store == store).distinct()
    return {segment for (segment,) in db.execute(query)}


def last_body(db: Connection, store: str) -> BodyRef | None:
    """The last body of a store that an undelivered row names."""
    query = (
        select(*OUTBOX_COLUMNS)
        .where(outbox.c.store == store)
        .order_by(outbox.c.segment.desc(), outbox.c.offset_bytes.desc())
    )
    row = db.execute(query.limit(1)).first()
    return outbox_row(row).body if row else None


def held_rows(
    db: Connection,
    *,
    state: str | None = "held",
    reason: str | None = None,
    peer: str | None = None,
    limit: int = 1_000,
) -> list[HeldRow]:
    """List quarantine, newest first.

    Args:
        peer: only from this peer: a certificate's SHA-256 in hex, else an address that showed no certificate.
    """
    query = select(quarantine).order_by(quarantine.c.at_us.desc()).limit(limit)
    if state:
        query = query.where(quarantine.c.state == state)
    if reason:
        query = query.where(quarantine.c.reason == reason)
    if peer:
        text = quarantine.c.peer
        query = query.where((text == f"{peer} -") | text.contains(f" {peer}", autoescape=True))
    return [HeldRow(**row._asdict()) for row in db.execute(query)]


def held(db: Connection, message_id: str) -> HeldRow | None:
    """Find one quarantined message."""
    row = db.execute(select(quarantine).where(quarantine.c.message == message_id)).first()
    return HeldRow(**row._asdict()) if row else None


def held_ending(db: Connection, ending: str) -> list[str]:
    """Find quarantined messages whose id ends so; two are enough to know that it is not one."""
    query = select(quarantine.c.message).where(quarantine.c.message.endswith(ending, autoescape=True))
    return list(db.execute(query.limit(2)).scalars())


def held_counts(db: Connection) -> dict[str, int]:
    """Count what is held now, by reason."""
    query = select(quarantine.c.reason, func.count()).where(quarantine.c.state == "held")
    rows = db.execute(query.group_by(quarantine.c.reason))
    return {name: count for name, count in rows}  # noqa: C416  a Row is no pair to the type checker


def set_held_state(db: Connection, message_id: str, state: str) -> None:
    """Release or discard one quarantined message.

    Raises:
        StorageError: ``conflict``; somebody else has settled it meanwhile.
    """
    if not end_held(db, message_id, state):
        raise StorageError("quarantine", "it is not held any more", reason=Reason.CONFLICT)


def hold_for(db: Connection, message_id: str, *, reason: str, place: str, device: str) -> None:
    """Say what a message that is held is held for now."""
    now = {"reason": reason, "place": place, "device": device}
    here = (quarantine.c.message == message_id) & (quarantine.c.state == "held")
    db.execute(update(quarantine).where(here).values(**now))
    db.execute(update(message).where(message.c.id == message_id).values(reason=reason))


def end_held(db: Connection, message_id: str, state: str) -> bool:
    """End the holding of one message; says whether it was held until now."""
    where = (quarantine.c.message == message_id) & (quarantine.c.state == "held")
    return db.execute(update(quarantine).where(where).values(state=state)).rowcount > 0


def message_row(db: Connection, message_id: str) -> MessageRow | None:
    """Find one message."""
    row = db.execute(select(message).where(message.c.id == message_id)).first()
    return MessageRow(**row._asdict()) if row else None


def delete_messages_before(db: Connection, before_us: int, limit: int) -> int:
    """Forget rows older than the retention of message metadata, a bounded number at a time."""
    # Ids sort by time (UUIDv7): the primary key serves, and no second index is paid for on the hot path.
    bound = uuid7(before_us // 1_000)
    db.execute(delete(created_once).where(created_once.c.at_us < before_us))
    old = select(message.c.id).where(message.c.id < bound).order_by(message.c.id).limit(limit)
    return db.execute(delete(message).where(message.c.id.in_(old))).rowcount


def outbox_row(row: Sequence[Any]) -> OutboxRow:
    """Make a row of its columns in the order of ``_FLAT``."""
    body = BodyRef._make(row[_BODY_AT:_BODY_END])
    return OutboxRow._make((*row[:_BODY_AT], body, bool(row[_BODY_END]), *row[_BODY_END + 1 :]))
