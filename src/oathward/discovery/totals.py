"""Totals of flows: one row per hour, client, server and service, so that ten million flows a day stay some hundred thousand rows.

Rules:
- Pure: a frame with ``FLOW_COLUMNS`` gives a frame with ``TOTAL_COLUMNS``; the same rows in any order give the same totals, in the same order.
- Nothing is lost: bytes, packets and flows of the totals add up to those of the flows. A flow is counted in the hour in which it began; its
  bytes and packets are spread evenly over the hours it lasted, so that a connection which stays open for a day is seen in each of its hours.
- A row whose bytes and packets are all null says more of a flow that another row counts (a TLS log beside a log of connections): it makes a row of
  totals with what it says, and counts no flow.
- ``merged`` of totals is what ``totals`` of all their flows together would be: what was read in parts is added up so.

Deliberately absent: which endpoint an address was (``endpoints``), any database.

Source: RFC 7011 (flow), RFC 5103 (two directions of one flow).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

HOUR_US = 3_600_000_000
FLOW_HOURS_MAX = 48
"""Over how many hours a flow is spread at most; what is longer has the rest in its last one. A sensor that lies of durations is bounded by it."""
COUNT_MAX = 2**48
"""Bytes or packets of one flow and direction, at most; more is a sensor's error and is cut, so that no sum overflows."""

KEY = ("hour_us", "realm", "client", "server", "transport", "port", "service", "tls")
"""What makes a row of totals one."""

TOTAL_COLUMNS: Mapping[str, str] = {
    "hour_us": "Int64",
    "realm": "String",
    "client": "String",
    "server": "String",
    "transport": "String",
    "port": "UInt16",
    "service": "String",
    "tls": "String",
    "flows": "Int64",
    "answered": "Int64",
    "unanswered": "Int64",
    "client_bytes": "Int64",
    "server_bytes": "Int64",
    "client_packets": "Int64",
    "server_packets": "Int64",
    "first_us": "Int64",
    "last_us": "Int64",
}
"""Column of a frame of totals -> its Polars type.

``hour_us``: where the hour begins, microseconds UTC. ``flows``: how many began in it; 0 where one only went on, or where a row only says more of it. ``answered``, ``unanswered``: of
these, where the source knew. ``first_us``, ``last_us``: of what was seen in that hour.
"""

_SUMS = (
    "flows",
    "answered",
    "unanswered",
    "client_bytes",
    "server_bytes",
    "client_packets",
    "server_packets",
)
_COUNTS = ("client_bytes", "server_bytes", "client_packets", "server_packets")


def says_more() -> pl.Expr:
    """Say of a flow's row that it says more of a flow which another row counts, and counts none."""
    import polars as pl

    return pl.all_horizontal(pl.col(name).is_null() for name in _COUNTS)


def totals(flows: pl.DataFrame) -> pl.DataFrame:
    """Add up flows, in the order of ``KEY``.

    Args:
        flows: with ``FLOW_COLUMNS``. A missing count counts as 0, a missing end as the start, a count over ``COUNT_MAX`` as that.
    """
    import polars as pl

    counted = ~says_more()
    end = pl.max_horizontal("start_us", pl.col("end_us").fill_null(pl.col("start_us")))
    rows = flows.lazy().select(
        (pl.col("start_us") // HOUR_US * HOUR_US).alias("hour_us"),
        *KEY[1:],
        counted.cast(pl.Int64).alias("flows"),
        (counted & pl.col("answered").fill_null(value=False)).cast(pl.Int64).alias("answered"),
        (counted & ~pl.col("answered").fill_null(value=True)).cast(pl.Int64).alias("unanswered"),
        *(pl.col(name).fill_null(0).clip(0, COUNT_MAX) for name in _COUNTS),
        pl.col("start_us").alias("first_us"),
        end.alias("last_us"),
    )
    long = pl.col("last_us") >= pl.col("hour_us") + HOUR_US
    return _added(pl.concat([rows.filter(~long), _spread(rows.filter(long))])).collect()


def merged(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Add up totals that were made of parts of the same flows; at least one part, each with ``TOTAL_COLUMNS``."""
    import polars as pl

    return _added(pl.concat(list(parts)).lazy()).collect()


def _added(rows: pl.LazyFrame) -> pl.LazyFrame:
    import polars as pl

    return (
        rows.group_by(KEY)
        .agg(*(pl.col(name).sum() for name in _SUMS), pl.col("first_us").min(), pl.col("last_us").max())
        .sort(KEY)
        .cast({name: getattr(pl, kind) for name, kind in TOTAL_COLUMNS.items()})
    )


def _spread(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each hour that a flow lasted; what does not divide evenly stays in the first."""
    import polars as pl

    hours = ((pl.col("last_us") - pl.col("hour_us")) // HOUR_US + 1).clip(1, FLOW_HOURS_MAX)
    nth, of = pl.col("nth"), pl.col("hours")
    begins = pl.col("hour_us") + nth * HOUR_US
    once = ("flows", "answered", "unanswered")
    spread = (
        rows.with_columns(hours.alias("hours"))
        .with_columns(pl.int_ranges(0, pl.col("hours")).alias("nth"))
        .explode("nth")
    )
    return spread.select(
        begins.alias("hour_us"),
        *KEY[1:],
        *(pl.when(nth == 0).then(pl.col(name)).otherwise(0).alias(name) for name in once),
        *(
            (pl.col(name) // of + pl.when(nth == 0).then(pl.col(name) % of).otherwise(0)).alias(name)
            for name in _COUNTS
        ),
        pl.max_horizontal("first_us", begins).alias("first_us"),
        pl.when(nth == of - 1).then(pl.col("last_us")).otherwise(begins + HOUR_US - 1).alias("last_us"),
    )
