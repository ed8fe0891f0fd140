"""The JSON API's side of the frame: who asks by which token, a body read strictly, errors as problem documents.

Rules:
- A token stands in ``Authorization: Bearer`` alone, never in an address. A page of the console may call with its session's
  cookie instead; then the header ``Oathward-Token`` shows the token of its forms, and the request is of our own page.
- What a body is called must be what it is (415), no longer than the call takes (413); nothing is guessed.
- An error is ``application/problem+json`` with ``code``, the reason's; a 404 says nothing more, whatever it hides.

Deliberately absent: CORS (no other site's script reads an answer), content codings, methods told by a header.

Source: RFC 9457 (problem details); RFC 6750 (bearer tokens); RFC 9470 (step-up); RFC 9110 §15.5.
"""

from __future__ import annotations

import dataclasses
import hmac
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.responses import Response

from oathward.core.errors import InputError
from oathward.core.meanings import MEANINGS
from oathward.core.reasons import BY_CODE, Reason
from oathward.web import plain, security
from oathward.web.asking import HELPS
from oathward.web.calls import FORM, JSON, PROBLEM, asked, parsed, read

if TYPE_CHECKING:
    from starlette.requests import Request

    from oathward.web.page import Route
    from oathward.web.view import View

TOKEN_HEADER = "oathward-token"  # noqa: S105  a header's name
PERSON, SERVICE = "p_", "s_"
"""How bearer tokens begin: a person's session, a service's token."""

_TOKEN = re.compile(r"(p_|s_)[A-Za-z0-9._~-]{16,4096}")
_FIELDS_MAX = 20


def secret_of(request: Request, *, changes: bool) -> tuple[str, bool]:
    """Find the secret a call shows, and whether it is a service's.

    Args:
        changes: the call may change something.

    Raises:
        InputError: ``credentials.missing``: it shows none. ``token.invalid``: what it shows is none.
    """
    shown = request.headers.getlist("authorization")
    if shown:
        scheme, _, token = shown[0].partition(" ")
        found = _TOKEN.fullmatch(token)
        if len(shown) > 1 or scheme.lower() != "bearer" or found is None:
            raise InputError("Authorization", "must be one bearer token", reason=Reason.TOKEN_INVALID)
        return token[2:], found[1] == SERVICE
    secret = request.cookies.get(security.cookie_name(request), "")
    given = request.headers.get(TOKEN_HEADER, "")
    if not secret or not hmac.compare_digest(security.token_of(secret).encode(), given.encode()):
        raise InputError("Authorization", "shows no token", reason=Reason.CREDENTIALS_MISSING)
    if changes:
        security.check_origin(request)
    return secret, False


async def body_of(request: Request, route: Route) -> bytes:
    """Read a call's body under its limit.

    Raises:
        InputError: ``http.media-type``, ``http.encoding-unsupported``, ``http.body-too-large``; a GET has none.
    """
    call = route.call
    limit = 0 if route.method in {"GET", "DELETE"} else call.bytes_max
    if limit and not _is_empty(request, route):
        kind, _, more = request.headers.get("content-type", "").partition(";")
        charset = more.strip().lower().replace('"', "")
        named = {call.media, JSON} if call.media.endswith("+json") else {call.media}
        if kind.strip().lower() not in named or charset not in {"", "charset=utf-8"}:
            raise InputError("Content-Type", f"must be {call.media}", reason=Reason.HTTP_MEDIA_TYPE)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InputError("Content-Encoding", "must be none", reason=Reason.HTTP_ENCODING_UNSUPPORTED)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > limit:
            why = f"must be at most {limit} bytes" if limit else "must be empty"
            raise InputError("body", why, reason=Reason.HTTP_BODY_TOO_LARGE)
    return body


def _is_empty(request: Request, route: Route) -> bool:
    """Whether a call that takes nothing got nothing: then nothing needs a name."""
    nothing = (
        request.headers.get("content-length", "") in {"", "0"} and "transfer-encoding" not in request.headers
    )
    return nothing and route.call.takes is None and route.call.media == JSON


def with_body(route: Route, view: View, raw: bytes) -> View:
    """Give the view what the call takes.

    Raises:
        InputError: query or body are not what the call takes; it takes an answer of another kind alone.
    """
    _check_accept(view.request)
    call = route.call
    asks = asked(call, _pairs(view.request.url.query))
    if route.method in {"GET", "DELETE"}:
        return dataclasses.replace(view, asks=asks)
    if call.media == FORM:
        try:
            pairs = parse_qsl(
                raw.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(raw),
                max_num_fields=_FIELDS_MAX,
            )
        except ValueError as error:
            raise InputError("body", "is no form", reason=Reason.INPUT_INVALID) from error
        plain.check_texts("body", (text for pair in pairs for text in pair))
        return dataclasses.replace(view, asks=asks, fields=tuple(pairs))
    value = parsed(raw) if raw or call.takes else None
    return dataclasses.replace(view, asks=asks, body=read(call.takes, value) if call.takes else value)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError as error:
        raise InputError("query", f"has more than {_FIELDS_MAX}", reason=Reason.INPUT_INVALID) from error


def _check_accept(request: Request) -> None:
    accept = request.headers.get("accept", "*/*")
    kinds = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    ours = {"*/*", "application/*", JSON, PROBLEM}
    if not any(kind in ours or kind.endswith("+json") for kind in kinds):
        raise InputError("Accept", f"takes no {JSON}", reason=Reason.HTTP_NOT_ACCEPTABLE)


def problem(status: int, code: str, why: str) -> Response:
    """Write an error as a problem document."""
    known = BY_CODE.get(code)
    told: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if code:
        told["code"] = code
    if why:
        told["detail"] = why
    if known is not None and why and status != 404:
        told["remedy"] = MEANINGS[known].remedy
    headers = {}
    if status == 401:
        headers["www-authenticate"] = _challenge(known)
    return Response(orjson.dumps(told), status, headers, PROBLEM)


def _challenge(reason: Reason | None) -> str:
    if reason in HELPS:
        return 'Bearer realm="oathward", error="insufficient_user_authentication"'
    if reason is Reason.TOKEN_INVALID:
        return 'Bearer realm="oathward", error="invalid_token"'
    return 'Bearer realm="oathward"'
