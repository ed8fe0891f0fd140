"""Every attack of the table in ``ledger/verify.py``: done by hand on the database, then found and named."""

from dataclasses import dataclass

import orjson
import pytest
from sqlalchemy import text
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, LOG, SITE

from oathward.core.db import read, write
from oathward.core.reasons import Reason
from oathward.ledger import append, checkpoint, head, merkle, note, prepare, records, removal, verify
from oathward.ledger.log import _write_leaf_tiles, _write_node_tiles
from oathward.ledger.verify import verify_database


def check(engine, held=()):
    return verify_database(engine, SITE, KEYS, held=held)


def sql(engine, *statements, **values):
    with write(engine) as db:
        for statement in statements:
            done = db.execute(text(statement), values)
            assert done.rowcount, statement


def rewrite(engine, index, change=lambda body: body["body"].update(n=-1)):
    """Change a record so that body, salt, leaf and columns agree again."""
    with write(engine) as db:
        row = db.execute(text("SELECT body FROM ledger_record WHERE idx = :i"), {"i": index}).one()
        body = orjson.loads(row.body)
        change(body)
        packed, salt = orjson.dumps(body, option=orjson.OPT_SORT_KEYS), b"s" * 16
        db.execute(
            text("UPDATE ledger_record SET body = :b, salt = :s, leaf = :l WHERE idx = :i"),
            {"b": packed, "s": salt, "l": records.leaf_hash(salt, packed), "i": index},
        )


def rebuild(engine, size=None):
    """Make tiles and head again from the leaves there are, as somebody with the whole database could."""
    with write(engine) as db:
        query = "SELECT leaf FROM ledger_record WHERE idx < :n ORDER BY idx"
        leaves = [row.leaf for row in db.execute(text(query), {"n": size or 10**9})]
        db.execute(text("DELETE FROM ledger_tile"))
        frontier = []
        done = merkle.grow(0, frontier, leaves)
        _write_leaf_tiles(db, SITE, 0, leaves)
        for level, nodes in done.items():
            _write_node_tiles(db, SITE, level, 0, nodes)
        db.execute(
            text("UPDATE ledger_head SET size = :n, frontier = :f"),
            {"n": len(leaves), "f": b"".join(frontier)},
        )


def cut(engine, size):
    """Delete the records from ``size`` on and everything made from them, checkpoints excepted."""
    sql(engine, "DELETE FROM ledger_record WHERE idx >= :n", n=size)
    rebuild(engine)
    sql(engine, "DELETE FROM ledger_posting WHERE (block + 1) * 128 > :n", n=size)
    sql(engine, "UPDATE ledger_follower SET position = :p WHERE name = 'index'", p=size - size % 128)


def cut_checkpoints(engine, size):
    sql(engine, "DELETE FROM ledger_checkpoint WHERE size > :n", n=size)
    sql(engine, "UPDATE ledger_head SET checkpoints = (SELECT COUNT(*) FROM ledger_checkpoint)")


def test_an_honest_ledger_verifies(engine, folder):
    report = check(engine, [(folder / "last").read_text()])
    assert report.problems == ()
    assert report.ok
    assert report.problem is None
    assert (report.size, report.signed_size, report.witnessed_size) == (700, 660, 660)
    assert (report.checkpoints, report.cosigned, report.unknown_signatures) == (4, 2, 0)
    assert report.removed == {"retention/90-days": 4}
    assert (report.facts, report.facts_removed) == (4, 1)
    with read(engine) as db:
        assert report.root == head(db, SITE).root


@dataclass
class Attack:
    name: str
    statements: tuple[str, ...]
    where: str
    index: int | None
    last: int | None = None


REMOVE = """UPDATE ledger_record SET kind = '', at_us = 0, subject = '', message = '', salt = NULL, body = NULL,
rule = 'retention/90-days', removed_by = 400 """

