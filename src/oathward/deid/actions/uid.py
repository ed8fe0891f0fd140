"""Put a keyed UID in the place of one: the same for the same within a subject and project, whatever the format.

Rules:
- UIDs and OIDs become ``2.25.`` and a number of 128 bits, at most 44 characters; UUIDs become UUIDs of the same number. So
  ``urn:oid:`` and bare, ``urn:uuid:`` and ``2.25.`` of one thing still name one thing.
- UIDs of the DICOM standard itself (transfer syntaxes, SOP classes, well-known instances) stay: they name nothing of anybody.
  No part of them may be long enough to be a number of somebody: many devices write their own under DICOM's root.
- What is neither is removed.

Source: DICOM PS3.5 §9 and Annex B (UIDs), PS3.6 Annex A (registered ones), PS3.15 Annex E; ITU-T X.667; RFC 9562 §5.8.
"""

from __future__ import annotations

import re
from uuid import UUID

from oathward.deid.action import Action, Parameters, Seeds, draws, shares
from oathward.protocols.shaping import REMOVE, Ruling

LENGTH_MAX = 64
"""Of a UID. Source: DICOM PS3.5 §9."""

_uid = re.compile(r"[0-9]+(?:\.[0-9]+){2,}").fullmatch
_uuid = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_standard = re.compile(
    r"1\.2\.840\.10008\.(?:6\.1\.[0-9]{1,4}|(?:[1-57-9]|15)(?:\.[0-9]{1,3}){1,8})"
).fullmatch
_of_uuid = re.compile(r"2\.25\.([0-9]{1,39})").fullmatch
_URN = re.compile(r"urn:(oid|uuid):", re.IGNORECASE)


def remapped(value: str, key: bytes) -> str:
    """Give what stands in the place of a UID or UUID, written as that was; empty where it is neither.

    Args:
        value: ``1.2.3``, ``urn:oid:1.2.3``, a UUID, or ``urn:uuid:`` and a UUID.
        key: 32 bytes, of this subject in this project.

    Raises:
        DeidentificationError: no key.
    """
    text = value.strip(" \0")
    urn = _URN.match(text)
    name = text[urn.end() :] if urn else text
    start = urn[0].lower() if urn else ""
    if _uuid(name) and start != "urn:oid:":
        return start + str(UUID(int=_number(f"{UUID(name).int}", key)))
    if not _uid(name) or start == "urn:uuid:":
        return ""
    if _standard(name):
        return text
    same = _of_uuid(name)
    return f"{start}2.25.{_number(str(int(same[1])) if same else name, key)}"


def _number(name: str, key: bytes) -> int:
    """Give 128 bits with the version and variant of a UUID; ``name``: a UID, or the number of a UUID."""
    for drawn in draws(key, "uid", name):
        number = int.from_bytes(drawn[:16], "big")
        number = number & ~(0xF << 76) & ~(0x3 << 62) | 8 << 76 | 2 << 62
        if not shares(str(number), name) and not (
            "." not in name and shares(f"{number:032x}", f"{int(name):032x}")
        ):
            return number
    raise AssertionError  # draws raises before


def _rule(_cls: str, part: str, _parameters: Parameters) -> Ruling:
    def uid(value: str, seeds: Seeds) -> str:
        return remapped(value, seeds.subject_seed)

    return REMOVE if part else uid


ACTION = Action(_rule, keyed=True)
