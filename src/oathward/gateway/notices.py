"""Notices to recipients: made where messages are shaped, of what a patient allows a link now.

Steps of one notice: what stands for the patient (as decisions read it) → what of it concerns the link → whom the link knows
→ a message → ``shape`` by the link's own profile, less all but whom it is about → the guard → sealed → the outbox.

Rules:
- Only for links whose recipient asks for it, and of patients of whom it has something or may have: to others a notice
  would tell that the patient exists.
- One for each version of what was signed, and none where it changes nothing for the link. A merge may take something away
  without a new version: that is told all the same; what one that is undone gives back is not. What is due is written down
  and made later where it cannot be made yet.
- It runs in a short-lived process of its own (``orders``): nothing of it stands in the way of a message.

Deliberately absent: sockets and receipts (the courier), how an identity is opened (the keeper).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from oathward import ledger
from oathward.consent import sql as consents
from oathward.consent.notices import actions, identity, sql, write
from oathward.consent.notices.sql import Mark, NoticeRow
from oathward.consent.notices.state import State, state_of
from oathward.core.db import read
from oathward.core.db import write as writing
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.deid.plan import SafeMessage, Seeds, shape
from oathward.gateway.guard.verdict import Stop
from oathward.gateway.wires import FHIR, HL7V2, Wire
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import NOTICES, OutboxRow
from oathward.patients import sql as patients
from oathward.policy.model import Link, Permit, outgoing_wire
from oathward.protocols.fhir.rewrite import EMPTY
from oathward.vault import shown
from oathward.vault.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from oathward.gateway.arrival import Part
    from oathward.gateway.facts import Known
    from oathward.gateway.gate import Gate
    from oathward.vault.seal import SealedMessage

PERSON = "patient.identifier"
CLASSES = frozenset({"structure", "message.control", "message.time", "message.party", "patient.time", PERSON})
"""All that a notice may say, as far as its link may carry it."""

QUEUED_MAX = 200
"""Notices of one link in the outbox: what waits there takes room from data."""

_WAITING_MAX = 2_000
_SLACK_US = 60_000_000
"""What was committed a little later than it says is looked at again; it changes nothing."""


def told(gate: Gate, link: Link) -> bool:
    """Whether a link's recipient is told of withdrawals."""
    return gate.active_bundle.recipients[link.recipient].withdrawal_notice


def note(gate: Gate, part: Part, link: Link, safe: SafeMessage, known: Known) -> None:
    """Keep how a link knows a patient, of the first message that leaves on it.

    Where merges are apart, of each number that the project has a pseudonym of; an identity is sealed for whom data are.
    """
    subject = part.resolution.subject if link.carries_identity else part.named(gate.active_bundle, link)
    key = subject, link.id
    if not subject or PERSON not in safe.kept or key in gate.shown:
        return
    with read(gate.engine) as db:
        if shown.known(db, gate.site, subject, link.id, sealed=link.carries_identity):
            gate.shown.add(key)
            return
    fhir = safe.data.startswith(b"{")
    key_id, sealed = "", b""
    if link.carries_identity:
        who = identity.of_fhir(safe.data) if fhir else identity.of_hl7v2(safe.data)
        if who:
            body = gate.sealer.seal_original(subject, part.arrival.id, shown.PURPOSE, who)
            key_id, sealed = body.key_id, body.data
    said = state_of(gate.active_bundle, link, known.facts.consents or (), part.arrival.at_us).text
    wire = "fhir" if fhir else "hl7v2"
    row = Shown(subject, link.id, wire, said, part.arrival.id, key_id, sealed, part.arrival.at_us)
    part.acts.append(partial(shown.put, site=gate.site, row=row))


def due(gate: Gate, *, again: bool = False) -> bool:
    """Say whether somebody may have to be told something; where nobody asks to be told, without a look.

    Args:
        again: also where nothing moved, and something waits.
    """
    if not any(one.withdrawal_notice for one in gate.active_bundle.recipients.values()):
        return False
    with read(gate.engine) as db:
        looked = sql.looked(db, gate.site)
        moved = (looked.changes, looked.edges) != _marks(gate, db)
        return moved or (again and bool(sql.waiting(db, gate.site, 1)))


