"""Read what a batch of statements is about into a ``Picture``: those who have its marks or addresses, with all their marks.

Only that is read, whatever the size of the inventory; a mark that very many have is read of ``COMMON_MAX`` of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select

from oathward.core.db import direct
from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.makers import PREFIXES
from oathward.endpoints.marks import sort_marks
from oathward.endpoints.model import (
    AttributeRow,
    CatalogueRow,
    EndpointRow,
    Held,
    Lease,
    MergeRow,
    RelationRow,
)
from oathward.endpoints.noting import LISTS
from oathward.endpoints.picture import COMMON_MAX, DAY_US, Key, Known, Picture
from oathward.endpoints.rows import Stored
from oathward.endpoints.tables import (
    device_catalogue,
    endpoint,
    endpoint_attribute,
    endpoint_lease,
    endpoint_merge,
    endpoint_relation,
)

ENDPOINTS_MAX = 1_000_000
"""Endpoints of a site: who writes a sensor's files makes no more up."""

_CHUNK = 500
_MARKED = (
    "SELECT endpoint FROM (SELECT endpoint, row_number() OVER (PARTITION BY value ORDER BY first_us) AS place FROM endpoint_mark"
    " WHERE site = ? AND kind = ? AND value IN ({})) AS ranked WHERE place <= ?"
)
_KINDS = {one.value: one for one in MarkKind}
_RECENT_US = 2 * DAY_US
_ROW = (
    "id",
    "sort",
    "first_us",
    "last_us",
    "began_us",
    "spoke_us",
    "segment_us",
    "realm",
    "segment",
    "parent",
    "merged",
)


def load(db: Connection, site: str, picture: Picture, statements: Sequence[Statement]) -> None:
    """Read what is known around some statements."""
    values, addresses = _asked(statements)
    since = min((said.at_us for said in statements), default=0) - _RECENT_US
    ids = _ids_of_marks(db, site, values)
    leases = list(_leases_of(db, site, "address", sorted(addresses)))
    ids |= {lease.endpoint for lease in leases}
    for known in _endpoints(db, site, sorted(ids)):
        picture.put(known)
    seen = {lease.id for lease in leases}
    recent = _leases_of(db, site, "endpoint", sorted(ids), since)
    leases += [lease for lease in recent if lease.id not in seen]
    for lease in sorted(leases, key=lambda one: one.from_us):
        picture.put_lease(lease)
    _decided(db, site, picture)
    _serials(db, site, picture, statements)
    _relations(db, site, picture, sorted(ids), statements)
    count = db.execute(select(func.count()).where(endpoint.c.site == site)).scalar_one()
    picture.room = ENDPOINTS_MAX - count


def stored_of(db: Connection, site: str, ids: Collection[str]) -> dict[str, Stored]:
    """Read endpoints as they stand in their table."""
    at = {column.name: place for place, column in enumerate(endpoint.c)}
    kept = [at[name] for name in Stored._fields[1:]]
    found = {}
    for some in chunks(sorted(ids)):
        for row in _rows(db, "endpoint", [*at], site, some, "id"):
            found[row[at["id"]]] = Stored(tuple(row), *[row[place] for place in kept])
    return found


def rows_of(db: Connection, site: str, ids: Collection[str]) -> dict[str, EndpointRow]:
    """Read endpoints as lists show them."""
    columns = [endpoint.c[name] for name in EndpointRow.__dataclass_fields__]
    found = {}
    for some in chunks(sorted(ids)):
        for row in db.execute(select(*columns).where(endpoint.c.site == site, endpoint.c.id.in_(some))):
            found[row[0]] = EndpointRow(*row)
    return found


def attributes_of(db: Connection, site: str, ids: Collection[str]) -> dict[str, list[AttributeRow]]:
    """Read what was said of endpoints."""
    names, made = ("endpoint", *AttributeRow._fields), AttributeRow._make
    found: dict[str, list[AttributeRow]] = defaultdict(list)
    for some in chunks(sorted(ids)):
        for row in _rows(db, "endpoint_attribute", names, site, some):
            found[row[0]].append(made((*row[1:7], row[7] == 1, row[8] == 1, row[9])))
    return found


