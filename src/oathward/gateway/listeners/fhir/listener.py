"""The FHIR door: HTTPS listener, who may connect and ask, and where each request goes.

Rules:
- A device proves itself by a client certificate, or by a token that a registered key of its own signed for
  (``tokens``). Without either there is only what everybody may see: ``metadata`` and where tokens are had.
- A token on a connection with another device's certificate is refused: who speaks must be one.
- Limits on connections, handshakes, rate and memory, by address; what is refused before it is a message is counted
  with its reason.
- A revoked device is cut off within a second, open connections and tokens included.

Deliberately absent: one connection's bytes (``http``), one request's way (``exchange``), decisions.

Needs of the path: ``Arrival.wire``, ``Prepared.stored_id``, ``version``, ``newer``, ``held`` and the message row's
``answer`` and ``reason`` say all that an answer is made of (``work.told_of``).

Source: FHIR R4 §3.1.0 (RESTful API), §6.1.0 (security); SMART App Launch 2.2 "Backend Services".
"""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from oathward.core.db import write
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir
from oathward.gateway.commit import Committer
from oathward.gateway.listeners.beside import Beside
from oathward.gateway.listeners.fhir import answers, metadata, tokens
from oathward.gateway.listeners.fhir.exchange import Answered, Later, Messages
from oathward.gateway.listeners.fhir.request import BASE, OPEN, TOKEN, Ask, Wish, wish_of
from oathward.gateway.listeners.handshakes import Buckets, Handshakes
from oathward.gateway.listeners.http.answer import JSON, Response
from oathward.gateway.listeners.http.connection import Exchange, HttpConnection
from oathward.gateway.listeners.http.reading import Request
from oathward.gateway.listeners.tls import peer_of
from oathward.gateway.listeners.turns import Turns
from oathward.gateway.wires import FHIR
from oathward.inventory import actions as inventory
from oathward.inventory.model import Peer
from oathward.protocols.fhir.limits import effort

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

_SWEEP_S = 1.0


class Caller(NamedTuple):
    """Who asks, and for what."""

    peer: Peer
    wish: Wish


