"""Zeek's ``conn.log`` as flows: a whole block at once where it is as it should be, else the lines of it one by one.

Rules:
- Both ways end in the same frame of raw columns (``RAW``) and go on together: what a record means does not depend on how it was read.
- Who began a connection is its client. Of one whose begin Zeek did not see (``conn_state`` OTH), the lower port is the server's where the other
  is a client's own.
- Bytes are those of the payload where Zeek knows them, else with headers.

Source: Zeek, ``base/protocols/conn`` (fields and ``conn_state``), ``policy/protocols/conn/mac-logging`` and ``vlan-logging``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.discovery.logs.frames import asked_is_client_port, flows_of, turned
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.records import moment, number, whole

if TYPE_CHECKING:
    import polars as pl

RAW: Mapping[str, str] = {
    "ts": "Float64",
    "uid": "String",
    "id.orig_h": "String",
    "id.orig_p": "Int64",
    "id.resp_h": "String",
    "id.resp_p": "Int64",
    "proto": "String",
    "service": "String",
    "duration": "Float64",
    "orig_bytes": "Int64",
    "resp_bytes": "Int64",
    "conn_state": "String",
    "orig_pkts": "Int64",
    "orig_ip_bytes": "Int64",
    "resp_pkts": "Int64",
    "resp_ip_bytes": "Int64",
    "orig_l2_addr": "String",
    "resp_l2_addr": "String",
    "vlan": "Int64",
}
"""Columns of ``conn.log`` that are used -> Polars type."""

_CARDS = {"orig_l2_addr": "client_mac", "resp_l2_addr": "server_mac"}
NEEDED = ("ts", "id.orig_h", "id.resp_h")
_SECONDS_MAX = 100_000_000_000  # above, a time is in milliseconds (json_timestamps = TS_MILLIS)


def schema() -> dict[str, pl.DataType]:
    """Give ``RAW`` as Polars has it."""
    import polars as pl

    return {name: getattr(pl, kind) for name, kind in RAW.items()}


def read_json(data: bytes, names: Mapping[str, str]) -> pl.DataFrame | None:
    """Read a block of JSON records at once; None where any of them is not what it should be, or of another log.

    Args:
        names: column of ``RAW`` -> as the records call it.
    """
    import polars as pl

    kinds = {names.get(name, name): kind for name, kind in schema().items()}
    try:
        frame = pl.read_ndjson(data, schema=kinds | {"_path": pl.String()})
    except pl.exceptions.PolarsError:  # its text holds values: what is wrong is found line by line
        return None
    if frame["_path"].count() and not frame.select((pl.col("_path") == "conn").all()).item():
        return None
    frame = frame.drop("_path")
    return _known(frame.rename({said: name for name, said in names.items() if said != name}))


def read_tsv(
    data: bytes, fields: Sequence[str], names: Mapping[str, str], separator: str, unset: Sequence[str]
) -> pl.DataFrame | None:
    """Read a block of rows at once; None where any of them is not what it should be."""
    import polars as pl

    kinds = schema()
    said = {names.get(name, name): name for name in RAW}
    if (
        len(set(fields)) != len(fields)
        or len(separator) != 1
        or data.count(separator.encode()) != data.count(b"\n") * (len(fields) - 1)
    ):
        return None
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            has_header=False,
            separator=separator,
            quote_char=None,
            null_values=list(unset),
            schema={field: kinds[said[field]] if field in said else pl.String() for field in fields},
            columns=[nth for nth, field in enumerate(fields) if field in said],
        )
    except pl.exceptions.PolarsError:
        return None
    frame = frame.rename({field: said[field] for field in frame.columns if said[field] != field})
    return _known(
        frame.with_columns(pl.lit(None, kinds[name]).alias(name) for name in RAW if name not in frame.columns)
    )


def _known(frame: pl.DataFrame) -> pl.DataFrame | None:
    return None if any(frame[name].null_count() for name in NEEDED) else frame


def rows(records: Sequence[Mapping[str, object]], gathered: Gathered) -> pl.DataFrame:
    """Make raw columns of records read one by one; what is needed and not there costs the record."""
    import polars as pl

    kept = []
    for record in records:
        row = {name: _typed(record.get(name), kind) for name, kind in RAW.items()}
        row["ts"] = _seconds(record.get("ts"))
        wrong = next((name for name in NEEDED if row[name] is None), "")
        if wrong:
            gathered.refuse(Reason.OBSERVED_BROKEN, wrong)
        else:
            kept.append(row)
    return pl.DataFrame(kept, schema=schema())


def _typed(value: object, kind: str) -> object:
    """Give a value as its column has it; None where it is not one."""
    if kind == "String":
        if isinstance(value, list):
            value = ",".join(one for one in value if isinstance(one, str))
        return value if isinstance(value, str) else None
    return number(value) if kind == "Float64" else whole(value)


def _seconds(value: object) -> float | None:
    """Read a time as ``ts`` has it: ISO 8601 is what Zeek writes where it was told so (``json_timestamps``)."""
    read = moment(value) if isinstance(value, str) else None
    return number(value) if read is None else read / 1e6


def flows(raw: pl.DataFrame, gathered: Gathered) -> pl.DataFrame:
    """Make flows of the raw columns of ``conn.log``, and of what ``sessions`` added."""
    import polars as pl

    seconds = pl.when(pl.col("ts") > _SECONDS_MAX).then(pl.col("ts") / 1000).otherwise(pl.col("ts"))
    start = _microseconds(seconds)
    tcp_udp = pl.col("proto").is_in(["tcp", "udp", "sctp", "TCP", "UDP", "SCTP"])
    known = pl.col("proto").fill_null("") != "unknown_transport"
    said = pl.col("resp_pkts") > 0
    shaped = raw.select(
        start.fill_null(-1).alias("start_us"),
        (start + _microseconds(pl.col("duration").clip(lower_bound=0).fill_null(0))).alias("end_us"),
        pl.col("id.orig_h").alias("client"),
        pl.col("id.resp_h").alias("server"),
        *(pl.col(name).alias(side) for name, side in _CARDS.items() if raw[name].count()),
        pl.when(known).then("proto").otherwise(pl.lit("")).alias("transport"),
        pl.when(tcp_udp).then("id.orig_p").otherwise(0).alias("client_port"),
        pl.when(tcp_udp).then("id.resp_p").otherwise(0).alias("port"),
        pl.col("service"),
        pl.coalesce("orig_bytes", "orig_ip_bytes", pl.lit(0)).alias("client_bytes"),
        pl.coalesce("resp_bytes", "resp_ip_bytes", pl.lit(0)).alias("server_bytes"),
        pl.col("orig_pkts").fill_null(0).alias("client_packets"),
        pl.col("resp_pkts").fill_null(0).alias("server_packets"),
        pl.when(said)
        .then(statement=True)
        .otherwise(said.fill_null(pl.col("resp_bytes") > 0))
        .alias("answered"),
        *(
            [(pl.lit("vlan ") + pl.col("vlan").cast(pl.String)).fill_null("").alias("segment")]
            if raw["vlan"].count()
            else []
        ),
        pl.col("conn_state").alias("state"),
        *(name for name in ("tls", "server_name", "certificate") if name in raw.columns),
    )
    midway = (pl.col("state") == "OTH").fill_null(value=False) & asked_is_client_port()
    if shaped.select(midway.any()).item():
        shaped = turned(shaped, midway)
    return flows_of(shaped, gathered, "zeek.conn")


def _microseconds(seconds: pl.Expr) -> pl.Expr:
    import polars as pl

    return (seconds * 1e6).round(0).cast(pl.Int64, strict=False)
