"""Appending: one sequence, the RFC's root, the caller's transaction."""

import hashlib

import pytest
from tests.unit.ledger.model import mth

from oathward.core.db import read, write
from oathward.core.errors import LedgerError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, head, prepare


def leaf(n: int = 0, **more):
    return prepare(Record("message.accepted", {"n": n}, at_us=n, **more))


def test_the_empty_ledger_has_the_root_of_nothing(empty):
    with read(empty) as db:
        assert head(db, "a").root == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("groups", [[1], [3, 4], [255, 1], [256], [257, 300, 64], [1, 511, 513]])
def test_groups_of_any_size_give_the_root_of_the_definition(empty, groups):
    leaves = []
    for size in groups:
        group = [leaf(len(leaves) + n) for n in range(size)]
        with write(empty) as db:
            assert append(db, "a", group) == range(len(leaves), len(leaves) + size)
        leaves += group
    with read(empty) as db:
        assert head(db, "a").size == len(leaves)
        assert head(db, "a").root == mth([x.salt + x.body for x in leaves])


def test_an_abandoned_transaction_leaves_no_trace(empty):
    def fail():
        with write(empty) as db:
            append(db, "a", [leaf()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with read(empty) as db:
        assert head(db, "a").size == 0


def test_sites_have_ledgers_of_their_own(empty):
    with write(empty) as db:
        append(db, "a", [leaf(1)])
        assert append(db, "b", [leaf(2), leaf(3)]) == range(2)


def test_a_patient_value_cannot_be_recorded():
    with pytest.raises(TypeError):
        prepare(Record("message.accepted", {"name": Phi("x")}, at_us=0))


def test_a_body_over_the_entry_limit_is_refused():
    with pytest.raises(LedgerError) as error:
        prepare(Record("message.accepted", {"x": "y" * 65_536}, at_us=0))
    assert error.value.reason is Reason.LIMIT_EXCEEDED
