"""Bytes into HTTP requests, under limits; no sockets.

Rules:
- ``httptools`` (llhttp, strict) reads. What two readers could cut in different places is refused: both Content-Length
  and Transfer-Encoding, either of them twice, another coding than ``chunked``, bare line ends, folded headers.
- A request is judged once its headers are whole, before its body is read: what is refused then keeps no memory.
- Where the framing cannot be relied on any more, nothing behind it is read: ``broken`` says why.
- Headers that change what a request means may stand there once; trailers mean nothing.

Deliberately absent: time (``since`` says when to begin counting), answers, FHIR.

Source: RFC 9110, RFC 9112 (§6.3 message body length, §11.2 request smuggling).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httptools

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir
from oathward.gateway.listeners.http.body import CODINGS, Body

HEADERS_MAX = 100
_SLICE_BYTES = 16_384
"""Fed at a time, so that what a parser keeps of an unfinished header stays near its limit."""

_ONCE = frozenset(
    (
        "host",
        "content-type",
        "content-encoding",
        "authorization",
        "expect",
        "if-match",
        "if-none-exist",
        "prefer",
    )
)
_FRAMING_SPARE_BYTES = 65_536
"""What chunk sizes and extensions may take beside the body itself."""

_TARGET = re.compile(r"(?:https?://[^/?#\s]+)?(/[!-~]*)")
_BODILESS = frozenset(("GET", "HEAD"))


@dataclass(slots=True)
class Request:
    """One request.

    Args:
        target: path and query, as written. headers: by name in lower case.
        refused: why it is answered without being looked at further; then ``body`` is empty.
        last: the connection ends after its answer.
        size_bytes: of the body. weight: how much work it is, in bytes; 0 for none.
        caller: who asks and for what, as far as the judge could tell.
    """

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)
    last: bool
    body: bytes = field(default=b"", repr=False)
    refused: Reason | None = None
    where: str = ""
    size_bytes: int = 0
    weight: int = 0
    caller: Any = None


Judge = Callable[[Request], None]
"""Raises an OathwardError for a request that is refused by its headers."""


class Reader:
    """Reads the requests of one connection.

    Args:
        judge: asked once a request's headers are whole. weigh: says how much work a body is.
    """

    def __init__(self, limits: Fhir, judge: Judge, weigh: Callable[[bytes], int] = len) -> None:
        self._limits, self._judge, self._weigh = limits, judge, weigh
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[Request] = []
        self._target, self._headers = b"", dict[str, str]()
        self._head_bytes = self._passed_bytes = self._count = self._unfinished_bytes = 0
        self._request: Request | None = None
        self._body: Body | None = None
        self._why: OathwardError | None = None
        self.broken: OathwardError | None = None
        """Why nothing more can be read; what came whole before it is still good."""
        self.state = "idle"
        """``idle`` between requests, ``head`` or ``body`` within one."""
        self.owes_continue = False
        """Whether the sender waits for ``100 Continue`` before it sends the body."""

    @property
    def place(self) -> tuple[int, str]:
        """Which request is read, and how far it is: what changes whenever something comes to its end."""
        return self._count, self.state

    @property
    def pending_bytes(self) -> int:
        """What is kept of a request that is not whole."""
        return self._head_bytes + (len(self._body) if self._body is not None else 0)

    def feed(self, data: bytes) -> list[Request]:
        """Read on; gives the requests that are whole now. Call it no more once it is ``broken``."""
        view = memoryview(data)
        try:
            for start in range(0, len(data), _SLICE_BYTES):
                self._feed(view[start : start + _SLICE_BYTES])
        except httptools.HttpParserUpgrade:
            self.broken = OathwardError("Upgrade", reason=Reason.HTTP_MALFORMED)
        except httptools.HttpParserError:
            self.broken = self._why or OathwardError(self.state, reason=Reason.HTTP_MALFORMED)
        except OathwardError as error:
            self.broken = error
        done, self._done = self._done, []
        return done

    def drop(self) -> None:
        """Keep nothing any more; it is not fed again."""
        self._body = self._request = None
        self._headers, self._head_bytes, self._done = {}, 0, []
        self.state, self.owes_continue = "idle", False

    def _feed(self, data: memoryview) -> None:
        count, state = self._count, self.state
        self._parser.feed_data(data)
        if self.state == "idle" or (count, state) != (self._count, self.state):
            self._unfinished_bytes = 0
            return
        self._unfinished_bytes += len(data)  # of one header block or body that neither began nor ended in it
        if self.state == "head" and self._unfinished_bytes > self._limits.header_bytes_max:
            raise OathwardError("headers", reason=Reason.HTTP_HEADERS_TOO_LARGE)
        sent = self._body.sent_bytes if self._body is not None else self._unfinished_bytes
        if self.state == "body" and self._unfinished_bytes > 2 * sent + _FRAMING_SPARE_BYTES:
            raise OathwardError("body", reason=Reason.HTTP_MALFORMED)

    # --- called by the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.state = "head"
        self._count += 1
        self._target, self._headers, self._head_bytes, self._passed_bytes = b"", {}, 0, 0
        self._request = self._body = None
        self.owes_continue = False

    def on_url(self, url: bytes) -> None:
        """Take (a part of) the target."""
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; a trailer is counted and forgotten."""
        self._count_head(len(name) + len(value) + 4)
        if self.state != "head":
            return
        key, text = name.decode("ascii").lower(), value.decode("latin-1").strip(" \t")
        if key in self._headers:
            if key in _ONCE or len(self._headers) > HEADERS_MAX:
                self._refuse(OathwardError(key, reason=Reason.HTTP_MALFORMED))
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text
        if len(self._headers) > HEADERS_MAX:
            self._refuse(OathwardError("headers", reason=Reason.HTTP_HEADERS_TOO_LARGE))

    def on_headers_complete(self) -> None:
        """Judge a request by its headers."""
        method = self._parser.get_method().decode("ascii")
        version = self._parser.get_http_version()
        headers = self._headers
        try:
            if self._parser.should_upgrade():
                raise OathwardError("Upgrade", reason=Reason.HTTP_MALFORMED)
            target = _target(self._target, headers, version)
            coding = _framed(method, version, headers, self._limits)
        except OathwardError as error:
            self._refuse(error)
            return
        request = Request(method, target, headers, last=not self._parser.should_keep_alive())
        self.state = "body"
        self._request = request
        expects = headers.get("expect", "").lower()
        try:
            if expects not in {"", "100-continue"}:
                raise OathwardError("Expect", reason=Reason.HTTP_EXPECTATION)
            if coding and coding not in CODINGS:
                raise OathwardError("Content-Encoding", reason=Reason.HTTP_ENCODING_UNSUPPORTED)
            self._judge(request)
            self._body = Body(self._limits, coding)
        except OathwardError as error:
            request.refused, request.where = error.reason, error.where
            if expects:  # whether the body follows is the sender's choice: nothing behind can be relied on
                self._refuse(error)
        self.owes_continue = bool(expects) and version == "1.1" and request.refused is None

    def on_body(self, data: bytes) -> None:
        """Take a part of the body."""
        self.owes_continue = False
        if self._body is None:  # of a refused request: read past
            self._passed_bytes += len(data)
            if self._passed_bytes > self._limits.body_bytes_max:
                self._refuse(OathwardError("body", reason=Reason.HTTP_BODY_TOO_LARGE))
            return
        try:
            self._body.add(data)
        except OathwardError as error:
            self._refuse(error)

    def on_message_complete(self) -> None:
        """Hand over what is whole."""
        request = self._request
        assert request is not None
        if self._body is not None:
            try:
                request.body = self._body.whole()
                request.size_bytes, request.weight = len(request.body), self._weigh(request.body)
            except OathwardError as error:
                request.refused, request.where = error.reason, error.where
        self._done.append(request)
        self.state, self.owes_continue = "idle", False
        self._request = self._body = None
        self._head_bytes = 0

    # --- inside

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.header_bytes_max:
            self._refuse(OathwardError("headers", reason=Reason.HTTP_HEADERS_TOO_LARGE))

    def _refuse(self, error: OathwardError) -> None:
        """End reading: the parser passes this on as an error of its own.

        Raises:
            OathwardError: the one given.
        """
        self._why = error
        raise error


