"""Checkpoints: the size and root of the ledger at a moment, as signed notes, and where they are kept.

Rules:
- A checkpoint signs only what extends the last one: ``propose`` proves it from the tiles before anything is signed.
- Checkpoints are numbered without gaps and never deleted; the head counts them.
- Cosignatures of a witness are added to the kept note as further lines.

Deliberately absent: the key (the keeper signs through ``note.Signer``), and the network (``witness_client.py``).

Source: C2SP tlog-checkpoint (origin, size, root; no extension lines).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.core.errors import AuthorityError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import log, merkle, note, proofs
from oathward.ledger.tables import run

_LOOKED_AT = 64
"""So many checkpoints back a cosigned one is looked for: a witness is some seconds behind."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: which log, how many records, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored checkpoint: ``note`` with all its signature lines."""

    seq: int
    size: int
    note: str


def parse(text: str, where: str = "checkpoint") -> Checkpoint:
    """Read the text of a checkpoint.

    Raises:
        AuthorityError: not a checkpoint; nothing but the exact form is read.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):
        raise AuthorityError(where, "is not a checkpoint")
    root = note.decode64(lines[2])
    if root is None or len(root) != merkle.HASH_BYTES:
        raise AuthorityError(where, "is not a checkpoint")
    size = int(lines[1])
    if size > merkle.SIZE_MAX or (size == 0 and root != merkle.EMPTY_ROOT):
        raise AuthorityError(where, "is not a checkpoint")
    return Checkpoint(lines[0], size, root)


def read_note(signed: str, keys: Iterable[note.Verifier], where: str = "checkpoint") -> Checkpoint:
    """Read a signed checkpoint.

    Raises:
        AuthorityError: no right signature of one of these keys, or not a checkpoint.
    """
    return parse(note.check(signed, keys, where), where)


def propose(db: Connection, site: str, last: Checkpoint | None) -> Checkpoint | None:
    """Give the checkpoint to sign next, or None when nothing was appended.

    Args:
        last: what the signer signed last, from its own memory and not from this database.

    Raises:
        LedgerError: ``ledger.rolled-back`` when the ledger is shorter than what was signed or has another
            origin, ``ledger.forked`` when it is not its continuation. Nothing may be signed then.
    """
    head, origin = log.head(db, site), log.origin(db, site)
    if last is not None:
        if last.origin != origin or head.size < last.size:
            raise LedgerError(
                f"checkpoint {last.size}",
                f"signed before, but the ledger has {head.size} records; restore the missing ones"
                " or declare them lost (ledger restore-declare)",
                reason=Reason.LEDGER_ROLLED_BACK,
            )
        check_extends(db, site, last, head)
        if head.size == last.size:
            return None
    return Checkpoint(origin, head.size, head.root) if head.size else None


def check_extends(db: Connection, site: str, last: Checkpoint, head: log.Head) -> None:
    """Return nothing when the ledger continues ``last``.

    Raises:
        LedgerError: ``ledger.forked``.
    """
    try:
        proof = proofs.consistency_proof(db, site, last.size, head.size)
        old_root = last.root if last.size else merkle.EMPTY_ROOT
        merkle.check_consistency(last.size, head.size, old_root, head.root, proof)
    except LedgerError as error:
        raise LedgerError(
            f"checkpoint {last.size}",
            "the ledger does not continue what was signed: run `ledger verify`",
            reason=Reason.LEDGER_FORKED,
        ) from error


def store(db: Connection, site: str, signed: str) -> int:
    """Keep a signed checkpoint; gives its number. The caller has just made it: it is not checked again.

    Raises:
        AuthorityError: not a checkpoint.
    """
    size = parse(note.split(signed)[0]).size
    log.locked_size(db, site)
    seq: int = run(db, "SELECT checkpoints FROM ledger_head WHERE site = ?", (site,)).scalar_one()
    values = (site, seq, size, signed)
    run(db, "INSERT INTO ledger_checkpoint (site, seq, size, note) VALUES (?, ?, ?, ?)", values)
    run(db, "UPDATE ledger_head SET checkpoints = ? WHERE site = ?", (seq + 1, site))
    return seq


def add_lines(db: Connection, site: str, seq: int, lines: str) -> None:
    """Add a witness's signature lines to a kept checkpoint; lines already there are left out.

    Raises:
        AuthorityError: not signature lines.
    """
    sql = "SELECT note FROM ledger_checkpoint WHERE site = ? AND seq = ? FOR UPDATE"
    signed: str = run(db, sql, (site, seq)).scalar_one()
    new = [s.line for s in note.parse_lines(lines) if s.line not in signed]
    sql = "UPDATE ledger_checkpoint SET note = ? WHERE site = ? AND seq = ?"
    run(db, sql, (signed + "".join(new), site, seq))


def latest(db: Connection, site: str, *, covering: int = -1) -> Kept | None:
    """Give the latest kept checkpoint, if it covers the record ``covering``."""
    sql = "SELECT seq, size, note FROM ledger_checkpoint WHERE site = ? ORDER BY seq DESC LIMIT 1"
    row = run(db, sql, (site,)).first()
    return Kept(*row) if row is not None and row[1] > covering else None


def witnessed(db: Connection, site: str, *, covering: int = -1) -> Kept | None:
    """Give the latest kept checkpoint with a signature beside the log's own, of the newest few, if it covers a record."""
    sql = (
        "SELECT seq, size, note FROM ledger_checkpoint WHERE site = ? AND size > ? ORDER BY seq DESC LIMIT ?"
    )
    rows = (Kept(*row) for row in run(db, sql, (site, covering, _LOOKED_AT)))
    return next((kept for kept in rows if len(note.split(kept.note)[1]) > 1), None)


def page(db: Connection, site: str, after: int, *, rows: int = 4_096) -> list[Kept]:
    """Give kept checkpoints in order, those numbered above ``after``."""
    sql = "SELECT seq, size, note FROM ledger_checkpoint WHERE site = ? AND seq > ? ORDER BY seq LIMIT ?"
    return [Kept(*row) for row in run(db, sql, (site, after, rows))]
