"""What changes people: plan, have the keeper sign, store.

Rules:
- Three steps, because no transaction waits for the keeper: ``plan_…`` reads and checks, the keeper signs,
  ``store`` writes and records. A number, an address or a sign-in belongs to one person.
- A person is never deleted: who left stays as a record, and their number stays theirs. Who comes back is the same
  person, without the roles of before.
- Records hold ids, versions and names of columns; never what stands in them.

Deliberately absent: roles of people (``grants``), accounts and sessions (the keeper's).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, append, prepare
from oathward.people import sql
from oathward.people.model import Change, changed, check, identities_of, widened
from oathward.people.scim import with_user_name
from oathward.people.sheet import LineError, Sheet, Stated
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import Document, put_all

LEAVERS_SHARE_MAX = 0.2
"""Of those who are here, a full list may make so many leave; more wants a word."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do, to whom. With errors nothing is drafted.

    ``unlisted``: people without a number, whom no list can speak about; they are left as they are.
    """

    joiners: tuple[Change, ...]
    movers: tuple[Change, ...]
    leavers: tuple[Change, ...]
    unchanged: int
    unlisted: int
    errors: tuple[LineError, ...]
    documents: tuple[Document, ...] = field(default=(), repr=False)


def draft(site: str, person: Person) -> Document:
    """Write the unsigned document of a person."""
    return Document(site, PERSON, person.id, 0, person.body(), b"")


def plan(db: Connection, site: str, people: Sequence[Person]) -> list[Document]:
    """Write unsigned documents of new or changed people.

    Raises:
        InputError: somebody is misshapen, or has what is another person's (``person.twice``).
    """
    for person in people:
        check(person)
    wanted = {person.id: person for person in people}
    mine = [one for person in people for one in identities_of(person)]
    for clash in _clashes(wanted, sql.owners(db, site, mine)):
        raise InputError(clash[1], _TWICE[clash[1]], reason=Reason.PERSON_TWICE)
    return [draft(site, person) for person in people]


def plan_import(
    db: Connection,
    site: str,
    sheet: Sheet,
    now_us: int,
    *,
    everyone: bool = False,
    many_leave: bool = False,
    new_id: Callable[[], str] = uuid7,
) -> ImportPlan:
    """Compare a list with the people and write unsigned documents of who is new, changed or gone.

    Args:
        everyone: the list is whole: who has a number and is not on it, leaves.
        many_leave: let more than a fifth leave.
    """
    there = {row.document.id: row.person for row in sql.rows(db, site)}
    owners = sql.identities(db, site)
    errors = list(sheet.errors)
    wanted: dict[str, Person] = {}
    lines: dict[str, int] = {}
    unchanged = 0
    for row in sheet.rows:
        before = there.get(owners.get(("number", row.number.casefold()), ""))
        after = _after(row, before, now_us, new_id, everyone=everyone)
        lines[after.id] = row.line
        unchanged += after == before
        if after != before:
            wanted[after.id] = after
            errors += [] if after.name else [LineError(row.line, "name", "who is new needs a name")]
    if everyone:
        absent = [p for p in there.values() if p.state == "active" and p.number and p.id not in lines]
        wanted |= {p.id: dataclasses.replace(p, state="left") for p in absent}
    errors += _twice(wanted, owners, lines)
    errors += _too_many(there, wanted, sheet, everyone=everyone, many_leave=many_leave)
    changes = _changes(there, wanted)
    return ImportPlan(
        *changes,
        unchanged=unchanged,
        unlisted=sum(p.state == "active" and not p.number for p in there.values()) if everyone else 0,
        errors=tuple(sorted(errors, key=lambda e: (e.line, e.column))),
        documents=() if errors else tuple(draft(site, p) for p in wanted.values()),
    )


def plan_leaving(db: Connection, site: str, id_: str) -> Document:
    """Write the unsigned document of somebody who leaves.

    Raises:
        InputError: ``not-found``; also for who has left already.
    """
    person = stored(db, site, id_)
    if person.state != "active":
        raise InputError("person", "has left already", reason=Reason.CONFLICT)
    return draft(site, dataclasses.replace(person, state="left"))


def stored(db: Connection, site: str, id_: str) -> Person:
    """Read one person as the newest document says.

    Raises:
        InputError: ``not-found``.
    """
    row = sql.row(db, site, id_)
    if row is None:
        raise InputError("person", "there is no such person", reason=Reason.NOT_FOUND)
    return row.person


def with_stated(person: Person, values: Mapping[str, Any], now_us: int) -> Person:
    """Give a person with what a list or a directory says of them; who comes back begins anew."""
    back = person.state == "left" and values.get("state") == "active"
    after = dataclasses.replace(person, **with_user_name(person, values))
    return dataclasses.replace(after, since_us=now_us) if back else after


def store(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    by: str,
    now_us: int,
    gone: bool = False,
    by_hand: bool = True,
) -> None:
    """Store signed people and record what happened to each; the last call before the caller's commit.

    Args:
        by: who did it: a person's or a service's id. gone: a directory deleted them, and does not want to see them.
        by_hand: no list or directory said it: what somebody has more of then stands in the record, for the review.

    Raises:
        InputError: ``conflict``; another change came first: plan again.
    """
    people = {document.id: Person.from_body(document.body) for document in documents}
    last = sql.some(db, site, people)
    for document in documents:
        if document.id in last and last[document.id].document.version >= document.version:
            raise InputError("person", "another change came first", reason=Reason.CONFLICT)
    sql.put(db, site, [(document, people[document.id]) for document in documents], now_us=now_us, gone=gone)
    leaves = []
    for document in documents:
        person = people[document.id]
        before = last[document.id].person if document.id in last else None
        more = widened(before, person) if before is not None and by_hand else ()
        leaves.append(_record(before, person, document.version, by, now_us, more))
    put_all(db, documents)
    append(db, site, leaves)


def hide(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> None:
    """Note that a directory deleted somebody who had left already; the last call before the caller's commit."""
    sql.set_gone(db, site, id_)
    body = {"by": by, "person": id_, "fields": []}
    append(db, site, [prepare(Record("person.changed", body, now_us))])


