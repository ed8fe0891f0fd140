"""The FHIR wire to a recipient: one resource as ``PUT base/Type/id``, a transaction as ``POST base``, over TLS.

Rules:
- Every id in a body is fixed for (message, link), so sending it again changes nothing: an unknown outcome is sent again.
- An entry that is only to create is left out where its place is taken (``places``); what is sent is plain R4.
- How what leaves was made is said in a header that a server may know or not (``provenance``).
- ``200 201 202 204`` are a receipt, for a transaction only with a ``transaction-response`` whose every entry says ``2xx``.
- ``408 425 429 502 503 504``: the recipient is away or busy, for everyone. ``Retry-After`` is honoured, bounded,
  in seconds or as a time.
- ``401 403`` and other ``5xx``: nobody can tell from the answer whether it is about us, its server or this message. It is
  about this message when the recipient took another one since this was last tried; else the recipient is away.
- ``409 412``: once more, then it is final. Every other ``4xx``, and any redirect, is final at once.
- What a recipient answers is never logged or kept: status, codes of the published list and a digest are.

Deliberately absent: conditional requests (ids are fixed), redirects, bearer tokens, content codings.

Source: FHIR R4 §3.1.0.2 (read), §3.1.0.4 (update), §3.1.0.7 (create as update), §3.1.0.11 (transaction); RFC 9110
§5.6.7, §10.2.3, §15.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from oathward.core.clock import wall_s
from oathward.core.reasons import Reason
from oathward.core.settings import Courier as Limits
from oathward.courier.http_client import Answer, AnswerBrokenError, HttpConnection
from oathward.courier.lane import reason_of
from oathward.courier.model import GRACE_S, Delivered, Failed, Item, Result
from oathward.courier.places import Places, Target, target_of, without
from oathward.messages.model import OutboxRow

_TOOK = frozenset({200, 201, 202, 204})
_THERE, _NOT_THERE = frozenset({200, 304}), frozenset({404, 410})
"""What a read of a place is answered where something stands there, and where nothing does."""
_AWAY = frozenset({408, 425, 429, 502, 503, 504})
_NOT_US = frozenset({401, 403})
_CLASH = frozenset({409, 412})
_CLASHES_MAX = 1
_ISSUES_MAX = 8
_STATUS = re.compile(r"([1-5]\d\d)(?:\s|$)")
_DATE_CHARS_MIN, _DATE_CHARS_MAX = 24, 40

ISSUE_CODES = frozenset(
    {
        "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown",
        "expired", "forbidden", "suppressed", "processing", "not-supported", "duplicate",
        "multiple-matches", "not-found", "deleted", "too-long", "code-invalid", "extension",
        "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store", "exception",
        "timeout", "incomplete", "throttled", "informational",
    }
)  # fmt: skip
"""Value set issue-type of FHIR R4: what a refusal may be recorded with."""


class FhirWire:
    """One connection to one FHIR server.

    Args:
        base: ``https://host:port/base``; nothing else is ever asked.
        context: for TLS.
        server_name: the name in its certificate; empty for the host of ``base``.
        places: what the recipient is known to hold; shared by all connections to it.
        creates: an entry that is only to create is left out where its place is taken; False: it is written.
        provenance: gives what a write says of how it was made, ASCII without line breaks; empty: nothing.
    """

    window = 1
    grace_s = GRACE_S

    def __init__(
        self,
        base: str,
        limits: Limits,
        *,
        context: ssl.SSLContext | None,
        server_name: str = "",
        places: Places | None = None,
        creates: bool = True,
        provenance: Callable[[OutboxRow], str] = lambda _: "",
    ) -> None:
        where = urlsplit(base)
        self._places, self._creates = places or Places(), creates
        self._provenance = provenance
        self._authority, self._path = where.netloc, where.path.rstrip("/")
        self._limits = limits
        self._http = HttpConnection(
            where.hostname or "",
            where.port or 443,
            context=context,
            server_name=server_name,
            connect_timeout_s=limits.connect_timeout_s,
            reply_timeout_s=limits.reply_timeout_s,
            send_buffer_bytes=limits.send_buffer_bytes,
        )
        self._wanted = False
        self._took_at_s = 0.0
        self._sending: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect unless connected; ``OSError`` or ``TimeoutError`` where that fails."""
        self._wanted = True
        await self._http.open()

    def send(self, item: Item, answered: Callable[[Item, Result], None]) -> None:
        """Send one body; ``answered`` comes once for it."""
        self._sending = asyncio.get_running_loop().create_task(self._send(item, answered))

    def close(self) -> None:
        """Break off; what is outstanding is answered as failed."""
        self._wanted = False
        self._http.close()

    def break_off(self, _ids: Collection[str], /) -> None:
        """Reset the connection and give up what is outstanding, wherever it has come to; it is answered as failed."""
        self.close()
        if self._sending is not None:
            self._sending.cancel()

    async def _send(self, item: Item, answered: Callable[[Item, Result], None]) -> None:
        tried_at_s, item.sent_at_s = item.sent_at_s, time.monotonic()
        result: Result = Failed(Reason.INTERNAL)  # a bug of ours must not leave a lane waiting for ever
        try:
            result = await self._exchange(item, tried_at_s)
        except OSError as error:
            result = Failed(reason_of(error, Reason.RECIPIENT_NO_ANSWER))
        except asyncio.CancelledError:
            result = Failed(Reason.RECIPIENT_NO_ANSWER)
            raise
        finally:
            if isinstance(result, Delivered):
                self._took_at_s = time.monotonic()
            answered(item, result)

    async def _exchange(self, item: Item, tried_at_s: float) -> Result:
        target = target_of(item.body)
        if target is None:
            return Failed(Reason.DELIVERY_FORM, refused=True, final=True)
        async with self._places.held(target.places):
            result = await self._create_and_update(item, target, tried_at_s)
            creates = {target.places[n] for n in target.creates}
            if creates and isinstance(result, Failed) and result.refused:
                # What was there may have been deleted since: nothing is taken for granted the second time.
                relied = any(map(self._places.known, creates))
                self._places.forget(creates)
                if relied and result.final:
                    result = await self._create_and_update(item, target, tried_at_s)
            if isinstance(result, Delivered):
                self._places.remember(target.places)
            return result

    async def _create_and_update(self, item: Item, target: Target, tried_at_s: float) -> Result:
        """Send one body: all that it updates, and what it is to create where nothing stands yet."""
        if not target.creates:
            return await self._write(item, target, item.body, target.entries, tried_at_s)
        taken: set[str] = set()
        seen: Answer | None = None
        only = len(target.creates) == target.entries  # then a read is all the answer there is
        for place in dict.fromkeys(target.places[n] for n in target.creates if self._creates):
            if self._places.known(place) and not only:
                taken.add(place)
                continue
            # What stands there is nobody's business here: its id will do.
            seen = await self._ask(self._head("GET", f"{place}?_elements=id", item).encode("ascii"))
            if seen.status in _THERE:
                taken.add(place)
                self._places.remember((place,))
            elif seen.status not in _NOT_THERE:
                if seen.status in _TOOK:
                    return Failed(Reason.RECIPIENT_UNCLEAR, refused=True, answer=str(seen.status))
                return self._judge(item, seen, 0, others=self._took_at_s > tried_at_s)
        left = target.entries - sum(target.places[n] in taken for n in target.creates)
        if not left and seen is not None:
            return Delivered(str(seen.status), receipt(seen))
        return await self._write(item, target, without(item.body, target, taken), left, tried_at_s)

    async def _write(
        self, item: Item, target: Target, body: bytes, entries: int, tried_at_s: float
    ) -> Result:
        head = self._head(target.method, target.below, item, len(body))
        answer = await self._ask(head.encode("ascii") + body)
        # Whoever served others since this was last tried has something against this very message.
        return self._judge(item, answer, entries, others=self._took_at_s > tried_at_s)

    def _head(self, method: str, below: str, item: Item, size_bytes: int = 0) -> str:
        path = f"{self._path}/{below}" if below else self._path or "/"
        start = f"{method} {path} HTTP/1.1\r\nHost: {self._authority}\r\n"
        common = f"Accept: application/fhir+json\r\nX-Request-Id: {item.row.id}\r\n"
        if method == "GET":
            return f"{start}{common}\r\n"
        made = self._provenance(item.row)
        made = f"X-Provenance: {made}\r\n" if made else ""
        return (
            f"{start}Content-Type: application/fhir+json\r\n{common}Prefer: return=minimal\r\n"
            f"{made}Content-Length: {size_bytes}\r\n\r\n"
        )

    async def _ask(self, request: bytes) -> Answer:
        """Ask; on a connection that the server closed while nothing was outstanding, once more on a new one."""
        used = self._http.is_used
        try:
            return await self._ask_once(request)
        except AnswerBrokenError:
            raise
        except ConnectionError:
            if not used or not self._wanted:
                raise
        return await self._ask_once(request)

    async def _ask_once(self, request: bytes) -> Answer:
        if not self._http.is_open:
            await self._http.open()
            if not self._wanted:
                self._http.close()
        return await self._http.ask(request)

    def _judge(self, item: Item, answer: Answer, entries: int, *, others: bool) -> Result:
        status = answer.status
        if status in _TOOK and entries and status != 202:
            status = transaction_status(answer, entries)
        if status in _TOOK:
            return Delivered(str(status), receipt(answer))
        if status in _CLASH:
            item.conflicts += 1
        failed = _failure(status, others=others, clashes=item.conflicts)
        pause_s = 0.0 if failed.refused else retry_after_s(answer, self._limits.retry_after_longest_s)
        return replace(failed, pause_s=pause_s, answer=str(answer.status), codes=issue_codes(answer))


