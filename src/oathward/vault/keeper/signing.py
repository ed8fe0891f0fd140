"""Sign documents: the keeper checks who agreed and that the version goes forward, then signs.

Rules:
- A version is signed once: the same bytes again give the same signature, other bytes are refused, and so
  is anything older. What was signed stands in the keeper's own store, out of reach of the database.
- Kinds that only the keeper makes (``key.*``, ``erasure``) cannot be asked for.
- Every batch leaves one record ``authority.signed`` with the digest of each body.

Deliberately absent: what a body means; who may approve what is checked here once roles are signed (issue 4).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from oathward.core.db import read
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.authority import Document, has, signing_input
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Person

DOCUMENTS_MAX = 500
BODY_BYTES_MAX = 4 * 1024 * 1024
NEWEST_ROWS = 5_000

_KIND = re.compile(r"[a-z][a-z.-]{0,31}", re.ASCII)
_OURS = ("key.", "erasure")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document to sign. ``version``: 0 for the next."""

    kind: str
    id: str
    version: int
    body: bytes


def sign(keeper: Keeper, wanted: Sequence[Wanted], approvals: Sequence[Person]) -> list[Document]:
    """Sign documents, all or none.

    Raises:
        KeeperError: ``NOT_PERMITTED`` without approval or for a kind of the keeper's own, ``CONFLICT`` for a
            version that was signed with another body or is not newer.
    """
    if not approvals:
        raise KeeperError("approvals", "nobody agreed", reason=Reason.NOT_PERMITTED)
    if not 1 <= len(wanted) <= DOCUMENTS_MAX:
        raise KeeperError("documents", f"must be 1 to {DOCUMENTS_MAX}", reason=Reason.LIMIT_EXCEEDED)
    now_us = keeper.now_us()
    with keeper.store.transaction():
        documents = [_sign_one(keeper, one, now_us) for one in wanted]
        # Recorded before the store commits and before anyone has the signature.
        keeper.note(
            "authority.signed",
            {
                "documents": [[d.kind, d.id, d.version, _digest(d.body).hex()] for d in documents],
                "approvals": sorted({person.name for person in approvals}),
            },
        )
    return documents


def newest(keeper: Keeper, after: tuple[str, str]) -> list[tuple[str, str, int]]:
    """List the newest version of documents that was signed and stored, behind (kind, id), a page at a time."""
    if after == ("", ""):
        confirm_stored(keeper)
    sql = "SELECT kind, id, stored FROM signed WHERE (kind, id) > (?, ?) AND stored > 0 ORDER BY kind, id LIMIT ?"
    return [(kind, id_, version) for kind, id_, version in keeper.store.rows(sql, *after, NEWEST_ROWS)]


def confirm_stored(keeper: Keeper) -> None:
    """Note which signed versions have reached the database: from then on nobody may load an older one.

    A version that was signed for a transaction that never committed is not missed.
    """
    store = keeper.store
    waiting = store.rows("SELECT kind, id, version FROM signed WHERE stored < version")
    if not waiting:
        return
    with read(keeper.engine) as db:
        there = [
            (version, kind, id_) for kind, id_, version in waiting if has(db, keeper.site, kind, id_, version)
        ]
    with store.transaction():
        store.many("UPDATE signed SET stored = MAX(stored, ?) WHERE kind = ? AND id = ?", there)


def _sign_one(keeper: Keeper, wanted: Wanted, now_us: int) -> Document:
    where = f"{wanted.kind}/{wanted.id}"
    if not _KIND.fullmatch(wanted.kind) or wanted.kind.startswith(_OURS):
        raise KeeperError(where, "is not a kind that may be asked for", reason=Reason.NOT_PERMITTED)
    if len(wanted.body) > BODY_BYTES_MAX:
        raise KeeperError(where, "is too long", reason=Reason.LIMIT_EXCEEDED)
    sql = "SELECT version, digest FROM signed WHERE kind = ? AND id = ?"
    last, digest = keeper.store.one(sql, wanted.kind, wanted.id) or (0, b"")
    version = wanted.version or last + 1
    again = version == last and digest == _digest(wanted.body)
    if version <= last and not again:
        raise KeeperError(where, "this version was signed before", reason=Reason.CONFLICT)
    keeper.store.rows(
        "INSERT INTO signed VALUES (?, ?, ?, ?, 0)"
        " ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, digest = excluded.digest",
        *(wanted.kind, wanted.id, version, _digest(wanted.body)),
    )
    unsigned = Document(keeper.site, wanted.kind, wanted.id, version, wanted.body, b"", now_us)
    signature = keeper.authority.sign(signing_input(unsigned))
    return Document(keeper.site, wanted.kind, wanted.id, version, wanted.body, signature, now_us)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
