"""What the path hands around: a message as it arrived, its parts, and what must become durable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from oathward.core.reasons import Reason
from oathward.gateway.guard.message import OneMessage
from oathward.gateway.once import Once
from oathward.gateway.wires import HL7V2, Wire
from oathward.gateway.wires.wire import Identity
from oathward.inventory.model import Peer
from oathward.ledger import Leaf
from oathward.messages.model import HeldRow, MessageRow, OutboxRow
from oathward.patients.model import Resolution
from oathward.policy.bundle import Bundle
from oathward.policy.model import Link
from oathward.vault.bodies import BodyRef
from oathward.vault.seal import SealedBody, SealedMessage

QUARANTINE = "quarantine"
"""Purpose an original is sealed under while it waits for a person."""


NO_IDENTITY = Identity(b"")
NOT_ASKED = -1
"""The own time of what cannot be read: it is malformed, and not untimed as well."""


class Outcome(Enum):
    """How a message's try to become durable ended."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    MISMATCH = "mismatch"  # not stored: an update of a version that is not the newest
    AGAIN = "again"  # rows clashed with another process: prepare it once more
    FAILED = "failed"  # not stored: no answer, close, the sender tries again


class Arrival(NamedTuple):
    """A message before anything is decided.

    Args:
        wire: the protocol it came by. message: as the wire's ``decode`` gives it, where that was done already.
        only_links: a release serves the links a message was held for, and no others; ``2:ehr`` is link ``ehr``
            for the third patient of a message about several.
        release: id and reason of the release this is, empty for what comes from a device.
    """

    id: str
    raw: bytes
    peer: Peer
    at_us: int
    wire: Wire = HL7V2
    message: Any = None
    only_links: frozenset[str] | None = None
    release: str = ""
    number: int = 0

    def part(self, number: int, raw: bytes) -> Arrival:
        """One patient's part of a message: its id follows from the message's, so that a release gives the same."""
        only = self.only_links
        if only is not None:
            pairs = [token.rpartition(":")[::2] for token in only]
            only = frozenset(link for part, link in pairs if int(part or 0) == number)
        id_ = f"{self.id}.{number}" if number else self.id
        return self._replace(id=id_, raw=raw, message=None, only_links=only, number=number)


@dataclass(slots=True)
class Outgoing:
    """One sealed delivery, its outbox row, and where the sealed body lies once it was appended."""

    sealed: SealedMessage
    row: OutboxRow
    body: BodyRef | None = None


class Original(NamedTuple):
    """One sealed original on its way to a body store."""

    message: str
    subject: str
    purpose: str
    sealed: SealedBody


@dataclass(slots=True)
class Part:
    """What one patient's part of a message comes to."""

    arrival: Arrival
    resolution: Resolution
    once: list[Once] = field(default_factory=list)
    answers: list[list[Any]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    originals: list[Original] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[bytes, bytes] = field(default_factory=dict)
    held_for: list[str] = field(default_factory=list)
    held_why: Reason | None = None
    held_where: str = ""
    card: SealedBody | None = None
    guarded: OneMessage | None = None
    acts: list[Callable[[Connection], object]] = field(default_factory=list)
    tells: list[Callable[[Connection], list[Leaf]]] = field(default_factory=list)

    def named(self, bundle: Bundle, link: Link) -> str:
        """Give the subject whose seed shapes what leaves on a link: its project says what a merge does to pseudonyms."""
        named, subject = self.resolution.named, self.resolution.subject
        return named if named != subject and bundle.merges_apart(link) else subject

    def answer(self, link: str, word: str, *more: Any) -> None:
        """Note what was decided for a link: codes and counts."""
        self.answers.append([link, word, *more])

    def hold(self, link: str, why: Reason, where: str) -> None:
        """Note that the message waits for a person, for one link."""
        number = self.arrival.number
        self.held_for.append(f"{number}:{link}" if number else link)
        if self.held_why is None:
            self.held_why, self.held_where = why, where

    def keep(self, purpose: str, sealed: SealedBody) -> None:
        """Keep the sealed original under a purpose."""
        self.originals.append(Original(self.arrival.id, self.resolution.subject, purpose, sealed))

    def send(self, sealed: SealedMessage, row: OutboxRow) -> None:
        """Queue a delivery."""
        self.outgoing.append(Outgoing(sealed, row))

    def find(self, finding: str, link: str = "") -> None:
        """Note something that somebody should look at."""
        self.findings.append((finding, link))


@dataclass(slots=True)
class Prepared:
    """Everything about one message that must become durable together.

    Args:
        reply: answer code -> acknowledgements to send, in order; none where the sender wants none.
        tells: acts whose records depend on what they find.
        release_of: the quarantined message this is a release of; its row is settled instead of a new one.
        identity: what makes it the same message for its sender.
        owner: the listener's own.
        stored_id: once committed, the id it is stored under: of the first one where this is a duplicate.
        version: of what is stored, as ``If-Match`` may name it.
        newer: whether something was taken before that this is the next version of.
        kind: of the device; empty where it is not known.
        sent_us: the message's own time; 0 where it says none, ``NOT_ASKED`` where it could not be read.
        once: conditions of entries, and what met them. mismatch: why and where, of a message that is not stored for
            what it asks for.
    """

    arrival: Arrival
    message: MessageRow
    leaves: list[Leaf]
    reply: Callable[[str], list[bytes]]
    facts: dict[bytes, bytes] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    originals: list[Original] = field(default_factory=list)
    held: HeldRow | None = None
    resolutions: list[Resolution] = field(default_factory=list)
    acts: list[Callable[[Connection], object]] = field(default_factory=list)
    tells: list[Callable[[Connection], list[Leaf]]] = field(default_factory=list)
    identity: Identity = NO_IDENTITY
    owner: Any = None
    outcome: Outcome | None = None
    answer: str = ""
    stored_id: str = ""
    version: str = ""
    newer: bool = False
    sent_us: int = 0
    kind: str = ""
    once: list[Once] = field(default_factory=list)
    mismatch: tuple[Reason, str] = (Reason.VERSION_MISMATCH, "If-Match")


def peer_text(peer: Peer) -> str:
    """Write a peer so that a release can identify the device as its message did."""
    proof = peer.cert_sha256.hex() if peer.cert_sha256 else f"{_KEY}{peer.key}" if peer.key else "-"
    return " ".join((peer.address, proof, *peer.cert_names))


def peer_of(text: str) -> Peer:
    """Invert ``peer_text``."""
    address, proof, *names = text.split(" ")
    if proof.startswith(_KEY):
        return Peer(address, None, tuple(names), proof.removeprefix(_KEY))
    return Peer(address, None if proof == "-" else bytes.fromhex(proof), tuple(names))


_KEY = "key:"
