"""The ledger's tables; no other module names them in SQL.

| table | holds | truth or derived |
|---|---|---|
| ``ledger_record`` | one row a leaf: canonical body, salt, leaf hash, and columns to search by | truth; columns are derived from the body |
| ``ledger_head`` | size, frontier hashes, origin, number of checkpoints | derived |
| ``ledger_tile`` | 256-wide tiles of the tree (C2SP tlog-tiles), for proofs | derived |
| ``ledger_link`` | which records concern a link | derived |
| ``ledger_facts`` | canonical facts of decisions, named by their SHA-256 in records | truth, bound by the digest in a record |
| ``ledger_checkpoint`` | signed notes, numbered without gaps | truth, bound by signatures |
| ``ledger_follower`` | how far each follower has read | each follower's own |

Everything derived is rebuilt and compared by ``verify``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from oathward.core.db import METADATA

RECORD = Table(
    "ledger_record",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("salt", LargeBinary),
    Column("body", LargeBinary),
    Column("removed", Text, nullable=False),
)
Index("ledger_record_kind", RECORD.c.site, RECORD.c.kind, RECORD.c.idx)
Index("ledger_record_at", RECORD.c.site, RECORD.c.at_us)
for _name in ("subject", "message"):
    _filled = text(f"{_name} <> ''")
    Index(
        f"ledger_record_{_name}",
        RECORD.c.site,
        RECORD.c[_name],
        RECORD.c.idx,
        sqlite_where=_filled,
        postgresql_where=_filled,
    )

HEAD = Table(
    "ledger_head",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("origin", Text, nullable=False),
    Column("checkpoints", BigInteger, nullable=False),
)

TILE = Table(
    "ledger_tile",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

LINK = Table(
    "ledger_link",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("link", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

FACTS = Table(
    "ledger_facts",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary),
    Column("removed", Text, nullable=False),
    sqlite_with_rowid=False,
)

CHECKPOINT = Table(
    "ledger_checkpoint",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

FOLLOWER = Table(
    "ledger_follower",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