def _failure(status: int, *, others: bool, clashes: int) -> Failed:
    """Say what a status means that is no receipt; 0 is an answer that does not say.

    Args:
        others: whether the recipient took other messages since this one was last tried.
        clashes: how often this message clashed, now included.
    """
    if status < 300:
        return Failed(Reason.RECIPIENT_UNCLEAR, refused=True)
    if status in _AWAY:
        return Failed(Reason.RECIPIENT_UNAVAILABLE)
    if status in _NOT_US:
        return Failed(Reason.RECIPIENT_DISTRUSTS, refused=others)
    if status >= 500:
        return Failed(Reason.RECIPIENT_UNAVAILABLE, refused=others)
    final = status not in _CLASH or clashes > _CLASHES_MAX
    return Failed(Reason.RECIPIENT_REFUSED, refused=True, final=final)


def transaction_status(answer: Answer, entries: int) -> int:
    """Give the status of a whole transaction: 200, or that of the first entry which was not taken; 0 is unclear."""
    body = _json(answer)
    if body.get("resourceType") != "Bundle" or body.get("type") != "transaction-response":
        return 0
    responses = body.get("entry")
    if not isinstance(responses, list) or len(responses) != entries:
        return 0
    worst = 200
    for one in responses:
        response = one.get("response") if isinstance(one, dict) else None
        said = response.get("status") if isinstance(response, dict) else None
        found = _STATUS.match(said) if isinstance(said, str) else None
        if found is None:
            return 0
        if worst == 200 and int(found[1]) not in _TOOK:
            worst = int(found[1])
    return worst


