"""What changes the inventory: statements taken in, and what a person says of endpoints (``deciding``).

Rules:
- A batch is resolved against what is known around it, then written in groups, each with its records; a batch that was cut short may be
  taken again: what was written is found again.
- ``endpoint.changed``: the value that stands first of an attribute of configuration became another one, or an endpoint that had cards or
  certificates got another. The record has the attribute and digests of before and after; the values stand in the tables.
- Each word of a person is such a record, whatever attribute it is of, and so is taking it back: what stood first before, and what they said.
- ``endpoint.merged`` with ``by`` ``rule``: two that were known are one by the rules of ``resolving``.

Deliberately absent: findings; whoever calls gets the conflicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from oathward.core.db import GROUP_ROWS_MAX, read, write
from oathward.core.ids import uuid7
from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints import newcomers, sql
from oathward.endpoints.alone import alone
from oathward.endpoints.attributes import ATTRIBUTES, PERSON, show, shown_of
from oathward.endpoints.deriving import di_of
from oathward.endpoints.flooding import News
from oathward.endpoints.folding import CARRIED, fold, is_news, key, parted, says_nothing_new
from oathward.endpoints.loading import attributes_of, catalogue_of, known_of, load, makers_of, stored_of
from oathward.endpoints.model import AttributeRow, ConflictRow, Lease, RelationRow, Taken
from oathward.endpoints.picture import DAY_US, Known, Picture
from oathward.endpoints.resolving import resolve
from oathward.endpoints.rows import columns_of, spoke
from oathward.ledger import Leaf, Record, append, prepare
from oathward.ledger.postings import collector_paused

T = TypeVar("T")

STATEMENTS_MAX = 20_000
"""Statements of one batch; more are taken in several."""

STAYED_US = 7 * DAY_US
"""A segment that was an endpoint's for this long is its place; leaving it is a change. What roams has none."""

_GROUP = GROUP_ROWS_MAX // 4
"""Endpoints written in one transaction, with a dozen rows each; of known ones twice as many, with half a dozen."""


