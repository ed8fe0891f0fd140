"""The tables of devices and the only SQL on them.

| table | holds |
|---|---|
| ``device`` | the newest signed document of each device; ``status`` may be narrower than the document says |
| ``device_identity`` | certificate fingerprints, names and keys -> device, one device each; derived |
| ``device_change`` | a counter: what changed since a process last looked |
| ``device_assertion`` | signed requests for access tokens that were used, until they are over: keyed by digest |
| ``held_device`` | who spoke and is not known, once each, counted |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA
from oathward.inventory.model import KIND, Device, from_canonical
from oathward.vault.authority import Document

device = Table(
    "device",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False),
)
Index("device_changed", device.c.site, device.c.change)
Index("device_status", device.c.site, device.c.status)  # to count without reading documents

identity = Table(
    "device_identity",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("device", Text, nullable=False),
)
assertion = Table(
    "device_assertion",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)

Index("device_identity_device", identity.c.site, identity.c.device)

change = Table(
    "device_change",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

held = Table(
    "held_device",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("facility", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
)
Index("held_device_first", held.c.site, held.c.first_us)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One stored device: its signed document, and its status in force, which may be narrower."""

    document: Document
    status: str

    @property
    def device(self) -> Device:
        """What the document says; believe it only after its signature was checked.

        Raises:
            ValueError: the body is not a device.
        """
        return from_canonical(self.document.body)


def change_count(db: Connection, site: str) -> int:
    """Read the counter of changes."""
    return db.execute(select(change.c.n).where(change.c.site == site)).scalar() or 0


def next_change(db: Connection, site: str) -> int:
    """Count one more change; others wait here until the transaction ends, so the order is that of commits."""
    values = {"site": site, "n": 1}
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(change).values(values)
    bumped = statement.on_conflict_do_update(index_elements=["site"], set_={"n": change.c.n + 1})
    return int(db.execute(bumped.returning(change.c.n)).scalar_one())


def changed(db: Connection, site: str, after: int) -> list[DeviceRow]:
    """Read the devices that changed behind a counter."""
    rows = db.execute(select(device).where(device.c.site == site, device.c.change > after))
    return [_row(r) for r in rows]


def row(db: Connection, site: str, id_: str) -> DeviceRow | None:
    """Read one device."""
    found = db.execute(select(device).where(device.c.site == site, device.c.id == id_)).first()
    return _row(found) if found else None


def rows(db: Connection, site: str) -> list[DeviceRow]:
    """Read every device, by id."""
    return [_row(r) for r in db.execute(select(device).where(device.c.site == site).order_by(device.c.id))]


def page(db: Connection, site: str, *, after: str, before: str, status: str, limit: int) -> list[DeviceRow]:
    """Read some devices by id: those behind ``after``, and ahead of ``before`` where it is given."""
    query = select(device).where(device.c.site == site, device.c.id > after)
    if before:
        query = query.where(device.c.id < before)
    if status:
        query = query.where(device.c.status == status)
    return [_row(r) for r in db.execute(query.order_by(device.c.id).limit(limit))]


def of_makers(db: Connection, site: str, makers: Iterable[str]) -> list[DeviceRow]:
    """Read every device of these manufacturers, by id."""
    said = or_(*(_says(db, "make", maker) for maker in makers))
    return [
        _row(r) for r in db.execute(select(device).where(device.c.site == site, said).order_by(device.c.id))
    ]


def _says(db: Connection, name: str, text: str) -> ColumnElement[bool]:
    """Say that a document has this text under this name, as ``model.canonical`` writes it; no key serves it.

    A text that only stands inside another one is written with its quotes escaped: it does not fit.
    """
    wanted = literal(orjson.dumps(name) + b":" + orjson.dumps(text), LargeBinary)
    if db.dialect.name == "sqlite":
        return func.instr(device.c.body, wanted) > 0
    return func.position(wanted.op("IN")(device.c.body)) > 0


