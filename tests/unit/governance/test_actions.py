"""Nothing becomes active without a living owner and steward; an assessment is approved by another person."""

from dataclasses import replace
from itertools import product

import pytest
from tests.unit.governance.office import DAY, DUA, NOW, REGISTRY, YEAR, assessed

from oathward.core.db import read, write
from oathward.core.errors import AuthorityError, InputError
from oathward.core.reasons import Reason
from oathward.governance import actions, sql, views
from oathward.governance.model import (
    TRANSITIONS,
    Acceptability,
    AssessedKind,
    EntryKind,
    EntryRow,
    Lifecycle,
)

OWNED = {"owner": "p-ann", "steward": "p-bob"}


def test_an_entry_becomes_active_with_owner_and_steward_and_a_day_of_review(office):
    (row,) = office.change(**OWNED, state=Lifecycle.ACTIVE)
    assert (row.state, row.owner, row.steward, row.version) == ("active", "p-ann", "p-bob", 1)
    assert row.review_due_us == NOW + YEAR
    with read(office.engine) as db:
        assert views.owner_of(db, "demo", "link", REGISTRY) == row
        history = views.history(db, "demo", "link", REGISTRY)
    assert {(h.field, h.after, h.by) for h in history} >= {
        ("owner", "p-ann", "p-cyd"),
        ("state", "active", "p-cyd"),
    }
    assert office.records() == ["governance.changed"]


def test_what_is_written_the_same_is_no_change(office):
    office.change(**OWNED)
    assert office.change(**OWNED) == []
    assert office.records() == ["governance.changed"]


BAD = {
    "no owner": ({}, {"steward": "p-bob", "state": "active"}, Reason.GOVERNANCE_OWNER_MISSING),
    "no steward": ({}, {"owner": "p-ann", "state": "active"}, Reason.GOVERNANCE_OWNER_MISSING),
    "an owner nobody knows": ({}, {"owner": "p-nobody"}, Reason.GOVERNANCE_OWNER_MISSING),
    "a steward who left": ({}, {"steward": "p-gone"}, Reason.GOVERNANCE_OWNER_MISSING),
    "an active entry loses its owner": (
        OWNED | {"state": "active"},
        {"owner": ""},
        Reason.GOVERNANCE_OWNER_MISSING,
    ),
    "draft to suspended": ({}, {"state": "suspended"}, Reason.GOVERNANCE_TRANSITION),
    "back from retired": ({"state": "retired"}, OWNED | {"state": "active"}, Reason.GOVERNANCE_TRANSITION),
    "a title that is no line": ({}, {"title": "a\nb"}, Reason.INPUT_INVALID),
    "a word too long": ({}, {"classification": ("x" * 201,)}, Reason.INPUT_INVALID),
}


@pytest.mark.parametrize("name", BAD)
def test_a_change_that_may_not_be_is_refused_whole(office, name):
    before, wanted, why = BAD[name]
    office.person("p-gone")
    office.person("p-gone", "left")
    if before:
        office.change(**{k: Lifecycle(v) if k == "state" else v for k, v in before.items()})
    done = office.records()
    with pytest.raises(InputError) as caught:
        office.change(**{k: Lifecycle(v) if k == "state" else v for k, v in wanted.items()})
    assert caught.value.reason is why
    assert office.records() == done, "and nothing was written"


def test_an_id_that_is_none_is_refused(office):
    with pytest.raises(InputError) as caught:
        office.change(id_="../etc")
    assert caught.value.reason is Reason.INPUT_INVALID


@pytest.mark.parametrize(("before", "after"), list(product(Lifecycle, Lifecycle)))
def test_states_go_where_the_table_lets_them(before, after):
    row = EntryRow(EntryKind.LINK, "x", owner="p-ann", steward="p-ann", state=before, version=1)
    wanted = actions.Wanted(kind=EntryKind.LINK, id="x", state=after)
    reasons = {why for _, _, why in actions.mistakes(row, wanted, {"p-ann"})}
    assert (reasons == set()) == (after == before or after in TRANSITIONS[before])


def test_who_was_active_and_left_stays_written_until_another_is(office):
    office.change(**OWNED, state=Lifecycle.ACTIVE)
    office.person("p-ann", "left")
    office.change(classification=("secret",))  # other fields may change meanwhile
    (row,) = office.change(owner="p-cyd")
    assert row.owner == "p-cyd"
    office.person("p-bob", "left")
    office.change(state=Lifecycle.SUSPENDED)
    with pytest.raises(InputError) as caught:
        office.change(state=Lifecycle.ACTIVE)
    assert caught.value.reason is Reason.GOVERNANCE_OWNER_MISSING


def test_persons_that_somebody_wrote_into_the_database_are_nobody(office):
    with write(office.engine) as db:
        db.exec_driver_sql(
            "UPDATE authority SET body = replace(body, 'Name of', 'name OF') WHERE id = 'p-ann'"
        )
    with pytest.raises(AuthorityError), read(office.engine) as db:
        views.living(db, office.site)
    with read(office.engine) as db:
        assert views.register(db, office.site, office.bundle, everyone=True).living is None
        assert views.living(db, office.site, ["p-bob", "p-nobody", ""]) == {"p-bob": "Name of p-bob"}


