"""What each attribute is, as an element class, and what becomes of those that Annex E does not name.

Rules:
- By VR first, overridden by tag: a PN names staff outside group 0010, a date says when something was observed.
- Texts that the standard knows and Annex E does not name are cleaned, or emptied where nothing cleans them; those that hold a
  code or a kind of device stay (``KEPT``). Codes and numbers stay. An empty text is valid wherever the attribute may be
  absent or empty; where it may be neither (``FILLED``) a dummy stands in its place.
- Dates that are no one patient's go where dates move (``NO_PATIENTS``): what is published, or the same for many, would show by
  how many days. So do those that Annex E does not name: they are of inventories, industrial tests and screening.
- A tag that the standard does not know is removed, whatever it holds.

Deliberately absent: values. Source: DICOM PS3.6; PS3.3 for what types attributes have.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from oathward.protocols.dicom import annex_e
from oathward.protocols.dicom.annex_e import Action, Row
from oathward.protocols.dicom.dictionary import OPAQUE, TEXTS, TIMES

CHARACTER_SET = 0x00080005
PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020
ISSUER, BIRTH_DATE = 0x00100021, 0x00100030
ISSUER_QUALIFIERS = 0x00100024
OTHER_IDS, OTHER_IDS_SEQUENCE = 0x00101000, 0x00101002
CODE_SCHEME, CODE_MEANING = 0x00080102, 0x00080104
ENCAPSULATED_DOCUMENT, CONTENT_SEQUENCE = 0x00420011, 0x0040A730

TAGS_MAX = 20_000
"""Attributes whose class is remembered."""

Classified = tuple[str, str]
"""Element class and part, as ``Decide`` is asked for."""


class Treatment(NamedTuple):
    """What happens where it can be done, and what where it cannot: a text that nobody can clean, a class not permitted."""

    action: Action
    instead: Action


_TEXT = Treatment("C", "Z")
_FILLED = Treatment("C", "D")
_KEPT = Treatment("K", "Z")
_KEPT_FILLED = Treatment("K", "D")
_GONE = Treatment("X", "X")
_ZEROS = Treatment("D", "D")
_DATES = Row("Z", ((annex_e.RETAIN_LONGITUDINAL_FULL_DATES, "K"),))


def _tags(text: str) -> frozenset[int]:
    return frozenset(int(word, 16) for word in text.split())


KEPT = _tags(
    # Code value, scheme and its version, long and URN codes
    "00080100 00080102 00080103 00080119 00080120 "
    # Manufacturer and model, software, of this and of other equipment
    "00080070 00081090 00180020 00181016 00181018 00181019 00181020 0018702A 0018702B 00189041 00189050 00203404 "
    "00189524 00189525 00189526 "
    # Acquisition by words of the machine: nucleus, sequence, kernel, filters, coils, plates, reconstruction
    "00180024 00180085 00189005 00181210 00181160 00181161 00181250 00181251 00181260 00181261 00189320 "
    "00541101 00541103 00541105 "
    # How pixels are to be shown: rescale and LUT types; MIME types
    "00281054 00283004 00420012 00420014"
)
"""Texts that say what kind of thing something is."""

FILLED = _tags(
    # Code meaning of a local scheme; text of a report, of an annotation; labels that must be there
    "00080104 0040A160 00700006 00620005 00620020 30020002 00209056 00480106 006A000E 00620009 00660031 00660036 "
    # Names of algorithms are whatever somebody called them; mapping resource name; what a rescale gives
    "00080122 00281054 00283004"
)
"""Texts that must not be empty where they are (type 1)."""

ICC_PROFILE = 0x00282000
SHOWN = _tags(
    # Pixels and where their frames begin; tables that colours and greys are looked up in
    "7FE00010 7FE00008 7FE00009 7FE00001 7FE00002 00281201 00281202 00281203 00281204 00281211 00281212 00281213 00281221 "
    "00281222 00281223 00281224 00281408 00281200 00283006 00701808 003A032E 00282000 "
    # Waveforms and spectra; values, padding and extremes of them; points of surfaces, tracks, segmentations, fields
    "54001010 5400100A 54000110 54000112 56000010 56000020 00181638 00221531 00640009 00660016 00660021 00660022 "
    "00660023 00660024 00660025 00660029 00660040 00660041 00660042 00660043 00660125 00660129 00660103 006A0011 0070150D 00701A07 "
    "00800010 00800011 300A0664 300A0665 300A066B"
)
"""Bytes that are pixels or numbers by their definition: what shows or measures. No others stay: nobody can read them."""

_SEALED = _tags("00080202 0008041B 0008041C 00160062 00189445 0040A074 0040A089 04000500 4FFE0001 04000401")
"""Bytes that name a record, or that only who has a key can read, with the sequences that say how: removed. Signatures go too, and
what they say of themselves; nothing that left could be verified."""

NO_PATIENTS = _tags(
    # Versions of context groups and templates, which PS3.16 prints; implant templates; hanging protocols and what they select by
    "00080106 00080107 0040DB06 0040DB07 00686226 00686270 0072000A 00720061 00720063 0072006B "
    # When a system wrote, changed, sent, printed, authorised or signed: one moment of an export stands in the files of all
    "00080012 00080013 00080015 0018A002 01000420 04000105 04000562 21000040 21000050 "
    # A device's calibrations, manufacture, installation; a source's strength; what a satellite says of the time, always in UTC
    "0014407C 0014407E 00181200 00181201 00181202 00181203 00181204 00181205 0018700C 0018700E 300A022C 300A022E 0016008D "
    # A committee's and a protocol's approval; a product's expiry
    "00120086 00120087 00440104 00440105 0044000B "
    # The offset from UTC: it says whether it was summer time
    "00080201"
)
"""Dates and times that are no event of a patient's: what the table would have moved is removed, or a dummy."""

