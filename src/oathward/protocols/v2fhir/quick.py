"""A plain number of a device, mapped by the form its row had before: the usual case, quickly.

Rules:
- The long way (``observation.add_row``) makes the first row of a form; what is not of this message is kept as bytes:
  status, code, place, range and unit. The next row of that form gets its own id, value, time and references.
- Only forms of ISO/IEEE 11073 codes are kept, never a value, a name or a time; at most ``FORMS_MAX`` of them.
- Both ways give the same bytes: the long way's row is written by its form too.

Deliberately absent: rows with notes, flags of their own equipment or people; test messages. They go the long way.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson
from orjson import Fragment

from oathward.protocols.v2fhir.devices import Place
from oathward.protocols.v2fhir.observation import Scope, add_row
from oathward.protocols.v2fhir.reading import Reading

FORMS_MAX = 4096
KEY_BYTES_MAX = 256

_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?").fullmatch
_OF_THIS_MESSAGE = frozenset(
    (
        "device",
        "subject",
        "encounter",
        "effectiveDateTime",
        "_effectiveDateTime",
        "effectivePeriod",
        "valueQuantity",
    )
)

Key = tuple[bytes, ...]


class Form(NamedTuple):
    """What the codes of a row say: the place of its metric, and parts of the JSON of its Observation."""

    place: Place
    said: bytes
    unit: bytes


_forms: dict[Key, Form] = {}


def add(fields: list[bytes], r: Reading, scope: Scope, *, noted: bool) -> dict[str, Any] | None:
    """Map one OBX, quickly where it may be; as ``observation.add_row``.

    Args:
        noted: a note follows, which needs the Observation itself.
    """
    key = None if noted or not r.quick else _key(fields)
    if key is None:
        return add_row(fields, r, scope)
    form = _forms.get(key)
    tail = scope.tail(fields[14] if len(fields) > 14 else b"", r)
    if tail is None:
        return add_row(fields, r, scope)
    if form is None:
        return _first(key, fields, r, scope, tail)
    reference = scope.devices.metric_of(form.place, key, fields, r)
    _write(form, fields[5], reference, tail, r, scope)
    return None


def _key(fields: list[bytes]) -> Key | None:
    """Give the coded fields of a plain number of a metric; None for any other row."""
    count = len(fields)
    if count < 12 or fields[2] != b"NM" or not fields[3].endswith(b"^MDC") or not _NUMBER(fields[5]):
        return None
    if fields[10] or ((count > 15 and any(fields[15:17])) or any(fields[18:])):
        return None
    key = (
        fields[3],
        fields[4],
        fields[6],
        fields[7],
        fields[8],
        fields[11],
        fields[17] if count > 17 else b"",
    )
    whole = b"".join(key)
    return key if len(whole) <= KEY_BYTES_MAX and whole.isascii() and b"~" not in whole else None


def _first(key: Key, fields: list[bytes], r: Reading, scope: Scope, tail: bytes) -> dict[str, Any] | None:
    """Go the long way, and keep the form."""
    row = add_row(fields, r, scope)
    if (
        row is None
        or "valueQuantity" not in row
        or not row["device"]["reference"].startswith("DeviceMetric/")
    ):
        return row
    said = orjson.dumps({name: value for name, value in row.items() if name not in _OF_THIS_MESSAGE})[1:-1]
    unit = orjson.dumps({name: value for name, value in row["valueQuantity"].items() if name != "value"})[
        1:-1
    ]
    form = Form(tuple(fields[4].split(b".")), said, b"," + unit if unit else b"")
    if len(_forms) >= FORMS_MAX:
        _forms.clear()
    _forms[key] = form
    r.entries.pop()
    if scope.report is not None:
        scope.report["result"].pop()
    _write(form, fields[5], row["device"]["reference"], tail, r, scope)
    return row


def _write(form: Form, value: bytes, reference: str, tail: bytes, r: Reading, scope: Scope) -> None:
    own = r.made_up()
    url = b"Observation/" + own.encode()
    r.entries.append(
        Fragment(
            b'{"resource":{"resourceType":"Observation","id":"%b",%b,"valueQuantity":{"value":%b%b},'
            b'"device":{"reference":"%b"}%b},"request":{"method":"PUT","url":"%b"}}'
            % (own.encode(), form.said, value, form.unit, reference.encode(), tail, url)
        )
    )
    if scope.report is not None:
        scope.report.setdefault("result", []).append({"reference": url.decode()})
