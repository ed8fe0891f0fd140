"""Transactions begin clean, whatever the one before left."""

import importlib

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, inspect

from oathward.core.db import METADATA, connect, create_tables, direct, insert_many, read, write
from oathward.core.errors import InputError, StorageError
from oathward.core.reasons import Reason

TABLE = Table("thing", MetaData(), Column("n", Integer, primary_key=True))


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/x.db")
    with write(engine) as db:
        TABLE.create(db)
    yield engine
    engine.dispose()


def count(engine):
    with read(engine) as db:
        return direct(db, "SELECT count(*) FROM thing").fetchone()[0]


def test_what_failed_is_not_there_and_the_next_one_is(engine):
    def give_up():
        with write(engine) as db:
            insert_many(db, TABLE, [(1,)])
            raise InputError("test", "give it up")

    with pytest.raises(InputError):
        give_up()
    assert count(engine) == 0
    with write(engine) as db:
        insert_many(db, TABLE, [(2,)])
    assert count(engine) == 1


def test_a_transaction_that_was_left_open_is_not_continued(engine):
    """As after a rollback that failed: the connection comes back from the pool inside a transaction."""
    with engine.connect() as db:
        raw = db.connection.driver_connection
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("INSERT INTO thing VALUES (7)")
    with write(engine) as db:
        insert_many(db, TABLE, [(8,)])
    with read(engine) as db:
        assert direct(db, "SELECT n FROM thing").fetchall() == [(8,)]


def test_a_constraint_is_told_without_values(engine):
    with write(engine) as db:
        insert_many(db, TABLE, [(424_242,)])
    with pytest.raises(StorageError) as raised, write(engine) as db:
        insert_many(db, TABLE, [(424_242,)])
    assert "424242" not in str(raised.value)
    assert count(engine) == 1


def test_values_come_back_as_they_went(engine):
    """The adapters say "as it is" to the driver; nothing else may be said."""
    with read(engine) as db:
        row = direct(db, "SELECT ?, ?, ?, ?, ?", (b"\x00\xff", None, True, "ä", 2**62)).fetchone()
    assert tuple(row) == (b"\x00\xff", None, 1, "ä", 2**62)


def schema(engine):
    with read(engine) as db:
        return sorted(direct(db, "SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())


def test_tables_are_made_as_sqlalchemy_makes_them_and_those_that_are_there_stay(tmp_path):
    importlib.import_module("oathward.app")  # every owner of tables
    ours, theirs = (connect(f"sqlite:///{tmp_path / name}.db") for name in ("ours", "theirs"))
    columns = ", ".join(METADATA.tables["held_device"].columns.keys())
    with write(ours) as db:
        db.exec_driver_sql(f"CREATE TABLE held_device ({columns})")
    create_tables(ours)
    assert ("table", "held_device", "held_device", f"CREATE TABLE held_device ({columns})") in schema(ours)
    with write(ours) as db:
        db.exec_driver_sql("DROP TABLE held_device")
    create_tables(ours)
    create_tables(ours)
    with write(theirs) as db:
        METADATA.create_all(db)
    assert schema(ours) == schema(theirs)
    assert len(schema(ours)) > 100
    for engine in (ours, theirs):
        engine.dispose()


@pytest.fixture
def url(tmp_path):
    """A database of the test's own; PostgreSQL runs the tests that take it, too."""
    return f"sqlite:///{tmp_path / 'site.db'}"


@pytest.mark.parametrize("change", ["DROP COLUMN outcome", "ADD COLUMN newer BIGINT"])
def test_tables_of_another_version_are_refused_with_words_and_left(url, change):
    """An older program's lack a column, a newer one's have more: found at the start, not by the first who asks for it."""
    importlib.import_module("oathward.app")
    engine = connect(url)
    create_tables(engine)
    with write(engine) as db:
        db.exec_driver_sql(f"ALTER TABLE endpoint_probe {change}")
        db.exec_driver_sql("DROP TABLE held_device")
    with pytest.raises(StorageError, match=r"endpoint_probe\.(outcome|newer).* another version") as refused:
        create_tables(engine)
    assert refused.value.reason is Reason.STORAGE_SCHEMA
    assert "held_device" not in inspect(engine).get_table_names(), "nothing was made beside it"
    engine.dispose()
