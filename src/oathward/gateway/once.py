"""Conditional creates inside bundles: what exists already is answered with its place, and sent to nobody twice.

Rules:
- The same as of a create alone: one device, one patient, one identifier, within the days of ``duplicate_window_days``.
- What there is, is looked up when a message is prepared, because it decides what leaves; and again in the transaction
  that stores it. Where that is another by then, the message is prepared once more: of two that come at once one creates.
- A recipient that has it, or will, does not get it again; one that does not, as its delivery is dead, gets it under the name it has elsewhere. References
  of the other entries lead to that name.
- Several under one identifier: an entry of a batch is refused and the others are taken; a transaction is refused whole.
- An identifier that one bundle asks for twice is created once.

Deliberately absent: conditions on anything but an identifier (``protocols/fhir/conditions``), bundles that are held
whole before anybody knows whom they are about.

Source: FHIR R4 §3.1.0.8.1 (conditional create), §3.1.0.11.2 (transactions).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.gateway.wires.wire import Condition, Identity
from oathward.messages import sql as messages
from oathward.messages.model import CreatedRow

if TYPE_CHECKING:
    from oathward.gateway.arrival import Arrival, Prepared
    from oathward.gateway.gate import Gate

Known = dict[bytes, list[tuple[bytes, str, str, int, str]]]
"""Duplicate key -> digest, answer, id, time and subject of the messages that have it."""


@dataclass(slots=True)
class Once:
    """One condition of a message, and what met it when the message was prepared.

    Args:
        part: id of the patient's part, from which recipients' names are made.
        firsts: what was created under it; one, or nothing, or several.
        again: the same bundle asks for it before.
    """

    asked: Condition
    key: bytes
    subject: str
    part: str
    firsts: tuple[CreatedRow, ...]
    again: bool = False

    @property
    def first(self) -> CreatedRow | None:
        """What there is; None for nothing, and for several."""
        return self.firsts[0] if len(self.firsts) == 1 else None


def looked_up(
    gate: Gate, arrival: Arrival, conditions: Sequence[Condition], device: str, subject: str
) -> list[Once]:
    """Look up what one patient's part of a message would create only where there is none."""
    if not conditions:
        return []
    keys = [gate.duplicate_key(device, Identity(one.words)) for one in conditions]
    with read(gate.engine) as db:
        known, created = messages.known(db, keys), messages.created(db, keys)
    found: dict[bytes, Once] = {}
    made = []
    for asked, key in zip(conditions, keys, strict=True):
        before = found.get(key)
        if before is None:
            firsts = _firsts(gate, key, subject, arrival.at_us, known, created)
            before = found[key] = Once(asked, key, subject, arrival.id, firsts)
            made.append(before)
            continue
        firsts = before.firsts or (_row(gate, before, whole_id(arrival), arrival.at_us),)
        made.append(Once(asked, key, subject, arrival.id, firsts, again=True))
    return made


def whole_id(arrival: Arrival) -> str:
    """Give the id of the message that a part is of."""
    return arrival.id.partition(".")[0]


def there(gate: Gate, once: Sequence[Once], link: str) -> tuple[dict[int, str], frozenset[int]]:
    """Say what entries are called for a recipient, and which of them it has: by their place in the part."""
    called: dict[int, str] = {}
    has = set()
    for one in once:
        first, index = one.first, one.asked.entry
        if first is not None:
            called[index] = f"{gate.outgoing_id(first.source, link).lower()}-{first.number}"
            if one.again or link in first.links.split():
                has.add(index)
        elif one.firsts:  # refused: nobody gets it, and nothing refers to it
            called[index] = ""
            has.add(index)
    return called, frozenset(has)


def told(prepared: Prepared) -> tuple[tuple[int, str], ...]:
    """Say which entries were there, as their place in what came and the id; empty for one that is refused."""
    made = {one.asked.place for one in prepared.once if not one.firsts}
    found = {one.asked.place: one.first.id if one.first else "" for one in prepared.once}
    return tuple((place, id_) for place, id_ in found.items() if place not in made)


