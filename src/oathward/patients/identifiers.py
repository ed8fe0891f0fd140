"""Which fields say who a message is about, and the keyed hash each becomes.

Rules:
- Patient identifiers: every repetition of PID-3; PID-2 and PID-4 only where they name an authority (they held
  other organisations' numbers). Encounter identifiers: PID-18, PV1-19, and PID-3 of an encounter's type.
- Only types that name one person identify (``PERSON_TYPES``): insurance and social security numbers are
  shared by families and mistyped for years; they stay words of the card.
- The authority is CX-4: its universal id where there is one, else its namespace, by the site's table of
  names (``core/authorities.py``); else the source's configured one; else the identifier is *local* to the device,
  whatever the table says.
- A number that says no type is of the source's configured one, else ``UNTYPED``.
- Placeholders (``UNKNOWN``, ``0000``, ``""`` …) identify nobody.
- The hash is keyed BLAKE2b, 16 bytes, over netstrings of site, authority, type and value: no value is kept.

Deliberately absent: check digits, effective dates, any matching by name or birth date.

Source: HL7 v2.8.2 §2A.3.14 (CX), §2A.3.33 (HD), §3.3.2 (PID), §3.3.5 (MRG), table 0203; RFC 7693.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from oathward.core.authorities import Authorities, Named
from oathward.core.identifying import AUTHORITY, DEVICE, HASH_BYTES, PERSON, VISIT, keyed
from oathward.core.phi import Phi
from oathward.patients.model import Source
from oathward.protocols.hl7v2.escapes import Separators, unescape_bytes

if TYPE_CHECKING:
    from oathward.protocols.hl7v2.reader import Message

SCOPE_BYTES = 8
REPETITIONS_MAX = 32
"""Identifiers read of one field; the rest is left alone."""

PID_EXTERNAL, PID_LIST, PID_ALTERNATE, PID_ACCOUNT, PID_MOTHER = 2, 3, 4, 18, 21
PV1_VISIT = 19
MRG_PATIENT, MRG_ALTERNATE, MRG_ACCOUNT, MRG_PATIENT_ID, MRG_VISIT = 1, 2, 3, 4, 5

PERSON_TYPES = frozenset(("", "MR", "MRT", "PI", "PT", "PN", "PE", "NI", "NH", "JHN", "CZ"))
"""Types that name one person within their authority; ``NNxxx`` (national, by country) too."""
UNTYPED = "MR"
"""Type of a patient's number that says none, on every wire and in every consent: who objects must be who was meant."""
ENCOUNTER_TYPES = frozenset(("AN", "ANC", "AND", "ANT", "VN"))

PLACEHOLDERS = frozenset(
    (
        "", '""', "UNKNOWN", "UNK", "UNKN", "NONE", "NULL", "NA", "N/A", "NOID", "NO ID", "NOPATIENT", "NO PATIENT",
        "PATIENT", "UNIDENTIFIED", "NOT ASSIGNED", "UNASSIGNED", "DEFAULT", "TEST", "X", "XX", "XXX", "-", "--", "?",
    )
)  # fmt: skip
"""Words that devices send where nobody has told them who the patient is."""

NOBODY = Named("")

_HOLDING, _SCOPE, _SEEN = b"holding", b"scope", b"seen"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier as sent.

    ``local``: no authority is known; it means something on this device only, whose id stands as authority.
    """

    value: Phi[str]
    authority: str
    type: str
    local: bool = False
    encounter: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one PID (with its PV1) says: identifiers of the person and of the encounter, in order."""

    persons: tuple[Identifier, ...]
    visits: tuple[Identifier, ...]

    @property
    def wide(self) -> tuple[Identifier, ...]:
        """Identifiers of the person that mean something beyond the device."""
        return tuple(i for i in self.persons if not i.local)


class Hasher:
    """Turn identifiers of one site into their keyed hashes.

    Args:
        index_key: 16 to 64 bytes from the keeper.
        authorities: what the site calls its assigning authorities.
    """

    __slots__ = ("_key", "_site", "authorities")

    def __init__(self, index_key: bytes, site: str, authorities: Authorities | None = None) -> None:
        if not 16 <= len(index_key) <= blake2b.MAX_KEY_SIZE:
            raise ValueError("an index key has 16 to 64 bytes")
        self._key, self._site = index_key, site
        self.authorities = authorities or Authorities()

    def identifier(self, one: Identifier) -> bytes:
        """Hash one identifier: 16 bytes. Persons and encounters never share a hash."""
        person = VISIT if one.encounter else PERSON
        place = DEVICE if one.local else AUTHORITY
        return self._hash(person, HASH_BYTES, self._site, place, one.authority, one.type, one.value.reveal())

    def others(self, one: Identifier) -> list[bytes]:
        """Hash what the identifier was known by before its authority's other names were declared."""
        if one.local:
            return []
        return [self.identifier(replace(one, authority=a)) for a in self.authorities.others(one.authority)]

    def apart(self, device: str, hd: bytes) -> bytes:
        """Hash what a device calls an authority, so that it is told of once."""
        return self.seen(device, hd)

    def scope(self, one: Identifier) -> bytes:
        """Hash what an identifier is unique within: authority and type."""
        place = DEVICE if one.local else AUTHORITY
        return self._hash(_SCOPE, SCOPE_BYTES, self._site, place, one.authority, one.type)

    def holding(self, device: str, *parts: str) -> bytes:
        """Hash what a holding subject stands for: a device, and what little was said."""
        return self._hash(_HOLDING, HASH_BYTES, self._site, device, *parts)

    def shared(self, visit: bytes) -> bytes:
        """Hash the mark that an encounter number was used for several people."""
        return blake2b(visit, digest_size=HASH_BYTES, key=self._key, person=b"shared").digest()

    def seen(self, device: str, fields: bytes) -> bytes:
        """Hash raw identifying fields of a device: the key of the hot cache, which so holds no value."""
        return blake2b(
            b"%d:%b%b" % (len(device), device.encode(), fields),
            digest_size=HASH_BYTES,
            key=self._key,
            person=_SEEN,
        ).digest()

    def _hash(self, person: bytes, size: int, *parts: str) -> bytes:
        return keyed(self._key, person, size, *parts)


