"""Tables of this context."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text, text

from oathward.core.db import METADATA

message = Table(
    "message",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("duplicate_key", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("device", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Index("message_duplicate", "duplicate_key", "digest", unique=True),
    sqlite_with_rowid=False,
)

created_once = Table(
    "created_once",
    METADATA,
    Column("key", LargeBinary, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("links", Text, nullable=False),
    sqlite_with_rowid=False,
)

ASIDE = "state <> 'pending'"
"""What is in the outbox and does not wait for its turn; written out, or no index would be taken for it."""

outbox = Table(
    "outbox",
    METADATA,
    # BigInteger would lose SQLite's rowid alias, and with it the order.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("length_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("end_to_end", Boolean, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("consent_version", BigInteger, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("plan", LargeBinary, nullable=False),
    Column("valid_until_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("others", Text, nullable=False),
    Index("outbox_link", "link", "seq"),
    # By message: such ids ascend, so that a commit touches one page. By outgoing id it would be a page a row.
    Index("outbox_message", "message", "link", unique=True),
    Index(
        "outbox_blocked",
        "link",
        "sender",
        sqlite_where=text("state = 'blocked'"),
        postgresql_where=text("state = 'blocked'"),
    ),
    Index(
        "outbox_aside",
        "link",
        "state",
        "reason",
        "created_us",
        sqlite_where=text(ASIDE),
        postgresql_where=text(ASIDE),
    ),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    METADATA,
    Column("message", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("device", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("links", Text, nullable=False),
    Column("state", Text, nullable=False),
    # What is held now is little beside what was; people list it newest first and count it by reason.
    Index(
        "quarantine_held",
        "message",
        "reason",
        sqlite_where=text("state = 'held'"),
        postgresql_where=text("state = 'held'"),
    ),
)