ATTACKS = [
    Attack("body", ("UPDATE ledger_record SET body = CAST('{}' AS BLOB) WHERE idx = 300",), "record 300", 300, 300),
    Attack("salt", ("UPDATE ledger_record SET salt = zeroblob(16) WHERE idx = 300",), "record 300", 300, 300),
    Attack("salt length", ("UPDATE ledger_record SET salt = zeroblob(15) WHERE idx = 1",), "record 1", 1, 1),
    Attack("leaf", ("UPDATE ledger_record SET leaf = zeroblob(32) WHERE idx = 699",), "record 699", 699, 699),
    Attack("leaf type", ("UPDATE ledger_record SET leaf = 'x' WHERE idx = 9",), "record 9", 9, 9),
    Attack("kind", ("UPDATE ledger_record SET kind = 'device.added' WHERE idx = 50",), "record 50", 50, 50),
    Attack("time", ("UPDATE ledger_record SET at_us = at_us + 1 WHERE idx = 50",), "record 50", 50, 50),
    Attack("subject", ("UPDATE ledger_record SET subject = 'x' WHERE idx = 50",), "record 50", 50, 50),
    Attack("message", ("UPDATE ledger_record SET message = '' WHERE idx = 50",), "record 50", 50, 50),
    Attack("delete", ("DELETE FROM ledger_record WHERE idx = 50",), "record 50", 50, 50),
    Attack("delete first", ("DELETE FROM ledger_record WHERE idx = 0",), "record 0", 0, 0),
    Attack("delete last", ("DELETE FROM ledger_record WHERE idx = 699",), "record 699", 699, 699),
    Attack("delete many", ("DELETE FROM ledger_record WHERE idx >= 256 AND idx < 512",), "record 256", 256, 256),
    Attack("move one off", ("UPDATE ledger_record SET idx = -5 WHERE idx = 3",), "record 3", 3, 3),
    Attack("another site", ("UPDATE ledger_record SET site = 'x' WHERE idx = 3",), "record 3", 3, 3),
    Attack(
        "swap",
        (
            "UPDATE ledger_record SET idx = -1 WHERE idx = 301",
            "UPDATE ledger_record SET idx = 301 WHERE idx = 302",
            "UPDATE ledger_record SET idx = 302 WHERE idx = -1",
        ),
        "record 301",
        301,
        301,
    ),
    Attack("head size", ("UPDATE ledger_head SET size = 701",), "record 700", 700, 700),
    Attack("head cut", ("UPDATE ledger_head SET size = 699",), "record 699", 699, 699),
    Attack("head frontier", ("UPDATE ledger_head SET frontier = zeroblob(192)",), "head", None),
    Attack("head origin", ("UPDATE ledger_head SET origin = 'other'",), "head", None),
    Attack("head gone", ("DELETE FROM ledger_head",), "record 0", 0, 699),
    Attack("head count", ("UPDATE ledger_head SET checkpoints = 3",), "checkpoints", None),
    Attack("head removals", ("UPDATE ledger_head SET facts_removals = 7",), "head", None),
    Attack("tile", ("UPDATE ledger_tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 1",), "tile 0/1", None),
    Attack("tile size", ("UPDATE ledger_tile SET hashes = zeroblob(9) WHERE level = 0 AND idx = 1",), "tile 0/1", None),
    Attack("tile gone", ("DELETE FROM ledger_tile WHERE level = 0 AND idx = 0",), "tile 0/0", None),
    Attack("upper tile", ("UPDATE ledger_tile SET hashes = zeroblob(64) WHERE level = 1",), "a record between 0", 0, 255),
    Attack("upper tile gone", ("DELETE FROM ledger_tile WHERE level = 1",), "tile 1/0", None),
    Attack("tile added", ("INSERT INTO ledger_tile VALUES ('ward', 0, 2, zeroblob(8192))",), "tiles", None),
    Attack("index", ("UPDATE ledger_posting SET offsets = zeroblob(2) WHERE term = 'l:ehr' AND block = 1",), "index block 1", None),
    Attack("index time", ("UPDATE ledger_posting SET offsets = zeroblob(16) WHERE term = 't' AND block = 2",), "index block 2", None),
    Attack("index gone", ("DELETE FROM ledger_posting WHERE term = 's:subject-3' AND block = 0",), "index block 0", None),
    Attack("index added", ("INSERT INTO ledger_posting VALUES ('ward', 's:x', 4, zeroblob(2))",), "index block 4", None),
    Attack("index ahead", ("INSERT INTO ledger_posting VALUES ('ward', 's:x', 5, zeroblob(2))",), "index", None),
    Attack("index position", ("UPDATE ledger_follower SET position = 512 WHERE name = 'index'",), "index", None),
    Attack("index odd", ("UPDATE ledger_follower SET position = 639 WHERE name = 'index'",), "index", None),
    Attack("index lost", ("DELETE FROM ledger_follower WHERE name = 'index'",), "index", None),
    Attack("checkpoint", ("UPDATE ledger_checkpoint SET note = replace(note, '300', '301') WHERE seq = 0",), "checkpoint 0", None),
    Attack("checkpoint size", ("UPDATE ledger_checkpoint SET size = 301 WHERE seq = 0",), "checkpoint 0", None),
    Attack("checkpoint gone", ("DELETE FROM ledger_checkpoint WHERE seq = 1",), "checkpoint 1", None),
    Attack("last checkpoint gone", ("DELETE FROM ledger_checkpoint WHERE seq = 3",), "checkpoints", None),
    Attack("checkpoint text", ("UPDATE ledger_checkpoint SET note = 'x' WHERE seq = 3",), "checkpoint 3", None),
    Attack(
        "checkpoints swapped",
        (
            "UPDATE ledger_checkpoint SET seq = 9 WHERE seq = 0",
            "UPDATE ledger_checkpoint SET seq = 0 WHERE seq = 1",
            "UPDATE ledger_checkpoint SET seq = 1 WHERE seq = 9",
        ),
        "checkpoint 1",
        None,
    ),
    Attack("facts", ("UPDATE ledger_facts SET body = CAST('{}' AS BLOB) WHERE rowid_is_first",), "facts", None),
    Attack("facts gone", ("DELETE FROM ledger_facts WHERE rowid_is_first",), "facts", 10),
    Attack("facts emptied", ("UPDATE ledger_facts SET body = NULL, rule = 'facts/30-days', removed_by = 401 WHERE rowid_is_first",), "record 401", 401, 401),
    Attack("removal undone", ("UPDATE ledger_record SET rule = NULL WHERE idx = 6",), "record 6", 6, 6),
    Attack("removal renamed", ("UPDATE ledger_record SET rule = 'erasure' WHERE idx = 6",), "record 6", 6, 6),
    Attack("removal moved", ("UPDATE ledger_record SET removed_by = 650 WHERE idx = 6",), "record 6", 6, 6),
    Attack("removal later", ("UPDATE ledger_record SET removed_by = 9999 WHERE idx = 6",), "record 6", 6, 6),
    Attack(
        "removal unrecorded",
        (REMOVE + "WHERE idx = 8",),
        "record 400",
        400,
        400,
    ),
    Attack("removal without rule", ("UPDATE ledger_record SET body = NULL, salt = NULL WHERE idx = 8",), "record 8", 8, 8),
    Attack("removed columns", ("UPDATE ledger_record SET subject = 'x' WHERE idx = 6",), "record 6", 6, 6),
    Attack("removed salt kept", ("UPDATE ledger_record SET salt = zeroblob(16) WHERE idx = 6",), "record 6", 6, 6),
]  # fmt: skip

