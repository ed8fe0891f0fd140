"""What lists that others keep ask of the inventory: who has a mark, who says what now, what a list told before; and the device catalogue.

Rules:
- Asked in batches; nothing is read that a batch is not about.
- What a source said last of an attribute is its word now; what it said before is history.
- Rows of the catalogue are written in groups, each its own transaction: they may be taken again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Engine, select

from oathward.core.db import GROUP_ROWS_MAX, write
from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import sql
from oathward.endpoints.loading import attributes_of, chunks
from oathward.endpoints.model import AttributeRow, CatalogueRow
from oathward.endpoints.tables import endpoint, endpoint_attribute, endpoint_mark

_IN_REALM = frozenset((MarkKind.ADDRESS,))


def having(db: Connection, site: str, realm: str, marks: Collection[Mark]) -> dict[Mark, frozenset[str]]:
    """Say which endpoints have marks that still stand, an address in its realm alone."""
    values: dict[MarkKind, set[str]] = defaultdict(set)
    for mark in marks:
        values[mark.kind].add(mark.value)
    table = endpoint_mark.c
    found: dict[Mark, set[str]] = defaultdict(set)
    for kind, some_values in values.items():
        for some in chunks(sorted(some_values)):
            query = (
                select(table.value, table.endpoint)
                .join(endpoint, (endpoint.c.site == table.site) & (endpoint.c.id == table.endpoint))
                .where(table.site == site, table.kind == kind.value, table.value.in_(some))
                .where(table.ended_us == 0, endpoint.c.merged == "")
            )
            if kind in _IN_REALM:
                query = query.where(table.scope == realm)
            for value, id_ in db.execute(query):
                found[Mark(kind, value)].add(id_)
    return {mark: frozenset(ids) for mark, ids in found.items()}


def said_of(db: Connection, site: str, ids: Collection[str]) -> dict[str, dict[str, list[AttributeRow]]]:
    """Give what each source says now of each attribute of endpoints."""
    found: dict[str, dict[str, list[AttributeRow]]] = {}
    for id_, rows in attributes_of(db, site, ids).items():
        last: dict[tuple[str, str], AttributeRow] = {}
        for row in rows:
            key = (row.attribute, row.source)
            if key not in last or row.last_us > last[key].last_us:
                last[key] = row
        of = found.setdefault(id_, {})
        for row in last.values():
            of.setdefault(row.attribute, []).append(row)
    return found


def told_by(db: Connection, site: str, realm: str, source: str) -> dict[str, str]:
    """Give all endpoints of a realm that a source ever told of, with their tags."""
    table = endpoint_attribute.c
    told = select(table.endpoint).where(table.site == site, table.source == source)
    mine = endpoint.c
    query = select(mine.id, mine.tag).where(
        mine.site == site, mine.realm == realm, mine.merged == "", mine.id.in_(told)
    )
    return {row[0]: row[1] for row in db.execute(query)}


def catalogue(engine: Engine, site: str, rows: Iterable[CatalogueRow]) -> int:
    """Keep rows of the device catalogue; one that is there already is written anew. Gives how many."""
    count = 0
    group: list[CatalogueRow] = []
    for row in rows:
        group.append(row)
        if len(group) >= GROUP_ROWS_MAX:
            count += _put(engine, site, group)
            group = []
    return count + (_put(engine, site, group) if group else 0)


def _put(engine: Engine, site: str, rows: Sequence[CatalogueRow]) -> int:
    unique: Mapping[str, CatalogueRow] = {row.udi_di: row for row in rows}
    with write(engine) as db:
        sql.put_catalogue(db, site, list(unique.values()))
    return len(rows)
