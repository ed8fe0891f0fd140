"""A request's body as it comes in: counted, and decompressed no further than it may grow.

Rules:
- What was sent and what it becomes each have ``body_bytes_max``; compressed, it may become ``expands_max`` times as
  long, beyond a first part that any small body may take.
- A compressed body ends where its stream ends: what is missing or follows is broken.

Deliberately absent: HTTP framing (``reading``), what the bytes mean.

Source: RFC 9110 §8.4 (content codings), RFC 1950, RFC 1951, RFC 1952.
"""

from __future__ import annotations

import zlib

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir

CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content-Encoding -> window bits as zlib takes them: gzip and zlib formats, never raw."""

_ANY_RATIO_BYTES = 65_536


class Body:
    """The bytes of one body.

    Args:
        coding: one of ``CODINGS``; empty for bytes as they are.
    """

    __slots__ = ("_data", "_limits", "_stream", "sent_bytes")

    def __init__(self, limits: Fhir, coding: str) -> None:
        self._limits = limits
        self._stream = zlib.decompressobj(CODINGS[coding]) if coding else None
        self._data = bytearray()
        self.sent_bytes = 0

    def __len__(self) -> int:
        return len(self._data)

    def add(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            OathwardError: too long, grows too much, or not compressed as it says.
        """
        most = self._limits.body_bytes_max
        self.sent_bytes += len(data)
        if self.sent_bytes > most:
            raise OathwardError("body", reason=Reason.HTTP_BODY_TOO_LARGE)
        if self._stream is None:
            self._data += data
            return
        if self._stream.eof:
            raise OathwardError("body", reason=Reason.HTTP_ENCODING_BROKEN)
        room = min(most, max(_ANY_RATIO_BYTES, self.sent_bytes * self._limits.expands_max)) - len(self._data)
        try:
            self._data += self._stream.decompress(data, room + 1)
        except zlib.error as error:
            raise OathwardError("body", reason=Reason.HTTP_ENCODING_BROKEN) from error
        if self._stream.unconsumed_tail or len(self._data) > most:
            raise OathwardError("body", reason=Reason.HTTP_BODY_EXPANDS)
        if self._stream.unused_data:
            raise OathwardError("body", reason=Reason.HTTP_ENCODING_BROKEN)

    def whole(self) -> bytes:
        """Give the body, once it came to its end.

        Raises:
            OathwardError: the compressed stream did not.
        """
        if self._stream is not None and not self._stream.eof:
            raise OathwardError("body", reason=Reason.HTTP_ENCODING_BROKEN)
        return bytes(self._data)
