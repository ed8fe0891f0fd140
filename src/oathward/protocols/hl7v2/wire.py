"""How one message writes values, and one rewriting of it: values transformed, escaped, counted.

Rules:
- A value that a transform gives is escaped; one that it does not give is noted in ``Run.lost``.
- A free text is given as a receiver shows it, and written with its line breaks.

Deliberately absent: segments and fields (``edits``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from oathward.protocols.hl7v2.escapes import USUAL, Separators, escape_bytes, unescape_bytes
from oathward.protocols.shaping import Texts, Transform

NULL = b'""'
CONTROL_ID_INDEX = 9
"""Where MSH-10 stands after a split."""


class Wire(NamedTuple):
    """How this message writes values."""

    separators: Separators
    escape: int
    charset: str
    field: bytes
    repetition: bytes
    component: bytes
    subcomponent: bytes


def wire_of(separators: Separators, charset: str) -> Wire:
    """Prepare the separators and the character set of a message for writing."""
    return _usual_wire(charset) if separators is USUAL else _wire(separators, charset)


@lru_cache(maxsize=256)
def _wire(separators: Separators, charset: str) -> Wire:
    marks = (separators.field, separators.repetition, separators.component, separators.subcomponent)
    return Wire(separators, separators.escape, charset, *(bytes([mark]) for mark in marks))


@lru_cache(maxsize=64)
def _usual_wire(charset: str) -> Wire:
    """Spare hashing the separators, which costs more than the look-up."""
    return _wire(USUAL, charset)


class Run:
    """One rewriting: the caller's context, the new control id, and what transforms gave up."""

    __slots__ = ("context", "control_id", "lost", "wire")

    def __init__(self, wire: Wire, context: object, control_id: bytes) -> None:
        self.wire = wire
        self.context = context
        self.control_id = control_id
        self.lost: list[str] = []

    def apply(self, transform: Transform, value: bytes, cls: str) -> bytes:
        """Transform one value as written."""
        if not value or value == NULL:
            return value
        wire = self.wire
        if isinstance(transform, Texts):
            return self._cleaned(transform, value, cls)
        if wire.escape in value:
            value = unescape_bytes(value, wire.separators)
        found = transform(value.decode(wire.charset, "replace"), self.context)
        if not found:
            self.lost.append(cls)
            return b""
        written = found.encode(wire.charset, "replace")
        return written if written.isalnum() else escape_bytes(written, wire.separators)

    def _cleaned(self, transform: Texts, value: bytes, cls: str) -> bytes:
        """Clean a free text; its line breaks are written as such, other formatting goes with what it formatted."""
        wire = self.wire
        text = text_of(value, wire.separators, wire.charset)
        found = transform(text, self.context)
        if not found:
            self.lost.append(cls)
            return b""
        if found == text:
            return value
        lines = found.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        escaped = [escape_bytes(line.encode(wire.charset, "replace"), wire.separators) for line in lines]
        mark = bytes([wire.escape]) if wire.escape else b""
        return (mark + b".br" + mark if mark else b" ").join(escaped)


_FORMATTING = re.compile(r"[.](?:in|ti|fi|nf|ce|sk|sp|br)[+-]?[0-9]{0,4}", re.IGNORECASE)


def text_of(value: bytes, separators: Separators, charset: str) -> str:
    """Give a free text as a receiver shows it: escapes undone, formatting commands as line breaks.

    Source: HL7 v2.8.2 §2.7.6 (formatted text).
    """
    text = unescape_bytes(value, separators).decode(charset, "replace")
    mark = chr(separators.escape)
    if not separators.escape or mark + "." not in text:
        return text
    return re.sub(f"{re.escape(mark)}{_FORMATTING.pattern}{re.escape(mark)}", "\n", text, flags=re.IGNORECASE)
