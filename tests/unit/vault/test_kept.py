"""What was kept of a patient, in the order of a copy; ``tests/conformance/test_kept_postgres.py`` asks the same of PostgreSQL."""

import hashlib

import pytest

from oathward.core.db import connect, create_tables, read, write
from oathward.core.ids import uuid7
from oathward.vault import kept
from oathward.vault.bodies import BodyRef
from oathward.vault.seal import SealedBody

SITE, WHOSE = "demo", "s-1"
REF = BodyRef("kept", 1, 0, 10, b"\0" * 32)
SEALED = SealedBody("k", b"", hashlib.sha256(b"").digest())


@pytest.fixture
def engine(tmp_path):
    found = connect(f"sqlite:///{tmp_path / 'site.db'}")
    create_tables(found)
    yield found
    found.dispose()


@pytest.fixture
def ids(engine):
    """Nine messages of the patient, the third kept on two links; what is held, a paper and somebody else's beside them."""
    found = [uuid7(1_900_000_000_000 + number) for number in range(9)]
    rows = [(one, WHOSE, "keep") for one in found]
    rows += [(found[2], WHOSE, "ehr"), (uuid7(1_900_000_000_100), WHOSE, "quarantine")]
    rows += [(uuid7(1_900_000_000_101), WHOSE, "consent"), (uuid7(1_900_000_000_102), "s-2", "keep")]
    with write(engine) as db:
        kept.insert_rows(
            db, [kept.row(SITE, message, whose, purpose, SEALED, REF, 1) for message, whose, purpose in rows]
        )
    return found


def test_the_newest_ids_are_each_message_once_and_of_one_patient(engine, ids):
    with read(engine) as db:
        assert kept.newest_ids(db, SITE, WHOSE, limit=100) == ids[::-1]
        assert kept.newest_ids(db, SITE, WHOSE, limit=3) == ids[:-4:-1]


def test_parts_follow_each_other_without_a_gap_or_a_message_twice(engine, ids):
    after, found = ids[0], []
    with read(engine) as db:
        while part := kept.between(db, SITE, WHOSE, after=after, until=ids[-2], limit=2):
            assert 0 < len(part) <= 2
            found += [one.message for one in part]
            after = found[-1]
    assert found == ids[1:-1]
