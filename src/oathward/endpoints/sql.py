"""The SQL that writes the tables of the living inventory.

Deliberately absent: reading (``loading``, ``views``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from oathward.core.db import direct, for_dialect, where_in
from oathward.endpoints.model import (
    CatalogueRow,
    ConflictRow,
    Held,
    Lease,
    MergeRow,
    RelationRow,
)
from oathward.endpoints.picture import Key
from oathward.endpoints.tables import (
    device_catalogue,
    endpoint,
    endpoint_attribute,
    endpoint_conflict,
    endpoint_lease,
    endpoint_lease_late,
    endpoint_mark,
    endpoint_merge,
    endpoint_once,
    endpoint_relation,
    endpoint_source,
)

Values = tuple[Any, ...]

_INDEXED = {column.name for index in endpoint.indexes for column in index.columns} - {"last_us"}
_NAMES = [column.name for column in endpoint.c]
_MOVING = [name for name in _NAMES if name not in _INDEXED | {"site", "id"}]
_moving = itemgetter(*map(_NAMES.index, _MOVING))

STEADY: Callable[[Values], Values] = itemgetter(
    *(_NAMES.index(name) for name in _NAMES if name not in _MOVING)
)
"""Takes of an endpoint's row what its indexes are made of, when it was last heard aside: where that stays, most indexes are left alone."""


def put_endpoints(db: Connection, rows: Sequence[Values]) -> None:
    """Write endpoints, new or known; ``rows``: values in the order of the table's columns."""
    _upsert(db, endpoint, ("site", "id"), rows)


def note_heard(db: Connection, rows: Sequence[Values]) -> None:
    """Write known endpoints of which nothing that ``STEADY`` takes changed; ``rows``: as for ``put_endpoints``."""
    if rows:
        db.exec_driver_sql(_heard_sql(db.dialect.name), [(*_moving(row), *row[:2]) for row in rows])


def put_marks(db: Connection, site: str, rows: Sequence[tuple[str, Key, Held]]) -> None:
    """Write marks of endpoints."""
    values = [
        (site, id_, key[0].value, key[1], key[2], held.origin or id_, held.first_us, held.last_us, held.ended_us, int(held.fronts),
         held.returns, held.returned_us)
        for id_, key, held in rows
    ]  # fmt: skip
    _upsert(db, endpoint_mark, ("site", "endpoint", "kind", "scope", "value", "origin"), values)


def put_sources(db: Connection, rows: Sequence[Values]) -> None:
    """Write what sources began; ``rows``: values in the order of the table's columns."""
    _upsert(db, endpoint_source, ("site", "realm", "source"), rows)


def put_once(db: Connection, rows: Sequence[Values]) -> None:
    """Write marks heard once; ``rows``: values in the order of the table's columns."""
    _upsert(db, endpoint_once, ("site", "digest"), rows)


def drop_marks(db: Connection, site: str, rows: Collection[tuple[str, Key]]) -> None:
    """Delete marks that an endpoint no longer has."""
    for id_, (kind, scope, value) in rows:
        direct(
            db,
            "DELETE FROM endpoint_mark WHERE site = ? AND endpoint = ? AND kind = ? AND scope = ? AND value = ?",
            (site, id_, kind.value, scope, value),
        )


def put_attributes(db: Connection, rows: Sequence[Values]) -> None:
    """Write attributes; ``rows``: values in the order of the table's columns."""
    _upsert(db, endpoint_attribute, ("site", "endpoint", "attribute", "value", "source", "origin"), rows)


def drop_attributes(db: Connection, site: str, rows: Collection[tuple[str, str, str, str]]) -> None:
    """Delete attributes that gave way; ``rows``: endpoint, attribute, value, source."""
    for row in rows:
        direct(
            db,
            "DELETE FROM endpoint_attribute WHERE site = ? AND endpoint = ? AND attribute = ? AND value = ? AND source = ?",
            (site, *row),
        )


def put_leases(db: Connection, site: str, rows: Collection[Lease]) -> None:
    """Write who had which address."""
    values = [
        (
            site,
            one.id,
            one.realm,
            one.address,
            one.from_us,
            one.until_us,
            one.endpoint,
            one.mac,
            one.origin,
            one.asked_us,
            one.given_us,
        )
        for one in rows
    ]
    _upsert(db, endpoint_lease, ("site", "id"), values)


def put_late(db: Connection, site: str, rows: Collection[Lease]) -> None:
    """Note leases that were learned after flows of their time."""
    values = [(site, one.id, one.realm, one.address, one.from_us) for one in rows]
    _upsert(db, endpoint_lease_late, ("site", "id"), values)


