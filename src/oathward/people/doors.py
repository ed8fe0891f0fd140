"""Who let whom in, and who widened whom alone: what one person could have used to be two, read from the ledger.

| rule | says |
|---|---|
| ``people.one-door`` | two people made a change, and one person could be both: let both in, or is one of them and let the other in |
| ``people.one-maker`` | all accounts that were made lately, two or more, were made by one person, at a site without a provider |
| ``people.widened`` | one person alone widened somebody's units, staff ids or makes, by hand |

Rules:
- Whoever makes an invitation or a reset can use it; the one that was used counts (``account.enrolled``), however long ago. Of who
  enrolled before that was recorded, the last that was made.
- Whoever somebody let in could let others in: all of that is the first one's door.
- A sign-in at the site's OpenID provider in the last days shows that its owner is there; a door goes no further than to them.
- Who founded the site at its machine has a name and no record: their invitations count for nobody.
- Words name people as ``{id}``: who may see people reads names there, others do not (``policy.review_findings.with_names``).

Deliberately absent: refusing anything. What one person alone could do as two the keeper refuses itself (``keeper.changing.apart``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward import ledger
from oathward.ledger import Entry, Query
from oathward.people import granted_sql, sql
from oathward.people.model import ReviewRow

ONE_DOOR, ONE_MAKER, WIDENED = "people.one-door", "people.one-maker", "people.widened"
DAYS = 90

_SIGN_INS_MAX = 20_000
"""Of the newest; whoever came by the provider only before these counts as one who did not."""

_NAMED_MAX = 5
_PAGE = 500
_DAY_US = 86_400_000_000
_WHAT = {"units": "units", "staff_ids": "staff ids", "makes": "makes"}


@dataclass(frozen=True, slots=True)
class Door:
    """One person who could be two. ``words`` names all as ``{id}``; ``through``: some were let in by whom they let in."""

    by: str
    pair: tuple[str, str]
    through: bool = False

    @property
    def words(self) -> str:
        """What that means, in a sentence."""
        others = [f"{{{one}}}" for one in self.pair if one != self.by]
        by = f"{{{self.by}}}{', through others,' if self.through else ''}"
        whom = f"{others[0]} in to enrol, who did not sign" if len(others) == 1 else f"both {' and '.join(others)} in to enrol, and neither signed"  # fmt: skip
        return f"{by} let {whom} in through the sign-in provider in the last {DAYS} days: {{{self.by}}} could have been both"


def one_door(
    db: Connection, site: str, pairs: Iterable[tuple[str, str]], now_us: int, *, provider: bool
) -> dict[tuple[str, str], Door]:
    """Find the pairs of people who could be one person: one let both in, or one of them the other.

    Args:
        provider: whether this site has an OpenID provider; without one nobody came by it.
    """
    wanted = {_pair(*pair) for pair in pairs if all(pair) and pair[0] != pair[1]}
    if not wanted:
        return {}
    by = _inviters(db, site)
    known = sql.some(db, site, {*by.values()})
    by = {whom: who for whom, who in by.items() if who in known}
    found = {pair: door for pair in sorted(wanted) if (door := _door(pair, by))}
    if found and provider:
        ways = {one for pair in found for id_ in pair for one in _way(id_, by)}
        came = _came_by_provider(db, site, ways, now_us)
        by = {whom: who for whom, who in by.items() if whom not in came}
        found = {pair: door for pair in found if (door := _door(pair, by))}
    return found


def _way(whom: str, by: Mapping[str, str]) -> list[str]:
    """Name who could be somebody: themselves, who let them in, who let these in, and so on."""
    way = [whom]
    while (next_ := by.get(way[-1], "")) and next_ not in way:
        way.append(next_)
    return way


def _door(pair: tuple[str, str], by: Mapping[str, str]) -> Door | None:
    one, other = (_way(id_, by) for id_ in pair)
    first = next((who for who in one if who in other), "")
    if not first:
        return None
    return Door(first, pair, through=max(one.index(first), other.index(first)) > 1)


def review(
    db: Connection, site: str, made: Iterable[tuple[str, str]], now_us: int, *, provider: bool
) -> list[ReviewRow]:
    """Say what somebody should look at.

    Args:
        made: proposer and approver of each change of policy in question; those of roles and services are read here.
    """
    pairs = Counter(_pair(*pair) for pair in [*made, *_of_roles(db, site, now_us)])
    doors = one_door(db, site, pairs, now_us, provider=provider)
    found = [
        ReviewRow(ONE_DOOR, ",".join(pair), f"{door.words}; changes they made together: {pairs[pair]}")
        for pair, door in doors.items()
    ]
    made_by_one = [] if provider else _one_maker(db, site, now_us)
    return [*found, *made_by_one, *_widened(db, site, now_us)]


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def _of_roles(db: Connection, site: str, now_us: int) -> Iterator[tuple[str, str]]:
    """Who proposed and approved the roles and services that hold."""
    for row in granted_sql.roles(db, site):
        if row.until_us is None or row.until_us > now_us:
            yield row.proposer, row.approver
    for one in granted_sql.services(db, site):
        if one.service.state == "active":
            yield one.proposer, one.approver


def _inviters(db: Connection, site: str) -> dict[str, str]:
    """Say who made the invitation or reset by which each person enrolled last."""
    used = _enrolled(db, site, Query(kind="account.enrolled"))
    made: dict[str, tuple[int, str]] = {}
    for kind in ("account.invited", "account.reset"):
        for entry in _entries(db, site, Query(kind=kind)):
            whom = entry.body.get("person")
            if whom and whom not in used:
                made[whom] = max(made.get(whom, (-1, "")), (entry.index, entry.body["by"]))
    return used | {whom: by for whom, (_, by) in made.items()}


def _enrolled(db: Connection, site: str, query: Query) -> dict[str, str]:
    """Say whose invitation or reset each person used last, who enrolled last first."""
    used: dict[str, str] = {}
    for entry in _entries(db, site, query):  # the newest first
        if entry.body.get("person"):
            used.setdefault(entry.body["person"], entry.body["invited_by"])
    return used


def _one_maker(db: Connection, site: str, now_us: int) -> Iterator[ReviewRow]:
    """Find that one person made every account of late; it is another finding with each further account."""
    used = _enrolled(db, site, Query(kind="account.enrolled", since_us=now_us - DAYS * _DAY_US))
    known = sql.standings(db, site)
    here = [one for one in used if known.get(one, ("", 0))[0] == "active"]
    whom = [one for one in here if used[one] in known]
    makers = {used[one] for one in whom}
    if len(whom) < 2 or len(makers) != 1:
        return
    by = makers.pop()
    more = f" and {len(whom) - _NAMED_MAX} more" if len(whom) > _NAMED_MAX else ""
    names = ", ".join(f"{{{one}}}" for one in sorted(whom[:_NAMED_MAX]))
    words = (
        f"{{{by}}} let in everybody whose account was made in the last {DAYS} days: {names}{more};"
        f" there is no sign-in provider that knows them: {{{by}}} could be any of them"
    )
    yield ReviewRow(ONE_MAKER, f"{by},{whom[0]}", words)


def _came_by_provider(db: Connection, site: str, among: set[str], now_us: int) -> set[str]:
    query = Query(kind="session.begun", since_us=now_us - DAYS * _DAY_US)
    found: set[str] = set()
    for n, entry in enumerate(_entries(db, site, query)):
        if n >= _SIGN_INS_MAX or found == among:
            break
        if entry.body.get("person") in among and "provider" in str(entry.body.get("by", "")).split("+"):
            found.add(entry.body["person"])
    return found


def _widened(db: Connection, site: str, now_us: int) -> Iterator[ReviewRow]:
    query = Query(kind="person.changed", since_us=now_us - DAYS * _DAY_US)
    what: dict[tuple[str, str], set[str]] = {}
    for entry in _entries(db, site, query):
        if entry.body.get("widened"):
            key = str(entry.body["by"]), str(entry.body["person"])
            what.setdefault(key, set()).update(entry.body["widened"])
    for (by, whom), fields in sorted(what.items()):
        said = ", ".join(_WHAT[one] for one in _WHAT if one in fields)
        words = f"{{{by}}} alone widened what {{{whom}}} has, by hand in the last {DAYS} days: {said}"
        yield ReviewRow(WIDENED, f"{by},{whom}", words)


def _entries(db: Connection, site: str, query: Query) -> Iterator[Entry]:
    """Read every record that answers a query, the newest first."""
    before: int | None = None
    while rows := ledger.search(db, site, query, before=before, limit=_PAGE):
        yield from rows
        before = rows[-1].index
