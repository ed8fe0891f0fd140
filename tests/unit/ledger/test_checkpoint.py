"""Checkpoints are proposed only for what continues the last one."""

import pytest
from sqlalchemy import text
from tests.unit.ledger import sample
from tests.unit.ledger.sample import LOG, SITE, WITNESS

from oathward.core.db import read, write
from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import append, checkpoint, entry, head, note, prepare, restore, verify
from oathward.ledger.checkpoint import Checkpoint


def propose(engine, last):
    with read(engine) as db:
        return checkpoint.propose(db, SITE, last)


def last_of(folder):
    return checkpoint.read_note((folder / "last").read_text(), [LOG])


def test_nothing_to_sign(engine, empty):
    assert propose(empty, None) is None
    assert propose(engine, propose(engine, None)) is None


def test_the_next_checkpoint_continues_the_last(engine, folder):
    last = last_of(folder)
    found = propose(engine, last)
    assert (last.size, found.size) == (660, 700)
    with read(engine) as db:
        assert found.root == head(db, SITE).root


def test_a_ledger_that_was_cut_gets_no_checkpoint(engine):
    ahead = Checkpoint(LOG.name, 701, b"\1" * 32)
    with pytest.raises(LedgerError) as error:
        propose(engine, ahead)
    assert error.value.reason is Reason.LEDGER_ROLLED_BACK


def test_another_origin_gets_no_checkpoint(engine, folder):
    last = last_of(folder)
    with pytest.raises(LedgerError) as error:
        propose(engine, Checkpoint("other", last.size, last.root))
    assert error.value.reason is Reason.LEDGER_ROLLED_BACK


@pytest.mark.parametrize("size", [1, 255, 256, 660, 700])
def test_a_forked_ledger_gets_no_checkpoint(engine, size):
    with pytest.raises(LedgerError) as error:
        propose(engine, Checkpoint(LOG.name, size, b"\1" * 32))
    assert error.value.reason is Reason.LEDGER_FORKED


def test_a_changed_leaf_under_the_last_checkpoint_gets_no_checkpoint(engine, folder):
    with write(engine) as db:
        db.execute(text("UPDATE ledger_record SET leaf = zeroblob(32) WHERE idx = 650"))
    with pytest.raises(LedgerError) as error:
        propose(engine, last_of(folder))
    assert error.value.reason is Reason.LEDGER_FORKED


def test_cosignatures_are_added_once(engine):
    signed = sample.sign(engine)
    line = note.cosign(note.split(signed)[0], WITNESS, 1_700_000_000)
    for _ in range(2):
        with write(engine) as db:
            checkpoint.add_lines(db, SITE, 4, line)
    with read(engine) as db:
        kept = checkpoint.latest(db, SITE)
    assert kept.note == signed + line
    assert (kept.seq, kept.size) == (4, 700)


def lost(engine, size=710):
    return Checkpoint(LOG.name, size, b"\1" * 32)


def declare(engine, **changes):
    given = {"lost": lost(engine), "persons": ("ada", "grace"), "origin": "oathward/ward/2"} | changes
    with write(engine) as db:
        return restore.declare(db, SITE, given["lost"], given["persons"], given["origin"], 1)


def test_a_declared_restore_goes_on_under_a_new_name(engine, folder):
    """The first record of the new origin names the old one and what is missing; old and new notes verify."""
    index = declare(engine)
    assert index == 700
    with read(engine) as db:
        found = entry(db, SITE, index)
    assert found.kind == "ledger.restored"
    assert found.body["missing"] == [700, 709]
    assert found.body["old_origin"] == LOG.name
    assert found.body["persons"] == ["ada", "grace"]
    new = propose(engine, None)
    assert new.origin == "oathward/ward/2"
    renamed = type(LOG)("oathward/ward/2", LOG.seed)
    with write(engine) as db:
        checkpoint.store(db, SITE, note.sign(new.text, renamed))
    keys = verify.Keys([LOG, renamed], [WITNESS])
    held = note.sign(lost(engine).text, LOG)
    report = verify.verify_database(engine, SITE, keys, held=[held, (folder / "last").read_text()])
    assert report.problems == ()
    assert report.lost == ((700, 709),)
    assert report.origin == "oathward/ward/2"


def test_without_a_declaration_the_missing_range_is_a_rollback(engine):
    held = note.sign(lost(engine).text, LOG)
    report = verify.verify_database(engine, SITE, sample.KEYS, held=[held])
    assert report.problem is Reason.LEDGER_ROLLED_BACK


def test_a_declaration_that_nobody_signed_excuses_nothing(engine):
    """A gateway may append a record; only the keeper signs the new origin."""
    declare(engine)
    held = note.sign(lost(engine).text, LOG)
    report = verify.verify_database(engine, SITE, sample.KEYS, held=[held])
    assert report.problem is Reason.LEDGER_ROLLED_BACK


@pytest.mark.parametrize(
    "change",
    [
        {"persons": ("ada", "ada")},
        {"persons": ("ada", "")},
        {"origin": LOG.name},
        {"lost": Checkpoint("other", 710, b"\1" * 32)},
        {"lost": Checkpoint(LOG.name, 700, b"\1" * 32)},
    ],
)
def test_a_restore_that_may_not_be_declared(engine, change):
    with pytest.raises(InputError):
        declare(engine, **change)


def test_appending_after_a_restore_keeps_one_sequence(engine):
    declare(engine)
    with write(engine) as db:
        assert append(db, SITE, [prepare(sample.record(1))]) == range(701, 702)
