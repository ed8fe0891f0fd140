"""Files of agreements and assessments: kept by their SHA-256 in the data folder, never parsed.

Rules:
- A file is whatever somebody gave; nothing of it is read but its bytes, and it is given back only to be saved.
- It is written once, beside, and then put in its place: half a file bears no name.

Deliberately absent: removal; an old agreement is evidence.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

SIZE_BYTES_MAX = 64 * 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}").fullmatch
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,120}").fullmatch


def keep(data: Path, content: bytes) -> str:
    """Keep a file; gives its SHA-256 in hex.

    Args:
        data: the data folder.

    Raises:
        InputError: it is empty or too large.
    """
    if not content or len(content) > SIZE_BYTES_MAX:
        raise InputError("file", f"1 byte to {SIZE_BYTES_MAX >> 20} MiB", reason=Reason.LIMIT_EXCEEDED)
    digest = hashlib.sha256(content).hexdigest()
    folder = data / "governance"
    folder.mkdir(mode=0o750, exist_ok=True)
    place = folder / digest
    if not place.exists():
        beside = folder / f".{digest}.{os.getpid()}"
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(place)
    return digest


def kept(data: Path, digest: str) -> bytes:
    """Give a file back, as it was.

    Raises:
        InputError: ``not-found``; or its bytes are not those of its name any more.
    """
    place = data / "governance" / digest
    if not _DIGEST(digest) or not place.is_file():
        raise InputError("file", "no such file is kept", reason=Reason.NOT_FOUND)
    content = place.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError("file", "was changed on the disk", reason=Reason.CONFLICT)
    return content


def name_of(path: str) -> str:
    """Give a file's own name, without folders; empty where it cannot be shown."""
    name = Path(path).name
    return name if _NAME(name) and name.isprintable() else ""
