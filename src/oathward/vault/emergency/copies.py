"""The file of an emergency copy: sealed sections, one a patient, then the manifest that the keeper signed.

Form: ``MAGIC``, the sections one behind the other, the manifest (JSON: body and signature as base64), its length (eight
bytes), ``MAGIC`` again. The manifest's body names site, run, generation, time, key, checkpoint, and each section by place,
length and SHA-256, with what it holds in ids and digests.

Rules:
- A file is whole or is not there: written beside under another name, flushed, renamed; the last good one stays until then.
- Files are numbered, never dated: a clock that went back makes no older file the newest.
- Nothing of a file is believed before its signature, the checkpoint's and the cosignature verify with keys that were
  pinned elsewhere (``keys.Trust``); a section not before its digest.
- Neither writing nor reading holds more than one section.

Deliberately absent: what is in a section, and opening (``sealing``).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from oathward.core.errors import AuthorityError, StorageError, VaultError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.ledger import checkpoint, note
from oathward.vault.authority import Document, signing_input, verify
from oathward.vault.emergency.keys import Trust
from oathward.vault.sign import Signer, sync_folder

MAGIC = b"oathward emergency copy 1\n"
KIND = "emergency-copy"
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
SECTION_BYTES_MAX = 128 * 1024 * 1024
_LENGTH = struct.Struct(">Q")
_NAME = re.compile(r"copy-([0-9]{8})\.oathward")
_ENOSPC = (28, 122)  # no space, over quota


@dataclass(frozen=True, slots=True)
class Section:
    """One patient in a copy, in ids and digests.

    Args:
        subject: whom the page of this patient is of. at, length, sha256: where the sealed section lies.
        proved_us: when what it holds was proved; of a run before this one where ``state`` is ``kept``.
        state: ``proved``; ``kept``: did not prove this time, and is as it was; ``partly``: what did not prove is left out,
            and there was nothing before; ``missing``: nothing proved, and there was nothing before.
        first, newest, count, digest: the messages it holds, by id; ``digest`` of their ids and sealed digests.
    """

    subject: str
    at: int
    length: int
    sha256: str
    proved_us: int
    state: str
    first: str
    newest: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy says of itself. ``witnessed_s``: when the checkpoint was cosigned; 0 for not independently witnessed."""

    site: str
    run: str
    generation: int
    made_us: int
    key: str
    checkpoint: str
    witnessed_s: int
    hours: float
    sections: tuple[Section, ...] = field(default=())


def sign(manifest: Manifest, authority: Signer) -> Document:
    """Sign a manifest, as the keeper does."""
    body = orjson.dumps(asdict(manifest), option=orjson.OPT_SORT_KEYS)
    unsigned = Document(manifest.site, KIND, manifest.run, manifest.generation, body, b"", manifest.made_us)
    return Document(**{**asdict(unsigned), "signature": authority.sign(signing_input(unsigned))})


