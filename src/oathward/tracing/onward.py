"""Where a message went, or all of a patient: by the records of the ledger, and the tables of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oathward.activation import load_active
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.ids import same_key
from oathward.core.reasons import Reason
from oathward.explaining import now, past
from oathward.jobs import views as jobs
from oathward.ledger import Entry
from oathward.messages import sql as messages
from oathward.tracing.files import files_of
from oathward.tracing.told import Came, Onward, Went
from oathward.vault.opened import Opened


def of_message(site: Opened, id_: str) -> Onward:
    """Say where a message went.

    Raises:
        InputError: ``not-found``: nothing is on record of it.
    """
    whole = id_.partition(".")[0]
    came, went = came_and_went(site, whole)
    if came is None:
        raise InputError("message", "nothing of it is on record", reason=Reason.NOT_FOUND)
    return Onward(came.subjects, [came], went, [])


def with_control_id(site: Opened, key: bytes, device: str, senders: Iterable[str], control_id: str) -> str:
    """Give our id of the message that a device sent under a control id, the newest one.

    Args:
        key: the site's duplicate key. senders: MSH-3 and MSH-4, ``application|facility``, each of which may be it.

    Raises:
        InputError: ``not-found``.
    """
    keys = [same_key(key, device, f"{one}|{control_id}".encode()) for one in senders]
    with read(site.engine) as db:
        found = [row for rows in messages.known(db, keys).values() for row in rows]
    if not found:
        why = "no message of this device has it; MSH-3 and MSH-4 count too (--sender)"
        raise InputError("--control-id", why, reason=Reason.NOT_FOUND)
    return max(found, key=lambda row: row[3])[2]


def of_patient(site: Opened, subject: str, *, limit: int) -> Onward:
    """Say where what came of a patient went: the newest permits, and every file of a job.

    Raises:
        InputError: ``not-found``: there is no such subject.
    """
    family = now.family_of(site, subject)
    found: list[str] = []
    whole = True
    for number, entry in enumerate(past.records(site, family, past.RECORDS_MAX + 1)):
        whole = number < past.RECORDS_MAX
        if not whole or len(found) > limit:
            break
        if entry.kind == "message.accepted" and entry.message not in found:
            found.append(entry.message)
    ends = _Ends(site)
    went = []
    for message in found[:limit]:
        went += [one for one in ends.of(_records(site, message), message) if one.subject in family]
    with read(site.engine) as db:
        units = jobs.units_of_patient(db, site.site, family)
    return Onward(family, [], went, files_of(site, units), whole and len(found) <= limit)


def came_and_went(site: Opened, id_: str) -> tuple[Came | None, list[Went]]:
    """Give a message as it came, None where nothing is on record of it, and where it went."""
    recorded = _records(site, id_)
    with read(site.engine) as db:
        row = messages.message_row(db, id_)
    accepted = sorted((e for e in recorded if e.kind == "message.accepted"), key=lambda e: e.index)
    subjects = tuple(dict.fromkeys(e.subject for e in accepted if e.subject))
    if row is not None:
        at = from_micros(row.received_us)
        came = Came(id_, at, row.device, row.type, subjects or (row.subject,), row.state, row.reason)
    elif recorded:
        first = accepted[0] if accepted else recorded[-1]
        kinds = (str(first.body.get("device", "")), str(first.body.get("type", "")))
        came = Came(id_, from_micros(first.at_us), *kinds, subjects)
    else:
        return None, []
    return came, _Ends(site).of(recorded, id_)


def _records(site: Opened, message: str) -> list[Entry]:
    with read(site.engine) as db:
        return past.of_message(db, site.site, message)


class _Ends:
    """What became of deliveries, and to whom they went: by the policy of then."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        with read(site.engine) as db:
            active = load_active(db, site.site, site.authority, site.seen)
        self._bundles = past.Bundles(site, active)

    def of(self, recorded: Sequence[Entry], message: str) -> list[Went]:
        """Read the decisions of one message out of its records, the newest of each part and link."""
        fates = {str(e.body.get("id")): e for e in sorted(recorded, key=_index) if e.kind in past.FATES}
        with read(self._site.engine) as db:
            parts = {message, *(e.message for e in recorded)}
            waits = {row.id: row.state for part in parts for row in messages.outbox_rows_of(db, part)}
        found: dict[tuple[str, str], Went] = {}
        for entry in sorted(recorded, key=_index):
            for answer in entry.body.get("answers", ()) if entry.kind == "message.accepted" else ():
                one = self._went(entry, answer, fates, waits)
                found[one.message, one.link] = one
        return list(found.values())

    def _went(
        self, entry: Entry, answer: Sequence[object], fates: dict[str, Entry], waits: dict[str, str]
    ) -> Went:
        link, word, *more = answer
        label = str(entry.body.get("bundle", ""))
        bundle = self._bundles.of(label)
        declared = bundle.links.get(str(link)) if bundle else None
        permitted = word == "permit" and bool(more)
        outgoing = str(more[0]) if permitted else ""
        fate = fates.get(outgoing)
        kept = "kept" if word == "permit" else ""
        return Went(
            message=entry.message,
            subject=entry.subject,
            link=str(link),
            recipient=declared.recipient if declared else "",
            purpose=str(declared.purpose) if declared else "",
            word=str(word),
            reasons=() if permitted else tuple(map(str, more)),
            outgoing=outgoing,
            decided=from_micros(entry.at_us),
            bundle=label,
            state=past.fate_of(fate) if fate else waits.get(outgoing, "") if outgoing else kept,
            state_at=from_micros(fate.at_us) if fate else None,
        )


def _index(entry: Entry) -> int:
    return entry.index
