"""Signed documents: what may be decided is signed by the keeper, not just stored.

Rules:
- Bundle, role grants, devices, consents and public keys are documents: kind, id, version, body, signature.
  The signature covers site, kind, id, version and body; anything else does not verify.
- Every process verifies on load with the pinned authority key (``trust/authority.pub`` in the data folder).
- A version older than one already seen, or a document that is gone, is ``AUTHORITY_STALE``. A process
  that has just started learns the newest versions from the keeper (``client.newest``).
- Old versions stay as rows: they are history, and never loaded.

Deliberately absent: what a body means, and who may sign (the keeper checks that before it signs).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Row, Table, Text, func, insert, select

from oathward.core import site_name
from oathward.core.db import METADATA
from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.vault.primitives import bind
from oathward.vault.sign import Verifier, load_verifier

authority = Table(
    "authority",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

VERIFIED_MAX = 100_000
"""Signatures a process remembers to have checked."""


@dataclass(frozen=True, slots=True)
class Document:
    """One signed document. ``version`` counts up from 1 within (site, kind, id)."""

    site: str
    kind: str
    id: str
    version: int
    body: bytes
    signature: bytes
    at_us: int = 0


class Seen:
    """The newest version of each document this process has seen, and the signatures it has checked.

    Args:
        newest: (kind, id) -> version, as the keeper's ``newest`` gives it at start.
    """

    def __init__(self, newest: Mapping[tuple[str, str], int] | None = None) -> None:
        self._guard = threading.Lock()
        self._newest = dict(newest or {})
        self._checked: dict[bytes, None] = {}

    def newest(self, kind: str, id_: str) -> int:
        """Give the newest version seen; 0 for none."""
        return self._newest.get((kind, id_), 0)

    def ids(self, kind: str) -> set[str]:
        """Give every id of a kind that was seen."""
        with self._guard:
            return {id_ for k, id_ in self._newest if k == kind}

    def learn(self, newest: Mapping[tuple[str, str], int]) -> None:
        """Raise what must at least be there."""
        with self._guard:
            for key, version in newest.items():
                self._newest[key] = max(version, self._newest.get(key, 0))

    def admit(self, document: Document, verifier: Verifier) -> None:
        """Check signature and version of a document, and remember both.

        Raises:
            AuthorityError: ``SIGNATURE_INVALID``, or ``AUTHORITY_STALE`` when a newer one was seen.
        """
        name = hashlib.sha256(document.signature + signing_input(document)).digest()
        if name not in self._checked:
            verify(document, verifier)
            with self._guard:
                if len(self._checked) >= VERIFIED_MAX:
                    self._checked.clear()
                self._checked[name] = None
        if document.version < self.newest(document.kind, document.id):
            raise _stale(document.kind, document.id)
        self.learn({(document.kind, document.id): document.version})


def signing_input(document: Document) -> bytes:
    """Give the bytes that are signed."""
    head = bind("oathward authority 1", document.site, document.kind, document.id, str(document.version))
    return head + b"\n" + document.body


def verify(document: Document, verifier: Verifier) -> None:
    """Check a document's signature.

    Raises:
        AuthorityError: ``SIGNATURE_INVALID``.
    """
    try:
        verifier.verify(document.signature, signing_input(document))
    except AuthorityError as error:
        raise AuthorityError(f"{document.kind}/{document.id}", "the signature does not verify") from error


def put(db: Connection, document: Document) -> None:
    """Store a document that the keeper signed; the caller's transaction holds what goes with it."""
    db.execute(insert(authority), [_values(document)])


def put_all(db: Connection, documents: Iterable[Document]) -> None:
    """Store many documents."""
    rows = [_values(document) for document in documents]
    if rows:
        db.execute(insert(authority), rows)


def load(db: Connection, site: str, kind: str, id_: str, verifier: Verifier, seen: Seen) -> Document:
    """Load the newest version of one document, verified.

    Raises:
        AuthorityError: ``NOT_FOUND`` if there never was one, ``AUTHORITY_STALE`` if it is older than one
            already seen (or gone), ``SIGNATURE_INVALID`` if it does not verify.
    """
    query = select(authority).where(authority.c.site == site, authority.c.kind == kind, authority.c.id == id_)
    row = db.execute(query.order_by(authority.c.version.desc()).limit(1)).first()
    if row is None:
        if seen.newest(kind, id_):
            raise _stale(kind, id_)
        raise AuthorityError(f"{kind}/{id_}", "there is no such document", reason=Reason.NOT_FOUND)
    document = _document(row)
    seen.admit(document, verifier)
    return document