def _target(raw: bytes, headers: dict[str, str], version: str) -> str:
    """Give path and query of a request's target.

    Raises:
        OathwardError: it has none, or does not say which host it is for.
    """
    if version not in {"1.1", "1.0"}:
        raise OathwardError("version", reason=Reason.HTTP_VERSION)
    if version == "1.1" and not headers.get("host"):
        raise OathwardError("Host", reason=Reason.HTTP_MALFORMED)
    found = _TARGET.fullmatch(raw.decode("latin-1"))
    if found is None:
        raise OathwardError("target", reason=Reason.HTTP_MALFORMED)
    return found[1]


def _framed(method: str, version: str, headers: dict[str, str], limits: Fhir) -> str:
    """Check how a body is framed; gives its content coding.

    Raises:
        OathwardError: it cannot be told where it ends, or it is too long.
    """
    transfer, length = headers.get("transfer-encoding"), headers.get("content-length")
    if transfer is not None and (version == "1.0" or transfer.lower() != "chunked"):
        raise OathwardError("Transfer-Encoding", reason=Reason.HTTP_MALFORMED)
    if transfer is None and length is None and method not in _BODILESS:
        if method in {"POST", "PUT"}:
            raise OathwardError("Content-Length", reason=Reason.HTTP_LENGTH_MISSING)
        return ""
    if length is not None and int(length) > limits.body_bytes_max:
        raise OathwardError("Content-Length", reason=Reason.HTTP_BODY_TOO_LARGE)
    coding = headers.get("content-encoding", "").lower()
    return "" if coding == "identity" else coding
