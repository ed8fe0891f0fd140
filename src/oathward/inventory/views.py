"""Read the inventory for people: devices with their standing, and who is held."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.core.errors import AuthorityError
from oathward.inventory import sql
from oathward.inventory.model import Device
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device. ``status`` is in force; ``signed`` says whether its document verifies, or why not."""

    device: Device
    status: str
    version: int
    at_us: int
    signed: str


@dataclass(frozen=True, slots=True)
class HeldView:
    """Somebody who spoke and is not known: what was seen of them; times in microseconds UTC."""

    id: str
    address: str
    certificate: str
    application: str
    facility: str
    reason: str
    first_us: int
    last_us: int
    messages: int
    state: str


def devices(db: Connection, site: str, authority: Verifier, seen: Seen) -> list[DeviceView]:
    """List every device that can be read, by id, its signature checked."""
    found = (_view(row, authority, seen) for row in sql.rows(db, site))
    return [view for view in found if view is not None]


def one(db: Connection, site: str, id_: str, authority: Verifier, seen: Seen) -> DeviceView | None:
    """Show one device."""
    row = sql.row(db, site, id_)
    return _view(row, authority, seen) if row else None


def unknown(db: Connection, site: str, *, state: str = "held", limit: int = 1_000) -> list[HeldView]:
    """List who is held, last heard first."""
    names = HeldView.__slots__
    return [
        HeldView(**{n: getattr(r, n) for n in names})
        for r in sql.held_rows(db, site, state=state, limit=limit)
    ]


def _view(row: sql.DeviceRow, authority: Verifier, seen: Seen) -> DeviceView | None:
    signed = "yes"
    try:
        seen.admit(row.document, authority)
    except AuthorityError as error:
        signed = error.reason.code
    try:
        return DeviceView(row.device, row.status, row.document.version, row.document.at_us, signed)
    except ValueError:
        return None