FIRST_FACTS = f"digest = X'{sample.facts_of(0)[0].hex()}'"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.name)
def test_an_attack_is_found_and_named(engine, attack):
    sql(engine, *(s.replace("rowid_is_first", FIRST_FACTS) for s in attack.statements))
    report = check(engine)
    assert not report.ok
    named = [p for p in report.problems if p.where.startswith(attack.where)]
    assert named, report.problems
    if attack.index is not None:
        assert report.first_bad_index == min(attack.index, report.first_bad_index)
        assert attack.index in {p.first for p in named} or attack.where == "facts"
    if attack.last is not None:
        assert attack.last in {p.last for p in named}


def test_the_attacks_cover_every_table_and_column():
    """A column nobody thought of must not slip through: the attacks name each one."""
    from oathward.ledger import tables

    said = " ".join(s for a in ATTACKS for s in a.statements)
    for table in (tables.RECORD, tables.HEAD, tables.TILE, tables.POSTING, tables.FACTS, tables.CHECKPOINT):
        assert table.name in said
        own = " ".join(s for a in ATTACKS for s in a.statements if table.name in s)
        added = f"INSERT INTO {table.name}" in own or f"DELETE FROM {table.name}" in own
        for column in table.columns:
            assert column.name in own or (added and column.primary_key), f"{table.name}.{column.name}"


