"""What a person reviewed, and what a segment is about where nobody did.

Rules:
- A row of ``tables/reviewed.tsv`` speaks for whole fields; it has a source, or it does not load.
- A class there is a word of ``core.labels``; a role alone (``staff``) keeps the kind that the datatype gives.
- Some fields of segments that have no rows are named here (``single``).
- Where neither speaks, the datatype decides, in the light of what the segment is about (``SUBJECTS``).

Deliberately absent: overrides of single components. What a component is follows from the datatype.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from oathward.core.labels import CLASSES, ROLES
from oathward.protocols.hl7v2 import tables

BY_TYPE = "-"
FORMS = frozenset(("", "profile", "charset", "di", "version", "sub-id", "unit", "range", "observed"))
PARTS = frozenset(("", "rest", "state"))


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewed field is.

    ``cls``: a class, a role, or empty (by datatype). ``part``: see ``elements``. ``form``: see ``forms``.
    """

    cls: str
    part: str
    form: str
    source: str


@cache
def reviewed() -> dict[tuple[str, int], Review]:
    """Map (segment, field) to its review.

    Raises:
        ValueError: a row of the table is not usable; names the row.
    """
    found: dict[tuple[str, int], Review] = {}
    for segment, fields, words, source in tables.rows("reviewed.tsv"):
        head, _, form = words.partition(":")
        cls, _, part = head.partition("/")
        known = cls == BY_TYPE or cls in CLASSES or cls in ROLES
        if not (known and form in FORMS and part in PARTS and source):
            raise ValueError(f"reviewed.tsv: {segment} {fields}")
        for n in _numbers(fields):
            if (segment, n) in found or n > len(tables.segments()[segment]):
                raise ValueError(f"reviewed.tsv: {segment}-{n} twice, or beyond the table")
            found[segment, n] = Review("" if cls == BY_TYPE else cls, part, form, source)
    return found


_LOT, _EXPIRY, _SHARED = ("device.identity", ""), ("device.identity", "rest"), ("organisation.time", "")
_SINGLE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("RXA 15", "RXD 18", "RXG 19", "BPX 10"), _LOT),
    **dict.fromkeys(("RXA 16", "RXD 19", "RXG 20", "BPX 13", "PCR 5-6", "IIM 4", "ILT 3-4"), _EXPIRY),
    **dict.fromkeys(
        ("MFI 4-5", "MFE 3,6", "MFA 3", "OM1 21-22", "CM0 6,8", "PRC 11-12", "PDC 14-15"), _SHARED
    ),
    **dict.fromkeys(("QRD 1", "URD 1"), ("message.time", "")),
}
"""Fields of segments that nobody reviewed whole. A lot's expiry is known to who knows the lot, a catalogue's dates are the same
for every patient, and a system's are of no patient: none may move by a patient's days.

Source: HL7 v2.8.2 §4.14 (RXA, RXD, RXG, BPX), §7 (PCR, PDC), §8 (MFI, MFE, MFA, OM1, CM0, PRC), §17 (IIM, ILT); v2.5.1 §5.10.5.
"""


@cache
def single() -> dict[tuple[str, int], Review]:
    """Map (segment, field) to what is said of it alone."""
    return {
        (place[:3], n): Review(cls, part, "", "HL7 v2.8.2")
        for place, (cls, part) in _SINGLE.items()
        for n in _numbers(place[4:])
    }


def _numbers(fields: str) -> Iterator[int]:
    for span in fields.split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a segment is about: gives the classes of datatypes that do not say it themselves.

    ``role``: of XPN, XAD, XTN, CX and dates. ``number``, ``code``: of NM, and of IS and coded elements.
    ``entity``: of EI. ``staff``: the role of XCN.
    """

    role: str = "patient"
    number: str = "clinical.code"
    code: str = "clinical.code"
    entity: str = "order"
    staff: str = "staff"


PATIENT = Subject()
RELATIVE = Subject(role="relative", number="relative.demographic", code="relative.demographic")
STAFF = Subject(role="staff", number="staff.demographic", code="staff.demographic", entity="staff.identifier")
ORGANISATION = Subject(
    role="organisation",
    number="organisation.demographic",
    code="organisation.demographic",
    entity="organisation.identifier",
)
DEVICE = Subject(role="organisation", number="device.type", code="device.type", entity="device.identity")
MONEY = Subject(number="financial", code="financial", entity="patient.identifier")

SUBJECTS: dict[str, Subject] = {
    **dict.fromkeys(("NK1", "GT1", "CTD"), RELATIVE),
    **dict.fromkeys(
        ("ROL", "PRT", "STF", "PRA", "PRD", "ORG", "AFF", "LAN", "EDU", "CER", "AIP", "VAR"), STAFF
    ),
    **dict.fromkeys(("FAC", "LOC", "LCC", "LCH", "LDP", "LRL", "VND", "NST", "NSC", "NCK"), ORGANISATION),
    **dict.fromkeys(
        ("EQU", "EQP", "ISD", "ECD", "ECR", "TCC", "TCD", "NDS", "INV", "SID", "SCD", "SCP", "SDD", "CNS"),
        DEVICE,
    ),
    **dict.fromkeys(
        (
            *("FT1", "IN1", "IN2", "IN3", "UB1", "UB2", "GP1", "GP2", "PYE", "IVC", "PSS", "PSG", "PSL"),
            *("ADJ", "IPR", "PMT", "BLG", "CDM", "PRC", "PM1", "MCP", "DMI", "DRG", "AUT", "RFI"),
        ),
        MONEY,
    ),
}
"""Segment -> what it is about; all others are about the patient, the strictest reading."""


def subject_of(segment: str) -> Subject:
    """Say what a segment is about."""
    return SUBJECTS.get(segment, PATIENT)
