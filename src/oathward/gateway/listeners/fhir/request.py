"""What a request asks of the FHIR door, by its line and headers alone: judged before a byte of its body is kept.

Rules:
- Create, update, batch, transaction, ``metadata``, and what SMART Backend Services needs. Any other interaction of
  FHIR is answered 501, any other path 404.
- JSON of FHIR R4 in UTF-8 comes in and goes out, whatever else is asked for is 415 or 406.
- A condition is one identifier (``If-None-Exist``) or one version (``If-Match``); on anything else it is 412: a
  condition that is not understood is never taken for met.

Deliberately absent: who asks (``listener``, ``tokens``), the body.

Source: FHIR R4 §3.1.0 (RESTful API), §3.1.0.1.11 (content types), §3.1.0.8.1 (conditional create), §3.1.0.5
(managing resource contention); RFC 9110 §12.5.1 (Accept); RFC 7240 (Prefer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.gateway.listeners.http.reading import Request
from oathward.protocols.fhir.conditions import identifier_of
from oathward.protocols.fhir.reader import NOT_KEPT
from oathward.protocols.fhir.tables import resource_types

BASE = "/fhir"
TOKEN = "/token"  # noqa: S105  a path
CONFIGURATION = "/.well-known/smart-configuration"

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_JSON = frozenset(("application/fhir+json", "application/json"))
_FORM = "application/x-www-form-urlencoded"
_ONE_VERSION = re.compile(r'(W/)?"[A-Za-z0-9.-]{1,64}"')
_QUERY = re.compile(
    r"(?:(?:_format=(?:json|application/json|application/fhir(?:\+|%2[Bb])json)|_pretty=(?:true|false))(?:&|$))*"
)
_READS = frozenset(("GET", "HEAD"))


class Ask(Enum):
    """What is asked for."""

    METADATA = "metadata"
    CONFIGURATION = "configuration"
    TOKEN = "token"  # noqa: S105  an interaction
    CREATE = "create"
    UPDATE = "update"
    BUNDLE = "bundle"


_OUTSIDE = {
    (TOKEN, "POST"): Ask.TOKEN,
    (CONFIGURATION, "GET"): Ask.CONFIGURATION,
    (BASE + CONFIGURATION, "GET"): Ask.CONFIGURATION,
    (f"{BASE}/metadata", "GET"): Ask.METADATA,
}

OPEN = frozenset((Ask.METADATA, Ask.CONFIGURATION, Ask.TOKEN))
"""What nobody needs to prove who they are for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one request asks for.

    Args:
        target: below the base: empty, ``Observation``, ``Observation/123``.
        conditions: as ``protocols.fhir.message.Request`` has them.
        prefer: ``minimal`` or ``OperationOutcome``; ``applied`` is what is said about that, empty for nothing.
    """

    ask: Ask
    target: str = ""
    conditions: tuple[tuple[str, str], ...] = ()
    prefer: str = "minimal"
    applied: str = ""


def wish_of(request: Request) -> Wish:
    """Read what is asked for.

    Raises:
        OathwardError: there is no such thing, or it is asked for in a form that is not taken.
    """
    ask, target = _asked(request.method, request.target)
    headers = request.headers
    _check_accept(headers.get("accept", "*/*"))
    if ask in OPEN - {Ask.TOKEN}:
        return Wish(ask)
    _check_content_type(headers.get("content-type", ""), _FORM if ask is Ask.TOKEN else "")
    prefer, applied = _preferred(headers.get("prefer", ""))
    return Wish(ask, target, _conditions(ask, headers), prefer, applied)


def _asked(method: str, target: str) -> tuple[Ask, str]:
    path, _, query = target.partition("?")
    outside = _OUTSIDE.get((path, "GET" if method in _READS else method))
    if outside is not None:
        return outside, ""
    if path.rstrip("/") == BASE:
        below = ""
    elif path.startswith(f"{BASE}/"):
        below = path.removeprefix(f"{BASE}/")
    else:
        raise OathwardError("path", reason=Reason.NOT_FOUND)
    kind, _, id_ = below.partition("/")
    if kind and kind not in resource_types() and kind != "metadata" and kind[0] not in "_$":
        raise OathwardError("path", reason=Reason.NOT_FOUND)
    taken = kind in resource_types() - NOT_KEPT
    if _QUERY.fullmatch(query):  # else a conditional update, or a search by POST
        if method == "POST" and below == kind and (taken or not kind):
            return (Ask.CREATE if kind else Ask.BUNDLE), kind
        if method == "PUT" and taken and id_ and "/" not in id_:
            if _ID.fullmatch(id_):
                return Ask.UPDATE, below
            raise OathwardError(
                "path", "Type/id, the id of letters, digits, - and .", reason=Reason.REQUEST_INVALID
            )
    raise OathwardError("request", reason=Reason.INTERACTION_UNSUPPORTED)


@lru_cache(maxsize=256)
def _check_accept(accept: str) -> None:
    """See that JSON is among what the sender takes."""
    for one in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        refused = any(re.fullmatch(r"q\s*=\s*0(\.0*)?", p) for p in parameters)
        other = any(p.startswith("fhirversion=") and p != "fhirversion=4.0" for p in parameters)
        if (kind in _JSON or kind in {"*/*", "application/*", "json"}) and not refused and not other:
            return
    raise OathwardError("Accept", reason=Reason.HTTP_NOT_ACCEPTABLE)


@lru_cache(maxsize=256)
def _check_content_type(content_type: str, only: str) -> None:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if kind not in ({only} if only else _JSON):
        raise OathwardError("Content-Type", reason=Reason.HTTP_MEDIA_TYPE)
    for one in parameters:
        name, _, value = one.partition("=")
        wanted = {"charset": "utf-8", "fhirversion": "4.0"}.get(name.strip())
        if wanted is not None and value.strip().strip('"') != wanted:
            raise OathwardError("Content-Type", reason=Reason.HTTP_MEDIA_TYPE)


def _conditions(ask: Ask, headers: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Give the conditions of a request, in the order of ``message.CONDITIONS``."""
    match, exist = headers.get("if-match"), headers.get("if-none-exist")
    others = any(name in headers for name in ("if-none-match", "if-modified-since", "if-unmodified-since"))
    if others or (match is not None and not (ask is Ask.UPDATE and _ONE_VERSION.fullmatch(match))):
        raise OathwardError("If-Match", reason=Reason.CONDITION_UNSUPPORTED)
    if exist is not None and not (ask is Ask.CREATE and identifier_of(exist)):
        raise OathwardError("If-None-Exist", reason=Reason.CONDITION_UNSUPPORTED)
    return tuple((n, v) for n, v in (("if-match", match), ("if-none-exist", exist)) if v is not None)


def _preferred(prefer: str) -> tuple[str, str]:
    """Give what an answer holds, and what it says of the preference; a representation is never given."""
    for one in re.split(r"[,;]", prefer):
        name, _, value = one.strip().partition("=")
        if name.strip().lower() == "return":
            wish = value.strip().strip('"')
            if wish == "OperationOutcome":
                return wish, f"return={wish}"
            return "minimal", "return=minimal"
    return "minimal", ""
