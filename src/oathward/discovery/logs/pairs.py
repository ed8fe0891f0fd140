"""Which card had which address, out of flows that name both.

Rules:
- A pair is said once an hour. A card in front of more than ``FRONTS_MAX`` addresses is a router or a proxy: so many are said that this can be
  told from them, and no more.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from oathward.discovery.logs.gathering import Gathered, at
from oathward.discovery.model import Mark, MarkKind
from oathward.discovery.totals import HOUR_US

if TYPE_CHECKING:
    import polars as pl

FRONTS_MAX = 32
_CARDS_MAX = 100_000


class Pairs:
    """Pairs that were said of late."""

    def __init__(self, gathered: Gathered, source: str) -> None:
        self._gathered = gathered
        self._source = source
        self._said: set[tuple[str, str, str, int]] = set()
        self._fronted: Counter[tuple[str, int]] = Counter()

    def take(self, flows: pl.DataFrame) -> None:
        """Say what cards and addresses flows name together."""
        import polars as pl

        hour = (pl.col("start_us") // HOUR_US).alias("hour")
        for side in ("client", "server"):
            card = pl.col(f"{side}_mac")
            pairs = (
                flows.lazy()
                .filter(card != "")
                .group_by(card, side, "segment", hour)
                .agg(pl.col("start_us").min())
                .collect()
            )
            for mac, address, segment, of_hour, at_us in pairs.iter_rows():
                key = (mac, address, segment, of_hour)
                if key in self._said or self._fronted[mac, of_hour] >= FRONTS_MAX:
                    continue
                if len(self._said) >= _CARDS_MAX:
                    self._said.clear()
                    self._fronted.clear()
                self._said.add(key)
                where = at(address)
                if where.value:
                    self._fronted[mac, of_hour] += 1
                    self._gathered.say(at_us, self._source, (Mark(MarkKind.MAC, mac), where), segment=segment)
