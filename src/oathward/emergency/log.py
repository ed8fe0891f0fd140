"""The log of readings beside a copy: each line sealed to the copy's key and chained to the one before.

Form: a first line names the log, its site and key; each further line has its number, the sealed reading, and a MAC over
both and the line before, under a key that only the opened key file gives.

Rules:
- A reading stands in the log, on disk, before anything of the patient is shown; where it cannot be written nothing is.
- A log that does not verify from its first line on is not written on: reading goes on only with a new one, which the
  person who finds it must put there.
- The last number stands in a file beside it too (``.end``): lines cut from the end are noticed, unless that file was put
  back with them; then the main system notices, where it had taken more.

Deliberately absent: proof of who read. The name is what they gave.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hmac
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from oathward.core.errors import InputError, VaultError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.emergency import sealing
from oathward.vault.emergency.copies import Manifest
from oathward.vault.emergency.keys import Unlocked
from oathward.vault.primitives import bind
from oathward.vault.sign import write_file

REASONS: Mapping[str, str] = {
    "treatment": "treating the patient now",
    "handover": "handing the patient over",
    "transfer": "moving the patient elsewhere",
    "resuscitation": "an emergency of this patient",
    "drill": "a drill: the main system is up",
}
"""Why somebody reads a copy: code -> words."""

NAME_MAX, WORDS_MAX = 100, 500
LINES_MAX = 100_000
_LINE_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, as they say, and why."""

    name: str
    reason: str
    words: str = ""

    def check(self) -> None:
        """Refuse a reader that names neither themselves nor why.

        Raises:
            InputError: what is missing.
        """
        if not self.name.strip() or len(self.name) > NAME_MAX or not self.name.isprintable():
            raise InputError("reader", f"is a name of at most {NAME_MAX} characters")
        if self.reason not in REASONS:
            raise InputError("reason", f"is one of {', '.join(REASONS)}")
        if len(self.words) > WORDS_MAX:
            raise InputError("words", f"are at most {WORDS_MAX} characters")


@dataclass(frozen=True, slots=True)
class Reading:
    """One line, opened."""

    n: int
    at_us: int
    subject: str
    run: str
    age_s: int
    reader: str
    reason: str
    what: str
    words: str


@dataclass(frozen=True, slots=True)
class Found:
    """A log as it was found. ``broken``: where its chain breaks; empty for nowhere. ``last``: the MAC to go on from."""

    id: str
    readings: tuple[Reading, ...]
    broken: str
    last: str