class Earlier:
    """What was created until now, as one write transaction sees it."""

    def __init__(self, gate: Gate, db: Connection, group: Iterable[Prepared], known: Known) -> None:
        keys = {one.key for prepared in group for one in prepared.once}
        keys |= {prepared.message.duplicate_key for prepared in group if prepared.identity.once}
        self._gate, self._known = gate, known
        self._created = messages.created(db, sorted(keys)) if keys else {}

    def of(self, prepared: Prepared) -> list[tuple[bytes, str, str, int, str]]:
        """List what entries of bundles created under the identity of a create."""
        rows = self._created.get(prepared.message.duplicate_key, ())
        return [(b"", prepared.message.answer, row.id, row.at_us, row.subject) for row in rows]

    def refuses(self, prepared: Prepared) -> Reason | None:
        """Say why a message may not be stored as it was prepared; ``CONFLICT`` where it is to be prepared anew."""
        for one in prepared.once:
            if one.again:
                continue
            now = _firsts(
                self._gate, one.key, one.subject, prepared.arrival.at_us, self._known, self._created
            )
            if [row.id for row in now] != [row.id for row in one.firsts]:
                return Reason.CONFLICT
        several = any(len(one.firsts) > 1 and one.asked.every for one in prepared.once)
        return Reason.CONDITION_SEVERAL if several else None

    def note(self, prepared: Prepared) -> None:
        """Remember what a message creates, for those behind it in the group."""
        for row in rows(self._gate, prepared):
            listed = self._created.setdefault(row.key, [])
            listed[:] = [*(other for other in listed if other.subject != row.subject), row]


def where(prepared: Prepared) -> str:
    """Name the first condition that several meet."""
    place = next(one.asked.place for one in prepared.once if len(one.firsts) > 1)
    return f"Bundle.entry[{place}].request.ifNoneExist"


def rows(gate: Gate, prepared: Prepared) -> list[CreatedRow]:
    """Write down what a message creates on condition, and which links have it now."""
    message = prepared.message
    if prepared.identity.once:
        links = _links(prepared, message.id)
        row = CreatedRow(message.duplicate_key, message.subject, gate.site, message.id, message.id, 0,
                         message.received_us, " ".join(links))  # fmt: skip
        return [row]
    made = []
    for one in prepared.once:
        if one.again or len(one.firsts) > 1:
            continue
        row = one.first or _row(gate, one, message.id, message.received_us)
        had = row.links.split()
        made.append(row._replace(links=" ".join(sorted({*had, *_links(prepared, one.part)}))))
    return made


def _links(prepared: Prepared, part: str) -> list[str]:
    return sorted(one.row.link for one in prepared.outgoing if one.row.message == part)


def _row(gate: Gate, one: Once, message: str, at_us: int) -> CreatedRow:
    id_ = f"{message}-{one.asked.place}"
    return CreatedRow(one.key, one.subject, gate.site, id_, one.part, one.asked.entry, at_us, "")


def _firsts(
    gate: Gate, key: bytes, subject: str, now_us: int, known: Known, created: dict[bytes, list[CreatedRow]]
) -> tuple[CreatedRow, ...]:
    """Give what was created under a key for a patient, the oldest first; two are enough to know that it is not one."""
    since_us = now_us - gate.duplicate_window_us
    found = {row.id: row for row in created.get(key, ()) if row.subject == subject and row.at_us >= since_us}
    for _, _, id_, at_us, about in known.get(key, ()):
        if about == subject and at_us >= since_us:
            found.setdefault(id_, CreatedRow(key, subject, gate.site, id_, id_, 0, at_us, ""))
    return tuple(sorted(found.values(), key=lambda row: (row.at_us, row.id))[:2])
