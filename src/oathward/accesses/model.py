"""An opening as it is explained, what speaks for it, and the review of one that nothing explains.

Rules:
- An opening is a record of the keeper: ``keeper.opened``, ``keeper.refused``, ``patient.sought`` or ``copy.read``. Its id is its index in
  the ledger, so nothing is copied and anybody can have it proved.
- A reason is one file of ``reasons/``; it says in words what it claims, and what it does not.

Deliberately absent: content, names of patients, and whether an opening was permitted (``policy.access`` decided that then).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oathward.vault.care_orders import Order
    from oathward.vault.care_rows import Assignment, Stay

KINDS = ("keeper.opened", "keeper.refused", "patient.sought", "copy.read")
"""The records that are openings, or attempts at one."""


class Outcome(StrEnum):
    """What a review came to."""

    JUSTIFIED = "justified"  # there was a reason, and it is not on record anywhere: the words say which
    MISTAKE = "mistake"  # the wrong patient, and nothing was made of it
    MISUSE = "misuse"  # nobody's work
    UNCLEAR = "unclear"  # could not be found out


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening, or attempt at one.

    Args:
        index: of its record. person: id, or the name a command was given. subject: empty where nobody has that number.
        basis, unit: the relation the keeper found then. opened: how many messages. refused: reason code, or empty.
        messages: ids it names. why: the words somebody gave.
        access: to the portal, by which a holder opened it.
    """

    index: int
    kind: str
    at_us: int
    person: str
    subject: str
    purpose: str
    basis: str = ""
    unit: str = ""
    opened: int = 0
    refused: str = ""
    messages: tuple[str, ...] = ()
    why: str = ""
    access: str = ""


@dataclass(frozen=True, slots=True)
class Glass:
    """One break-glass: who, whom, from when until when."""

    person: str
    subject: str
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Duty:
    """One line of an on-call roster: who was on call for a unit, from when until when (the first moment no longer).

    Args:
        number: the person's staff number. source: name of the roster.
    """

    number: str
    unit: str
    from_us: int
    until_us: int
    source: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the people and patients of some openings.

    Args:
        together: subject -> all subjects of that patient. stays: by subject. assignments: by person.
        owners: device -> who answers for it. sent_by: message -> device. released: (person, message) of ordered releases.
        aliases: person -> everything that names them (id, number, mail). staff: person -> their numbers in messages.
        changed: subject -> index of the newest record by which care of them ended or moved. orders: by subject.
        duties: staff number -> when they were on call.
    """

    together: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stays: Mapping[str, tuple[Stay, ...]] = field(default_factory=dict)
    assignments: Mapping[str, tuple[Assignment, ...]] = field(default_factory=dict)
    glasses: Mapping[str, tuple[Glass, ...]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    sent_by: Mapping[str, str] = field(default_factory=dict)
    released: Mapping[tuple[str, str], int] = field(default_factory=dict)
    aliases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    staff: Mapping[str, frozenset[str]] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, tuple[Order, ...]] = field(default_factory=dict)
    duties: Mapping[str, tuple[Duty, ...]] = field(default_factory=dict)

    def stood(self, subject: str, at_us: int) -> list[Stay]:
        """List the stays of a patient that, as far as was known then, had begun and not ended."""
        found = [stay for one in self.of(subject) for stay in self.stays.get(one, ())]
        return [
            stay
            for stay in found
            if stay.begun_us <= at_us
            and (stay.ended_us is None or stay.ended_us > at_us or stay.being_said_us > at_us)
        ]

    def moved_since(self, stay: Stay, opening: Opening) -> bool:
        """Say whether a stay's place or attendings were said anew after an opening, and a record says that they changed.

        A message that repeats where the patient is makes no such record: the stay counts as it stands.
        """
        said = stay.place_said_us > opening.at_us
        return said and self.changed.get(stay.subject, -1) > opening.index

    def on_call(self, person: str, at_us: int) -> frozenset[str]:
        """Give the units a person was on call for then."""
        mine = self.aliases.get(person, frozenset())
        lines = [duty for name in sorted(mine) for duty in self.duties.get(name, ())]
        return frozenset(one.unit for one in lines if one.from_us <= at_us < one.until_us)

    def assigned(self, person: str, at_us: int) -> list[Assignment]:
        """List what was assigned to a person then."""
        return [one for one in self.assignments.get(person, ()) if one.from_us <= at_us < one.until_us]

    def of(self, subject: str) -> frozenset[str]:
        """Give all subjects of one patient."""
        return self.together.get(subject) or frozenset((subject,))


@dataclass(frozen=True, slots=True)
class ReasonOfAccess:
    """One reason an opening may have.

    Args:
        order: of all that apply the lowest is the reason; no two are the same.
        text: id of the words the patient reads. words: those staff read.
        claims_not: what the reason does not say.
    """

    id: str
    order: int
    words: str
    text: str
    claims_not: str
    explains: Callable[[Opening, Evidence], bool]


@dataclass(frozen=True, slots=True)
class Explained:
    """An opening with every reason that applies, the first by the published order; none: nothing explains it."""

    opening: Opening
    reasons: tuple[ReasonOfAccess, ...]

    @property
    def reason(self) -> ReasonOfAccess | None:
        """The reason it has."""
        return self.reasons[0] if self.reasons else None

    @property
    def wants_review(self) -> bool:
        """Whether somebody must look at it: nothing explains it, and it was about a patient there is."""
        return not self.reasons and bool(self.opening.subject)


class Step(StrEnum):
    """What happened to the review of an opening."""

    TAKEN = "taken"  # it waits from here on
    ASSIGNED = "assigned"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class StepRow:
    """One thing that happened to a review. ``about``: to whom it was assigned, or the outcome."""

    id: str
    opening: int
    at_us: int
    by: str
    step: Step
    about: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One opening somebody must look at, and what became of it; ``by`` empty: it waits, until ``due_us``.

    Args:
        watched: the label for which it is looked at whatever explains it; empty: nothing explained it.
        assigned: who is to look at it; empty for nobody yet.
        sealed: what the reviewer said, sealed under the patient's key. said_of: the opening the words were sealed for.
    """

    opening: int
    person: str
    at_us: int
    due_us: int
    watched: str = ""
    told: bool = False
    assigned: str = ""
    by: str = ""
    outcome: str = ""
    sealed: bytes = b""
    said_of: int = 0
    reviewed_us: int = 0


@dataclass(frozen=True, slots=True)
class Filters:
    """Which reviews are listed; empty: whoever, whatever. ``due_before_us`` 0: whenever due."""

    waiting: bool = True
    person: str = ""
    assigned: str = ""
    outcome: str = ""
    due_before_us: int = 0