class FhirListener:
    """All connections of the FHIR door of one gateway process.

    Args:
        turns, beside: those of the whole gateway.
    """

    def __init__(self, gate: Gate, committer: Committer, limits: Fhir, turns: Turns, beside: Beside) -> None:
        self.gate, self.committer, self.limits, self.turns, self.beside = (
            gate,
            committer,
            limits,
            turns,
            beside,
        )
        self.connections: set[HttpConnection] = set()
        self.per_peer: Counter[str] = Counter()
        self.kept_bytes = 0
        self.base = limits.url
        self._keys: dict[HttpConnection, str] = {}  # by which key's token it spoke last
        self._tokens = tokens.Tokens(limits.token_time_s)
        self._messages = Buckets(float(limits.messages_per_s_per_peer_max))
        self._asked_tokens = Buckets(float(limits.tokens_per_s_per_peer_max), 3.0)
        self._handshakes: Handshakes | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._said: dict[Ask, bytes] = {}
        beside.counted[FHIR.name] = self.count_more

    async def start(self, tls: ssl.SSLContext) -> dict[str, int]:
        """Open the port; gives the one in use by name."""
        limits = self.gate.opened.settings.mllp
        self._handshakes = Handshakes(self.gate.refused, limits, tls, self._connection, self._full)
        port = await self._handshakes.listen(self.limits.host, self.limits.port)
        self.base = self.limits.url or f"https://localhost:{port}{BASE}"
        self._said = {
            Ask.METADATA: metadata.capability_statement(self.base, self.gate.clock.now()),
            Ask.CONFIGURATION: metadata.smart_configuration(self._origin),
        }
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        return {"fhir": port}

    async def stop(self) -> None:
        """Stop listening, close connections; what was accepted is still committed."""
        if self._sweeper:
            self._sweeper.cancel()
        if self._handshakes is not None:
            self._handshakes.stop()
        for connection in list(self.connections):
            connection.close()

    # --- what a connection asks

    def _full(self, address: str, unfinished: int) -> bool:
        return self.per_peer[address] + unfinished >= self.limits.connections_per_peer_max

    def admit(self, connection: HttpConnection) -> Reason | None:
        """Count a new connection, or say why it may not stay."""
        address = connection.peer.address
        too_many = len(self.connections) >= self.limits.connections_max
        if too_many or self.per_peer[address] >= self.limits.connections_per_peer_max:
            return Reason.CONNECTION_LIMIT
        self.per_peer[address] += 1
        self.connections.add(connection)
        return None

    def forget(self, connection: HttpConnection) -> None:
        """Stop counting a closed connection."""
        self._keys.pop(connection, None)
        if connection in self.connections:
            self.connections.discard(connection)
            self.per_peer[connection.peer.address] -= 1
            if self.per_peer[connection.peer.address] <= 0:
                del self.per_peer[connection.peer.address]

    def within_memory(self, kept_bytes: int) -> bool:
        """Say whether a connection may keep so much: always its equal share, more while there is room."""
        share = self.limits.waiting_bytes_max // self.limits.connections_max
        return kept_bytes <= share or self.kept_bytes <= self.limits.waiting_bytes_max

    def cut_off(self, connection: HttpConnection) -> Reason | None:
        """Say why an open connection may not stay open."""
        peer = connection.peer
        if key := self._keys.get(connection):
            peer = dataclasses.replace(peer, key=key)
        return Reason.CERTIFICATE_REVOKED if self.gate.revoked(peer) else None

    def refusal(self, connection: HttpConnection, reason: Reason, where: str) -> Response:
        """Count a refusal, and answer it."""
        self.gate.refused(connection.peer, reason)
        return answers.refused(reason, where)

    def now_us(self) -> int:
        """Give the server's time in microseconds."""
        return self.gate.now_us()

    def count_more(self, address: str, messages: int) -> None:
        """Count the messages of a request that was counted as one when it came."""
        self._messages.take(address, messages - 1, time.monotonic())

    @staticmethod
    def weigh(body: bytes) -> int:
        """Say how much work a body is."""
        return effort(body)

    def judge(self, connection: HttpConnection, request: Request) -> None:
        """Say who asks and for what, by headers alone.

        Raises:
            OathwardError: that may not be asked, in this form or by this sender.
        """
        if not self._messages.take(connection.peer.address, 1, time.monotonic()):
            raise OathwardError("connection", reason=Reason.RATE_LIMIT)
        wish = wish_of(request)
        peer = connection.peer
        if wish.ask not in OPEN:
            peer = self._who(connection, request.headers.get("authorization"), wish)
        elif wish.ask is Ask.TOKEN and not self._asked_tokens.take(peer.address, 1, time.monotonic()):
            raise OathwardError("connection", reason=Reason.RATE_LIMIT)
        request.caller = Caller(peer, wish)

    def begin(self, connection: HttpConnection, request: Request) -> Exchange:
        """Take a request to where it is answered."""
        if request.refused is not None:
            return Answered(request, self.refusal(connection, request.refused, request.where))
        caller: Caller = request.caller
        peer, wish = caller
        if wish.ask is Ask.TOKEN:
            return Later(request, self._token(connection, request.body), connection.answer)
        if wish.ask in OPEN:
            kind = JSON if wish.ask is Ask.CONFIGURATION else answers.FHIR_JSON
            return Answered(request, Response(200, self._said[wish.ask], content_type=kind))
        try:
            return Messages(self, connection, request, wish, peer)
        except OathwardError as error:  # what cannot even be written down as a request
            return Answered(request, self.refusal(connection, error.reason, error.where))

    # --- inside

    @property
    def _origin(self) -> str:
        return self.base.removesuffix(BASE)

    def _who(self, connection: HttpConnection, authorization: str | None, wish: Wish) -> Peer:
        """Say who asks.

        Raises:
            OathwardError: nobody that proved it; or the token is for something else, or another's.
        """
        peer = connection.peer
        if authorization is None:
            if peer.cert_sha256 is None:
                raise OathwardError("Authorization", reason=Reason.CREDENTIALS_MISSING)
            return peer
        grant = self._tokens.grant(authorization)
        by_token = Peer(peer.address, None, (), grant.key)
        known = self.gate.inventory.identify(by_token, None)
        owners = {known.device.id} if known.device is not None and known.reason is None else set[str]()
        if peer.cert_sha256 is not None:
            other = self.gate.inventory.identify(peer, None).device
            owners.add(other.id if other is not None else "")
        if owners != {grant.device}:  # revoked, held, the key is no longer its own, or another's connection
            raise OathwardError("Authorization", reason=Reason.TOKEN_INVALID)
        kind = wish.target.partition("/")[0] or "*"
        letters = {Ask.CREATE: "c", Ask.UPDATE: "cu"}.get(wish.ask, "cu")
        if not grant.allows(kind, letters):
            raise OathwardError("Authorization", reason=Reason.TOKEN_SCOPE)
        self._keys[connection] = grant.key
        return by_token

    async def _token(self, connection: HttpConnection, body: bytes) -> Response:
        """Answer a request for a token."""
        try:
            form = tokens.form_of(body)
            now_us = self.gate.now_us()
            audiences = frozenset((f"{self._origin}{TOKEN}",))
            device_of = self.gate.inventory.device
            assertion = tokens.check(form["client_assertion"], device_of, audiences, now_us / 1e6)
            scopes = tokens.scopes_of(form.get("scope", ""))
            if not await asyncio.to_thread(self._first_time, assertion, now_us):
                raise OathwardError("jti", reason=Reason.ASSERTION_REPLAYED)
        except OathwardError as error:
            self.gate.refused(connection.peer, error.reason)
            return answers.no_token(error.reason)
        token = self._tokens.give(assertion, scopes)
        answer = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self._tokens.lifetime_s,
            "scope": tokens.scope_text(scopes),
        }
        return Response(200, orjson.dumps(answer), (("Pragma", "no-cache"),), JSON)

    def _first_time(self, assertion: tokens.Assertion, now_us: int) -> bool:
        """Note the assertion where every process and the next one sees it; called on another thread."""
        until_us = int((assertion.expires_s + 1) * 1e6)
        with write(self.gate.engine) as db:
            return inventory.give_token(
                db,
                self.gate.site,
                assertion.device,
                assertion.key,
                assertion.digest,
                until_us=until_us,
                now_us=now_us,
            )

    def _connection(self) -> HttpConnection:
        return HttpConnection(self, peer_of)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = time.monotonic()
            for connection in list(self.connections):
                connection.check_time(now_s)
            self._messages.forget_full(now_s)
            self._asked_tokens.forget_full(now_s)
            if self._handshakes is not None:
                self._handshakes.sweep(now_s)
