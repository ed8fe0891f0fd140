"""Of a patient who was erased nothing leaves; a keeper that cannot be asked stops the job."""

import base64
from types import SimpleNamespace

import pytest
from sqlalchemy import event

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

    def seeds(self, _subjects):
        raise KeeperError("subject", "no", reason=self.reason)


@pytest.fixture
def site(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    clock = SimpleNamespace(now=lambda: from_micros(1_800_000_000_000_000))
    settings = SimpleNamespace(deid=SimpleNamespace(zone="Europe/Berlin"))
    yield SimpleNamespace(engine=engine, site="north", clock=clock, settings=settings)
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


class Giving:
    """Gives each patient a seed; ``asked``: how many at once."""

    device_key = bytes(32)

    def __init__(self):
        self.asked = []

    def seeds(self, subjects):
        self.asked.append(len(subjects))
        return [one.replace("-", "").encode() for one in subjects]


def test_patients_of_one_file_are_registered_and_asked_for_together(site):
    commits = []
    event.listen(site.engine, "commit", lambda _: commits.append(1))
    whom = Whom(site, order := Giving(), Hasher(bytes(32), "north"), "p-9", shifts=False)
    who = [[[str(77_310_042 + n // 2), "HOSP", "MR", False]] for n in range(1_200)]
    who[5] = []
    found = whom.secrets(who, "AB", "files")
    assert (len(commits), order.asked) == (3, [256, 256, 88])
    assert (found[5].subject, found[5].told["offset_min"]) == ("", 60)
    for n in range(6, 1_200, 2):
        assert found[n] is found[n + 1]
        assert base64.b64decode(found[n].told["seed"]) == found[n].subject.replace("-", "").encode()
    assert len({one.subject for one in found}) == 601
    whom.secrets(who, "CD", "files")
    whom.learn(who, [[["patient.name", "family", "Quixley"]] for _ in who])
    assert (len(commits), len(order.asked)) == (3, 3)
    again = Whom(site, Giving(), Hasher(bytes(32), "north"), "p-9", shifts=False)
    assert [one.subject for one in again.secrets(who, "AB", "files")] == [one.subject for one in found]


def test_a_number_under_a_system_that_was_not_declared_is_counted_where_it_is_another_patients_too(site):
    whom = Whom(site, Giving(), Hasher(bytes(32), "north"), "p-9", shifts=False, authority="HOSP")
    whom.secrets(WHO, "AB", "files")
    assert whom.counts_apart() == {"undeclared": 0, "systems": 0, "patients": 0}
    whom.secrets([[["77310042", "URI:http://hospital.example", "MR", False]]], "AC", "files")
    assert whom.counts_apart() == {"undeclared": 1, "systems": 1, "patients": 1}
