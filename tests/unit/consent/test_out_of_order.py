"""Withdrawals that come again, or in another order than they were made: the narrower stands."""

import pytest
from tests.unit.consent.conftest import SITE, says

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason


def denials(office, *subjects):
    version, facts = office.of(*subjects)
    return version, sorted(not fact.permit for fact in facts)


def test_a_withdrawal_that_was_drafted_before_a_wider_version_still_stands_after_it(office, ann):
    """Two at once: the wider one is stored first. The withdrawal is refused as it is, drafted again, and denies."""
    no, yes = says(permit=False), says()
    withdrawal, wider = office.draft(ann, no), office.draft(ann, yes)
    office.store(office.sign(wider))
    late = office.sign(withdrawal)
    office.versions[ann] = 1
    late = type(late)(SITE, "consent", ann, 1, late.body, late.signature, late.at_us)
    with pytest.raises(InputError) as refused:
        office.store(late)
    assert refused.value.reason is Reason.CONFLICT
    office.record(ann, no)
    assert denials(office, ann) == (2, [False, True])


def test_a_withdrawal_that_comes_again_changes_nothing_and_takes_nothing_back(office, ann):
    no = says(permit=False)
    office.record(ann, no)
    before = denials(office, ann)
    assert office.draft(ann, no) is None
    assert office.draft(ann, says(permit=False)) is None, "the same words under another id"
    assert denials(office, ann) == before == (1, [True])


def test_an_older_wider_version_put_back_in_the_database_is_not_believed(office, ann):
    office.record(ann, says())
    with read(office.engine) as db:
        [(body, signature)] = db.exec_driver_sql("SELECT body, signature FROM consent_fact").all()
    office.record(ann, says(permit=False))
    assert denials(office, ann)[0] == 2
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM consent_fact WHERE version = 2")
        db.exec_driver_sql("UPDATE consent_change SET n = n + 1")
    office.refresh()
    assert office.of(ann) == (None, None), "a newer one was seen: nothing is known, and nothing leaves by it"
    office.sql(
        "INSERT INTO consent_fact (site, subject, version, body, signature, at_us) VALUES (?, ?, 3, ?, ?, 1)",
        *(SITE, ann, body, signature),
    )
    office.sql("UPDATE consent_change SET n = n + 1")
    office.refresh()
    assert office.of(ann) == (None, None), "nor under a newer number: it is not signed for it"
