"""What a client is told: an OperationOutcome by reason, place and rule, never by value.

Rules:
- ``details.coding`` has our reason code, ``code`` FHIR's nearest issue type, ``expression`` the place.
- The text is what a reason means in general; it is the same for every message.

Deliberately absent: HTTP (the status of a reason is in ``core.reasons``).

Source: FHIR R4 §2.26 (OperationOutcome), value set issue-type.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from oathward.core.meanings import MEANINGS
from oathward.core.reasons import Reason
from oathward.protocols.fhir.message import Resource

SYSTEM = "urn:oathward:reason"

_BY_REASON = {
    Reason.MESSAGE_EMPTY: "structure",
    Reason.MESSAGE_UNDECODABLE: "structure",
    Reason.JSON_INVALID: "structure",
    Reason.CHARSET_BROKEN: "structure",
    Reason.CHARSET_UNSUPPORTED: "structure",
    Reason.DUPLICATE_KEY: "structure",
    Reason.ELEMENT_TYPE: "structure",
    Reason.ELEMENT_UNKNOWN: "structure",
    Reason.ELEMENT_REPEATED: "structure",
    Reason.ELEMENT_MISSING: "required",
    Reason.VALUE_INVALID: "value",
    Reason.NUMBER_UNBOUNDED: "value",
    Reason.CODE_NOT_ALLOWED: "code-invalid",
    Reason.TARGET_NOT_ALLOWED: "value",
    Reason.RULE_BROKEN: "invariant",
    Reason.TYPE_UNKNOWN: "not-supported",
    Reason.FORMAT_UNSUPPORTED: "not-supported",
    Reason.INTERACTION_UNSUPPORTED: "not-supported",
    Reason.LIMIT_EXCEEDED: "too-costly",
    Reason.CONFLICT: "conflict",
    Reason.DUPLICATE: "duplicate",
    Reason.NOT_FOUND: "not-found",
    Reason.DEVICE_UNKNOWN: "unknown",
    Reason.INTERNAL: "exception",
}
_BY_STATUS = {
    200: "informational",
    202: "informational",
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    406: "not-supported",
    408: "timeout",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    431: "too-long",
    500: "exception",
    501: "not-supported",
    503: "transient",
    505: "not-supported",
}


def issue_type(reason: Reason) -> str:
    """Give FHIR's issue type that is nearest to a reason."""
    return _BY_REASON.get(reason) or _BY_STATUS.get(reason.answer.http, "processing")


def operation_outcome(reason: Reason, where: str = "", severity: str = "error", why: str = "") -> bytes:
    """Write an OperationOutcome of one issue.

    Args:
        where: element or part of the request, as an error has it.
        severity: ``fatal``, ``error``, ``warning`` or ``information``.
        why: what was expected, as an error has it; an invariant says its name there.
    """
    return _written([issue(reason, where, severity, why)])


def outcome_of(mistakes: Iterable[tuple[str, Reason, str]]) -> bytes:
    """Write an OperationOutcome of several mistakes: place, reason, what was expected (``check.Issue``)."""
    return _written([issue(reason, where, "error", why) for where, reason, why in mistakes])


def issue(reason: Reason, where: str, severity: str, why: str = "") -> Resource:
    """Make one issue; ``why`` is what was expected there, never what stood there."""
    found: Resource = {
        "severity": severity,
        "code": issue_type(reason),
        "details": {"coding": [{"system": SYSTEM, "code": reason.code}], "text": MEANINGS[reason].what},
    }
    if why:
        found["diagnostics"] = f"expected: {why}"
    if where:
        found["expression"] = [where]
    return found


def _written(issues: list[Resource]) -> bytes:
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": issues})
