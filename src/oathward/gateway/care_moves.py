"""Visits and accounts that change hands in HL7 v2: what MRG says was there before, and PID and PV1 say now.

Rules:
- MRG-1 is the patient it was of, MRG-3 the prior account, MRG-5 the prior visit; PID-3, PID-18 and PV1-19 are whose and
  what they are now. An event speaks of visits or of accounts, as the standard says; of the other it names superiors.
- Whose MRG-1 is, is looked up where PID-3 is, inside the message's transaction.
- PV1 belongs to the MRG before it, MRG to the PID before it.
- Merges of patients move nothing: the tie shares the stays. Numbers that come by one lead to the patient from then on.

Deliberately absent: MRG-6 and PV1-50 (alternate visit: identify nobody here), A43 (refused, ``patients.events``).

Source: HL7 v2.8.2 §3.3.40 to §3.3.50, §3.4.12 (MRG); withdrawn ones as v2.3 to v2.6 defined them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from oathward.gateway.care_hl7v2 import Known, clocks_of, identified
from oathward.patients import sql
from oathward.patients.identifiers import MRG_ACCOUNT, MRG_PATIENT, MRG_VISIT, Hasher, Reading
from oathward.vault.stays import Said, Turn
from oathward.vault.stays_moved import Moved

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.inventory.model import Device
    from oathward.protocols.hl7v2.reader import Message

VISITS = frozenset(
    {
        "A42",  # §3.3.42 merge visit, visit number
        "A45",  # §3.3.45 move visit information, visit number
        "A50",  # §3.3.50 change visit number
    }
)
ACCOUNTS = frozenset(
    {
        "A35",  # v2.6 §3.3.35 merge, account number only (withdrawn)
        "A36",  # v2.6 §3.3.36 merge, patient id and account number (withdrawn)
        "A41",  # §3.3.41 merge account, account number
        "A44",  # §3.3.44 move account information, account number
        "A49",  # §3.3.49 change account number
    }
)
ELSEWHERE = frozenset(("A44", "A45"))
"""These may be about two patients; who names the first one nowhere leaves unclear who it was."""
RENAMING = frozenset(("A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"))
"""§3.3.40, §3.3.47, and withdrawn ones: the patient has the numbers of PID from now on."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One MRG with the PID before it, by its number, and the PV1 behind it."""

    pid: int
    mrg: bytes
    pv1: bytes


def moved(message: Message, device: Device, hasher: Hasher, part: Part, known: Known) -> list[Moved]:
    """List what a message says of visits or accounts that are another number's, or another patient's, now."""
    event = message.trigger if message.code == "ADT" else ""
    if event not in VISITS | ACCOUNTS:
        return []
    pids, lines = message.named(b"PID"), _lines(message)
    subjects = (part.resolution.subject, *part.resolution.others)
    if len(subjects) not in {1, len(pids)}:
        return []
    reading, clocks, arrival = (
        Reading(message, device, hasher),
        clocks_of(message, part.arrival.at_us),
        part.arrival,
    )
    found = []
    for line in lines:
        encounter, account, _ = identified(message, pids[line.pid], line.pv1, device, hasher, known)
        subject = subjects[line.pid] if len(subjects) > 1 else subjects[0]
        visit = _number(reading, hasher, message.field(line.mrg, MRG_VISIT), "VN") if event in VISITS else b""
        prior = _number(reading, hasher, message.field(line.mrg, MRG_ACCOUNT), "AN")
        if event in VISITS and not visit:
            continue
        said = Said(
            *(
                subject,
                encounter if event in VISITS else b"",
                Turn.TELL,
                event,
                *clocks,
                arrival.at_us,
                arrival.id,
            ),
            account=account,
        )
        field = message.field(line.mrg, MRG_PATIENT)
        same = field in {b"", b'""'} and event not in ELSEWHERE
        found.append(Moved(said, _names(reading, hasher, field), visit, prior, same))
    return found


def whose(db: Connection, hashes: Sequence[bytes], site: str) -> list[str]:
    """Find the subjects that numbers of a prior patient name, as those of PID-3 do: in care or not."""
    known = sql.subjects_of(db, site, hashes)
    return list(dict.fromkeys(known[one] for one in hashes if one in known))


def _names(reading: Reading, hasher: Hasher, field: bytes) -> tuple[bytes, ...]:
    persons = [one for one in reading.identifiers(field) if not one.encounter]
    return tuple(
        dict.fromkeys(hashed for one in persons for hashed in (hasher.identifier(one), *hasher.others(one)))
    )


def renamed(message: Message, device: Device, hasher: Hasher, known: Known) -> tuple[bytes, ...]:
    """Hash the numbers that a patient has from now on; none where nothing of them changed."""
    pids = message.named(b"PID")
    event = message.trigger if message.code == "ADT" else ""
    if event not in RENAMING | VISITS | ACCOUNTS or len(pids) != 1:
        return ()
    return identified(message, pids[0], b"PV1", device, hasher, known)[2]


def _number(reading: Reading, hasher: Hasher, field: bytes, type_: str) -> bytes:
    found = reading.identifiers(field, encounter=type_)
    return hasher.identifier(found[0]) if found else b""


def _lines(message: Message) -> list[_Line]:
    found: list[_Line] = []
    pid = -1
    separator = bytes((message.separators.field,))
    for segment in message.segments:
        name = segment.split(separator, 1)[0]
        if name == b"PID":
            pid += 1
        elif name == b"MRG" and pid >= 0:
            found.append(_Line(pid, segment, b"PV1"))
        elif name == b"PV1" and found and found[-1].pid == pid and found[-1].pv1 == b"PV1":
            found[-1] = _Line(pid, found[-1].mrg, segment)
    return found