def marks_of(db: Connection, site: str, ids: Collection[str]) -> dict[str, dict[Key, Held]]:
    """Read the marks of endpoints."""
    names = ("endpoint", "kind", "scope", "value", *Held.__dataclass_fields__)
    found: dict[str, dict[Key, Held]] = defaultdict(dict)
    for some in chunks(sorted(ids)):
        for row in _rows(db, "endpoint_mark", names, site, some):
            id_, kind, scope, value, first, last, ended, fronts, origin, *returns = row
            key = (_KINDS[kind], scope, value)
            same = found[id_].get(key)
            if same is None:
                found[id_][key] = Held(first, last, ended, bool(fronts), origin, *returns)
            else:
                same.first_us, same.last_us = min(same.first_us, first), max(same.last_us, last)
    return found


def _rows(
    db: Connection, table: str, names: Sequence[str], site: str, ids: Sequence[str], by: str = "endpoint"
) -> Sequence[Any]:
    """Read columns of endpoints on the driver itself: these rows are most of what a batch reads."""
    columns = ", ".join(f'"{name}"' for name in names)
    text = f"SELECT {columns} FROM {table} WHERE site = ? AND {by} IN ({', '.join('?' * len(ids))})"  # noqa: S608  names of our own tables
    return direct(db, text, (site, *ids)).fetchall()


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a list for ``IN``."""
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))


def lease_of(row: Any) -> Lease:
    """Make a lease of a row with its columns in the table's order, without the site."""
    id_, realm, address, from_us, until_us, one, mac, origin, asked_us, given_us = row
    return Lease(realm, address, from_us, until_us, one, mac, origin, id_, asked_us, given_us)


LEASE_COLUMNS = [one for one in endpoint_lease.c if one.name != "site"]


def _asked(statements: Iterable[Statement]) -> tuple[dict[MarkKind, set[str]], set[str]]:
    values: dict[MarkKind, set[str]] = defaultdict(set)
    addresses = set[str]()
    for said in statements:
        for marks in (said.marks, said.behind):
            if not marks:
                continue
            found = sort_marks(marks)
            values[MarkKind.MAC].update(found.cards, found.random)
            values[MarkKind.ADDRESS].update(found.addresses)
            addresses.update(found.addresses)
            for kind, value in (*found.claims, *found.names):
                values[kind].add(value)
    return values, addresses


def _ids_of_marks(db: Connection, site: str, values: dict[MarkKind, set[str]]) -> set[str]:
    ids = set[str]()
    for kind, some_values in values.items():
        for some in chunks(sorted(some_values)):
            marked = (site, kind.value, *some, COMMON_MAX)
            found = direct(db, _MARKED.format(", ".join("?" * len(some))), marked)
            ids.update(row[0] for row in found.fetchall())
    return ids


def _leases_of(db: Connection, site: str, by: str, keys: Sequence[str], since_us: int = 0) -> Iterator[Lease]:
    names = [one.name for one in LEASE_COLUMNS]
    place = names.index("until_us")
    for some in chunks(keys):
        for row in _rows(db, "endpoint_lease", names, site, some, by):
            if row[place] >= since_us:
                yield lease_of(row)


def _endpoints(db: Connection, site: str, ids: Sequence[str]) -> Iterator[Known]:
    marks = marks_of(db, site, ids)
    for some in chunks(ids):
        for row in _rows(db, "endpoint", _ROW, site, some, "id"):
            known = Known(row[0], is_new=False)
            known.sort, known.first_us, known.last_us, known.began_us, known.spoke_us = row[1:6]
            known.segment_us, known.realm, known.segment, known.parent, known.merged = row[6:]
            known.marks = marks.get(known.id, {})
            yield known


def _decided(db: Connection, site: str, picture: Picture) -> None:
    """Read what people decided: who was split stays apart, who was merged stays whole."""
    table = endpoint_merge.c
    query = select(table.act, table.into, table.other).where(
        table.site == site, table.undone_us == 0, or_(table.act == "split", table.by != "rule")
    )
    for act, into, other in db.execute(query):
        if act == "split":
            picture.apart.add(frozenset((into, other)))
        elif into in picture.known:
            picture.known[into].kept_whole = True


def _serials(db: Connection, site: str, picture: Picture, statements: Sequence[Statement]) -> None:
    """Read the serials that lists said of those whose number may be in dispute: one without a maker is no mark."""
    tags = {value for said in statements for kind, value in said.marks if kind is MarkKind.TAG}
    holders = {tag: picture.having(MarkKind.TAG, tag) for tag in tags}
    asked = {
        known.id: known
        for tag, having in holders.items()
        if len(having) > 1 or tag in picture.disputed
        for known in having
    }
    table = endpoint_attribute.c
    for some in chunks(sorted(asked)):
        query = select(table.endpoint, table.value).where(
            table.site == site,
            table.attribute == "serial",
            table.source.in_(sorted(LISTS)),
            table.endpoint.in_(some),
        )
        for id_, value in db.execute(query):
            asked[id_].serials.add(value)


