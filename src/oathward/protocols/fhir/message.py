"""What a FHIR request is once it was read: one resource, or the entries of a batch or transaction.

Rules:
- ``raw`` says all of it: ``PUT Observation/123``, the conditions, an empty line, the body. A release from
  quarantine needs nothing else. Whoever authenticates removes credentials before.
- Resources are plain dictionaries as ``orjson`` reads them, and are never changed. A number that a float would
  write otherwise is a ``Verbatim``.

Source: FHIR R4 §3.1 (RESTful API), §3.1.0.11 (batch and transaction).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

Resource = dict[str, Any]

CONDITIONS = ("if-match", "if-none-exist")
"""Headers that change what a request means, in lower case."""


class Verbatim(float):
    """A number as it was written: ``1.00`` stays ``1.00``."""

    __slots__ = ("text",)

    text: str

    def __new__(cls, text: str) -> Self:
        """Read a JSON number."""
        self = super().__new__(cls, text)
        self.text = text
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Args:
        method: ``POST`` or ``PUT``.
        target: below the base: empty, ``Observation``, ``Observation/123``.
        conditions: header name in lower case -> value, in the order of ``CONDITIONS``.
    """

    method: str
    target: str
    conditions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource and what is to be done with it.

    Args:
        type: resource type.
        id: logical id the sender gave it: of the target of a PUT, else ``Resource.id``; empty for none.
        full_url: ``Bundle.entry.fullUrl``; empty for none.
        index: place in the bundle that came, from 0.
    """

    resource: Resource = field(repr=False)
    method: str
    type: str
    id: str = ""
    full_url: str = ""
    if_none_exist: str = ""
    if_match: str = ""
    index: int = 0


class Message:
    """One decoded request.

    ``bundle``: empty for one resource, else ``batch`` or ``transaction``. ``entries``: at least one.
    ``code`` and ``trigger`` make the message's type: ``FHIR^Observation``, ``FHIR^Bundle``.
    """

    __slots__ = ("body", "bundle", "entries", "raw", "request")

    code = "FHIR"
    shape: Any = None
    """Of a message whose like came before, see ``shapes``."""

    def __init__(
        self, raw: bytes, request: Request, body: Resource, bundle: str, entries: tuple[Entry, ...]
    ) -> None:
        self.raw, self.request, self.body, self.bundle, self.entries = raw, request, body, bundle, entries

    def __repr__(self) -> str:
        return f"<Message FHIR^{self.trigger}, {len(self.entries)} resources>"

    @property
    def trigger(self) -> str:
        """The resource type, or ``Bundle``."""
        return "Bundle" if self.bundle else self.entries[0].type

    def of_type(self, kind: str) -> list[Resource]:
        """Give the resources of one type."""
        if not self.bundle and self.trigger != kind:  # then nothing need be read for it
            return []
        return [entry.resource for entry in self.entries if entry.type == kind]


class Retold(Message):
    """A message of which some entries were created before: they keep the name they got then.

    ``called``: place in the bundle -> the id it was given for this recipient; empty where nobody may refer to it.
    ``there``: places of those that are not sent again.
    """

    __slots__ = ("called", "there")

    def __init__(self, message: Message, called: dict[int, str], there: frozenset[int]) -> None:
        super().__init__(message.raw, message.request, message.body, message.bundle, message.entries)
        self.called, self.there = called, there


@dataclass(frozen=True, slots=True)
class Person:
    """One patient that a message is about.

    Args:
        reference: how the message names the patient: ``Patient/123``, ``urn:uuid:…``; empty where it names none.
        identifiers: (system, value, HL7 table 0203 type) of ``Patient.identifier`` and ``Reference.identifier``.
        server_id: logical id at the sender's server (``123``); it means something to this sender only.
        visits: (system, value, type) of ``Encounter.identifier``; ``("", "Encounter/7", "")`` for one named by id.
        resource: the Patient resource, where the message holds it.
        entries: places in ``Message.entries`` of what is about this patient.
    """

    reference: str = field(repr=False)
    identifiers: tuple[tuple[str, str, str], ...] = field(repr=False)
    server_id: str = field(repr=False)
    visits: tuple[tuple[str, str, str], ...] = field(repr=False)
    resource: Resource | None = field(repr=False)
    entries: tuple[int, ...]
