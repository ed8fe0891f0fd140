"""Which links a version narrows, when it was put on record, and that what it did is noted once."""

import pytest
from tests.site import bundle
from tests.unit.consent.conftest import NOW, SITE, says

from oathward.consent import effects, sql
from oathward.consent.effects import OnLink
from oathward.consent.noticed import LATE_US, Noticed
from oathward.core.clock import from_micros
from oathward.core.db import read, write
from oathward.policy.bundle import load


class Clock:
    def __init__(self, at_us):
        self.at_us = at_us

    def now(self):
        return from_micros(self.at_us)


@pytest.fixture
def policy(tmp_path):
    """Links ``ehr`` (care) and ``payer``, neither resting on consent."""
    files = bundle({"ehr": f"file://{tmp_path}", "payer": f"file://{tmp_path}"})
    payer = files["links/payer.toml"].replace(b'"TREAT"', b'"HPAYMT"').replace(b'"care-team"', b'"hold"')
    files["links/payer.toml"] = payer.replace(b'"pass"', b'"remove"')
    return load(files)


def noticed(office, *, began_us=NOW - 1):
    with read(office.engine) as db:
        return Noticed(SITE, Clock(began_us)).new(db)


def links(office, policy, version):
    with read(office.engine) as db:
        found = effects.narrowing(db, SITE, policy, version, lambda s: office.families.get(s, (s,)), NOW)
    return found and sorted(found.links)


def test_each_version_is_told_by_the_links_that_it_narrows(office, ann, policy):
    for said in (
        [says(permit=False, of=(("HPAYMT",), (), ()))],
        [],
        [says(permit=False, of=((), ("ehr",), ()))],
        [says(permit=False, of=((), ("ehr",), ())), says(permit=False, of=(("HRESCH",), (), ()))],
        [says(permit=False)],
    ):
        office.record(ann, *said, replaces=True)
    versions = sorted(noticed(office), key=lambda one: one.number)
    assert [one.number for one in versions] == [1, 2, 3, 4, 5]
    assert [links(office, policy, one) for one in versions] == [["payer"], None, ["ehr"], None, ["payer"]]


def test_what_another_identity_of_the_person_denied_before_is_no_narrowing(office, ann, bob, policy):
    office.record(bob, says(permit=False, of=(("HPAYMT",), (), ())))
    office.record(ann, says(permit=False, of=(("HPAYMT",), (), ())))
    [mine] = [one for one in noticed(office) if one.subject == ann]
    assert links(office, policy, mine) == ["payer"]
    office.families = {ann: (ann, bob)}
    assert links(office, policy, mine) is None


def test_versions_are_noticed_once_late_ones_too(office, ann, bob):
    clock = Clock(NOW - 1)
    mine = Noticed(SITE, clock)

    def new():
        with read(office.engine) as db:
            return [(one.subject, one.number, one.before) for one in mine.new(db)]

    office.record(ann, says(permit=False))
    assert new() == [(ann, 1, False)]
    assert new() == []
    office.record(bob, says(permit=False))
    office.sql("UPDATE consent_fact SET at_us = at_us - ? WHERE subject = ?", LATE_US - 1, bob)
    assert [one[:2] for one in new()] == [(bob, 1)]
    office.record(ann, replaces=True)
    assert new() == [(ann, 2, False)]


def test_what_was_signed_before_the_process_began_is_of_before(office, ann):
    office.record(ann, says(permit=False))
    assert [one.before for one in noticed(office, began_us=NOW + 1)] == [True]
    assert noticed(office, began_us=NOW + 25 * 3_600_000_000) == []


def test_what_a_version_did_is_noted_once_with_a_record(office, ann, policy):
    office.record(ann, says(permit=False))
    [version] = noticed(office)
    with read(office.engine) as db:
        one = effects.narrowing(db, SITE, policy, version, lambda s: (s,), NOW)
    done = {link: OnLink(NOW + 120_400, 7, 1) for link in (*one.links, "other")}
    rows = effects.rows_of(SITE, "courier", [(one, done)])
    for _ in range(2):
        with write(office.engine) as db:
            effects.write(db, rows + rows, NOW)
    with read(office.engine) as db:
        stored = sql.effects(db, SITE)
        records = db.exec_driver_sql(
            "SELECT subject FROM ledger_record WHERE kind = 'consent.effective'"
        ).all()
    assert [(row.link, row.ms, row.withdrawn, row.in_flight) for row in stored] == [
        ("ehr", 121, 7, 1),
        ("payer", 121, 7, 1),
    ]
    assert records == [(ann,), (ann,)]


def test_an_effect_is_never_before_its_commit(office, ann, policy):
    office.record(ann, says(permit=False))
    [version] = noticed(office)
    with read(office.engine) as db:
        one = effects.narrowing(db, SITE, policy, version, lambda s: (s,), NOW)
    [row, _] = effects.rows_of(SITE, "courier", [(one, dict.fromkeys(one.links, OnLink(NOW - 5)))])
    assert (row.committed_us, row.effective_us, row.ms) == (NOW, NOW, 0)
