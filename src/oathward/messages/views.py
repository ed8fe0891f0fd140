"""Read messages, quarantine and deliveries for people: pages of rows, counts that know where they stop.

Rules:
- A page begins behind an id and goes back in time; ids sort by time, so the primary key serves every list.
- A filter no key serves looks at ``LOOK_MAX`` rows at most and says how far it came: the next page goes on from there.
- A count of many stops at a bound and says so; nothing here reads a million rows to write a number.

Deliberately absent: any column that could hold a value of a message; there is none in these tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Select, Table, case, func, select

from oathward.core.reasons import Reason
from oathward.messages.model import Delivery, HeldRow, MessageRow, OutboxRow
from oathward.messages.sql import OUTBOX_COLUMNS, outbox_row, outbox_rows_of
from oathward.messages.tables import message, outbox, quarantine

LOOK_MAX = 20_000
COUNT_MAX = 10_000
NEW_MAX = 100
NAMES_MAX = 500
"""So many devices a statement names; of more, rows are looked through one by one."""
WITHDRAWN = tuple(
    reason.code
    for reason in (
        Reason.PERMIT_NARROWED,
        Reason.PERMIT_EXPIRED,
        Reason.CONSENT_DENIES,
        Reason.CONSENT_WITHDRAWN_IN_FLIGHT,
        Reason.NO_CONSENT,
        Reason.NO_LINK,
        Reason.POLICY_DENIES,
        Reason.LABEL_DENIES,
        Reason.NOTHING_LEFT,
        Reason.KEY_DESTROYED,
    )
)
"""Why a delivery may not be sent any more, by what a patient said or two people decided: it lies in the outbox for the
record, and nobody needs to act."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Listed(Generic[Row]):
    """One page of a list, newest first.

    Args:
        after: the id to go on behind; empty at the end. looked_us: how far back was looked, where a filter made that less
            than what there is.
    """

    rows: list[Row]
    after: str = ""
    looked_us: int = 0


class Counted(NamedTuple):
    """A count that may have stopped: ``more`` says that there are more than so many."""

    number: int
    more: bool


