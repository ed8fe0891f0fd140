"""Who is in the house now: open stays, tied subjects as one patient, a page at a time.

Rules:
- A stay counts with its stamp alone, and where somebody said a word of it within ``people.care_silence_days``, as for care.
- Subjects that standing ties make one are one patient, named by the subject of the stay begun last.

Deliberately absent: who cares for them (``care``), what they are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Engine, select

from oathward.core.db import read
from oathward.vault import care
from oathward.vault.care_rows import Stamps, Stay, care_stay, open_stays

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Inpatient:
    """One patient who is here: ``subjects`` are all of theirs, ``subject`` the one of the stay begun last."""

    subject: str
    subjects: tuple[str, ...]
    unit: str
    since_us: int


def inpatients(engine: Engine, site: str, heard_after_us: int, stamps: Stamps) -> Iterator[Inpatient]:
    """List who is here, each patient once."""
    seen: set[str] = set()
    after = ""
    while True:
        with read(engine) as db:
            here = (care_stay.c.site == site) & care_stay.c.ended_us.is_(None)
            where = here & (care_stay.c.heard_us > heard_after_us) & (care_stay.c.subject > after)
            query = select(care_stay.c.subject).where(where).distinct().order_by(care_stay.c.subject)
            page = [str(subject) for subject in db.execute(query.limit(_PAGE)).scalars()]
            found = []
            for subject in page:
                if subject in seen:
                    continue
                together = sorted(care.tied(db, site, subject, stamps))
                seen.update(together)
                stays = open_stays(db, site, together, heard_after_us, stamps)
                if stays:
                    found.append(_one(stays, together))
        yield from found
        if not page:
            return
        after = page[-1]


def _one(stays: list[Stay], together: list[str]) -> Inpatient:
    last = max(stays, key=lambda stay: (stay.begun_us, stay.subject))
    return Inpatient(last.subject, tuple(together), last.unit, last.begun_us)
