"""What a function writes of any message of a shape, found out once: its output, with places for what varies.

Rules:
- A function is asked about a *marked* message: where a value varies stands a marker that is found again in what it
  writes. Between the markers every message of the shape has the same.
- A template is believed only if, filled with the values of a real message, it gives what the function itself gives
  of that message.
- What is done to a value on its way (a pseudonym, a hashed id) is noted as a call and done anew each time. What
  gives nothing, or gives back what it was given, is no case for a template: the long way decides.

Deliberately absent: which values vary (``shapes``), and what any function is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import orjson

from oathward.protocols.fhir.message import Verbatim

CALLS_MAX = 32
VALUES_MAX = 90
OUTGOING = "zqoj00joqz"
"""Stands for the id of the outgoing message."""

reserved = re.compile(rb"zq[xco]j|1[78]\d\d-02-03", re.IGNORECASE).search
"""Finds what looks like a marker; a message that has such a thing has no shape."""

_MARK = re.compile(rb"zqxj(\d\d)jxqz|18(\d\d)-02-03|zqoj(00)joqz|zqcj(\d\d)jcqz|17(\d\d)-02-03")

Values = Sequence[bytes]
"""What varies, of one message, in the order of its shape."""
Result = Callable[[str, Any], Any]
"""(value, the caller's context) -> what stands in its place; None where nothing does."""


class UnmarkedError(Exception):
    """A function does not write the same of all messages of a shape."""


class Marked(Verbatim):
    """A number of a marked message: it counts as the number it stands for, and is written as its marker."""

    __slots__ = ()

    @classmethod
    def of(cls, number: int, text: str) -> Marked:
        """Mark a number."""
        self = cls(text)
        self.text = mark(number)
        return self


def mark(number: int) -> str:
    """Give the marker of a text or a number."""
    return f"zqxj{number:02d}jxqz"


def mark_date(number: int, text: str) -> str:
    """Give the marker of a date or a point in time: a day of its own, and the time as it was."""
    return f"18{number:02d}-02-03{text[10:]}"


class Template:
    """Bytes with places for what varies.

    Args:
        text: what was written of the marked message.
        tails: for each value what stands behind its marker and belongs to it: of a date the time.
    """

    __slots__ = ("_parts", "_slots")

    def __init__(self, text: bytes, tails: Values) -> None:
        self._parts: list[bytes] = []
        self._slots: list[tuple[int, int]] = []
        at = 0
        for found in _MARK.finditer(text):
            slot = _slot(found, len(tails))
            self._parts += (text[at : found.start()], b"")
            self._slots.append((len(self._parts) - 1, slot))
            at = found.end()
            if slot < len(tails):
                if not text.startswith(tails[slot], at):
                    raise UnmarkedError
                at += len(tails[slot])
        self._parts.append(text[at:])

    def fill(self, values: Values) -> bytes:
        """Write what a message with these values has."""
        parts = self._parts.copy()
        for place, slot in self._slots:
            parts[place] = values[slot]
        return b"".join(parts)


def _slot(found: re.Match[bytes], count: int) -> int:
    """Give the place of a marker among the values, the outgoing id, and what calls gave."""
    text, date, outgoing, call, dated = found.groups()
    if text or date:
        return int(text or date)
    return count if outgoing else count + 1 + int(call or dated)


class Fate(Enum):
    """What becomes of a value that is asked about."""

    NEW = "new"
    SAME = "same"
    GONE = "gone"


class Call(NamedTuple):
    """Something that is done to a value: what, to which text, and what becomes of it."""

    result: Result
    argument: Template
    fate: Fate


def _fate(found: Any, text: str) -> Fate:
    """Say what became of a value.

    Raises:
        UnmarkedError: it is no text now.
    """
    if found is None or found == "":
        return Fate.GONE
    if found.__class__ is not str:
        raise UnmarkedError
    return Fate.SAME if found == text else Fate.NEW


class Recorder:
    """Notes what is done to the values of a marked message.

    Args:
        tails: see ``Template``.
        values: of the message that the marked one stands for.
        context: that values are asked about with.
    """

    def __init__(self, tails: Values, values: Values, context: object) -> None:
        self.tails = tails
        self.calls: list[Call] = []
        self._values, self._context = values, context
        self._known: dict[tuple[Result, str], str | None] = {}

    def ask(self, result: Result, text: str, *, dated: bool = False) -> str | None:
        """Give what stands in the place of a text, a marker if it is new; the same for the same.

        Raises:
            UnmarkedError: there are too many, or it is no text that stands there.
        """
        if (result, text) in self._known:
            return self._known[result, text]
        number = len(self.calls)
        if number >= CALLS_MAX:
            raise UnmarkedError
        argument = Template(text.encode(), self.tails)
        real = argument.fill(self._values).decode()
        fate = _fate(result(real, self._context), real)
        self.calls.append(Call(result, argument, fate))
        marker = f"17{number:02d}-02-03" if dated else f"zqcj{number:02d}jcqz"
        made = {Fate.NEW: marker, Fate.SAME: text, Fate.GONE: None}[fate]
        self._known[result, text] = made
        return made


class Writing:
    """What a rewriter writes of a shape on one link: a template, and what is done to values on their way.

    Args:
        text: what was written of the marked message.
        recorder: it had.
    """

    __slots__ = ("_calls", "_template")

    def __init__(self, text: bytes, recorder: Recorder) -> None:
        self._template = Template(text, recorder.tails)
        self._calls = recorder.calls

    def fill(self, values: Values, outgoing_id: str, context: object) -> bytes | None:
        """Write what a message with these values has; None where another thing becomes of one of them."""
        made = [*values, outgoing_id.lower().encode()]
        for result, argument, fate in self._calls:
            text = argument.fill(values).decode()
            found = result(text, context)
            if found.__class__ is str and fate is Fate.NEW and found and found != text:
                made.append(orjson.dumps(found)[1:-1])
            elif fate is not Fate.NEW and _fate(found, text) is fate:
                made.append(b"")
            else:
                return None
        return self._template.fill(made)
