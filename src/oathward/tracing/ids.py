"""Which ids of what was released say where it came from: those of deliveries, and keyed names of files; found as text, nothing is parsed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

WORDS_MAX = 16
"""Ids of deliveries looked for at once."""
NAMES_MAX = 1_000
FILE_BYTES_MAX = 64 << 20

_OUTGOING = re.compile(r"([0-9A-Fa-f]{20})(?:-.*)?", re.DOTALL)
"""The id of a delivery, alone or as what an id of FHIR begins with."""
_NAME = re.compile(r"(?:.*/)?([A-Za-z2-7]{16})(?:\d*-.*|\d*|\.[a-z0-9]+)", re.DOTALL)
"""The keyed name of a file, alone, with its suffix and folder, or as what an id in it begins with."""
_IN_BYTES = re.compile(rb"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{20}|[A-Z2-7]{16}|[a-z2-7]{16})(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Asked:
    """Ids of deliveries and keyed names of files, among what was asked."""

    outgoing: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def ids_in(texts: Iterable[str]) -> Asked:
    """Tell ids of deliveries and names of files apart.

    Raises:
        InputError: one is neither.
    """
    asked = Asked()
    for text in texts:
        outgoing, name = _OUTGOING.fullmatch(text), _NAME.fullmatch(text)
        if outgoing:
            asked.outgoing.append(outgoing[1].upper())
        elif name:
            asked.names.append(name[1].upper())
        else:
            why = "is no id of a delivery (20 hexadecimal digits) and no name of a file of a job; whose a pseudonym is, is not told here"
            raise InputError("ID", why, reason=Reason.INPUT_INVALID)
    return asked


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would wait for ever


def ids_of_file(path: Path) -> Asked:
    """Find what may be ids in a file that was released: in its name, and in its bytes as they stand. Nothing is parsed.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        with open(path, "rb", opener=_opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError("--file", "is no plain file", reason=Reason.INPUT_INVALID)
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputError("--file", "cannot be read", reason=Reason.NOT_FOUND) from error
    if len(data) > FILE_BYTES_MAX:
        raise InputError("--file", f"at most {FILE_BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    own = _NAME.fullmatch(path.name)
    found = dict.fromkeys([own[1].upper()] if own else [])
    found |= dict.fromkeys(match[0].decode().upper() for match in _IN_BYTES.finditer(data))
    return Asked([one for one in found if len(one) == 20], [one for one in found if len(one) == 16])
