"""Whom a message is about: the patients its resources refer to, and their visits.

Rules:
- Every reference to a patient counts, wherever it stands in a resource: as subject, performer, in an extension, in
  a contained resource. ``Patient.link`` alone does not: it says that two records are one person's.
- Two names of one patient make one ``Person`` (``names``); an identifier that several people may share (insurance,
  social security) makes nobody the same.
- A resource about two patients cannot be cut (``mixed``), nor one that refers to a resource of another patient.
- What names nobody (Device, Organization, Provenance) is about the patient of what it refers to; else it goes with
  each patient's part that refers to it; else it is a part of its own.

Deliberately absent: who a patient is beyond the message (``patients``); demographics as identity.

Source: FHIR R4 §2.3.0 (references), §2.36.4 (resolving references in bundles), CompartmentDefinition/patient.
"""

from __future__ import annotations

from typing import Any

from oathward.core.errors import DecodeError
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.limits import LIMITS, Limits, exceeded
from oathward.protocols.fhir.message import Message, Person, Request
from oathward.protocols.fhir.names import Identifier, Key, Names, identifiers_of, names_of
from oathward.protocols.fhir.reader import request_bytes
from oathward.protocols.fhir.tables import compartment


def persons(message: Message, limits: Limits = LIMITS) -> tuple[Person, ...]:
    """Give the patients of a message, in the order in which it names them; none where it names none.

    ``Person.entries``: what ``split`` would put into one part with this patient. Of ``mixed`` messages it is what
    names this patient.

    Raises:
        DecodeError: LIMIT_EXCEEDED, more patients, identifiers or encounters than one message may have.
    """
    names = names_of(message)
    order = _order(names, limits)
    if len(order) == 1:
        return (_person(names, order[0], tuple(range(len(message.entries))), limits),)
    people = _people(names)
    carried = _carried(names, people)
    return tuple(
        _person(names, key, tuple(sorted({*_of(people, key), *carried.get(key, ())})), limits)
        for key in order
    )


def mixed(message: Message) -> tuple[int, ...]:
    """Give the places in ``message.entries`` of what is about several patients at once: it cannot be cut."""
    names = names_of(message)
    if len({key for keys in names.direct for key in keys}) < 2:
        return ()
    return _mixed(names, _people(names))


def split(message: Message, limits: Limits = LIMITS) -> list[bytes]:
    """Cut a bundle into one of the same kind for each patient, as ``raw`` each; one part where nothing is to cut.

    What ``mixed`` names stays a part of its own, as it is.

    Raises:
        DecodeError: LIMIT_EXCEEDED, too many patients, or parts that are together much larger than the message.
    """
    found = parts(message, limits)
    # What was read without its request, or cut from what was, is written anew: its size is what limits count from.
    whole = message.raw or request_bytes(message.request, dumps(message.body))
    if len(found) < 2:
        return [whole]
    made: list[bytes] = []
    room = len(whole) + limits.repeated_bytes_max
    for part in found:
        made.append(part_bytes(message, part))
        room -= len(made[-1])
        if room < 0:
            raise too_much(limits)
    return made


def too_much(limits: Limits) -> DecodeError:
    """Say that the parts of a bundle are much larger than it."""
    return exceeded("Bundle", limits.repeated_bytes_max, "bytes of what several patients refer to")


def parts(message: Message, limits: Limits = LIMITS) -> list[tuple[int, ...]]:
    """Give the places in ``message.entries`` that belong together: one group a patient, then the rest.

    Raises:
        DecodeError: LIMIT_EXCEEDED, more patients than one message may have.
    """
    names = names_of(message)
    every = tuple(range(len(message.entries)))
    order = _order(names, limits)
    if not message.bundle or (len(order) < 2 and all(names.direct)) or not order:
        return [every]
    people = _people(names)
    apart = frozenset(_mixed(names, people))
    carried = _carried(names, people)
    groups = []
    for key in order:
        group = {*_of(people, key), *carried.get(key, ())} - apart
        groups.append(tuple(sorted(group)))
    placed = {i for group in groups for i in group} | apart
    rest = tuple(i for i in every if i not in placed)
    return [group for group in (*groups, *((i,) for i in sorted(apart)), rest) if group]