def issue_codes(answer: Answer) -> tuple[str, ...]:
    """List the codes of an OperationOutcome that are of the published list; its texts are never read."""
    body = _json(answer) if answer.status >= 300 else {}
    if body.get("resourceType") != "OperationOutcome" or not isinstance(body.get("issue"), list):
        return ()
    found = (issue.get("code") for issue in body["issue"] if isinstance(issue, dict))
    return tuple(dict.fromkeys(c for c in found if isinstance(c, str) and c in ISSUE_CODES))[:_ISSUES_MAX]


def retry_after_s(answer: Answer, longest_s: float) -> float:
    """Read ``Retry-After``, bounded; 0 where there is none, or one in neither of its forms.

    A time counts from the server's own clock (``Date``), if it tells; else from ours.
    """
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 10:
        return min(float(said), longest_s)
    until_s = _http_time_s(said)
    if until_s is None:
        return 0.0
    now_s = _http_time_s(answer.headers.get("date", "").strip())
    return min(max(until_s - (wall_s() if now_s is None else now_s), 0.0), longest_s)


def _http_time_s(text: str) -> float | None:
    """Read an HTTP-date as seconds UTC, in any of its three forms; None for anything else."""
    if not text.isascii() or not _DATE_CHARS_MIN <= len(text) <= _DATE_CHARS_MAX:
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def receipt(answer: Answer) -> str:
    """Digest what the recipient answered: it can prove later that this was its answer, and nobody reads it from here."""
    parts = (str(answer.status), answer.headers.get("etag", ""), answer.headers.get("location", ""))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _json(answer: Answer) -> dict[str, Any]:
    if not answer.whole or answer.headers.get("content-encoding", "identity") != "identity":
        return {}
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
