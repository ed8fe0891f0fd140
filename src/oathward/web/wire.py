"""uvicorn's HTTP/1.1 with one thing more: a request knows the client certificate its connection proved.

Rules:
- The certificate was checked by TLS against the site's device CA before a byte of HTTP was read; whose it is, and whether
  that service may do anything, is the keeper's to say.
- What is no HTTP gets 400 with our headers' least: nothing of it is repeated or kept.

Deliberately absent: websockets, upgrades.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from starlette.requests import Request

PEER = "oathward.peer"
"""Where a request's scope has the certificate, in DER."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _peer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Keep what the handshake proved."""
        super().connection_made(transport)
        tls: Any = transport.get_extra_info("ssl_object")
        self._peer = (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""

    def on_message_begin(self) -> None:
        """Give it to each request of this connection."""
        super().on_message_begin()
        self.scope[PEER] = self._peer  # type: ignore[literal-required]  # servers may add keys of their own


def peer_of(request: Request) -> bytes:
    """Give the client certificate of a request, DER; empty where there is none."""
    found: bytes = request.scope.get(PEER, b"")
    return found
