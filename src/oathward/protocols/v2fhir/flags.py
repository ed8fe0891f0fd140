"""OBX-8 and OBX-11: how far a value may be trusted, each way.

Rules:
- Every flag stands in ``interpretation``: as a code where a published table has one, else as text.
- Flags of measurement status also become a security label and, where no value is there, the reason for that.
- An observation without a value says why there is none.

Deliberately absent: which values are abnormal; that is the sender's word.

Source: HL7 PoCD IG, "OBX-8 FHIR Encoding" (measurement status, missing or invalid data); HL7 v2-to-FHIR IG,
InterpretationCodes, ObservationResultStatusCodesInterpretation; FHIR R4 Observation (obs-6).
"""

from __future__ import annotations

from typing import Any

from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.codes import concept, concept_back, kind
from oathward.protocols.v2fhir.paths import Extensions
from oathward.protocols.v2fhir.reading import NULL, Reading

OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

LABELS = {
    "INV": (OBSERVATION_VALUE, "UNRELIABLE"),
    "QUES": (OBSERVATION_VALUE, "UNCERTREL"),
    "CAL": (OBSERVATION_VALUE, "UNCERTREL"),
    "TEST": (ACT_REASON, "HTEST"),
    "DEMO": (ACT_REASON, "HTEST"),
    "VAL": (OBSERVATION_VALUE, "HRELIABLE"),
}
"""Flag -> security label."""
REASONS = {
    "INV": "error",
    "NAV": "temp-unknown",
    "BUSY": "temp-unknown",
    "NI": "unknown",
    "OFF": "not-performed",
}
"""Flag -> why there is no value."""
STATUS_REASONS = {"N": "not-asked", "X": "not-performed", "I": "temp-unknown", "O": "temp-unknown"}
"""OBX-11 -> why there is no value."""

_STATUS = kind("map:0085")


def _coded(flag: str) -> dict[str, Any]:
    known = tables.forward("0078").get(flag)
    return {"coding": [{"system": known[1], "code": known[0]}]} if known else {"text": flag}


def interpretation(raw: bytes, r: Reading) -> tuple[list[dict[str, Any]], list[str]]:
    """Map OBX-8: the concepts, and the bare flags among them."""
    found, flags = [], []
    for piece in raw.split(r.repetition):
        if r.component in piece:
            value = concept(piece, r, "0078")
            if value:
                found.append(value)
                flags += [coding["code"] for coding in value.get("coding", ())[:1] if "code" in coding]
        elif piece and piece != NULL and (flag := r.text(piece.partition(r.sub)[0]).strip()):
            found.append(_coded(flag))
            flags.append(flag)
    return found, flags


def interpretation_back(value: dict[str, Any]) -> dict[str, str]:
    """Give one flag again."""
    coding = value.get("coding")
    if coding is None:
        return {"1": value["text"]}
    if len(coding) == 1 and set(coding[0]) == {"system", "code"}:
        flag = tables.back("0078").get(coding[0]["code"], "")
        if flag and tables.forward("0078")[flag][1] == coding[0]["system"]:
            return {"1": flag}
    return concept_back(value, "0078")


def labels(flags: list[str]) -> list[dict[str, str]]:
    """List the security labels that flags mean, each once."""
    found = dict.fromkeys(LABELS[flag] for flag in flags if flag in LABELS)
    return [{"system": system, "code": code} for system, code in found]


def status(raw: bytes, r: Reading) -> tuple[str, Extensions]:
    """Map OBX-11; ``unknown`` where it says nothing FHIR knows."""
    if not raw or raw == NULL:
        return "unknown", None
    value, beside = _STATUS.forward(raw, r)
    return value or "unknown", beside


def status_back(value: str, beside: Extensions) -> dict[str, str]:
    """Give OBX-11 again."""
    return _STATUS.backward(value, beside)


def why_absent(raw: bytes, flags: list[str]) -> dict[str, Any]:
    """Say why an observation has no value."""
    reason = next((REASONS[flag] for flag in flags if flag in REASONS), "")
    reason = reason or STATUS_REASONS.get(raw.decode("ascii", "replace"), "unknown")
    return {"coding": [{"system": ABSENT, "code": reason}]}
