"""Care states as rows: which endpoints have one, and writing another.

Rules:
- A state is a statement of the source ``activity``: ``care``, since when and until when it was seen, and ``care-from``, what told it.
- Only what changed is written; what nobody knows any more is taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints.actions import take_for
from oathward.endpoints.alone import alone
from oathward.endpoints.care import Care
from oathward.endpoints.tables import endpoint_attribute

SOURCE = "activity"
STANDING_MAX = 100_000
_CARE, _FROM = "care", "care-from"
_SURE = {Care.IN_USE: 0.9, Care.IDLE: 0.6}
"""Who sends is in use; who is silent may still hang at a bed."""


class Standing(NamedTuple):
    """A care state as it stands. ``last_us``: when clinical data were last seen then."""

    care: Care
    last_us: int


def standing(db: Connection, site: str) -> dict[str, Standing]:
    """Give the endpoints that have a care state."""
    table = endpoint_attribute.c
    query = select(table.endpoint, table.value, table.last_us).where(
        table.site == site, table.attribute == _CARE, table.source == SOURCE, table.shown == 1
    )
    return {row[0]: Standing(Care(row[1]), row[2]) for row in db.execute(query.limit(STANDING_MAX))}


def put(
    engine: Engine, site: str, changed: Mapping[str, tuple[Care, str, int]], now_us: int, by: str
) -> None:
    """Write states: endpoint -> state, what told it, and when (to the minute)."""
    same: dict[tuple[Care, str, int], list[str]] = defaultdict(list)
    for id_, (care, told, at_us) in changed.items():
        same[care, told, at_us // 60_000_000 * 60_000_000].append(id_)
    with alone(engine, site):
        for (care, told, at_us), ids in sorted(same.items()):
            facts: tuple[Fact, ...] = ()
            if care is not Care.UNKNOWN:
                facts = (Fact(_CARE, care.value, _SURE[care]), Fact(_FROM, told, _SURE[care]))
            said = Statement(at_us, SOURCE, "", (Mark(MarkKind.DEVICE, SOURCE),), facts)
            take_for(engine, site, sorted(ids), said, (_CARE, _FROM), now_us, by)
