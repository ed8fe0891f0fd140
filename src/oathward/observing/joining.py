"""TLS that a sensor says in a log of its own (Zeek's ssl.log beside conn.log), put on the flows that another log counts.

Rules:
- A row without counts says more of a flow that another row counts (``discovery.model``). Where the log that counts is read in the same run, such a row makes
  no conversation of its own: it would stand there once more, with a version and without a byte.
- What was said of a client, server, transport and port goes on flows between them that are TLS, say no version and began within a day of it (``NEAR``):
  a connection is logged when it ends, and its TLS when it begins. Of several versions the weakest counts.
- What was said in runs before is looked up where it is kept, day by day.
- ``KEYS_MAX`` are remembered, for as long as a run lasts. What is forgotten is not known: a flow without a version, never a wrong one.

Deliberately absent: which log lies beside which (``discovery.reading``); flows that were stored before their TLS was said (``observing.versions``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.discovery.model import FLOW_COLUMNS
from oathward.discovery.totals import says_more
from oathward.network.versions import ENCRYPTED, Ends

if TYPE_CHECKING:
    import polars as pl

KEYS_MAX = 500_000
NEAR = (-1, 0, 1)
"""On flows of which days, counted from its own, goes what was said."""
DAY_US = 86_400_000_000
_KEY = Ends._fields
_SAID = ("tls", "server_name", "certificate")

Key = tuple[int, Ends]
"""A day, as their number since 1970, and between whom."""


@dataclass(slots=True)
class Tls:
    """What was said of flows in a run.

    Args:
        kept: day, as their number since 1970 -> rows without counts that runs before kept of it, at most ``KEYS_MAX``.
    """

    kept: Callable[[int], pl.DataFrame] | None = None
    _days: set[int] = field(default_factory=set)
    _known: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def told(self, flows: pl.DataFrame) -> pl.DataFrame:
        """Remember what rows without counts say; gives the other rows."""
        for key, said in weakest(flows).items():
            if len(self._known) >= KEYS_MAX:
                self._known.clear()
            self._known[key] = min(self._known.get(key, said), said)
        return flows.filter(~says_version())

    def put(self, flows: pl.DataFrame) -> pl.DataFrame:
        """Give flows with what was said of them."""
        import polars as pl

        lacks = (pl.col("tls") == "") & is_encrypted()
        dated = flows.with_columns(_day())
        keys = [(row[0], Ends(*row[1:])) for row in dated.filter(lacks).select("_day", *_KEY).unique().rows()]
        self._recall(day + near for day, _ in keys for near in NEAR)
        found = ((day, ends, self._said(day, ends)) for day, ends in keys)
        rows = [(day, *ends, *said) for day, ends, said in found if said is not None]
        if not rows:
            return flows
        kinds = {"_day": pl.Int64} | {name: getattr(pl, FLOW_COLUMNS[name]) for name in _KEY}
        said = pl.DataFrame(rows, schema=kinds | {f"_{name}": pl.String for name in _SAID}, orient="row")
        joined = dated.join(said, on=["_day", *_KEY], how="left", maintain_order="left")
        there = lacks & pl.col("_tls").is_not_null()
        filled = (
            pl.when(there & (pl.col(name) == "")).then(pl.col(f"_{name}")).otherwise(pl.col(name)).alias(name)
            for name in _SAID
        )
        return joined.with_columns(*filled).select(list(FLOW_COLUMNS))

    def versions(self, day: int, ends: Ends) -> set[str]:
        """Give the versions that flows near a day may have of what was said before."""
        days = {day + one + other for one in NEAR for other in NEAR}
        self._recall(days)
        return {self._known[one, ends][0] for one in days if (one, ends) in self._known}

    def _said(self, day: int, ends: Ends) -> tuple[str, ...] | None:
        near = (self._known.get((day + one, ends)) for one in NEAR)
        return min((said for said in near if said is not None), default=None)

    def _recall(self, days: Iterable[int]) -> None:
        """Look up what runs before said, once for each day."""
        if self.kept is None:
            return
        for day in sorted(set(days) - self._days):
            self._days.add(day)
            self.told(self.kept(day))


def weakest(flows: pl.DataFrame) -> dict[Key, tuple[str, ...]]:
    """Give what rows without counts say, of each day and ends the weakest version with its name and certificate."""
    found = dict[Key, tuple[str, ...]]()
    rows = flows.filter(says_version()).with_columns(_day()).select("_day", *_KEY, *_SAID).unique()
    for day, *rest in rows.iter_rows():
        key, said = (day, Ends(*rest[: len(_KEY)])), tuple(rest[len(_KEY) :])
        found[key] = min(found.get(key, said), said)  # versions sort as they got better
    return found


def says_version() -> pl.Expr:
    """Say of a row that it says the version of a flow which another row counts."""
    import polars as pl

    return says_more() & (pl.col("tls") != "")


def is_encrypted() -> pl.Expr:
    """Say of a flow that it is TLS, whatever its version."""
    import polars as pl

    return pl.col("service").str.contains("|".join(ENCRYPTED))


def _day() -> pl.Expr:
    import polars as pl

    return (pl.col("start_us") // DAY_US).alias("_day")