_IDENTIFYING = _tags(
    # Issuers, source and group of patient ids; issuer of the accession number; orders' and assigners' identifiers; URLs
    "00100024 00100026 00100027 00080051 00400026 00400027 00400036 00400039 0040003A 0040E001 00404073 0040E010 "
    "00081190 00080407 00080408 00080409 0008040B 00287FE0 0074100A 00687005 00400031 00400032 00102161 00102294 "
    "00101021 0040E011 0040E030 0040E031 00120064 0008010E"
)
"""Not in Annex E, and they point at a person, a place or an order all the same: removed."""

_BY_UID = _tags(
    "00020002 00020010 00080016 0008001A 0008001B 00080062 0008010C 0008010D 00080117 00080118 00081150 0008115A "
    "00083002 0008040E 00340003 04000010 04000510 30100052 30100053"
)
"""UIDs that name a kind of thing: they stay."""

_CLASSES: dict[int, Classified] = {
    PATIENT_NAME: ("patient.name", ""),
    PATIENT_ID: ("patient.identifier", ""),
    ISSUER: ("patient.identifier", "rest"),
    ISSUER_QUALIFIERS: ("patient.identifier", "rest"),
    OTHER_IDS: ("patient.identifier", ""),
    OTHER_IDS_SEQUENCE: ("patient.identifier", ""),
    BIRTH_DATE: ("patient.birth-date", ""),
    0x00100032: ("patient.birth-date", ""),
    0x00100050: ("patient.identifier", ""),
    0x00101040: ("patient.address", "rest"),
    0x00101060: ("relative.name", ""),
    0x00101090: ("patient.identifier", ""),
    0x00102154: ("patient.contact", ""),
    0x00102155: ("patient.contact", ""),
    0x00102297: ("relative.name", ""),
    0x00080050: ("order", ""),
    0x00200010: ("order", ""),
    0x00402016: ("order", ""),
    0x00402017: ("order", ""),
    0x00380010: ("patient.encounter", ""),
    0x00380060: ("patient.encounter", ""),
    0x00080080: ("organisation.name", ""),
    0x00080081: ("organisation.address", "rest"),
    0x00080082: ("organisation.identifier", ""),
    0x00081040: ("organisation.name", ""),
    0x00081041: ("organisation.identifier", ""),
    0x00080070: ("device.type", ""),
    0x00081090: ("device.type", ""),
    0x00181020: ("device.type", ""),
    0x00080201: ("observation.time", ""),
    0x00081010: ("device.identity", ""),
    0x7FE00010: ("observation.value", ""),
    CODE_SCHEME: ("structure", ""),
    CODE_MEANING: ("observation.code", "text"),
}

