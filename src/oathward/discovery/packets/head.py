"""What a head is: one file of ``heads/`` with ``HEAD``, which knows one protocol by its first bytes, on any port.

Rules:
- ``knows`` is asked once or twice a flow, and looks at a few bytes.
- Over TCP a *reader* takes the flow's bytes in order, of both sides, until it says that it has seen enough (``Conversation.enough``).
- Over UDP and in frames a head is handed each datagram.
- Whatever the bytes are, nothing is raised: what is no such message is counted (``Notes.refuse``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol, cast

from oathward.core.registry import collect

if TYPE_CHECKING:
    from oathward.discovery.packets.conversation import Conversation, Half
    from oathward.discovery.packets.layers import Framed
    from oathward.discovery.packets.notes import Notes


class Reader(Protocol):
    """Reads both sides of one TCP flow."""

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes that one side sent, in order."""

    def lost(self, half: Half) -> None:
        """Learn that some bytes of a side are missing before the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One protocol.

    Args:
        service: what a flow of it is called; empty where it is none of its own.
        over: what carries it. order: who is asked first.
        knows: (first bytes of one side, its port, the other's port) -> whether it is this. In frames: whether the kind is.
        open: makes the reader of a TCP flow. datagram: takes one of UDP. frame: takes one without IP.
    """

    service: str
    over: Literal["tcp", "udp", "frame"]
    knows: Callable[[bytes, int, int], bool] = lambda _data, _source, _target: False
    open: Callable[[Conversation], Reader] | None = None
    datagram: Callable[[Half, bytes, int], None] | None = None
    frame: Callable[[Notes, bytes, Framed, int], None] | None = None
    kind: str = ""
    order: int = 50


@cache
def heads(over: str) -> tuple[Head, ...]:
    """Give the heads that one carrier may have, whoever is asked first at the front."""
    found = cast("dict[str, Head]", collect("oathward.discovery.packets.heads", "HEAD"))
    return tuple(sorted((head for head in found.values() if head.over == over), key=lambda head: head.order))
