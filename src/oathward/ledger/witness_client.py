"""Ask a witness to cosign, and ask it what it holds.

Rules:
- What a witness says counts only if its cosignature is right under the key we were given.
- A conflict that shows the witness ahead of us is a rollback of ours, and is told as one.
- Sizes and times are bounded; the caller decides on retries.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from oathward.core.db import read, write
from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint, note, proofs
from oathward.ledger.witness import Answer, format_submission, origin_hash
from oathward.ledger.witness_server import parse_address
from oathward.ledger.witness_wire import AnswerInbox, write_request

TIMEOUT_S = 5.0
_READ_BYTES = 65_536


class ConflictError(LedgerError):
    """The witness holds a checkpoint of another size than we thought; ``size`` says which."""

    def __init__(self, size: int, reason: Reason, why: str) -> None:
        self.size = size
        super().__init__("witness", why, reason=reason)


def submit(
    address: str,
    signed: str,
    old: int,
    proof: Sequence[bytes],
    key: note.Verifier,
    *,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Submit a signed checkpoint; gives the witness's cosignature line.

    Args:
        old: size of the checkpoint the witness cosigned last, 0 if none.
        proof: consistency proof from ``old``.
        key: the witness's.

    Raises:
        ConflictError: the witness holds another size; ``ledger.rolled-back`` when it is above ours.
        LedgerError: ``ledger.forked``; or the witness refused, or cannot be reached (``witness.unavailable``).
        AuthorityError: the cosignature is not right.
    """
    text, _ = note.split(signed)
    size = checkpoint.parse(text).size
    answer = _ask(address, "POST", "/add-checkpoint", format_submission(old, proof, signed), timeout_s)
    if answer.status == 200:
        lines = note.parse_lines(answer.body, "cosignature")
        note.check_cosignature(text, lines, key)
        wanted = (key.name, note.key_id(key.name, key.public, note.COSIGNATURE))
        return "".join(line.line for line in lines if (line.name, line.key_id) == wanted)
    raise _refusal(answer, size)


def cosign_latest(
    engine: Engine, site: str, address: str, key: note.Verifier, *, old: int = 0, timeout_s: float = TIMEOUT_S
) -> int:
    """Have the latest kept checkpoint cosigned and keep the line; gives its size (0: there is none).

    Args:
        old: the size cosigned last, if the caller remembers; a wrong guess costs one more exchange.

    Raises:
        LedgerError, AuthorityError: as ``submit``.
    """
    with read(engine) as db:
        kept = checkpoint.latest(db, site)
    if kept is None:
        return 0
    try:
        line = _submit_from(engine, site, address, kept, min(old, kept.size), key, timeout_s)
    except ConflictError as conflict:
        if conflict.size > kept.size:
            raise
        line = _submit_from(engine, site, address, kept, conflict.size, key, timeout_s)
    with write(engine) as db:
        checkpoint.add_lines(db, site, kept.seq, line)
    return kept.size


def ask_held(address: str, origin: str, *, timeout_s: float = TIMEOUT_S) -> str:
    """Ask which checkpoint a witness holds of a log: its note, to be checked by the caller.

    Raises:
        LedgerError: ``not-found``; it holds none. ``witness.unavailable``; it cannot be reached.
    """
    answer = _ask(address, "GET", f"/{origin_hash(origin)}/checkpoint", b"", timeout_s)
    if answer.status != 200:
        raise LedgerError("witness", "holds no checkpoint of this log", reason=Reason.NOT_FOUND)
    return answer.body


def _submit_from(
    engine: Engine,
    site: str,
    address: str,
    kept: checkpoint.Kept,
    old: int,
    key: note.Verifier,
    timeout_s: float,
) -> str:
    with read(engine) as db:
        proof = proofs.consistency_proof(db, site, old, kept.size)
    return submit(address, kept.note, old, proof, key, timeout_s=timeout_s)


def _refusal(answer: Answer, size: int) -> LedgerError:
    if answer.status == 409 and re.fullmatch(r"(0|[1-9][0-9]{0,18})\n", answer.body):
        held = int(answer.body)
        if held > size:
            why = f"holds a checkpoint of {held} records, ours has {size}: our ledger was cut back"
            return ConflictError(held, Reason.LEDGER_ROLLED_BACK, why)
        return ConflictError(held, Reason.CONFLICT, f"holds a checkpoint of {held} records")
    reason, why = {
        403: (Reason.SIGNATURE_INVALID, "does not know the key this checkpoint is signed with"),
        404: (Reason.NOT_FOUND, "was not told to trust this log"),
        422: (Reason.LEDGER_FORKED, "has proof that our ledger does not continue what it holds"),
        503: (Reason.WITNESS_UNAVAILABLE, "cannot write to its disk"),
    }.get(answer.status, (Reason.INTERNAL, f"answered {answer.status}"))
    return LedgerError("witness", why, reason=reason)


def _ask(address: str, method: str, path: str, body: bytes, timeout_s: float) -> Answer:
    where = parse_address(address)
    deadline_s = time.monotonic() + timeout_s
    try:
        with _connect(where, timeout_s) as line:
            host = "witness" if isinstance(where, Path) else where[0]
            line.sendall(write_request(method, path, host, body))
            return _receive(line, deadline_s)
    except (OSError, InputError) as error:
        raise LedgerError("witness", "cannot be reached", reason=Reason.WITNESS_UNAVAILABLE) from error


def _connect(where: tuple[str, int] | Path, timeout_s: float) -> socket.socket:
    if not isinstance(where, Path):
        line = socket.create_connection(where, timeout_s)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(timeout_s)
    try:
        line.connect(str(where))
    except OSError:
        line.close()
        raise
    return line


def _receive(line: socket.socket, deadline_s: float) -> Answer:
    inbox = AnswerInbox()
    while True:
        line.settimeout(max(deadline_s - time.monotonic(), 0.001))
        data = line.recv(_READ_BYTES)
        if not data:
            raise ConnectionError
        answer = inbox.feed(data)
        if answer is not None:
            return answer
