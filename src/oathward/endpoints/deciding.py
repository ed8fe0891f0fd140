"""What a person says of endpoints: that two are one, that one is two, that this was wrong, and what an endpoint is like.

Rules:
- Each is a record with who and when: ``endpoint.merged``, ``endpoint.split``, ``endpoint.restored``, ``endpoint.changed``. Why is a person's
  words: they stand in the table, their digest in the record.
- A merge moves what one has to the other, and keeps whose it was; undone, that goes back, and what was learned since stays.
- A split gives the marks that are named to a new endpoint. The two never become one again by a rule, whatever marks they show; by a
  person they do, or when the split is undone.
- A merge survives later statements: marks find the one that stays, and no rule takes it apart.
- What a person writes of an attribute is a source of its own with confidence 1; empty takes it back.

Deliberately absent: who may.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import Connection, Engine

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import parents, sql
from oathward.endpoints.actions import settle_rows, take_for
from oathward.endpoints.alone import alone
from oathward.endpoints.attributes import ATTRIBUTES, PERSON
from oathward.endpoints.loading import merge_of, merged_into, rows_of, top_of
from oathward.endpoints.model import EndpointRow, MergeRow
from oathward.endpoints.picture import Key
from oathward.ledger import Leaf, Record, append, prepare

REASON_LENGTH_MAX = 1_000
MARKS_MAX = 200
BULK_MAX = 500


def merge(engine: Engine, site: str, into: str, other: str, *, by: str, reason: str, now_us: int) -> str:
    """Say that two endpoints are one; gives the id under which it can be undone.

    Args:
        into: who stays. other: who becomes part of it.

    Raises:
        InputError: ``not-found``; ``conflict``: one is part of another already, or they are the same.
    """
    _reason(reason)
    with alone(engine, site):
        with write(engine) as db:
            rows = rows_of(db, site, [into, other])
            _standing(rows, into)
            _standing(rows, other)
            if into == other:
                raise InputError("endpoint", "is one already", reason=Reason.CONFLICT)
            row = MergeRow(uuid7(now_us // 1_000), "merge", into, other, now_us, by, reason)
            _join(db, site, into, other, now_us)
            for split in sql.splits_between(db, site, into, other):
                sql.undo_merge(db, site, split, by, now_us)
            sql.put_merge(db, site, row)
            append(db, site, [_leaf("endpoint.merged", row, by, now_us)])
        settle_rows(engine, site, [into, other], now_us)
    return row.id


def split(
    engine: Engine, site: str, id_: str, keys: Sequence[Key], *, by: str, reason: str, now_us: int
) -> tuple[str, str]:
    """Say that some marks of an endpoint are another's; gives the id of the new endpoint, and the one under which it can be undone.

    Args:
        keys: kind, scope and value of each mark that goes, as ``views.one`` gives them; an address takes its leases along.

    Raises:
        InputError: ``not-found``: no such endpoint, or it has none of the marks; ``input.invalid``: none or too many marks, or all it has.
    """
    _reason(reason)
    if not 0 < len(keys) <= MARKS_MAX:
        raise InputError("marks", f"1 to {MARKS_MAX}", reason=Reason.INPUT_INVALID)
    with alone(engine, site):
        with write(engine) as db:
            old = _standing(rows_of(db, site, [id_]), id_)
            new = uuid7(now_us // 1_000)
            sql.copy_endpoint(db, site, id_, new)
            if not sum(sql.move_mark(db, site, id_, new, key) for key in keys):
                raise InputError("marks", "it has none of them", reason=Reason.NOT_FOUND)
            if not sql.count_marks(db, site, id_):
                raise InputError("marks", "must leave the endpoint one", reason=Reason.INPUT_INVALID)
            row = MergeRow(uuid7(now_us // 1_000), "split", old.id, new, now_us, by, reason)
            sql.close_conflicts(db, site, old.id, "", now_us)
            sql.put_merge(db, site, row)
            append(db, site, [_leaf("endpoint.split", row, by, now_us, marks=len(keys))])
        settle_rows(engine, site, [id_, new], now_us)
    return new, row.id


def undo(engine: Engine, site: str, merge_id: str, *, by: str, reason: str, now_us: int) -> None:
    """Take a merge or split back, a rule's too.

    Raises:
        InputError: ``not-found``; ``conflict``: it was undone, or what it made is part of another by now.
    """
    _reason(reason)
    with alone(engine, site):
        with write(engine) as db:
            row = merge_of(db, site, merge_id)
            if row is None:
                raise InputError("merge", "there is none of this id", reason=Reason.NOT_FOUND)
            rows = rows_of(db, site, [row.into, row.other])
            whose = row.into if row.act == "merge" else ""
            if row.undone_us or len(rows) < 2 or rows[row.other].merged != whose:
                raise InputError("merge", "was undone, or is part of a later one", reason=Reason.CONFLICT)
            if row.act == "merge":
                if top_of(db, site, row.into) != row.into:
                    raise InputError("merge", "is part of a later one", reason=Reason.CONFLICT)
                sql.move(
                    db, site, row.into, row.other, sorted({row.other, *merged_into(db, site, row.other)})
                )
                sql.set_merged(db, site, row.other, "")
                parents.part(db, site, row.other, row.into)
                if row.by == "rule":  # the rule would do it again
                    apart = MergeRow(uuid7(now_us // 1_000), "split", row.into, row.other, now_us, by, reason)
                    sql.put_merge(db, site, apart)
            else:
                _standing(rows, row.into)
                _join(db, site, row.into, row.other, now_us)
            sql.undo_merge(db, site, row.id, by, now_us)
            append(db, site, [_leaf("endpoint.restored", row, by, now_us, reason=reason)])
        settle_rows(engine, site, [row.into, row.other], now_us)


def describe(
    engine: Engine, site: str, ids: Sequence[str], values: Mapping[str, str], *, by: str, now_us: int
) -> None:
    """Write what a person says endpoints are like: attribute -> value; an empty value takes back what a person said before.

    Raises:
        InputError: ``not-found``; ``input.invalid``: too many, an attribute there is not, or a text that is too long.
    """
    if not 0 < len(ids) <= BULK_MAX:
        raise InputError("endpoints", f"1 to {BULK_MAX}", reason=Reason.INPUT_INVALID)
    for name, value in values.items():
        if name not in ATTRIBUTES:
            raise InputError("attribute", "there is none of this name", reason=Reason.INPUT_INVALID)
        if len(value) > REASON_LENGTH_MAX or not (value.isprintable()):
            raise InputError(name, "is too long, or does not print", reason=Reason.INPUT_INVALID)
    with alone(engine, site):
        with read(engine) as db:
            rows = rows_of(db, site, ids)
            for id_ in ids:
                _standing(rows, id_)
        facts = tuple(Fact(name, value, 1.0) for name, value in values.items() if value)
        said = Statement(now_us, PERSON, "", (Mark(MarkKind.DEVICE, PERSON),), facts)
        gone = [name for name, value in values.items() if not value]
        take_for(engine, site, ids, said, gone, now_us, by)


def _join(db: Connection, site: str, into: str, other: str, now_us: int) -> None:
    sql.move(db, site, other, into)
    sql.set_merged(db, site, other, into)
    parents.join(db, site, other, into)
    sql.close_conflicts(db, site, into, other, now_us)
    sql.stand_again(db, site, into)


def _standing(rows: Mapping[str, EndpointRow], id_: str) -> EndpointRow:
    row = rows.get(id_)
    if row is None:
        raise InputError("endpoint", "there is none of this id", reason=Reason.NOT_FOUND)
    if row.merged:
        raise InputError("endpoint", "is part of another", reason=Reason.CONFLICT)
    return row


def _reason(reason: str) -> None:
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise InputError("reason", f"1 to {REASON_LENGTH_MAX} characters", reason=Reason.INPUT_INVALID)


def _leaf(kind: str, row: MergeRow, by: str, now_us: int, *, reason: str = "", **more: int) -> Leaf:
    why = sha256((reason or row.reason).encode()).hexdigest()
    body = {"act": row.act, "by": by, "id": row.id, "into": row.into, "other": row.other, "reason": why}
    return prepare(Record(kind, body | more, now_us))