def take(
    engine: Engine,
    site: str,
    statements: Sequence[Statement],
    now_us: int,
    by: str,
    disputed: frozenset[str] = frozenset(),
    *,
    joins: bool = True,
    late_us: int = 0,
) -> Taken:
    """Take in what sources say of endpoints.

    Args:
        by: who had it read: a person's id or the name of a process. disputed: numbers of the site that the list gives two devices.
        joins: whether endpoints that are known may become one by it; where not, what they share is at most a conflict.
        late_us: when the last flow was seen whose sums were kept: leases that begin earlier are noted (``leases.late``).
    """
    counts, conflicts, changed = dict[str, int](), dict[str, ConflictRow](), set[str]()
    for at in range(0, len(statements), STATEMENTS_MAX):
        picture = Picture(lambda _: uuid7(now_us // 1_000), disputed)
        picture.may_join = joins
        picture.late_us = late_us
        part = _take(engine, site, picture, statements[at : at + STATEMENTS_MAX], now_us, by)
        for name, count in part.counts.items():
            counts[name] = counts.get(name, 0) + count
        conflicts |= {one.id: one for one in part.conflicts}
        changed |= part.changed
    return Taken(counts, tuple(conflicts.values()), frozenset(changed))


def _take(
    engine: Engine, site: str, picture: Picture, said: Sequence[Statement], now_us: int, by: str
) -> Taken:
    with alone(engine, site), collector_paused():
        with read(engine) as db:
            load(db, site, picture, said)
            picture.news = newcomers.load(db, site, said)
        before = {
            id_: {key for key in known.marks if key[0] in CARRIED} for id_, known in picture.known.items()
        }
        resolve(picture, said)
        touched = [one for one in picture.touched() if not (one.is_new and one.merged)]
        picture.settle()
        leases = picture.written_leases()
        for group in _groups(picture, touched):
            with read(engine) as db:
                prepared = _Group(db, site, picture, group, before, now_us, by)
            with write(engine) as db:
                prepared.put(db, [lease for one in group for lease in leases.pop(one.id, ())])
            picture.counts["records"] += len(prepared.leaves)
        _put_rest(engine, site, picture)
        _put_news(engine, site, picture.news, now_us)
    changed = frozenset(one.id for one in touched if not one.merged)
    return Taken(picture.counts, tuple(picture.conflicts.values()), changed)


def settle_rows(engine: Engine, site: str, ids: Sequence[str], now_us: int) -> None:
    """Write anew what lists show of endpoints, after what they have was moved. Whoever calls holds the inventory."""
    with read(engine) as db:
        known = known_of(db, site, ids)
        heard_us = max((one.last_us for one in known), default=0)
        group = [one for one in known if not one.merged]
        for one in group:
            spoke(one, heard_us)
        prepared = _Group(
            db, site, Picture(lambda _: uuid7(now_us // 1_000)), group, {}, now_us, "", quiet=True
        )
    with write(engine) as db:
        prepared.put(db, ())
        sql.count_conflicts(db, site, ids)


def take_for(
    engine: Engine, site: str, ids: Sequence[str], said: Statement, gone: Sequence[str], now_us: int, by: str
) -> None:
    """Write what a person says of endpoints, whoever they are; ``gone``: attributes of which a person says nothing any more."""
    picture = Picture(lambda _: uuid7(now_us // 1_000))
    for at in range(0, len(ids), _GROUP):
        with read(engine) as db:
            group = known_of(db, site, ids[at : at + _GROUP])
            for known in group:
                for name, value, confidence in said.facts:
                    known.facts[name, value, said.source] = [said.at_us, said.at_us, confidence]
            spoken = _spoken(db, site, group, said, gone) if said.source == PERSON else {}
            prepared = _Group(
                db, site, picture, group, {}, now_us, by, without=(said.source, frozenset(gone))
            )
        others = [leaf for leaf in prepared.leaves if _about(leaf) not in spoken]
        words = [changed(*about, *values, now_us, by) for about, values in spoken.items()]
        prepared.leaves = others + words
        with write(engine) as db:
            prepared.put(db, ())


def _spoken(
    db: Connection, site: str, group: Sequence[Known], said: Statement, gone: Sequence[str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """Find what a person's words change: (endpoint, attribute) -> what stood first before, and what they say, or what stands without their word."""
    words = dict.fromkeys(gone, "") | {fact.attribute: fact.value for fact in said.facts}
    heard = attributes_of(db, site, [one.id for one in group])
    found = {}
    for known in group:
        rows = heard.get(known.id, [])
        mine = {
            row.attribute: row for row in sorted(rows, key=lambda row: row.last_us) if row.source == PERSON
        }
        before, without = shown_of(show(rows)), shown_of(show(row for row in rows if row.source != PERSON))
        for name, value in words.items():
            if value != (mine[name].value if name in mine else ""):
                found[known.id, name] = (before.get(name, ""), value or without.get(name, ""))
    return found


def _about(leaf: Leaf) -> tuple[object, object]:
    """Say of which endpoint and attribute a record is."""
    return leaf.record.body.get("endpoint"), leaf.record.body.get("attribute")


class _Group:
    """What is written of some endpoints in one transaction, prepared before it begins."""

    def __init__(
        self,
        db: Connection,
        site: str,
        picture: Picture,
        group: Sequence[Known],
        before: dict[str, set[Any]],
        now_us: int,
        by: str,
        *,
        quiet: bool = False,
        without: tuple[str, frozenset[str]] = ("", frozenset()),
    ) -> None:
        self.site, self.group, self.picture, self.now_us = site, group, picture, now_us
        ids = {one.id for one in group}
        self.joins = [one for one in picture.joins if one.other in ids]
        old_ids = [one.id for one in group if not one.is_new]
        self.stored = stored_of(db, site, old_ids)
        said = attributes_of(db, site, [*old_ids, *(one.other for one in self.joins)])
        for join in self.joins:
            said.setdefault(join.into, []).extend(said.get(join.other, []))
        self.endpoints, self.heard = list[Any](), list[Any]()
        self.attributes, self.dropped = list[Any](), list[Any]()
        self.leaves = [_merged(join.into, join.other, now_us, join.reason) for join in self.joins]
        joined = {one.into for one in self.joins}
        catalogue = catalogue_of(db, site, _dis(said, group))
        macs = {value for one in group for kind, _, value in one.marks if kind is MarkKind.MAC}
        makers = makers_of(db, site, macs)
        for known in group:
            old = said.get(known.id, [])
            may_skip = not (quiet or known.is_new or without[0] or known.id in joined)
            if known.merged or (
                may_skip and says_nothing_new(known, old, before.get(known.id, set()), makers)
            ):
                self._row(known, shown_of(old))
                continue
            source, names = without
            part, rest = parted(known, old, makers) if may_skip else (old, [])
            left = [one for one in part if not (one.source == source and one.attribute in names)]
            attributes, gone = fold(left, known, catalogue, makers)
            gone += [
                (one.attribute, one.value, one.source)
                for one in old
                if one.source == source and one.attribute in names
            ]
            marked = show(attributes)
            shown = shown_of([*marked, *rest])
            self._row(known, shown)
            was = {key(one): one for one in part}
            rows_of_name = Counter(one.attribute for one in marked)
            fresh = [
                one
                for one in marked
                if is_news(was.get(key(one)), one, alone=rows_of_name[one.attribute] == 1)
            ]
            self.attributes += [_attribute(site, known.id, one) for one in fresh]
            self.dropped += [(known.id, *one) for one in gone]
            if not known.is_new and not quiet:
                self.leaves += _changes(
                    known, shown_of(old), shown, [*attributes, *rest], before.get(known.id, set()), now_us, by
                )

    def _row(self, known: Known, shown: Mapping[str, str]) -> None:
        """Write an endpoint's row, as far as it is another than the one that stands there."""
        stored = self.stored.get(known.id)
        row = (self.site, *columns_of(known, shown, stored, self.now_us))
        if stored is None or sql.STEADY(row) != sql.STEADY(stored.whole):
            self.endpoints.append(row)
        elif row != stored.whole:
            self.heard.append(row)

    def put(self, db: Connection, leases: Sequence[Lease]) -> None:
        """Write the group; the last call before commit."""
        site = self.site
        for join in self.joins:
            sql.move(db, site, join.other, join.into)
            sql.close_conflicts(db, site, join.into, join.other, join.at_us)
            sql.put_merge(db, site, join)
        sql.put_endpoints(db, self.endpoints)
        sql.note_heard(db, self.heard)
        sql.drop_marks(db, site, [(one.id, key) for one in self.group for key in one.gone_marks])
        marks = [
            (one.id, key, one.marks[key])
            for one in self.group
            if not one.merged
            for key in one.dirty_marks
            if key in one.marks
        ]
        sql.put_marks(db, site, marks)
        sql.drop_attributes(db, site, self.dropped)
        sql.put_attributes(db, self.attributes)
        sql.put_leases(db, site, leases)
        sql.put_late(db, site, [one for one in leases if id(one) in self.picture.late])
        sql.count_conflicts(db, site, {join.into for join in self.joins})
        if self.leaves:
            append(db, site, self.leaves)


def _groups(picture: Picture, touched: Iterable[Known]) -> Iterator[list[Known]]:
    """Cut what is written into groups; whoever was joined goes in the group of the one it became part of."""
    whole: dict[str, list[Known]] = {}
    for one in touched:
        root = picture.root(one.id)
        whole.setdefault(root.id if root is not None else one.id, []).append(one)
    group, size = list[Known](), 0
    for id_ in sorted(whole):
        group += whole[id_]
        size += sum(2 if one.is_new or one.merged else 1 for one in whole[id_])
        if size >= 2 * _GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _changes(
    known: Known,
    was: dict[str, str],
    now: dict[str, str],
    rows: Iterable[AttributeRow],
    marks: set[Any],
    now_us: int,
    by: str,
) -> list[Leaf]:
    leaves = list[Leaf]()
    for name, value in now.items():
        before = was.get(name, "")
        if not ATTRIBUTES[name].configuration or ATTRIBUTES[name].many or not before or before == value:
            continue
        if name == "segment" and not _stayed(before, rows):
            continue
        leaves.append(changed(known.id, name, before, value, now_us, by))
    for kind in CARRIED:
        had = sorted(key[2] for key in marks if key[0] is kind)
        new = sorted(key[2] for key in known.marks if key[0] is kind and key[2] not in had)
        if had and new:
            leaves.append(changed(known.id, kind.value, had[-1], new[-1], now_us, by))
    return leaves


def _stayed(segment: str, rows: Iterable[AttributeRow]) -> bool:
    return any(
        row.attribute == "segment" and row.value == segment and row.last_us - row.first_us >= STAYED_US
        for row in rows
    )


def changed(id_: str, attribute: str, before: str, after: str, now_us: int, by: str) -> Leaf:
    """Make the record of a changed configuration: which attribute of which endpoint, before and after as digests."""
    body = {
        "after": digest_of(id_, attribute, after),
        "attribute": attribute,
        "before": digest_of(id_, attribute, before),
        "by": by,
        "endpoint": id_,
    }
    return prepare(Record("endpoint.changed", body, now_us, links=(id_,)))


def digest_of(id_: str, attribute: str, value: str) -> str:
    """Name a value of one endpoint's attribute without saying it: SHA-256 over endpoint, attribute and value, hex; empty for none."""
    return sha256(f"{id_}|{attribute}|{value}".encode()).hexdigest() if value else ""


def _merged(into: str, other: str, now_us: int, reason: str) -> Leaf:
    return prepare(
        Record("endpoint.merged", {"by": "rule", "into": into, "other": other, "rule": reason}, now_us)
    )


def _attribute(site: str, id_: str, one: AttributeRow) -> tuple[Any, ...]:
    said = (
        one.attribute,
        one.value,
        one.source,
        one.origin or id_,
        one.first_us,
        one.last_us,
        one.confidence,
    )
    return (site, id_, *said, int(one.shown), int(one.conflict))


def _dis(said: Mapping[str, Sequence[AttributeRow]], group: Iterable[Known]) -> set[str]:
    """Give the device identifiers that a group names."""
    named = {(one.attribute, one.value) for rows in said.values() for one in rows}
    named |= {(name, value) for known in group for name, value, _ in known.facts}
    dis = {di_of(value) if name == "udi" else value for name, value in named if name in {"udi", "udi-di"}}
    return dis - {""}


def _put_rest(engine: Engine, site: str, picture: Picture) -> None:
    """Write what stands between endpoints."""
    relations = list[RelationRow]()
    for changed_, through in picture.changed_relations:
        one = picture.relations[changed_][through]
        child, parent = picture.root(one.child), picture.root(one.parent)
        ids = (child.id if child is not None else one.child, parent.id if parent is not None else one.parent)
        if (ids[0] == ids[1]) == (one.kind == "itself"):
            relations.append(replace(one, child=ids[0], parent=ids[1]))
    _in_groups(engine, picture.gone_leases, lambda db, some: sql.drop_leases(db, site, some))
    _in_groups(engine, relations, lambda db, some: sql.put_relations(db, site, some))

    def put(db: Connection, some: Sequence[ConflictRow]) -> None:
        sql.put_conflicts(db, site, some)
        sql.count_conflicts(db, site, {id_ for one in some for id_ in (one.endpoint, one.other) if id_})

    _in_groups(engine, list(picture.conflicts.values()), put)


def _put_news(engine: Engine, site: str, news: News, now_us: int) -> None:
    """Write what sources began; marks before their count, so that what a crash leaves is not counted twice."""
    once = [news.once[digest] for digest in sorted(news.put)]
    _in_groups(engine, once, lambda db, some: newcomers.put_once(db, site, some, now_us))
    _in_groups(engine, sorted(news.gone), lambda db, some: newcomers.drop_once(db, site, some))
    if news.changed:
        with write(engine) as db:
            newcomers.put_sources(db, site, news, now_us)


def _in_groups(engine: Engine, rows: Sequence[T], put: Callable[[Connection, Sequence[T]], None]) -> None:
    for at in range(0, len(rows), GROUP_ROWS_MAX):
        with write(engine) as db:
            put(db, rows[at : at + GROUP_ROWS_MAX])
