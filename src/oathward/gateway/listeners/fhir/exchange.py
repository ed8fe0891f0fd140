"""One FHIR request on its way: from a whole body, through the path, to what is answered after the commit.

Rules:
- Its messages go to the committer in their order; the answer is written when all have their outcome.
- What clashed with another process is prepared again, in its place.
- What is heavy, or holds many requests, goes to the process beside the loop whole.
- What could not even be sealed is not stored: its sender is told to keep it.

Deliberately absent: who may connect, HTTP, and what the answer says (``answers``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Outcome, Prepared
from oathward.gateway.listeners.beside import Heavy
from oathward.gateway.listeners.fhir import answers
from oathward.gateway.listeners.fhir.request import Wish
from oathward.gateway.listeners.fhir.work import Told, begin, cut, told_of, unpacked, unstored
from oathward.gateway.listeners.http.answer import Response
from oathward.gateway.listeners.http.reading import Request
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Peer
from oathward.protocols.fhir import message, reader
from oathward.protocols.fhir.bundle import Piece

if TYPE_CHECKING:
    from oathward.gateway.listeners.fhir.listener import FhirListener
    from oathward.gateway.listeners.http.connection import HttpConnection

PIECES_MAX = 32
"""A batch of more requests is handled beside the loop, however short it is."""

_AGAIN_MAX = 5


class Answered:
    """A request whose answer is known at once."""

    beside = False

    def __init__(self, request: Request, response: Response) -> None:
        self.request, self._response = request, response

    def settled(self) -> bool:
        """It is."""
        return True

    def response(self) -> Response:
        """Give it."""
        return self._response


class Later:
    """A request whose answer is being worked out off the loop.

    Args:
        done: called once it is there.
    """

    beside = False

    def __init__(
        self, request: Request, work: Coroutine[None, None, Response], done: Callable[[], None]
    ) -> None:
        self.request = request
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(lambda _task: done())

    def settled(self) -> bool:
        """Say whether it is there."""
        return self._task.done()

    def response(self) -> Response:
        """Give it."""
        return self._task.result()


class Messages:
    """A create, an update, a transaction or a batch.

    Args:
        peer: who asks, as the connection or the token proves it.
    """

    def __init__(
        self, listener: FhirListener, connection: HttpConnection, request: Request, wish: Wish, peer: Peer
    ) -> None:
        self.request, self._listener, self._connection = request, listener, connection
        self._wish, self._peer, self._tries = wish, peer, 0
        self._heavy: Heavy | None = None
        self._pieces: list[Piece] = []
        self._parts: list[Prepared | Told] = []
        asked = message.Request(request.method, wish.target, wish.conditions)
        raw = reader.request_bytes(asked, request.body)
        request.body = b""  # kept once
        most = listener.limits.beside_bytes_min
        if request.weight <= most:
            self._pieces = cut(listener.gate, raw)
        if request.weight > most or len(self._pieces) > PIECES_MAX:
            self._heavy = Heavy(raw, peer, connection, wire=FHIR.name)
            listener.beside.submit(self._heavy)
            return
        listener.count_more(peer.address, sum(len(piece.indices) or 1 for piece in self._pieces))
        for piece in self._pieces:
            self._parts.append(self._begun(piece))

    @property
    def beside(self) -> bool:
        """Whether it is handled beside the loop."""
        return self._heavy is not None

    def settled(self) -> bool:
        """Say whether all of it has its outcome; what clashed is tried again."""
        if self._heavy is not None:
            return self._heavy.outcome is not None
        done = True
        for place, one in enumerate(self._parts):
            if isinstance(one, Prepared):
                if one.outcome is Outcome.AGAIN and self._tries < _AGAIN_MAX:
                    self._tries += 1
                    self._parts[place] = self._begun(self._pieces[place])
                    done = False
                elif one.outcome is None:
                    done = False
        return done

    def response(self) -> Response:
        """Write the answer."""
        heavy = self._heavy
        if heavy is None:
            pairs = zip(self._parts, self._pieces, strict=True)
            gate = self._listener.gate
            told = [told_of(gate, one, piece) if isinstance(one, Prepared) else one for one, piece in pairs]
        elif heavy.replies:
            told = unpacked(heavy.replies)
        else:  # the process beside ended, or began nothing: the sender keeps it
            if heavy.why is not None:
                self._listener.gate.refused(self._peer, heavy.why)
            return answers.refused(Reason.STORAGE_FAILED, "request")
        return answers.answered(told, self._wish, self._listener.base)

    def _begun(self, piece: Piece) -> Prepared | Told:
        """Take one message through the path."""
        gate = self._listener.gate
        try:
            prepared = begin(gate, piece, self._peer)
        except OathwardError as error:
            return unstored(gate, piece, self._peer, error)
        prepared.owner = self._connection
        self._listener.committer.submit(prepared)
        return prepared
