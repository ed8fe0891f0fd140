"""A notice as a message that ``shape`` takes in: HL7 v2 ``ADT^A31`` with ``CON``, or a FHIR R4 Consent. Pure.

Rules:
- What is written holds codes of published tables, a time, and whom it is about as the link was told (``identity``); where the
  link shows a pseudonym, anything stands in its place, for the value does not enter.
- Nothing passes: ``CON-11`` is X (rescinded), ``Consent.status`` is inactive with a denial. All passes: A, a permit.
  Some: L, and a denial with what passes beside it.
- A Consent is of the link's purpose alone, under a root that denies: to whoever reads it for another purpose it gives nothing.
- A state that FHIR's words for classes cannot say is told as a denial: the narrower answer wins.

Source: HL7 v2.5.1 §9.9 CON, tables 0496 and 0498, §3.3.31 A31; FHIR R4 §6.2 (Consent).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from oathward.consent.fhir import words
from oathward.consent.fhir.write import Head, write
from oathward.consent.model import Statement, statement
from oathward.consent.notices.state import State
from oathward.core.errors import InputError
from oathward.policy.consents import ANY
from oathward.protocols.fhir.json import dumps

PLACEHOLDER = "x"
_STATUS = {"all": "A", "some": "L", "none": "X"}
_OPT_OUT = {"coding": [{"system": words.ACT_CODE, "code": "OPTOUT"}]}
_NO_IDENTITY: dict[str, Any] = {
    "delimiters": "|^~\\&",
    "header": {"11": "P", "12": "2.6"},
    "number": PLACEHOLDER,
}


def hl7v2(state: State, identity: bytes, control_id: str, now_us: int) -> bytes:
    """Write a notice for an HL7 v2 receiver.

    Args:
        identity: as ``identity.of_hl7v2`` gave it; empty where the link shows a pseudonym.
    """
    known: dict[str, Any] = orjson.loads(identity) if identity else _NO_IDENTITY
    delimiters, header = known["delimiters"], known["header"]
    bar, hat = delimiters[0], delimiters[1]
    at = datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y%m%d%H%M%S+0000")
    kind = hat.join(("ADT", "A31", "ADT_A05"))
    receiver = (header.get("5", ""), header.get("6", ""))
    msh = ["MSH", delimiters[1:], "OATHWARD", "", *receiver, at, "", kind, control_id]
    msh += [header.get("11") or "P", header.get("12") or "2.6", "", "", "", "", "", header.get("18", "")]
    con = [
        "CON",
        "1",
        hat.join(("001", "", "HL70496")),
        *[""] * 8,
        hat.join((_STATUS[state.passes], "", "HL70498")),
    ]
    segments = [msh, ["EVN", "", at], ["PID", "1", "", known["number"]], [*con, "", at, at]]
    return "".join(f"{bar.join(fields).rstrip(bar)}\r" for fields in segments).encode("latin-1")


def fhir(state: State, identity: bytes, id_: str, purpose: str, now_us: int) -> bytes:
    """Write a notice for a FHIR server, as a request.

    Args:
        identity: as ``identity.of_fhir`` gave it; empty where the link shows a pseudonym.
        id_: of the Consent.
    """
    known = orjson.loads(identity) if identity else {"reference": f"Patient/{PLACEHOLDER}"}
    consent, classes = _consent(state, now_us)
    consent |= {"id": id_, "patient": known, "status": "inactive" if state.passes == "none" else "active"}
    said = {
        "type": "deny" if state.passes == "none" or (state.passes == "some" and not classes) else "permit",
        "purpose": [{"system": words.ACT_REASON, "code": purpose}],
    }
    if classes:
        said["class"] = [{"system": words.RESOURCE_TYPES, "code": kind} for kind in classes]
    consent |= {"policyRule": _OPT_OUT, "provision": {"type": "deny", "provision": [said]}}
    return f"PUT Consent/{id_}\n\n".encode() + dumps(consent)


def _consent(state: State, now_us: int) -> tuple[dict[str, Any], list[str]]:
    """Give a Consent whose provision is still to be said, and the types that pass; none where FHIR has no words for them."""
    head = Head("", {"value": PLACEHOLDER}, "r4", now_us)
    if state.passes == "some" and state.classes:
        try:
            return write([_said(state.classes)], head)[0], list(words.types_of(state.classes, wide=False))
        except InputError:
            pass
    return write([_said((ANY,))], head)[0], []


def _said(classes: Iterable[str]) -> Statement:
    return statement(
        permit=True, purposes=(ANY,), recipients=(ANY,), classes=classes, source="notice", id_="notice"
    )
