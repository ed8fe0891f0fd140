"""What a subject is, what one message says about it, and what must be written for that.

Rules:
- A subject is a random id and nothing else. It never moves: merges and joins are edges between subjects,
  so keys, ciphertext and ledger ids stay where they are, and every edge can be undone, in any order (``graph.py``).
- A *known* subject has an identifier with an assigning authority. A *holding* subject stands for whoever a
  device measured in one encounter when that could not be told; it may be joined to a known one later.
- ``Resolution`` is complete before the transaction: rows, edges and ledger records. ``actions.apply`` writes
  them and refuses when the world has moved on in between.

Deliberately absent: demographics. They are a sealed card that only the keeper opens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.ledger import Record

SubjectKind = Literal["known", "holding"]


class Source(Protocol):
    """What resolution must know about the sender; ``inventory.Device`` has all of it.

    ``default_authority``: assigning authority of identifiers that name none; empty: they identify within this
    device only. ``default_identifier_type``: type (HL7 table 0203) of those that name none.
    ``authoritative_adt``: whether it may say who is who.
    """

    @property
    def id(self) -> str:
        """Device id; empty for a stranger."""

    @property
    def default_authority(self) -> str:
        """See the class."""

    @property
    def default_identifier_type(self) -> str:
        """See the class."""

    @property
    def authoritative_adt(self) -> bool:
        """See the class."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """The source of a message whose device is not known: nothing is assumed about it."""

    id: str = ""
    default_authority: str = ""
    default_identifier_type: str = ""
    authoritative_adt: bool = False


class EdgeKind(StrEnum):
    """How two subjects belong together. Only the first two make the child's messages the parent's."""

    MERGED = "merged"  # an ADT merge: child was the prior identity
    JOINED = "joined"  # a holding or provisional subject turned out to be the parent
    LINKED = "linked"  # A24: belong together, and stay two; A37 undoes it
    CHILD_OF = "child-of"  # newborn and mother
    SHARES_VISIT = "shares-visit"  # both had the same encounter number: it identifies nobody alone
    UNDONE = "undone"  # takes back the edge it names
    ERASED = "erased"  # the subject's identifiers are gone


FOLLOWED = frozenset((EdgeKind.MERGED, EdgeKind.JOINED))


class WordKind(StrEnum):
    """What a keyed word of a card was."""

    IDENTIFIER = "identifier"  # a whole identifier of 6 characters or more
    TOKEN = "token"  # noqa: S105  a whole name, phone number, e-mail
    BIRTH = "birth-date"  # strong in a message about its owner; alone it is many people's
    NAME = "name"  # one word of a name
    WORD = "word"  # one word of an address, a short identifier


@dataclass(frozen=True, slots=True)
class NewSubject:
    """One row of ``subject``. ``encounter``: hash of the visit a holding subject stands for."""

    id: str
    kind: SubjectKind
    established: bool
    source: str
    at_us: int
    encounter: bytes | None = None


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """One row of ``subject_identifier``: who a keyed identifier names. ``scope``: hash of authority and type."""

    hash: bytes
    subject: str
    scope: bytes
    source: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One row of ``subject_edge``; append-only. ``event``: trigger or command that said so; ``undoes``: edge id."""

    id: str
    kind: EdgeKind
    child: str
    parent: str
    event: str
    source: str
    at_us: int
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class SubjectRows:
    """What the group's transaction must write for one resolution.

    ``words``: (subject, keyed word, kind). ``establish``: subjects an authoritative source has now spoken of.
    """

    subjects: tuple[NewSubject, ...] = ()
    identifiers: tuple[NewIdentifier, ...] = ()
    edges: tuple[Edge, ...] = ()
    words: tuple[tuple[str, bytes, WordKind], ...] = ()
    establish: tuple[str, ...] = ()


NO_ROWS = SubjectRows()


@dataclass(frozen=True, slots=True)
class Resolution:
    """Whom a message is about.

    Args:
        subject: effective subject; what the original is sealed for.
        named: by whom a project names the patient whose merges are apart: the root over the joins alone, of the number the
            message says. A merge and its undoing leave it as it is.
        refused: why the message could not be taken as it says: ``PATIENTS_SEVERAL`` (split it, or quarantine),
            ``PATIENT_AMBIGUOUS`` (held under a holding subject), ``SOURCE_NOT_AUTHORITATIVE`` and
            ``MERGE_REFUSED`` (the message flows, what it says about identities is not done).
        others: further effective subjects the message is about (A17, A24, A37, several merges in one A40):
            what they allow counts too.
        card: whose demographics an authoritative source gives, the number's own subject, so that they stay its own
            when a merge is undone; empty for none. Seal ``card_of(message)`` for it and ``actions.put_card`` it.
        records: ledger records to append with the message's own.
        findings: codes of what somebody should look at.
    """

    subject: str
    named: str
    kind: SubjectKind
    refused: Reason | None = None
    others: tuple[str, ...] = ()
    card: str = ""
    rows: SubjectRows = NO_ROWS
    records: tuple[Record, ...] = ()
    findings: tuple[str, ...] = ()
    ticket: int = field(default=0, compare=False)


class IdentityMovedError(StorageError):
    """Another process wrote the same identity first: resolve again and retry; nothing was written."""

    default_reason = Reason.CONFLICT
