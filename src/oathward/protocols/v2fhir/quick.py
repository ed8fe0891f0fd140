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
from typing import Any

import orjson
from orjson import Fragment

from oathward.protocols.v2fhir.codes import concept
from oathward.protocols.v2fhir.devices import Place, above
from oathward.protocols.v2fhir.observation import Scope, add_row
from oathward.protocols.v2fhir.reading import Reading, entry
from oathward.protocols.v2fhir.units import unit_of

FORMS_MAX = 4096
KEY_BYTES_MAX = 256
METRICS_MAX = 1024
"""Devices whose metric a form keeps."""

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


class Form:
    """What the codes of a row say: the levels above its metric, and parts of the JSON of its Observation.

    ``metrics``: reference of the Device above -> (id, resource, entry) of its DeviceMetric.
    """

    __slots__ = ("above", "metrics", "place", "said", "unit")

    def __init__(self, place: Place, said: bytes, unit: bytes) -> None:
        self.place = place
        self.above = tuple(above(place))
        self.said = said
        self.unit = unit
        self.metrics: dict[str, tuple[str, dict[str, Any], Fragment]] = {}


_forms: dict[Key, Form] = {}


def add(fields: list[bytes], r: Reading, scope: Scope, *, noted: bool) -> dict[str, Any] | None:
    """Map one OBX, quickly where it may be; as ``observation.add_row``.

    Args:
        fields: item n is field n.
        r: the message.
        scope: what the row inherits.
        noted: a note follows, which needs the Observation itself.
    """
    count = len(fields)
    if noted or not r.quick or count < 12 or fields[2] != b"NM" or not _NUMBER(fields[5]):
        return add_row(fields, r, scope)
    if fields[10] or (count > 15 and (any(fields[15:17]) or any(fields[18:]))):
        return add_row(fields, r, scope)
    tail = scope.tail(fields[14] if count > 14 else b"", r)
    method = fields[17] if count > 17 else b""
    key = (fields[3], fields[4], fields[6], fields[7], fields[8], fields[11], method)
    form = _forms.get(key)
    if tail is None or (form is None and not _lasting(key)):
        return add_row(fields, r, scope)
    if form is None:
        return _first(key, fields, r, scope, tail)
    _write(form, fields[5], _metric(form, key, r, scope), tail, r, scope)
    return None


def _lasting(key: Key) -> bool:
    """Say whether a form may be kept: short, and coded in ISO/IEEE 11073."""
    whole = b"".join(key)
    return key[0].endswith(b"^MDC") and len(whole) <= KEY_BYTES_MAX and whole.isascii() and b"~" not in whole


def _metric(form: Form, key: Key, r: Reading, scope: Scope) -> str:
    """Give the reference to the DeviceMetric of a row, written as it was before where its equipment is known."""
    levels = scope.devices.levels
    parent = next((levels[level] for level in form.above if level in levels), None)
    kept = form.metrics.get(parent.reference) if parent else None
    if kept is not None:
        there = r.known.get(("DeviceMetric", kept[0]))
        if there is None:
            r.known["DeviceMetric", kept[0]] = kept[1]
            r.entries.append(kept[2])
        if there is None or there is kept[1]:
            return f"DeviceMetric/{kept[0]}"
    code = concept(key[0], r) or {}
    reference = scope.devices.metric(form.place, code, unit_of(key[2], r).concept, key[6], b"", r)
    if parent is not None and parent.identity is not None:
        _remember(form, parent.reference, reference, r)
    return reference


def _remember(form: Form, parent: str, reference: str, r: Reading) -> None:
    """Keep the DeviceMetric of known equipment as it is written: it is the same in every message."""
    last = r.entries[-1]
    own = f"/{r.prefix}-"
    if (
        last.__class__ is not tuple
        or reference != f"{last[0]}/{last[1]}"
        or own in reference
        or own in parent
    ):
        return
    if len(form.metrics) >= METRICS_MAX:
        form.metrics.clear()
    form.metrics[parent] = (last[1], last[2], Fragment(orjson.dumps(entry(*last))))


def _first(key: Key, fields: list[bytes], r: Reading, scope: Scope, tail: bytes) -> dict[str, Any] | None:
    """Go the long way, and keep the form."""
    row = add_row(fields, r, scope)
    if (
        row is None
        or "valueQuantity" not in row
        or not row.get("device", {}).get("reference", "").startswith("DeviceMetric/")
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
    own = r.made_up().encode()
    r.entries.append(
        Fragment(
            b'{"resource":{"resourceType":"Observation","id":"%b",%b,"valueQuantity":{"value":%b%b},'
            b'"device":{"reference":"%b"}%b},"request":{"method":"PUT","url":"Observation/%b"}}'
            % (own, form.said, value, form.unit, reference.encode(), tail, own)
        )
    )
    if scope.report is not None:
        scope.report.setdefault("result", []).append({"reference": f"Observation/{own.decode()}"})
