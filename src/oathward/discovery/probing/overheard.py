"""An answer read as sensors' readers read it: one parser for what is overheard and what was asked.

The conversation has two made-up addresses; what was said of the server's is what the probe learned.
"""

from __future__ import annotations

from oathward.discovery.model import Around, Fact, MarkKind
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import Notes

_TCP = 6
_CLIENT, _SERVER = b"\0\0\0\1", b"\0\0\0\2"
_NO_MAC = bytes(6)


class Overheard:
    """The server's side of one conversation, read by a ``Head``."""

    def __init__(self, head: Head, port: int) -> None:
        assert head.open is not None
        self.notes = Notes(Around(realm=""))
        self.flow = Conversation(self.notes, _TCP, b"", b"", "", 0)
        self.flow.client = Half(self.flow, _CLIENT, 0, _NO_MAC)
        self.flow.server = Half(self.flow, _SERVER, port, _NO_MAC)
        self.flow.sure = True
        self.flow.client.stream = self.flow.server.stream = object()
        self._reader = head.open(self.flow)

    def take(self, data: bytes) -> None:
        """Take what the server said, in order; nothing where its reader gave up."""
        if data and self.flow.server.stream is not None:
            self._reader.take(self.flow.server, data, 0)

    def facts(self) -> tuple[Fact, ...]:
        """Give what was said of the server, each once."""
        mine = self.flow.server.mark()
        said = (one.facts for one in self.notes.statements if mine in one.marks)
        return tuple(dict.fromkeys(fact for facts in said for fact in facts))

    def value(self, kind: MarkKind) -> str:
        """Give the server's mark of a kind; empty where it showed none."""
        mine = self.flow.server.mark()
        marks = (mark for one in self.notes.statements if mine in one.marks for mark in one.marks)
        return next((mark.value for mark in marks if mark.kind is kind), "")

    @property
    def broken(self) -> bool:
        """Whether something in it is not what the protocol says."""
        return bool(self.notes.refused)
