"""The policy's review in the console: findings, what would remove them, signing off, and who may."""

import re

import pytest
from tests.unit.policy.test_difference import VENDOR
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.web.test_policy_pages import (
    let_in,
    people,  # noqa: F401  the fixture
)

from oathward import reviewing
from oathward.changes import findings_actions, findings_views
from oathward.changes.findings_model import FindingState
from oathward.core.db import read, write
from oathward.ledger import Record, append, prepare
from oathward.policy.bundle import unpack
from oathward.policy.review_edits import with_list
from oathward.policy.review_findings import Proposal, ReviewFinding
from oathward.web import standing
from oathward.web.pages import policy_review

WIDE = "vendor-cloud takes ORU^R40; in 90 days there passed ORU^R01"


@pytest.fixture
def finding(people):  # noqa: F811  a fixture
    active = people.active()
    files = unpack(active.bundle.body)
    change = with_list(files, "vendor-cloud", "message_types", ["ORU^R01"])
    assert set(change) == {VENDOR}
    found = [
        ReviewFinding("link.types-unused", "link:vendor-cloud", WIDE, Proposal("types that passed", change)),
        ReviewFinding("grant.unused", "person:paul/privacy-officer", "last used 91 days ago"),
    ]
    rows = [findings_views.row_of(one, active.bundle.digest.hex(), people.now_us) for one in found]
    with write(people.opened.engine) as db:
        findings_actions.take_in(db, people.opened.site, rows, people.now_us)
    return found[0]


def state(people, finding):  # noqa: F811  a fixture
    with read(people.opened.engine) as db:
        return findings_views.one(db, people.opened.site, finding.id, people.now_us).row


def test_before_the_first_review_it_says_how_to_have_one(people):  # noqa: F811  a fixture
    text = people.person("audra").page("/policies/review")
    assert "The first review is being computed" in text, "the policy is in force for less than a minute"
    assert "oathward policy review" in text


def test_past_the_first_review_it_says_that_nothing_was_found(people, monkeypatch):  # noqa: F811  a fixture
    monkeypatch.setattr(policy_review, "_FIRST_US", 0)
    text = people.person("audra").page("/policies/review")
    assert "Nothing was found yet" in text
    assert "being computed" not in text


def test_home_does_not_call_a_site_with_serious_findings_well(people, monkeypatch):  # noqa: F811  a fixture
    monkeypatch.setattr(standing, "_KEPT_S", 60.0)
    one = ReviewFinding("link.expired", "link:vendor-cloud", "its last day was yesterday")
    row = findings_views.row_of(one, people.active().bundle.digest.hex(), people.now_us)
    with write(people.opened.engine) as db:
        findings_actions.take_in(db, people.opened.site, [row], people.now_us)
    standing._kept.clear()
    found = standing.standing(people.opened, people.opened.clock.now())
    assert found.serious
    found.lines = [line for line in found.lines if line.level != "bad"]  # no process runs here
    text = people.person("sara").page("/")
    assert re.search(r"everything runs; \d+ serious findings? (is|are) open", text)
    assert "nothing is wrong" not in text
    found.review = found.register = None
    assert "nothing is wrong" in people.person("sara").page("/")
    standing._kept.clear()


def test_findings_stand_by_rule_with_what_would_remove_them(people, finding):  # noqa: F811  a fixture
    text = people.person("paul").page("/policies/review")
    assert "2 findings to look at" in text
    assert WIDE in text
    assert text.index("Message types that a link names") < text.index("A role that nobody used")
    one = people.person("paul").page(f"/policies/review/{finding.id}")
    assert '-message_types = ["ORU^R01", "ORU^R40"]' in one
    assert '+message_types = ["ORU^R01"]' in one
    assert "Sign it off" in one


