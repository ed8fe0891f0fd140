"""The containment of a PCD-01 message: which Device or DeviceMetric an OBX row stands for.

Rules:
- OBX-4 is MDS.VMD.channel.metric: a row with a code, no value and zeros at its end is a Device, the child of the
  level above, or of the one at its own place before it; a row with a value is an observation of a DeviceMetric, the child of the nearest level there is.
- OBX-18 is the equipment of its row and of everything below that names none. What has equipment has the same id
  in every message; what has none is of this message alone.
- The category of a metric is what OBX-17 says (``AMEAS``, ``MSET`` …), else unspecified.

Deliberately absent: levels that no row names.

Source: IHE PCD TF-2 Appendix B.8 (OBX-4, OBX-17, OBX-18); HL7 PoCD IG (Device and DeviceMetric containment).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from oathward.protocols.fhir.known import digest, id_of, key_of
from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.authorities import equipment
from oathward.protocols.v2fhir.codes import Concept
from oathward.protocols.v2fhir.reading import NULL, Reading

CONTAINMENT = "urn:oathward:v2:containment"
MDC = "urn:iso:std:iso:11073:10101"

_PLACE = re.compile(rb"[0-9]+(?:\.[0-9]+){3,7}").fullmatch
_CATEGORIES = {
    **dict.fromkeys(("AMEAS", "MMEAS"), "measurement"),
    **dict.fromkeys(("ASET", "MSET"), "setting"),
    **dict.fromkeys(("ACALC", "MCALC"), "calculation"),
}

Place = tuple[bytes, ...]
Identity = tuple[str, str, str]


class Level(NamedTuple):
    """One Device of the message: the reference to it, and what equipment it is (None for unknown)."""

    reference: str
    identity: Identity | None


@cache
def attributes() -> dict[str, str]:
    """Map reference id to the element of Device that says it too."""
    return dict(tables.rows("attributes.tsv", 2))


def place_of(raw: bytes, code: Concept | None) -> Place | None:
    """Read OBX-4 where it is a place in the containment of a device; None for any other sub-id."""
    if code is None or not _PLACE(raw):
        return None
    codings = code.get("coding") or ()
    return tuple(raw.split(b".")) if any(coding.get("system") == MDC for coding in codings) else None


def above(place: Place) -> list[Place]:
    """List the levels above a place, the nearest first."""
    found = []
    for n in (3, 2, 1):
        level = (*place[:n], *([b"0"] * (4 - n)))
        if level != place and level not in found:
            found.append(level)
    return found


class Devices:
    """The devices of one message; ``levels``: place -> Device."""

    __slots__ = ("levels",)

    def __init__(self) -> None:
        self.levels: dict[Place, Level] = {}

    def nearest(self, place: Place) -> Level | None:
        """Find the nearest level above a place."""
        levels = self.levels
        return next((levels[level] for level in above(place) if level in levels), None) if levels else None

    def add_device(self, place: Place, code: Concept | None, raw: bytes, r: Reading) -> dict[str, Any]:
        """Make the Device of a row; a second one at a place is a part of the first."""
        parent = self.levels.get(place) or self.nearest(place)
        inherited = parent.identity if parent else None
        identifier = _equipment(raw, r)
        own = key_of(identifier) if identifier else None
        resource: dict[str, Any] = {
            "extension": [{"url": CONTAINMENT, "valueString": b".".join(place).decode()}]
        }
        if identifier and own != inherited:
            resource["identifier"] = [identifier]
        if code:
            resource["type"] = code
        if parent:
            resource["parent"] = {"reference": parent.reference}
        identity = own or inherited
        key = _of_level(identity, _inner(place, own, inherited), r) if identity else ""
        self.levels[place] = Level(r.add("Device", key, resource), identity)
        return resource

    def metric(
        self, place: Place, code: Concept, unit: Concept | None, method: bytes, equipped: bytes, r: Reading
    ) -> str:
        """Make the DeviceMetric of a row; give the reference to it."""
        parent = self.nearest(place)
        source = self.source(parent, equipped, r)
        resource: dict[str, Any] = {"type": code}
        if unit:
            resource["unit"] = unit
        if source:
            resource["source"] = {"reference": source.reference}
        if parent:
            resource["parent"] = {"reference": parent.reference}
        resource["category"] = _category(method, r)
        if not source or not source.identity:
            return r.add("DeviceMetric", "", resource)
        coding = (code.get("coding") or [{}])[0]
        named = (coding.get("system", ""), coding.get("code", "") or coding.get("display", ""))
        key = digest("DeviceMetric", *source.identity, b".".join(place).decode(), *named)
        return r.add("DeviceMetric", key, resource)

    def source(self, parent: Level | None, equipped: bytes, r: Reading) -> Level | None:
        """Find the Device a row came from: its own equipment, else that of the level above."""
        identifier = _equipment(equipped, r)
        if identifier is None:
            return parent
        own = key_of(identifier)
        for level in self.levels.values():
            if level.identity == own:
                return level
        id_ = id_of("Device", own, r.naming)
        return Level(r.add("Device", id_, {"identifier": [identifier]}, bare=True), own)


def _of_level(identity: tuple[str, ...], inner: tuple[str, ...], r: Reading) -> str:
    """Give the id of a unit, or of a part of one."""
    whole = id_of("Device", identity, r.naming)
    return digest("Device", whole, *inner) if inner else whole


def _equipment(raw: bytes, r: Reading) -> dict[str, Any] | None:
    first = raw.partition(r.repetition)[0] if raw else b""
    return equipment(first, r) if first and first != NULL else None


def _inner(place: Place, own: Identity | None, inherited: Identity | None) -> tuple[str, ...]:
    """Say what tells a level from the equipment itself: its place, unless it is that equipment."""
    if own and own != inherited:
        return ()
    return (b".".join(place).decode(),)


def _category(method: bytes, r: Reading) -> str:
    word = r.text(method.partition(r.component)[0]) if method else ""
    return _CATEGORIES.get(word, "unspecified")
