"""One message while it is mapped: how its values are read, which zone its times have, what was made of it.

Rules:
- Values are unescaped and decoded here, and nowhere else of this package.
- A time without a zone has the zone of MSH-7, if that names one.
- Identifiers that a resource is known by are hashed into its id (``fhir.known``).
- What has no identifier gets the id of the message and its place in the bundle.
- What the message only names is created where there is none, and never changed (docs/adr/0018-mentioned-is-created.md).

Deliberately absent: default assigning authorities; any memory from message to message.

Source: HL7 v2.8.2 §2.14.9.7 (the zone of MSH-7 is the default of the message); FHIR R4 §2.8 (id).
"""

from __future__ import annotations

import re
from typing import Any

from oathward.protocols.fhir.known import Naming
from oathward.protocols.hl7v2.escapes import USUAL
from oathward.protocols.hl7v2.reader import Message

NULL = b'""'
UNTOLD = Naming()
_ZONE = re.compile(rb"[0-9]{4,14}(?:\.[0-9]{1,4})?([+-][0-9]{4})").fullmatch
_CONTROL = {code: None for code in (*range(0x20), 0x7F) if code not in (9, 10, 13)}


def entry(type_: str, id_: str, resource: dict[str, Any], *, create: bool = False) -> dict[str, Any]:
    """Make one entry of the bundle: a PUT to the resource's own id; ``create``: only where nothing stands there."""
    request = {"method": "PUT", "url": f"{type_}/{id_}"}
    if create:
        request["ifNoneMatch"] = "*"
    return {"resource": {"resourceType": type_, "id": id_, **resource}, "request": request}


class Reading:
    """What converters need to know of the message, and where they put resources of their own."""

    __slots__ = (
        "component",
        "creates",
        "entries",
        "known",
        "mentioned",
        "message",
        "naming",
        "plain",
        "prefix",
        "quick",
        "repetition",
        "sub",
        "times",
        "zone",
    )

    def __init__(
        self,
        message: Message,
        outgoing_id: str,
        naming: Naming = UNTOLD,
        mentioned: frozenset[str] | None = None,
    ) -> None:
        self.naming = naming
        self.mentioned = mentioned
        """Types of resources that the message is not about; None: everything is written."""
        self.creates: set[tuple[str, str]] = set()
        """(type, id) of resources that are only to be created."""
        separators = message.separators
        self.message = message
        self.component = bytes([separators.component])
        self.repetition = bytes([separators.repetition])
        self.sub = bytes([separators.subcomponent])
        self.plain = separators == USUAL
        self.prefix = outgoing_id.lower()
        self.quick = self.plain
        """Whether rows may be written by their form (``quick``)."""
        self.entries: list[Any] = []
        self.known: dict[tuple[str, str], dict[str, Any]] = {}
        self.times: dict[bytes, tuple[Any, Any]] = {}
        found = _ZONE(message.header(7).partition(self.component)[0])
        self.zone = found[1].decode() if found else ""

    def text(self, raw: bytes) -> str:
        """Read one value; HL7's explicit null is no value."""
        if raw == NULL:
            return ""
        text = (
            raw.decode()
            if raw.isascii() and self.message.separators.escape not in raw
            else self.message.text(raw).reveal()
        )
        return text if text.isprintable() else text.translate(_CONTROL)

    def made_up(self) -> str:
        """Make the id of the next entry."""
        return f"{self.prefix}-{len(self.entries)}"

    def add(self, type_: str, id_: str, resource: dict[str, Any], *, bare: bool = False) -> str:
        """Put a resource into the bundle, once; give the reference to it.

        Args:
            type_: its resource type.
            id_: what its identifiers say; empty for none. One that is taken by other content is not used.
            resource: all but type and id.
            bare: it says nothing but what it is known by.
        """
        known = self.known.get((type_, id_)) if id_ else None
        if known == resource:
            return f"{type_}/{id_}"
        if known is not None or not id_:
            id_ = self.made_up()
        elif self.mentioned is not None and (bare or type_ in self.mentioned):
            self.creates.add((type_, id_))
        self.known[type_, id_] = resource
        self.entries.append((type_, id_, resource))
        return f"{type_}/{id_}"
