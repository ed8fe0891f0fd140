"""What one message says about a patient's stay, and what becomes of the stay by it.

Rules:
- Two clocks order statements: when it was said (EVN-2) and since when it is so (EVN-6); equal ones, by arrival.
- What ends a stay counts where either clock is later; what begins it again only where both are: where it is unclear,
  nobody is in care. A discharge that is taken back (A13) counts where it was said later.
- A move counts by since when it is so, a move taken back and an update by when it was said; an update that says what
  is known already says nothing, so that a move told late still counts.
- A discharge without an encounter number is of all stays of the patient.
- A stay first heard of by an update is one whose admission came before us: whatever ends it counts.
- A change of class (A06, A07) under a new number ends the stays before it.
- An encounter number that several subjects have is a stay of each: a mother and her child may share one.
- How many stays there may be has limits, and so has what one message says of them; where one is met, a finding is on
  record (``care_room``, ``stays_held``).

Deliberately absent: HL7 v2 and FHIR (``gateway/care``), visits and accounts that change hands (``stays_moved``), rows
and records (``stays_held``).

Source: HL7 v2.8.2 §3.3.1 to §3.3.13 (events), §3.4.1.2 and §3.4.1.6 (EVN-2, EVN-6: of a cancellation, the time of
what is taken back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from sqlalchemy import Connection

from oathward.ledger import Leaf
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Stamps, Stay
from oathward.vault.stays_held import Held


class Turn(Enum):
    """What a message does to a stay."""

    ADMIT = "admit"
    DISCHARGE = "discharge"  # and a cancelled admission
    RETURN = "return"  # a cancelled discharge
    MOVE = "move"
    MOVE_BACK = "move-back"
    CLASS = "class"  # inpatient or outpatient now, perhaps under another number
    TELL = "tell"  # an update: where the patient is, as far as it says so


@dataclass(frozen=True, slots=True)
class Said:
    """One statement.

    Args:
        encounter: keyed hash of its number; empty for none.
        event: as the message calls it (``A02``), for the record.
        said_us: when it was said. at_us: since when it is so. heard_us: when it came; neither is later.
        unit: where the patient is; empty: nowhere that was named; None: nothing said.
        attending: ``authority|number`` of each; None: nothing said.
        account: keyed hash of the account's number; empty for none.
    """

    subject: str
    encounter: bytes
    turn: Turn
    event: str
    said_us: int
    at_us: int
    heard_us: int
    message: str
    unit: str | None = None
    attending: tuple[str, ...] | None = None
    account: bytes = b""


_ENDS = frozenset((Turn.DISCHARGE,))
_BY_TIME = frozenset((Turn.ADMIT, Turn.MOVE))
_PLACES = frozenset((Turn.ADMIT, Turn.MOVE, Turn.MOVE_BACK))
"""These say where the patient is; where they name no place it is not known any more."""


def take(db: Connection, site: str, statements: Sequence[Said], stamps: Stamps, room: Room) -> list[Leaf]:
    """Keep what one message's statements make of stays, inside its transaction; gives its records."""
    held = Held(db, site, stamps, room)
    for said in _chosen(statements, held):
        for before, after in _changes(held.of(held.tied(said.subject)), said):
            if before is None:
                held.begin(after, said)
            else:
                held.put(after, said)
    return held.write()


def _chosen(statements: Sequence[Said], held: Held) -> list[Said]:
    """Leave out what is too much of one message: what ends a stay counts most, then what was said last."""
    count = held.chosen(len(statements))
    if count == len(statements):
        return list(statements)
    held.limit("message", statements[0], len(statements) - count)
    ranked = sorted(statements, key=lambda said: (said.turn not in _ENDS, -said.said_us))
    kept = {id(said) for said in ranked[:count]}
    return [said for said in statements if id(said) in kept]


def ended_by(stay: Stay, said: Said) -> Stay:
    """Give what a stay is once its end was said so; unchanged where what is known is later."""
    return _after(stay, replace(said, turn=Turn.DISCHARGE))


