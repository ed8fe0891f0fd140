"""What a person does about deliveries that got stuck; each is a record."""

from __future__ import annotations

from sqlalchemy import Connection

from oathward import ledger
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, prepare
from oathward.messages import sql
from oathward.messages.model import Delivery, OutboxRow

_KINDS = {Delivery.PENDING: "delivery.retried", Delivery.DEAD: "delivery.discarded"}


def retry(db: Connection, id_: str, *, by: str, reason: str, now_us: int) -> OutboxRow:
    """Try a dead or blocked delivery again; the courier finds it within seconds.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it waits anyway.
    """
    return _settle(db, id_, Delivery.PENDING, by=by, reason=reason, now_us=now_us)


def discard(db: Connection, id_: str, *, by: str, reason: str, now_us: int) -> OutboxRow:
    """Set a blocked delivery aside for good, so that the sender's next ones go on.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it is not blocked.
    """
    return _settle(db, id_, Delivery.DEAD, by=by, reason=reason, now_us=now_us)


def _settle(db: Connection, id_: str, state: Delivery, *, by: str, reason: str, now_us: int) -> OutboxRow:
    row = sql.outbox_by_id(db, id_)
    if row is None:
        raise InputError("id", "no such delivery waits", reason=Reason.NOT_FOUND)
    if row.state in {state, Delivery.PENDING}:
        raise InputError("id", f"it is {row.state} already", reason=Reason.CONFLICT)
    sql.set_delivery(db, row.seq, state=state, attempts=0, next_us=0, reason=row.reason)
    body = {"by": by, "id": row.id, "reason": reason, "was": row.state}
    ledger.append(
        db, row.site, [prepare(Record(_KINDS[state], body, now_us, row.subject, (row.link,), row.message))]
    )
    return row
