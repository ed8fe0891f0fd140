"""Read HL7 v2 messages as byte spans, lazily.

Rules:
- ``decode`` finds the separators, the segments and the character set; a field is split when asked for.
- ``raw`` is what came; ``segments`` is the *view* to work on. The view differs from ``raw`` in terminators
  (CR, LF and CRLF all end a segment; blank ones are dropped) and, only where it must, in form: a character
  set whose bytes hide separators becomes UTF-8 and MSH-18 says so; optional separators that are letters,
  digits or control characters are rewritten as the usual ones. Whoever writes a message writes the view.
- MSH-1 and the component separator are ASCII punctuation; all separators differ; at least component and
  repetition are given. So ``separators`` never holds a letter, digit, CR or control character.
- LF always ends a segment: a text line that would be a segment to a laxer reader is one here.
- One message holds one MSH; ``split_batch`` cuts files and frames with several. A hot caller may ``decode``
  first: for every input that needs cutting it raises BATCH_BROKEN.
- NUL, VT and FS are in no message: the first stands for an undefined separator, the others would break a frame.
- A segment's name is all that stands before its first separator; odd names are kept, nobody knows them.

Deliberately absent: message structure (groups), data types, any judgement of what a field means.

Source: HL7 v2.8.2 §2.5 (delimiters), §2.6 (construction), §2.10.3 (batches), §2.14.9 (MSH).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from oathward.core.errors import DecodeError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.batch import split_batch
from oathward.protocols.hl7v2.charset import UTF_8, settled
from oathward.protocols.hl7v2.escapes import USUAL, Separators, unescape_bytes
from oathward.protocols.hl7v2.limits import LIMITS, Limits, check_sizes
from oathward.protocols.hl7v2.view import (
    declared_charset,
    rewritten,
    separators_of,
    unwrapped,
    usable,
)

__all__ = ["LIMITS", "Limits", "Message", "Separators", "decode", "joined", "render", "split_batch"]


class Message:
    """One decoded message; made only by ``decode``.

    ``raw``: the bytes as they came. ``segments``: the view, without terminators, MSH first; never changed.
    ``charset``: the Python codec of the view. ``header_fields``: item ``n - 1`` is MSH-``n``; never changed.
    """

    __slots__ = ("charset", "header_fields", "raw", "segments", "separators")

    def __init__(
        self, raw: bytes, separators: Separators, segments: list[bytes], charset: str, header: list[bytes]
    ) -> None:
        self.raw = raw
        self.separators = separators
        self.segments = segments
        self.charset = charset
        self.header_fields = header

    def __repr__(self) -> str:
        return f"<Message {self.code}^{self.trigger}, {len(self.segments)} segments>"

    def name(self, i: int) -> bytes:
        """Give the name of segment ``i`` (from 0): what stands before its first field separator."""
        return self.segments[i].partition(_BYTES[self.separators.field])[0]

    def named(self, name: bytes) -> list[bytes]:
        """List the segments of one name, in order."""
        start = name + _BYTES[self.separators.field]
        return [segment for segment in self.segments if segment.startswith(start) or segment == name]

    def fields(self, segment: bytes) -> list[bytes]:
        """Split a segment so that item ``n`` is field ``n`` (item 0 its name); MSH-1 is the separator itself."""
        separator = _BYTES[self.separators.field]
        parts = segment.split(separator)
        if parts[0] in _HEADERS:
            parts.insert(1, separator)
        return parts

    def field(self, segment: bytes, n: int) -> bytes:
        """Give field ``n`` (from 1) with its repetitions, as written; empty where the segment ends before it."""
        separator = _BYTES[self.separators.field]
        parts = segment.split(separator, n + 1)
        if parts[0] in _HEADERS:
            if n == 1:
                return separator
            n -= 1
            parts = segment.split(separator, n + 1)
        return parts[n] if n < len(parts) else b""

    def repetitions(self, field: bytes) -> list[bytes]:
        """Split a field into its repetitions."""
        return field.split(_BYTES[self.separators.repetition])

    def part(self, field: bytes, component: int, subcomponent: int = 0) -> bytes:
        """Give a component (from 1) of one repetition, or its sub-component, as written; empty where absent."""
        pieces = field.split(_BYTES[self.separators.component], component)
        found = pieces[component - 1] if component <= len(pieces) else b""
        if not subcomponent:
            return found
        pieces = found.split(_BYTES[self.separators.subcomponent], subcomponent)
        return pieces[subcomponent - 1] if subcomponent <= len(pieces) else b""

    def text(self, value: bytes) -> Phi[str]:
        """Unescape and decode a value of the view; what an escape sequence cannot mean is replaced."""
        return Phi(unescape_bytes(value, self.separators).decode(self.charset, "replace"))

    def get(self, path: str) -> Phi[str] | None:
        """Read one value: ``PID-3.1``, ``PID-5[2].1``, ``PID-3.4.2``, ``OBX[3]-5``; counts are from 1.

        Without ``[n]`` the first segment and the first repetition are meant; without a component the whole
        repetition, its inner separators kept. None where the message has nothing there. HL7's explicit null
        is the value ``""`` (two quotation marks).

        Raises:
            ValueError: not a path.
        """
        name, occurrence, n, repetition, component, subcomponent = _path(path)
        found = self.named(name)
        if occurrence > len(found):
            return None
        value = self.field(found[occurrence - 1], n)
        if name in _HEADERS and n <= 2:
            return Phi(value.decode(self.charset))
        if repetition > 1 or self.separators.repetition in value:
            pieces = self.repetitions(value)
            value = pieces[repetition - 1] if repetition <= len(pieces) else b""
        if component:
            value = self.part(value, component, subcomponent)
        return self.text(value) if value else None

    @property
    def code(self) -> str:
        """MSH-9.1, e.g. ``ORU``; three upper-case letters or digits, else nothing is a message."""
        return self._type()[0]

    @property
    def trigger(self) -> str:
        """MSH-9.2, e.g. ``R01``; empty where absent or not of this form."""
        return self._type()[1]

    @property
    def structure(self) -> str:
        """MSH-9.3, e.g. ``ORU_R01``; empty where absent or not of this form."""
        return self._type()[2]

    @property
    def version(self) -> str:
        """MSH-12.1, e.g. ``2.6``; empty where absent or not a version."""
        found = self.header(12).partition(_BYTES[self.separators.component])[0]
        return found.decode() if _VERSION(found) else ""

    @property
    def control_id(self) -> bytes:
        """MSH-10 as written."""
        return self.header(10)

    @property
    def sender(self) -> tuple[bytes, bytes]:
        """MSH-3 and MSH-4 as written."""
        return self.header(3), self.header(4)

    @property
    def receiver(self) -> tuple[bytes, bytes]:
        """MSH-5 and MSH-6 as written."""
        return self.header(5), self.header(6)

    def header(self, n: int) -> bytes:
        """Give MSH-``n`` (n from 2) as written, without a new split."""
        return self.header_fields[n - 1] if n <= len(self.header_fields) else b""

    @property
    def has_plain_type(self) -> bool:
        """Whether MSH-9 says a type and nothing else; a name put there would travel as part of the structure."""
        return _is_type(self.header_fields[8], _BYTES[self.separators.component])

    def _type(self) -> tuple[str, str, str]:
        return _type_of(self.header_fields[8], _BYTES[self.separators.component])


def decode(raw: bytes, *, limits: Limits = LIMITS) -> Message:
    """Read one message.

    Raises:
        DecodeError: MESSAGE_EMPTY, HEADER_MISSING, HEADER_INCOMPLETE (no MSH-9.1), SEPARATORS_INVALID,
            CHARSET_UNSUPPORTED, CHARSET_BROKEN, BATCH_BROKEN (several messages), LIMIT_EXCEEDED, VALUE_INVALID
            (NUL, VT or FS).
    """
    if len(raw) > limits.message_bytes_max:
        raise DecodeError(
            "message", f"at most {limits.message_bytes_max} bytes", reason=Reason.LIMIT_EXCEEDED
        )
    view, known = (raw, None) if raw.startswith(b"MSH") else unwrapped(raw)
    segments = _split(view, limits)
    header = segments[0]
    separators = USUAL if header.startswith(b"MSH|^~\\&|") else separators_of(header)
    fields = header.split(_BYTES[separators.field])
    charset = known or declared_charset(fields, separators)
    if not usable(separators):
        check_sizes(view, segments, separators, limits)  # before each part is written anew
    if known or not charset.transparent or not usable(separators):
        view, separators = rewritten(view, charset, separators)
        segments = _split(view, limits)
        fields = segments[0].split(_BYTES[separators.field])
        charset = charset if charset.transparent else UTF_8
    if len(fields) < 9 or not _type_of(fields[8], _BYTES[separators.component])[0]:
        raise DecodeError("MSH-9", "a message code", reason=Reason.HEADER_INCOMPLETE)
    _check(segments, view)
    check_sizes(view, segments, separators, limits)
    codec = charset.codec if view.isascii() else settled(view, charset)
    return Message(raw, separators, segments, codec, fields)


def render(message: Message) -> bytes:
    """Write a message as it came, byte for byte."""
    return message.raw


def joined(segments: Iterable[bytes]) -> bytes:
    """Write segments as one message, each ended by CR.

    Raises:
        ValueError: a segment holds a byte that would end it, or end its frame.
    """
    listed = list(segments)
    data = b"\r".join(listed) + b"\r"
    if data.count(b"\r") != len(listed) or 10 in data or 0 in data or 11 in data or 28 in data:
        raise ValueError("a segment holds a CR, LF, NUL, VT or FS")
    return data


# --- the way in

_BYTES = [bytes([code]) for code in range(256)]
_HEADERS = frozenset((b"MSH", b"FHS", b"BHS"))
_TYPE = (
    re.compile(rb"[A-Z][A-Z0-9]{2}").fullmatch,
    re.compile(rb"[A-Z][A-Z0-9]{2}").fullmatch,
    re.compile(rb"[A-Z][A-Z0-9]{2}(?:_[A-Z0-9]{3})?").fullmatch,
)
"""Forms of MSH-9.1, MSH-9.2 and MSH-9.3. Source: HL7 v2.8.2 §2.16.9 (MSG), tables 0076, 0003, 0354."""

_TYPE_BYTES_MAX = 32
"""Longer ones are not remembered."""
_VERSION = re.compile(rb"[0-9][0-9.]{0,9}").fullmatch
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?")


def _split(view: bytes, limits: Limits) -> list[bytes]:
    if 10 in view:
        view = view.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    if len(view) > limits.segments_max and view.count(b"\r") > limits.segments_max:
        raise DecodeError("message", f"at most {limits.segments_max} segments", reason=Reason.LIMIT_EXCEEDED)
    segments = view.split(b"\r")
    if not segments[-1]:
        segments.pop()
    return [segment for segment in segments if segment] if b"" in segments else segments


def _check(segments: list[bytes], view: bytes) -> None:
    if 0 in view or 11 in view or 28 in view:
        raise DecodeError("message", "no NUL, VT or FS", reason=Reason.VALUE_INVALID)
    # 77 is M: comparing one byte of each is cheaper than a search for three.
    headers = [segment for segment in segments if segment[0] == 77]
    if len(headers) > 1 and sum(segment.startswith(b"MSH") for segment in headers) > 1:
        raise DecodeError("MSH[2]", "one message", reason=Reason.BATCH_BROKEN)
    if segments[-1].startswith((b"BTS", b"FTS")):
        raise DecodeError("message", "one message, not a batch", reason=Reason.BATCH_BROKEN)


@lru_cache(maxsize=256)
def _is_type(msh9: bytes, component: bytes) -> bool:
    code, *others = _type_of(msh9, component)
    given = msh9.split(component)[1:3]
    return bool(code) and all(word.encode() == part for word, part in zip(others, given, strict=False))


def _type_of(msh9: bytes, component: bytes) -> tuple[str, str, str]:
    """Read MSH-9; what is not of the form of its component is empty, so that no value can pose as a type."""
    read = _known_type if len(msh9) <= _TYPE_BYTES_MAX else _known_type.__wrapped__
    return read(msh9, component)


@lru_cache(maxsize=1024)
def _known_type(msh9: bytes, component: bytes) -> tuple[str, str, str]:
    parts = (*msh9.split(component, 3), b"", b"")
    code, trigger, structure = (
        part.decode() if fits(part) else "" for fits, part in zip(_TYPE, parts, strict=False)
    )
    return code, trigger, structure


@lru_cache(maxsize=4096)
def _path(path: str) -> tuple[bytes, int, int, int, int, int]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError("a path is like PID-3.1, PID-5[2].1 or OBX[3]-5")
    name, occurrence, n, repetition, component, subcomponent = match.groups()
    counts = int(occurrence or 1), int(n), int(repetition or 1), int(component or 0), int(subcomponent or 0)
    if not all(counts[:3]) or component == "0" or subcomponent == "0":
        raise ValueError("a path counts from 1")
    return name.encode(), *counts