def test_an_agreement_is_written_once_changed_when_asked_and_ended(office):
    office.agree()
    with pytest.raises(InputError) as caught:
        office.agree()
    assert caught.value.reason is Reason.CONFLICT
    again = office.agree(replace(DUA, purposes=frozenset({"HRESCH", "PUBHLTH"})), changes=True)
    assert again.version == 2
    with read(office.engine) as db:
        found = views.covering_agreement(db, "demo", office.link, office.recipient, now_us=NOW)
        assert found == again
        history = views.history(db, "demo", "agreement", DUA.id)
    assert ("purposes", "HRESCH", "HRESCH, PUBHLTH") in {(h.field, h.before, h.after) for h in history}
    with write(office.engine) as db:
        actions.end_agreement(db, "demo", DUA.id, by="p-cyd", now_us=NOW)
    with read(office.engine) as db:
        assert views.covering_agreement(db, "demo", office.link, office.recipient, now_us=NOW) is None
        said = views.not_covered(db, "demo", office.link, office.recipient, now_us=NOW)
    assert said == ("DUA-2026-001 was ended on 2026-07-01",)
    assert office.records() == ["agreement.added", "agreement.changed", "agreement.ended"]
    with pytest.raises(InputError) as caught, write(office.engine) as db:
        actions.end_agreement(db, "demo", DUA.id, by="p-cyd", now_us=NOW)
    assert caught.value.reason is Reason.CONFLICT


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": "no id"}, "id"),
        ({"party": ""}, "party"),
        ({"purposes": frozenset()}, "purposes"),
        ({"purposes": frozenset({"CURIOSITY"})}, "purposes"),
        ({"destinations": frozenset()}, "destinations"),
        ({"classes": frozenset({"patient.shoes"})}, "classes"),
        ({"until_us": NOW - 2 * DAY}, "until"),
        ({"country": "Germany"}, "country"),
        ({"sub_recipients": frozenset({"a\nb"})}, "sub_recipients"),
    ],
)
def test_an_agreement_that_cannot_be_meant_is_refused(office, changed, field):
    with pytest.raises(InputError) as caught:
        office.agree(replace(DUA, **changed))
    assert (caught.value.where, caught.value.reason) == (field, Reason.INPUT_INVALID)


def test_an_assessment_stands_once_another_person_approved_it(office):
    made = office.assess(approver="")
    asked = {"now_us": NOW, "about_digest": office.about}
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is None
    with pytest.raises(InputError) as caught, write(office.engine) as db:
        actions.approve_assessment(db, "demo", made.id, by="p-ann", now_us=NOW)
    assert caught.value.reason is Reason.ACCESS_OWN
    with write(office.engine) as db:
        actions.approve_assessment(db, "demo", made.id, by="p-bob", now_us=NOW)
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked).approver == "p-bob"
        changed = {"now_us": NOW, "about_digest": "0" * 64}
        assert views.assessment(db, "demo", "link", REGISTRY, **changed) is None
    with pytest.raises(InputError) as caught, write(office.engine) as db:
        actions.approve_assessment(db, "demo", made.id, by="p-cyd", now_us=NOW)
    assert caught.value.reason is Reason.CONFLICT
    with write(office.engine) as db:
        actions.reopen_assessment(db, "demo", made.id, by="p-cyd", now_us=NOW)
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is None
    assert office.records() == ["assessment.added", "assessment.approved", "assessment.reopened"]


def test_the_newest_that_was_approved_counts_and_a_draft_takes_the_place_of_none(office):
    office.assess()
    asked = {"now_us": NOW + DAY, "about_digest": office.about}
    row = assessed(about_digest=office.about, outcome=Acceptability.NOT_ACCEPTABLE)
    made = office.assess(row, approver="", now_us=NOW + DAY)
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is not None
    with write(office.engine) as db:
        actions.approve_assessment(db, "demo", made.id, by="p-bob", now_us=NOW + DAY)
    with read(office.engine) as db:
        assert views.assessment(db, "demo", "link", REGISTRY, **asked) is None, (
            "the older one is no way round"
        )
        assert len(sql.assessments(db, "demo")) == 2


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"about": ""}, "about"),
        ({"kind": AssessedKind.PURPOSE, "about": "CURIOSITY"}, "about"),
        ({"kind": AssessedKind.DEVICE_MODEL, "about": "Acme"}, "about"),
        ({"privacy": " "}, "privacy"),
        ({"security": "x" * 4_001}, "security"),
        ({"outcome": Acceptability.WITH_MEASURES}, "measures"),
        ({"valid_until_us": NOW}, "valid until"),
    ],
)
def test_an_assessment_that_cannot_be_meant_is_refused(office, changed, field):
    with pytest.raises(InputError) as caught:
        office.assess(replace(assessed(), **changed))
    assert caught.value.where == field
