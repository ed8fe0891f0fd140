"""The witness: remembers the largest checkpoint of each log, cosigns only what continues it, keeps proof of forks.

Rules (C2SP tlog-witness; the answer is an HTTP status whatever carries it):
| asked | answer |
|---|---|
| not a request | 400 |
| a log it was not told to trust | 404 |
| no right signature of that log's key | 403 |
| old size above the checkpoint's | 400 |
| old size is not the size it holds: a stale client, or a ledger that was cut back | 409, with the size it holds |
| the proof does not lead from what it holds to what is asked, or another root at the same size | 422 ``ledger.forked``; both notes and the proof are kept as evidence |
| a continuation | 200, a cosignature/v1 line; what it holds now was flushed to disk before |

- Check and update are one step under a lock; a folder has one witness process at a time (``flock``).
- Evidence names the same submitted checkpoint once, and stops at a bound: spam cannot fill the disk.
- State is checked when it is read: a note that is not cosigned by this witness stops it.

Deliberately absent: the socket (``witness_server.py``), cryptography, deletion of anything.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import orjson

from oathward.core.errors import AuthorityError, InputError, LedgerError, OathwardError, StorageError
from oathward.core.reasons import Reason
from oathward.ledger import merkle, note
from oathward.ledger.checkpoint import Checkpoint, parse, read_note

EVIDENCE_MAX = 1_000
LOGS_FILE = "logs"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Key(note.Signer, note.Verifier, Protocol):
    """The witness's own key: signs, and checks what it signed."""


MakeVerifier = Callable[[str, bytes], note.Verifier]
"""Name and public key -> verifier (``vault.sign.Verifier``)."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request to cosign: consistency proof from ``old`` to the signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says: an HTTP status and a body of text."""

    status: int
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


def parse_submission(body: bytes) -> Submission:
    """Read the body of ``add-checkpoint``.

    Raises:
        InputError: not one.
    """
    try:
        head, gap, signed = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise InputError("request", "is not UTF-8") from error
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    proof = [note.decode64(line) for line in lines]
    if not gap or old is None or len(proof) > merkle.PROOF_HASHES_MAX:
        raise InputError("request", "is not an add-checkpoint request")
    if any(h is None or len(h) != merkle.HASH_BYTES for h in proof):
        raise InputError("request", "has a proof line that is not a hash")
    return Submission(int(old[1]), tuple(h for h in proof if h is not None), signed)


def format_submission(old: int, proof: Sequence[bytes], signed: str) -> bytes:
    """Write the body of ``add-checkpoint``; inverts ``parse_submission``."""
    lines = [f"old {old}", *(base64.b64encode(h).decode() for h in proof)]
    return ("\n".join(lines) + "\n\n" + signed).encode()


def origin_hash(origin: str) -> str:
    """Name a log in paths and URLs: SHA-256 of its origin in hex."""
    return sha256(origin.encode()).hexdigest()


