"""What the path asks of a protocol, so that it reads the same for all of them.

Rules:
- A wire reads a message and answers questions about it; it decides nothing and keeps nothing.

Deliberately absent: sockets and answers (``listeners``), what leaves (``deid``).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine

from oathward.gateway.guard.original import Original
from oathward.inventory.model import Device
from oathward.patients.model import Resolution
from oathward.patients.resolver import Resolver
from oathward.policy import model as policy
from oathward.policy.labels import LabelTable

LabelFacts = tuple[frozenset[str], str, str, str, str]
"""The fields of ``policy.labels.Seen`` in order; what no rule asks for is empty."""


class Identity(NamedTuple):
    """What makes a message the same one for its sender.

    Args:
        words: equal for the same message (sender and MSH-10, ``Resource.identifier``, ``Type/id``); empty where
            there is nothing to compare.
        versions: the newest under these words is what counts; other bytes are its next version (an update).
        once: the first under these words counts, whatever the bytes are (a conditional create).
        if_version: only where the newest has this version (``If-Match``); empty for no condition.
    """

    words: bytes
    versions: bool = False
    once: bool = False
    if_version: str = ""


class Condition(NamedTuple):
    """An entry of a bundle that is to be created only where there is none under its identifier.

    Args:
        entry: its place in the patient's part; ``place``: in all that came.
        words: as those of ``Identity``.
        every: whether it refuses all of the bundle where several have that identifier (a transaction).
    """

    entry: int
    place: int
    words: bytes
    every: bool


class Wire(Protocol):
    """One protocol. ``message`` is what its own ``decode`` gave."""

    name: policy.Wire
    where_sender: str
    """The place that says who is speaking."""

    def pieces(self, raw: bytes) -> list[bytes]:
        """Cut what came at once into messages; a broken batch stays whole, so that ``decode`` refuses it."""

    def decode(self, raw: bytes) -> Any:
        """Read one message.

        Raises:
            DecodeError: names the place.
        """

    def sender(self, message: Any) -> tuple[bytes, bytes] | None:
        """Give the sending application and facility as written; None where the protocol names none."""

    def equipment(self, message: Any) -> tuple[bytes, ...]:
        """Name the units a gateway speaks for in a message."""

    def types(self, message: Any) -> list[tuple[str, str]]:
        """Name what the sender must be entitled to: (code, trigger)."""

    def type_of(self, message: Any) -> str:
        """Name the message's type as links do: ``ORU^R01``, ``FHIR^Observation``."""

    def where_type(self, message: Any) -> str:
        """Name the element that says the type."""

    def plain_type(self, message: Any) -> bool:
        """Whether the type is a type and nothing else, and may travel where identity may not."""

    def resolve(
        self, resolver: Resolver, engine: Engine, message: Any, device: Device, now_us: int
    ) -> Resolution:
        """Say whom a message is about."""

    def split(self, message: Any) -> list[bytes]:
        """Cut a message about several patients into one each; fewer than two where it cannot be cut."""

    def card(self, message: Any) -> bytes:
        """Write the patient's demographics as canonical JSON; patient data: seal it."""

    def classes(self, message: Any) -> frozenset[str]:
        """List the element classes of what is in a message."""

    def codes(self, message: Any) -> frozenset[str]:
        """List the clinical codes in a message: ``LN|8867-4``."""

    def narrowed(self, message: Any, withheld: frozenset[str], only: frozenset[str] | None) -> Any:
        """Leave out what bears a code that is withheld, and observations that bear none of ``only``; whole items."""

    def tells(self, message: Any) -> bool:
        """Say whether anything was observed or ordered, and not only whom and what it is about."""

    def labelled(self, message: Any, table: LabelTable, device: Device) -> LabelFacts:
        """Read what labelling asks for."""

    def own_labels(self, message: Any) -> frozenset[str]:
        """List the confidentialities and sensitivities that the message says it has."""

    def original(self, message: Any) -> Original:
        """Give the message as the guard reads it."""

    def identity(self, message: Any) -> Identity:
        """Say what makes it the same message for its sender."""

    def sent_us(self, message: Any) -> int:
        """Give the message's own time in microseconds UTC; 0 where it says none."""

    def conditions(self, message: Any, whole: Any, number: int) -> list[Condition]:
        """List the conditions of entries in one patient's part of a message.

        Args:
            whole: what came. number: which of ``split`` the part is.
        """

    def retold(self, message: Any, called: dict[int, str], there: frozenset[int]) -> Any:
        """Give a message whose entries at some places have names already, and do not leave again."""

    def answer(self, message: Any | None, undecodable: str, why: Any = None) -> str:
        """Give the code that is kept as the answer to the sender.

        Args:
            undecodable: what the settings say of bytes that are stored and could not be read.
            why: reason for which it is held, where it is.
        """

    def replies(self, source: Any, at_us: int, why: Any, answer: str) -> list[bytes]:
        """Write acknowledgements; none where the listener writes its own."""
