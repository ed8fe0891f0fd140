"""Whether whom a worker names stands in the file it was handed: the parent's own look at the bytes.

| what a worker says | is held unless |
|---|---|
| a patient's number | it stands in the file: its runs of ASCII letters and digits, in order, with little between them |
| units that name somebody | there are no more than the file has of what each begins with (``Format.names``): one in an image, none in a text |

Rules:
- Numbers of a file are looked for as a whole; where there are more than ``ALONE_MAX``, or of one more than ``RUNS_MAX`` runs, each run must stand
  somewhere. All of it is linear in the file.
- Bytes are searched as they are, then as escapes of JSON and HL7 v2 and two bytes a character write them. Nothing is parsed: what reads
  foreign structure is the worker.
- A file is read in blocks, never mapped: who shortens it meanwhile must not end the parent.
- What a deflated DICOM file says cannot be searched so: it names one patient, by ``INFLATED_MAX`` numbers.

What this bounds: a worker in a stranger's hands gets seeds and learned words of those alone whose numbers stand in files it is handed.
What it does not: whose those are. A file that says another patient's number is that patient's for all who look.

Deliberately absent: authorities and types, which the site's tables rename.

Source: HL7 v2.8.2 §2.7 (escapes), RFC 8259 §7, DICOM PS3.5 §A.5.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deidentifying.format import HEAD_BYTES, Format

BLOCK_BYTES, OVERLAP_BYTES = 1 << 20, 4_096
INFLATED_MAX = 32
ALONE_MAX = 64
"""Numbers of one file that are looked for one by one; more are looked for together, by their runs."""

RUNS_MAX = 8
"""Of a number that is looked for as a whole; of one that has more each has to stand somewhere: an OID that names a patient."""

_GAP = r"(?s:.{0,24})"
"""What an escape, or a character of another alphabet, takes at most."""

_BEFORE = r"(?:\A|[^A-Za-z0-9])"
_EDGE, _TAG_OR_EDGE = r"(?:\z|[^A-Za-z0-9])", r"(?:\z|[^A-Za-z0-9]|[A-Za-z0-9]\x00)"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_RUN = re.compile(rb"[A-Za-z0-9]+")
_JSON = re.compile(rb"\\(?:u00([0-7][0-9A-Fa-f])|u[0-9A-Fa-f]{4}|[nrtbf])")
_HL7 = re.compile(rb"\\X((?:[0-7][0-9A-Fa-f])+)\\")
_CODECS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-5", "koi8-r", "cp1251", "iso8859-6", "iso8859-7", "iso8859-8",
    "shift_jis", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr", "cp874")  # fmt: skip
"""In which a number may be written that has no ASCII letter or digit."""

Who = Sequence[Sequence[Sequence[Any]]]


def check(source: int, size: int, kind: Format, who: Who) -> None:
    """Pass only what a file can have said.

    Args:
        source: the file, open. who: for each unit its identifiers: value, authority, type, whether it is local.

    Raises:
        DeidentificationError: ``NOT_IN_FILE``.
    """
    wanted = {str(one[0]) for unit in who for one in unit}
    if not wanted:
        return
    naming = sum(map(bool, who))
    if naming > _units_max(source, size, kind, naming):
        raise _not_in_file()
    if kind.name == "dicom" and _DEFLATED in os.pread(source, HEAD_BYTES, 0):
        if len(wanted) > INFLATED_MAX:
            raise _not_in_file()
        return
    for written in (lambda block: block, _unescaped, lambda block: block.replace(b"\0", b"")):
        wanted = _missing(source, size, wanted, written, edged=kind.name != "dicom")
        if not wanted:
            return
    raise _not_in_file()


def _units_max(source: int, size: int, kind: Format, naming: int) -> int:
    """Give how many units a file can have that name somebody, as far as it is asked: ``naming`` do."""
    if kind.names is None:
        return 0
    if not kind.names:
        return 1
    if naming <= 1:
        return naming
    return sum(block.count(kind.names) for block in _blocks(source, size, len(kind.names) - 1))


def _missing(
    source: int, size: int, wanted: set[str], written: Callable[[bytes], bytes], *, edged: bool
) -> set[str]:
    """Give which of some numbers stand nowhere in a file."""
    runs = {value: _RUN.findall(value.encode("ascii", "replace").replace(b"?", b" ")) for value in wanted}
    alone = {value for value in wanted if len(runs[value]) <= RUNS_MAX} if len(wanted) <= ALONE_MAX else set()
    forms = {value: _form(value, runs[value], edged=edged) for value in alone}
    left = {run for value, found in runs.items() if value not in alone for run in found}
    for block in _blocks(source, size, OVERLAP_BYTES):
        text = written(block)
        if left:
            left.difference_update(left.intersection(_RUN.findall(text)))
        forms = {value: form for value, form in forms.items() if not form.search(text)}
        if not left and not forms:
            break
    together = wanted - alone
    return {*forms, *(value for value in together if not runs[value] or not left.isdisjoint(runs[value]))}


def _form(value: str, runs: Sequence[bytes], *, edged: bool) -> Any:
    """Write how a number may stand in a file; ``edged``: none goes on with a letter or digit, as the next tag of DICOM may begin.

    RE2 reads it, in time that is linear in the file: who writes the file chooses the number too.
    """
    if not runs:
        return re.compile(b"|".join(map(re.escape, _ways(value))), re.IGNORECASE)
    import re2  # heavy, and only who has files needs it

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    body = _GAP.join(run.decode("ascii") for run in runs)
    return re2.compile((_BEFORE + body + (_EDGE if edged else _TAG_OR_EDGE)).encode("ascii"), options)


def _ways(value: str) -> list[bytes]:
    """Write a number that has no ASCII letter or digit as files may; JSON's escapes among it."""
    ways = {value.encode("ascii", "backslashreplace")}
    for codec in _CODECS:
        with suppress(UnicodeEncodeError):
            ways.add(value.encode(codec))
    return sorted(ways)


def _unescaped(block: bytes) -> bytes:
    if b"\\" not in block:
        return block
    plain = _HL7.sub(lambda found: bytes.fromhex(found[1].decode()), block)
    return _JSON.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b" ", plain)


def _blocks(source: int, size: int, overlap: int) -> Iterator[bytes]:
    """Read a file in blocks, each with the end of the one before."""
    tail = b""
    for offset in range(0, size, BLOCK_BYTES):
        block = tail + os.pread(source, BLOCK_BYTES, offset)
        yield block
        tail = block[-overlap:] if overlap else b""


def _not_in_file() -> DeidentificationError:
    return DeidentificationError("worker", "the patient of its file", reason=Reason.NOT_IN_FILE)
