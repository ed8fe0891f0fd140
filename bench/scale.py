"""An estate as rows, for benchmarks: devices with what is known of them, their conversations by hour, single flows as segments.

Rows go in as a database takes them fastest (no index until all is there, no log), so that it stands within minutes. What reads it is the program's own.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table
from sqlalchemy.engine import make_url

from oathward.core.db import write
from oathward.discovery.model import FLOW_COLUMNS
from oathward.endpoints import tables as inventory
from oathward.endpoints.model import EndpointRow
from oathward.network import actions, segments, sql
from oathward.network.model import ConversationKey, Sums

SITE, HOUR_US = "bench", 3_600_000_000
T = 497_222 * HOUR_US
PER_DEVICE, HOURS, LEASES, SERVERS_MIN = 10, 10, 5, 20
SERVICES = (("hl7", 2_575), ("dicom", 104), ("tls", 443), ("dns", 53), ("mqtt", 8_883), ("", 5_900))
ZONES = ("clinical", "enterprise", "imaging", "laboratory", "cloud", "external")
TYPES = ("infusion pump", "monitor", "ventilator", "ultrasound", "workstation", "printer", "camera", "")
MAKES = tuple(f"maker {n}" for n in range(60))
UNITS = tuple(f"unit {n}" for n in range(80))
_SEGMENT_ROWS = 500_000


class Estate:
    """What is written of so many devices: ``d0`` … are devices, ``s0`` … their servers, the first of which most ask."""

    def __init__(self, devices: int, chance: random.Random, site: str = SITE) -> None:
        self.devices, self.servers = devices, max(SERVERS_MIN, devices // 50)
        self.chance, self.site = chance, site

    def ids(self) -> Iterator[tuple[str, str]]:
        """Give id and address of each endpoint."""
        for n in range(self.devices):
            yield f"d{n}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        for n in range(self.servers):
            yield f"s{n}", f"10.200.{n >> 8}.{n & 255}"

    def endpoints(self) -> Iterator[tuple[Any, ...]]:
        """Give rows of ``endpoint``, one in fifty retired."""
        for n, (id_, address) in enumerate(self.ids()):
            at = T + n % HOURS * HOUR_US + n
            row = EndpointRow(
                id_, "network", T, at, "r", "", "", "", "", "retired" if n % 50 == 49 else "in-use", T, int(n % 400 == 0),
                f"host-{n}", address, mac(n), MAKES[n % 60], f"model {n % 700}", f"serial-{n}", TYPES[n % 8], UNITS[n % 80],
                f"room {n % 3_000}", "", ("", "high", "low")[n % 3], f"os {n % 12}",
            )  # fmt: skip
            search = f"host-{n} {address} {mac(n)} {row.make} {row.model} serial-{n} {row.unit}"
            values = (getattr(row, one.name) for one in fields(EndpointRow))
            yield (self.site, *values, T, at, T, search)

    def marks(self) -> Iterator[tuple[Any, ...]]:
        """Give rows of ``endpoint_mark``, three an endpoint."""
        for n, (id_, address) in enumerate(self.ids()):
            for kind, scope, value in (
                ("mac", "r", mac(n)),
                ("address", "r", address),
                ("serial", "", f"maker|{n}"),
            ):
                yield (self.site, id_, kind, scope, value, id_, T, T + HOURS * HOUR_US, *(0,) * 4)

    def attributes(self) -> Iterator[tuple[Any, ...]]:
        """Give rows of ``endpoint_attribute``: eight an endpoint, of two sources."""
        names = ("type", "make", "model", "unit", "os", "host", "software", "certificate-ends")
        for n, (id_, _) in enumerate(self.ids()):
            for name in names:
                yield (
                    self.site,
                    id_,
                    name,
                    f"{name} {n % 700}",
                    ("zeek.dhcp", "cmms")[n % 2],
                    id_,
                    T,
                    T + HOUR_US,
                    0.8,
                    1,
                    0,
                )

    def leases(self) -> Iterator[tuple[Any, ...]]:
        """Give rows of ``endpoint_lease``: a day after the other."""
        for n, (id_, address) in enumerate(self.ids()):
            for day in range(LEASES):
                begun = T - day * 24 * HOUR_US
                yield (
                    self.site,
                    f"l{n}-{day}",
                    "r",
                    address,
                    begun,
                    begun + 20 * HOUR_US,
                    id_,
                    mac(n),
                    id_,
                    begun,
                    begun,
                )

    def conversations(self) -> list[tuple[Any, ...]]:
        """Give rows of ``flow_conversation``, in the order of their ids."""
        chance, rows = self.chance, {}
        for device in range(self.devices):
            for _ in range(PER_DEVICE):
                server = min(
                    int(chance.expovariate(1) * self.servers / 6), self.servers - 1
                )  # few are asked by many
                service, port = chance.choice(SERVICES)
                key = ConversationKey(
                    *("r", f"10.{device >> 16}.{device >> 8 & 255}.{device & 255}", f"d{device}"),
                    *(f"10.200.{server >> 8}.{server & 255}", f"s{server}"),
                    *("tcp", port, service, "TLSv1.2" if service == "tls" else ""),
                )
                size = chance.randrange(100, 100_000)
                sums = Sums(HOURS, HOURS, 0, size, size // 3, HOURS * 4, HOURS * 3)
                id_ = actions.conversation_id(key)
                zones = chance.choice(ZONES[:4]), chance.choice(ZONES)
                rows[id_] = (self.site, id_, *key, *zones, T, T + HOURS * HOUR_US, *sums)
        return [rows[id_] for id_ in sorted(rows)]


def mac(n: int) -> str:
    """Give the card of a device."""
    return f"00:1b:c5:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"


_TOTALS = (
    "INSERT INTO flow_total SELECT c.site, c.id, {t} + h.n * {hour}, 1, 1, 0, 100, 30, 4, 3"
    " FROM flow_conversation c CROSS JOIN ({hours}) h ORDER BY 1, 2, 3"
)
_USE = (
    "INSERT INTO flow_use SELECT e.site, e.id, {t} + h.n * {hour}, 10, 1000, 300"
    " FROM endpoint e CROSS JOIN ({hours}) h ORDER BY 1, 2, 3"
)


def fill(engine: Engine, estate: Estate) -> dict[str, int]:
    """Write all of an estate into new tables; gives how much that was."""
    talks = estate.conversations()
    hours = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(HOURS))
    with filling(engine) as put:
        put(inventory.endpoint, estate.endpoints())
        put(inventory.endpoint_mark, estate.marks())
        put(inventory.endpoint_attribute, estate.attributes())
        put(inventory.endpoint_lease, estate.leases())
        put(sql.flow_conversation, talks)
        for text in (_TOTALS, _USE):
            put(text.format(t=T, hour=HOUR_US, hours=hours), ())
    return {
        "endpoints": estate.devices + estate.servers,
        "conversations": len(talks),
        "totals": len(talks) * HOURS,
    }


@contextmanager
def filling(engine: Engine) -> Iterator[Any]:
    """Give what puts rows into a table, or runs a statement; indexes are made when all is there."""
    tables = [
        inventory.endpoint,
        inventory.endpoint_mark,
        inventory.endpoint_attribute,
        inventory.endpoint_lease,
    ]
    tables += [sql.flow_conversation, sql.flow_total, sql.flow_use]
    indexes = [index for table in tables for index in table.indexes]
    with write(engine) as db:
        for index in indexes:
            index.drop(db)
    yield _into_sqlite(engine) if engine.dialect.name == "sqlite" else _into_postgres(engine)
    for index in indexes:
        with write(engine) as db:
            index.create(db)
    with engine.connect() as db:
        raw = db.connection.driver_connection
        if engine.dialect.name == "sqlite":
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            raw.autocommit = True
            raw.execute("VACUUM ANALYZE")
            raw.autocommit = False


def _into_sqlite(engine: Engine) -> Any:
    engine.dispose()
    path = str(make_url(str(engine.url)).database)

    def put(table: Table | str, rows: Iterable[tuple[Any, ...]]) -> None:
        raw = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-262144"):
            raw.execute(f"PRAGMA {pragma}")
        raw.execute("BEGIN IMMEDIATE")
        if isinstance(table, str):
            raw.execute(table)
        else:
            marks = ", ".join("?" * len(table.columns))
            raw.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)
        raw.execute("COMMIT")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.close()

    return put


def _into_postgres(engine: Engine) -> Any:
    def put(table: Table | str, rows: Iterable[tuple[Any, ...]]) -> None:
        with write(engine) as db:
            if isinstance(table, str):
                db.exec_driver_sql(table)
                return
            raw = db.connection.driver_connection
            assert raw is not None
            with raw.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    return put


def put_segments(data: Path, flows: int, estate: Estate) -> None:
    """Write so many flows as segments of one day, half of them with the name their server was asked by."""
    import polars as pl

    made = 0
    while made < flows:
        size = min(_SEGMENT_ROWS, flows - made)
        n = pl.int_range(made, made + size, dtype=pl.Int64, eager=True)
        device, server = n % estate.devices, n * 7_919 % estate.servers
        service = pl.Series([name for name, _ in SERVICES])
        port = pl.Series([port for _, port in SERVICES], dtype=pl.UInt16)
        rows = pl.DataFrame({"n": n, "device": device, "server": server}).with_columns(
            start_us=T + pl.col("n") * (HOURS * HOUR_US // flows),
            realm=pl.lit("r"),
            client=_address("10.{}.{}.{}", pl.col("device") // 65_536, pl.col("device")),
            server=_address("10.{}.{}.{}", pl.lit(200, pl.Int64), pl.col("server")),
            transport=pl.lit("tcp"),
            service=pl.lit(service).gather(pl.col("n") % len(service)),
            port=pl.lit(port).gather(pl.col("n") % len(port)),
            client_bytes=pl.col("n") % 10_000,
            server_bytes=pl.col("n") % 3_000,
            client_packets=pl.lit(4, pl.Int64),
            server_packets=pl.lit(3, pl.Int64),
            answered=pl.lit(value=True),
            server_name=pl.when(pl.col("n") % 2 == 0)
            .then(pl.format("host-{}.example", pl.col("server")))
            .otherwise(pl.lit("")),
            source=pl.lit("zeek"),
        )
        rows = rows.with_columns(end_us=pl.col("start_us") + 1_000_000)
        blank = {name: pl.lit("") for name in FLOW_COLUMNS if name not in rows.columns}
        number = made // _SEGMENT_ROWS
        segments.put(data, f"{number:08x}-0000-4000-8000-000000000000", 0, rows.with_columns(**blank))
        made += size


def _address(pattern: str, second: Any, low: Any) -> Any:
    import polars as pl

    return pl.format(pattern, second, low // 256 % 256, low % 256)
