"""Read the inventory: pages of endpoints with facets, one whole endpoint, who held an address when.

Rules:
- Merged ones are not listed, nor retired ones unless asked for; one that is named by its id is shown whatever it is.
- A page is read by its key, never by counting rows; facets are counts of everything wanted, by the values that stand first.
- Who holds an address is asked for many at once (``holders``) where there are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, or_, select

from oathward.core.db import direct
from oathward.discovery.cards import mac
from oathward.discovery.model import Mark, MarkKind
from oathward.discovery.values import address
from oathward.endpoints import filtering
from oathward.endpoints.attributes import show
from oathward.endpoints.care import Care
from oathward.endpoints.filtering import FEW, Where
from oathward.endpoints.loading import LEASE_COLUMNS, attributes_of, chunks, lease_of, marks_of, rows_of
from oathward.endpoints.model import (
    ConflictRow,
    EndpointRow,
    Filters,
    MergeRow,
    Page,
    RelationRow,
    Summary,
    Whole,
)
from oathward.endpoints.picture import HOLD_US, HOUR_US
from oathward.endpoints.tables import (
    endpoint,
    endpoint_conflict,
    endpoint_lease,
    endpoint_mark,
    endpoint_merge,
    endpoint_relation,
)

if TYPE_CHECKING:
    import polars as pl

PAGE_MAX = 500
FACETS = ("type", "make", "unit", "realm", "criticality", "lifecycle", "os", "sort", "care")
FACET_VALUES_MAX = 50
IN_USE = Care.IN_USE.value
_OF_ONE_MAX = 500
_CALLED_MAX = 50
_CALLED = (MarkKind.TAG, MarkKind.HOST, MarkKind.MAC, MarkKind.ACCOUNT)
_DIGITS_MAX = 18
_GROUPS = (("type",), ("make",), ("unit",), ("realm", "criticality", "lifecycle", "os", "sort", "care"))
_BESIDE = tuple(
    one
    for ended in (False, True)
    for one in (
        Filters(ended=ended),
        Filters(ended=ended, undeclared=True),
        Filters(ended=ended, declared=True),
    )
)
"""What asks for no more than stands beside each value in its index."""
_AT_ONCE = 10_000
"""Endpoints whose facets are counted in one look; of more, those with many values each in one of its own."""
_ASKED = 500
"""Addresses asked for in one statement."""

ABOUT = "endpoint:"
"""What a finding that is about an endpoint has before its id."""
_ROWS = [endpoint.c[name] for name in EndpointRow.__dataclass_fields__]


def page(
    db: Connection,
    site: str,
    wanted: Filters,
    *,
    after: str = "",
    limit: int = 100,
    facets: bool = True,
    total: bool = True,
) -> Page:
    """List endpoints, last heard of first.

    Args:
        after: ``Page.after`` of the page before; what is none begins at the first. total: count them all; without it ``Page.total`` is 0.
    """
    where = filtering.where(db, site, wanted)
    counts = _facets(db, where, wanted) if facets else {}
    number = sum(counts["sort"].values()) if counts else _count(db, where.both) if total else 0
    shown = {name: dict(Counter(of).most_common(FACET_VALUES_MAX)) for name, of in counts.items()}
    if not number and (facets or total):  # else all there are were looked through, by time, for none of them
        return Page((), 0, "", shown)
    query = select(*_ROWS).where(*where.both)
    last, _, id_ = after.partition("|")
    if last.isascii() and last.isdigit() and len(last) <= _DIGITS_MAX:
        at, table = int(last), endpoint.c
        query = query.where(or_(table.last_us < at, (table.last_us == at) & (table.id < id_)))
    limit = max(1, min(limit, PAGE_MAX))
    # Few are found first and then sorted, not looked for among all in their order.
    at_us = endpoint.c.last_us + 0 if 0 < number <= FEW else endpoint.c.last_us
    query = query.order_by(at_us.desc(), endpoint.c.id.desc()).limit(limit + 1)
    rows = [EndpointRow(*row) for row in db.execute(query)]
    more = f"{rows[limit - 1].last_us}|{rows[limit - 1].id}" if len(rows) > limit else ""
    return Page(tuple(rows[:limit]), number, more, shown)


def one(db: Connection, site: str, id_: str) -> Whole | None:
    """Read everything of one endpoint; None where there is none of this id."""
    row = rows_of(db, site, [id_]).get(id_)
    if row is None:
        return None
    marks = [
        (Mark(kind, value), scope, held)
        for (kind, scope, value), held in marks_of(db, site, [id_]).get(id_, {}).items()
    ]
    rank = {kind: at for at, kind in enumerate(MarkKind)}
    marks.sort(key=lambda one: (rank[one[0].kind], -one[2].last_us, one[0].value))
    seen, attributes = set[tuple[str, str, str]](), []
    for said in show(attributes_of(db, site, [id_]).get(id_, [])):
        key = (said.attribute, said.value, said.source)
        if key not in seen:
            seen.add(key)
            attributes.append(said)
    leases = _some(db, select(*LEASE_COLUMNS), endpoint_lease, site, ("endpoint",), id_, "until_us")
    relations = _some(
        db, _columns(endpoint_relation), endpoint_relation, site, ("child", "parent"), id_, "last_us"
    )
    conflicts = _some(
        db, _columns(endpoint_conflict), endpoint_conflict, site, ("endpoint", "other"), id_, "last_us"
    )
    merges = _some(db, _columns(endpoint_merge), endpoint_merge, site, ("into", "other"), id_, "at_us")
    return Whole(
        row,
        tuple(marks),
        tuple(attributes),
        tuple(lease_of(each) for each in leases),
        tuple(RelationRow(*each) for each in relations if each[0] != "itself"),
        tuple(ConflictRow(*each) for each in conflicts),
        tuple(MergeRow(*each) for each in merges),
    )


def called_so(db: Connection, site: str, words: str) -> list[EndpointRow]:
    """List the endpoints that have a tag, name, card or address now, retired ones too; at most ``_CALLED_MAX``."""
    table, mark = endpoint.c, endpoint_mark.c
    folded = words.strip().casefold()
    kinds = [kind.value for kind in _CALLED]
    values = {words.strip(), folded, mac(words) or folded, address(words.strip()) or folded}
    marked = select(mark.endpoint).where(
        mark.site == site, mark.kind.in_(kinds), mark.value.in_(values), mark.ended_us == 0
    )
    named = or_(func.lower(table.name) == folded, table.address.in_(values), table.id.in_(marked))
    query = select(*_ROWS).where(table.site == site, table.merged == "", named)
    return [EndpointRow(*row) for row in db.execute(query.order_by(table.id).limit(_CALLED_MAX))]


def open_conflicts(db: Connection, site: str, *, limit: int) -> list[ConflictRow]:
    """List conflicts of identity that nobody settled, the last seen first."""
    table = endpoint_conflict.c
    query = _columns(endpoint_conflict).where(table.site == site, table.closed_us == 0)
    return [ConflictRow(*row) for row in db.execute(query.order_by(table.last_us.desc()).limit(limit))]


def holders(db: Connection, site: str, asked: pl.DataFrame) -> pl.DataFrame:
    """Say for many addresses which endpoint held each in an hour.

    Args:
        asked: with columns ``realm``, ``address``, ``hour_us`` (start of the hour) and any others.

    Returns:
        The same rows in the same order with a column ``endpoint``: an id, empty where nobody is known; of several in one hour the last.
    """
    import polars as pl

    keys = asked.select("realm", "address", pl.col("hour_us").cast(pl.Int64)).unique(maintain_order=True)
    found = list[str]()
    for start in range(0, keys.height, _ASKED):
        some = keys[start : start + _ASKED].rows()
        values = [v for n, (realm, address, hour) in enumerate(some) for v in (n, realm, address, hour)]
        rows = [tuple(row) for row in direct(db, _holders_sql(len(some)), (*values, site, site)).fetchall()]
        held = {n: one for n, hour, until, one in rows if until is not None and hour - until <= HOLD_US}
        found += [held.get(n, "") for n in range(len(some))]
    known = keys.with_columns(pl.Series("endpoint", found, pl.String)).cast(
        {"hour_us": asked["hour_us"].dtype}
    )
    return asked.join(known, on=["realm", "address", "hour_us"], how="left", maintain_order="left")


@lru_cache(64)
def _holders_sql(count: int) -> str:
    """Ask for the lease that began last before the end of an hour: one look by index each, however many leases an address had."""
    rows = ", ".join(["(CAST(? AS INTEGER), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT))"] * count)
    last = (
        "FROM endpoint_lease l WHERE l.site = ? AND l.address = a.address AND l.realm = a.realm"
        f" AND l.from_us < a.hour_us + {HOUR_US} ORDER BY l.from_us DESC LIMIT 1"
    )
    return (
        f"WITH a (n, realm, address, hour_us) AS (VALUES {rows})"  # noqa: S608  placeholders and a constant of our own
        f" SELECT a.n, a.hour_us, (SELECT l.until_us {last}), (SELECT l.endpoint {last}) FROM a"
    )


def children(db: Connection, site: str, id_: str) -> list[EndpointRow]:
    """List what was heard through a gateway or hub."""
    query = select(*_ROWS).where(endpoint.c.site == site, endpoint.c.merged == "", endpoint.c.parent == id_)
    return [EndpointRow(*row) for row in db.execute(query.order_by(endpoint.c.id).limit(_OF_ONE_MAX))]


def count(db: Connection, site: str, wanted: Filters) -> int:
    """Count endpoints."""
    return _count(db, filtering.where(db, site, wanted).both)


def summary(db: Connection, site: str, *, new_since_us: int, today: str) -> Summary:
    """Count endpoints for first pages, retired ones aside.

    Args:
        today: ISO 8601; support that ended before counts.
    """
    table = endpoint.c
    where = filtering.where(db, site, Filters()).both
    parts = (
        *(table.device != "", table.conflicts > 0, table.first_us >= new_since_us, table.last_us == 0),
        *((table.tag == "") & (table.last_us > 0), table.care == IN_USE),
    )
    sums = [func.coalesce(func.sum(case((part, 1), else_=0)), 0) for part in parts]
    row = db.execute(select(func.count(), *sums).select_from(endpoint).where(*where)).one()
    more = [
        _count(db, filtering.where(db, site, some).both)
        for some in (Filters(disagree=True), Filters(support_before=today))
    ]
    return Summary(*map(int, row), *more)


def of_devices(db: Connection, site: str, ids: Collection[str]) -> dict[str, EndpointRow]:
    """Find the endpoints of declared devices: device -> the one heard last; those that were never heard are not there."""
    mark = endpoint_mark.c
    found: dict[str, EndpointRow] = {}
    for some in chunks(sorted(ids)):
        query = (
            select(mark.value, *_ROWS)
            .join(endpoint, (endpoint.c.site == mark.site) & (endpoint.c.id == mark.endpoint))
            .where(mark.site == site, mark.kind == MarkKind.DEVICE.value, mark.value.in_(some))
            .where(endpoint.c.merged == "")
            .order_by(endpoint.c.last_us)
        )
        for device, *row in db.execute(query):
            found[device] = EndpointRow(*row)
    return found


def types(db: Connection, site: str) -> dict[str, int]:
    """Count endpoints by type, retired ones aside; empty where nobody says it."""
    return _values(db, filtering.where(db, site, Filters()).both, "type")


def parts_of(db: Connection, site: str, id_: str) -> list[str]:
    """Name the endpoints that became part of one: what they did before stands under their own ids."""
    table = endpoint_merge.c
    query = select(table.other).where(
        *(table.site == site, table.act == "merge", table.into == id_, table.undone_us == 0)
    )
    return [str(other) for other in db.execute(query.limit(_OF_ONE_MAX)).scalars()]


def names(db: Connection, site: str, ids: list[str]) -> dict[str, EndpointRow]:
    """Read endpoints by their ids, for lists of other things."""
    return rows_of(db, site, ids)


def called(db: Connection, site: str, about: Iterable[str]) -> dict[str, str]:
    """Give what the endpoints are called that findings are about: ``endpoint:ID`` -> title."""
    ids = sorted({one.removeprefix(ABOUT) for one in about if one.startswith(ABOUT)})
    words = {id_: row.title for id_, row in rows_of(db, site, ids).items()}
    return {f"{ABOUT}{id_}": name for id_, name in words.items() if name}


def _facets(db: Connection, where: Where, wanted: Filters) -> Mapping[str, Mapping[str, int]]:
    """Count values of each facet: of all there is, declared or not, each by its own index, of few in one look; of most, the rest is taken from all."""
    if wanted in _BESIDE:
        return {name: _values(db, where.both, name) for name in FACETS}
    if not filtering.may_be_most(wanted):
        return _grouped(db, where.both, (FACETS,))
    number, all_ = _count(db, where.both), _count(db, where.among)
    if 2 * number <= all_:
        return _grouped(db, where.both, _GROUPS if number > _AT_ONCE else (FACETS,), apart=True)
    rest = _grouped(db, where.rest, _GROUPS if all_ - number > _AT_ONCE else (FACETS,), apart=True)
    return {name: +(Counter(_values(db, where.among, name)) - rest[name]) for name in FACETS}


def _grouped(
    db: Connection,
    where: list[ColumnElement[bool]],
    groups: Sequence[Sequence[str]],
    *,
    apart: bool = False,
) -> dict[str, Counter[str]]:
    """Count values of each facet, the facets of one group in one look.

    Args:
        apart: by no index in the order of a facet: it looks better than the summary's, and all rows are looked up by it.
    """
    counts = {name: Counter[str]() for name in FACETS}
    for names in groups:
        grouped = [endpoint.c[name].concat("") if apart else endpoint.c[name] for name in names]
        for *values, count in db.execute(select(*grouped, func.count()).where(*where).group_by(*grouped)):
            for name, value in zip(names, values, strict=True):
                counts[name][value] += count
    return counts


def _values(db: Connection, where: list[ColumnElement[bool]], name: str) -> dict[str, int]:
    """Count each value of one facet, by its own index."""
    column = endpoint.c[name]
    return {row[0]: row[1] for row in db.execute(select(column, func.count()).where(*where).group_by(column))}


def _count(db: Connection, where: list[ColumnElement[bool]]) -> int:
    return db.execute(select(func.count()).select_from(endpoint).where(*where)).scalar_one()


def _columns(table: Any) -> Select[Any]:
    return select(*(column for column in table.c if column.name != "site"))


def _some(
    db: Connection, query: Select[Any], table: Any, site: str, columns: tuple[str, ...], id_: str, order: str
) -> list[Any]:
    of = or_(*(table.c[name] == id_ for name in columns))
    query = query.where(table.c.site == site, of).order_by(table.c[order].desc()).limit(_OF_ONE_MAX)
    return list(db.execute(query))
