"""What conditional creates made, on PostgreSQL: found by key, one a subject, forgotten in time."""

import pytest
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures

from oathward.core.db import read, write
from oathward.core.errors import StorageError
from oathward.messages import sql, tables
from oathward.messages.model import CreatedRow

pytestmark = needs_postgres

KEY, OTHER = b"k" * 16, b"o" * 16
ROW = CreatedRow(KEY, "subject-1", "north", "m1-0", "m1", 0, 1_000_000, "ehr")


def test_rows_are_found_replaced_and_forgotten(engine):
    another = ROW._replace(subject="subject-2", id="m2-0", at_us=5_000_000)
    with write(engine) as db:
        sql.put_created(db, [ROW, another])
        sql.put_created(db, [ROW._replace(links="ehr late")])
    with read(engine) as db:
        found = sql.created(db, [KEY, OTHER])
        assert sorted(found[KEY]) == sorted([ROW._replace(links="ehr late"), another])
        assert OTHER not in found
    with write(engine) as db:
        sql.delete_messages_before(db, 2_000_000, 10)
    with read(engine) as db:
        assert sql.created(db, [KEY]) == {KEY: [another]}


def test_two_that_create_at_once_clash(engine):
    """Who comes second must hear of it, whatever its transaction saw: its message is prepared once more."""
    with write(engine) as db:
        sql.insert_many(db, tables.created_once, [ROW])
    with pytest.raises(StorageError, match="IntegrityError"):
        _insert(engine)


def _insert(engine):
    with write(engine) as db:
        sql.insert_many(db, tables.created_once, [ROW._replace(id="m3-0")])