def test_a_record_rewritten_whole_is_named_by_its_tile(engine):
    rewrite(engine, 400 - 30)
    report = check(engine)
    assert (report.first_bad_index, report.problems[0].last) == (370, 370)
    assert report.problem is Reason.LEDGER_BROKEN


def test_a_record_rewritten_after_the_last_full_tile_is_bounded_by_checkpoints(engine):
    rewrite(engine, 610)
    problem = check(engine).problems[0]
    assert (problem.first, problem.last) == (600, 659)
    assert problem.where == "a record between 600 and 659"


def test_a_record_rewritten_with_every_tile_is_bounded_by_checkpoints(engine):
    rewrite(engine, 370)
    rebuild(engine)
    report = check(engine)
    assert [(p.first, p.last) for p in report.problems] == [(300, 399)]


def test_a_record_rewritten_with_tiles_and_checkpoints_is_found_by_a_note_held_outside(engine, folder):
    rewrite(engine, 370)
    rebuild(engine)
    cut_checkpoints(engine, 300)
    assert check(engine).ok  # nothing in the database can tell
    report = check(engine, [(folder / "last").read_text()])
    assert [(p.first, p.last) for p in report.problems] == [(300, 659)]
    assert "held outside" in report.problems[0].why


def test_a_record_rewritten_after_the_last_checkpoint_is_outside_what_is_signed(engine):
    rewrite(engine, 690)
    rebuild(engine)
    report = check(engine)
    assert report.ok
    assert report.signed_size == 660  # the report says how far proof goes


def test_a_record_rewritten_after_the_last_checkpoint_differs_from_its_tile(engine):
    sample.add(engine, 100, 700)  # 800 records: tile 0/2 is full, no checkpoint after it
    rewrite(engine, 700)
    report = check(engine)
    assert [(p.where, p.first) for p in report.problems] == [("record 700 or tile 0/2", 700), ("head", None)]


def test_records_cut_back_are_found_by_the_checkpoints_left(engine):
    cut(engine, 500)
    report = check(engine)
    assert report.problem is Reason.LEDGER_ROLLED_BACK
    assert (report.problems[0].first, report.problems[0].last) == (500, 599)


def test_everything_cut_back_is_found_by_a_note_held_outside(engine, folder):
    cut(engine, 500)
    cut_checkpoints(engine, 500)
    assert check(engine).ok
    report = check(engine, [(folder / "last").read_text()])
    assert report.problem is Reason.LEDGER_ROLLED_BACK
    assert (report.first_bad_index, report.problems[0].last) == (500, 659)