def drop_late(db: Connection, site: str, rows: Collection[tuple[str, int]]) -> None:
    """Delete notes of leases learned late, by lease and when it began: of one that begins earlier by now there is another."""
    for id_, from_us in rows:
        direct(
            db,
            "DELETE FROM endpoint_lease_late WHERE site = ? AND id = ? AND from_us >= ?",
            (site, id_, from_us),
        )


def drop_leases(db: Connection, site: str, rows: Collection[Lease]) -> None:
    """Delete leases that were nobody's after all."""
    for one in rows:
        direct(db, "DELETE FROM endpoint_lease WHERE site = ? AND id = ?", (site, one.id))


def put_relations(db: Connection, site: str, rows: Collection[RelationRow]) -> None:
    """Write what stands behind what."""
    values = [(site, one.kind, one.child, one.parent, one.first_us, one.last_us) for one in rows]
    _upsert(db, endpoint_relation, ("site", "kind", "child", "parent"), values, keep=("first_us",))


def put_conflicts(db: Connection, site: str, rows: Collection[ConflictRow]) -> None:
    """Write conflicts: one seen again counts, and is open."""
    for one in rows:
        found = direct(
            db,
            "UPDATE endpoint_conflict SET last_us = CASE WHEN last_us < ? THEN ? ELSE last_us END, times = times + ?,"
            " closed_us = 0 WHERE site = ? AND id = ?",
            (one.last_us, one.last_us, one.times, site, one.id),
        )
        if not found.rowcount:
            db.execute(insert(endpoint_conflict).values(site=site, **_values(one)))


def close_conflicts(db: Connection, site: str, one: str, other: str, now_us: int) -> None:
    """Close the conflicts between two endpoints, or of those that spoke as ``one``: a person said what is so."""
    table = endpoint_conflict.c
    pair = sorted((one, other)) if other else (one, "")
    db.execute(
        update(endpoint_conflict)
        .where(table.site == site, table.endpoint == pair[0], table.other == pair[1], table.closed_us == 0)
        .values(closed_us=now_us)
    )


def count_conflicts(db: Connection, site: str, ids: Collection[str]) -> None:
    """Write on endpoints how many open conflicts they have."""
    for id_ in ids:
        direct(
            db,
            "UPDATE endpoint SET conflicts = (SELECT count(*) FROM endpoint_conflict c WHERE c.site = ? AND c.closed_us = 0"
            " AND (c.endpoint = ? OR c.other = ?)) WHERE site = ? AND id = ?",
            (site, id_, id_, site, id_),
        )


def put_merge(db: Connection, site: str, row: MergeRow) -> None:
    """Write a merge or split."""
    db.execute(insert(endpoint_merge).values(site=site, **_values(row)))


def undo_merge(db: Connection, site: str, id_: str, by: str, now_us: int) -> None:
    """Note that a merge or split was undone."""
    table = endpoint_merge
    db.execute(
        update(table).where(table.c.site == site, table.c.id == id_).values(undone_us=now_us, undone_by=by)
    )


def move(db: Connection, site: str, gone: str, into: str, origins: Collection[str] = ()) -> None:
    """Give one endpoint what another has; with ``origins``, only what came from them."""
    for table in ("endpoint_mark", "endpoint_attribute", "endpoint_lease"):
        text = f"UPDATE {table} SET endpoint = ? WHERE site = ? AND endpoint = ?"  # noqa: S608  names of our own tables
        for origin in origins or ("",):
            more = (" AND origin = ?", (origin,)) if origins else ("", ())
            direct(db, text + more[0], (into, site, gone, *more[1]))


def move_mark(db: Connection, site: str, from_: str, to: str, key: Key) -> int:
    """Give a mark to another endpoint as its own; an address goes with its leases. Gives how many rows that were."""
    kind, scope, value = key
    direct(
        db,
        "DELETE FROM endpoint_mark WHERE site = ? AND endpoint = ? AND kind = ? AND scope = ? AND value = ?",
        (site, to, kind.value, scope, value),
    )
    done = direct(
        db,
        "UPDATE endpoint_mark SET endpoint = ?, origin = ? WHERE site = ? AND endpoint = ? AND kind = ? AND scope = ? AND value = ?",
        (to, to, site, from_, kind.value, scope, value),
    ).rowcount
    column = {"mac": "mac", "address": "address"}.get(kind.value)
    if column is not None:
        done += direct(
            db,
            f"UPDATE endpoint_lease SET endpoint = ?, origin = ? WHERE site = ? AND endpoint = ? AND realm = ? AND {column} = ?",  # noqa: S608  a column of our own
            (to, to, site, from_, scope, value),
        ).rowcount
    return done


