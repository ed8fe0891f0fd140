"""A proof that one record stands in the ledger, in one file that anybody can check without us.

Form: C2SP tlog-proof v1. The ``extra`` line holds the entry (salt ‖ canonical body), the rest is index, audit path
and a signed checkpoint. Leaf = SHA-256(0x00 ‖ entry).

Deliberately absent: proofs of records whose body was removed; the ledger's verification speaks for those.

Source: C2SP tlog-proof, tlog-checkpoint.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint, merkle, note, proofs
from oathward.ledger.records import ENTRY_BYTES_MAX, SALT_BYTES, leaf_hash
from oathward.ledger.tables import run
from oathward.ledger.verify import Keys

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
PROOF_BYTES_MAX = note.NOTE_BYTES_MAX + 2 * ENTRY_BYTES_MAX
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Proved:
    """What a proof proves: this record stands at ``index`` of the log named by ``origin``."""

    origin: str
    index: int
    size: int
    root: bytes
    record: Mapping[str, Any]
    cosigned_s: Mapping[str, int]  # witness -> seconds since 1970 UTC


def prove(db: Connection, site: str, index: int) -> str:
    """Make the proof of one record under the latest checkpoint that a witness cosigned, or else the latest.

    Raises:
        LedgerError: ``not-found``; no such record, its body was removed, or no checkpoint covers it yet.
    """
    sql = "SELECT salt, body, rule FROM ledger_record WHERE site = ? AND idx = ?"
    row = run(db, sql, (site, index)).first()
    kept = checkpoint.witnessed(db, site, covering=index) or checkpoint.latest(db, site, covering=index)
    where = f"record {index}"
    if row is None:
        raise LedgerError(where, "the ledger has no such record", reason=Reason.NOT_FOUND)
    salt, body, rule = row
    if body is None:
        raise LedgerError(where, f"its body was removed under rule {rule}", reason=Reason.NOT_FOUND)
    if kept is None:
        raise LedgerError(where, "no signed checkpoint covers it yet", reason=Reason.NOT_FOUND)
    hashes = proofs.inclusion_proof(db, site, index, kept.size)
    lines = [HEADER, f"extra {_encode(salt + body)}", f"index {index}", *map(_encode, hashes)]
    return "\n".join(lines) + "\n\n" + kept.note


def check_proof(text: str, keys: Keys) -> Proved:
    """Check a proof with nothing but the log's key; a known witness's cosignature must be right if it is there.

    Raises:
        LedgerError: not a proof, or it does not lead to the signed root.
        AuthorityError: the checkpoint has no right signature of the log's key.
    """
    if len(text) > PROOF_BYTES_MAX:
        raise LedgerError("proof", f"is over {PROOF_BYTES_MAX} bytes")
    head, _, signed = text.partition("\n\n")
    entry, index, hashes = _parse(head.split("\n"))
    found = checkpoint.read_note(signed, keys.log, "proof checkpoint")
    salt, body = entry[:SALT_BYTES], entry[SALT_BYTES:]
    merkle.check_inclusion(index, found.size, leaf_hash(salt, body), hashes, found.root)
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise LedgerError("proof", "the entry is not a record") from error
    return Proved(found.origin, index, found.size, found.root, record, _cosigned(signed, keys))


def _parse(lines: list[str]) -> tuple[bytes, int, list[bytes]]:
    if len(lines) < 3 or lines[0] != HEADER or not lines[1].startswith("extra "):
        raise LedgerError("proof", f"is not a {HEADER} with an entry")
    numbered = _INDEX.fullmatch(lines[2])
    decoded = [note.decode64(line) for line in (lines[1].removeprefix("extra "), *lines[3:])]
    if numbered is None or len(decoded) > 1 + merkle.PROOF_HASHES_MAX:
        raise LedgerError("proof", "has another form")
    entry, *hashes = (part or b"" for part in decoded)
    return entry, int(numbered[1]), hashes


def _cosigned(signed: str, keys: Keys) -> dict[str, int]:
    text, signatures = note.split(signed)
    found = {}
    for key in keys.witnesses:
        identity = (key.name, note.key_id(key.name, key.public, note.COSIGNATURE))
        if any((s.name, s.key_id) == identity for s in signatures):
            found[key.name] = note.check_cosignature(text, signatures, key)
    return found


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
