"""What lists of the inventory ask for, as conditions of a query.

Rules:
- Few are found first, by what they are chosen by, and the rest is asked of them: conditions are written so that SQLite does it in that order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, false, not_, select

from oathward.discovery.model import MarkKind
from oathward.endpoints.model import EndpointRow, Filters, Lifecycle
from oathward.endpoints.tables import endpoint, endpoint_attribute, endpoint_mark

FEW = 1_000
"""Endpoints that are found first, and then sorted and counted."""

_COLUMNS = frozenset(EndpointRow.__dataclass_fields__)
_MARKS = frozenset(kind.value for kind in MarkKind)


class Where(NamedTuple):
    """Conditions of a list: ``among`` whom it asks, and what is ``asked`` of them."""

    among: list[ColumnElement[bool]]
    asked: list[ColumnElement[bool]]

    @property
    def both(self) -> list[ColumnElement[bool]]:
        """Give all of them."""
        return self.among + self.asked

    @property
    def rest(self) -> list[ColumnElement[bool]]:
        """Give the conditions of those among whom it asks, and whom it does not ask for. No column is ever null."""
        return [*self.among, not_(and_(*self.asked))]


def may_be_most(wanted: Filters) -> bool:
    """Whether all that is asked for stands in one index, the one of summaries, and may well be most of what there is."""
    said = wanted.equal or wanted.unknown
    return not (said or wanted.search or wanted.disagree or wanted.support_before)


def where(db: Connection, site: str, wanted: Filters) -> Where:
    """Give the conditions of what is wanted."""
    table = endpoint.c
    searched, found = _searched(db, site, wanted.search)
    # Found by what is said of them, not among all that stand alone.
    few = found or wanted.disagree or wanted.support_before
    among = [table.site == site, table.merged.concat("") == "" if few else table.merged == ""]
    if not wanted.ended and wanted.equal.get("lifecycle") != Lifecycle.RETIRED.value:
        among.append(table.lifecycle != Lifecycle.RETIRED.value)
    said = [] if searched is None else [searched]
    said += [_equal(name, value) for name, value in sorted(wanted.equal.items())]
    said += [_unknown(name) for name in sorted(wanted.unknown)]
    for asked, condition in (
        (wanted.conflict, table.conflicts > 0),
        (wanted.undeclared, table.device == ""),
        (wanted.declared, table.device != ""),
        (wanted.since_us, table.last_us >= wanted.since_us),
        (wanted.until_us, table.last_us < wanted.until_us),
        (wanted.never_heard, table.last_us == 0),
        (wanted.unlisted, (table.tag == "") & (table.last_us > 0)),
        (wanted.new_since_us, table.first_us >= wanted.new_since_us),
        (wanted.disagree, table.id.in_(_disagreeing(site))),
        (wanted.support_before, table.id.in_(_unsupported(site, wanted.support_before))),
    ):
        if asked:
            said.append(condition)
    return Where(among, said)


def _searched(db: Connection, site: str, words: str) -> tuple[ColumnElement[bool] | None, bool]:
    """Ask for what has a word somewhere; gives whether few have: they are looked for once, whatever is asked of them then."""
    if not words:
        return None, False
    table = endpoint.c
    has = table.search.contains(words.casefold(), autoescape=True)
    # Row by row as they lie: in the order of an index each is looked up apart.
    query = select(table.id).where(table.site.concat("") == site, has).limit(FEW + 1)
    ids = list(db.execute(query).scalars())
    if len(ids) > FEW:
        return has, False
    return (table.id.in_(ids) if ids else false()), True


def _disagreeing(site: str) -> Select[Any]:
    """Name endpoints of which sources say different things that weigh nearly the same."""
    said = endpoint_attribute.c
    return select(said.endpoint).where(said.site == site, said.conflict == 1).distinct()


def _unsupported(site: str, before: str) -> Select[Any]:
    """Name endpoints whose operating system's support ended before a day."""
    said = endpoint_attribute.c
    ended = (said.attribute == "os-end", said.shown == 1, said.value > "", said.value < before)
    return select(said.endpoint).where(said.site == site, *ended).distinct()


def _equal(name: str, value: str) -> ColumnElement[bool]:
    if name in _COLUMNS:
        return endpoint.c[name] == value
    if name in _MARKS:
        mark = endpoint_mark.c
        return exists().where(
            mark.site == endpoint.c.site,
            mark.endpoint == endpoint.c.id,
            mark.kind == name,
            mark.value == value,
        )
    return _attribute(name) & exists().where(*_said(name), endpoint_attribute.c.value == value)


def _attribute(name: str) -> ColumnElement[bool]:
    return exists().where(*_said(name))


def _said(name: str) -> tuple[ColumnElement[bool], ...]:
    said = endpoint_attribute.c
    return (
        said.site == endpoint.c.site,
        said.endpoint == endpoint.c.id,
        said.attribute == name,
        said.shown == 1,
    )


def _unknown(name: str) -> ColumnElement[bool]:
    return endpoint.c[name] == "" if name in _COLUMNS else ~_attribute(name)
