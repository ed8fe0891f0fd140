"""What OBX-5 is, by OBX-2 (datatype) and OBX-3 (code): the one element whose meaning its siblings decide.

Rules:
- Numbers that look like numbers are a measurement; with a local code only up to six digits.
- A coded value is a measurement where its own coding system is standard; else it is whatever somebody typed.
- ST, TX and FT are notes, unless the code is an enumeration or a device setting on the reviewed list
  (``codes.ENUMERATED``) and the text is one of its words.
- Codes that name a person or a device (``codes.PERSONAL``, MDC attributes) give their own class.
- Names, addresses, identifiers and times are what their datatype says, of the patient.
- Everything else, an absent datatype with a value included, is ``note.text``.

Deliberately absent: units and ranges (fields of their own), and whether a value is plausible.

Source: HL7 v2.8.2 §7.4.2.2, §7.4.2.5; IHE PCD TF-2 App. B.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from oathward.protocols.hl7v2 import codes, elements, forms, tables
from oathward.protocols.hl7v2.elements import Element
from oathward.protocols.hl7v2.overrides import PATIENT

VALUE = "observation.value"
NOTE = "note.text"
ATTACHMENT = "attachment"

_ARRAYS = {"NM": "NM", "NA": "NA", "MA": "NA", "NR": "NA", "SN": "SN"}
_WORDS = frozenset(("ST", "TX", "FT", "IS", "ID"))
_BY_TYPE = frozenset(
    (
        *("XPN", "PN", "XCN", "CN", "PPN", "CX", "CK", "XAD", "AD", "XTN", "TN", "XON", "PL"),
        *("EI", "HD", "DR", "TS", "DTM", "DT", "TM", "MO", "CP", "CQ"),
    )
)
_SUBJECT = replace(PATIENT, entity="patient.identifier", staff="patient")


@dataclass(frozen=True, slots=True)
class Observation:
    """What the siblings of OBX-5 say.

    ``known``: OBX-3 is a code of a standard system. ``mdc``: its reference id, if the system is MDC.
    ``personal``: the class of its value, if the code is one of ``codes.PERSONAL``.
    """

    datatype: str
    known: bool
    mdc: bytes
    personal: str


def observed(
    observation: Observation,
    value: bytes,
    numbers: Mapping[tuple[str, bool], Callable[[bytes], object]],
    separators: tuple[bytes, bytes],
) -> str | Element:
    """Give the class of the whole field, or the tree to judge its parts by.

    Args:
        observation: the siblings.
        value: OBX-5 in normal form, not empty.
        numbers: tests by (kind, known), see ``shapes.marks_of``.
        separators: of components and of repetitions.
    """
    personal = observation.personal or codes.mdc_class(observation.mdc)
    if personal:
        return _personal(personal, observation.datatype, value)
    datatype = observation.datatype
    if datatype in _BY_TYPE:
        return elements.of_type(datatype, _SUBJECT, VALUE if datatype == "CQ" else "")
    if datatype in elements.CODED and not _enumerated(observation.mdc, value, *separators):
        return Element(VALUE, form="strict", kind="coded")
    measured = (
        numbers[_ARRAYS[datatype], observation.known](value)
        if datatype in _ARRAYS
        else datatype in elements.CODED or (datatype in _WORDS and codes.enumerated(observation.mdc, value))
    )
    return VALUE if measured else ATTACHMENT if datatype in ("ED", "RP") else NOTE


def _personal(cls: str, datatype: str, value: bytes) -> str | Element:
    if datatype in ("NA", "MA"):
        return cls  # one thing, however many samples
    if datatype in tables.datatypes():
        return elements.of_type(datatype, _SUBJECT, cls)
    form = {"patient.birth-date": forms.TIME, "device.type": forms.WORDS}.get(cls)
    return cls if form is None or forms.FITS[form](value) else NOTE


def _enumerated(name: bytes, value: bytes, component: bytes, repetition: bytes) -> bool:
    """Say whether a coded value is only a word of its enumeration, as ``^word`` or ``word``."""
    if repetition in value:
        return False
    words = [piece for piece in value.split(component) if piece]
    return len(words) == 1 and codes.enumerated(name, words[0])