def tombstone(said: Said) -> Stay:
    """Make the stay of which only the end was heard, so that what began it and comes late begins nothing."""
    return _new(replace(said, turn=Turn.DISCHARGE))


def _changes(kept: list[Stay], said: Said) -> list[tuple[Stay | None, Stay]]:
    about = _about(kept, said)
    if about:
        return [(stay, _after(stay, said)) for stay in about]
    changes: list[tuple[Stay | None, Stay]] = []
    if said.turn is Turn.CLASS:
        ending = replace(said, turn=Turn.DISCHARGE)
        changes += [(stay, _after(stay, ending)) for stay in kept if stay.ended_us is None]
    if said.turn is not Turn.TELL or said.unit or said.attending:
        changes.append((None, _new(said)))
    return changes


def _about(kept: list[Stay], said: Said) -> list[Stay]:
    """Choose the stays that a statement is about; none: one that was not heard of."""
    if said.encounter:
        return [stay for stay in kept if stay.encounter == said.encounter]
    if said.turn is Turn.ADMIT:
        return [stay for stay in kept if not stay.encounter]
    if said.turn is Turn.RETURN:
        unnamed = [stay for stay in kept if not stay.encounter]
        return unnamed or (kept if len(kept) == 1 else [])
    return [stay for stay in kept if stay.ended_us is None]


def _new(said: Said) -> Stay:
    told = said.turn in _ENDS | {Turn.ADMIT, Turn.RETURN}
    return Stay(
        *(said.subject, said.encounter, said.unit or "", said.attending or (), said.at_us),
        said.at_us if said.turn in _ENDS else None,
        *((said.said_us, said.at_us) if told else (0, 0)),
        *(said.said_us, said.at_us if said.turn in _PLACES else 0),
        *(said.heard_us, said.message),
        account=said.account,
    )


def _after(stay: Stay, said: Said) -> Stay:
    stay = _placed(_being(stay, said), said)
    account = stay.account or said.account
    heard_us = max(stay.heard_us, said.heard_us)
    return replace(stay, heard_us=heard_us, message=said.message, account=account)


def _being(stay: Stay, said: Said) -> Stay:
    """Say whether the patient is in care."""
    since, now = (stay.being_at_us, stay.being_said_us), (said.at_us, said.said_us)
    if said.turn in _ENDS:
        counts = said.said_us >= stay.being_said_us or said.at_us > stay.being_at_us
        ended = said.at_us if stay.ended_us is None else stay.ended_us
        stay = replace(stay, ended_us=ended) if counts else stay
    elif said.turn is Turn.RETURN:
        counts = said.said_us >= stay.being_said_us
        stay = replace(stay, ended_us=None) if counts else stay
    elif said.turn is Turn.ADMIT:
        counts = now[0] >= since[0] and now[1] >= since[1] and now != since
        begun = said.at_us if stay.ended_us is not None or not any(since) else stay.begun_us
        stay = replace(stay, ended_us=None, begun_us=begun) if counts else stay
    else:
        return stay
    return replace(stay, being_at_us=max(since[0], now[0]), being_said_us=max(since[1], now[1]))


def _placed(stay: Stay, said: Said) -> Stay:
    """Say where the patient is, and under whom."""
    if said.turn in _ENDS:
        return stay
    unit = said.unit
    if unit is None:
        unit = "" if said.turn in _PLACES else stay.unit
    attending = stay.attending if said.attending is None else said.attending
    if said.turn in _BY_TIME:
        since_us = (
            said.at_us if stay.place_at_us else 0
        )  # an update knew no since: then when it was said counts
        counts = (since_us, said.said_us) >= (stay.place_at_us, stay.place_said_us)
    else:
        counts = said.said_us >= stay.place_said_us
        if said.turn is not Turn.MOVE_BACK and (unit, attending) == (stay.unit, stay.attending):
            return stay
    if not counts:
        return stay
    at_us = said.at_us if said.turn in _PLACES else 0
    return replace(stay, unit=unit, attending=attending, place_at_us=at_us, place_said_us=said.said_us)
