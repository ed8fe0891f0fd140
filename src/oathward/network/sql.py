"""The tables of the network and the only SQL that writes them; ``views`` has what reads them for people.

| table | what |
|---|---|
| ``flow_conversation`` | who asked whom for which service, over all time |
| ``flow_total`` | of each conversation, by hour |
| ``flow_use`` | of each endpoint, by hour, over all its conversations |
| ``clear_class`` | classes of data seen in clear text in a conversation, as counts |
| ``observed_source`` | which sources were read how far |
| ``network_plan`` | networks with their segment, zone, unit, location |
| ``network_ruleset`` | rules of firewalls and switches, as they were imported |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from oathward.core.db import METADATA, for_dialect
from oathward.network.model import ObservedSource, PlanRow, RulesetRow, Sums

KEY = (
    "realm",
    "client",
    "client_endpoint",
    "server",
    "server_endpoint",
    "transport",
    "port",
    "service",
    "tls",
)

flow_conversation = Table(
    "flow_conversation",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", LargeBinary, primary_key=True),
    *(Column(name, BigInteger if name == "port" else Text, nullable=False) for name in KEY),
    Column("client_zone", Text, nullable=False),
    Column("server_zone", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("first_us", "last_us", *Sums._fields)),
    Index("flow_conversation_client", "site", "client_endpoint", "last_us"),
    Index("flow_conversation_server", "site", "server_endpoint", "last_us"),
    Index("flow_conversation_last", "site", "last_us", "id"),
    Index("flow_conversation_client_address", "site", "client"),
    Index("flow_conversation_server_address", "site", "server"),
    Index("flow_conversation_service", "site", "service"),
    # The busiest are read in this order, whatever a site has; what was not seen of late is passed over within the index.
    Index("flow_conversation_bytes", "site", literal_column("(client_bytes + server_bytes)"), "last_us"),
    # What the map adds up stands in the index whole, in its order: a million rows in a third of a second.
    Index(
        "flow_conversation_zones",
        *("site", "client_zone", "server_zone", "service", "transport", "tls"),
        *("last_us", "flows", "client_bytes", "server_bytes"),
    ),
    sqlite_with_rowid=False,
)
flow_total = Table(
    "flow_total",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("hour_us", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in Sums._fields),
    Index("flow_total_hour", "site", "hour_us"),
    sqlite_with_rowid=False,
)
flow_use = Table(
    "flow_use",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("hour_us", BigInteger, primary_key=True, autoincrement=False),
    Column("flows", BigInteger, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False),
    Index("flow_use_hour", "site", "hour_us"),
    sqlite_with_rowid=False,
)
clear_class = Table(
    "clear_class",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("conversation", LargeBinary, primary_key=True),
    Column("class", Text, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("elements", BigInteger, nullable=False),
)
observed_source = Table(
    "observed_source",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("observer", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("realm", Text, nullable=False),
    Column("segment", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("device", "inode", "head_bytes")),
    Column("head_sha256", Text, nullable=False),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("offset", "parts", "flows", "statements", "refused")
    ),
    *(Column(name, BigInteger, nullable=False) for name in ("first_us", "last_us", "updated_us")),
    Column("finished", Boolean, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in ("sessions", "size_bytes")),
    Index("observed_source_head", "site", "realm", "head_bytes", "head_sha256", unique=True),
)
network_plan = Table(
    "network_plan",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("realm", Text, primary_key=True),
    Column("network", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("zone", "segment", "unit", "location")),
)
network_ruleset = Table(
    "network_ruleset",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rules", BigInteger, nullable=False),
    Column("realm", Text, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    Column("interfaces", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
)


def _upsert(table: Table, keys: int, least: Sequence[str] = (), most: Sequence[str] = ()) -> str:
    """Write the statement that adds a row to what is there: sums are added, but the first and last of times."""
    names = [column.name for column in table.columns]
    changes = [
        f"{name} = min({table.name}.{name}, excluded.{name})" if name in least
        else f"{name} = max({table.name}.{name}, excluded.{name})" if name in most
        else f"{name} = excluded.{name}" if name.endswith("_zone")
        else f"{name} = {table.name}.{name} + excluded.{name}"
        for name in names[keys:] if name not in KEY
    ]  # fmt: skip
    marks = ", ".join("?" * len(names))
    quoted = [f'"{name}"' for name in names]
    return (
        f"INSERT INTO {table.name} ({', '.join(quoted)}) VALUES ({marks})"  # noqa: S608  names from our own metadata
        f" ON CONFLICT ({', '.join(quoted[:keys])}) DO UPDATE SET {', '.join(changes)}"
    )


_TIMES = (("first_us",), ("last_us",))
_ADD = {
    flow_conversation.name: _upsert(flow_conversation, 2, *_TIMES),
    flow_total.name: _upsert(flow_total, 3),
    flow_use.name: _upsert(flow_use, 3),
    clear_class.name: _upsert(clear_class, 3, *_TIMES),
}


def add(db: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of sums, in the table's order of columns, to what is there."""
    if rows:
        text = for_dialect(_ADD[table.name], db.dialect.name)
        if db.dialect.name == "postgresql":
            text = text.replace("= min(", "= least(").replace("= max(", "= greatest(")
        db.exec_driver_sql(text, list(rows))


def head_lengths(db: Connection, site: str, realm: str) -> list[int]:
    """Give the lengths of what is remembered of how sources of a realm begin."""
    table = observed_source.c
    query = select(table.head_bytes).where(table.site == site, table.realm == realm).distinct()
    return sorted(db.execute(query).scalars())


