"""Flows of logs and flow records as a frame: columns of the right type, checked at once for thousands of rows.

Rules:
- What a row must have (a time, two addresses) and has not, or has wrong, costs that row, counted by place; what it may have and has wrong is
  left out of it.
- Values of foreign text are cleaned one for each different value, not one for each row.

Source: RFC 6056 §2.1 (ephemeral ports), RFC 5103 (direction of a flow).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.discovery.cards import mac
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.model import FLOW_COLUMNS
from oathward.discovery.totals import COUNT_MAX
from oathward.discovery.values import address, host, printable

if TYPE_CHECKING:
    import polars as pl

EPHEMERAL = 32_768
"""Ports from here on are a client's own where the other side's is lower: Linux begins here, and IANA's range lies above it."""

_NOBODY = ("0.0.0.0", "::")  # noqa: S104  a host that has no address yet; nothing is bound
_COUNTS = ("client_bytes", "server_bytes", "client_packets", "server_packets")


def _end(text: str) -> str:
    return text if text in _NOBODY else address(text)


def _card(text: str) -> str:
    return mac(text) or ""


def _folded(text: str) -> str:
    return printable(text).lower()


def service(text: str) -> str:
    """Fold a service; TLS is called so, whatever its sensor calls it: Zeek still says ``ssl``, also beside another (``ssl,http``)."""
    return ",".join("tls" if one == "ssl" else one for one in _folded(text).split(","))


def _digest(text: str) -> str:
    return text.lower() if len(text) == 64 and all(one in "0123456789abcdefABCDEF" for one in text) else ""


_CLEAN: Mapping[str, Callable[[str], str]] = {
    "client": _end,
    "server": _end,
    "client_mac": _card,
    "server_mac": _card,
    "segment": printable,
    "transport": _folded,
    "service": service,
    "tls": printable,
    "server_name": host,
    "certificate": _digest,
}

_REMEMBERED_MAX = 50_000
_CLEAN_ALREADY: Mapping[str, set[str]] = {column: set() for column in _CLEAN}
"""Values that were found to be as they should be: the same addresses come in each block. What cleaning gives depends on the value alone."""


def flow_type(column: str) -> pl.DataType:
    """Give the Polars type of a column of flows."""
    import polars as pl

    kind: pl.DataType = getattr(pl, FLOW_COLUMNS[column])
    return kind


def flows_of(rows: pl.DataFrame, gathered: Gathered, source: str) -> pl.DataFrame:
    """Make flows of rows that have some of ``FLOW_COLUMNS`` as they were read: times in microseconds, ports and counts as whole numbers.

    Args:
        rows: at least ``start_us``, ``client``, ``server``; what is null or absent is empty, 0 bytes are said where the source counts none.
        gathered: what is refused is counted in it; its realm and segment are those of the flows. source: ``zeek.conn`` …, where rows say none.
    """
    import polars as pl

    around = gathered.around
    fine = rows.filter(pl.col("start_us").is_between(around.from_us, around.until_us))
    gathered.refuse(Reason.OBSERVED_TIME, "time", rows.height - fine.height)
    for column, clean in _CLEAN.items():
        if column in fine.columns:
            fine = _cleaned(fine, column, clean)
    named = fine.filter((pl.col("client") != "") & (pl.col("server") != ""))
    gathered.refuse(Reason.OBSERVED_BROKEN, "address", fine.height - named.height)
    ported = (
        named.filter(pl.col("port").fill_null(0).is_between(0, 65_535)) if "port" in named.columns else named
    )
    gathered.refuse(Reason.OBSERVED_BROKEN, "port", named.height - ported.height)
    return ported.select(_column(ported, name, gathered, source) for name in FLOW_COLUMNS)


def _column(rows: pl.DataFrame, name: str, gathered: Gathered, source: str) -> pl.Expr:
    import polars as pl

    said = {"realm": gathered.around.realm, "source": source}
    kind = flow_type(name)
    present = name in rows.columns
    if name in said and not (name == "source" and present):
        return pl.lit(said[name], kind).alias(name)
    if name == "segment":
        here = gathered.around.segment
        return (
            pl.when(pl.col(name) != "").then(pl.col(name)).otherwise(pl.lit(here)).alias(name)
            if present
            else pl.lit(here).alias(name)
        )
    if not present:
        return pl.lit(
            *(("", kind) if FLOW_COLUMNS[name] == "String" else (0 if name == "port" else None, kind))
        ).alias(name)
    column = pl.col(name)
    if name == "end_us":
        column = pl.max_horizontal("start_us", column.fill_null(pl.col("start_us"))).clip(
            upper_bound=gathered.around.until_us
        )
    elif name in _COUNTS:
        column = column.clip(0, COUNT_MAX)
    elif name == "port":
        column = column.fill_null(0)
    return column.cast(kind).alias(name)


def _cleaned(rows: pl.DataFrame, column: str, clean: Callable[[str], str]) -> pl.DataFrame:
    """Clean a column of text by its different values; null is empty."""
    import polars as pl

    values = rows[column].unique().to_list()
    if _CLEAN_ALREADY[column].issuperset(values):
        return rows
    better = ["" if one is None else clean(one) for one in values]
    if len(_CLEAN_ALREADY[column]) > _REMEMBERED_MAX:
        _CLEAN_ALREADY[column].clear()
    if values == better:
        _CLEAN_ALREADY[column].update(values)
        return rows
    return rows.with_columns(pl.col(column).replace_strict(values, better, return_dtype=pl.String))


def turned(rows: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    """Swap client and server where ``which`` says so; rows have ``client_port`` and ``port``."""
    import polars as pl

    pairs = [("client", "server"), ("client_port", "port"), ("client_mac", "server_mac")]
    pairs += [("client_bytes", "server_bytes"), ("client_packets", "server_packets")]
    present = [pair for pair in pairs if pair[0] in rows.columns]
    return rows.with_columns(which.alias("_turned")).with_columns(
        *(pl.when("_turned").then(pl.col(two)).otherwise(pl.col(one)).alias(one) for one, two in present),
        *(pl.when("_turned").then(pl.col(one)).otherwise(pl.col(two)).alias(two) for one, two in present),
    )


def asked_is_client_port() -> pl.Expr:
    """Say of a flow whose begin nobody saw that its client is the server: the "server's" port is a client's own, and the client's is not."""
    import polars as pl

    return (pl.col("port") >= EPHEMERAL) & (pl.col("client_port") < EPHEMERAL) & (pl.col("client_port") > 0)
