"""Write HL7 v2 text, as a device vendor would: its own few lines, not the product's.

Source: HL7 v2.6 chapter 2 (encoding rules, §2.7 escapes), chapter 2A (CX, XPN, TS).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

START, END = b"\x0b", b"\x1c\r"
"""Frame of the minimal lower layer protocol."""

_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\r": "\\X0D\\", "\n": "\\X0A\\"}
)


def text(value: str) -> str:
    """Escape the separators in a value."""
    return value.translate(_ESCAPES)


def components(*values: str) -> str:
    """Join the components of a field, escaped; empty ones at the end are left out."""
    return "^".join(text(value) for value in values).rstrip("^")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write one segment.

    Args:
        name: three letters; for ``MSH`` the fields count from 3, its two separators are the usual ones.
        fields: number -> encoded value; the rest is empty.
    """
    last = max(fields, default=0)
    if name == "MSH":
        return "|".join(["MSH", "^~\\&", *(fields.get(n, "") for n in range(3, last + 1))])
    return "|".join([name, *(fields.get(n, "") for n in range(1, last + 1))])


def message(segments: Iterable[str], charset: str = "utf-8") -> bytes:
    """Encode segments, each ended by a carriage return."""
    return "".join(f"{s}\r" for s in segments).encode(charset, errors="replace")


def stamp(at: datetime) -> str:
    """Write a time to the second with its zone."""
    return at.strftime("%Y%m%d%H%M%S%z")


def stamp_fine(at: datetime) -> str:
    """Write a time to a tenth of a millisecond: HL7's finest."""
    return f"{at:%Y%m%d%H%M%S}.{at.microsecond // 100:04d}"


def frame(body: bytes) -> bytes:
    """Wrap a message for the wire."""
    return START + body + END


def header_field(body: bytes, number: int) -> bytes:
    """Read one MSH field of a message; empty where there is none. The field separator is MSH-1's own."""
    line = body.partition(b"\r")[0]
    if len(line) < 4:
        return b""
    parts = line.split(line[3:4])
    return parts[number - 1] if number - 1 < len(parts) else b""


def answer(body: bytes, code: str, at: datetime, text_message: str = "") -> bytes:
    """Write an acknowledgement of a received message; echoes MSH-10.

    Source: HL7 v2.6 §2.9.2, §2.14.8 (MSA).
    """
    control = header_field(body, 10)
    trigger = header_field(body, 9).split(b"^")[1:2]
    kind = b"ACK^" + trigger[0] if trigger else b"ACK"
    return b"MSH|^~\\&|%s|%s|%s|%s|%s||%s|%s|%s|%s\rMSA|%s|%s|%s\r" % (
        header_field(body, 5), header_field(body, 6), header_field(body, 3), header_field(body, 4),
        at.strftime("%Y%m%d%H%M%S").encode(), kind, b"A" + control[-18:], header_field(body, 11) or b"P",
        header_field(body, 12) or b"2.6", code.encode(), control, text_message.encode(),
    )  # fmt: skip


def tells_born(data: bytes) -> bool:
    """Say whether a message tells when its patient was born, if only the year: PID-7, Patient.birthDate."""
    if data.startswith(b"{"):
        return b'"birthDate"' in data
    born = (line.split(line[3:4])[7:8] for line in data.split(b"\r") if line.startswith(b"PID"))
    return any(born and born[0] for born in born)