def test_a_finding_about_a_person_names_the_person(people, finding, monkeypatch):  # noqa: F811  a fixture
    known = {"paul": "Paul Graf"}
    monkeypatch.setattr(
        policy_review.people, "names", lambda _db, _site, ids: {i: known[i] for i in ids if i in known}
    )
    text = people.person("paul").page("/policies/review")
    assert ">Paul Graf</a>" in text
    assert ">link:vendor-cloud</a>" in text
    address = re.search(r'href="(/policies/review/\w+)">Paul Graf', text)[1]
    one = people.person("paul").page(address)
    assert '<a href="/people/paul">Paul Graf</a>' in one
    assert "<code>person:paul/privacy-officer</code>" in one


@pytest.fixture
def door(people, monkeypatch):  # noqa: F811  a fixture
    words = "{adam} let both {ines} and {paul} in to enrol"
    one = ReviewFinding("people.one-door", "people:ines,paul", words)
    other = ReviewFinding("grant.unused", "person:paul/privacy-officer", "last used 91 days ago")
    with write(people.opened.engine) as db:
        rows = [findings_views.row_of(found, "b", people.now_us) for found in (one, other)]
        findings_actions.take_in(db, people.opened.site, rows, people.now_us)
    known = {"adam": "Adam Roth", "ines": "Ines Vogel", "paul": "Paul Graf"}
    monkeypatch.setattr(
        policy_review.people, "names", lambda _db, _site, ids: {i: known[i] for i in ids if i in known}
    )
    return one, other


@pytest.mark.parametrize("who", ["prue", "audra"])
def test_accounts_that_one_person_made_stand_before_privacy_officer_and_auditor(people, who):  # noqa: F811  a fixture
    let_in(people, "adam")
    with write(people.opened.engine) as db:
        made = [
            Record("account.enrolled", {"invited_by": "adam", "person": one}, people.now_us)
            for one in ("ines", "paul")
        ]
        append(db, people.opened.site, [prepare(record) for record in made])
    [one] = [one for one in reviewing.run(people.opened).findings if one.rule == "people.one-maker"]
    assert one.about == "people:adam,paul"
    page = people.person(who).page("/policies/review")
    assert "Accounts that one person made, all of them" in page
    assert "let in everybody whose account was made in the last 90 days" in page


def test_a_finding_about_several_names_each_to_who_may_see_people(people, door):  # noqa: F811  a fixture
    text = people.person("sara").page("/policies/review")
    assert "Ines Vogel and Paul Graf</a>" in text
    assert "Adam Roth let both Ines Vogel and Paul Graf in to enrol" in text
    assert "Two who agree, let in by one person" in text
    one = people.person("sara").page(f"/policies/review/{door[0].id}")
    assert "Adam Roth let both" in one


def test_who_may_not_see_people_reads_neither_names_nor_ids(people, door):  # noqa: F811  a fixture
    """An integration engineer reviews policy, and sees no people but whose proposals these are."""
    texts = [people.person("ines").page("/policies/review")]
    texts += [people.person("ines").page(f"/policies/review/{one.id}") for one in door]
    for text in texts:
        assert "somebody" in text
        main = text[text.index("<main") : text.index("</main>")]
        for word in ("paul", "Paul Graf", "adam", "Adam Roth", "/people/"):
            assert word not in main, word


def test_signing_off_is_by_a_person_until_a_date(people, finding):  # noqa: F811  a fixture
    paul = people.person("paul")
    address = f"/policies/review/{finding.id}"
    assert (
        paul.post(f"{address}/sign-off", {"reason": "alarms come in winter", "days": "30"}).status_code == 303
    )
    row = state(people, finding)
    assert (row.state, row.by, row.why) == (FindingState.SIGNED_OFF, "paul", "alarms come in winter")
    assert people.records("review.signed-off")[0]["finding"] == finding.id
    assert WIDE not in paul.page("/policies/review")
    assert WIDE in paul.page("/policies/review?all=yes")
    again = paul.post(f"{address}/sign-off", {"reason": "once more", "days": "30"})
    assert (again.status_code, "conflict" in again.text) == (409, True)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"reason": "", "days": "30"}, "input.invalid"),
        ({"reason": "x" * 201, "days": "30"}, "input.invalid"),
        ({"reason": "x", "days": "0"}, "input.invalid"),
        ({"reason": "x", "days": "367"}, "input.invalid"),
        ({"reason": "x", "days": "-1"}, "input.invalid"),
        ({"reason": "x", "days": "99999999999999999999"}, "input.invalid"),
        ({"reason": "x"}, "input.invalid"),
    ],
)
def test_what_is_no_sign_off_is_refused(people, finding, form, code):  # noqa: F811  a fixture
    answer = people.person("paul").post(f"/policies/review/{finding.id}/sign-off", form)
    assert (answer.status_code, code in answer.text) == (400, True)
    assert state(people, finding).state is FindingState.OPEN