_BY_VR: dict[bytes, Classified] = {
    b"PN": ("staff.name", ""),
    b"AE": ("device.identity", ""),
    b"AS": ("patient.demographic", ""),
    b"UI": ("message.control", ""),
    b"UR": ("attachment", ""),
    b"CS": ("structure", ""),
    b"AT": ("structure", ""),
    b"SQ": ("clinical.code", ""),
}
_MEASURED = (0x0018, 0x0054, 0x5400, 0x7FE0, 0x3004, 0x0040, 0x0008)
"""Groups whose numbers were measured or set; elsewhere numbers say how the rest is to be read."""

_STAYS = (0x0032, 0x0038, 0x0040)
"""Groups whose dates are of the patient's stay and orders."""


@lru_cache(maxsize=TAGS_MAX)
def class_of(tag: int, vr: bytes) -> Classified:
    """Give the element class and part of an attribute."""
    group = tag >> 16
    if group & 1:
        return "uncatalogued", ""
    found = _CLASSES.get(tag)
    if found is None:
        found = _of_the_patient(vr) if group == 0x0010 else _by_option(tag) or _BY_VR.get(vr)
    return found or _otherwise(tag, vr)


def _by_option(tag: int) -> Classified | None:
    """Say of what a row is by the option that keeps it."""
    row = annex_e.row_of(tag)
    codes = {code for code, _action in row.options} if row else set()
    if annex_e.RETAIN_DEVICE_IDENTITY in codes:
        return "device.identity", ""
    return ("organisation.name", "") if annex_e.RETAIN_INSTITUTION_IDENTITY in codes else None


def _otherwise(tag: int, vr: bytes) -> Classified:
    group = tag >> 16
    if vr in TIMES:
        return ("patient.time" if group in _STAYS else "observation.time"), ""
    if vr in TEXTS:
        if group == 0x0008 and tag in KEPT:
            return "observation.code", ""
        return ("device.type" if tag in KEPT else "note.text"), ""
    return ("observation.value" if group in _MEASURED else "structure"), ""


def _of_the_patient(vr: bytes) -> Classified:
    if vr == b"PN":
        return "patient.name", ""
    if vr in TIMES:
        return "patient.time", ""
    return ("note.text" if vr in TEXTS - {b"SH"} else "patient.demographic"), ""


def unnamed(tag: int, vr: bytes, *, known: bool) -> Row | Treatment:
    """Say what becomes of an attribute that Annex E does not name: a row of ours, or what to do.

    Args:
        known: the standard's dictionary has it.
    """
    if not known or tag in _IDENTIFYING | _SEALED or tag & 0xFFFF == 0 or tag >> 16 in (0, 2, 4, 6, 0xFFFC):
        return _GONE
    if vr in TIMES:
        return _DATES
    if vr in TEXTS:
        return _of_text(tag)
    if vr == b"UI":
        return Treatment("K", "U") if tag in _BY_UID else Treatment("U", "U")
    if vr in OPAQUE:
        return Treatment("K", "X") if tag in SHOWN else _ZEROS
    return Treatment("Z", "Z") if vr in (b"PN", b"AE", b"UR", b"AS") else _KEPT


def _of_text(tag: int) -> Treatment:
    if tag in KEPT:
        return _KEPT_FILLED if tag in FILLED else _KEPT
    return _FILLED if tag in FILLED else _TEXT


def is_no_patients(tag: int) -> bool:
    """Say whether a date or time is no event of a patient's."""
    return tag in NO_PATIENTS or annex_e.row_of(tag) is None


def treatment(tag: int, vr: bytes, options: AbstractSet[int], *, known: bool) -> Treatment:
    """Say what happens to an attribute under the chosen options, by Annex E or, where it does not name it, by ``unnamed``."""
    said = annex_e.row_of(tag) or unnamed(tag, vr, known=known)
    if not isinstance(said, Row):
        return said
    action, instead = annex_e.action_of(said, options), annex_e.basic(said)
    # An option keeps what somebody can read: a certified time stamp names who certified it.
    unread = vr in OPAQUE and tag not in SHOWN and action in "KC"
    never_moved = action == "C" and tag in NO_PATIENTS
    return Treatment(instead if unread or never_moved else action, instead)
