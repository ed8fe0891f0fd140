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
from dataclasses import dataclass
from functools import lru_cache

from oathward.core.errors import DecodeError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.charset import (
    UTF_8,
    UTF_8_NAME,
    Charset,
    charset_of,
    settled,
    text_of,
    unmarked,
)
from oathward.protocols.hl7v2.escapes import ABSENT, USUAL, Separators, escape_bytes, unescape_bytes

__all__ = ["LIMITS", "Limits", "Message", "Separators", "decode", "joined", "render", "split_batch"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may be."""

    message_bytes_max: int = 16_777_216
    segments_max: int = 50_000
    fields_per_segment_max: int = 4_096
    messages_per_batch_max: int = 10_000


LIMITS = Limits()


class Message:
    """One decoded message; made only by ``decode``.

    ``raw``: the bytes as they came. ``segments``: the view, without terminators, MSH first; never changed.
    ``charset``: the Python codec of the view.
    """

    __slots__ = ("_header", "charset", "raw", "segments", "separators")

    def __init__(
        self, raw: bytes, separators: Separators, segments: list[bytes], charset: str, header: list[bytes]
    ) -> None:
        self.raw = raw
        self.separators = separators
        self.segments = segments
        self.charset = charset
        self._header = header

    def __repr__(self) -> str:
        return f"<Message {self.code}^{self.trigger}, {len(self.segments)} segments>"

    def name(self, i: int) -> bytes:
        """Give the name of segment ``i`` (from 0): what stands before its first field separator."""
        segment = self.segments[i]
        if len(segment) == 3 or segment[3:4] == _BYTES[self.separators.field]:
            return segment[:3]
        return segment.partition(_BYTES[self.separators.field])[0]

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
        """MSH-9.1, e.g. ``ORU``."""
        return self._type()[0]

    @property
    def trigger(self) -> str:
        """MSH-9.2, e.g. ``R01``; empty where absent or not a code."""
        return self._type()[1]

    @property
    def structure(self) -> str:
        """MSH-9.3, e.g. ``ORU_R01``; empty where absent or not a code."""
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
        return self._header[n - 1] if n <= len(self._header) else b""

    def _type(self) -> tuple[str, str, str]:
        return _type_of(self._header[8], _BYTES[self.separators.component])


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
    view, known = (raw, None) if raw.startswith(b"MSH") else _start(raw)
    header = _first(view)
    separators = USUAL if header.startswith(b"MSH|^~\\&|") else _separators(header)
    fields = header.split(_BYTES[separators.field])
    charset = known or _charset(fields, separators)
    if not charset.transparent or not _usable(separators):
        view, separators = _rewritten(view, charset, separators, fields)
        fields = _first(view).split(_BYTES[separators.field])
        charset = UTF_8 if not charset.transparent else charset
    segments = _segments(view, separators, limits)
    if len(fields) < 9 or not _type_of(fields[8], _BYTES[separators.component])[0]:
        raise DecodeError("MSH-9", "a message code", reason=Reason.HEADER_INCOMPLETE)
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


def split_batch(raw: bytes, *, limits: Limits = LIMITS) -> list[bytes]:
    """Cut a frame or file into its messages, byte for byte; a plain message gives ``[raw]``.

    A batch with a header needs its trailer, and counts in trailers (FTS-1, BTS-1) must agree: a file that
    was cut off is not half a file.

    Raises:
        DecodeError: BATCH_BROKEN, LIMIT_EXCEEDED.
    """
    marks = [(m.start(1), m[1]) for m in _BOUNDARY.finditer(raw)] if _may_be_batch(raw) else []
    if len(marks) < 2 and (not marks or marks[0][1] == b"MSH"):
        return [raw]
    messages: list[bytes] = []
    counts: dict[bytes, int] = {}
    for (start, name), end in zip(marks, [start for start, _ in marks[1:]] + [len(raw)], strict=True):
        if name == b"MSH":
            messages.append(raw[start:end])
            counts[b"messages"] = counts.get(b"messages", 0) + 1
            continue
        _check_batch_segment(name, raw[start:end], counts)
    if b"FHS" in counts or b"BHS" in counts:
        raise DecodeError("batch", "a trailer for each header", reason=Reason.BATCH_BROKEN)
    if len(messages) > limits.messages_per_batch_max:
        raise DecodeError(
            "batch", f"at most {limits.messages_per_batch_max} messages", reason=Reason.LIMIT_EXCEEDED
        )
    return messages


# --- the way in

_BYTES = [bytes([code]) for code in range(256)]
_HEADERS = frozenset((b"MSH", b"FHS", b"BHS"))
_PUNCTUATION = frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_LINE_ENDS = re.compile(rb"[\r\n]")
_BOUNDARY = re.compile(rb"(?:\A|(?<=[\r\n]))(?:\xef\xbb\xbf)?(MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_CODE = re.compile(rb"[A-Za-z0-9_]{1,20}").fullmatch
_VERSION = re.compile(rb"[0-9][0-9.]{0,9}").fullmatch
_PATH = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?")


def _start(raw: bytes) -> tuple[bytes, Charset | None]:
    view, known = unmarked(raw)
    view = view.lstrip(b"\r\n")
    if not view:
        raise DecodeError("message", "some bytes", reason=Reason.MESSAGE_EMPTY)
    if view.startswith((b"FHS", b"BHS")):
        raise DecodeError("message", "one message, not a batch", reason=Reason.BATCH_BROKEN)
    if not view.startswith(b"MSH"):
        raise DecodeError("message", "MSH first", reason=Reason.HEADER_MISSING)
    return view, known


def _first(view: bytes) -> bytes:
    end = view.find(b"\r")
    header = view if end < 0 else view[:end]
    return header if 10 not in header else header[: header.index(b"\n")]


def _segments(view: bytes, separators: Separators, limits: Limits) -> list[bytes]:
    if 10 in view:
        view = view.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    if 0 in view or 11 in view or 28 in view:
        raise DecodeError("message", "no NUL, VT or FS", reason=Reason.VALUE_INVALID)
    if len(view) > limits.segments_max and view.count(b"\r") > limits.segments_max:
        raise DecodeError("message", f"at most {limits.segments_max} segments", reason=Reason.LIMIT_EXCEEDED)
    segments = view.split(b"\r")
    if not segments[-1]:
        segments.pop()
    if b"" in segments:
        segments = [segment for segment in segments if segment]
    # 77 is M: comparing one byte of each is cheaper than a search for three.
    headers = [segment for segment in segments if segment[0] == 77]
    if len(headers) > 1 and sum(segment.startswith(b"MSH") for segment in headers) > 1:
        raise DecodeError("MSH[2]", "one message", reason=Reason.BATCH_BROKEN)
    if segments[-1].startswith((b"BTS", b"FTS")):
        raise DecodeError("message", "one message, not a batch", reason=Reason.BATCH_BROKEN)
    if len(view) > limits.fields_per_segment_max:
        _check_fields(segments, _BYTES[separators.field], limits.fields_per_segment_max)
    return segments


def _check_fields(segments: list[bytes], separator: bytes, most: int) -> None:
    for i, segment in enumerate(segments, 1):
        if len(segment) > most and segment.count(separator) > most:
            raise DecodeError(f"segment {i}", f"at most {most} fields", reason=Reason.LIMIT_EXCEEDED)


def _separators(header: bytes) -> Separators:
    end = header.find(header[3:4], 4, 12) if len(header) > 3 else -1
    return _defined(header[3 : end if end >= 0 else 12])


@lru_cache(maxsize=256)
def _defined(given: bytes) -> Separators:
    """Read MSH-1 and MSH-2; ``given`` is both, without what ends MSH-2."""
    bad = DecodeError("MSH-2", "different punctuation characters", reason=Reason.SEPARATORS_INVALID)
    if not 3 <= len(given) <= 6 or len(set(given)) < len(given) or not given.isascii():
        raise bad
    if given[0] not in _PUNCTUATION or given[1] not in _PUNCTUATION:
        raise bad
    if any(code in b"\x00\t\n\x0b\x0c\r\x1c " or 65 <= code & ~32 <= 90 for code in given):
        raise bad
    return Separators(*given)


def _usable(separators: Separators) -> bool:
    return separators is USUAL or all(
        code in _PUNCTUATION
        for code in (separators.repetition, separators.escape, separators.subcomponent, separators.truncation)
        if code
    )


def _charset(fields: list[bytes], separators: Separators) -> Charset:
    named = fields[17] if len(fields) > 17 else b""
    if named and not b"".join(fields).isascii():
        # Trail bytes of BIG-5 and GB 18030 may look like separators and shift the header's fields.
        named = next((field for field in fields[17:] if field in _SHIFTING), named)
    return charset_of(named, separators.repetition)


_SHIFTING = frozenset((b"BIG-5", b"BIG5", b"GB 18030-2000", b"GB18030"))


def _rewritten(
    view: bytes, charset: Charset, separators: Separators, fields: list[bytes]
) -> tuple[bytes, Separators]:
    """Give a view in UTF-8 with separators that are punctuation, saying so in MSH-2 and MSH-18."""
    if not charset.transparent:
        view = text_of(view, charset).encode()
        header = _first(view)
        fields = header.split(_BYTES[separators.field])
        if len(fields) < 18 or charset_of(fields[17], separators.repetition) != charset:
            raise DecodeError("MSH-18", "the same in its own character set", reason=Reason.CHARSET_BROKEN)
        fields[17] = UTF_8_NAME
        view = _BYTES[separators.field].join(fields) + view[len(header) :]
    if _usable(separators):
        return view, separators
    usual = Separators(separators.field, separators.component, *_substitutes(separators))
    lines = [_retold(line, separators, usual) for line in _LINE_ENDS.split(view)]
    start = 4 + view[4:].find(_BYTES[separators.field])
    mark = bytes(
        code for code in (usual.component, usual.repetition, usual.escape, usual.subcomponent) if code
    )
    lines[0] = view[:4] + mark + _retold(_first(view)[start:], separators, usual)
    return b"\r".join(lines), usual


def _substitutes(separators: Separators) -> tuple[int, int, int]:
    """Pick repetition, escape and sub-component characters that are punctuation and not yet taken."""
    taken = {separators.field, separators.component}
    chosen = []
    for wanted in b"~\\&":
        code = next(code for code in (wanted, *b"~\\&#@%$") if code not in taken)
        taken.add(code)
        chosen.append(code)
    return chosen[0], chosen[1], chosen[2]


def _retold(line: bytes, old: Separators, new: Separators) -> bytes:
    """Write one line's fields with other separators, escaping what became one."""
    pairs = [(old.field, new.field), (old.repetition, new.repetition), (old.component, new.component)]
    pairs += [(old.subcomponent, new.subcomponent)] if old.subcomponent != ABSENT else []

    def inner(value: bytes, level: int) -> bytes:
        if level == len(pairs):
            return escape_bytes(unescape_bytes(value, old), new)
        before, after = pairs[level]
        return _BYTES[after].join(inner(piece, level + 1) for piece in value.split(_BYTES[before]))

    return inner(line, 0)


@lru_cache(maxsize=1024)
def _type_of(msh9: bytes, component: bytes) -> tuple[str, str, str]:
    parts = [part.decode() if _CODE(part) else "" for part in msh9.split(component, 3)]
    return parts[0], parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else ""


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


# --- batches


def _may_be_batch(raw: bytes) -> bool:
    if not raw.startswith(b"MSH") or 10 in raw:
        return True
    last = raw.rfind(b"\r", 0, -1) + 1
    return raw.find(b"\rMSH") >= 0 or raw.startswith((b"BTS", b"FTS"), last)


def _check_batch_segment(name: bytes, span: bytes, counts: dict[bytes, int]) -> None:
    """Follow headers and trailers; ``counts`` holds the open ones and the messages and batches seen in them."""
    bad = DecodeError(name.decode(), "headers, messages and trailers in order", reason=Reason.BATCH_BROKEN)
    lines = [line for line in _LINE_ENDS.split(span) if line]
    if len(lines) != 1 or (name in counts and name in _HEADERS):
        raise bad
    if name in _HEADERS:
        counts[name] = 1
        counts[b"messages" if name == b"BHS" else b"batches"] = 0
        return
    opened, counted = (b"BHS", b"messages") if name == b"BTS" else (b"FHS", b"batches")
    stated = lines[0][4:].split(lines[0][3:4] or b"|")[0].strip()
    if opened not in counts or (stated.isdigit() and int(stated) != counts.get(counted, 0)):
        raise bad
    del counts[opened]
    counts[counted] = 0
    if name == b"BTS":
        counts[b"batches"] = counts.get(b"batches", 0) + 1
