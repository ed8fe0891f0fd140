"""The rows of this context. Those of the hot path are named tuples: a frozen dataclass costs ten times as much to make."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from oathward.vault.bodies import BodyRef


class State(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    HELD = "held"


class Delivery(StrEnum):
    """Where an outbox row stands. Delivered rows are gone."""

    PENDING = "pending"
    BLOCKED = "blocked"  # the recipient keeps refusing it and its link says: nothing may overtake it
    DEAD = "dead"


class MessageRow(NamedTuple):
    """One message as it was received; the fields are the table's columns, in order.

    Args:
        duplicate_key: keyed hash of sender and MSH-10, 16 bytes; random where there is none.
        digest: of the raw bytes, 16 bytes; with ``duplicate_key`` it says "the same message again".
        answer: acknowledgement code that was given, e.g. ``AA``.
    """

    id: str
    site: str
    duplicate_key: bytes
    digest: bytes
    answer: str
    received_us: int
    device: str
    subject: str
    type: str
    size_bytes: int
    state: str
    reason: str


class CreatedRow(NamedTuple):
    """What a conditional create made, for as long as it is looked for.

    Args:
        key: keyed hash of sender, type and identifier; with ``subject`` it is one.
        id: as its ``Location`` says.
        source: message, or part of one, that its id at a recipient is made of; ``number``: its place in that.
        links: those it left on, with spaces between.
    """

    key: bytes
    subject: str
    site: str
    id: str
    source: str
    number: int
    at_us: int
    links: str


NOTICES = "notices:"
"""What the sender of a notice begins with; then its subject: no device is called so."""


class OutboxRow(NamedTuple):
    """One delivery that has not happened yet.

    Args:
        id: the outgoing id, fixed per (message, link): what the recipient sees as MSH-10.
        sender: order is kept per (link, sender); the device's id.
        key: id of the data key the body is sealed under.
        facts: digest of the decision's facts, for the recheck at delivery.
        plan: digest of what was permitted (profile and classes), likewise.
        valid_until_us: 0 when the permit has no end.
        others: further subjects the message is about (A17, A24, A37), and the one it is named by, with spaces between.
    """

    id: str
    site: str
    message: str
    link: str
    sender: str
    subject: str
    key: str
    body: BodyRef
    end_to_end: bool
    bundle: str
    consent_version: int
    facts: bytes
    plan: bytes
    valid_until_us: int
    created_us: int
    seq: int = 0
    state: str = Delivery.PENDING.value
    attempts: int = 0
    next_us: int = 0
    reason: str = ""
    others: str = ""

    @property
    def is_notice(self) -> bool:
        """Whether it is no message that came, but tells the recipient what a patient allows it now."""
        return self.sender.startswith(NOTICES)

    @property
    def persons(self) -> tuple[str, ...]:
        """All the message is about: what each of them said counts."""
        return (self.subject, *self.others.split()) if self.others else (self.subject,)


@dataclass(frozen=True, slots=True)
class HeldRow:
    """One message in quarantine: its sealed original is in the vault under the message's id.

    Args:
        links: the links it is held for; empty means all of it.
        place: where in the message, e.g. ``PID-3``; never a value.
    """

    message: str
    site: str
    at_us: int
    device: str
    peer: str
    reason: str
    place: str
    links: str
    state: str = "held"
