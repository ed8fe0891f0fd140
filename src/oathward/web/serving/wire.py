"""uvicorn's HTTP/1.1 with two things more: requests know the certificate their connection proved, and time is limited.

Rules:
- A request is whole, its body too, within ``WHOLE_S`` of the connection or of its first byte, and what is not its body is
  no longer than ``HEAD_BYTES_MAX``; an answer that nobody reads on is given up after ``READ_S``.
- One address has ``PER_ADDRESS_MAX`` connections, half of all; on this machine everybody has the same address. Counted
  where a connection is accepted (``listening``).
- The certificate was checked by TLS against the site's device CA before a byte of HTTP was read; whose it is, and whether
  that service may do anything, is the keeper's to say.
- What is no HTTP gets 400 with our headers' least: nothing of it is repeated or kept.

Deliberately absent: websockets, upgrades.

Source: OWASP ASVS 5.0 V15.2 (availability); RFC 9112 §2.2 (lines before a request), §7.1.2 (trailers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oathward.web.sign_in.begins import network, on_this_machine

if TYPE_CHECKING:
    from starlette.requests import Request

PEER = "oathward.peer"
"""Where a request's scope has the certificate, in DER."""

WHOLE_S = 20.0
READ_S = 60.0
HEAD_BYTES_MAX = 131_072
PER_ADDRESS_MAX = 100


class Protocol(HttpToolsProtocol):
    """One connection."""

    _peer = b""
    _framing = 0
    """Bytes since the last whole request that are no body."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Keep what the handshake proved."""
        super().connection_made(transport)
        tls: Any = transport.get_extra_info("ssl_object")
        self._peer = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""
        self._wait(WHOLE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request that begins has its time, and a head its length."""
        if self._patience is None and (self.cycle is None or self.cycle.response_complete):
            self._wait(WHOLE_S)
        self._framing += len(data)
        super().data_received(data)
        if self._framing > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Give the certificate to each request of this connection."""
        super().on_message_begin()
        self.scope[PEER] = self._peer  # type: ignore[literal-required]  # servers may add keys of their own

    def on_body(self, body: bytes) -> None:
        """Take some of a body, which the frame counts."""
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer: the rest is ours to do."""
        self._framing = 0
        self._wait(None)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for a browser that does not read on."""
        super().pause_writing()
        self._wait(READ_S)

    def resume_writing(self) -> None:
        """Go on: it reads."""
        super().resume_writing()
        self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        """Give the connection up after so long, but for another word; None: have patience."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


def of_same(address: str, connections: Iterable[Any]) -> int:
    """Count the connections of an address; none of this machine's own."""
    if on_this_machine(address):
        return 0
    here = network(address)
    return sum(one.client is not None and network(one.client[0]) == here for one in connections)


def peer_of(request: Request) -> bytes:
    """Give the client certificate of a request, DER; empty where there is none."""
    found: bytes = request.scope.get(PEER, b"")
    return found
