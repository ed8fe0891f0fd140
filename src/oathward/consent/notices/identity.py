"""Whom a link was told of, cut out of a message as it left: all that a notice may say of a patient's identity. Pure.

Rules:
- HL7 v2: PID-3 of the one PID, with the separators and character set it is written in, and for whom and what system the
  message was (MSH-5, 6, 11, 12, 18). FHIR: the reference and the first identifier of the one patient.
- A message that names several patients names nobody here, and so does one that names none.

Deliberately absent: names, dates of birth, addresses: an identifier is enough to be known by.
"""

from __future__ import annotations

from typing import Any

import orjson

from oathward.protocols.hl7v2.reader import decode

_SUBJECTS = ("subject", "patient", "for", "beneficiary")
_MSH = (5, 6, 11, 12, 18)


def of_hl7v2(data: bytes) -> bytes:
    """Cut the identity out of an HL7 v2 message that left; empty where it names not exactly one patient."""
    message = decode(data)
    pids = message.named(b"PID")
    number = message.field(pids[0], 3) if len(pids) == 1 else b""
    if not number:
        return b""
    header = {str(n): _text(message.header(n)) for n in _MSH}
    segment = message.segments[0]
    found = {"delimiters": _text(segment[3:4] + message.header(2)), "header": header, "number": _text(number)}
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def of_fhir(data: bytes) -> bytes:
    """Cut the identity out of a FHIR resource or transaction that left; empty where it names not exactly one patient."""
    body = orjson.loads(data)
    resources = (
        [one["resource"] for one in body.get("entry", ())] if body["resourceType"] == "Bundle" else [body]
    )
    found: dict[str, dict[str, Any]] = {}
    for resource in resources:
        if resource["resourceType"] == "Patient":
            found[f"Patient/{resource.get('id', '')}"] = _known_by(
                f"Patient/{resource.get('id', '')}", resource.get("identifier")
            )
    for resource in resources:
        for name in _SUBJECTS:
            said = resource.get(name)
            if isinstance(said, dict) and _is_patient(said):
                reference = said.get("reference", "")
                found.setdefault(reference, _known_by(reference, said.get("identifier")))
    one = next(iter(found.values()), {})
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) if len(found) == 1 and one else b""


def _is_patient(reference: dict[str, Any]) -> bool:
    kind = (
        reference.get("type") or reference.get("reference", "Patient/").rpartition("/")[0].rpartition("/")[2]
    )
    return bool(kind == "Patient")


def _known_by(reference: str, identifiers: Any) -> dict[str, Any]:
    listed = identifiers if isinstance(identifiers, list) else [identifiers] if identifiers else []
    first = next((one for one in listed if isinstance(one, dict) and one.get("value")), None)
    kept = {name: first[name] for name in ("system", "value") if first.get(name)} if first else None
    return {key: value for key, value in (("reference", reference), ("identifier", kept)) if value}


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")
