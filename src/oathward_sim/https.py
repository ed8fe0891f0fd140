"""HTTP/1.1 as the simulator's own outsiders speak it: a few lines to read and write requests and answers.

Rules:
- Bodies have a length; chunks, codings and everything else of HTTP are left out, and refused.
- It shares nothing with the product's own client and door.

Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

BODY_BYTES_MAX = 16 * 1024 * 1024
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def taken(self) -> bool:
        """Whether it says yes."""
        return 200 <= self.status < 300


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request.

    Raises:
        EOFError: the connection ended. ValueError: not one this side takes.
    """
    first, headers, body = await _read(reader)
    method, target, _ = first.split(" ", 2)
    return Request(method, target, headers, body)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Read one answer; raises as ``read_request`` does."""
    first, headers, body = await _read(reader)
    return Answer(int(first.split(" ")[1]), headers, body)


def request(method: str, target: str, host: str, body: bytes, kind: str = "application/fhir+json") -> bytes:
    """Write one request."""
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nAccept: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Write one answer."""
    named = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Answer\r\n{lines}\r\n".encode() + body


async def _read(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    head = (await reader.readuntil(_HEAD_END)).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "transfer-encoding" in headers or "content-encoding" in headers:
        raise ValueError("only bodies with a length")
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= BODY_BYTES_MAX:
        raise ValueError("a body too large")
    return first, headers, await reader.readexactly(length)
