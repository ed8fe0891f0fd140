"""What a judge is shown and what it says: deliveries, findings, what is missing or came back, and the count.

Deliberately absent: how anything is counted (``judge``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from oathward_sim.plan import Sent
from oathward_sim.recipients import Kept

_ON_ITS_WAY_S = 5.0
"""What was answered this long before a withdrawal, or less, may be overtaken by it."""

GIVEN_S = 2.0
"""What is sent later than this after a permission was given is due."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing at a recipient, opened.

    Args:
        data: the message as the recipient reads it (an envelope's content).
        wire: what anybody can read of the bytes that came, where they are sealed; there is nothing to read in it.
        sealed_id: the outgoing id that an envelope says.
    """

    recipient: str
    kept: Kept
    data: bytes
    wire: bytes = b""
    sealed_id: str = ""

    @property
    def outgoing_id(self) -> str:
        """The id it came under."""
        return self.sealed_id or self.kept.id


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be. ``message``: control id of the source message, where known."""

    kind: str
    recipient: str
    message: str
    what: str


class Missing(NamedTuple):
    """One message that is due at a recipient and has not arrived.

    Args:
        came, spared: of what else its request held, how many arrived there, and how many were never due there.
        people: how many different patients (or groups of them) what is absent of that request is about.
    """

    recipient: str
    sent: Sent
    came: int = 0
    spared: int = 0
    people: int = 1


class Returned(NamedTuple):
    """One that was said to be withheld and arrived all the same. ``at_s``: when."""

    recipient: str
    sent: Sent
    at_s: float


@dataclass(slots=True)
class Withdrawal:
    """A patient took permission back.

    Args:
        mrn: whose. recipients: for whom it holds.
        asked_s, told_s: when the site began to be told, and when it said that it knows; seconds since 1970.
        effect_s_max: what arrives later than this after ``told_s`` is leaked.
        path: how it was said: ``desk``, ``portal`` or ``fhir``.
        last_s: when something of this patient last arrived at one of them after ``asked_s``; 0 for never.
        stopped: messages that would have gone there without it.
        again_s: when the patient permitted it again; what comes from then on is no matter of this one.
    """

    mrn: str
    recipients: frozenset[str]
    asked_s: float
    told_s: float
    effect_s_max: float
    path: str = "desk"
    last_s: float = 0.0
    stopped: int = 0
    again_s: float = math.inf

    @property
    def effect_s(self) -> float:
        """How long after the site said that it knows something still arrived; 0 for nothing."""
        return max(0.0, self.last_s - self.told_s)

    @property
    def at_most_s(self) -> float:
        """How long after it was said something still arrived: no less than from its commit on."""
        return max(0.0, self.last_s - self.asked_s)

    def overtakes(self, sent: Sent) -> bool:
        """Whether it was said before this message was safely there."""
        of_theirs = self.mrn in sent.plan.patients and sent.first_s < self.again_s + GIVEN_S
        return of_theirs and sent.answered_s > self.asked_s - _ON_ITS_WAY_S


class Given(NamedTuple):
    """A patient permitted what they had not. ``types``: of messages that this lets through; times as in ``Withdrawal``."""

    mrn: str
    recipient: str
    types: frozenset[str]
    asked_s: float
    told_s: float

    def covers(self, recipient: str, sent: Sent) -> bool:
        """Whether a message may go to a recipient because of it."""
        named = {sent.plan.type, sent.plan.type.partition("^")[0]} & self.types
        return recipient == self.recipient and sent.plan.patients == (self.mrn,) and bool(named)

    def demands(self, sent: Sent) -> bool:
        """Whether it must."""
        return self.covers(self.recipient, sent) and sent.first_s > self.told_s + GIVEN_S


@dataclass(slots=True)
class Verdict:
    """The count.

    ``withheld``: kept back by a policy that came in force during the run, by recipient; neither due nor lost.
    ``held``: accepted messages that were due nowhere. ``optional``: of those delivered, how many were not due but
    allowed: the guard let them through, or their sender was adopted. ``repeated``: copies after an answer that never came, which
    are no fault of the sender. ``waiting``: sent and never answered, so nobody's loss.
    """

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    waiting: int = 0
    held: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    optional: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    withheld: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    duplicated: int = 0
    duplicated_new_id: int = 0
    disordered: int = 0
    leaked: int = 0
    withdrawals: list[Withdrawal] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, duplicated, disordered or leaked."""
        return self.lost == self.duplicated == self.disordered == self.leaked == 0
