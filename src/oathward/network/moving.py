"""Sums of flows given to whoever had an address then, where that was learned after they were kept.

Rules:
- Nothing is lost and nothing doubled: what is taken from one endpoint's conversation is added to the same conversation of the other, in one
  transaction with whatever notes that it was done. Done again it finds nothing.
- By whole hours, as who held an address is settled (``endpoints.views.holders``): of several in one hour the last has it.
  A conversation that was over before the address changed hands stays as it is.
- When a conversation was first and last seen is known of the whole of it; of a part that stays or goes, to the hour.
- A count of classes in clear text goes where all of it was seen in those hours, or where nothing else of its conversation stays.

Deliberately absent: who had the address (``endpoints.leases``); single flows, which name addresses alone (``segments``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, select, update

from oathward.network import sql
from oathward.network.actions import conversation_id
from oathward.network.model import ConversationKey, Holding, Sums

MOVED_MAX = 256
"""Totals of one hour that one transaction moves."""

HOUR_US = 3_600_000_000
SIDES = (("client", "server"), ("server", "client"))

_TALK, _TOTAL = sql.flow_conversation.c, sql.flow_total.c
_USE, _CLEAR = sql.flow_use.c, sql.clear_class.c


@dataclass(slots=True)
class Moved:
    """What one transaction gave: how many totals of an hour, or conversations that have none; from which endpoints it was taken."""

    rows: int = 0
    given_by: set[str] = field(default_factory=set)


def concerned(db: Connection, site: str, asked: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Say which of some addresses have conversations that were seen since a time; ``asked``: (address, microseconds UTC)."""
    wanted = set(asked)
    addresses = sorted({address for address, _ in wanted})
    last = dict[str, int]()
    for side, _ in SIDES:
        query = select(_TALK[side], func.max(_TALK.last_us)).where(
            _TALK.site == site, _TALK[side].in_(addresses)
        )
        for address, last_us in db.execute(query.group_by(_TALK[side])):
            last[address] = max(int(last_us), last.get(address, 0))
    return {one for one in wanted if last.get(one[0], -1) >= one[1]}


def give(db: Connection, site: str, to: Holding, most: int) -> Moved:
    """Give what was kept under others to the endpoint that had the address; at most ``most`` totals of an hour, in order of conversation and time."""
    done = Moved()
    for side, other in SIDES:
        left = most - done.rows
        if left > 0:
            rows = db.execute(_totals(site, side, to).limit(left)).all()
            for id_, hours in groupby(rows, key=lambda row: bytes(row[0])):
                _give_hours(db, site, id_, (side, other), to, [tuple(row[1:]) for row in hours], done)
        left = most - done.rows
        if left > 0:
            for (id_,) in db.execute(_without_totals(site, side, to).limit(left)).all():
                _give_hours(db, site, bytes(id_), (side, other), to, [], done)
    return done


def _others(site: str, side: str, to: Holding) -> ColumnElement[bool]:
    """Conversations of the address, seen since, of whoever did not have it."""
    return and_(
        *(_TALK.site == site, _TALK[side] == to.address, _TALK.realm == to.realm),
        _TALK[f"{side}_endpoint"].not_in((to.endpoint, *to.parts)),
        _TALK.last_us >= to.from_us,
    )


def _totals(site: str, side: str, to: Holding) -> Select[Any]:
    same = (_TOTAL.site == _TALK.site) & (_TOTAL.conversation == _TALK.id)
    return (
        select(_TALK.id, _TOTAL.hour_us, *(_TOTAL[name] for name in Sums._fields))
        .select_from(sql.flow_conversation.join(sql.flow_total, same))
        .where(
            _others(site, side, to), _TOTAL.hour_us >= _hour(to.from_us), _TOTAL.hour_us < _hour(to.until_us)
        )
        .order_by(_TALK.id, _TOTAL.hour_us)
    )


def _without_totals(site: str, side: str, to: Holding) -> Select[Any]:
    """Conversations that only classes in clear text tell of."""
    summed = exists().where(_TOTAL.site == _TALK.site, _TOTAL.conversation == _TALK.id)
    within = (_TALK.flows == 0, _TALK.first_us >= _hour(to.from_us), _TALK.last_us < _hour(to.until_us))
    return select(_TALK.id).where(_others(site, side, to), *within, ~summed).order_by(_TALK.id)


def _give_hours(
    db: Connection,
    site: str,
    id_: bytes,
    sides: tuple[str, str],
    to: Holding,
    hours: Sequence[tuple[int, ...]],
    done: Moved,
) -> None:
    """Give some hours of one conversation, or all of one that has none; ``hours``: start and sums, the first first."""
    row = db.execute(select(sql.flow_conversation).where(_TALK.site == site, _TALK.id == id_)).one()
    old = dict(row._mapping)  # noqa: SLF001  its public name
    giver = old[f"{sides[0]}_endpoint"]
    key = ConversationKey(
        **{name: old[name] for name in ConversationKey._fields} | {f"{sides[0]}_endpoint": to.endpoint}
    )
    _give_use(db, site, giver, sides, to.endpoint, hours)
    carry(db, site, old, key, hours, clear=(_hour(to.from_us), _hour(to.until_us)))
    done.rows += max(1, len(hours))
    done.given_by.add(giver)


