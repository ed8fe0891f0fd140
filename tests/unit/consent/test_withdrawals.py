"""How soon narrowings were in effect, summed up by link; and that silence is told apart from having stopped."""

import pytest
from tests.site import bundle
from tests.unit.consent.conftest import NOW, SITE, says

from oathward.consent import sql, withdrawals
from oathward.consent.model import EffectRow
from oathward.consent.withdrawals import HEARD_US, Withdrawals
from oathward.core.db import read, write
from oathward.policy.bundle import load


@pytest.fixture
def policy(tmp_path):
    """One link that a denial narrows."""
    withdrawals._harmless.clear()
    return load(bundle({"ehr": f"file://{tmp_path}"}))


def noted(office, subject, process, ms, *, version=1, link="ehr", at_us=NOW, **more):
    row = EffectRow(SITE, subject, version, link, process, at_us, at_us + ms * 1_000, **more)
    with write(office.engine) as db:
        sql.put_effects(db, [row])


def found(office, policy, *, now_us=NOW + 10 * HEARD_US, bundle_us=0, **more):
    with read(office.engine) as db:
        how = {"bundle": policy, "bundle_us": bundle_us, "family": lambda s: (s,), "now_us": now_us}
        return Withdrawals(db, SITE, **how, **more)


def test_a_link_is_as_slow_as_its_slower_process_and_half_and_worst_are_told(office, ann, policy):
    for version, (gateway, courier) in enumerate(((20, 40), (700, 90), (30, 100)), 1):
        noted(office, ann, "gateway", gateway, version=version)
        noted(office, ann, "courier", courier, version=version, withdrawn=2, in_flight=1)
    [link] = found(office, policy).by_link()
    assert (link.count, link.p50_ms, link.worst_ms) == (3, 100, 700)
    assert (link.withdrawn, link.in_flight, link.unheard) == (6, 3, 0)
    assert found(office, policy).unheard() == []
    assert [one.version for one in found(office, policy).rows] == [3, 2, 1]


def test_who_has_not_reported_after_a_second_is_told(office, ann, policy):
    noted(office, ann, "gateway", 20)
    [soon] = found(office, policy, now_us=NOW + HEARD_US).rows
    assert (soon.unheard, soon.ms) == ([], None), "it is not in effect as far as is known, and not late"
    [late] = found(office, policy, now_us=NOW + HEARD_US + 1).unheard()
    assert [(on.link, on.unheard) for on in late.links] == [("ehr", ("courier",))]
    noted(office, ann, "courier", 5_000)
    assert found(office, policy).unheard() == []


def test_a_version_that_nobody_noted_is_asked_about_itself(office, ann, bob, policy):
    office.record(ann, says(permit=False))
    office.record(bob, says(permit=False, of=(("HRESCH",), (), ())))  # narrows nothing here
    [one] = found(office, policy).unheard()
    assert (one.subject, one.unheard) == (ann, ["ehr"])
    assert found(office, policy, bundle_us=NOW + 1).rows == [], "a younger policy says nothing of then"
    assert found(office, policy, subject=bob).rows == []


def test_a_link_that_is_no_more_is_waited_for_by_nobody(office, ann, policy):
    noted(office, ann, "gateway", 20, link="gone")
    assert found(office, policy).unheard() == []


def test_a_part_that_began_after_it_is_no_measure(office, ann, policy):
    noted(office, ann, "gateway", 20)
    noted(office, ann, "courier", 3_600_000, away=True)
    [link] = found(office, policy).by_link()
    assert (link.p50_ms, link.worst_ms, link.unheard) == (None, None, 0)


def test_older_days_are_left_out(office, ann, policy):
    noted(office, ann, "gateway", 20, at_us=NOW - 31 * 24 * 3_600_000_000)
    assert found(office, policy).rows == []