def make(gate: Gate) -> int:
    """Make the notices that are due; gives how many."""
    now_us = gate.now_us()
    with read(gate.engine) as db:
        looked, marks = sql.looked(db, gate.site), _marks(gate, db)
    gate.watch.look()  # what moved before those marks is known from here on
    with read(gate.engine) as db:
        since_us = looked.at_us - _SLACK_US
        changed = set(consents.latest_since(db, gate.site, since_us))
        for edge in patients.edges(db, gate.site, since_us=since_us):
            changed |= {edge.child, edge.parent}
        waiting = {(row.subject, row.link) for row in sql.waiting(db, gate.site, _WAITING_MAX)}
        changed |= {subject for subject, _ in waiting}
        family = {one for subject in changed for one in gate.resolver.family(subject)} | changed
        rows = [one for some in _in_parts(sorted(family)) for one in shown.of(db, gate.site, some)]
        queued = sql.queued(db, gate.site)
    made = 0
    for row in rows:
        before = queued.get(row.link, 0)
        link = gate.active_bundle.links.get(row.link)
        state = ""
        if link is not None and told(gate, link):
            state = _one(gate, row, link, now_us, room=before < QUEUED_MAX)
        if not state and (row.subject, row.link) in waiting:
            with writing(gate.engine) as db:
                sql.drop_waiting(db, gate.site, row.subject, row.link)
        made += state == "queued"
        queued[row.link] = before + (state == "queued")
    with writing(gate.engine) as db:
        sql.put_mark(db, gate.site, Mark(*marks, now_us))
    return made


def _marks(gate: Gate, db: Connection) -> tuple[int, int]:
    return consents.change_count(db, gate.site), patients.edge_mark(db, gate.site)


def _in_parts(subjects: list[str], size: int = 500) -> Iterable[list[str]]:
    return (subjects[start : start + size] for start in range(0, len(subjects), size))


@dataclass(frozen=True, slots=True)
class _Due:
    """One notice to be made: to which link, of whom, what it says, by whose signed word."""

    row: Shown
    link: Link
    state: State
    because: str
    version: int
    at_us: int
    id: str

    def noted(self, state: str, *, answer: str = "", missing_us: int = 0) -> NoticeRow:
        return NoticeRow(
            self.id, self.row.subject, self.link.id, self.because, self.version, self.state.text, state, self.at_us,
            answer=answer, missing_us=missing_us,
        )  # fmt: skip


def _one(gate: Gate, row: Shown, link: Link, now_us: int, *, room: bool) -> str:
    """Make one notice where there is something to tell; gives its state, empty where there is none.

    Args:
        room: whether the outbox has room for it now.
    """
    found = _standing(gate, row, link, now_us)
    if found is None:
        return ""
    if not row.sent and not _on_its_way(gate, row):  # nobody there knows this patient
        return ""
    if not (row.sent and room and found.version):
        return _wait(gate, found)
    try:
        safe, recipient_key = _shaped(gate, found), gate.recipient_key(link)
        sealed = gate.sealer.seal_outgoing(safe, link.id, found.id, found.id, recipient_key)
    except KeeperError:
        return _wait(gate, found)
    except OathwardError as error:
        return _unmade(gate, found, error.reason)
    return _queue(gate, found, sealed)


def _queue(gate: Gate, found: _Due, sealed: SealedMessage) -> str:
    """Put a notice in the outbox, in one transaction with its row and record; once a version."""
    row, link = found.row, found.link.id
    ref = gate.stores.outbox.append([sealed.data])[0]
    gate.stores.flush(kept=False, outbox=True)
    out = OutboxRow(
        id=found.id, site=gate.site, message=f"notice-{uuid7()}", link=link, sender=f"{NOTICES}{row.subject}",
        subject=row.subject, key=sealed.key_id, body=ref, end_to_end=sealed.end_to_end, bundle=gate.bundle_name,
        consent_version=0, facts=b"", plan=b"", valid_until_us=0, created_us=found.at_us,
    )  # fmt: skip
    body = {"id": found.id, "sha256": sha256(sealed.data).hexdigest(), "version": found.version}
    with writing(gate.engine) as db:
        if not sql.put(db, gate.site, found.noted("queued")):
            return ""
        messages.insert_outbox(db, [out])
        leaf = prepare(Record("consent.notice-made", body, found.at_us, row.subject, (link,)))
        ledger.append(db, gate.site, [leaf])
    return "queued"