def _relations(
    db: Connection, site: str, picture: Picture, ids: Sequence[str], statements: Sequence[Statement]
) -> None:
    """Read through whom endpoints were heard, and for how many others each of those spoke."""
    names = ("kind", "child", "parent", "first_us", "last_us")
    for some in chunks(ids):
        for row in _rows(db, "endpoint_relation", names, site, some, "child"):
            picture.relations.setdefault(row[1], {})[row[2]] = RelationRow(*row)
    table = endpoint_relation.c
    speakers = _speakers(picture, statements)
    for known in _endpoints(db, site, sorted(speakers - picture.known.keys())):
        picture.put(known)  # who spoke before for somebody of this batch
    for some in chunks(sorted(speakers)):
        mine = (table.site == site) & (table.kind == "behind") & table.parent.in_(some)
        query = select(table.parent, func.count()).where(mine).group_by(table.parent)
        picture.voices.update((parent, count) for parent, count in db.execute(query))


def _speakers(picture: Picture, statements: Sequence[Statement]) -> set[str]:
    """Name those through whom somebody was heard before, and those that may be meant by what statements came through."""
    found = {id_ for rows in picture.relations.values() for id_ in rows}
    for realm, kind, value in {(said.realm, *mark) for said in statements for mark in said.behind}:
        found |= {known.id for known in picture.having(kind, value)}
        if kind is MarkKind.ADDRESS:
            found |= {lease.endpoint for lease in picture.leases.get((realm, value), ())}
    return found


def catalogue_of(db: Connection, site: str, dis: Collection[str]) -> dict[str, CatalogueRow]:
    """Read what the device catalogue says of UDI-DIs."""
    columns = [device_catalogue.c[name] for name in CatalogueRow.__dataclass_fields__]
    found = {}
    for some in chunks(sorted(dis)):
        query = select(*columns).where(device_catalogue.c.site == site, device_catalogue.c.udi_di.in_(some))
        for row in db.execute(query):
            found[row[0]] = CatalogueRow(*row)
    return found


def makers_of(db: Connection, site: str, macs: Collection[str]) -> dict[str, str]:
    """Read the makers that card prefixes name: by our own table, and by the registry that the site brought, which outranks it."""
    found = dict(PREFIXES)
    for some in chunks(sorted({mac[:8] for mac in macs})):
        found.update(
            (row[0], row[1]) for row in _rows(db, "card_maker", ("prefix", "maker"), site, some, "prefix")
        )
    return found


def merge_of(db: Connection, site: str, id_: str) -> MergeRow | None:
    """Read one merge or split."""
    columns = [endpoint_merge.c[name] for name in MergeRow.__dataclass_fields__]
    row = db.execute(
        select(*columns).where(endpoint_merge.c.site == site, endpoint_merge.c.id == id_)
    ).first()
    return None if row is None else MergeRow(*row)


def merged_into(db: Connection, site: str, id_: str) -> set[str]:
    """Give all that became part of an endpoint, by others too."""
    found, asked = set[str](), {id_}
    while asked:
        query = select(endpoint.c.id).where(endpoint.c.site == site, endpoint.c.merged.in_(sorted(asked)))
        asked = set(db.execute(query).scalars()) - found
        found |= asked
    return found


def top_of(db: Connection, site: str, id_: str) -> str:
    """Say what an endpoint is part of by now; itself where it stands alone."""
    while True:
        query = select(endpoint.c.merged).where(endpoint.c.site == site, endpoint.c.id == id_)
        into = db.execute(query).scalar()
        if not into:
            return id_
        id_ = into


def known_of(db: Connection, site: str, ids: Sequence[str]) -> list[Known]:
    """Read endpoints with their marks, and the addresses each was seen with last."""
    found = list(_endpoints(db, site, sorted(ids)))
    by_id = {one.id: one for one in found}
    for lease in sorted(_leases_of(db, site, "endpoint", sorted(ids)), key=lambda one: one.until_us):
        by_id[lease.endpoint].leases[lease.realm, lease.address] = lease
    return found