class Reading:
    """Read the identifiers of one message as one source means them.

    ``apart``: authorities of identifiers that were named in two ways not declared the same, hashed.
    """

    __slots__ = ("_codec", "_hasher", "_separators", "_source", "apart")

    def __init__(self, message: Message, source: Source, hasher: Hasher) -> None:
        self._separators: Separators = message.separators
        self._codec, self._source, self._hasher = message.charset, source, hasher
        self.apart: list[bytes] = []

    def spoken(self, message: Message, pid: bytes, pv1: bytes | None) -> Spoken:
        """Read one PID segment and the PV1 that belongs to it."""
        listed = self.identifiers(message.field(pid, PID_LIST))
        for n in (PID_EXTERNAL, PID_ALTERNATE):
            listed += [i for i in self.identifiers(message.field(pid, n), named_only=True) if i not in listed]
        visits = self.identifiers(message.field(pid, PID_ACCOUNT), encounter="AN")
        if pv1:
            visits += self.identifiers(message.field(pv1, PV1_VISIT), encounter="VN")
        visits += [i for i in listed if i.encounter]
        return Spoken(tuple(i for i in listed if not i.encounter), tuple(dict.fromkeys(visits)))

    def identifiers(self, field: bytes, *, encounter: str = "", named_only: bool = False) -> list[Identifier]:
        """Read the CX repetitions of a field that identify.

        Args:
            encounter: the field names an encounter, of this type where CX-5 says none.
            named_only: leave out what names no authority itself.
        """
        if not field:
            return []
        repetitions = field.split(bytes([self._separators.repetition]))[:REPETITIONS_MAX]
        found = (self._one(r, encounter=encounter, named_only=named_only) for r in repetitions)
        return list(dict.fromkeys(i for i in found if i is not None))

    def _one(self, cx: bytes, *, encounter: str, named_only: bool) -> Identifier | None:
        parts = cx.split(bytes([self._separators.component]))
        value = self._text(parts[0])
        if is_placeholder(value):
            return None
        authority, apart = self._named_authority(parts[3]) if len(parts) > 3 else NOBODY
        type_ = self._text(parts[4]).upper() if len(parts) > 4 else ""
        found = self._of_type(value, authority, type_, encounter=encounter, named_only=named_only)
        if apart and found is not None:
            self.apart.append(self._hasher.apart(self._source.id, parts[3]))
        return found

    def _of_type(
        self, value: str, authority: str, type_: str, *, encounter: str, named_only: bool
    ) -> Identifier | None:
        if not authority and named_only:
            return None
        if encounter:
            return self._placed(value, authority, type_ or encounter, encounter=True)
        type_ = type_ or self._source.default_identifier_type or UNTYPED
        if type_ in ENCOUNTER_TYPES:
            return self._placed(value, authority, type_, encounter=True)
        if is_person_type(type_):
            return self._placed(value, authority, type_, encounter=False)
        return None

    def _placed(self, value: str, authority: str, type_: str, *, encounter: bool) -> Identifier:
        source = self._source
        authority = authority or self._hasher.authorities.written(source.default_authority)
        if not authority:
            return Identifier(Phi(value), source.id, type_, local=True, encounter=encounter)
        return Identifier(Phi(value), authority, type_, encounter=encounter)

    def _named_authority(self, hd: bytes) -> Named:
        parts = [self._text(p) for p in hd.split(bytes([self._separators.subcomponent]))]
        namespace, universal, kind = (*parts, "", "", "")[:3]
        return self._hasher.authorities.named(namespace, universal, kind)

    def _text(self, raw: bytes) -> str:
        text = unescape_bytes(raw, self._separators).decode(self._codec, "surrogateescape")
        return (text if text.isascii() else unicodedata.normalize("NFC", text)).strip()


def from_cx(text: str, hasher: Hasher, *, default_type: str = UNTYPED) -> Identifier | None:
    """Read one identifier that a person wrote as in PID-3: ``12345^^^HOSP^MR``; None without value or authority."""
    parts = [*(p.strip() for p in text.strip().split("^")), "", "", "", "", ""]
    value, authority = parts[0], hasher.authorities.written(parts[3])
    type_ = parts[4].upper() or default_type
    if is_placeholder(value) or not authority:
        return None
    return Identifier(Phi(unicodedata.normalize("NFC", value)), authority, type_)


def is_person_type(type_: str) -> bool:
    """Say whether identifiers of a type (HL7 table 0203) name one person within their authority."""
    return type_ in PERSON_TYPES or (type_.startswith("NN") and len(type_) == 5)


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for nobody."""
    return value.upper() in PLACEHOLDERS or not value.strip("0") or (len(value) > 3 and not value.strip("9"))


def unique(hashes: Iterable[bytes]) -> list[bytes]:
    """Drop repeats, keep order."""
    return list(dict.fromkeys(hashes))