def part_bytes(message: Message, part: tuple[int, ...]) -> bytes:
    """Write some entries of a bundle as a request of their own."""
    return request_bytes(Request("POST", ""), dumps(part_body(message, part)))


def part_body(message: Message, part: tuple[int, ...]) -> dict[str, Any]:
    """Make a bundle of some entries: its kind and they; an identifier or a total would say it of the whole."""
    entries = message.body["entry"]
    chosen = [entries[message.entries[i].index] for i in part]
    return {"resourceType": "Bundle", "type": message.bundle, "entry": chosen}


def _order(names: Names, limits: Limits) -> list[Key]:
    order = list(dict.fromkeys(key for keys in names.direct for key in keys))
    if len(order) > limits.patients_max:
        raise exceeded("Bundle.entry", limits.patients_max, "patients")
    return order


def _people(names: Names) -> list[frozenset[Key]]:
    """Say for each entry whom it is about: whom it names, else whom what it refers to names, two at most."""
    people = [frozenset(keys) for keys in names.direct]
    nobody = {i for i, keys in enumerate(people) if not keys}
    if not nobody:
        return people
    referrers: dict[int, list[int]] = {}
    for i in nobody:
        for target in names.targets[i]:
            referrers.setdefault(target, []).append(i)
    waiting = [i for i in range(len(people)) if i not in nobody and i in referrers]
    while waiting:
        i = waiting.pop()
        for referrer in referrers.get(i, ()):
            if len(people[referrer]) < 2 and not people[i] <= people[referrer]:
                people[referrer] = frozenset([*people[referrer], *people[i]][:2])
                waiting.append(referrer)
    return people


def _mixed(names: Names, people: list[frozenset[Key]]) -> tuple[int, ...]:
    found = []
    for i, own in enumerate(people):
        others = (names.direct[target] for target in names.targets[i]) if own else ()
        if len(own) > 1 or any(not own.issuperset(keys) for keys in others):
            found.append(i)
    return tuple(found)


def _of(people: list[frozenset[Key]], key: Key) -> list[int]:
    return [i for i, keys in enumerate(people) if key in keys]


def _carried(names: Names, people: list[frozenset[Key]]) -> dict[Key, set[int]]:
    """Say which entries that are about nobody go with each patient: what its entries refer to.

    What says something of a patient but names none (a result without subject) goes with nobody where several refer
    to it. A device may serve several.
    """
    carried: dict[Key, set[int]] = {}
    owners: dict[int, set[Key]] = {}
    for key in {key for keys in people for key in keys}:
        waiting, seen = _of(people, key), carried.setdefault(key, set())
        while waiting:
            for target in names.targets[waiting.pop()]:
                if not people[target] and target not in seen:
                    seen.add(target)
                    owners.setdefault(target, set()).add(key)
                    waiting.append(target)
    telling = compartment().keys() - {"Device"}
    for i, keys in owners.items():
        if len(keys) > 1 and names.message.entries[i].type in telling:
            for key in keys:
                carried[key].discard(i)
    return carried


def _person(names: Names, key: Key, entries: tuple[int, ...], limits: Limits) -> Person:
    identifiers: dict[Identifier, None] = dict.fromkeys(names.identifiers.get(key, ()))
    visits: dict[Identifier, None] = {}
    for i in entries:
        if len(names.direct) == 1 or not names.direct[i] or key in names.direct[i]:
            visits |= dict.fromkeys(names.visits(i))
    kind, own = key[0], key[-1]
    resource = None
    if kind == "entry":
        entry = names.message.entries[int(own)]
        resource, server_id = entry.resource, entry.id
        reference = entry.full_url or (f"Patient/{entry.id}" if entry.id else "")
        identifiers = dict.fromkeys([*identifiers_of(resource), *identifiers])
    else:
        server_id = own if kind == "id" else ""
        reference = names.spoken.get(key, "")
        resource = names.contained.get(key)
    if len(identifiers) > limits.identifiers_max:
        raise exceeded("Patient.identifier", limits.identifiers_max, "identifiers of a patient")
    if len(visits) > limits.visits_max:
        raise exceeded("Bundle.entry", limits.visits_max, "encounters of a patient")
    return Person(reference, tuple(identifiers), server_id, tuple(visits), resource, entries)
