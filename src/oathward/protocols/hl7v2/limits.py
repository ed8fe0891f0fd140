"""What one message may be, by size: so what anyone spends on a message is bounded before it is spent.

Rules:
- Counted on bytes, before a field is split; a short message is not even counted.
- Every real message of the corpus has less than a tenth of each.
- ``effort`` weighs a frame before anybody looks into it: what is heavy need not hold up what is light.

Deliberately absent: what is in a field, but for the samples of a waveform, which are many and one.
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.escapes import ABSENT, Separators


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may be: what it takes to judge one is in proportion to these.

    ``parts``: repetitions, components and sub-components. The samples of an OBX-5 whose OBX-2 is NM, NA or MA
    count neither as repetitions nor as parts: a waveform may have any number, they are judged as one.
    ``patients_max``: segments whose name begins with PID; each is decided, sealed and stored on its own.
    ``uncounted_bytes_max``: in so short a message only segments and patients are counted; it cannot hold much else.
    """

    message_bytes_max: int = 16_777_216
    segments_max: int = 2_000
    fields_per_segment_max: int = 1_000
    fields_per_message_max: int = 20_000
    repetitions_per_field_max: int = 1_000
    parts_per_message_max: int = 20_000
    uncounted_bytes_max: int = 4_096
    patients_max: int = 200


LIMITS = Limits()

_ARRAYS = frozenset((b"NM", b"NA", b"MA"))


_FIELD_BYTES, _PART_BYTES, _LINE_BYTES, _PATIENT_BYTES = 4, 4, 64, 16_384
"""What a mark costs at worst, in bytes of text, of which a million take about a second: a field or part some
microseconds, a segment or repetition up to 70, a further patient nobody knew ten thousand. A result with a
hundred OBX weighs 27,000."""


def effort(raw: bytes) -> int:
    """Weigh a frame, in bytes of plain text: its size, and more for each field, part, segment and further patient.

    An upper bound of the order of the work, whatever the frame is; a stranger's separators count at least as bytes.
    """
    field = raw[3:4] if raw.startswith(b"MSH") else b"|"
    lines = raw.count(b"\r") + raw.count(b"\n") + raw.count(raw[5:6] or b"~")
    return (
        len(raw)
        + _FIELD_BYTES * raw.count(field)
        + _PART_BYTES * raw.count(raw[4:5] or b"^")
        + _LINE_BYTES * lines
        + _PATIENT_BYTES * max(0, raw.count(b"PID" + field) - 1)
    )


def check_sizes(view: bytes, segments: list[bytes], separators: Separators, limits: Limits) -> None:
    """Refuse a message with more fields, repetitions or parts than ``limits`` has.

    Args:
        view: the whole; ``segments`` are its lines.

    Raises:
        DecodeError: LIMIT_EXCEEDED.
    """
    if view.count(b"PID") > limits.patients_max:
        _check_patients(segments, limits.patients_max)
    if len(view) <= limits.uncounted_bytes_max:
        return
    field, repetition = bytes([separators.field]), bytes([separators.repetition])
    inner = [bytes([mark]) for mark in (separators.component, separators.subcomponent) if mark != ABSENT]
    fields, repetitions = view.count(field), view.count(repetition)
    if fields > limits.fields_per_message_max:
        raise _exceeded("message", limits.fields_per_message_max, "fields")
    if fields > limits.fields_per_segment_max:
        _check_fields(segments, field, limits.fields_per_segment_max)
    parts = repetitions + sum(map(view.count, inner))
    if repetitions > limits.repetitions_per_field_max or parts > limits.parts_per_message_max:
        _check_parts(segments, field, repetition, inner, limits)


def _check_patients(segments: list[bytes], most: int) -> None:
    if sum(segment.startswith(b"PID") for segment in segments) > most:
        raise _exceeded("message", most, "patients")


def _check_fields(segments: list[bytes], field: bytes, most: int) -> None:
    for i, segment in enumerate(segments, 1):
        if segment.count(field) > most:
            raise _exceeded(f"segment {i}", most, "fields")


def _check_parts(
    segments: list[bytes], field: bytes, repetition: bytes, inner: list[bytes], limits: Limits
) -> None:
    most, parts = limits.repetitions_per_field_max, 0
    for i, whole in enumerate(segments, 1):
        segment = _without_samples(whole, field) if whole.startswith(b"OBX") else whole
        repetitions = segment.count(repetition)
        if repetitions > most and max(value.count(repetition) for value in segment.split(field)) > most:
            raise _exceeded(f"segment {i}", most, "repetitions in a field")
        parts += repetitions + sum(map(segment.count, inner))
    if parts > limits.parts_per_message_max:
        raise _exceeded("message", limits.parts_per_message_max, "repetitions and components")


def _without_samples(segment: bytes, field: bytes) -> bytes:
    values = segment.split(field, 6)
    if len(values) > 5 and values[2] in _ARRAYS:
        values[5] = b""
    return field.join(values)


def _exceeded(where: str, most: int, what: str) -> DecodeError:
    return DecodeError(where, f"at most {most} {what}", reason=Reason.LIMIT_EXCEEDED)
