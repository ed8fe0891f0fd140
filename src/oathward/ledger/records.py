"""What one ledger record is, and its leaf.

Rules:
- A record holds codes, counts, digests and random ids; never a patient's value.
- The canonical body is JSON with sorted keys and no spaces; the leaf hash is
  SHA-256(0x00 ‖ salt ‖ canonical body), i.e. the RFC 6962 leaf of the entry ``salt ‖ body``.
- The salt is random and leaves with the body: what is left after a removal says nothing.
- ``prepare`` does all work that needs the processor, before the caller opens a transaction.
- Facts of decisions are named inside a body as ``"facts": "<sha-256 in hex>"`` (or a list of them), at any depth.

Deliberately absent: reading of bodies by type; a record is data for people, detectors and auditors.

Source: RFC 6962 §2.1, RFC 9162 §2.1.1 (leaf hash); C2SP tlog-tiles (an entry is at most 65,535 bytes).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple, final

import orjson

from oathward.core.errors import LedgerError
from oathward.core.ids import random16
from oathward.core.reasons import Reason

SALT_BYTES = 16
ENTRY_BYTES_MAX = 65_535
"""Salt and body together."""


class Record(NamedTuple):
    """One decision or change, as its part describes it.

    ``kind``: noun.verbed. ``at_us``: microseconds since 1970 UTC. ``subject``: random subject id.
    ``links``: ids of the links, or of the endpoint, concerned, for searching. ``message``: message id, for searching.
    """

    kind: str
    body: Mapping[str, Any]
    at_us: int
    subject: str = ""
    links: tuple[str, ...] = ()
    message: str = ""


@final
class Leaf:
    """A record ready to append; only ``prepare`` makes one. A frozen dataclass would cost three times as much to make."""

    __slots__ = ("body", "hash", "record", "salt")

    def __init__(self, record: Record, salt: bytes, body: bytes, hash_: bytes, made_by: object) -> None:
        assert made_by is _PREPARE, "a Leaf is made by prepare()"
        self.record, self.salt, self.body, self.hash = record, salt, body, hash_


_PREPARE = object()


def canonical(record: Record) -> bytes:
    """Write the record as the bytes that are hashed."""
    return orjson.dumps(
        {
            "at": record.at_us,
            "body": record.body,
            "kind": record.kind,
            "links": record.links,
            "message": record.message,
            "subject": record.subject,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def leaf_hash(salt: bytes, body: bytes) -> bytes:
    """Hash one entry into its leaf."""
    return sha256(b"\x00" + salt + body).digest()


def prepare(record: Record) -> Leaf:
    """Make the leaf of a record: canonical bytes, fresh salt, hash.

    Raises:
        LedgerError: ``message.limit-exceeded``; the body does not fit into one entry.
        TypeError: the body holds something that is not plain data (a ``Phi``, for one): our bug.
    """
    body = canonical(record)
    if len(body) > ENTRY_BYTES_MAX - SALT_BYTES:
        raise LedgerError(
            record.kind, f"body over {ENTRY_BYTES_MAX - SALT_BYTES} bytes", reason=Reason.LIMIT_EXCEEDED
        )
    salt = random16()
    return Leaf(record, salt, body, sha256(b"\x00" + salt + body).digest(), _PREPARE)