class Log:
    """A log that is written on.

    Raises:
        VaultError: ``EMERGENCY_LOG_BROKEN``: it was changed or cut; ``STORAGE_FAILED``: it cannot be written.
    """

    def __init__(self, path: Path, key: Unlocked) -> None:
        self._path, self._key = path, key
        with self._locked():
            if not path.exists():
                self._begin()
            found = self._sound()
        self.id = found.id

    def add(
        self, who: Reader, what: str, subject: str, manifest: Manifest, now_us: int, proved_us: int = 0
    ) -> None:
        """Write one reading, durably.

        Raises:
            VaultError: as the class.
        """
        who.check()
        with self._locked():
            found = self._sound()
            n = len(found.readings) + 1
            age_s = max(0, now_us - (proved_us or manifest.made_us)) // 1_000_000
            said = {"age_s": age_s, "at_us": now_us, "reader": who.name, "reason": who.reason}
            said |= {"run": manifest.run, "subject": subject, "what": what, "words": who.words}
            sealed = sealing.seal(
                self._key.trust.public, _context(self._key, found.id, n), [orjson.dumps(said)]
            )
            text = base64.b64encode(sealed).decode()
            mac = _mac(self._key, found.last, str(n), text)
            self._append({"mac": mac, "n": n, "sealed": text})
            write_file(_end_of(self._path), _ended(self._key, found.id, n), 0o600)

    def _begin(self) -> None:
        id_ = uuid7()
        head = {"form": 1, "key": self._key.trust.key_id, "log": id_, "site": self._key.trust.site}
        write_file(_end_of(self._path), _ended(self._key, id_, 0), 0o600)
        self._append(head | {"mac": _head_mac(self._key, id_)})

    def _sound(self) -> Found:
        found = read(self._path, self._key)
        if found.broken:
            why = f"{found.broken}; put it away as evidence, and a new one is begun"
            raise VaultError(self._path.name, why, reason=Reason.EMERGENCY_LOG_BROKEN)
        return found

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            fd = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with os.fdopen(fd, "ab") as file:
                file.write(orjson.dumps(line, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(self._path) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            fd = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(self._path) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise _unwritable(self._path) from error
        finally:
            os.close(fd)


def read(path: Path, key: Unlocked) -> Found:
    """Read a log as far as it is sound, and say where it is not.

    Raises:
        InputError: it cannot be read, or is no log of this key.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(path.name, "cannot be read", reason=Reason.NOT_FOUND) from error
    head = _line(lines[0])
    id_ = head.get("log", "")
    if head.get("key") != key.trust.key_id or not isinstance(id_, str):
        raise InputError(path.name, "is no log of readings under this key")
    last = _head_mac(key, id_)
    if not hmac.compare_digest(str(head.get("mac")), last):
        return Found(id_, (), "line 1", last)
    readings: list[Reading] = []
    broken = "" if lines[-1] == b"" else "its last line is cut"
    for number, raw in enumerate(lines[1:-1], 1):
        one = _opened(key, id_, last, number, _line(raw))
        if one is None or number > LINES_MAX:
            broken = f"line {number + 1}"
            break
        readings.append(one)
        last = str(_line(raw)["mac"])
    if not broken and not _is_end(path, key, id_, len(readings)):
        broken = f"lines are missing after {len(readings) + 1}"
    return Found(id_, tuple(readings), broken, last)


def _opened(key: Unlocked, id_: str, last: str, number: int, line: Mapping[str, Any]) -> Reading | None:
    text = line.get("sealed")
    if line.get("n") != number or not isinstance(text, str):
        return None
    if not hmac.compare_digest(str(line.get("mac")), _mac(key, last, str(number), text)):
        return None
    try:
        sealed = base64.b64decode(text, validate=True)
        [raw] = sealing.open_parts(key.private, _context(key, id_, number), sealed, 1, f"line {number + 1}")
    except (binascii.Error, VaultError):
        return None
    return Reading(n=number, **orjson.loads(raw))


def _line(raw: bytes) -> Mapping[str, Any]:
    if len(raw) > _LINE_BYTES_MAX:
        return {}
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _context(key: Unlocked, id_: str, number: int) -> tuple[str, ...]:
    return ("reading", key.trust.site, id_, str(number))


def _mac(key: Unlocked, *parts: str) -> str:
    return blake2b(bind("reading", *parts), key=key.log_key, digest_size=32).hexdigest()


def _head_mac(key: Unlocked, id_: str) -> str:
    return _mac(key, "head", id_, key.trust.key_id)


def _end_of(path: Path) -> Path:
    return path.with_suffix(".end")


def _ended(key: Unlocked, id_: str, count: int) -> bytes:
    return orjson.dumps({"mac": _mac(key, "end", id_, str(count)), "n": count})


def _is_end(path: Path, key: Unlocked, id_: str, count: int) -> bool:
    """Say whether as many lines were written; one more than noted is a reading whose note a crash prevented."""
    try:
        said = _line(_end_of(path).read_bytes())
    except OSError:
        return False
    noted = said.get("n")
    good = hmac.compare_digest(str(said.get("mac")), _mac(key, "end", id_, str(noted)))
    return good and noted in (count, count - 1)


def _unwritable(path: Path) -> VaultError:
    why = "the log of readings cannot be written: nothing is shown without it"
    return VaultError(path.name, why, reason=Reason.STORAGE_FAILED)