def set_merged(db: Connection, site: str, id_: str, into: str) -> None:
    """Note what an endpoint became part of; empty where it stands alone again."""
    direct(db, "UPDATE endpoint SET merged = ? WHERE site = ? AND id = ?", (into, site, id_))


def stand_again(db: Connection, site: str, id_: str) -> None:
    """Take back that cards of an endpoint were replaced: a person says that they are one."""
    direct(
        db,
        "UPDATE endpoint_mark SET ended_us = 0 WHERE site = ? AND endpoint = ? AND ended_us > 0",
        (site, id_),
    )


def splits_between(db: Connection, site: str, one: str, other: str) -> list[str]:
    """List the splits that keep two endpoints apart."""
    text = (
        "SELECT id FROM endpoint_merge WHERE site = ? AND act = 'split' AND undone_us = 0"
        ' AND (("into" = ? AND other = ?) OR ("into" = ? AND other = ?))'
    )
    return [row[0] for row in direct(db, text, (site, one, other, other, one)).fetchall()]


def count_marks(db: Connection, site: str, id_: str) -> int:
    """Count the marks and the leases of an endpoint."""
    text = (
        "SELECT (SELECT count(*) FROM endpoint_mark WHERE site = ? AND endpoint = ?)"
        " + (SELECT count(DISTINCT address) FROM endpoint_lease WHERE site = ? AND endpoint = ?)"
    )
    return int(direct(db, text, (site, id_, site, id_)).fetchall()[0][0])


def copy_endpoint(db: Connection, site: str, from_: str, new: str) -> None:
    """Begin an endpoint like another, with nothing said of it and no mark."""
    table = endpoint.c
    row = dict(db.execute(select(endpoint).where(table.site == site, table.id == from_)).one()._mapping)  # noqa: SLF001  its public name
    kept = {
        "site",
        "sort",
        "first_us",
        "last_us",
        "realm",
        "segment",
        "lifecycle",
        "lifecycle_us",
        "began_us",
        "spoke_us",
        "segment_us",
    }
    blank = {name: "" if isinstance(value, str) else 0 for name, value in row.items() if name not in kept}
    db.execute(insert(endpoint).values(**(row | blank | {"id": new})))


def put_catalogue(db: Connection, site: str, rows: Sequence[CatalogueRow]) -> None:
    """Write rows of the device catalogue; a UDI-DI that is there already is written anew."""
    values = [(site, *(getattr(row, one.name) for one in fields(CatalogueRow))) for row in rows]
    _upsert(db, device_catalogue, ("site", "udi_di"), values)


def forget_leases(db: Connection, site: str, before_us: int, limit: int) -> int:
    """Delete leases that ended before a time, at most ``limit``; gives how many."""
    ids = [
        row[0]
        for row in direct(
            db,
            "SELECT id FROM endpoint_lease WHERE site = ? AND until_us < ? ORDER BY until_us LIMIT ?",
            (site, before_us, limit),
        ).fetchall()
    ]
    list(where_in(db, "DELETE FROM endpoint_lease WHERE id IN ({})", ids))
    return len(ids)


def _values(row: Any) -> Mapping[str, Any]:
    return {one.name: getattr(row, one.name) for one in fields(row)}


def _upsert(
    db: Connection, table: Table, keys: tuple[str, ...], rows: Sequence[Values], keep: tuple[str, ...] = ()
) -> None:
    if rows:
        db.exec_driver_sql(_upsert_sql(table, db.dialect.name, keys, keep), list(rows))


@cache
def _heard_sql(dialect: str) -> str:
    written = ", ".join(f'"{name}" = ?' for name in _MOVING)
    return for_dialect(f"UPDATE endpoint SET {written} WHERE site = ? AND id = ?", dialect)  # noqa: S608  names from our own metadata


@cache
def _upsert_sql(table: Table, dialect: str, keys: tuple[str, ...], keep: tuple[str, ...]) -> str:
    names = [f'"{column.name}"' for column in table.columns]
    written = ", ".join(
        f'"{one.name}" = excluded."{one.name}"'
        for one in table.columns
        if one.name not in keys and one.name not in keep
    )
    text = (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  names from our own metadata
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {written}"
    )
    return for_dialect(text, dialect)
