"""uvicorn's HTTP/1.1 with two things more: requests know the certificate their connection proved, and time is limited.

Rules:
- A request is whole, its body too, within ``WHOLE_S`` of the connection or of its first byte, whatever stands before it;
  what is not its body is no longer than ``HEAD_BYTES_MAX``.
- An answer that nobody reads on is given up after ``READ_S``, whatever else they send; a connection that is ended by
  us has as long for what is still unread.
- Requests sent before the answer to the one before has ended wait, at most ``BEHIND_MAX`` of them; the time of an
  unfinished one runs on meanwhile, and then nobody gets the answer before it either. No browser sends any so.
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
BEHIND_MAX = 8
PER_ADDRESS_MAX = 100


class Protocol(HttpToolsProtocol):
    """One connection."""

    _peer = b""
    _framing = 0
    """Bytes since the last whole request that are no body."""
    _reading: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Keep what the handshake proved."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=1, low=0)  # so that we are told of every byte nobody took
        tls: Any = transport.get_extra_info("ssl_object")
        self._peer = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""
        self._read_within(WHOLE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._read_within(None)
        self._write_within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request that begins has its time, and a head its length."""
        if self._reading is None and (self.cycle is None or self.cycle.response_complete):
            self._read_within(WHOLE_S)  # empty lines begin no message
        self._framing += len(data)
        super().data_received(data)
        if self._framing > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Give each request of this connection its time and the certificate."""
        if self._reading is None:
            self._read_within(WHOLE_S)
        super().on_message_begin()
        self.scope[PEER] = self._peer  # type: ignore[literal-required]  # servers may add keys of their own

    def on_headers_complete(self) -> None:
        """Begin a request, or have it wait behind a few others."""
        if len(self.pipeline) >= BEHIND_MAX:
            self.transport.abort()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take some of a body, which the frame counts."""
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer for it: the rest is ours to do."""
        self._framing = 0
        self._read_within(None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what waits; who is to hear no more has a while to read the rest."""
        super().on_response_complete()
        self._end_soon()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing is asked."""
        super().timeout_keep_alive_handler()
        self._end_soon()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        super().send_400_response(msg)
        self._end_soon()

    def pause_writing(self) -> None:
        """Wait for a browser that does not read on."""
        super().pause_writing()
        self._write_within(READ_S)

    def resume_writing(self) -> None:
        """Go on: it reads."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._write_within(None)

    def _end_soon(self) -> None:
        """Give a connection that is closing no longer than an answer has."""
        if self.transport.is_closing():
            self._write_within(READ_S)

    def _read_within(self, seconds: float | None) -> None:
        """Give the connection up unless the request is whole by then; None: there is none to wait for."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)

    def _write_within(self, seconds: float | None) -> None:
        """Give the connection up unless what was written is read by then; None: it is."""
        if self._writing is not None:
            self._writing.cancel()
        self._writing = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


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
