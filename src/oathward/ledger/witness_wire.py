"""The little of HTTP/1.1 a witness speaks, without a socket: bytes in, a request out; an answer to bytes.

Rules:
- One request a connection; the answer says ``Connection: close``.
- Head and body are bounded before they are read; what is not exactly understood is refused, never guessed:
  two lengths, a transfer coding, a folded or unnamed header line, a bare line feed.
- ``POST /add-checkpoint`` and ``GET /HASH/checkpoint``, as C2SP tlog-witness has them.

Deliberately absent: keep-alive, chunks, ranges, TLS (a proxy or a private line does that: nothing here is secret).

Source: RFC 9112 §2 to §6 (message form, length); C2SP tlog-witness.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger.witness import Answer

HEAD_BYTES_MAX = 8_192
BODY_BYTES_MAX = 131_072
ANSWER_BYTES_MAX = 262_144

_REQUEST = re.compile(rb"(GET|POST) (/[!-~]{0,1000}) HTTP/1\.[01]")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: method, path, body."""

    method: str
    path: str
    body: bytes


class Inbox:
    """Collect one message (request or answer) from bytes as they come.

    Invariant: never holds more than head and body may have.
    """

    def __init__(self, start: re.Pattern[bytes], body_bytes_max: int, *, length_needed: bytes = b"") -> None:
        self._start, self._body_bytes_max, self._length_needed = start, body_bytes_max, length_needed
        self._data = b""
        self._head: re.Match[bytes] | None = None
        self._length = 0

    def feed(self, data: bytes) -> tuple[re.Match[bytes], bytes] | None:
        """Take bytes; gives the match of the first line and the body once they are whole.

        Raises:
            InputError: not a message this program speaks, or over a limit (``message.limit-exceeded``).
        """
        self._data += data
        if self._head is None:
            end = self._data.find(b"\r\n\r\n")
            if max(end, 0 if end >= 0 else len(self._data)) > HEAD_BYTES_MAX:
                raise InputError("head", f"over {HEAD_BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
            if end < 0:
                return None
            self._read_head(self._data[:end])
            self._data = self._data[end + 4 :]
        if len(self._data) > self._length:
            raise InputError("body", "is longer than it says")
        if len(self._data) < self._length or self._head is None:
            return None
        return self._head, self._data

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        matched = self._start.fullmatch(first)
        if matched is None:
            raise InputError("first line", "is not one this program speaks")
        lengths = []
        for line in lines:
            field = _FIELD.fullmatch(line)
            if field is None or b"\n" in line or b"\r" in line:
                raise InputError("head", "has a line that is not a field")
            name, value = field[1].lower(), field[2]
            if name == b"transfer-encoding":
                raise InputError("head", "transfer codings are not spoken here")
            if name == b"content-length":
                lengths.append(value)
        if len(lengths) > 1 or not all(_LENGTH.fullmatch(value) for value in lengths):
            raise InputError("content-length", "must be one number")
        if not lengths and first.startswith(self._length_needed or b"\0"):
            raise InputError("content-length", "is missing")
        self._length = int(lengths[0]) if lengths else 0
        if self._length > self._body_bytes_max:
            raise InputError("body", f"over {self._body_bytes_max} bytes", reason=Reason.LIMIT_EXCEEDED)
        self._head = matched


class RequestInbox:
    """Collect one request."""

    def __init__(self) -> None:
        self._inbox = Inbox(_REQUEST, BODY_BYTES_MAX, length_needed=b"POST")

    def feed(self, data: bytes) -> Request | None:
        """Take bytes; gives the request once it is whole.

        Raises:
            InputError: as ``Inbox.feed``.
        """
        found = self._inbox.feed(data)
        if found is None:
            return None
        head, body = found
        return Request(head[1].decode(), head[2].decode(), body)


class AnswerInbox:
    """Collect one answer."""

    def __init__(self) -> None:
        self._inbox = Inbox(_STATUS, ANSWER_BYTES_MAX, length_needed=b"HTTP")

    def feed(self, data: bytes) -> Answer | None:
        """Take bytes; gives the answer once it is whole.

        Raises:
            InputError: as ``Inbox.feed``.
        """
        found = self._inbox.feed(data)
        if found is None:
            return None
        head, body = found
        return Answer(int(head[1]), body.decode("utf-8", "replace"))


def write_request(method: str, path: str, host: str, body: bytes = b"") -> bytes:
    """Write a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def write_answer(answer: Answer) -> bytes:
    """Write an answer."""
    body = answer.body.encode()
    phrase = HTTPStatus(answer.status).phrase
    head = (
        f"HTTP/1.1 {answer.status} {phrase}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
