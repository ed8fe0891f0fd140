"""Whom a message is about that says nothing about identities: results, alarms, orders, other ADT.

Rules:
- Identifiers with an authority decide; all of them must agree, else the patient is ambiguous.
- A number never seen makes a new *provisional* subject of the first identifier; a device cannot tie two
  identifiers together.
- An encounter number identifies only if an authoritative source gave it to one patient alone.
- Else a holding subject: per device and encounter, or device and local id in that encounter, or device.

Source: step 5 of the journey in ARCHITECTURE.
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.patients.identifiers import Identifier, Spoken
from oathward.patients.work import Whom, Work, unique_subjects


def whom(work: Work, spoken: Spoken) -> Whom:
    """Find the subject of one PID, or make one."""
    if not work.source.id:
        return Whom(_holding(work, ("stranger",), None), "holding")
    wide = spoken.wide
    if wide:
        hashes = [work.hasher.identifier(i) for i in wide]
        found = work.find(hashes)
        subjects = unique_subjects(found.values())
        if len(subjects) > 1:
            return ambiguous(work, hashes)
        if subjects:
            return Whom(subjects[0], "known", own=work.own_of(found))
        subject = work.new_subject("known")
        work.attach(subject, wide[:1])
        return Whom(subject, "known", own=subject)
    return _by_visit(work, spoken) or _unnamed(work, spoken)


def ambiguous(work: Work, hashes: list[bytes], reason: Reason = Reason.PATIENT_AMBIGUOUS) -> Whom:
    """Hold a message whose identifiers name several people."""
    work.findings.append(str(reason))
    parts = ("ambiguous", *(h.hex() for h in sorted(hashes)))
    return Whom(_holding(work, parts, None), "holding", reason)


def _by_visit(work: Work, spoken: Spoken) -> Whom | None:
    hashes = [work.hasher.identifier(v) for v in spoken.visits if not v.local]
    if not hashes:
        return None
    marks = [work.hasher.shared(h) for h in hashes]
    found = work.find([*hashes, *marks])
    subjects = unique_subjects(found[h] for h in hashes if h in found)
    if len(subjects) == 1 and not any(m in found for m in marks):
        return Whom(subjects[0], "known", own=work.own_of(h for h in hashes if h in found))
    return None


def _unnamed(work: Work, spoken: Spoken) -> Whom:
    visits = [v for v in spoken.visits if not v.local]
    encounter = work.hasher.identifier(visits[0]) if visits else None
    visit = work.hasher.identifier(spoken.visits[0]).hex() if spoken.visits else ""
    local = [i for i in spoken.persons if i.local][:1]
    parts = ("id", local[0].type, local[0].value.reveal(), visit) if local else ("visit", visit)
    return _held_by(work, _holding(work, parts, encounter))


def _held_by(work: Work, subject: str) -> Whom:
    effective = work.effective(subject)
    return Whom(subject, "holding") if effective == subject else Whom(effective, "known", own=subject)


def holding_of(work: Work, one: Identifier, *, make: bool = True) -> Whom:
    """Give who stands for an identifier of the device's own; a known person where the holding subject joined one.

    Args:
        make: a holding subject where there is none; else nobody, an empty id.
    """
    parts = ("id", one.type, one.value.reveal(), "")
    if not make and not work.known([work.hasher.holding(work.source.id, *parts)]):
        return Whom("", "holding")
    return _held_by(work, _holding(work, parts, None))


def _holding(work: Work, parts: tuple[str, ...], encounter: bytes | None) -> str:
    hashed = work.hasher.holding(work.source.id, *parts)
    found = work.state.find(work.db, [hashed])
    work.relies_on(found[1])
    if hashed in found[0]:
        return found[0][hashed]
    subject = work.new_subject("holding", encounter=encounter)
    work.attach_hashes(subject, [(hashed, b"")])
    return subject
