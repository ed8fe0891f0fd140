"""The ledger's tables and how a statement on them is run; no other folder names them in SQL.

| table | holds | truth or derived |
|---|---|---|
| ``ledger_record`` | one row a leaf: canonical body, salt, leaf hash, and columns to read by | truth; columns are derived from the body |
| ``ledger_head`` | size, frontier hashes, origin, number of checkpoints | derived |
| ``ledger_tile`` | 256-wide tiles of the tree (C2SP tlog-tiles), for proofs | derived |
| ``ledger_posting`` | for each block of 4,096 records and term (subject, link, kind): which records | derived |
| ``ledger_facts`` | canonical facts of decisions, named by their SHA-256 in records | truth, bound by the digest in a record |
| ``ledger_checkpoint`` | signed notes, numbered without gaps | truth, bound by signatures |
| ``ledger_follower`` | how far each follower has read | each follower's own |

Everything derived is rebuilt and compared by ``verify``.

Why postings and not one SQL index a column: a random subject touches a page of its own in every commit; measured
on SQLite with 500 subjects, groups of 64, that index alone cost 16 to 33 µs of commit a record, the row itself 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, CursorResult, Index, Integer, LargeBinary, Table, Text
from sqlalchemy import text as literal

from oathward.core.db import METADATA, for_dialect

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
    Column("rule", Text),  # under which the body was removed
    Column("removed_by", BigInteger),  # index of the record that says so
)
Index(
    "ledger_record_message",
    RECORD.c.site,
    RECORD.c.message,
    RECORD.c.idx,
    sqlite_where=literal("message <> ''"),
    postgresql_where=literal("message <> ''"),
)

HEAD = Table(
    "ledger_head",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("origin", Text, nullable=False),
    Column("checkpoints", BigInteger, nullable=False),
    Column(
        "facts_removals", BigInteger, nullable=False
    ),  # how often facts were removed: what writers remember ends
)

TILE = Table(
    "ledger_tile",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

POSTING = Table(
    "ledger_posting",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("term", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("offsets", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index("ledger_posting_block", POSTING.c.site, POSTING.c.block)

FACTS = Table(
    "ledger_facts",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary),
    Column("rule", Text),
    Column("removed_by", BigInteger),
    sqlite_with_rowid=False,
)

CHECKPOINT = Table(
    "ledger_checkpoint",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

FOLLOWER = Table(
    "ledger_follower",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)


def run(db: Connection, sql: str, values: Sequence[Any] = ()) -> CursorResult[*tuple[Any, ...]]:
    """Run one statement as text with ``?`` marks: compiling hot statements costs more than running them.

    ``FOR UPDATE`` is left out on SQLite, where the writer is alone anyway.
    """
    return db.exec_driver_sql(for_dialect(sql, db.dialect.name), tuple(values))
