"""What a request says of persons and things in its elements: values that its texts may repeat.

Rules:
- A value is told with its class and part, wherever the catalogue finds one: in resources, contained ones, references and
  their displays, extensions that somebody reviewed; logical ids too.
- Of what only qualifies a value nothing is told, but given names and places.

Deliberately absent: what is done with it (``deid``), and values of extensions that nobody reviewed.
"""

from __future__ import annotations

from typing import Any

from oathward.protocols.fhir.edits import Run
from oathward.protocols.fhir.elements import REST
from oathward.protocols.fhir.message import Message
from oathward.protocols.fhir.overrides import id_class
from oathward.protocols.fhir.resources import shape
from oathward.protocols.fhir.steps import Compiler
from oathward.protocols.shaping import KEEP, TELLING, Ruling, Told

VALUES_MAX = 20_000
"""Values that are told of one message."""


def _telling(cls: str, part: str) -> Ruling:
    """Note what is asked about, and change nothing."""
    if cls not in TELLING or (part == REST and not cls.endswith((".name", ".address"))):
        return KEEP

    def note(value: str, found: Any) -> str:
        if len(found) < VALUES_MAX:
            found[cls, part, value] = None
        return value

    return note


_TELLER = Compiler(_telling, hold=False)


def known_of(message: Message) -> tuple[Told, ...]:
    """Give what a message says of persons and things: (class, part, value as text); found out once for a message that was read."""
    told: tuple[Told, ...] | None = getattr(message, "told", None)
    if told is None:
        told = _known_of(message)
        if hasattr(message, "told"):
            message.told = told
    return told


def _known_of(message: Message) -> tuple[Told, ...]:
    found: dict[Told, None] = {}
    for entry in message.entries:
        cls = id_class(entry.type)
        if entry.id and cls in TELLING:
            found[cls, "", entry.id] = None
        shape(_TELLER, entry.resource, entry.type, Run(found))
    return tuple(found)