class Waiting(NamedTuple):
    """What of one link has not been delivered, by state.

    ``oldest_us``: of all that is not withdrawn; ``waits_us``: of what still waits its turn or is blocked; 0 for none.
    ``withdrawn``: of the dead ones, those that may not be sent any more; that is as it should be.
    """

    link: str
    states: dict[str, int]
    oldest_us: int
    withdrawn: int = 0
    waits_us: int = 0


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of messages shows; empty shows all. Times are microseconds."""

    state: str = ""
    type: str = ""
    device: str = ""
    reason: str = ""
    until_us: int = 0


def messages(
    db: Connection,
    site: str,
    filters: Filters,
    *,
    after: str = "",
    limit: int = 50,
    devices: frozenset[str] | None = None,
) -> Listed[MessageRow]:
    """List received messages, newest first.

    Args:
        after: only older ones than this id: ``Listed.after`` of the page before.
        devices: only messages of these; of any where None.
    """
    query = select(message).where(message.c.site == site)
    if filters.until_us:
        query = query.where(message.c.id < from_time(filters.until_us + 1_000))
    wanted = {
        "state": filters.state,
        "type": filters.type,
        "device": filters.device,
        "reason": filters.reason,
    }
    rows, last, more = _look(db, query, message, "id", wanted, after, limit, devices=devices)
    found = [MessageRow(**row._asdict()) for row in rows]
    return _listed(found, [row.id for row in found], last, more=more, limit=limit)


def held(
    db: Connection, site: str, *, reason: str = "", device: str = "", state: str = "held",
    after: str = "", limit: int = 50,
) -> Listed[HeldRow]:  # fmt: skip
    """List quarantine, newest first; ``state``: held, released or discarded, any where empty."""
    query = select(quarantine).where(quarantine.c.site == site)
    keyed = state == "held"
    if keyed:  # its own small key: what was settled long ago is not walked through
        query = query.where(quarantine.c.state == "held")
    wanted = {"device": device, "reason": reason, "state": "" if keyed else state}
    rows, last, more = _look(db, query, quarantine, "message", wanted, after, limit)
    found = [HeldRow(**row._asdict()) for row in rows]
    return _listed(found, [row.message for row in found], last, more=more, limit=limit)


def deliveries(db: Connection, message_id: str) -> list[OutboxRow]:
    """List the deliveries of one message that have not happened."""
    return outbox_rows_of(db, message_id)


def outbox_page(
    db: Connection, site: str, *, link: str = "", state: str = "", after: int = 0, limit: int = 50
) -> list[OutboxRow]:
    """List deliveries that have not happened, the newest first.

    Args:
        after: only those before this ``seq``: of the last row of the page before.
    """
    query = select(*OUTBOX_COLUMNS).where(outbox.c.site == site).order_by(outbox.c.seq.desc())
    query = query.where(outbox.c.link == link) if link else query
    query = query.where(outbox.c.state == state) if state else query
    query = query.where(outbox.c.seq < after) if after else query
    return [outbox_row(row) for row in db.execute(query.limit(limit))]


def received_since(db: Connection, site: str, since_us: int) -> Counted:
    """Count messages received since a time."""
    newer = select(message.c.id).where(message.c.site == site, message.c.id >= from_time(since_us))
    return _counted(db, newer, COUNT_MAX)


def clinical_since(db: Connection, site: str, since_us: int, *, most: int = 10_000) -> dict[str, int]:
    """Say when each device last sent clinical data since a time: its messages but those of who is where (ADT); microseconds."""
    last = func.max(message.c.received_us)
    query = (
        select(message.c.device, last)
        .where(message.c.site == site, message.c.id >= from_time(since_us), message.c.device != "")
        .where(~message.c.type.startswith("ADT"))
        .group_by(message.c.device)
        .limit(most)
    )
    return {device: int(at_us) for device, at_us in db.execute(query)}


def newer(
    db: Connection, site: str, than: str, *, state: str = "", devices: frozenset[str] | None = None
) -> Counted:
    """Count messages received after one: how many rows an open page does not show yet.

    Args:
        devices: only messages of these; of any where None.
    """
    query = select(message.c.id).where(message.c.site == site, message.c.id > than)
    query = query.where(message.c.state == state) if state else query
    if devices is not None:
        senders = db.execute(query.with_only_columns(message.c.device).limit(LOOK_MAX)).scalars()
        count = sum(sender in devices for sender in senders)
        return Counted(min(count, NEW_MAX), count > NEW_MAX)
    return _counted(db, query, NEW_MAX)


def newer_held(db: Connection, site: str, than: str) -> Counted:
    """Count messages that are held and came after one."""
    query = select(quarantine.c.message).where(
        quarantine.c.site == site, quarantine.c.message > than, quarantine.c.state == "held"
    )
    return _counted(db, query, NEW_MAX)


def device_of(db: Connection, site: str, id_: str) -> str:
    """Say which device sent a message; empty where there is no such message, or nobody knows."""
    of_message = select(message.c.device).where(message.c.site == site, message.c.id == id_)
    of_held = select(quarantine.c.device).where(quarantine.c.site == site, quarantine.c.message == id_)
    found = [db.execute(query).scalar() for query in (of_message, of_held)]
    return next((one for one in found if one), "")


def latest(db: Connection, site: str) -> MessageRow | None:
    """Give the message received last."""
    query = select(message).where(message.c.site == site).order_by(message.c.id.desc()).limit(1)
    row = db.execute(query).first()
    return MessageRow(**row._asdict()) if row else None


def received_by(db: Connection, site: str, bounds_us: Sequence[int]) -> list[int]:
    """Count messages between each two times that follow each other; each count stops at ``COUNT_MAX``."""
    counts = []
    for since_us, until_us in pairwise(bounds_us):
        query = select(message.c.id).where(
            message.c.site == site,
            message.c.id >= from_time(since_us),
            message.c.id < from_time(until_us),
        )
        counts.append(_counted(db, query, COUNT_MAX).number)
    return counts


def waiting(db: Connection) -> list[Waiting]:
    """Say what waits on each link that has anything in the outbox."""
    gone = (outbox.c.state == Delivery.DEAD) & outbox.c.reason.in_(WITHDRAWN)
    stays = func.min(case((gone, None), else_=outbox.c.created_us))
    counts = (func.count(), stays, func.sum(case((gone, 1), else_=0)))
    query = select(outbox.c.link, outbox.c.state, *counts).group_by(outbox.c.link, outbox.c.state)
    found: dict[str, Waiting] = {}
    for link, state, count, oldest_us, withdrawn in db.execute(query):
        before = found.get(link, Waiting(link, {}, 0))
        waits_us = 0 if state == Delivery.DEAD else oldest_us
        found[link] = Waiting(
            *(link, before.states | {state: count}, _oldest(before.oldest_us, oldest_us)),
            *(before.withdrawn + int(withdrawn), _oldest(before.waits_us, waits_us)),
        )
    return [found[link] for link in sorted(found)]


def _oldest(*times_us: int | None) -> int:
    """Give the earliest of the times there are; 0 where there is none."""
    return min((one for one in times_us if one), default=0)


def _look(
    db: Connection,
    query: Select[Any],
    table: Table,
    key: str,
    wanted: dict[str, str],
    after: str,
    limit: int,
    *,
    devices: frozenset[str] | None = None,
) -> tuple[list[Any], str, bool]:
    """Read one page; gives its rows, the id looked at last, and whether there is more behind that."""
    column = table.c[key]
    query = query.order_by(column.desc())
    if after:
        query = query.where(column < after)
    wanted = {name: value for name, value in wanted.items() if value}
    if not wanted and devices is None:
        rows = list(db.execute(query.limit(limit + 1)))
        return rows[:limit], getattr(rows[limit - 1], key) if len(rows) > limit else "", len(rows) > limit
    window = query.limit(LOOK_MAX).subquery()
    matching = select(window).where(*(window.c[name] == value for name, value in wanted.items()))
    matching = matching.order_by(window.c[key].desc())
    if devices is not None and len(devices) <= NAMES_MAX:
        matching = matching.where(window.c.device.in_(sorted(devices)))
        devices = None
    if devices is None:
        rows = list(db.execute(matching.limit(limit + 1)))
    else:  # more names than a statement may carry
        rows = list(islice((row for row in db.execute(matching) if row.device in devices), limit + 1))
    if len(rows) > limit:
        return rows[:limit], getattr(rows[limit - 1], key), True
    keys = query.with_only_columns(column).limit(LOOK_MAX).subquery()
    last, looked = db.execute(select(func.min(keys.c[key]), func.count())).one()
    return rows, last or "", looked == LOOK_MAX


def devices_of(db: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Give the device of each of some messages: message -> device, those known."""
    query = select(message.c.id, message.c.device).where(message.c.id.in_(ids), message.c.device != "")
    return {row.id: row.device for row in db.execute(query)}


def _listed(found: list[Row], ids: list[str], last: str, *, more: bool, limit: int) -> Listed[Row]:
    if not more:
        return Listed(found)
    cut = len(found) < limit  # the look ended before the page was full
    return Listed(found, last if cut else ids[-1], time_of(last) if cut else 0)


def time_of(id_: str) -> int:
    """Read the time in an id, in microseconds; 0 where it has none."""
    try:
        return int(id_.replace("-", "")[:12], 16) * 1_000
    except ValueError:
        return 0


def from_time(at_us: int) -> str:
    """Give what sorts before every id of a time (to its millisecond) and behind every earlier one."""
    text = f"{at_us // 1_000:012x}"
    return f"{text[:8]}-{text[8:]}"


def _counted(db: Connection, query: Select[Any], most: int) -> Counted:
    count = db.execute(select(func.count()).select_from(query.limit(most + 1).subquery())).scalar_one()
    return Counted(min(count, most), count > most)
