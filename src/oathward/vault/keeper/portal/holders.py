"""Holders: whoever signs in at the patient portal, and the seats they have there; rows of the keeper's own store.

Rules:
- Name, mail address and language stand sealed in one card; the address is found by a keyed hash of its folded form.
- A holder is not a person of the site: no role of staff, no account, no number; passkeys stand among the factors under
  the holder's own random id.
- A seat says which signed access (``policy.portal``) is this holder's; what it permits stands in the document alone. The
  patient's day of birth is sealed beside it.
- Nothing is kept of a holder who has no seat that could be in force.

Deliberately absent: whether an access is in force (``seats``), who may give one (``giving``).
"""

from __future__ import annotations

import hmac
import os
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from oathward.core.phi import Phi
from oathward.vault.keeper import keyring
from oathward.vault.keeper.store import Store

HANDLE_BYTES = 32
_SECRET = "portal-login"  # noqa: S105  its name
_COLUMNS = "id, login, handle, card, made_us, used_us"


@dataclass(frozen=True, slots=True)
class Card:
    """What a letter and a page need of a holder."""

    name: str
    address: str
    language: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A row, unsealed. ``login``: keyed hash; ``handle``: what passkeys know them by; ``used_us``: 0 until they enrolled."""

    id: str
    login: str
    handle: bytes
    card: Phi[Card] = field(repr=False)
    made_us: int
    used_us: int


@dataclass(frozen=True, slots=True)
class SeatRow:
    """Which access is whose. ``born``: the patient's, where it matters."""

    access: str
    holder: str
    subject: str
    born: date | None


def login_of(store: Store, address: str) -> str:
    """Hash an address under a key of the keeper's own, in the form in which addresses are compared."""
    folded = unicodedata.normalize("NFKC", address).casefold().strip()
    return hmac.digest(keyring.secret(store, _SECRET), folded.encode(), "sha256").hex()


def of(store: Store, id_: str) -> Holder | None:
    """Read a holder."""
    return _holder(store, store.one(f"SELECT {_COLUMNS} FROM holder WHERE id = ?", id_))  # noqa: S608  our own names


def by_login(store: Store, login: str) -> Holder | None:
    """Find the holder of a hashed login."""
    return _holder(store, store.one(f"SELECT {_COLUMNS} FROM holder WHERE login = ?", login))  # noqa: S608  our own names


def make(store: Store, id_: str, card: Card, now_us: int) -> None:
    """Make a holder, who has not enrolled yet."""
    store.rows(
        "INSERT INTO holder VALUES (?, ?, ?, ?, ?, 0)",
        *(id_, login_of(store, card.address), os.urandom(HANDLE_BYTES), _sealed(store, id_, card), now_us),
    )


def change(store: Store, id_: str, card: Card) -> None:
    """Write another card; the address stays."""
    store.rows("UPDATE holder SET card = ? WHERE id = ?", _sealed(store, id_, card), id_)


def used(store: Store, id_: str, now_us: int) -> None:
    """Note that a holder signed in, or enrolled."""
    store.rows("UPDATE holder SET used_us = ? WHERE id = ?", now_us, id_)


def add_seat(store: Store, row: SeatRow) -> None:
    """Note which access is whose."""
    born = store.wrap("holder_seat", "born", row.access, row.born.isoformat().encode() if row.born else b"")
    store.rows("INSERT INTO holder_seat VALUES (?, ?, ?, ?)", row.access, row.holder, row.subject, born)


def seat_rows(store: Store, *, holder: str = "", subject: str = "", access: str = "") -> list[SeatRow]:
    """Read seats: of a holder, of a patient, of one access; or all of them."""
    column, value = next(
        ((name, one) for name, one in (("holder", holder), ("subject", subject), ("id", access)) if one),
        ("'all'", "all"),
    )
    sql = f"SELECT id, holder, subject, born FROM holder_seat WHERE {column} = ? ORDER BY id"  # noqa: S608  our own names
    rows = store.rows(sql, value)
    return [SeatRow(id_, who, whom, _born(store, id_, born)) for id_, who, whom, born in rows]


def remove_seats(store: Store, subject: str) -> None:
    """Forget which accesses there were to a patient."""
    store.rows("DELETE FROM holder_seat WHERE subject = ?", subject)


def forget(store: Store, id_: str) -> None:
    """Forget a holder: card, passkeys, invitation, letters; days of birth beside their seats."""
    for seat in seat_rows(store, holder=id_):
        empty = store.wrap("holder_seat", "born", seat.access, b"")
        store.rows("UPDATE holder_seat SET born = ? WHERE id = ?", empty, seat.access)
    store.rows("DELETE FROM factor WHERE person = ?", id_)
    store.rows("DELETE FROM holder_invitation WHERE holder = ?", id_)
    store.rows("DELETE FROM holder_opening WHERE holder = ?", id_)
    store.rows("DELETE FROM letter WHERE holder = ?", id_)
    store.rows("DELETE FROM letter_told WHERE holder = ?", id_)
    store.rows("DELETE FROM holder WHERE id = ?", id_)
    store.set_meta("vacuum_due", "1")


def _sealed(store: Store, id_: str, card: Card) -> bytes:
    body = orjson.dumps([card.name, card.address, card.language])
    return store.wrap("holder", "card", id_, body)


def _holder(store: Store, row: tuple[Any, ...] | None) -> Holder | None:
    if row is None:
        return None
    id_, login, handle, card, made_us, used_us = row
    opened = Card(*orjson.loads(store.unwrap("holder", "card", id_, card)))
    return Holder(id_, login, handle, Phi(opened), made_us, used_us)


def _born(store: Store, access: str, wrapped: bytes) -> date | None:
    text = store.unwrap("holder_seat", "born", access, wrapped).decode()
    return date.fromisoformat(text) if text else None
