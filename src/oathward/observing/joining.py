"""TLS that a sensor says in a log of its own (Zeek's ssl.log beside conn.log), put on the flows that another log counts.

Rules:
- A row without counts says more of a flow that another row counts (``discovery.model``). Where the log that counts is read in the same run, such a row makes
  no conversation of its own: it would stand there once more, with a version and without a byte.
- What was said of a client, server, transport and port goes on flows between them that are TLS and say no version. Of several versions the weakest counts.
- What was said in runs before is looked up where it is kept, day by day: of the flows' days, and of the day before. A connection is logged when it
  ends, and its TLS when it begins.
- ``KEYS_MAX`` are remembered, for as long as a run lasts. What is forgotten, or said after its flow was stored, is not known: a flow without a version,
  never a wrong one.

Deliberately absent: which log lies beside which (``discovery.reading``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.discovery.model import FLOW_COLUMNS
from oathward.discovery.totals import says_more

if TYPE_CHECKING:
    import polars as pl

KEYS_MAX = 500_000
_KEY = ("realm", "client", "server", "transport", "port")
_SAID = ("tls", "server_name", "certificate")
_DAY_US = 86_400_000_000
_TLS = "tls|quic"
"""Services of flows that are TLS."""


@dataclass(slots=True)
class Tls:
    """What was said of flows in a run.

    Args:
        kept: day, as their number since 1970 -> rows without counts that runs before kept of it, at most ``KEYS_MAX``.
    """

    kept: Callable[[int], pl.DataFrame] | None = None
    _days: set[int] = field(default_factory=set)
    _known: dict[tuple[object, ...], tuple[str, ...]] = field(default_factory=dict)

    def told(self, flows: pl.DataFrame) -> pl.DataFrame:
        """Remember what rows without counts say; gives the other rows."""
        import polars as pl

        says = says_more() & (pl.col("tls") != "")
        for row in flows.filter(says).select(*_KEY, *_SAID).unique().iter_rows():
            key, said = row[: len(_KEY)], row[len(_KEY) :]
            if len(self._known) >= KEYS_MAX:
                self._known.clear()
            self._known[key] = min(self._known.get(key, said), said)  # versions sort as they got better
        return flows.filter(~says)

    def put(self, flows: pl.DataFrame) -> pl.DataFrame:
        """Give flows with what was said of them."""
        import polars as pl

        lacks = (pl.col("tls") == "") & pl.col("service").str.contains(_TLS)
        lacking = flows.filter(lacks)
        self._recall(lacking)
        keys = lacking.select(_KEY).unique().rows()
        rows = [(*key, *self._known[key]) for key in keys if key in self._known]
        if not rows:
            return flows
        kinds = {name: getattr(pl, FLOW_COLUMNS[name]) for name in _KEY}
        said = pl.DataFrame(rows, schema=kinds | {f"_{name}": pl.String for name in _SAID}, orient="row")
        found = flows.join(said, on=_KEY, how="left", maintain_order="left")
        there = lacks & pl.col("_tls").is_not_null()
        filled = (
            pl.when(there & (pl.col(name) == "")).then(pl.col(f"_{name}")).otherwise(pl.col(name)).alias(name)
            for name in _SAID
        )
        return found.with_columns(*filled).select(list(FLOW_COLUMNS))

    def _recall(self, lacking: pl.DataFrame) -> None:
        """Look up what runs before said, once for each day."""
        import polars as pl

        if self.kept is None or not lacking.height:
            return
        days = set(lacking.select((pl.col("start_us") // _DAY_US).unique()).to_series().to_list())
        for day in sorted((days | {one - 1 for one in days}) - self._days):
            self._days.add(day)
            self.told(self.kept(day))