def _standing(gate: Gate, row: Shown, link: Link, now_us: int) -> _Due | None:
    """Say what a link is to be told now; nothing where it knows already. Version 0: nobody can tell now."""
    _, facts = gate.consents.of(gate.engine, (row.subject,))
    if facts is None:
        return _Due(row, link, State("none"), row.subject, 0, now_us, uuid7())
    state = state_of(gate.active_bundle, link, facts, now_us)
    with read(gate.engine) as db:
        last = sql.last_said(db, gate.site, row.subject, link.id)
        signed = [
            (one.at_us, one.version, member)
            for member in gate.resolver.family(row.subject)
            if (one := consents.newest(db, gate.site, member)) is not None
        ]
    said = row.said if last is None else last
    if not signed or state.text == said:
        return None
    _, version, because = max(signed)
    id_ = gate.outgoing_id(f"notice {row.subject} {because} {version} {state.text}", link.id)
    found = _Due(row, link, state, because, version, now_us, id_)
    with read(gate.engine) as db:
        told_of_it = sql.is_told(db, gate.site, found.noted("queued"))
    return None if told_of_it and not state.takes_from(said) else found


def _on_its_way(gate: Gate, row: Shown) -> bool:
    with read(gate.engine) as db:
        return messages.any_of(db, row.link, row.subject)


def _wait(gate: Gate, found: _Due) -> str:
    """Note that a notice is due, and will be made when it can be; since when it is, stays."""
    with writing(gate.engine) as db:
        sql.wait(db, gate.site, found.noted("waiting"))
    return "waiting"


def _unmade(gate: Gate, found: _Due, why: Reason) -> str:
    """Note that a notice could not be written, for a person to look at."""
    noted = found.noted("unmade", answer=why.code, missing_us=found.at_us)
    with writing(gate.engine) as db:
        if sql.put(db, gate.site, noted):
            ledger.append(db, gate.site, actions.missing(noted, why=why.code, at_us=found.at_us))
    return "unmade"


def _shaped(gate: Gate, found: _Due) -> SafeMessage:
    """Write a notice and shape it as its link's messages are.

    Raises:
        OathwardError: nothing is left of whom it is about, or the guard stops it.
    """
    row, link = found.row, found.link
    recipient = gate.active_bundle.recipients[link.recipient]
    leaves = outgoing_wire(link, recipient, "fhir" if row.wire == "fhir" else "hl7v2")
    who = _identity(gate, found, leaves) if link.carries_identity else b""
    outgoing_id = found.id
    if leaves == "fhir":  # one Consent a patient and link, written anew by each notice
        outgoing_id = gate.outgoing_id(f"notice {row.subject}", link.id)
        raw = write.fhir(found.state, who, outgoing_id.lower(), str(link.purpose), found.at_us)
    else:
        raw = write.hl7v2(found.state, who, found.id, found.at_us)
    wire: Wire = FHIR if leaves == "fhir" else HL7V2
    message = wire.decode(raw)
    planned = gate.plan(leaves, link, Permit(link.id, CLASSES & link.classes, link.profile))
    secrets = gate.seeds(row.subject, link.project) if planned.plan.needs_seeds else (b"", b"")
    safe = shape(
        message, planned.plan, Seeds(*secrets, outgoing_id, gate.year, "", link.carries_identity, shared=True)
    )
    if safe.data == EMPTY or PERSON not in safe.kept:
        raise OathwardError("notice", "names nobody", reason=Reason.NOTHING_LEFT)
    guarded = gate.guarded(wire.original(message), row.subject, found.at_us)
    verdict = gate.check(guarded, safe.data, link, planned.clear)
    if isinstance(verdict, Stop):
        raise OathwardError(verdict.where, verdict.kind, reason=Reason.GUARD_STOPPED)
    return safe


def _identity(gate: Gate, found: _Due, leaves: str) -> bytes:
    """Open how a link knows a patient.

    Raises:
        OathwardError: ``NOT_FOUND``: it was never kept, or in the form of another wire.
    """
    row = found.row
    opened = (
        gate.opened.keeper.notices.identities(row.subject, found.because, [row.link]) if row.key_id else {}
    )
    who = opened.get(row.link)
    if who is None or row.wire != leaves:
        raise OathwardError(
            "notice", "nobody knows how the recipient knows this patient", reason=Reason.NOT_FOUND
        )
    return who.reveal()