class Witness:
    """One witness over one folder.

    Invariant: ``held/HASH`` is the largest checkpoint ever cosigned for that origin, with our cosignature.

    Args:
        now_s: seconds since 1970 UTC, asked at each cosignature.

    Raises:
        StorageError: the folder cannot be used or another witness has it.
    """

    def __init__(self, folder: Path, key: Key, make_verifier: MakeVerifier, now_s: Callable[[], int]) -> None:
        self._folder, self._key, self._make_verifier, self._now_s = folder, key, make_verifier, now_s
        self._lock = threading.Lock()
        try:
            for part in ("held", "evidence"):
                (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._flock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._flock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError("witness folder", "cannot be used, or another witness runs on it") from error

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._flock)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one submission.

        Raises:
            StorageError: the disk failed; nothing was cosigned.
        """
        try:
            asked = parse_submission(body)
            text, _ = note.split(asked.note, "checkpoint")
            origin = parse(text).origin
        except OathwardError as error:
            return Answer(400, f"{error.reason.code}: {error.where} {error.why}\n")
        keys = trusted(self._folder, self._make_verifier).get(origin)
        if keys is None:
            return Answer(404, "this witness was not told to trust that log\n")
        try:
            new = read_note(asked.note, keys)
        except AuthorityError as error:
            return Answer(403, f"{error.reason.code}: {error.where} {error.why}\n")
        with self._lock:
            return self._judge(asked, new, text)

    def checkpoint(self, hashed: str) -> Answer:
        """Give the checkpoint held of a log, by the hash of its origin."""
        with suppress(FileNotFoundError, StorageError):
            if re.fullmatch("[0-9a-f]{64}", hashed):
                return Answer(200, _read_text(self._folder / "held" / hashed))
        return Answer(404, "nothing is held of that log\n")

    def _judge(self, asked: Submission, new: Checkpoint, text: str) -> Answer:
        if asked.old > new.size:
            return Answer(400, "the old size is above the checkpoint's\n")
        held, signed = self._held(new.origin)
        if asked.old != held.size:
            return Answer(409, f"{held.size}\n", "text/x.tlog.size")
        try:
            merkle.check_consistency(held.size, new.size, held.root, new.root, asked.proof)
        except LedgerError as error:
            certain = new.size == held.size and new.root != held.root
            self._keep_evidence(asked, text, signed, certain=certain)
            return Answer(422, f"{Reason.LEDGER_FORKED.code}: {error.where} {error.why}\n")
        line = note.cosign(text, self._key, self._now_s())
        _write(self._folder / "held" / origin_hash(new.origin), asked.note + line)
        return Answer(200, line)

    def _held(self, origin: str) -> tuple[Checkpoint, str]:
        """Give the checkpoint held of a log and its note; an empty tree when there is none.

        Raises:
            LedgerError: the file is not what this witness wrote.
        """
        path = self._folder / "held" / origin_hash(origin)
        if not path.exists():
            return Checkpoint(origin, 0, merkle.EMPTY_ROOT), ""
        signed = _read_text(path)
        text, signatures = note.split(signed, path.name)
        note.check_cosignature(text, signatures, self._key, path.name)
        found = parse(text, path.name)
        if found.origin != origin:
            raise LedgerError(path.name, "is the checkpoint of another log")
        return found, signed

    def _keep_evidence(self, asked: Submission, text: str, held: str, *, certain: bool) -> None:
        folder = self._folder / "evidence"
        path = folder / f"{sha256(text.encode()).hexdigest()}.json"
        if path.exists() or sum(1 for _ in folder.iterdir()) >= EVIDENCE_MAX:
            return
        value = {
            "at_s": self._now_s(),
            "certain": certain,
            "held": held,
            "old": asked.old,
            "proof": [h.hex() for h in asked.proof],
            "submitted": asked.note,
        }
        _write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def trust(folder: Path, key: str, origin: str = "") -> str:
    """Let a witness cosign for one more log; gives its origin, by default the key's name.

    Raises:
        AuthorityError: not an Ed25519 verifier key, or no name for a log.
    """
    name, _, _ = note.decode_key(key, "log key")
    origin = origin or name
    note.check_name(origin, "origin")
    path = folder / LOGS_FILE
    lines = _read_text(path).splitlines() if path.exists() else []
    line = f"log {key.strip()}" + (f" {origin}" if origin != name else "")
    if line not in lines:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, "\n".join([*lines, line]) + "\n")
    return origin


def trusted(folder: Path, make_verifier: MakeVerifier) -> Mapping[str, list[note.Verifier]]:
    """Read which logs a witness trusts: origin -> keys. A line is ``log VERIFIER-KEY`` or ``log VERIFIER-KEY ORIGIN``.

    Raises:
        AuthorityError: a line is not one.
    """
    path = folder / LOGS_FILE
    found: dict[str, list[note.Verifier]] = {}
    for number, line in enumerate(_read_text(path).splitlines() if path.exists() else [], 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] != "log" or len(words) not in (2, 3):
            raise AuthorityError(
                f"{LOGS_FILE}:{number}", "write `log VERIFIER-KEY` or `log VERIFIER-KEY ORIGIN`"
            )
        name, _, public = note.decode_key(words[1], f"{LOGS_FILE}:{number}")
        found.setdefault(words[2] if len(words) == 3 else name, []).append(make_verifier(name, public))
    return found


def evidence(folder: Path) -> list[dict[str, Any]]:
    """Read what a witness keeps of forks, oldest first."""
    files = (folder / "evidence").glob("*.json")
    return sorted((orjson.loads(_read_text(f)) for f in files), key=lambda e: e["at_s"])


def held(folder: Path) -> list[str]:
    """Read the notes a witness holds, one for each log."""
    return [_read_text(f) for f in sorted((folder / "held").glob("*")) if len(f.name) == 64]


def _read_text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(path.name, "cannot be read") from error


def _write(path: Path, text: str) -> None:
    """Replace a file so that it is there, whole and flushed, before this returns.

    Raises:
        StorageError: it is not.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StorageError(path.name, "cannot be written") from error