def version_before(db: Connection, site: str, kind: str, id_: str, version: int) -> int:
    """Give the newest stored version below another, unverified; 0 for none. Numbers may have gaps."""
    query = select(func.max(authority.c.version)).where(
        authority.c.site == site,
        authority.c.kind == kind,
        authority.c.id == id_,
        authority.c.version < version,
    )
    return db.execute(query).scalar() or 0


def load_version(
    db: Connection, site: str, kind: str, id_: str, version: int, verifier: Verifier
) -> Document:
    """Load one version of a document, verified; also one that is no longer in force.

    Raises:
        AuthorityError: ``NOT_FOUND``, or ``SIGNATURE_INVALID``.
    """
    query = select(authority).where(
        authority.c.site == site,
        authority.c.kind == kind,
        authority.c.id == id_,
        authority.c.version == version,
    )
    row = db.execute(query).first()
    if row is None:
        raise AuthorityError(f"{kind}/{id_}", f"there is no version {version}", reason=Reason.NOT_FOUND)
    document = _document(row)
    verify(document, verifier)
    return document


def load_all(db: Connection, site: str, kind: str, verifier: Verifier, seen: Seen) -> dict[str, Document]:
    """Load the newest version of every document of a kind, verified: id -> document.

    Raises:
        AuthorityError: as ``load``, for the first that fails; also when one that was seen is gone.
    """
    newest = (
        select(authority.c.id, func.max(authority.c.version).label("version"))
        .where(authority.c.site == site, authority.c.kind == kind)
        .group_by(authority.c.id)
        .subquery()
    )
    query = select(authority).join(
        newest, (authority.c.id == newest.c.id) & (authority.c.version == newest.c.version)
    )
    rows = db.execute(query.where(authority.c.site == site, authority.c.kind == kind)).all()
    documents = {row.id: _document(row) for row in rows}
    for gone in seen.ids(kind) - documents.keys():
        raise _stale(kind, gone)
    for document in documents.values():
        seen.admit(document, verifier)
    return documents


def newest_version(db: Connection, site: str, kind: str, id_: str) -> int:
    """Give the newest stored version, unverified: for choosing the next number. 0 for none."""
    query = select(func.max(authority.c.version)).where(
        authority.c.site == site, authority.c.kind == kind, authority.c.id == id_
    )
    return db.execute(query).scalar() or 0


def has(db: Connection, site: str, kind: str, id_: str, version: int) -> bool:
    """Say whether a version is stored."""
    query = select(authority.c.version).where(
        authority.c.site == site,
        authority.c.kind == kind,
        authority.c.id == id_,
        authority.c.version == version,
    )
    return db.execute(query).first() is not None


def trust_anchor(settings: Settings) -> Verifier:
    """Load the authority key pinned when the data folder was made.

    Raises:
        AuthorityError: absent or broken: nothing may be decided.
        SettingsError: the settings name another site than the folder's.
    """
    site_name.check(settings)
    return load_verifier(settings.data / "trust" / "authority.pub")


def _stale(kind: str, id_: str) -> AuthorityError:
    return AuthorityError(f"{kind}/{id_}", "a newer version was seen", reason=Reason.AUTHORITY_STALE)


def _values(d: Document) -> dict[str, Any]:
    return {
        "site": d.site,
        "kind": d.kind,
        "id": d.id,
        "version": d.version,
        "body": d.body,
        "signature": d.signature,
        "at_us": d.at_us,
    }


def _document(row: Row[Any]) -> Document:
    try:
        body, signature = bytes(row.body), bytes(row.signature)
    except TypeError as error:  # SQLite stores what it is given: somebody wrote text
        raise AuthorityError(f"{row.kind}/{row.id}", "the stored bytes are not bytes") from error
    return Document(row.site, row.kind, row.id, row.version, body, signature, row.at_us)
