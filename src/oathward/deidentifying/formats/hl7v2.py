"""HL7 v2: one message, several, or a batch (FHS, BHS); in MLLP frames or without."""

from __future__ import annotations

from collections.abc import Iterator

from oathward.core.errors import DecodeError
from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.deid.plan import HL7V2, Plan, compile_plan, shape
from oathward.deid.text.model import Known
from oathward.deidentifying.format import Content, Format, Shaped, Terms, Unit, broken, one_after_another
from oathward.patients.identifiers import Reading
from oathward.patients.split import split
from oathward.protocols.hl7v2.batch import split_batch
from oathward.protocols.hl7v2.escapes import unescape_bytes
from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.hl7v2.told import known_of

_BEGINS = (b"MSH", b"FHS", b"BHS")
_ESCAPE, _USUAL = b"\\", b"^~\\&"
_FRAME = b"\x0b\x1c"
_BYTES_MAX = 256 << 20


def _recognise(head: bytes, _name: str) -> bool:
    return head.lstrip(b"\xef\xbb\xbf\r\n \x0b").startswith(_BEGINS)


def _compile(terms: Terms) -> Plan:
    return compile_plan(terms.profile, CLASSES, HL7V2)


def _read(data: bytes, terms: Terms) -> Content:
    bare = data.translate(None, _FRAME) if _FRAME[:1] in data else data
    return Content([unit for raw in split_batch(bare) for unit in _units(raw, terms)], one_after_another)


def _units(raw: bytes, terms: Terms) -> list[Unit]:
    """Read one message of the file; one that cannot be read is held, the others are not."""
    try:
        return [_unit(decode(part), terms) for part in split(decode(raw))]
    except DecodeError as error:
        return [broken(error)]


def _unit(message: Message, terms: Terms) -> Unit:
    if len(message.segments) == 1:  # a file that was cut off: of a longer one nobody can tell
        raise DecodeError("message", "segments besides MSH", reason=Reason.MESSAGE_UNDECODABLE)
    reading = Reading(message, terms.folder, terms.hasher)
    visits = message.named(b"PV1")
    persons = message.named(b"PID")
    if len(persons) > 1:
        raise DecodeError("PID", "one patient", reason=Reason.PATIENTS_SEVERAL)
    spoken = reading.spoken(message, persons[0], visits[0] if visits else None) if persons else None
    return Unit(
        spoken.persons if spoken else (),
        lambda: Known(known_of(message)),
        lambda plan, seeds: Shaped.of(shape(message, plan, seeds)),
    )


def _texts(data: bytes) -> Iterator[str]:
    """Give what of a file that was written is searched: each message in its character set, and what escapes in it write.

    What is no message any more is searched as it is, in both ways in which one that says nothing is read.
    """
    if data.isascii() and _ESCAPE not in data.replace(_USUAL, b""):
        yield data.decode("ascii")
        return
    try:
        messages = [decode(raw) for raw in split_batch(data)]
    except DecodeError:
        yield data.decode("utf-8", "replace")
        yield data.decode("latin-1")
        return
    for message in messages:
        yield b"\r".join(message.segments).decode(message.charset, "replace")
        written = b"\r".join(unescape_bytes(one, message.separators) for one in message.segments[1:])
        yield written.decode(message.charset, "replace")


FORMAT = Format("hl7v2", ".hl7", _recognise, _compile, _read, _BYTES_MAX, names=b"PID", texts=_texts)
