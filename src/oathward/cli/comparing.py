"""What ``doctor`` compares: the database with the ledger, which nobody can change unnoticed.

Each check is one function that gives lines, as in ``doctor``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from oathward.core.settings import Settings

NAMED_MAX = 5
"""So many ids are written out; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """One finding. ``level``: ``ok``, ``note`` or ``bad``."""

    level: str
    about: str
    what: str


def deliveries(settings: Settings) -> Iterator[Line]:
    """Say what the app found missing while it paired permits with deliveries."""
    from oathward.core.db import connect, read
    from oathward.messages import missing

    with read(connect(settings.database_url)) as db:
        counts = missing.counts(db, settings.site.name)
    for link, count in sorted(counts.items()):
        what = f"delivery.missing: {count} permitted on {link} are neither delivered nor in the outbox as they were"
        yield Line("bad", "delivery", f"{what}; see `oathward outbox list`")


def all_deliveries(settings: Settings) -> Iterator[Line]:
    """Pair every permit the ledger ever recorded, from its first record on."""
    from oathward.core.db import connect
    from oathward.messages import pairing

    engine = connect(settings.database_url)
    links: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    try:
        for row in pairing.check_all(engine, settings.site.name):
            counts[row.link] += 1
            named = links.setdefault(row.link, [])
            if len(named) < NAMED_MAX:
                named.append(f"{row.id} ({row.what}, record {row.record})")
    finally:
        engine.dispose()
    for link, named in sorted(links.items()):
        more = f" and {counts[link] - len(named)} more" if counts[link] > len(named) else ""
        what = f"delivery.missing: {counts[link]} permitted on {link} are neither delivered nor in the outbox as they were"
        yield Line("bad", "delivery", f"{what}: {', '.join(named)}{more}")
    if not links:
        yield Line("ok", "delivery", "every permit was delivered, given up, or waits in the outbox")


def edges(settings: Settings) -> Iterator[Line]:
    """Compare merges and their undoing with the records that made them."""
    from oathward.core.db import connect, read
    from oathward.patients import compare

    with read(connect(settings.database_url)) as db:
        found = compare.differences(db, settings.site.name)
    for what, count in sorted(Counter(one.what for one in found).items()):
        named = ", ".join(one.edge for one in found if one.what == what)
        named = named if count <= NAMED_MAX else f"{count} edges"
        yield Line("bad", "patients", f"{compare.FINDING}: {what} in the database without a record: {named}")
    if not found:
        yield Line("ok", "patients", "merges and their undoing are as the ledger recorded them")
