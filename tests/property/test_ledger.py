"""Any one-bit change in any stored byte breaks the ledger; any grouping gives the RFC's root; proofs round-trip."""

import random
import shutil
import sqlite3
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger import model, sample
from tests.unit.ledger.sample import KEYS, SITE

from oathward.core.db import connect, read, write
from oathward.core.errors import LedgerError, StorageError
from oathward.ledger import append, consistency_proof, head, inclusion_proof, merkle, postings, proofs
from oathward.ledger.verify import verify_database

TABLES = {
    "ledger_record": ("site", "idx"),
    "ledger_head": ("site",),
    "ledger_tile": ("site", "level", "idx"),
    "ledger_posting": ("site", "term", "block"),
    "ledger_facts": ("site", "digest"),
    "ledger_checkpoint": ("site", "seq"),
    "ledger_follower": ("site", "name"),
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """A folder with the sample ledger, its index made of small blocks while this module runs."""
    folder = tmp_path_factory.mktemp("bits")
    block, postings.BLOCK = postings.BLOCK, 128
    engine = sample.open_ledger(folder)
    sample.fill(engine)
    engine.dispose()
    yield folder
    postings.BLOCK = block


@contextmanager
def copy_of(folder):
    shutil.copy(folder / "ledger.db", folder / "copy.db")
    engine = connect(f"sqlite:///{folder / 'copy.db'}")
    try:
        yield engine
    finally:
        engine.dispose()
        for left in folder.glob("copy.db*"):
            left.unlink()


def rows_of(engine, table):
    with read(engine) as db:
        return (
            db.exec_driver_sql(f"SELECT * FROM {table} ORDER BY {', '.join(TABLES[table])}").mappings().all()
        )


def flip(value, choose):
    """Change one bit of a stored value; text may stop being text."""
    if isinstance(value, int):
        return value ^ (1 << choose(62))
    raw = bytearray(value if isinstance(value, bytes) else value.encode())
    raw[choose(len(raw) - 1)] ^= 1 << choose(7)
    return bytes(raw)


def put(engine, table, row, column, value):
    mark = "CAST(? AS TEXT)" if isinstance(row[column], str) else "?"
    keys = " AND ".join(f"{key} = ?" for key in TABLES[table])
    with write(engine) as db:
        done = db.exec_driver_sql(
            f"UPDATE {table} SET {column} = {mark} WHERE {keys}", (value, *(row[k] for k in TABLES[table]))
        )
        assert done.rowcount == 1


def check(engine):
    try:
        return verify_database(engine, SITE, KEYS).ok
    except (StorageError, sqlite3.Error):  # not even text any more: the run says so and ends
        return False


@given(data=st.data())
def test_any_one_bit_change_breaks_the_ledger(ledger, data):
    def choose(most):
        return data.draw(st.integers(0, most))

    with copy_of(ledger) as engine:
        table = data.draw(st.sampled_from(sorted(TABLES)))
        rows = rows_of(engine, table)
        row = rows[choose(len(rows) - 1)]
        column = data.draw(st.sampled_from([c for c, v in row.items() if v not in (None, "", b"")]))
        changed = flip(row[column], choose)
        with suppress(StorageError):  # the changed key is taken: the database refuses it
            put(engine, table, row, column, changed)
            assert not check(engine), f"{table}.{column}"


def test_reverse_the_unchanged_copy_verifies(ledger):
    with copy_of(ledger) as engine:
        assert check(engine)


@given(groups=st.lists(st.integers(1, 300), min_size=1, max_size=6), seed=st.integers(0, 2**32))
def test_groups_of_any_size_give_the_root_and_proofs_of_the_definition(tmp_path_factory, groups, seed):
    chance = random.Random(seed)
    engine = sample.open_ledger(tmp_path_factory.mktemp("groups"))
    leaves = []
    for count in groups:
        group = [sample.accepted(len(leaves) + n)[0] for n in range(count)]
        with write(engine) as db:
            append(db, SITE, group)
        leaves += group
    entries = [leaf.salt + leaf.body for leaf in leaves]
    with read(engine) as db:
        root = head(db, SITE).root
        assert root == model.mth(entries)
        for _ in range(5):
            size = chance.randint(1, len(leaves))
            index = chance.randrange(size)
            at_size = model.mth(entries[:size])
            assert proofs.root_at(db, SITE, size) == at_size
            proof = inclusion_proof(db, SITE, index, size)
            assert proof == model.path(index, entries[:size])
            merkle.check_inclusion(index, size, leaves[index].hash, proof, at_size)
            proof = consistency_proof(db, SITE, size, len(leaves))
            assert proof == model.consistency(size, entries)
            merkle.check_consistency(size, len(leaves), at_size, root, proof)
    engine.dispose()


@given(
    size=st.integers(1, 2**62),
    data=st.data(),
    proof=st.lists(st.binary(min_size=32, max_size=32), max_size=64),
)
def test_a_made_up_proof_is_refused_and_never_hangs(size, data, proof):
    index = data.draw(st.integers(0, size - 1))
    with pytest.raises(LedgerError):
        merkle.check_inclusion(index, size, b"\0" * 32, proof, b"\1" * 32)
    with pytest.raises(LedgerError):
        merkle.check_consistency(index, size, b"\0" * 32, b"\1" * 32, proof)
