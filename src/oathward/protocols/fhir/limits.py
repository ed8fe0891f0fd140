"""What one FHIR request may be, by size: so what anyone spends on it is bounded before it is spent.

Rules:
- Bytes, objects, arrays and values are counted before the body is parsed; a short body is not even counted.
- Depth is bounded before anything here calls itself.
- Every real bundle of the corpus has less than a quarter of each.
- ``effort`` weighs a request before anybody looks into it: what is heavy need not hold up what is light.

Deliberately absent: how long anything may take; whoever waits knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may be: what it takes to judge one is in proportion to these.

    ``containers_max``: objects and arrays. ``values_max``: commas, those of texts too.
    ``depth_max``: objects within objects. ``number_chars_max``: digits, sign, point and exponent of a number.
    ``head_bytes_max``: method, target and conditions. ``uncounted_bytes_max``: so short a body cannot hold much.
    ``identifiers_max``, ``visits_max``: of one patient, in one message: each is looked for.
    ``repeated_bytes_max``: what a bundle grows by when it is cut; what several patients refer to is in each part.
    ``issues_max``: how many mistakes of one resource are told.
    """

    message_bytes_max: int = 16_777_216
    head_bytes_max: int = 4_096
    containers_max: int = 200_000
    values_max: int = 500_000
    depth_max: int = 48
    entries_max: int = 5_000
    patients_max: int = 200
    identifiers_max: int = 100
    visits_max: int = 2_000
    repeated_bytes_max: int = 4_194_304
    number_chars_max: int = 64
    uncounted_bytes_max: int = 65_536
    issues_max: int = 20


LIMITS = Limits()

_CONTAINER_BYTES, _VALUE_BYTES, _ENTRY_BYTES = 16, 4, 2_048
"""What a mark costs at worst, in bytes of text, of which a million take about a second: an object or array some
microseconds, a further resource of a bundle half a thousand of them in the whole path."""


def effort(raw: bytes) -> int:
    """Weigh a request, in bytes of plain text: its size, and more for each object, array, value and resource.

    An upper bound of the order of the work, whatever the bytes are.
    """
    return (
        len(raw)
        + _CONTAINER_BYTES * (raw.count(b"{") + raw.count(b"["))
        + _VALUE_BYTES * raw.count(b",")
        + _ENTRY_BYTES * max(0, raw.count(b'"resourceType"') - 1)
    )


def check_sizes(body: bytes, limits: Limits) -> None:
    """Refuse a body with more bytes, objects, arrays or values than ``limits`` has.

    Raises:
        DecodeError: LIMIT_EXCEEDED.
    """
    size = len(body)
    if size <= limits.uncounted_bytes_max and size <= limits.message_bytes_max:
        return
    if size > limits.message_bytes_max:
        raise exceeded("body", limits.message_bytes_max, "bytes")
    if body.count(b"{") + body.count(b"[") > limits.containers_max:
        raise exceeded("body", limits.containers_max, "objects and arrays")
    if body.count(b",") > limits.values_max:
        raise exceeded("body", limits.values_max, "values")


def exceeded(where: str, most: int, what: str) -> DecodeError:
    """Say that something has more of a kind than it may have."""
    return DecodeError(where, f"at most {most} {what}", reason=Reason.LIMIT_EXCEEDED)
