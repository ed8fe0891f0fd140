"""Who opened, or tried to open, this patient's data, and why: each record of it with the reason that explains it, in words.

Rules:
- Why is computed from what is on record (``accesses.explaining``), never stored, and never guessed: what nothing explains is
  said to be looked into, or with what a review came to.
- One line for a person, a reason and a day, with every time of it.
- What somebody tried in vain is shown too; nothing of what they looked for.

Deliberately absent: content, other patients, and names but those of staff (``naming``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from oathward.accesses import views
from oathward.accesses.explaining import opening_of, reasons
from oathward.accesses.model import KINDS, Explained, Outcome
from oathward.core.labels import Purpose
from oathward.web.portal.naming import names

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from oathward.ledger import Entry
    from oathward.web.portal.view import View

__all__ = ["KINDS", "OUTCOMES", "SAYS", "Look", "days"]

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        Outcome.JUSTIFIED: "access.justified",
        Outcome.MISTAKE: "access.mistake",
        Outcome.MISUSE: "access.misuse",
        Outcome.UNCLEAR: "access.unclear",
    }
)
PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        Purpose.TREAT: "purpose.treat",
        Purpose.ETREAT: "purpose.emergency",
        Purpose.BTG: "purpose.emergency",
        Purpose.HOPERAT: "purpose.run",
        Purpose.PATRQT: "purpose.patient",
        Purpose.HPAYMT: "purpose.pay",
        Purpose.HRESCH: "purpose.research",
        Purpose.PUBHLTH: "purpose.public",
        Purpose.SYSADMIN: "purpose.run",
    }
)
_YOU, _WAITS, _STOPPED = "access.you", "access.waiting", "access.stopped"

SAYS = (
    *(one.text for one in reasons()),
    *OUTCOMES.values(),
    *dict.fromkeys(PURPOSES.values()),
    *(_YOU, _WAITS, _STOPPED, "looked.opened", "looked.tried", "looked.sought"),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What one person did in a day for one reason. ``times``: of each, with the record that has it."""

    who: str
    did: str
    purpose: str
    why: str
    waits: bool
    times: tuple[tuple[int, datetime], ...]


def days(view: View, db: Connection, entries: Sequence[Entry]) -> list[tuple[datetime, list[Look]]]:
    """Say records by day, newest first.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    site = view.site
    found = views.explained(db, site.site, map(opening_of, entries), site.authority, site.seen)
    reviewed = views.outcomes(db, site.site, [one.index for one in entries])
    known = names(view, (one.opening.person for one in found))
    lines: dict[tuple[str, ...], list[tuple[int, datetime]]] = {}
    for one, entry in zip(found, entries, strict=True):
        at = view.render.at(entry.at_us)
        why = _why(view, one, entry, reviewed)
        key = (f"{at:%Y%m%d}", one.opening.person, _did(one), _purpose(one), why)
        lines.setdefault(key, []).append((entry.index, at))
    told: dict[str, tuple[datetime, list[Look]]] = {}
    for (day, person, did, purpose, why), times in lines.items():
        line = Look(
            known[person], view.say(did), view.say(purpose), view.say(why), why == _WAITS, tuple(times)
        )
        told.setdefault(day, (times[0][1], []))[1].append(line)
    return list(told.values())


def _did(found: Explained) -> str:
    if found.opening.refused:
        return "looked.tried"
    return "looked.sought" if found.opening.kind == "patient.sought" else "looked.opened"


def _purpose(found: Explained) -> str:
    return PURPOSES.get(found.opening.purpose, "purpose.run")


def _why(view: View, found: Explained, entry: Entry, reviewed: Mapping[int, str]) -> str:
    if found.opening.access and view.holder is not None and found.opening.person == view.holder.holder:
        return _YOU
    outcome = reviewed.get(entry.index, "")
    if outcome and not (outcome == Outcome.JUSTIFIED and found.reason is not None):
        return OUTCOMES[outcome]
    if found.reason is not None:
        return found.reason.text
    return _STOPPED if found.opening.refused else _WAITS