class Writer:
    """Writes one copy; nothing of it is seen before ``finish``."""

    def __init__(self, folder: Path, generation: int) -> None:
        self._path = folder / name_of(generation)
        self._partial = folder / f".{self._path.name}.part"
        self._partial.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(self._partial, flags, 0o640), "wb")
        self._file.write(MAGIC)
        self.size = len(MAGIC)

    def add(self, section: bytes) -> int:
        """Append a section; gives where it begins."""
        at = self.size
        self._file.write(section)
        self.size += len(section)
        return at

    def finish(self, document: Document) -> Path:
        """Write the manifest and let the file be seen, durably."""
        said = {"body": base64.b64encode(document.body).decode(), "signature": base64.b64encode(document.signature).decode()}  # fmt: skip
        raw = orjson.dumps(said)
        self._file.write(raw + _LENGTH.pack(len(raw)) + MAGIC)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        point("emergency.written")
        self._partial.replace(self._path)
        sync_folder(self._path.parent)
        return self._path

    def give_up(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


@contextmanager
def writing(folder: Path, generation: int) -> Iterator[Writer]:
    """Write a copy; what goes wrong leaves the folder as it was.

    Raises:
        StorageError: the folder cannot be written, or is full.
    """
    writer = None
    try:
        for left in folder.glob(".copy-*.part"):  # of a run that was killed
            left.unlink(missing_ok=True)
        writer = Writer(folder, generation)
        yield writer
    except OSError as error:
        reason = Reason.STORAGE_FULL if error.errno in _ENOSPC else Reason.STORAGE_FAILED
        raise StorageError(
            "emergency folder", error.strerror or "cannot be written", reason=reason
        ) from error
    finally:
        if writer is not None:
            writer.give_up()


class Copy:
    """A copy that verified; its file stays open."""

    def __init__(self, file: BinaryIO, path: Path, manifest: Manifest) -> None:
        self._file, self.path, self.manifest = file, path, manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def section(self, one: Section) -> bytes:
        """Read one sealed section.

        Raises:
            VaultError: ``EMERGENCY_COPY_BROKEN``; it is not what was signed.
        """
        self._file.seek(one.at)
        raw = self._file.read(one.length)
        if len(raw) != one.length or hashlib.sha256(raw).hexdigest() != one.sha256:
            raise _broken(f"section at {one.at}", "is not what was signed")
        return raw


def open_copy(path: Path, trust: Trust) -> Copy:
    """Open a copy: the keeper's signature over the manifest, the checkpoint's, and the witness's.

    Raises:
        VaultError: ``EMERGENCY_COPY_BROKEN``: not a copy, changed, of another site, or of another key.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise VaultError(path.name, "cannot be read", reason=Reason.NOT_FOUND) from error
    try:
        return Copy(file, path, _manifest(file, trust))
    except BaseException:
        file.close()
        raise


def _manifest(file: BinaryIO, trust: Trust) -> Manifest:
    size = file.seek(0, os.SEEK_END)
    tail = _LENGTH.size + len(MAGIC)
    if size < len(MAGIC) + tail:
        raise _broken("file", "is not a whole copy")
    file.seek(0)
    head = file.read(len(MAGIC))
    file.seek(size - tail)
    end = file.read(tail)
    (length,) = _LENGTH.unpack(end[: _LENGTH.size])
    if (
        head != MAGIC
        or end[_LENGTH.size :] != MAGIC
        or length > min(MANIFEST_BYTES_MAX, size - tail - len(MAGIC))
    ):
        raise _broken("file", "is not a whole copy")
    file.seek(size - tail - length)
    try:
        said = orjson.loads(file.read(length))
        body, signature = (base64.b64decode(said[name], validate=True) for name in ("body", "signature"))
        table = orjson.loads(body)
        document = Document(trust.site, KIND, table["run"], table["generation"], body, signature)
        verify(document, trust.authority)
        manifest = _read(table)
        _check(manifest, trust, size - tail - length)
    except (ValueError, KeyError, TypeError) as error:
        raise _broken("manifest", "is not of that form") from error
    except AuthorityError as error:
        raise _broken("manifest", f"does not verify: {error.where}") from error
    return manifest


def _read(table: dict[str, Any]) -> Manifest:
    sections = tuple(Section(**one) for one in table.pop("sections"))
    return Manifest(**table, sections=sections)


def _check(manifest: Manifest, trust: Trust, end: int) -> None:
    """See that a manifest is of this site and key, that its checkpoint is signed, and that its sections follow each other."""
    if manifest.site != trust.site or manifest.key != trust.key_id:
        raise _broken("manifest", "is of another site or another key")
    text, signatures = note.split(manifest.checkpoint, "checkpoint")
    checkpoint.read_note(manifest.checkpoint, [trust.ledger], "checkpoint")
    if trust.witness is not None:
        at_s = note.check_cosignature(text, signatures, trust.witness, "cosignature")
        if at_s != manifest.witnessed_s:
            raise _broken("manifest", "says another time than its witness")
    elif manifest.witnessed_s:
        raise _broken("manifest", "names a witness nobody here knows")
    at = len(MAGIC)
    for one in manifest.sections:
        if one.at != at or not 0 <= one.length <= SECTION_BYTES_MAX:
            raise _broken("manifest", "its sections do not follow each other")
        at += one.length
    if at != end:
        raise _broken("file", "has bytes that nobody signed")


def check_sections(copy: Copy) -> None:
    """Compare every section with its signed digest.

    Raises:
        VaultError: ``EMERGENCY_COPY_BROKEN``.
    """
    for one in copy.manifest.sections:
        copy.section(one)


def digest_of(named: Iterable[tuple[str, str]]) -> str:
    """Digest which messages there are and what lies sealed of each."""
    lines = "".join(f"{message}:{digest}\n" for message, digest in sorted(named))
    return hashlib.sha256(lines.encode()).hexdigest()


def name_of(generation: int) -> str:
    """Name the file of a generation."""
    return f"copy-{generation:08d}.oathward"


def generations(folder: Path) -> dict[int, Path]:
    """List the copies in a folder by number, oldest first; whether they verify is not asked."""
    found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return {number: found[number] for number in sorted(found)}


def _broken(where: str, why: str) -> VaultError:
    return VaultError(f"emergency copy, {where}", why, reason=Reason.EMERGENCY_COPY_BROKEN)
