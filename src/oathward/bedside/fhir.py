"""Read what a FHIR request tells of its patient: Observations with their components.

Rules:
- A value is a Quantity, a concept, a text or a yes or no; everything else is named, not shown.
- What was ``cancelled`` or ``entered-in-error`` is not shown.

Source: FHIR R4 §10.1 (Observation), v3 ObservationInterpretation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from oathward.bedside.picture import Called, Reading, Told, pretty
from oathward.core.clock import micros
from oathward.core.code_systems import name_of
from oathward.core.phi import Phi
from oathward.protocols.fhir.reader import open_request

_TAKEN_BACK = frozenset(("cancelled", "entered-in-error"))
_TEXT_MAX = 400


def told(raw: bytes, message: str, came_us: int, into: Told) -> None:
    """Add what one request tells.

    Raises:
        DecodeError: it cannot be read.
    """
    _, body = open_request(raw)
    for resource in _resources(body):
        kind = resource.get("resourceType")
        if kind == "Patient":
            into.called = _called(resource) or into.called
        elif kind == "Observation" and resource.get("status") not in _TAKEN_BACK:
            into.readings += _readings(resource, message, came_us)


def _resources(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if body.get("resourceType") != "Bundle":
        yield body
        return
    for entry in _dicts(body.get("entry")):
        if isinstance(resource := entry.get("resource"), dict):
            yield resource


def _readings(one: dict[str, Any], message: str, came_us: int) -> Iterable[Reading]:
    at_us = min(_at_us(one) or came_us, came_us)
    for part in (one, *_dicts(one.get("component"))):
        value, number, unit = _value(part)
        if value:
            code, text = _coded(part.get("code"))
            flag, limits = _flag(part), _limits(part)
            yield Reading(
                code, pretty(code, text), Phi(value), Phi(number), unit, at_us, message, flag, limits
            )


def _value(part: dict[str, Any]) -> tuple[str, float | None, str]:
    quantity = part.get("valueQuantity")
    if isinstance(quantity, dict) and isinstance(number := quantity.get("value"), int | float):
        written = getattr(number, "text", None) or str(number)
        mark = _word(quantity.get("comparator"))
        unit = _word(quantity.get("unit")) or _word(quantity.get("code"))
        return f"{mark}{written}", None if mark else float(number), unit
    if isinstance(concept := part.get("valueCodeableConcept"), dict):
        return _coded(concept)[1][:_TEXT_MAX], None, ""
    for name in ("valueString", "valueDateTime", "valueTime"):
        if text := _word(part.get(name)):
            return text[:_TEXT_MAX], None, ""
    for name in ("valueInteger", "valueBoolean"):
        if isinstance(found := part.get(name), bool):
            return ("yes" if found else "no"), None, ""
        if isinstance(found, int):
            return str(found), float(found), ""
    return ("a waveform" if "valueSampledData" in part else ""), None, ""


def _at_us(one: dict[str, Any]) -> int:
    period = one.get("effectivePeriod")
    text = _word(one.get("effectiveDateTime")) or _word(one.get("effectiveInstant"))
    if not text and isinstance(period, dict):
        text = _word(period.get("end")) or _word(period.get("start"))
    try:
        return max(0, micros(datetime.fromisoformat(text).astimezone()))
    except (ValueError, OverflowError, OSError):
        return 0


def _coded(concept: Any) -> tuple[str, str]:
    if not isinstance(concept, dict):
        return "|", ""
    codings = _dicts(concept.get("coding"))
    first = codings[0] if codings else {}
    system = _word(first.get("system"))
    code = f"{name_of(system) or system}|{_word(first.get('code'))}"
    text = next((d for one in codings if (d := _word(one.get("display")))), "") or _word(concept.get("text"))
    return code, text


def _flag(part: dict[str, Any]) -> str:
    concepts = _dicts(part.get("interpretation"))
    codes = [_word(c.get("code")) for concept in concepts for c in _dicts(concept.get("coding"))]
    return next((code for code in codes if code and code != "N"), "")


def _limits(part: dict[str, Any]) -> str:
    for one in _dicts(part.get("referenceRange")):
        ends = [q.get("value") for name in ("low", "high") if isinstance(q := one.get(name), dict)]
        if len(ends) == 2:
            return f"{ends[0]}-{ends[1]}"
        if text := _word(one.get("text")):
            return text
    return ""


def _called(patient: dict[str, Any]) -> Called | None:
    names = _dicts(patient.get("name"))
    first = names[0] if names else {}
    given = [_word(one) for one in first.get("given", ()) if isinstance(one, str)]
    name = _word(first.get("text")) or " ".join((*given, _word(first.get("family")))).strip()
    numbers = [_word(one.get("value")) for one in _dicts(patient.get("identifier"))]
    born = _word(patient.get("birthDate"))
    return Called(Phi(name), Phi(born), Phi(numbers[0] if numbers else "")) if name or born else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
