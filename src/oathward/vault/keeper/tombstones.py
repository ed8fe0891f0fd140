"""What was erased, kept where restoring an old key store cannot lose it.

Rules:
- One line a tombstone in ``trust/tombstones`` of the data folder, signed with the authority key, numbered
  from 1 without gaps; with a witness, the same lines are its to keep.
- A key store that holds fewer than that is an old copy: it must bury what it lacks before it serves.
- A line that does not verify, or a gap, stops the keeper: somebody changed the list.

Deliberately absent: subject ids; a tombstone has a key id and a digest.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from oathward.core.errors import AuthorityError, KeeperError
from oathward.core.reasons import Reason
from oathward.vault.primitives import bind
from oathward.vault.sign import Signer, Verifier, sync_folder


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One erasure: ``key_id`` of the destroyed subject key, ``digest`` of the subject's id."""

    serial: int
    key_id: str
    digest: bytes
    at_us: int
    reason: str


def path_of(data: Path) -> Path:
    """Give the list's file."""
    return data / "trust" / "tombstones"


def line(tombstone: Tombstone, site: str, signer: Signer) -> bytes:
    """Write one signed line."""
    signature = signer.sign(_signed(tombstone, site))
    return (
        orjson.dumps(
            {
                "serial": tombstone.serial,
                "key_id": tombstone.key_id,
                "digest": tombstone.digest.hex(),
                "at_us": tombstone.at_us,
                "reason": tombstone.reason,
                "signature": base64.b64encode(signature).decode(),
            }
        )
        + b"\n"
    )


def publish(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines durably."""
    fresh = not path.exists()
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, b"".join(lines))
        os.fsync(fd)
    finally:
        os.close(fd)
    if fresh:
        sync_folder(path.parent)


def read_list(path: Path, site: str, verifier: Verifier) -> list[Tombstone]:
    """Read and verify the list; a last line that a crash cut short is not one.

    Raises:
        KeeperError: ``SIGNATURE_INVALID``; a line was changed, or one is missing.
    """
    raw = path.read_bytes() if path.exists() else b""
    return parse(raw, site, verifier)


def parse(raw: bytes, site: str, verifier: Verifier) -> list[Tombstone]:
    """Verify lines, numbered from 1 without gaps.

    Raises:
        KeeperError: ``SIGNATURE_INVALID``.
    """
    found: list[Tombstone] = []
    for number, text in enumerate(raw.split(b"\n")[:-1], 1):
        try:
            entry = orjson.loads(text)
            tombstone = Tombstone(
                entry["serial"],
                entry["key_id"],
                bytes.fromhex(entry["digest"]),
                entry["at_us"],
                entry["reason"],
            )
            verifier.verify(base64.b64decode(entry["signature"]), _signed(tombstone, site))
        except (ValueError, KeyError, TypeError, AttributeError, AuthorityError) as error:
            raise _broken(number) from error
        if tombstone.serial != number:
            raise _broken(number)
        found.append(tombstone)
    return found


def mend(path: Path) -> None:
    """Cut off a last line that a crash left unfinished."""
    if not path.exists():
        return
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole != len(raw):
        os.truncate(path, whole)


def _signed(t: Tombstone, site: str) -> bytes:
    return bind("oathward tombstone 1", site, str(t.serial), t.key_id, t.digest.hex(), str(t.at_us), t.reason)


def _broken(number: int) -> KeeperError:
    return KeeperError(
        f"trust/tombstones:{number}", "the list of erasures was changed", reason=Reason.SIGNATURE_INVALID
    )