def test_a_checkpoint_of_another_key_counts_for_nothing(engine):
    from oathward.vault.sign import Signer

    thief = Signer(LOG.name, b"\x09" * 32)
    with write(engine) as db:
        found = head(db, SITE)
        checkpoint.store(
            db, SITE, note.sign(checkpoint.Checkpoint(LOG.name, found.size, found.root).text, thief)
        )
    report = check(engine)
    assert [p.where for p in report.problems] == ["checkpoint 4"]
    assert report.signed_size == 660


def test_a_started_record_of_somebody_else_does_not_take_the_log_over(engine):
    """A gateway with the database's rights may append: it cannot make its own key the log's."""
    from oathward.ledger import Record

    with write(engine) as db:
        append(db, SITE, [prepare(Record("ledger.started", {"origin": "thief"}, 0))])
    sample.sign(engine)  # the keeper signs what the head says
    report = check(engine)
    assert {p.reason for p in report.problems} >= {Reason.LEDGER_FORKED}


def test_hostile_bodies_do_not_stop_the_run(engine):
    for index, change in {
        10: lambda b: b.update(links="x"),
        11: lambda b: b.update(links=[1]),
        12: lambda b: b.update(subject=None),
        13: lambda b: b.update(body=[]),
        14: lambda b: b.update(extra=1),
        15: lambda b: b.update(at=True),
        16: lambda b: b.update(kind="ledger.restored"),
        17: lambda b: b.update(kind="record.removed"),
    }.items():
        rewrite(engine, index, change)
    report = check(engine)
    assert {p.first for p in report.problems if p.first is not None} >= set(range(10, 18))


def test_the_run_ends_after_a_hundred_problems(engine):
    sql(engine, "UPDATE ledger_record SET kind = 'x' WHERE idx > 100")
    report = check(engine)
    assert len(report.problems) == verify.PROBLEMS_MAX
    assert report.first_bad_index == 101


@pytest.mark.parametrize(
    ("guard", "attack"),
    [
        ("oathward.ledger.rows.RowChecks._check_removed", "removed columns"),
        ("oathward.ledger.rows.RowChecks.check_facts", "facts"),
        ("oathward.ledger.rows.RowChecks.check_removal", "facts emptied"),
        ("oathward.ledger.tree.TreeChecks._compare", "tile"),
        ("oathward.ledger.verify._Run._check_block", "index"),
        ("oathward.ledger.verify._Run._check_index_end", "index ahead"),
        ("oathward.ledger.verify._Run._check_ends", "head frontier"),
        ("oathward.ledger.verify._Run._check_named_facts", "facts gone"),
    ],
)
def test_reverse_without_its_guard_the_attack_passes(engine, monkeypatch, guard, attack):
    found = next(a for a in ATTACKS if a.name == attack)
    sql(engine, *(s.replace("rowid_is_first", FIRST_FACTS) for s in found.statements))
    assert not check(engine).ok
    monkeypatch.setattr(guard, lambda *_args, **_more: None)
    report = check(engine)
    assert not [p for p in report.problems if p.where.startswith(found.where)]


def test_reverse_without_the_signature_check_a_forged_checkpoint_passes(engine, monkeypatch):
    from oathward.vault.sign import Verifier

    rewrite(engine, 370)
    rebuild(engine)
    cut_checkpoints(engine, 300)
    with write(engine) as db:
        found = head(db, SITE)
        text_ = checkpoint.Checkpoint(LOG.name, found.size, found.root).text
        forged = note.Signature(LOG.name, note.key_id(LOG.name, LOG.public), b"\0" * 64).line
        checkpoint.store(db, SITE, f"{text_}\n{forged}")
    assert [p.where for p in check(engine).problems] == ["checkpoint 1"]
    monkeypatch.setattr(Verifier, "verify", lambda *_: None)
    assert check(engine).ok


def test_removal_helpers_write_ranges():
    assert removal.to_ranges([]) == []
    assert removal.to_ranges([1, 2, 3, 7, 9, 10]) == [[1, 3], [7, 7], [9, 10]]
