"""FHIR R4 for the path.

Rules of what is the same request again (``identity``):
- An update (``PUT Type/id``) is a version of that resource; the same bytes as the newest version are a duplicate.
- A create with ``If-None-Exist`` by identifier is done once for a patient, whatever its bytes are later; of an
  identifier that the resource does not have the condition finds nothing, and says nothing here.
- Inside a bundle such a condition is its entry's own (``conditions``): the bundle stays what it is.
- A create whose resource has an identifier is the same when its bytes are; other bytes under it are a finding.
- Anything else is the same when its bytes are: a sender that did not hear the answer sends again.

Source: FHIR R4 §3.1.0.4 (update), §3.1.0.8.1 (conditional create), §3.1.0.5 (managing resource contention).
"""

from __future__ import annotations

import re
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.original import of_fhir as original_of
from oathward.gateway.sent import of_fhir
from oathward.gateway.wires.wire import Condition, Identity, LabelFacts
from oathward.inventory.model import Device
from oathward.patients.fhir import key_of
from oathward.patients.fhir_card import card_of_patient
from oathward.patients.model import Resolution
from oathward.patients.resolver import Resolver
from oathward.policy import model as policy
from oathward.policy.labels import LabelTable
from oathward.protocols.fhir import catalogue, persons
from oathward.protocols.fhir.conditions import identifier_of, name_of, names_of
from oathward.protocols.fhir.labels import labels_of
from oathward.protocols.fhir.message import Entry, Message, Retold
from oathward.protocols.fhir.shapes import Recognised, decode
from oathward.protocols.fhir.templates import UnmarkedError

_VERSION = re.compile(r'(?:W/)?"([^"]{1,64})"').fullmatch


class Fhir:
    """FHIR over HTTPS; see ``wire.Wire``."""

    name: policy.Wire = "fhir"
    where_sender = "certificate"

    def pieces(self, raw: bytes) -> list[bytes]:
        """One request is one message; the door has cut a batch already."""
        return [raw]

    def decode(self, raw: bytes) -> Message:
        """Read a request."""
        return decode(raw)

    def sender(self, _message: Message) -> None:
        """FHIR names no sender."""

    def equipment(self, message: Message) -> tuple[bytes, ...]:
        """List the identifiers of devices a hub speaks for: of ``Observation.device``, and of Device resources."""
        if isinstance(message, Recognised):
            known = message.filled("equipment", _one_device)
            if known is not None:
                return (known,) if known else ()
        return _equipment(message)

    def types(self, message: Message) -> list[tuple[str, str]]:
        """Every resource's type."""
        if not message.bundle:
            return [(message.code, message.trigger)]
        return [(message.code, type_) for type_ in dict.fromkeys(entry.type for entry in message.entries)]

    def type_of(self, message: Message) -> str:
        """``FHIR^Observation``, ``FHIR^Bundle``."""
        return f"{message.code}^{message.trigger}"

    def where_type(self, message: Message) -> str:
        """The element that says the type."""
        return f"{message.trigger}.resourceType"

    def plain_type(self, _message: Message) -> bool:
        """A resource type is one of R4's: the reader takes no other."""
        return True

    def resolve(
        self, resolver: Resolver, engine: Engine, message: Message, device: Device, now_us: int
    ) -> Resolution:
        """By subject, patient and their kin, and Patient resources.

        Raises:
            OathwardError: ``PATIENTS_SEVERAL``; one resource is about several patients and cannot be cut.
        """
        if isinstance(message, Recognised):
            told = message.filled("told", _told)
            if told is not None:
                return resolver.resolve_fhir(engine, partial(persons.persons, message), device, now_us, told)
        mixed = persons.mixed(message)
        if mixed:
            where = f"Bundle.entry[{message.entries[mixed[0]].index}]" if message.bundle else message.trigger
            raise DecodeError(where, "one patient", reason=Reason.PATIENTS_SEVERAL)
        people = persons.persons(message)
        return resolver.resolve_fhir(engine, lambda: people, device, now_us, key_of(people))

    def split(self, message: Message) -> list[bytes]:
        """By patient."""
        return persons.split(message)

    def card(self, message: Message) -> bytes:
        """Of the Patient resource."""
        found = next((p.resource for p in persons.persons(message) if p.resource is not None), {})
        return card_of_patient(found)

    def classes(self, message: Message) -> frozenset[str]:
        """By the catalogue."""
        return catalogue.classes_present(message)

    def codes(self, message: Message) -> frozenset[str]:
        """Of coded clinical content."""
        return catalogue.codes(message)

    def narrowed(self, message: Message, withheld: frozenset[str], only: frozenset[str] | None) -> Message:
        """Resources and components by their code."""
        return catalogue.without_codes(message, withheld, only)

    def tells(self, message: Message) -> bool:
        """Any resource but of persons, places and things."""
        return any(entry.type not in catalogue.ABOUT for entry in message.entries)

    def labelled(self, message: Message, table: LabelTable, device: Device) -> LabelFacts:
        """Codes, place and service of the encounter, kind of device; the sender as the inventory declares it."""
        asked = table.asked
        if not asked:
            return _NOTHING
        encounter = _encounter(message) if "location" in asked or "unit" in asked else {}
        return (
            table.asked_for(catalogue.codes(message)) if "codes" in asked else frozenset[str](),
            _location(encounter) if "location" in asked else "",
            _service(encounter) if "unit" in asked else "",
            device.kind if "device_kind" in asked else "",
            _sender(device) if "sender" in asked else "",
        )

    def own_labels(self, message: Message) -> frozenset[str]:
        """``meta.security`` of the bundle and of each resource."""
        known = message.shape and message.shape.constant("labels", labels_of)
        return labels_of(message) if known is None else known

    def original(self, message: Message) -> Original:
        """For the guard."""
        return original_of(message)

    def identity(self, message: Message) -> Identity:
        """See the module."""
        if isinstance(message, Recognised):
            how = message.shape.constant("identity", _how)
            words = message.filled("words", _words_of) if how is not None else None
            if how is not None and words is not None:
                return Identity(words or _bytes(message), *how[1:])
        return _identity(message)

    def sent_us(self, message: Message) -> int:
        """``issued``, ``effective…`` or ``timestamp``, whichever stands first."""
        return of_fhir(message.raw)

    def conditions(self, message: Message, whole: Message, number: int) -> list[Condition]:
        """Of ``ifNoneExist`` inside a bundle; a create of its own says it in its identity."""
        if not message.bundle:
            return []
        asked = [(entry.index, words) for entry in message.entries if (words := _once(entry))]
        if not asked:
            return []
        part = range(len(whole.entries)) if message is whole else persons.parts(whole)[number]
        every = message.bundle == "transaction"
        return [Condition(index, whole.entries[part[index]].index, words, every) for index, words in asked]

    def retold(self, message: Message, called: dict[int, str], there: frozenset[int]) -> Message:
        """By their place in the bundle."""
        return Retold(message, called, there)

    def answer(self, message: Message | None, undecodable: str, why: Reason | None = None) -> str:  # noqa: ARG002  an MLLP setting
        """The HTTP status of what is stored: created, updated, or what is wrong with it."""
        if message is None:
            return str((why or Reason.MESSAGE_UNDECODABLE).answer.http)
        return "200" if message.request.method == "PUT" or message.bundle else "201"

    def replies(self, source: Any, at_us: int, why: Reason | None, answer: str) -> list[bytes]:  # noqa: ARG002  another wire writes them
        """The door writes its own answers."""
        return []


