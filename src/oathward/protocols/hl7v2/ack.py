"""Write acknowledgements, original and enhanced.

Rules:
- MSH-15 and MSH-16 both empty: original mode, one application answer (AA, AE, AR). Either valued: enhanced
  mode, an accept answer (CA, CE, CR) as MSH-15 says and an application answer as MSH-16 says; an empty one
  of the two means NE.
- The answer speaks the sender's separators, version and processing id, and swaps sender and receiver.
- Fields of the sender are echoed only as far as they are one field of printable bytes of bounded length:
  an answer can never be longer, or have more segments, than this module writes.
- A refusal carries its reason code: ERR-3 (table 0357) and ERR-5 from 2.5, MSA-3 before.
- An answer names places and codes, never a value from the message, but for the echoed header fields.

Deliberately absent: when to answer (``gateway``), batch answers (each message of a batch gets its own).

Source: HL7 v2.8.2 §2.9 (processing rules), §2.14.8 (MSA), §2.14.5 (ERR), tables 0008, 0155, 0357, 0516.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.escapes import USUAL, Separators, escape_bytes
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.hl7v2.view import separators_of, usable

_CONDITIONS = frozenset(("AL", "NE", "ER", "SU"))
_CODES = frozenset(("AA", "AE", "AR", "CA", "CE", "CR"))
_GOOD = frozenset(("AA", "CA"))
_CONDITION_BYTES_MAX = 16
_REMEMBERED_BYTES_MAX = 2_000
# HD is at most 227 characters, MSH-10 at most 199.
_LINE_ENDS = re.compile(rb"[\r\n]")
_ECHO: Callable[[bytes], object | None] = re.compile(rb"[^\x00-\x1f\x7f]{0,250}").fullmatch


@dataclass(frozen=True, slots=True)
class Mode:
    """What answers a sender wants; ``accept`` and ``application`` are conditions of table 0155."""

    enhanced: bool
    accept: str
    application: str

    def wants_accept(self, *, good: bool) -> bool:
        """Say whether to send CA (``good``), CE or CR."""
        return self.enhanced and _wanted(self.accept, good=good)

    def wants_application(self, *, good: bool) -> bool:
        """Say whether to send AA (``good``), AE or AR."""
        return _wanted(self.application, good=good)

    def code(self, reason: Reason | None) -> str:
        """Give the code of the first answer: accept in enhanced mode, else application; ``None`` is good."""
        answer = "AA" if reason is None else reason.answer.hl7
        return f"C{answer[1]}" if self.enhanced else answer


ORIGINAL = Mode(enhanced=False, accept="NE", application="AL")


def mode(message: Message) -> Mode:
    """Read MSH-15 and MSH-16; a word that is no condition of table 0155 counts as AL."""
    return _mode(message.header(15)[:_CONDITION_BYTES_MAX], message.header(16)[:_CONDITION_BYTES_MAX])


def acknowledge(
    source: Message | bytes, code: str, *, now: datetime, control_id: str, reason: Reason | None = None
) -> bytes:
    """Write one acknowledgement message, unframed.

    Args:
        source: what is answered; raw bytes where it could not be decoded, and then its header is echoed as
            far as it can be read.
        code: AA, AE, AR, CA, CE or CR.
        now: aware; becomes MSH-7.
        control_id: ours, becomes MSH-10; letters, digits, ``-`` and ``.``.
        reason: why, where the code is not good.

    Raises:
        ValueError: an unknown code.
    """
    if code not in _CODES:
        raise ValueError("AA, AE, AR, CA, CE or CR")
    separators, header = _header(source)
    if len(header) < 18:
        header = header + [b""] * (18 - len(header))
    sender = (*header[2:6], header[8], header[10], header[11], header[17])
    write = _pieces if sum(map(len, sender)) <= _REMEMBERED_BYTES_MAX else _pieces.__wrapped__
    start, kind, middle, end = write(separators, code, reason, sender)
    ours = escape_bytes(control_id.encode(), separators)
    return b"".join((start, _time(int(now.timestamp())), kind, ours, middle, _echo(header[9]), end))


@lru_cache(maxsize=4096)
def _pieces(
    separators: Separators, code: str, reason: Reason | None, sender: tuple[bytes, ...]
) -> tuple[bytes, bytes, bytes, bytes]:
    """Write what stands before MSH-7, MSH-10, MSA-2 and after it; the same for all messages of one sender."""
    app, facility, to_app, to_facility, msh9, processing, version, charset = map(_echo, sender)
    field = bytes([separators.field])
    start = [b"MSH", _mark(separators), to_app, to_facility, app, facility, b""]
    kind = [b"", b"", _ack_type(msh9, version, separators), b""]
    middle = [b"", processing or b"P", version or b"2.5", *([b""] * 5 + [charset] if charset else [])]
    asked = [b"MSA", code.encode(), b""]
    end = b"\r"
    if reason is not None and code not in _GOOD:
        if _since_2_5(version):
            end = b"\r" + field.join(_err(reason, separators)) + b"\r"
        else:
            end = field + escape_bytes(reason.code.encode(), separators) + b"\r"
    return field.join(start), field.join(kind), field.join(middle) + b"\r" + field.join(asked), end


def _header(source: Message | bytes) -> tuple[Separators, list[bytes]]:
    """Give the separators and the header's fields (item n-1 is MSH-n); what can be found of a broken one."""
    if isinstance(source, Message):
        return source.separators, source.header_fields
    header = _LINE_ENDS.split(source[:4096].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"), maxsplit=1)[0]
    if not header.startswith(b"MSH"):
        return USUAL, []
    try:
        separators = separators_of(header)
    except DecodeError:
        return USUAL, []
    if not usable(separators):
        return USUAL, []
    return separators, header.split(bytes([separators.field]))


def _echo(value: bytes) -> bytes:
    return value if _ECHO(value) else b""


def _mark(separators: Separators) -> bytes:
    codes = (separators.component, separators.repetition, separators.escape, separators.subcomponent)
    return bytes(code for code in (*codes, separators.truncation or 0) if code)


def _ack_type(msh9: bytes, version: bytes, separators: Separators) -> bytes:
    """Give MSH-9: ACK, the trigger where there is one, and the structure from 2.3.1."""
    component = bytes([separators.component])
    trigger = [*msh9.split(component), b""][1]
    if not trigger.isalnum() or len(trigger) > 8:
        return b"ACK"
    parts = [b"ACK", trigger]
    if version.split(component)[0] not in _WITHOUT_STRUCTURE:
        parts.append(b"ACK")
    return component.join(parts)


_WITHOUT_STRUCTURE = frozenset((b"2.1", b"2.2", b"2.3"))


def _since_2_5(version: bytes) -> bool:
    return not version.startswith((b"2.1", b"2.2", b"2.3", b"2.4"))


def _err(reason: Reason, separators: Separators) -> list[bytes]:
    component = bytes([separators.component])
    code = escape_bytes(reason.code.encode(), separators)
    number = reason.answer.hl7_error.encode()
    error = component.join((number, _TEXTS.get(number, b"Application error"), b"HL70357"))
    return [b"ERR", b"", b"", error, b"E", component.join((code, b"", b"99OATHWARD"))]


_TEXTS = {
    b"100": b"Segment sequence error", b"101": b"Required field missing", b"102": b"Data type error",
    b"200": b"Unsupported message type", b"204": b"Unknown key identifier", b"205": b"Duplicate key identifier",
    b"207": b"Application internal error",
}  # fmt: skip


def _wanted(condition: str, *, good: bool) -> bool:
    return condition in ("AL", "SU" if good else "ER")


@lru_cache(maxsize=64)
def _mode(accept: bytes, application: bytes) -> Mode:
    if not accept and not application:
        return ORIGINAL
    return Mode(enhanced=True, accept=_condition(accept), application=_condition(application))


def _condition(word: bytes) -> str:
    text = word.decode("ascii", "replace").strip().upper()
    return text if text in _CONDITIONS else "AL" if text else "NE"


@lru_cache(maxsize=4)
def _time(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S+0000").encode()
