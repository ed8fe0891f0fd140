"""What a person does about deliveries that got stuck; each is a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from oathward import ledger
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, prepare
from oathward.messages import missing, sql
from oathward.messages.missing import MissingRow
from oathward.messages.model import Delivery, HeldRow, OutboxRow
from oathward.vault import kept

_KINDS = {Delivery.PENDING: "delivery.retried", Delivery.DEAD: "delivery.discarded"}


def retry(
    db: Connection,
    id_: str,
    *,
    by: str,
    reason: str,
    now_us: int,
    message: str = "",
    refused: Callable[[OutboxRow], Reason | None] = lambda _: None,
) -> OutboxRow:
    """Try a dead or blocked delivery again; the courier finds it within seconds.

    Args:
        message: whose delivery it must be; another's is as if it were not there. Empty: of any.
        refused: says why the courier would set it aside again at once (``courier.again``).

    Raises:
        InputError: ``not-found``, or ``conflict`` where it waits anyway; or why it may still not go.
    """
    row = _stuck(db, id_, message)
    over = Reason.CONSENT_WITHDRAWN_IN_FLIGHT  # the recipient may have it: a later yes does not send it twice
    why = over if row.reason == over.code else refused(row)
    if why is not None:
        raise InputError("id", "it may still not go, and would be dead again at once", reason=why)
    return _settle(db, row, Delivery.PENDING, by=by, reason=reason, now_us=now_us)


def discard(db: Connection, id_: str, *, by: str, reason: str, now_us: int, message: str = "") -> OutboxRow:
    """Set a blocked delivery aside, so that the sender's next ones go on; take a dead one out of the outbox.

    Args:
        message: as of ``retry``.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it is neither blocked nor dead.
    """
    return _settle(db, _stuck(db, id_, message), Delivery.DEAD, by=by, reason=reason, now_us=now_us)


def give_up_missing(
    db: Connection, site: str, id_: str, *, by: str, reason: str, now_us: int
) -> MissingRow | None:
    """Take a delivery that is nowhere off the list of those; gives it, or nothing where it is not on the list."""
    row = missing.row(db, site, id_)
    if row is not None:
        missing.remove(db, site, [id_])
        body = {"by": by, "id": id_, "reason": reason, "was": "missing"}
        record = Record("delivery.discarded", body, now_us, "", (row.link,), row.message)
        ledger.append(db, site, [prepare(record)])
    return row


def discard_held(db: Connection, rows: Sequence[HeldRow], *, by: str, reason: str, now_us: int) -> None:
    """Give up held messages: their sealed originals are let go of, and nothing can release them.

    Args:
        rows: of one site, still held. reason: words without patient data.

    Raises:
        InputError: ``conflict``: one is held no longer.
    """
    leaves = []
    for row in rows:
        if not sql.end_held(db, row.message, "discarded"):
            raise InputError("message", "it is not held any more", reason=Reason.CONFLICT)
        kept.drop(db, row.message, "quarantine")
        body = {"by": by, "device": row.device, "reason": reason, "was": row.reason}
        leaves.append(prepare(Record("message.discarded", body, now_us, "", (), row.message)))
    if leaves:
        ledger.append(db, rows[0].site, leaves)


def _stuck(db: Connection, id_: str, message: str) -> OutboxRow:
    row = sql.outbox_by_id(db, id_)
    if row is None or message not in {"", row.message}:
        raise InputError("id", "no such delivery waits", reason=Reason.NOT_FOUND)
    if row.state == Delivery.PENDING:
        raise InputError(
            "id",
            "it waits its turn; only a blocked or a dead one can be retried or discarded",
            reason=Reason.CONFLICT,
        )
    return row


def _settle(
    db: Connection, row: OutboxRow, state: Delivery, *, by: str, reason: str, now_us: int
) -> OutboxRow:
    if row.state == state:  # discarded twice: set aside, then given up
        sql.delete_delivery(db, row)
    else:
        sql.set_delivery(db, row.seq, state=state, attempts=0, next_us=0, reason=row.reason)
    body = {"by": by, "id": row.id, "reason": reason, "was": row.state}
    ledger.append(
        db, row.site, [prepare(Record(_KINDS[state], body, now_us, row.subject, (row.link,), row.message))]
    )
    return row
