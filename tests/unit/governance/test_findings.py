"""What is live without what it needs is serious, what is due is attention; each finding goes when it is mended."""

from dataclasses import replace

import pytest
from tests.architecture import rules
from tests.unit.governance.office import DAY, DUA, NOW, REGISTRY, YEAR

from oathward.core.db import read, write
from oathward.governance import actions, views
from oathward.governance.data_sets import DATA_SETS
from oathward.governance.derive import digest_of
from oathward.governance.model import AssessedKind, EntryKind, Lifecycle

OWNED = {"owner": "p-ann", "steward": "p-bob", "state": Lifecycle.ACTIVE}


def whole(office):
    """Write all that the link to the registry needs."""
    office.change(**OWNED)
    office.agree()
    office.assess()


def test_a_live_link_that_nobody_wrote_is_serious(office):
    assert office.findings() == [
        ("agreement.not-covering", "serious"),
        ("assessment.missing", "serious"),
        ("entry.missing", "serious"),
    ]


def test_a_link_with_all_it_needs_is_no_finding(office):
    whole(office)
    assert office.findings() == []


def test_what_is_kept_and_unwritten_is_attention(office):
    assert office.findings(about="ledger", kind="data-set") == [("entry.missing", "attention")]
    assert office.findings(about="key-backups", kind="backup") == [("entry.missing", "attention")]
    office.change("data-set", "ledger", **OWNED)
    assert office.findings(about="ledger", kind="data-set") == []


def test_an_owner_who_leaves_is_a_finding_the_same_day(office):
    whole(office)
    office.person("p-ann", "left")
    assert office.findings() == [("entry.owner-gone", "serious")]
    office.person("p-bob", "left")
    assert office.findings() == [("entry.owner-gone", "serious"), ("entry.steward-gone", "attention")]


def test_a_suspended_entry_of_a_live_link_is_serious(office):
    whole(office)
    office.change(state=Lifecycle.SUSPENDED)
    assert office.findings() == [("entry.not-active", "serious")]


def test_a_link_that_is_retired_and_flows_is_serious(office):
    whole(office)
    office.change(state=Lifecycle.RETIRED)
    assert ("entry.not-active", "serious") in office.findings()


def test_an_overdue_review_is_a_finding_until_it_was_made(office):
    whole(office)
    later = NOW + YEAR + DAY
    office.agree(replace(DUA, until_us=None, review_due_us=NOW + 2 * YEAR), changes=True)
    found = office.findings(later)
    assert ("review.overdue", "attention") in found
    office.change(review_due_us=later + YEAR)
    assert ("review.overdue", "attention") not in office.findings(later)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, []),
        ({"until_us": NOW + 20 * DAY}, ["agreement.ends-soon"]),
        ({"until_us": NOW}, ["agreement.ended"]),
        ({"review_due_us": NOW}, ["review.overdue"]),
        ({"digest": ""}, ["agreement.no-file"]),
    ],
)
def test_agreements_that_end_or_are_due(office, changed, wanted):
    office.agree(replace(DUA, **changed))
    assert [code for code, _ in office.findings(about=DUA.id, kind="agreement")] == wanted


def test_an_agreement_that_was_ended_leaves_its_link_uncovered(office):
    whole(office)
    with write(office.engine) as db:
        actions.end_agreement(db, "demo", DUA.id, by="p-cyd", now_us=NOW)
    assert office.findings() == [("agreement.not-covering", "serious")]


def test_an_assessment_is_open_again_when_its_link_changes(office):
    whole(office)
    assert office.findings() == []
    other = replace(office.link, retention_days=office.link.retention_days + 1)
    links = dict(office.bundle.links) | {REGISTRY: other}
    office.bundle = replace(office.bundle, links=links)
    assert office.findings() == [("assessment.not-standing", "serious")]
    office.assess(now_us=NOW + 1_000)  # of the link as it is now
    assert office.findings() == []


def test_an_assessment_that_expired(office):
    whole(office)
    office.agree(replace(DUA, until_us=None, review_due_us=0), changes=True)
    office.change(review_due_us=NOW + 2 * YEAR)
    assert office.findings(NOW + YEAR) == [("assessment.not-standing", "serious")]


def test_a_device_model_whose_assessment_expired(office):
    from tests.unit.governance.office import assessed

    office.assess(assessed(AssessedKind.DEVICE_MODEL, "Acme|Vista 3"))
    makes = frozenset({"Acme|Vista 3", "Other|One"})
    with read(office.engine) as db:
        found = views.findings(db, office.site, NOW + YEAR, bundle=office.bundle, makes=makes)
    models = [(f.code, f.about) for f in found if f.kind == "device-model"]
    assert models == [("assessment.not-standing", "Acme|Vista 3")]


def test_an_entry_of_what_is_gone(office):
    office.change(id_="gone-link", **OWNED)
    assert office.findings(about="gone-link") == [("entry.gone", "attention")]
    office.change(id_="gone-link", state=Lifecycle.RETIRED)
    assert office.findings(about="gone-link") == []


def test_serious_stands_first_and_is_summed_up(office):
    with read(office.engine) as db:
        rows = views.findings(db, office.site, NOW, bundle=office.bundle)
    ranks = [row.severity != "serious" for row in rows]
    assert ranks == sorted(ranks)
    found = views.summary(rows)
    assert (found.serious, found.attention) == (ranks.count(False), ranks.count(True))
    assert found.first == rows[0]


def test_persons_that_are_not_believed_are_a_finding(office):
    whole(office)
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM authority WHERE id = 'p-ann'")
    assert office.findings(about="", kind="") == [("persons.not-believed", "serious")]


def test_every_table_belongs_to_a_data_set():
    """Who adds a table says whose data it holds: in ``data_sets.DATA_SETS``."""
    tables = set(rules.tables(rules.real_sources()))
    claimed = [table for one in DATA_SETS for table in one.tables]
    assert len(claimed) == len(set(claimed)), "and to one alone"
    assert sorted(tables - set(claimed)) == []
    assert sorted(set(claimed) - tables) == []


def test_links_recipients_and_data_sets_are_in_the_register_before_anybody_wrote_them(office):
    rows = {(row.kind, row.id): row for row in office.register().rows}
    assert {id_ for kind, id_ in rows if kind is EntryKind.LINK} == set(office.bundle.links)
    assert {id_ for kind, id_ in rows if kind is EntryKind.RECIPIENT} == set(office.bundle.recipients) - {
        "keep"
    }
    assert all(row.version == 0 and not row.owner for row in rows.values())
    assert digest_of(office.link) == office.about
