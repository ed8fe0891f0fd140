"""Whom a FHIR message is about: identifiers by system, logical ids by the server that gave them.

Rules:
- ``Identifier.system`` names the assigning authority as CX-4 does: ``urn:oid:1.2.3``, ``urn:uuid:…`` or a URL, by
  the site's table; so a patient is one subject on every wire. What has no system is the sender's own.
- Types are those of HL7 table 0203; only types that name one person identify (``PERSON_TYPES``). FHIR seldom says
  one: the system is the name space. Then it is the sender's configured type, else ``UNTYPED``.
- A logical id (``Patient/123``) means something at the sender alone. A Patient resource that bears it and an
  identifier ties it to that person; before that, its messages are a holding subject's, which joins then. A logical
  id that the sender gives to a second person is ambiguous: held.
- A Patient resource of an authoritative source speaks as an ADT A08 does; one of any other source ties nothing but
  its own logical id.
- ``Patient.link`` is not followed: merges come by ADT, or from a person. It is a finding.

Source: FHIR R4 §2.1.28.0.1 (Identifier), §2.3 (References), §8.1 (Patient).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.patients import adt, declared
from oathward.patients.fhir_card import words_of_patient
from oathward.patients.identifiers import (
    ENCOUNTER_TYPES,
    UNTYPED,
    Hasher,
    Identifier,
    Spoken,
    is_person_type,
    is_placeholder,
)
from oathward.patients.model import EdgeKind, Resolution, Source
from oathward.patients.ordinary import ambiguous, holding_of, whom
from oathward.patients.work import Whom, Work, unique_subjects

if TYPE_CHECKING:
    from oathward.protocols.fhir.message import Person

LOGICAL = "fhir-id"
"""Type of an identifier that is a logical id of the sender's server."""
LINKED = "patient.link-not-followed"


def key_of(people: Sequence[Person]) -> bytes | None:
    """Write what identifies the people of a message; None where it brings demographics, which need a closer look."""
    if any(person.resource is not None for person in people):
        return None
    told = [(p.reference, p.server_id, p.identifiers, p.visits) for p in people]
    return b"fhir\r" + repr(told).encode("utf-8", "surrogatepass")


def resolve(work: Work, people: Sequence[Person]) -> Resolution:
    """Say whom a message is about, and take in what its Patient resources say."""
    if not people:
        return work.finish(whom(work, Spoken((), ())))
    answers = [_one(work, person) for person in people]
    subjects = unique_subjects(work.effective(a.subject) for a in answers)
    if len(subjects) > 1:
        return work.finish(ambiguous(work, [a.subject.encode() for a in answers], Reason.PATIENTS_SEVERAL))
    lead = answers[0]
    refused = next((a.refused for a in answers if a.refused), None)
    told = people[0].resource is not None and work.source.authoritative_adt
    card = lead.own if told and lead.kind == "known" and not refused else ""
    return work.finish(lead, refused=refused, card=card)


def spoken_of(person: Person, source: Source, hasher: Hasher) -> Spoken:
    """Give the identifiers of one patient and of the encounters, as the source means them."""
    listed = [_identifier(*one, source, hasher) for one in person.identifiers]
    visits = [_identifier(*one, source, hasher, encounter=True) for one in person.visits]
    persons = [i for i in listed if i is not None and not i.encounter]
    visits += [i for i in listed if i is not None and i.encounter]
    return Spoken(tuple(dict.fromkeys(persons)), tuple(dict.fromkeys(v for v in visits if v is not None)))


def visit_of(system: str, value: str, source: Source, hasher: Hasher, type_: str = "") -> Identifier | None:
    """Read the number of an Encounter, or of its account, as ADT's are read; None where it is none."""
    return _identifier(system, value, type_, source, hasher, encounter=True)


def _identifier(
    system: str, value: str, type_: str, source: Source, hasher: Hasher, *, encounter: bool = False
) -> Identifier | None:
    text = unicodedata.normalize("NFC", value).strip()
    if is_placeholder(text):
        return None
    type_ = type_.strip().upper() or ("VN" if encounter else source.default_identifier_type or UNTYPED)
    encounter = encounter or type_ in ENCOUNTER_TYPES
    if not encounter and not is_person_type(type_):
        return None
    authority = hasher.authorities.written_uri(system) if system else ""
    authority = authority or (hasher.authorities.written(source.default_authority) if not system else "")
    if not authority:
        return Identifier(Phi(text), source.id, type_, local=True, encounter=encounter)
    return Identifier(Phi(text), authority, type_, encounter=encounter)


def _one(work: Work, person: Person) -> Whom:
    """Find the subject of one patient; the logical id and the identifiers must agree."""
    spoken = spoken_of(person, work.source, work.hasher)
    declared.take_over(work, spoken)
    logical = _logical(person, work.source)
    known = work.known([work.hasher.identifier(logical)]) if logical else []
    if not spoken.wide:
        if known:
            return Whom(work.effective(known[0]), "known", own=known[0])
        if logical:
            return holding_of(work, logical)
        return whom(work, spoken)
    found = _told(work, person, spoken) if person.resource is not None else whom(work, spoken)
    if found.refused or found.kind != "known" or logical is None:
        return found
    hashes = [work.hasher.identifier(i) for i in (*spoken.wide, logical)]
    if known and work.effective(known[0]) != work.effective(found.subject):
        return ambiguous(work, hashes)
    if not known and person.resource is not None:
        _tie_logical(work, found.own, logical)
    return found


def _told(work: Work, person: Person, spoken: Spoken) -> Whom:
    """Take in a Patient resource."""
    assert person.resource is not None
    if person.resource.get("link"):
        work.findings.append(LINKED)
    if not work.source.authoritative_adt:
        return whom(work, spoken)
    found = adt.person(work, spoken)
    if found.refused or found.kind != "known":
        return found
    adt.claim(work, found.own, spoken.visits)
    if work.words:
        work.add_words(found.own, words_of_patient(person.resource, work.words))
    return found


def _logical(person: Person, source: Source) -> Identifier | None:
    if not person.server_id or not source.id:
        return None
    return Identifier(Phi(person.server_id), source.id, LOGICAL, local=True)


def _tie_logical(work: Work, own: str, logical: Identifier) -> None:
    """Let a logical id name the person whose resource bears it, and whoever waited under it join."""
    held = holding_of(work, logical, make=False)
    if held.subject and held.kind == "holding" and held.subject != work.effective(own):
        work.edge(EdgeKind.JOINED, held.subject, own)
    work.attach(own, [logical])