def _after(
    row: Stated, before: Person | None, now_us: int, new_id: Callable[[], str], *, everyone: bool
) -> Person:
    """Say what somebody is after a row; to stand on a whole list is to be here."""
    values = ({"state": "active"} if everyone else {}) | dict(row.values)
    if before is None:
        return with_stated(Person(id=new_id(), name="", since_us=now_us), values, now_us)
    return with_stated(before, values, now_us)


def _changes(
    there: Mapping[str, Person], wanted: Mapping[str, Person]
) -> tuple[tuple[Change, ...], tuple[Change, ...], tuple[Change, ...]]:
    found: dict[str, list[Change]] = {"person.joined": [], "person.changed": [], "person.left": []}
    for person in wanted.values():
        before = there.get(person.id)
        fields = changed(before, person) if before else ()
        found[_kind(before, person)].append(Change(person.id, person.number, person.name, fields))
    joined, moved, left = (tuple(sorted(some, key=lambda c: c.number)) for some in found.values())
    return joined, moved, left


def _kind(before: Person | None, after: Person) -> str:
    if after.state == "left" and (before is None or before.state == "active"):
        return "person.left"
    if after.state == "active" and (before is None or before.state == "left"):
        return "person.joined"
    return "person.changed"


def _record(
    before: Person | None, after: Person, version: int, by: str, now_us: int, more: Sequence[str] = ()
) -> Leaf:
    body: dict[str, object] = {"by": by, "person": after.id, "version": version}
    if before is not None:
        body["fields"] = list(changed(before, after))
    if more:
        body["widened"] = list(more)
    return prepare(Record(_kind(before, after), body, now_us))


def _clashes(
    wanted: Mapping[str, Person], owners: Mapping[tuple[str, str], str]
) -> Iterable[tuple[str, str, str]]:
    """Find who has what another one has: (person, column, whose it is)."""
    after: dict[tuple[str, str], str] = {}
    for person in wanted.values():
        for one in identities_of(person):
            owner = owners.get(one)
            if owner is not None and owner != person.id and owner not in wanted:
                yield person.id, one[0], owner
            elif after.setdefault(one, person.id) != person.id:
                yield person.id, one[0], after[one]


def _twice(
    wanted: Mapping[str, Person], owners: Mapping[tuple[str, str], str], lines: Mapping[str, int]
) -> list[LineError]:
    found = []
    for id_, column, owner in _clashes(wanted, owners):
        there = f"; it stands in line {lines[owner]} too" if owner in lines else ""
        why = _TWICE[column] + there
        found.append(LineError(lines.get(id_, 0), column, why, Reason.PERSON_TWICE.code))
    return found


def _too_many(
    there: Mapping[str, Person],
    wanted: Mapping[str, Person],
    sheet: Sheet,
    *,
    everyone: bool,
    many_leave: bool,
) -> list[LineError]:
    if not everyone or sheet.errors:
        return []
    if not sheet.rows:
        return [LineError(0, "", "a list of everyone that names nobody")]
    here = Counter(p.state for p in there.values())["active"]
    leave = sum(_kind(there.get(p.id), p) == "person.left" for p in wanted.values() if p.id in there)
    if many_leave or leave <= here * LEAVERS_SHARE_MAX:
        return []
    share = f"{leave} of {here} people would leave, more than {LEAVERS_SHARE_MAX:.0%}"
    why = f"{share}; if that is meant, say --many-leave"
    return [LineError(0, "", why, Reason.PEOPLE_MANY_LEAVE.code)]


_TWICE = {
    "number": "is another person's number: one person has one number",
    "mail": "is another person's address",
    "staff_ids": "is another person's staff number",
    "provider_subject": "is another person's sign-in",
}
