"""Gather what speaks for some openings: stays, orders, assignments, on-call rosters, ties, break-glass, releases, devices.

Rules:
- The keeper's own word of then (basis, unit) stands in the record; rows are what it is checked against, as of that time.
- Everything is read for all openings at once, and of people and devices those alone that openings name: a site has a hundred
  thousand. A message's device matters where it was opened for something else than care.
- Rows are believed without their stamps: the page only lists, and opens nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from oathward.accesses import sql
from oathward.accesses.model import Duty, Evidence, Glass, Opening
from oathward.core.labels import CARE_PURPOSES, Purpose
from oathward.ledger import Entry, Query, search
from oathward.policy.people import PERSON, Person
from oathward.vault import care, care_orders, care_rows
from oathward.vault.authority import Document, Seen, load, newest_version
from oathward.vault.care_orders import Order
from oathward.vault.sign import Verifier

RECORDS_MAX = 20_000
_NO_DEVICE = CARE_PURPOSES | {Purpose.PATRQT}
"""For these nobody opens because a device went wrong."""

_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


def gather(
    db: Connection, site: str, openings: Sequence[Opening], authority: Verifier, seen: Seen
) -> Evidence:
    """Read what speaks for openings.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    if not openings:
        return Evidence()
    subjects, people = {one.subject for one in openings} - {""}, {one.person for one in openings}
    since_us = min(one.at_us for one in openings) - _DAY_US
    until_us = max(one.at_us for one in openings)
    together = {one: care.tied(db, site, one, None) for one in subjects}
    every = set[str]().union(*together.values())
    stays = {one: tuple(care_rows.stays_of(db, site, (one,))) for one in every}
    documents = _persons(db, site, people, authority, seen)
    aliases = {one: _aliases(one, documents.get(one)) for one in people if one}
    sent_by = _sent_by(
        db, site, {m for one in openings if one.purpose not in _NO_DEVICE for m in one.messages}
    )
    return Evidence(
        together=together,
        stays=stays,
        assignments={one: tuple(care_rows.assignments(db, site, person=one)) for one in people if one},
        glasses=_glasses(_records(db, site, ("breakglass.begun", "breakglass.ended"), since_us, until_us)),
        owners=_owners(db, site, set(sent_by.values()), authority, seen),
        sent_by=sent_by,
        released=_released(_records(db, site, ("release.ordered",), since_us, until_us)),
        aliases=aliases,
        staff={id_: one.staff_ids for id_, one in documents.items()},
        changed=_changed(db, site, every),
        orders=_orders(db, site, every),
        duties=_duties(db, site, set[str]().union(*aliases.values()), since_us, until_us),
    )


def _persons(
    db: Connection, site: str, people: set[str], authority: Verifier, seen: Seen
) -> dict[str, Person]:
    """Read the signed records of some people; those there are."""
    found = _documents(db, site, PERSON, people, authority, seen)
    return {id_: Person.from_body(one.body) for id_, one in found.items()}


def _documents(
    db: Connection, site: str, kind: str, ids: Iterable[str], authority: Verifier, seen: Seen
) -> dict[str, Document]:
    """Read signed documents by their ids; those there are."""
    found = {}
    for id_ in ids:
        if newest_version(db, site, kind, id_) or seen.newest(kind, id_):
            found[id_] = load(db, site, kind, id_, authority, seen)
    return found


def _aliases(id_: str, person: Person | None) -> frozenset[str]:
    """Give everything that names a person."""
    return frozenset((id_, *((person.number, person.mail) if person else ()))) - {""}


def _changed(db: Connection, site: str, subjects: Iterable[str]) -> dict[str, int]:
    """Give the newest record by which care of each subject ended, or went on elsewhere."""
    found = {}
    for one in subjects:
        for record in search(db, site, Query(subject=one, kind="care.ended"), limit=1):
            found[one] = record.index
    return found


def _orders(db: Connection, site: str, subjects: Collection[str]) -> dict[str, tuple[Order, ...]]:
    found: dict[str, tuple[Order, ...]] = {}
    for one in care_orders.of(db, site, subjects):
        found[one.subject] = (*found.get(one.subject, ()), one)
    return found


def _duties(
    db: Connection, site: str, names: Collection[str], since_us: int, until_us: int
) -> dict[str, tuple[Duty, ...]]:
    found: dict[str, tuple[Duty, ...]] = {}
    for one in sql.duties(db, site, names, since_us, until_us):
        found[one.number] = (*found.get(one.number, ()), one)
    return found


def _owners(
    db: Connection, site: str, devices: Iterable[str], authority: Verifier, seen: Seen
) -> dict[str, str]:
    """Say who answers for each device, as its document says."""
    found = _documents(db, site, "device", devices, authority, seen)
    return {id_: str(orjson.loads(one.body).get("owner", "")) for id_, one in found.items()}


def _records(db: Connection, site: str, kinds: Iterable[str], since_us: int, until_us: int) -> list[Entry]:
    found = []
    for kind in kinds:
        query = Query(kind=kind, since_us=since_us, until_us=until_us)
        found += search(db, site, query, limit=RECORDS_MAX)
    return sorted(found, key=lambda one: one.index)


def _glasses(records: Iterable[Entry]) -> dict[str, tuple[Glass, ...]]:
    """Put beginnings and ends together: what nobody ended ends when it was to."""
    begun: dict[str, Glass] = {}
    for one in records:
        body: Mapping[str, Any] = one.body
        id_ = str(body.get("id", ""))
        if one.kind == "breakglass.begun":
            minutes_us = int(body.get("minutes", 0)) * _MINUTE_US
            until_us = int(body.get("until", one.at_us + minutes_us))
            begun[id_] = Glass(str(body.get("person", "")), one.subject, one.at_us, until_us)
        elif (was := begun.get(id_)) is not None:
            begun[id_] = Glass(was.person, was.subject, was.from_us, min(was.until_us, one.at_us))
    found: dict[str, tuple[Glass, ...]] = {}
    for glass in begun.values():
        found[glass.person] = (*found.get(glass.person, ()), glass)
    return found


def _sent_by(db: Connection, site: str, messages: Iterable[str]) -> dict[str, str]:
    """Say which device sent each message."""
    found = {}
    for message in messages:
        for one in search(db, site, Query(kind="message.accepted", message=message), limit=1):
            found[message] = str(one.body.get("device", ""))
    return found


def _released(records: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """Say when each message was ordered to be released, by whom."""
    return {
        (str(one.body.get("person", "")), str(message)): one.at_us
        for one in records
        for message in one.body.get("messages", ())
    }
