"""What a FHIR sender is answered: statuses, locations, versions, outcomes, and the bundle that answers a bundle.

Rules:
- A privacy decision is no error: what is stored is 200 or 201, whether it was passed on, denied or held; 202 where a
  person must first say who is speaking.
- What was wrong with it is an OperationOutcome with an issue for each mistake (``issues_max``): a reason code and a
  place, never a value. The first is the reason it was refused for.
- Not stored is 503 with ``Retry-After``, and the connection ends: the sender keeps it.
- The id of what was created is the id of its message; in a transaction with its place in the bundle.

Deliberately absent: the resource itself, whatever ``Prefer`` says: this is no repository.

Source: RFC 6749 §5.2 (token errors); FHIR R4 §3.1.0.8 (create), §3.1.0.4 (update), §3.1.0.11.2 (bundle responses); RFC 9110 §15.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from operator import itemgetter
from typing import Any

import orjson

from oathward.core.reasons import BY_CODE, Reason
from oathward.gateway.arrival import Outcome
from oathward.gateway.listeners.fhir.request import Wish
from oathward.gateway.listeners.fhir.work import Told
from oathward.gateway.listeners.http.answer import FHIR_JSON, JSON, Response
from oathward.protocols.fhir.check import Issue
from oathward.protocols.fhir.outcome import operation_outcome, outcome_of

__all__ = ["FHIR_JSON", "answered", "no_token", "refused"]

RETRY_AFTER_S = "5"

_TAKEN = orjson.dumps(
    {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "information", "code": "informational", "diagnostics": "taken"}],
    }
)
_FIRST_VERSION = "1"
_BAD_MIN, _OURS_MIN = 400, 500


def refused(
    reason: Reason, where: str, *, last: bool = False, issues: Sequence[tuple[str, str, str]] = ()
) -> Response:
    """Answer what never became a message, or not a good one.

    Args:
        issues: all that is wrong with it, as ``Told`` has it; empty where that is the reason alone.
    """
    status = reason.answer.http
    if status < _BAD_MIN:  # a reason of messages, not of requests
        status = HTTPStatus.SERVICE_UNAVAILABLE
    headers: list[tuple[str, str]] = []
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append(("WWW-Authenticate", 'Bearer realm="fhir"'))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", RETRY_AFTER_S))
    last = last or status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT}
    told = [Issue(place, BY_CODE[code], why) for code, place, why in issues]
    body = outcome_of(told) if told else operation_outcome(reason, where)
    return Response(status, body, tuple(headers), last=last)


def no_token(reason: Reason) -> Response:
    """Answer a token request that is refused, in OAuth's words."""
    word = {
        Reason.TOKEN_REQUEST: "invalid_request",
        Reason.TOKEN_SCOPE: "invalid_scope",
    }.get(reason, "invalid_client" if reason.answer.http == HTTPStatus.UNAUTHORIZED else "server_error")
    status = {"invalid_client": 401, "server_error": 503}.get(word, 400)
    body = orjson.dumps({"error": word, "error_description": reason.code})
    return Response(status, body, (("Pragma", "no-cache"),), JSON)


def answered(parts: Sequence[Told], wish: Wish, base: str) -> Response:
    """Answer a create, an update, a transaction or a batch once all its messages have their outcome."""
    first = parts[0]
    if first.bundle == "batch":
        places = [(index, entry) for told in parts for index, entry in _entries(told, base, wish)]
        return Response(
            HTTPStatus.OK, _bundle("batch-response", sorted(places, key=itemgetter(0))), _applied(wish)
        )
    if first.reason:
        failed = first.outcome == Outcome.FAILED.value
        return refused(BY_CODE[first.reason], first.where, last=failed, issues=first.issues)
    if first.bundle:
        return Response(
            HTTPStatus.OK, _bundle("transaction-response", _entries(first, base, wish)), _applied(wish)
        )
    status, location, version = _placed(first, first.requests[0], first.id, base)
    headers = (("Location", location), ("ETag", f'W/"{version}"'), *_applied(wish))
    return Response(status, _TAKEN if wish.prefer == "OperationOutcome" else b"", headers)


def _applied(wish: Wish) -> tuple[tuple[str, str], ...]:
    return (("Preference-Applied", wish.applied),) if wish.applied else ()


def _placed(told: Told, request: str, id_: str, base: str) -> tuple[int, str, str]:
    """Give status, location and version of what is stored."""
    method, _, target = request.partition(" ")
    status = HTTPStatus.CREATED if told.created else HTTPStatus.OK
    if told.waits:
        status = HTTPStatus.ACCEPTED
    if method == "POST":
        return status, f"{base}/{target}/{id_}/_history/{_FIRST_VERSION}", _FIRST_VERSION
    if told.bundle:  # no version of its own that ``If-Match`` could name
        return status, f"{base}/{target}", ""
    return status, f"{base}/{target}/_history/{told.version}", told.version


def _entries(told: Told, base: str, wish: Wish) -> list[tuple[int, dict[str, Any]]]:
    """Answer the entries of one message, each with its place in the bundle that came."""
    if told.reason:
        answer = _refused(BY_CODE[told.reason], told.where, told.issues)
        return [(index, answer) for index in told.indices]
    found, there = [], dict(told.there)
    for number, (index, request) in enumerate(zip(told.indices, told.requests, strict=True)):
        id_ = there.get(number, f"{told.id}-{number}")
        if not id_:
            place = f"Bundle.entry[{index}].request.ifNoneExist"
            found.append((index, _refused(Reason.CONDITION_SEVERAL, place)))
            continue
        one = told._replace(created=False) if number in there else told
        status, location, version = _placed(one, request, id_, base)
        response = {"status": _status(status), "location": location}
        if version:
            response["etag"] = f'W/"{version}"'
        if wish.prefer == "OperationOutcome":
            response["outcome"] = orjson.loads(_TAKEN)
        found.append((index, {"response": response}))
    return found


def _refused(reason: Reason, where: str, issues: Sequence[tuple[str, str, str]] = ()) -> dict[str, Any]:
    answer = refused(reason, where, issues=issues)
    return {"response": {"status": _status(answer.status), "outcome": orjson.loads(answer.body)}}


def _status(status: int) -> str:
    return f"{int(status)} {HTTPStatus(status).phrase}"


def _bundle(kind: str, places: Sequence[tuple[int, dict[str, Any]]]) -> bytes:
    return orjson.dumps({"resourceType": "Bundle", "type": kind, "entry": [entry for _, entry in places]})
