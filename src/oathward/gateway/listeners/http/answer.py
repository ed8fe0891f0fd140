"""HTTP responses as bytes: the same careful headers on all of them.

Rules:
- Nothing is cached, nothing is guessed from content, no page may frame or run it, and no header says what serves.
- A response says whether the connection ends after it.

Deliberately absent: what the body says (``fhir.answers``).

Source: RFC 9110, RFC 9111 (Cache-Control), RFC 6797 (Strict-Transport-Security).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus

FHIR_JSON = "application/fhir+json; charset=utf-8"
JSON = "application/json"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_ALWAYS = (
    "Cache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Strict-Transport-Security: max-age=31536000\r\n"
    "X-Content-Type-Options: nosniff\r\n"
)


@dataclass(frozen=True, slots=True)
class Response:
    """One answer.

    Args:
        headers: beside those that every answer has; values are ours, never a sender's.
        last: the connection ends after it.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = FHIR_JSON
    last: bool = False


def written(response: Response, now_us: int, *, method: str, last: bool) -> bytes:
    """Write a response.

    Args:
        method: of the request; a HEAD is answered without its body.
        last: the connection ends after it, whatever the response says.
    """
    body = response.body
    lines = [_opening(response.status, now_us // 1_000_000)]
    lines += [f"{name}: {value}\r\n" for name, value in response.headers]
    if body:
        lines.append(f"Content-Type: {response.content_type}\r\n")
    if last or response.last:
        lines.append("Connection: close\r\n")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    head = "".join(lines).encode("ascii")
    return head if method == "HEAD" else head + body


@lru_cache(maxsize=64)
def _opening(status: int, now_s: int) -> str:
    date = format_datetime(datetime.fromtimestamp(now_s, UTC), usegmt=True)
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {date}\r\n{_ALWAYS}"
