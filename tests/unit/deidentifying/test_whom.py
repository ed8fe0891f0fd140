"""Of a patient who was erased nothing leaves; a keeper that cannot be asked stops the job."""

from types import SimpleNamespace

import pytest

import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  both declare their tables
from oathward.core.clock import from_micros
from oathward.core.db import connect, create_tables
from oathward.core.errors import DeidentificationError, KeeperError
from oathward.core.reasons import Reason
from oathward.deidentifying.whom import Whom
from oathward.patients.identifiers import Hasher

WHO = [[["77310042", "HOSP", "MR", False]]]


class Order:
    device_key = bytes(32)

    def __init__(self, reason):
        self.reason = reason

    def seed(self, _subject):
        raise KeeperError("subject", "no", reason=self.reason)


@pytest.fixture
def site(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    clock = SimpleNamespace(now=lambda: from_micros(1_800_000_000_000_000))
    yield SimpleNamespace(engine=engine, site="north", clock=clock)
    engine.dispose()


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (Reason.KEY_DESTROYED, DeidentificationError),
        (Reason.KEEPER_UNAVAILABLE, KeeperError),
        (Reason.NOT_PERMITTED, KeeperError),
    ],
)
def test_who_was_erased_is_told_from_a_keeper_that_does_not_give(site, reason, kind):
    whom = Whom(site, Order(reason), Hasher(bytes(32), "north"), "p-9", shifts=False)
    with pytest.raises(kind) as caught:
        whom.secrets(WHO, "AB", "files")
    assert (type(caught.value), caught.value.reason) == (kind, reason)
