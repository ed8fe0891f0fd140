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
PAIRS_MAX = 200_000


class Pairs:
    """Pairs that were said of late."""

    def __init__(self, gathered: Gathered, source: str) -> None:
        self._gathered = gathered
        self._source = source
        self._said: set[int] = set()
        self._fronted: Counter[tuple[str, int]] = Counter()

    def take(self, flows: pl.DataFrame) -> None:
        """Say what cards and addresses flows name together; by digests of the pairs, so that what was said costs next to nothing."""
        import polars as pl

        hour = pl.col("start_us") // HOUR_US
        for side in ("client", "server"):
            named = (
                flows.lazy()
                .filter(pl.col(f"{side}_mac") != "")
                .select(f"{side}_mac", side, "segment", hour.alias("hour"), "start_us")
            )
            digest = pl.struct(pl.exclude("start_us")).hash()
            pairs = named.with_columns(digest.alias("digest")).collect()
            fresh = set(pairs["digest"].unique().to_list()) - self._said
            if not fresh:
                continue
            if len(self._said) + len(fresh) > PAIRS_MAX:
                self._said.clear()
                self._fronted.clear()
            self._said |= fresh
            among = pairs.filter(pl.col("digest").is_in(pl.Series(list(fresh), dtype=pl.UInt64).implode()))
            for row in among.unique("digest", keep="first", maintain_order=True).drop("digest").iter_rows():
                self._say(*row)

    def _say(self, mac: str, address: str, segment: str, hour: int, at_us: int) -> None:
        where = at(address)
        if where.value and self._fronted[mac, hour] < FRONTS_MAX:
            self._fronted[mac, hour] += 1
            self._gathered.say(at_us, self._source, (Mark(MarkKind.MAC, mac), where), segment=segment)