def test_a_proposal_is_made_of_it(people, finding):  # noqa: F811  a fixture
    ines = people.person("ines")
    answer = ines.post(f"/policies/review/{finding.id}/propose", {"reason": "nobody sends alarms"})
    assert answer.status_code == 303
    text = ines.page(answer.headers["location"])
    assert "Maker's telemetry service will no longer get alarms (ORU^R40)." in text
    assert "nobody sends alarms" in text


def test_one_found_in_another_bundle_is_not_proposed(people, finding):  # noqa: F811  a fixture
    with write(people.opened.engine) as db:
        db.exec_driver_sql("UPDATE review_finding SET bundle = 'other'")
    ines = people.person("ines")
    text = ines.page(f"/policies/review/{finding.id}")
    assert "It was found in another bundle" in text
    assert "Make a proposal" not in text
    answer = ines.post(f"/policies/review/{finding.id}/propose", {"reason": "x"})
    assert (answer.status_code, "conflict" in answer.text) == (409, True)


def test_one_without_a_change_says_so(people, finding):  # noqa: F811  a fixture
    with read(people.opened.engine) as db:
        (row,) = [
            one.row
            for one in findings_views.findings(db, people.opened.site, 1)
            if one.row.rule == "grant.unused"
        ]
    paul = people.person("paul")
    assert "No change of the bundle does it by itself" in paul.page(f"/policies/review/{row.id}")
    answer = paul.post(f"/policies/review/{row.id}/propose", {"reason": "x"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("person", "sees", "signs"), [("audra", 200, 404), ("clara", 404, 404), ("kim", 404, 404)]
)
def test_who_may(people, finding, person, sees, signs):  # noqa: F811  a fixture
    who = people.person(person)
    assert who.get("/policies/review").status_code == sees
    assert who.get(f"/policies/review/{finding.id}").status_code == sees
    token = re.search(r'name="token" value="(\w+)"', who.get("/").text)[1]
    answer = who.client.post(
        f"/policies/review/{finding.id}/sign-off", data={"reason": "x", "days": "1", "token": token},
        headers={"origin": "http://127.0.0.1:2579"}, follow_redirects=False,
    )  # fmt: skip
    assert answer.status_code == signs
    assert state(people, finding).state is FindingState.OPEN


def test_a_proof_that_is_not_fresh_is_asked_for_first(people, finding):  # noqa: F811  a fixture
    answer = people.person("paul", fresh=False).post(
        f"/policies/review/{finding.id}/sign-off", {"reason": "x", "days": "1"}
    )
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/step-up")
    assert state(people, finding).state is FindingState.OPEN


def test_one_that_is_none_is_not_found(people, finding):  # noqa: F811  a fixture
    assert people.person("paul").get("/policies/review/0000000000000000").status_code == 404


def test_a_long_list_says_how_many_there_are(people):  # noqa: F811  a fixture
    found = [ReviewFinding("grant.endless", f"person:p{n:03}/auditor", "has no end") for n in range(120)]
    with write(people.opened.engine) as db:
        rows = [findings_views.row_of(one, "b", people.now_us) for one in found]
        findings_actions.take_in(db, people.opened.site, rows, people.now_us)
    text = people.person("audra").page("/policies/review")
    assert "120, the first 100 here" in text
    assert "person:p099/" in text
    assert "person:p100/" not in text
