"""A bundle becomes active: checked as a whole, its tests run, signed by the keeper, stored, loaded.

Rules:
- What is signed is the canonical form of the bundle's files; every process compiles it for itself.
- ``load_active`` gives only what the pinned authority signed and what is not older than was seen.
- The signed document and the record ``bundle.activated`` are one transaction.
- A bundle that fails one of its own tests does not activate.

Deliberately absent: reading folders (``cli/policy``), and who may approve (the keeper checks that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from oathward.bundles import check, tested
from oathward.core.db import write
from oathward.core.errors import AuthorityError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare
from oathward.policy.bundle import Bundle, PolicyErrors, unpack
from oathward.vault.authority import Document, Seen, put
from oathward.vault.authority import load as load_document
from oathward.vault.keeper.client import Client
from oathward.vault.sign import Verifier

__all__ = ["ID", "KIND", "Active", "PolicyErrors", "activate", "check", "load_active", "store", "tested"]

KIND = "bundle"
ID = "active"


@dataclass(frozen=True, slots=True)
class Active:
    """A bundle in force. ``version`` counts activations of this site; ``at_us`` is when it was signed."""

    bundle: Bundle
    version: int
    at_us: int

    @property
    def label(self) -> str:
        """Name and version, as rows and records have it: ``starter@3``."""
        return f"{self.bundle.name}@{self.version}"


def activate(
    engine: Engine,
    site: str,
    keeper: Client,
    bundle: Bundle,
    approvals: Sequence[Mapping[str, str]],
    now_us: int,
) -> Active:
    """Put a checked bundle in force.

    Args:
        keeper: as role ``admin``.
        approvals: proofs of the people who agreed (``vault.keeper.proof``).

    Raises:
        PolicyErrors: one of its tests fails.
        KeeperError: the keeper refused to sign.
        StorageError: it was not stored; the bundle before it stays in force.
    """
    tested(bundle)
    document = keeper.sign_authority(KIND, ID, 0, bundle.body, approvals)
    with write(engine) as db:
        return store(db, site, bundle, document, now_us)


def store(db: Connection, site: str, bundle: Bundle, document: Document, now_us: int) -> Active:
    """Store a bundle that the keeper signed, with its record; the last call before the caller's commit."""
    active = Active(bundle, document.version, document.at_us)
    body = {
        "bundle": active.label,
        "digest": bundle.digest.hex(),
        "links": sorted(bundle.links),
        "policies": len(bundle.policies),
        "tests": len(bundle.cases),
        "version": active.version,
    }
    leaf = prepare(Record("bundle.activated", body, now_us, links=tuple(sorted(bundle.links))))
    put(db, document)
    append(db, site, [leaf])
    return active


def load_active(
    db: Connection, site: str, verifier: Verifier, seen: Seen, *, current: Active | None = None
) -> Active | None:
    """Load the bundle in force; ``None`` where none was ever activated.

    Args:
        current: what the caller has; given back as it is while it is still in force.

    Raises:
        AuthorityError: it does not verify, is older than one seen, or this program cannot use it.
    """
    try:
        document = load_document(db, site, KIND, ID, verifier, seen)
    except AuthorityError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise
    if current is not None and current.version == document.version:
        return current
    try:
        bundle = check(unpack(document.body))
    except PolicyErrors as error:
        raise AuthorityError(f"{KIND}/{ID} {error.where}", error.why, reason=Reason.BUNDLE_INVALID) from error
    return Active(bundle, document.version, document.at_us)
