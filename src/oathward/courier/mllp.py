"""The MLLP wire to a recipient, plain or TLS: send a frame, match the acknowledgement.

Rules:
- An answer is matched by MSA-2 with our MSH-10; one that matches nothing outstanding breaks the connection.
- ``AA`` and ``CA`` are a receipt; ``AE AR CE CR`` are the recipient's no to this message.
- A message that may not be sent any more resets the connection: half of it in the middle of a stream cannot be taken back.
- No answer in time, or a broken connection: the outcome is unknown and the message is sent again with its id.

Source: HL7 v2.6 chapter 2.9 (acknowledgement), table 0008.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Collection
from typing import cast

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.core.settings import Courier as Limits
from oathward.courier.lane import reason_of
from oathward.courier.model import GRACE_S, Delivered, Failed, Item, Result
from oathward.courier.sockets import let_go, prepare
from oathward.protocols.hl7v2.mllp import FrameLimits, Framer, wrap

_ACK_BYTES_MAX = 65_536


class MllpWire(asyncio.Protocol):
    """One client connection.

    Args:
        host, port: of the recipient.
        context: for TLS; ``None`` is plain.
    """

    grace_s = GRACE_S

    def __init__(
        self, host: str, port: int, limits: Limits, *, context: ssl.SSLContext | None, server_name: str = ""
    ) -> None:
        self._host, self._port, self._limits = host, port, limits
        self._context, self._server_name = context, server_name
        self.window = limits.window_messages
        self._transport: asyncio.Transport | None = None
        self._framer = Framer(FrameLimits(_ACK_BYTES_MAX))
        self._outstanding: dict[bytes, tuple[Item, Callable[[Item, Result], None]]] = {}
        self._out: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Connect unless connected; ``OSError`` or ``TimeoutError`` where that fails."""
        if self._transport is not None and not self._transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        self._framer = Framer(FrameLimits(_ACK_BYTES_MAX))
        name = (self._server_name or self._host) if self._context else None
        async with asyncio.timeout(self._limits.connect_timeout_s):
            await loop.create_connection(
                lambda: self, self._host, self._port, ssl=self._context, server_hostname=name
            )

    def send(self, item: Item, answered: Callable[[Item, Result], None]) -> None:
        """Send one message; writes of one turn of the loop leave together."""
        if self._transport is None or self._transport.is_closing():
            # The recipient closed while nothing was outstanding.
            asyncio.get_running_loop().call_soon(answered, item, Failed(Reason.RECIPIENT_UNREACHABLE))
            return
        item.sent_at_s = time.monotonic()
        self._outstanding[item.row.id.encode()] = item, answered
        if self.window == 1:  # nothing else could leave with it
            self._transport.write(wrap(item.body))
        else:
            if not self._out:
                asyncio.get_running_loop().call_soon(self._flush)
            self._out.append(wrap(item.body))
        if self._timer is None:
            self._arm()

    def close(self) -> None:
        """Break off; what is outstanding is answered as failed, and nothing of it that has not left leaves any more."""
        self._out.clear()
        if self._transport is not None:
            if not self._outstanding:
                let_go(self._transport)
            self._transport.abort()

    def break_off(self, _ids: Collection[str], /) -> None:
        """Reset the connection; what is outstanding is answered as failed."""
        self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to send."""
        self._transport = cast("asyncio.Transport", transport)
        prepare(transport, self._limits.send_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """Match acknowledgements."""
        try:
            for frame in self._framer.feed(data):
                self._acknowledged(frame)
        except DecodeError:
            self.close()

    def eof_received(self) -> None:
        """Let the connection end, politely where nothing is outstanding."""
        if self._transport is not None and not self._outstanding:
            let_go(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer everything outstanding as failed: its outcome is unknown."""
        self._transport = None
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        outstanding, self._outstanding = self._outstanding, {}
        reason = Reason.RECIPIENT_NO_ANSWER
        if isinstance(exc, OSError):
            reason = reason_of(exc, reason)
        for item, answered in outstanding.values():
            answered(item, Failed(reason))

    def _acknowledged(self, frame: bytes) -> None:
        code, control_id = msa(frame)
        found = self._outstanding.pop(control_id, None)
        if found is None or not code:
            self.close()
            return
        item, answered = found
        if code in {b"AA", b"CA"}:
            answered(item, Delivered(code.decode()))
        else:
            answered(item, Failed(Reason.RECIPIENT_REFUSED, refused=True))

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._limits.reply_timeout_s / 4, self._check)

    def _check(self) -> None:
        self._timer = None
        late = time.monotonic() - self._limits.reply_timeout_s
        if any(item.sent_at_s < late for item, _ in self._outstanding.values()):
            self.close()
        elif self._outstanding:
            self._arm()


def msa(frame: bytes) -> tuple[bytes, bytes]:
    """Read MSA-1 and MSA-2 of an acknowledgement; empty where it is none."""
    if len(frame) < 8 or not frame.startswith(b"MSH"):
        return b"", b""
    separator = frame[3:4]
    at = frame.find(b"\rMSA" + separator)
    if at < 0:
        return b"", b""
    end = frame.find(b"\r", at + 1)
    fields = frame[at + 1 : end if end > 0 else None].split(separator)
    return (fields[1].strip(), fields[2].strip()) if len(fields) > 2 else (b"", b"")


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """TLS as a client that checks the server's name and shows its own certificate if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context
