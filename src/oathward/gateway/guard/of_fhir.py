"""What a FHIR original says about its persons.

Rules:
- Whole person-bearing structures are taken, wherever they stand: Patient (with its contacts), RelatedPerson, Person,
  what refers to one of them by id, identifier, query or name, who is insured, relatives in a family's history. This
  module has its own short list of them and never asks the catalogue: a hole there must not be one here.
- A logical id is a token as any identifier is: one of 6 characters and more with a digit stops.
- ``persons_of`` tells originals apart without a look at values: most name a patient by reference, and nothing else.

Deliberately absent: how tokens are made (``of_fhir_person``, ``makers``), staff.

Source: FHIR R4 §8.1 (Patient), §8.2 (RelatedPerson), §8.3 (Person), §2.3 (References), §3.1.0.8 (conditional create).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson

from oathward.gateway.guard import makers
from oathward.gateway.guard.of_fhir_person import Taker
from oathward.gateway.guard.tokens import Tokens, settle
from oathward.protocols.fhir.message import Message
from oathward.protocols.fhir.shapes import Recognised

PERSONS = frozenset(("Patient", "RelatedPerson", "Person"))
_IN_PART = frozenset(("Coverage", "Account", "FamilyMemberHistory"))
"""Resources of which some elements are a person's."""
_ROLES = frozenset(
    (
        "subject", "patient", "beneficiary", "subscriber", "policyHolder", "for", "sourcePatientInfo", "candidate",
    )
)  # fmt: skip
"""Elements that mean a person where the reference itself does not say what it means."""
_WITHOUT_PERSONS = frozenset(
    (
        "code", "coding", "category", "meta", "interpretation", "referenceRange", "component", "valueQuantity", "bodySite",
        "valueCodeableConcept", "valueSampledData", "low", "high", "text",
    )
)  # fmt: skip
"""Elements that refer to nobody, but by an extension."""
_NOTHING: frozenset[str] = frozenset()
_SEARCHED = ("patient", "subject", "beneficiary")
"""Search parameters that name a person in a search for something else."""
_TYPE = re.compile(r"(?:\A|/)([A-Z][A-Za-z]+)[/?]").search
_TIMES = (
    "effectiveDateTime", "effectiveInstant", "issued", "recorded", "date", "authoredOn", "occurrenceDateTime",
    "performedDateTime", "created", "sent",
)  # fmt: skip
_PERIODS = ("effectivePeriod", "period", "performedPeriod", "occurrencePeriod")

Told = tuple[str, str, Any]
"""How it is told (``resource``, ``part``, ``reference``, ``query``, ``id``), the type, and the value as it came."""


def persons_of(message: Message) -> tuple[object, ...]:
    """All that tells which tokens a message has: what it says of persons, and the day where one is described."""
    if isinstance(message, Recognised):
        known = message.filled("told to the guard", lambda one: repr(_persons(one)).encode())
        if known is not None:
            return (known,)
    return _persons(message)


def _persons(message: Message) -> tuple[object, ...]:
    told = _told(message)
    key = dict.fromkeys((how, kind, _key(value)) for how, kind, value in told)
    described = any(how in {"resource", "part", "query"} for how, _, _ in told)
    return (b"fhir", day_of(message) if described else b"", *key)


def tokens_of(message: Message) -> Tokens:
    """Collect the raw tokens of the persons of a message."""
    tokens = Tokens()
    take = Taker(tokens)
    ways: dict[str, Callable[[str, Any], bool]] = {
        "resource": take.resource, "part": take.part, "reference": take.reference, "query": take.query, "id": take.id,
    }  # fmt: skip
    for how, kind, value in _told(message):
        if tokens.full or not ways[how](kind, value):
            tokens.too_many = True
            return tokens
    return settle(tokens, makers.date_of(day_of(message).decode()))