FHIR = Fhir()

_NOTHING: LabelFacts = (frozenset(), "", "", "", "")


def _identity(message: Message) -> Identity:
    if message.bundle:
        named = name_of(message.body.get("identifier"))
        return Identity(_words("bundle", named) if named else _bytes(message))
    entry = message.entries[0]
    if entry.method == "PUT":
        found = _VERSION(entry.if_match)
        return Identity(
            _words("put", entry.type, entry.id),
            versions=True,
            if_version=found[1] if found else entry.if_match,
        )
    if words := _once(entry):
        return Identity(words, once=True)
    named = next(iter(names_of(entry.resource)), "")
    return Identity(_words("post", entry.type, named) if named else _bytes(message))


def _how(message: Message) -> Identity:
    """What its identity is but for the words."""
    return _identity(message)._replace(words=b"")


def _words_of(message: Message) -> bytes:
    """The words of its identity; nothing where they are of its bytes."""
    words = _identity(message).words
    return b"" if words == _bytes(message) else words


def _told(message: Message) -> bytes:
    """What identifies the one person a message is about.

    Raises:
        UnmarkedError: it takes a closer look.
    """
    told = None if persons.mixed(message) else key_of(persons.persons(message))
    if told is None:
        raise UnmarkedError
    return told


def _equipment(message: Message) -> tuple[bytes, ...]:
    found = {value for entry in message.entries for value in _device_identifiers(entry.resource)}
    return tuple(sorted(value.encode("utf-8", "replace") for value in found))


def _one_device(message: Message) -> bytes:
    """The one device a message names, or nothing.

    Raises:
        UnmarkedError: it names several.
    """
    found = _equipment(message)
    if len(found) > 1:
        raise UnmarkedError
    return b"".join(found)


def _words(*words: str) -> bytes:
    return b"\r".join(word.encode("utf-8", "surrogatepass") for word in ("fhir", *words))


def _bytes(message: Message) -> bytes:
    return b"fhir\rbytes\r" + sha256(message.raw).digest()


def _once(entry: Entry) -> bytes:
    """Give the identity that a condition asks for; empty where its resource does not have that identifier."""
    asked = identifier_of(entry.if_none_exist) if entry.if_none_exist else ""
    return _words("post", entry.type, asked) if asked and asked in names_of(entry.resource) else b""


def _device_identifiers(resource: dict[str, Any]) -> list[str]:
    found = [resource["device"]["identifier"]] if "identifier" in resource.get("device", ()) else []
    if resource.get("resourceType") == "Device":
        found += resource.get("identifier", [])
    return [one["value"] for one in found if isinstance(one, dict) and "value" in one]


def _encounter(message: Message) -> dict[str, Any]:
    return next(iter(message.of_type("Encounter")), {})


def _location(encounter: dict[str, Any]) -> str:
    """The place of an Encounter, as PV1-3: identifier or logical id of its newest location."""
    for one in reversed(encounter.get("location", [])):
        place = one.get("location", {})
        return str(place.get("identifier", {}).get("value") or place.get("reference", "").rpartition("/")[2])
    return ""


def _service(encounter: dict[str, Any]) -> str:
    """The service of an Encounter, as PV1-10: the first code of its type."""
    return next((str(one.get("code", "")) for one in encounter.get("serviceType", {}).get("coding", [])), "")


def _sender(device: Device) -> str:
    """The application that the inventory names, as MSH-3; none where it names several."""
    names = {sender.partition("|")[0] for sender in device.senders}
    return names.pop() if len(names) == 1 else ""
