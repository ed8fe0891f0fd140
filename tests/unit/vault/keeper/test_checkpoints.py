"""Promises of the checkpoint loop: it signs only what continues what it signed last."""

from dataclasses import replace

import pytest
from tests.unit.vault.keeper.test_opening import change, records, refused
from tests.unit.vault.sites import ME, OTHER

from oathward.core.db import read
from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import Record, checkpoint
from oathward.vault.keeper import checkpoints
from oathward.vault.sign import load_verifier


@pytest.fixture
def keeper(admin):
    return admin._transport._keeper


def add(keeper, count=1):
    keeper.record([Record("device.added", {"n": n}, 1) for n in range(count)])


def kept(keeper):
    with read(keeper.engine) as db:
        return checkpoint.page(db, keeper.site, -1)


def test_each_growth_is_signed_once_with_the_pinned_key(site, keeper):
    add(keeper, 3)
    first = checkpoints.sign_next(keeper)
    assert checkpoints.sign_next(keeper) is None
    add(keeper, 300)
    second = checkpoints.sign_next(keeper)
    assert (first.size, second.size) == (4, 304)  # the ledger's own first record counts
    key = load_verifier(site.data / "trust" / "ledger.pub")
    assert [checkpoint.read_note(k.note, [key]).size for k in kept(keeper)] == [4, 304]
    assert first.origin == key.name


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE ledger_head SET size = size - 1", Reason.LEDGER_ROLLED_BACK),
        ("UPDATE ledger_head SET origin = 'other'", Reason.LEDGER_ROLLED_BACK),
        ("UPDATE ledger_head SET frontier = zeroblob(length(frontier))", Reason.LEDGER_FORKED),
        ("UPDATE ledger_head SET size = 0, frontier = x''", Reason.LEDGER_ROLLED_BACK),
    ],
)
def test_a_ledger_that_was_changed_gets_no_signature(site, keeper, sql, reason):
    add(keeper, 9)
    checkpoints.sign_next(keeper)
    change(site, sql)
    with pytest.raises(LedgerError) as caught:
        checkpoints.sign_next(keeper)
    assert caught.value.reason is reason
    assert len(kept(keeper)) == 1


def test_a_checkpoint_lost_between_store_and_database_is_made_again(keeper):
    add(keeper)
    signed = checkpoints.sign_next(keeper)
    add(keeper)
    with read(keeper.engine) as db:
        decided = checkpoint.propose(db, keeper.site, signed)
    with keeper.store.transaction():
        keeper.store.set_meta("checkpoint", decided.text)  # as a crash right after would leave it
    assert checkpoints.sign_next(keeper) == decided
    assert [k.size for k in kept(keeper)] == [signed.size, decided.size]
    assert checkpoints.sign_next(keeper) is None


def test_the_pace_is_a_second_or_so_many_records(keeper):
    keeper.settings = replace(
        keeper.settings,
        keeper=replace(keeper.settings.keeper, checkpoint_every_s=3_600.0, checkpoint_every_records=50),
    )
    pace = checkpoints.Pace(keeper)
    pace.size = checkpoints.sign_next(keeper).size
    add(keeper, 49)
    assert not pace.due()
    add(keeper, 1)
    assert pace.due()
    pace.sign()
    assert not pace.due()
    keeper.settings = replace(keeper.settings, keeper=replace(keeper.settings.keeper, checkpoint_every_s=0.0))
    assert pace.due()


def test_beginning_again_takes_two_people(site, admin, keeper):
    add(keeper, 9)
    checkpoints.sign_next(keeper)
    change(site, "UPDATE ledger_head SET origin = 'oathward/new'")
    for alone in ([ME], [ME, ME], []):
        assert refused(lambda alone=alone: admin.restart_checkpoints(alone)) is Reason.NOT_PERMITTED
    admin.restart_checkpoints([ME, OTHER])
    assert checkpoints.sign_next(keeper).origin == "oathward/new"
    assert records(site, "checkpoint.restarted")[0]["body"] == {"people": ["ada", "ben"]}