def day_of(message: Message) -> bytes:
    """Give the latest day that resources say they are of, ``YYYYMMDD``; nothing where none does."""
    days = [_day(message.body.get("timestamp"))]
    resources = [one.resource for one in message.entries if one.type not in PERSONS]
    for resource in resources:
        days += [_day(resource[name]) for name in _TIMES if name in resource]
        days += [_day(_in(resource[name], "start")) for name in _PERIODS if name in resource]
    if not any(days):
        days += [_day(_in(one.resource.get("meta"), "lastUpdated")) for one in message.entries]
    return max(days)


def _in(node: object, name: str) -> object:
    return node.get(name) if isinstance(node, dict) else None


def _day(value: object) -> bytes:
    text = value[:10].replace("-", "") if isinstance(value, str) else ""
    return text.encode() if len(text) == 8 and text.isascii() and text.isdigit() else b""


def _key(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1 and type(found := value.get("reference")) is str:
        return (found,)
    return orjson.dumps(value, default=str)


# --- where persons stand


def _told(message: Message) -> list[Told]:
    """List what a message says of persons, in an order that is the same for equal messages."""
    target, conditions = message.request.target, message.request.conditions
    found: list[Told] = []
    if "/" in target or conditions:
        found += _in_request(*target.partition("/")[::2], dict(conditions).get("if-none-exist", ""))
    types = {one.full_url: one.type for one in message.entries if one.full_url}
    raw = message.raw
    leave = _NOTHING if b"xtension" in raw or b"\\" in raw or not raw else _WITHOUT_PERSONS
    for entry in message.entries:
        if entry.type in PERSONS or entry.if_none_exist:
            found += _in_request(entry.type, entry.id, entry.if_none_exist)
            if entry.full_url and entry.type in PERSONS:
                found.append(("reference", entry.type, {"reference": entry.full_url}))
        local: dict[str, str] = {}
        for name, reference in _walk(entry.resource, found, local, leave):
            meant = _meant(name, reference, types, local)
            if meant in PERSONS:
                found.append(("reference", meant, reference))
    return found


def _in_request(type_: str, id_: str, query: str) -> list[Told]:
    """What a request itself says: whose resource is written, and unless which one exists."""
    if type_ not in PERSONS:
        named = [value for name, value in parse_qsl(query) if name.startswith(_SEARCHED)]
        return [("id", "Patient", value.rpartition("|")[2].rpartition("/")[2]) for value in named]
    return [one for one in (("id", type_, id_), ("query", type_, query)) if one[2]]


def _walk(
    resource: dict[str, Any], found: list[Told], local: dict[str, str], leave: frozenset[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Collect the persons in a resource; gives what may refer to others, with the element's name.

    Args:
        local: takes the ids of contained resources, with their types.
        leave: elements that are not looked into.
    """
    references = []
    stack = [_without_person(resource, found, local)]
    while stack:
        for name, value in stack.pop().items():
            kind = type(value)
            if kind is str or name in leave:
                continue
            for one in value if kind is list else (value,):
                if type(one) is not dict:
                    continue
                if "reference" in one or "identifier" in one or name in _ROLES:
                    references.append((name, one))
                stack.append(_without_person(one, found, local) if "resourceType" in one else one)
    return references


def _without_person(node: dict[str, Any], found: list[Told], local: dict[str, str]) -> dict[str, Any]:
    """Take what is a person; gives what must be looked into."""
    kind = node.get("resourceType")
    if kind in PERSONS:
        found.append(("resource", kind, node))
    elif kind in _IN_PART:
        found.append(("part", kind, node))
    contained = node.get("contained")
    for one in contained if type(contained) is list else ():
        if type(one) is dict and type(one.get("id")) is str:
            local["#" + one["id"]] = str(one.get("resourceType"))
    return {"contained": contained} if kind in PERSONS else node


def _meant(name: str, reference: dict[str, Any], types: dict[str, str], local: dict[str, str]) -> str:
    """Say what type of resource a reference means; empty where nobody can tell."""
    if "resourceType" in reference:
        return ""
    text = reference.get("reference")
    if type(text) is str:
        match = _TYPE(text)
        if match:
            return match[1]
        if text in types or text in local:
            return types.get(text) or local[text]
    kind = reference.get("type")
    return kind if type(kind) is str else "Patient" if name in _ROLES else ""