def owners(db: Connection, site: str, identities: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Find whose certificates and names these are: (kind, value) -> device."""
    found: dict[tuple[str, str], str] = {}
    for kind, value in identities:
        query = select(identity.c.device).where(
            identity.c.site == site, identity.c.kind == kind, identity.c.value == value
        )
        owner = db.execute(query).scalar()
        if owner is not None:
            found[kind, value] = owner
    return found


def put(
    db: Connection, document: Document, *, status: str, identities: Sequence[tuple[str, str]], n: int
) -> None:
    """Store the newest document of a device."""
    values = {
        "version": document.version,
        "status": status,
        "body": document.body,
        "signature": document.signature,
        "at_us": document.at_us,
        "change": n,
    }
    keys = {"site": document.site, "id": document.id}
    statement = (
        (sqlite if db.dialect.name == "sqlite" else postgresql).insert(device).values(**keys, **values)
    )
    db.execute(statement.on_conflict_do_update(index_elements=["site", "id"], set_=values))
    db.execute(delete(identity).where(identity.c.site == document.site, identity.c.device == document.id))
    if identities:
        db.execute(
            insert(identity),
            [{"site": document.site, "kind": k, "value": v, "device": document.id} for k, v in identities],
        )


def set_status(db: Connection, site: str, id_: str, status: str, n: int) -> bool:
    """Narrow what a device may do, without a signature; says whether there is such a device."""
    done = db.execute(
        update(device).where(device.c.site == site, device.c.id == id_).values(status=status, change=n)
    )
    return done.rowcount > 0


def use_assertion(db: Connection, site: str, digest: bytes, *, until_us: int, now_us: int) -> bool:
    """Note that a signed request was used; says whether this is its first time. Forgets those that are over."""
    db.execute(delete(assertion).where(assertion.c.site == site, assertion.c.until_us < now_us))
    values = {"site": site, "digest": digest, "until_us": until_us}
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(assertion).values(**values)
    new = statement.on_conflict_do_nothing().returning(
        assertion.c.digest
    )  # PostgreSQL's driver counts no inserts
    return db.execute(new).first() is not None


def note_held(db: Connection, site: str, id_: str, *, last_us: int, reason: str = "") -> bool:
    """Count one more message of somebody who was heard before; says whether there is such a one."""
    why = {"reason": reason} if reason else {}
    done = db.execute(
        update(held)
        .where(held.c.site == site, held.c.id == id_)
        .values(messages=held.c.messages + 1, last_us=last_us, **why)
    )
    return done.rowcount > 0


def hold_for(db: Connection, site: str, id_: str, reason: str) -> None:
    """Say why somebody is held now, without a new message of theirs."""
    db.execute(update(held).where(held.c.site == site, held.c.id == id_).values(reason=reason))


def new_held(db: Connection, values: dict[str, Any]) -> None:
    """Keep somebody new; one that another process kept in this moment is counted there."""
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(held).values(**values)
    same = {"messages": held.c.messages + values["messages"], "last_us": values["last_us"]}
    db.execute(statement.on_conflict_do_update(index_elements=["site", "id"], set_=same))


def held_since(db: Connection, site: str, since_us: int) -> int:
    """Count those first heard since a time."""
    query = select(func.count()).where(held.c.site == site, held.c.first_us >= since_us)
    return db.execute(query).scalar_one()


def status_counts(db: Connection, site: str) -> dict[str, int]:
    """Count devices by the status in force."""
    rows = db.execute(
        select(device.c.status, func.count()).where(device.c.site == site).group_by(device.c.status)
    )
    return {status: count for status, count in rows}  # noqa: C416  a Row is no pair to the type checker


def held_count(db: Connection, site: str) -> int:
    """Count who is held now."""
    query = select(func.count()).where(held.c.site == site, held.c.state == "held")
    return db.execute(query).scalar_one()


def held_row(db: Connection, site: str, id_: str) -> Row[Any] | None:
    """Read one that is held."""
    return db.execute(select(held).where(held.c.site == site, held.c.id == id_)).first()


def held_rows(db: Connection, site: str, *, state: str, limit: int) -> list[Row[Any]]:
    """List who is held, last heard first."""
    query = select(held).where(held.c.site == site, held.c.state == state)
    return list(db.execute(query.order_by(held.c.last_us.desc(), held.c.id).limit(limit)))


def held_from(db: Connection, site: str, address: str, certificate: str, limit: int) -> list[Row[Any]]:
    """List what was heard from a certificate, or from an address that showed none, last heard first."""
    query = select(held).where(held.c.site == site, held.c.certificate == certificate)
    if not certificate:
        query = query.where(held.c.address == address)
    return list(db.execute(query.order_by(held.c.last_us.desc(), held.c.id).limit(limit)))


def set_held_state(db: Connection, site: str, id_: str, state: str) -> None:
    """Note what became of one that was held."""
    db.execute(update(held).where(held.c.site == site, held.c.id == id_).values(state=state))


def _row(r: Row[Any]) -> DeviceRow:
    body, signature = _raw(r.body), _raw(r.signature)
    return DeviceRow(Document(r.site, KIND, r.id, r.version, body, signature, r.at_us), r.status)


def _raw(value: object) -> bytes:
    """Give a column's bytes; SQLite stores whatever somebody writes, and what is not bytes verifies as nothing."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