def carry(
    db: Connection,
    site: str,
    old: Mapping[str, Any],
    key: ConversationKey,
    hours: Sequence[tuple[int, ...]],
    *,
    clear: tuple[int, int] | None,
) -> None:
    """Carry sums of some hours, or all of a conversation that has none, over to another conversation.

    Args:
        old: the row that they are taken from. hours: start and sums, the first first.
        clear: from when until when classes in clear text go along; None: they stay where they are, and so does a conversation that has some.
    """
    id_, new = bytes(old["id"]), conversation_id(key)
    for hour, *_ in hours:
        mine = (_TOTAL.site == site, _TOTAL.conversation == id_, _TOTAL.hour_us == hour)
        db.execute(delete(sql.flow_total).where(*mine))
    sql.add(db, sql.flow_total, [(site, new, *one) for one in hours])
    moved = Sums(*map(sum, zip(*(one[1:] for one in hours), strict=True)))
    kept, given = _times(db, site, id_, old, moved, [one[0] for one in hours])
    zones = (old["client_zone"], old["server_zone"])
    sql.add(db, sql.flow_conversation, [(site, new, *key, *zones, *given, *moved)])
    if clear is not None:
        _give_clear(db, site, id_, new, clear, whole=kept is None)
    elif kept is None:
        kept = _clear_times(db, site, id_)
    this = (_TALK.site == site, _TALK.id == id_)
    if kept is None:
        db.execute(delete(sql.flow_conversation).where(*this))
    else:
        less = {name: _TALK[name] - count for name, count in moved._asdict().items()}
        times = {"first_us": kept[0], "last_us": kept[1]}
        db.execute(update(sql.flow_conversation).where(*this).values(**less, **times))


def _times(
    db: Connection, site: str, id_: bytes, old: Mapping[str, Any], moved: Sums, hours: Sequence[int]
) -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """Say when what stays and what goes of a conversation was first and last seen; None where nothing stays."""
    first, last = old["first_us"], old["last_us"]
    if not hours:
        return None, (first, last)
    query = select(func.min(_TOTAL.hour_us), func.max(_TOTAL.hour_us))
    left, right = db.execute(query.where(_TOTAL.site == site, _TOTAL.conversation == id_)).one()
    given = (
        first if _hour(first) >= hours[0] else hours[0],
        last if right is None or right < hours[-1] else hours[-1] + HOUR_US - 1,
    )
    if left is not None:
        kept_first = first if _hour(first) < hours[0] else left
        return (kept_first, last if right > hours[-1] else right + HOUR_US - 1), given
    if all(old[name] == count for name, count in moved._asdict().items()):
        return None, given
    return (min(first, hours[0] - 1), min(last, hours[0] - 1)), given  # of hours that were forgotten by now


def _give_use(
    db: Connection, site: str, giver: str, sides: tuple[str, str], to: str, hours: Sequence[tuple[int, ...]]
) -> None:
    """Give what an endpoint did in some hours to another."""
    for hour, *rest in hours:
        sums = Sums(*rest)._asdict()
        flows, sent, received = sums["flows"], sums[f"{sides[0]}_bytes"], sums[f"{sides[1]}_bytes"]
        sql.add(db, sql.flow_use, [(site, to, hour, flows, sent, received)])
        mine = (_USE.site == site, _USE.endpoint == giver, _USE.hour_us == hour)
        less = {
            "flows": _USE.flows - flows,
            "sent_bytes": _USE.sent_bytes - sent,
            "received_bytes": _USE.received_bytes - received,
        }
        db.execute(update(sql.flow_use).where(*mine).values(**less))
        nothing = (_USE.flows <= 0, _USE.sent_bytes <= 0, _USE.received_bytes <= 0)
        db.execute(delete(sql.flow_use).where(*mine, *nothing))


def _clear_times(db: Connection, site: str, id_: bytes) -> tuple[int, int] | None:
    """Say when a conversation was first and last seen by its classes in clear text; None where it has none."""
    query = select(func.min(_CLEAR.first_us), func.max(_CLEAR.last_us))
    first, last = db.execute(query.where(_CLEAR.site == site, _CLEAR.conversation == id_)).one()
    return None if first is None else (first, last)


def _give_clear(
    db: Connection, site: str, id_: bytes, new: bytes, span: tuple[int, int], *, whole: bool
) -> None:
    """Give counts of classes in clear text along."""
    mine = [_CLEAR.site == site, _CLEAR.conversation == id_]
    if not whole:
        mine += (_CLEAR.first_us >= span[0], _CLEAR.last_us < span[1])
    rows = db.execute(select(sql.clear_class).where(*mine)).all()
    sql.add(db, sql.clear_class, [(site, new, *row[2:]) for row in rows])
    db.execute(delete(sql.clear_class).where(*mine))


def _hour(at_us: int) -> int:
    return at_us // HOUR_US * HOUR_US
