"""Who let whom in, and who widened whom alone: what one person could have used to be two, read from the ledger.

| rule | says |
|---|---|
| ``people.one-door`` | two people made a change, both enrolled by invitations or resets of one person, and neither came by the provider |
| ``people.widened`` | one person alone widened somebody's units, staff ids or makes, by hand |

Rules:
- Whoever makes an invitation or a reset can use it; the one that was used counts (``account.enrolled``), however long ago. Of who
  enrolled before that was recorded, the last that was made.
- A sign-in at the site's OpenID provider in the last days shows that its owner is there.
- Who founded the site at its machine has a name and no record: their invitations count for nobody.
- Words name people as ``{id}``: who may see people reads names there, others do not (``policy.review_findings.with_names``).

Deliberately absent: refusing anything. What one person alone could do as two the keeper refuses itself (``keeper.changing.apart``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward import ledger
from oathward.ledger import Entry, Query
from oathward.people import granted_sql, sql
from oathward.people.model import ReviewRow

ONE_DOOR, WIDENED = "people.one-door", "people.widened"
DAYS = 90

_SIGN_INS_MAX = 20_000
"""Of the newest; whoever came by the provider only before these counts as one who did not."""

_PAGE = 500
_DAY_US = 86_400_000_000
_WHAT = {"units": "units", "staff_ids": "staff ids", "makes": "makes"}


@dataclass(frozen=True, slots=True)
class Door:
    """One person who let two in. ``words`` names all three as ``{id}``."""

    by: str
    pair: tuple[str, str]

    @property
    def words(self) -> str:
        """What that means, in a sentence."""
        one, other = self.pair
        return (
            f"{{{self.by}}} let both {{{one}}} and {{{other}}} in to enrol, and neither signed in through the"
            f" sign-in provider in the last {DAYS} days: {{{self.by}}} could have been both"
        )


def one_door(
    db: Connection, site: str, pairs: Iterable[tuple[str, str]], now_us: int, *, provider: bool
) -> dict[tuple[str, str], Door]:
    """Find the pairs of people whom one person let in.

    Args:
        provider: whether this site has an OpenID provider; without one nobody came by it.
    """
    wanted = {_pair(*pair) for pair in pairs if all(pair) and pair[0] != pair[1]}
    if not wanted:
        return {}
    by = _inviters(db, site, {id_ for pair in wanted for id_ in pair})
    known = sql.some(db, site, set(by.values()))
    found = {
        (one, other): Door(by[one], (one, other))
        for one, other in sorted(wanted)
        if by.get(one) is not None and by.get(one) == by.get(other) and by[one] in known
    }
    if found and provider:
        came = _came_by_provider(db, site, {id_ for pair in found for id_ in pair}, now_us)
        found = {pair: door for pair, door in found.items() if not came & set(pair)}
    return found


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
    return [*found, *_widened(db, site, now_us)]


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


def _inviters(db: Connection, site: str, among: set[str]) -> dict[str, str]:
    """Say who made the invitation or reset by which each of these people enrolled last."""
    used: dict[str, str] = {}
    for entry in _entries(db, site, Query(kind="account.enrolled")):  # the newest first
        if entry.body.get("person") in among:
            used.setdefault(entry.body["person"], entry.body["invited_by"])
    made: dict[str, tuple[int, str]] = {}
    for kind in ("account.invited", "account.reset"):
        for entry in _entries(db, site, Query(kind=kind)):
            whom = entry.body.get("person")
            if whom in among - used.keys():
                made[whom] = max(made.get(whom, (-1, "")), (entry.index, entry.body["by"]))
    return used | {whom: by for whom, (_, by) in made.items()}


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
