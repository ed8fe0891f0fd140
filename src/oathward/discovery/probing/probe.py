"""What a probe is: one file of ``kinds/`` with ``PROBE``, found by ``probes()``; and what one told.

Rules:
- A *talk* gives the bytes that are sent and takes those that come; it opens nothing and reads no clock.
- It sends what any ordinary client of that protocol begins with, once, and says goodbye. It never signs in, writes or asks for data of patients.
- What it tells is told in the attributes that sensors use, and no others (``says``).

Deliberately absent: sockets (``connecting``, ``worker``), who may be asked (``endpoints.probing``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

from oathward.core.registry import collect
from oathward.discovery.model import Fact

BYTES_MAX = 65_536
"""Bytes that are taken of an answer; a handshake with a long chain has 10,000."""

CONNECT_S_MAX = 3.0
ANSWER_S_MAX = 4.0


class Outcome(StrEnum):
    """What came of a probe."""

    ANSWERED = "answered"
    OPEN = "open"
    DECLINED = "declined"
    OTHER = "other"
    ENDED = "ended"
    SILENT = "silent"
    REFUSED = "refused"
    NO_ANSWER = "no-answer"
    UNREACHABLE = "unreachable"
    LOST = "lost"


OUTCOMES = {
    Outcome.ANSWERED: "it answered",
    Outcome.OPEN: "the port is open; nothing was asked",
    Outcome.DECLINED: "it speaks the protocol, and declined",
    Outcome.OTHER: "it said something else than this protocol",
    Outcome.ENDED: "it took the connection, and ended it without an answer",
    Outcome.SILENT: "it took the connection, and said nothing whole in time",
    Outcome.REFUSED: "the port is closed",
    Outcome.NO_ANSWER: "nobody answered at that address and port",
    Outcome.UNREACHABLE: "the network does not lead there",
    Outcome.LOST: "what read the answer ended; nothing of it is kept",
}
"""Outcome -> as people read it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a probe told.

    Args:
        facts: of the endpoint. certificate: SHA-256 of the certificate it showed, hex; empty for none.
        detail: why it declined, in a word or two of the protocol's own. received_bytes: taken of its answer.
    """

    outcome: Outcome
    facts: tuple[Fact, ...] = ()
    certificate: str = ""
    detail: str = ""
    received_bytes: int = 0


class Talk(Protocol):
    """One side of a conversation. ``done``: it has nothing more to ask, and the connection may be closed."""

    done: bool

    def begin(self) -> bytes:
        """Give what is sent first."""

    def take(self, data: bytes) -> bytes:
        """Take what came; gives what is sent next, empty for nothing."""

    def told(self) -> Told:
        """Say what was learned so far; ``SILENT`` where nothing whole came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One kind of probe.

    Args:
        words: for people, a few. port: where it is usually asked; 0 for none. order: who sends least stands first.
        says: attributes that it may tell.
        talk: (address, port, called AE title) -> a new talk; None where opening the connection is all.
    """

    words: str
    port: int
    order: int
    says: frozenset[str] = frozenset()
    talk: Callable[[str, int, str], Talk] | None = None


def probes() -> dict[str, Probe]:
    """Give every kind of probe by its name, as commands and forms write it; who sends least at the front."""
    found = cast("dict[str, Probe]", collect("oathward.discovery.probing.kinds", "PROBE"))
    ordered = sorted(found.items(), key=lambda item: item[1].order)
    return {name.replace("_", "-"): one for name, one in ordered}
