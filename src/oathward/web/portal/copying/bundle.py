"""A copy as a FHIR R4 Bundle (``collection``), written entry by entry while its parts are opened.

| entry | of what |
|---|---|
| Patient | the card |
| Provenance, Consent, AuditEvent | who made the copy, what the patient allows (for the patient alone), who opened the data and for what |
| Device, Observation | what devices told, oldest first; a device stands before its first value |
| OperationOutcome | what is not in it: older messages, messages that cannot be read here, consents |

Rules:
- One part of the opened originals is in memory at a time, however long the Bundle gets.
- A copy that breaks off is no JSON: it ends before its brackets close, and the browser says that the file is not whole.
- Alarms of the kind ``ORU^R40`` are not Observations; the count of what is not shown names them.

Deliberately absent: a ``document`` (its first entry would have to name all others before they are opened), signatures.

Source: FHIR R4 §2.36 (Bundle), §6.2 (Consent), §6.3 (Provenance), §6.4 (AuditEvent), §2.28 (OperationOutcome).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from oathward.bedside import as_fhir
from oathward.bedside.as_fhir import instant, url_of
from oathward.bedside.reading import read_all
from oathward.consent.fhir.write import Head, write_sayable
from oathward.core.db import read
from oathward.messages import views as messages
from oathward.policy.consents import ANY
from oathward.web.portal.copying import source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oathward.consent.model import Statement
    from oathward.inventory.model import Device
    from oathward.policy.consents import ConsentFact
    from oathward.vault.keeper.client.asks import Begun
    from oathward.vault.keeper.original import Original
    from oathward.vault.opened import Opened
    from oathward.web.portal.copying.source import Around, Looked

MEDIA = "application/fhir+json"
_AUDIT = {
    "system": "http://dicom.nema.org/resources/ontology/DCM",
    "code": "110110",
    "display": "Patient Record",
}
UNREADABLE = "What the patient allows could not be written into this copy; the page about choices has it."
NOT_YOURS = "What the patient allows is in a copy for the patient alone."
_PURPOSES = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def written(
    site: Opened, subject: str, begun: Begun, parts: Iterable[Sequence[Original]], now_us: int, *, own: bool
) -> Iterator[bytes]:
    """Write the Bundle, piece by piece; ``own``: for the patient, not for who stands in for them."""
    patient = url_of("patient", subject)
    known = source.around(site, subject, own=own)
    head = {"resourceType": "Bundle", "type": "collection", "timestamp": instant(now_us)}
    yield orjson.dumps(head)[:-1] + b',"entry":['
    yield _entry(patient, as_fhir.patient_of(begun.card))
    said, left = consents_of(known, subject, now_us)
    said = [one | {"patient": {"reference": patient}} for one in said]
    for url, resource in _beside(site, subject, patient, known.looked, said, now_us):
        yield b",\n" + _entry(url, resource)
    unread = 0
    seen: set[str] = set()
    for part in parts:
        pieces, missed = _part(site, part, patient, seen)
        unread += missed
        yield b"".join(b",\n" + one for one in pieces)
    consents = [in_words(one.fact) for one in left]
    if known.said is None:
        consents = [UNREADABLE if own else NOT_YOURS]
    for url, resource in _missing(subject, older=begun.more, unread=unread, consents=consents):
        yield b",\n" + _entry(url, resource)
    yield b"]}\n"


def _part(site: Opened, part: Sequence[Original], patient: str, seen: set[str]) -> tuple[list[bytes], int]:
    """Write what one part tells; gives how many messages told nothing that is shown."""
    told = read_all(part, messages.time_of)
    with read(site.engine) as db:
        ids = sorted({one.message.partition(".")[0] for one in part})
        sent = messages.devices_of(db, ids)
    new = set(sent.values()) - seen
    seen |= new
    pieces = [_entry(url_of("device", one.id), _device(one)) for one in source.devices(site, new).values()]
    for number, one in enumerate(told.readings):
        device = sent.get(one.message.partition(".")[0], "")
        at = url_of("device", device) if device else ""
        resource = as_fhir.observation_of(one, patient, at)
        pieces.append(_entry(url_of("value", one.message, str(number), one.code), resource))
    return pieces, told.unread + len(told.alarms)


def _beside(
    site: Opened,
    subject: str,
    patient: str,
    looked: Iterable[Looked],
    said: Iterable[dict[str, Any]],
    now_us: int,
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        url_of("provenance", subject, str(now_us)),
        {
            "resourceType": "Provenance",
            "target": [{"reference": patient}],
            "recorded": instant(now_us),
            "activity": {"text": "a copy for the patient"},
            "agent": [{"type": {"text": "assembler"}, "who": {"display": site.site}}],
        },
    )
    for number, consent in enumerate(said):
        yield url_of("consent", subject, str(number)), consent
    for one in looked:
        yield url_of("audit", str(one.opening.index)), _audit(site.site, patient, one)


def consents_of(known: Around, subject: str, now_us: int) -> tuple[list[dict[str, Any]], list[Statement]]:
    """Write what stands as Consents; gives what FHIR cannot say beside them."""
    return write_sayable(known.said or (), Head(subject, {"value": subject}, "r4", now_us))


def in_words(fact: ConsentFact) -> str:
    """Say what a Consent of FHIR R4 cannot, in words; an empty set means nothing in a yes and all in a no."""
    sets = {
        "for": fact.purposes,
        "to": fact.recipients,
        "of": fact.classes,
        "with the code": fact.codes,
        "with the label": fact.labels,
    }
    narrowed = [
        f"{name} {' or '.join(sorted(those)) or 'nothing'}"
        for name, those in sets.items()
        if ANY not in those and (those or fact.permit)
    ]
    dates = {"from": fact.start_us, "until": fact.end_us}
    narrowed += [f"{name} {instant(at_us)}" for name, at_us in dates.items() if at_us is not None]
    what = ", ".join(narrowed) or "for everything"
    more = f", with {len(fact.unless)} exceptions" if fact.unless else ""
    return f"{'A yes' if fact.permit else 'A no'} {what}{more} is no Consent in this Bundle, for FHIR R4 cannot say it; it counts all the same."


def _audit(site: str, patient: str, looked: Looked) -> dict[str, Any]:
    opening = looked.opening
    who = looked.name or (
        "the patient, or who stands in for them" if opening.purpose == "PATRQT" else "somebody of the staff"
    )
    agent: dict[str, Any] = {"who": {"display": who}, "requestor": True}
    made: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": _AUDIT,
        "action": "R",
        "recorded": instant(opening.at_us),
        "outcome": "0",
        "agent": [agent],
        "source": {"observer": {"display": site}},
        "entity": [{"what": {"reference": patient}}],
    }
    if opening.purpose:
        made["purposeOfEvent"] = [{"coding": [{"system": _PURPOSES, "code": opening.purpose}]}]
    return made


def _device(one: Device) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Device"}
    named = {"manufacturer": one.make, "modelNumber": one.model, "serialNumber": one.serial}
    made |= {name: value for name, value in named.items() if value}
    if one.name:
        made["deviceName"] = [{"name": one.name, "type": "user-friendly-name"}]
    return made | ({"type": {"text": one.kind}} if one.kind else {})


def _missing(
    subject: str, *, older: bool, unread: int, consents: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    issues = []
    if older:
        issues.append(
            "Older messages are kept and are not in this copy; ask the people who care for you for them."
        )
    if unread:
        issues.append(
            f"{unread} messages are alarms, about several patients, or of a form that is not shown here."
        )
    issues += consents
    if issues:
        told = [{"severity": "information", "code": "incomplete", "diagnostics": words} for words in issues]
        yield url_of("missing", subject), {"resourceType": "OperationOutcome", "issue": told}


def _entry(url: str, resource: dict[str, Any]) -> bytes:
    return orjson.dumps({"fullUrl": url, "resource": resource})
