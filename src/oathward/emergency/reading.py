"""Read an emergency copy: who is in it by ward, and one patient as the console's page shows them.

Rules:
- What a copy holds are originals; they are read here by the same readers as a page's (``bedside``), in memory alone.
- Time on the page is the time of the reading: how old values are is told, never hidden by the copy's own time.
- A patient is opened after the reading stands in the log (``log.Log``), or not at all.

Deliberately absent: writing anything but the log; search by anything but ward and name as listed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from oathward.bedside import card, fhir, hl7v2, picture
from oathward.bedside.picture import Called, Told
from oathward.core.errors import DecodeError, InputError, VaultError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.emergency.log import Log, Reader
from oathward.messages.views import time_of
from oathward.vault.cards import PURPOSE
from oathward.vault.emergency import sealing
from oathward.vault.emergency.copies import Copy, Section
from oathward.vault.emergency.keys import Unlocked
from oathward.vault.keeper.original import Original

LIST, PATIENT = "list", "patient"
TOLD_BYTES_MAX = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Listed:
    """One patient of the list. ``called``: None where nothing proved says it."""

    section: Section
    unit: str
    since_us: int
    called: Called | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One patient as devices told of them."""

    listed: Listed
    rows: list[picture.Row]
    alarms: list[picture.Alarm]
    gaps: list[picture.Gap]
    unread: int


class Readings:
    """Opens a copy for one reader, each time on the log before anything is given."""

    def __init__(self, copy: Copy, key: Unlocked, log: Log, who: Reader) -> None:
        self.copy, self._key, self._log, self._who = copy, key, log, who

    def wards(self, now_us: int) -> dict[str, list[Listed]]:
        """List who is in the copy, by ward; one reading.

        Raises:
            VaultError: the log cannot be written, or something does not open.
        """
        self._log.add(self._who, LIST, "", self.copy.manifest, now_us)
        found: dict[str, list[Listed]] = {}
        for one in sorted(map(self._listed, self.copy.manifest.sections), key=_order):
            found.setdefault(one.unit or "no ward named", []).append(one)
        return found

    def patient(self, subject: str, now_us: int) -> Shown:
        """Open one patient; one reading.

        Raises:
            InputError: nobody of this id is in the copy. VaultError: as ``wards``.
        """
        section = next((one for one in self.copy.manifest.sections if one.subject == subject), None)
        if section is None:
            raise InputError("patient", "is not in this copy", reason=Reason.NOT_FOUND)
        self._log.add(self._who, PATIENT, subject, self.copy.manifest, now_us, section.proved_us)
        face, packed = self._open(section, 2)
        told = Told()
        for message, raw in _messages(packed):
            _read(message, raw, told)
        rows = picture.rows(told.readings, {}, now_us)
        listed = _faced(section, face)
        if listed.called is None and told.called is not None:
            listed = Listed(section, listed.unit, listed.since_us, told.called)
        return Shown(listed, rows, picture.alarms(told.alarms), picture.gaps(rows), told.unread)

    def _listed(self, section: Section) -> Listed:
        return _faced(section, self._open(section, 1)[0])

    def _open(self, section: Section, parts: int) -> list[bytes]:
        context, where = ("section", self._key.trust.site), f"section at {section.at}"
        return sealing.open_parts(self._key.private, context, self.copy.section(section), parts, where)


def _order(one: Listed) -> tuple[str, str]:
    return one.unit, one.called.name.reveal().casefold() if one.called is not None else ""


def _faced(section: Section, face: bytes) -> Listed:
    said, _, raw = face.partition(b"\n")
    table: dict[str, Any] = orjson.loads(said)
    called = card.called_of(Original("", section.subject, PURPOSE, Phi(raw))) if raw else None
    return Listed(section, table["unit"], table["since_us"], called)


def _messages(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """Unpack messages, oldest first, within bounds."""
    unpacking = zlib.decompressobj()
    raw = unpacking.decompress(packed, TOLD_BYTES_MAX)
    if unpacking.unconsumed_tail:
        raise VaultError(
            "section", "is longer than any the keeper makes", reason=Reason.EMERGENCY_COPY_BROKEN
        )
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        (length,) = _LENGTH.unpack_from(raw, at)
        parts.append(raw[at + _LENGTH.size : at + _LENGTH.size + length])
        at += _LENGTH.size + length
    pairs: Sequence[tuple[bytes, bytes]] = list(zip(parts[::2], parts[1::2], strict=True))
    yield from ((message.decode(), original) for message, original in pairs)


def _read(message: str, raw: bytes, into: Told) -> None:
    reader = hl7v2 if b"MSH" in raw[:8] else fhir
    try:
        reader.told(raw, message, time_of(message), into)
    except DecodeError:
        into.unread += 1
