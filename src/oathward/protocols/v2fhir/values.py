"""OBX-5 by OBX-2: what was observed, as ``value[x]``, each way.

Rules:
- A value keeps its digits and its precision. What FHIR has no type for becomes text, which a person can read, and
  the field as it was encoded stands beside it.
- Several repetitions of text are its lines; of anything else, components with the observation's own code.
- A structured number is a Quantity, a Range or a Ratio where its parts say so and nothing else; else text.
- OBX-2 stands in an extension where the element does not say it.

Deliberately absent: limits of plausibility; a look at OBX-3.

Source: HL7 v2-to-FHIR IG, OBX[Observation] (OBX-5, OBX-6), SN[Quantity], SN[Range], SN[Ratio], NA[SampledData],
ED[Attachment], RP[Attachment]; FHIR R4 §10.1 (Observation), §2.24.0.16 (SampledData).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

from orjson import Fragment

from oathward.protocols.hl7v2.escapes import escape
from oathward.protocols.v2fhir.codes import concept
from oathward.protocols.v2fhir.paths import Extensions, absent
from oathward.protocols.v2fhir.primitives import clock, number, original, simple, string, time_forward
from oathward.protocols.v2fhir.reading import Reading
from oathward.protocols.v2fhir.units import NONE, Unit, with_unit


class Value(NamedTuple):
    """One value: the element, its JSON, what stands beside it."""

    element: str
    json: Any
    beside: Extensions = None


class Setting(NamedTuple):
    """What a value needs to know besides itself.

    ``metric``: a DeviceMetric holds the unit. ``period_ms``: time between samples, None where nobody says.
    """

    unit: Unit = NONE
    metric: bool = False
    period_ms: Fragment | None = None


COMPARATORS = frozenset(("<", "<=", ">", ">="))
_TOP = frozenset(("application", "audio", "image", "text", "video", "multipart", "model"))


def encoded(raw: bytes, r: Reading) -> str:
    """Write a repetition as HL7 text with the usual separators."""
    return "^".join(
        "&".join(escape(r.text(sub)) for sub in part.split(r.sub)) for part in raw.split(r.component)
    )


def _parts(raw: bytes, r: Reading) -> list[str]:
    return [r.text(part) if part else "" for part in raw.split(r.component)]


def _text(raw: bytes, r: Reading, _: Setting) -> Value | None:
    text = string(r.text(raw))
    return Value("valueString", text) if text else None


def _words(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    """Write what FHIR has no type for: its parts one after another, then the unit."""
    unit = setting.unit.quantity.get("unit", "")
    parts = [*(part for part in _parts(raw.replace(r.sub, b" "), r) if part), unit]
    text = string(" ".join(part for part in parts if part))
    return Value("valueString", text, [original(encoded(raw, r))]) if text else None


def _quantity(value: str, setting: Setting) -> dict[str, Any]:
    return with_unit({"value": Fragment(value.encode())}, setting.unit, metric=setting.metric)


def _number(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    text = r.text(raw)
    value = number(text)
    if value is None:
        return _words(raw, r, setting)
    quantity = _quantity(value, setting)
    if value != text:
        quantity["extension"] = [*quantity.get("extension", ()), original(text)]
    return Value("valueQuantity", quantity)


def _structured(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    comparator, one, sign, two = (*_parts(raw, r), "", "", "", "")[:4]
    if r.sub in raw or raw.count(r.component) > 3 or number(one) != one:
        return _words(raw, r, setting)
    if not sign and not two and (not comparator or comparator in COMPARATORS):
        quantity = _quantity(one, setting)
        return Value("valueQuantity", {**quantity, "comparator": comparator} if comparator else quantity)
    if not comparator and number(two) == two:
        low, high = _quantity(one, setting), _quantity(two, setting)
        if sign == "-" and float(one) <= float(two):
            return Value("valueRange", {"low": low, "high": high})
        if sign == ":":
            return Value("valueRatio", {"numerator": low, "denominator": high})
    return _words(raw, r, setting)


def _range(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    parts = _parts(raw, r)
    if r.sub in raw or len(parts) != 2 or any(number(text) != text for text in parts):
        return _words(raw, r, setting)
    low, high = parts
    if float(low) > float(high):
        return _words(raw, r, setting)
    return Value("valueRange", {"low": _quantity(low, setting), "high": _quantity(high, setting)})


def _coded(raw: bytes, r: Reading, _: Setting) -> Value | None:
    found = concept(raw, r)
    return Value("valueCodeableConcept", found) if found else None


def _time(raw: bytes, r: Reading, _: Setting) -> Value | None:
    if r.component in raw or r.sub in raw:
        return _words(raw, r, _)
    value, beside = time_forward(raw, r)
    return Value("valueDateTime", value, beside) if value or beside else None


_CLOCK = simple(clock, lambda value: value.replace(":", ""))


def _clock(raw: bytes, r: Reading, _: Setting) -> Value | None:
    if r.component in raw or r.sub in raw:
        return _words(raw, r, _)
    value, beside = _CLOCK.forward(raw, r)
    return Value("valueTime", value, beside) if value or beside else None


def _period(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    times = [time_forward(part, r) if part else (None, None) for part in raw.split(r.component)]
    if len(times) > 2 or r.sub in raw or any(beside for _, beside in times):
        return _words(raw, r, setting)
    found = {name: value for name, (value, _) in zip(("start", "end"), times, strict=False) if value}
    if not found or len({len(value) for value in found.values()}) > 1 or not _in_order(found):
        return _words(raw, r, setting)
    return Value("valuePeriod", found)


def _in_order(found: dict[str, str]) -> bool:
    # Zones may differ: only what is in order as it stands is taken for a period.
    return len(found) < 2 or (found["start"][-6:] == found["end"][-6:] and found["start"] <= found["end"])


def _samples(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    samples = _parts(raw, r)
    if any(number(sample) != sample for sample in samples if sample):
        return _words(raw, r, setting)
    origin = with_unit({"value": 0}, setting.unit, metric=setting.metric)
    found: dict[str, Any] = {"origin": origin}
    if setting.period_ms is None:
        found["_period"] = {"extension": [absent()]}
    else:
        found["period"] = setting.period_ms
    found["dimensions"] = 1
    found["data"] = " ".join(sample or "E" for sample in samples)
    return Value("valueSampledData", found)


def _attachment(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    head, encoding, data = _split_data(raw, r)
    if not data:
        return _words(raw, r, setting)
    found = _content_type(head, r)
    if encoding == "base64":
        try:
            base64.b64decode(data, validate=True)
        except binascii.Error:
            return _words(raw, r, setting)
        found["data"] = data
    elif encoding == "hex" and _is_hex(data):
        found["data"] = base64.b64encode(bytes.fromhex(data)).decode()
    else:
        found["data"] = base64.b64encode(data.encode()).decode()
    if not found["data"]:
        return None
    found["extension"] = [original(encoded(r.component.join(head), r))]
    return Value("valueAttachment", found)


def _split_data(raw: bytes, r: Reading) -> tuple[list[bytes], str, str]:
    """Give what stands before the data of ED, its encoding in lower case, and the data."""
    parts = raw.split(r.component, 4)
    if len(parts) < 5:
        return parts, "", ""
    if r.component in parts[4] or r.sub in parts[4]:
        return parts, "", ""
    return parts[:4], r.text(parts[3]).lower(), r.text(parts[4])


def _is_hex(data: str) -> bool:
    return len(data) % 2 == 0 and all(char in "0123456789abcdefABCDEF" for char in data)


def _content_type(head: list[bytes], r: Reading) -> dict[str, Any]:
    type_, subtype = (r.text(part).strip().lower() for part in (*head, b"", b"", b"")[1:3])
    if type_ in _TOP and subtype and " " not in subtype:
        return {"contentType": f"{type_}/{subtype}"}
    return {"_contentType": {"extension": [absent()]}}


def _pointer(raw: bytes, r: Reading, setting: Setting) -> Value | None:
    parts = raw.split(r.component)
    pointer = r.text(parts[0])
    if not pointer or any(char.isspace() for char in pointer):
        return _words(raw, r, setting)
    found = _content_type([b"", *parts[2:4]], r)
    return Value("valueAttachment", {"extension": [original(encoded(raw, r))], **found, "url": pointer})


FORWARD: dict[bytes, Callable[[bytes, Reading, Setting], Value | None]] = {
    b"NM": _number,
    b"SI": _number,
    b"SN": _structured,
    b"NR": _range,
    **dict.fromkeys((b"ST", b"TX", b"FT"), _text),
    **dict.fromkeys((b"CE", b"CWE", b"CNE", b"CF", b"IS", b"ID"), _coded),
    **dict.fromkeys((b"TS", b"DTM", b"DT"), _time),
    b"TM": _clock,
    b"DR": _period,
    b"NA": _samples,
    b"ED": _attachment,
    b"RP": _pointer,
}
"""OBX-2 -> how its value is mapped; any other type becomes text (``_words``)."""

LINES = frozenset((b"ST", b"TX", b"FT"))


def forward(datatype: bytes, raw: bytes, r: Reading, setting: Setting) -> list[Value]:
    """Map all of OBX-5."""
    make = FORWARD.get(datatype, _words)
    if r.repetition not in raw:
        value = make(raw, r, setting)
        return [value] if value else []
    pieces = raw.split(r.repetition)
    if datatype in LINES and (text := lines(pieces, r)):
        return [Value("valueString", text, [LINED])]
    return [value for piece in pieces if piece and (value := make(piece, r, setting))]


LINED = {"url": "urn:oathward:v2:lines", "valueBoolean": True}
"""Says that the lines of a text were repetitions."""


def lines(pieces: list[bytes], r: Reading) -> str | None:
    """Join repetitions as lines; None where one has lines of its own."""
    texts = [r.text(piece) for piece in pieces]
    return None if any("\n" in text for text in texts) else string("\n".join(texts))