def source_of(
    db: Connection, site: str, realm: str, head_bytes: int, head_sha256: str
) -> ObservedSource | None:
    """Find the source of a realm that begins so."""
    table = observed_source.c
    query = select(observed_source).where(
        *(table.site == site, table.realm == realm, table.head_bytes == head_bytes),
        table.head_sha256 == head_sha256,
    )
    row = db.execute(query.order_by(table.offset.desc()).limit(1)).first()
    return None if row is None else _source(row)


def source(db: Connection, site: str, id_: str) -> ObservedSource | None:
    """Read one source; others that would write it wait where the database knows how."""
    table = observed_source.c
    row = db.execute(
        select(observed_source).where(table.site == site, table.id == id_).with_for_update()
    ).first()
    return None if row is None else _source(row)


def sources(db: Connection, site: str, limit: int) -> list[ObservedSource]:
    """List sources, the one read last first."""
    table = observed_source.c
    query = select(observed_source).where(table.site == site).order_by(table.updated_us.desc(), table.id)
    return [_source(row) for row in db.execute(query.limit(limit))]


def put_source(db: Connection, site: str, row: ObservedSource) -> None:
    """Write a source as it stands now."""
    values = {name: getattr(row, name) for name in ObservedSource.__slots__}
    mine = (observed_source.c.site == site) & (observed_source.c.id == row.id)
    if db.execute(update(observed_source).where(mine).values(**values)).rowcount == 0:
        db.execute(insert(observed_source).values(site=site, **values))


def plan_rows(db: Connection, site: str) -> list[PlanRow]:
    """Read the plan."""
    table = network_plan.c
    query = select(*(table[name] for name in PlanRow._fields)).where(table.site == site)
    return [PlanRow(*row) for row in db.execute(query.order_by(table.realm, table.network))]


def put_plan(db: Connection, site: str, rows: Sequence[PlanRow]) -> None:
    """Put a plan in place of the one before."""
    db.execute(delete(network_plan).where(network_plan.c.site == site))
    if rows:
        db.execute(insert(network_plan), [{"site": site, **row._asdict()} for row in rows])


def put_ruleset(db: Connection, site: str, row: RulesetRow) -> None:
    """Put rules in place of those of the same name."""
    drop_ruleset(db, site, row.name)
    said = {name: getattr(row, name) for name in RulesetRow.__slots__}
    said |= {"columns": orjson.dumps(row.columns), "interfaces": orjson.dumps(row.interfaces)}
    db.execute(insert(network_ruleset).values(site=site, **said))


def drop_ruleset(db: Connection, site: str, name: str) -> int:
    """Remove rules; gives how many rows that were."""
    table = network_ruleset.c
    return db.execute(delete(network_ruleset).where(table.site == site, table.name == name)).rowcount


def rulesets(db: Connection, site: str, name: str = "") -> list[RulesetRow]:
    """List imported rules by name, or those of one."""
    table = network_ruleset.c
    query = select(network_ruleset).where(table.site == site).order_by(table.name)
    return [_ruleset(row) for row in db.execute(query.where(table.name == name) if name else query)]


def conversations_behind(
    db: Connection, site: str, after: bytes, limit: int
) -> list[tuple[bytes, str, str, str, str, str]]:
    """Read conversations in the order of their ids: id, realm, client, client's zone, server, server's zone."""
    c = flow_conversation.c
    query = select(c.id, c.realm, c.client, c.client_zone, c.server, c.server_zone).where(
        c.site == site, c.id > after
    )
    return [(bytes(row[0]), *row[1:]) for row in db.execute(query.order_by(c.id).limit(limit))]


def put_zones(db: Connection, site: str, rows: Sequence[tuple[bytes, str, str]]) -> None:
    """Write zones of conversations: id, client's, server's."""
    if rows:
        text = "UPDATE flow_conversation SET client_zone = ?, server_zone = ? WHERE site = ? AND id = ?"
        values = [(client, server, site, id_) for id_, client, server in rows]
        db.exec_driver_sql(for_dialect(text, db.dialect.name), values)


def forget(db: Connection, site: str, before_us: int, limit: int) -> int:
    """Forget totals of hours before a time, then conversations nobody saw since, at most so many rows; gives how many went."""
    gone = 0
    total, use, talk = flow_total.c, flow_use.c, flow_conversation.c
    for table, keys, old in (
        (flow_total, (total.conversation, total.hour_us), total.hour_us < before_us),
        (flow_use, (use.endpoint, use.hour_us), use.hour_us < before_us),
        (flow_conversation, (talk.id,), talk.last_us < before_us),
    ):
        some = [
            tuple(row)
            for row in db.execute(select(*keys).where(table.c.site == site, old).limit(limit - gone))
        ]
        for start in range(0, len(some), 256):
            for row in some[start : start + 256]:
                same = [key == value for key, value in zip(keys, row, strict=True)]
                db.execute(delete(table).where(table.c.site == site, *same))
                if table is flow_conversation:
                    clear = clear_class.c
                    db.execute(delete(clear_class).where(clear.site == site, clear.conversation == row[0]))
        gone += len(some)
        if gone >= limit:
            break
    return gone


def _source(row: Row[Any]) -> ObservedSource:
    return ObservedSource(**{name: getattr(row, name) for name in ObservedSource.__slots__})


def _ruleset(row: Row[Any]) -> RulesetRow:
    said = {name: getattr(row, name) for name in RulesetRow.__slots__}
    said |= {name: orjson.loads(said[name]) for name in ("columns", "interfaces")}
    return RulesetRow(**said)
