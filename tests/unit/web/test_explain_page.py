"""Promises of Explain: what it says is what was decided; whoever may not ask sees that there is no such page."""

import re
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient
from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.app import build
from oathward.cli import permitted
from oathward.consent import actions as consents
from oathward.consent.model import canonical, statement
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.people import sql as persons
from oathward.policy.people import PERSON
from oathward.vault import authority
from oathward.vault.keeper import proof
from oathward.vault.keeper.signing import Wanted, confirm_stored, sign
from oathward.web import asking, believed
from oathward.web.frame import create

BASE = "http://127.0.0.1:2579"
HERE = Peer("127.0.0.1", None, ())
PEOPLE = [
    (person("p-nurse", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-ward", units={"HOSP|WARD"}), [Role.CLINICIAN]),
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-auditor"), [Role.AUDITOR]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
    (person("p-vendor", makes={"Acme"}), [Role.VENDOR_USER]),
]
STRANGER = "01a20122-0600-7704-bc29-000000000000"


@contextmanager
def hospital(folder, more=""):
    """A site with people, patients' devices and a console."""
    site = Site.make(folder, more=more)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as found:
        app = build(site.settings, "app", become_keeper=False)
        found.app, found.web = app, create(app)
        with read(app.engine) as db:
            listed = [
                (authority.load(db, app.site, PERSON, one.id, app.authority, app.seen), one)
                for one, _ in PEOPLE
            ]
        with write(app.engine) as db:
            persons.put(db, app.site, listed, now_us=found.gate.now_us(), gone=False)
        yield found
        app.keeper.close()
        app.engine.dispose()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with hospital(tmp_path_factory.mktemp("s")) as found:
        yield found


def take(world, raw):
    prepared = handle(world.gate, Arrival(uuid7(), raw, HERE, world.gate.now_us(), HL7V2))
    commit_group(world.gate, [prepared])
    assert world.gate.trouble == "", world.gate.trouble
    world.gate.refresh()
    return prepared.message


@pytest.fixture
def patient(world):
    mrn = f"7{uuid7().replace('-', '')[-9:]}".upper()
    at = f"{world.gate.clock.now():%Y%m%d%H%M%S}+0000"
    subject = take(world, adt("A01", said=at, mrn=mrn)).subject
    return subject, mrn, take(world, oru(f"{mrn}-1", mrn=mrn)).id


def viewer(world, who):
    client = TestClient(world.web, base_url=BASE, follow_redirects=False)
    secret = world.enter(who)["session"]
    client.cookies.set("oathward_2579", secret)
    client.headers["authorization"] = f"Bearer p_{secret}"  # for calls of the API; pages do not look at it
    return client


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_a_privacy_officer_sees_who_gets_what_and_who_cares(world, patient):
    subject, _, message = patient
    page = viewer(world, "p-privacy").get(f"/explain/{subject}")
    assert page.status_code == 200
    text = words(page)
    assert "Who may see what now" in text
    assert "Work at their unit 1" in text
    assert "p-nurse" in text
    assert f"/explain/{subject}?message={message}" in page.text
    why = words(viewer(world, "p-privacy").get(f"/explain/{subject}?message={message}"))
    assert "How it was decided then" in why
    assert "The patient is known." in why


def says(world, subject, *statements, by="test"):
    """Have what a patient says signed and stored."""
    keeper = world.keeper
    documents = sign(
        keeper, [Wanted("consent", subject, 0, canonical(subject, statements))], [proof.Person("t", "t")]
    )
    with write(keeper.engine) as db:
        consents.store(db, keeper.site, documents, by=by, now_us=keeper.now_us())
    confirm_stored(keeper)
    world.gate.refresh()


def explained(world, subject, more=""):
    return viewer(world, "p-privacy").get(f"/api/v1/explain/{subject}{more}").json()


def told_of(world, subject, link):
    return next(one["told"] for one in explained(world, subject)["receives"] if one["link"] == link)


def test_what_is_said_of_now_is_what_the_gateway_does_before_and_after_a_denial(world, patient):
    subject, mrn, message = patient
    before = told_of(world, subject, "ehr")
    assert (before["word"], before["reasons"]) == ("permit", [])
    denial = statement(
        permit=False, purposes=["TREAT"], recipients=["ehr"], classes=["*"], source="staff", id_="d-1"
    )
    says(world, subject, denial)
    after = told_of(world, subject, "ehr")
    assert (after["word"], after["reasons"]) == ("deny", ["decision.consent-denies"])
    assert after["decided_by"] == ["consent:d-1"]
    denied = take(world, oru(f"{mrn}-2", mrn=mrn)).id
    by_link = {one["sent"]["link"]: one for one in explained(world, subject, f"/messages/{denied}")["why"]}
    assert by_link["ehr"]["sent"]["word"] == "deny"
    assert by_link["ehr"]["then"]["decided_by"] == ["consent:d-1"]
    first = {one["sent"]["link"]: one for one in explained(world, subject, f"/messages/{message}")["why"]}
    assert first["ehr"]["sent"]["word"] == "permit", "what happened stays as it was"
    assert first["ehr"]["then"]["word"] == "permit"
    assert first["ehr"]["today"]["word"] == "deny", "and today it would not be sent"
    tally = next(one for one in explained(world, subject)["past"]["tallies"] if one["link"] == "ehr")
    assert (tally["permitted"], tally["denied"]) == (2, 1)
    assert tally["reasons"] == {"decision.consent-denies": 1}


def test_a_document_that_does_not_verify_makes_it_unknown_and_never_none(world, patient):
    subject = patient[0]
    yes = statement(permit=True, purposes=["TREAT"], recipients=["ehr"], classes=["*"], source="staff")
    says(world, subject, yes)
    with write(world.keeper.engine) as db:
        db.exec_driver_sql("UPDATE consent_fact SET signature = x'00' WHERE subject = ?", (subject,))
    told = told_of(world, subject, "ehr")
    assert told["word"] == "indeterminate"
    assert told["for_care_anyway"], "the link's own rule for care, and it is said"
    assert any("consents" in step["words"] for step in told["steps"])


def test_who_may_not_see_people_learns_how_many_care_and_not_who(world, patient):
    nurse = viewer(world, "p-nurse")
    told = nurse.get(f"/api/v1/explain/{patient[0]}").json()
    assert told["carers"]["counts"]["unit"] == 1
    assert told["carers"]["named"] == []
    page = nurse.get(f"/explain/{patient[0]}").text
    assert "Work at their unit" in page
    assert 'href="/people/' not in page


@pytest.mark.parametrize("who", ["p-ward", "p-admin", "p-vendor"])
def test_not_yours_and_not_there_look_the_same(world, patient, who):
    client = viewer(world, who)
    for form in ("/explain/{}", "/explain/{}?message=" + patient[2], "/api/v1/explain/{}"):
        theirs, nobodys = client.get(form.format(patient[0])), client.get(form.format(STRANGER))
        assert theirs.status_code == nobodys.status_code == 404
        assert same(theirs.text, patient[0]) == same(nobodys.text, STRANGER)


def same(text, subject):
    return re.sub(r"[0-9a-f]{64}|\d\d:\d\d:\d\d(\.\d+)?", "", text.replace(subject, ""))


def test_who_may_ask_hears_of_a_stranger_that_there_is_no_such_page(world, patient):
    for who in ("p-privacy", "p-auditor"):
        client = viewer(world, who)
        assert client.get(f"/explain/{patient[0]}").status_code == 200
        assert client.get(f"/explain/{STRANGER}").status_code == 404
        assert client.get(f"/explain/{patient[0]}?message={STRANGER}").status_code == 404


def test_a_message_of_another_patient_is_not_explained(world, patient):
    other = take(world, oru("else-1", mrn="7999888777")).id
    page = viewer(world, "p-privacy").get(f"/api/v1/explain/{patient[0]}/messages/{other}")
    assert page.status_code == 404


def test_a_number_leads_there_in_a_body_and_stands_in_no_address(world, patient):
    subject, mrn, _ = patient
    for who, purpose in (("p-privacy", "HOPERAT"), ("p-nurse", "TREAT")):
        client = viewer(world, who)
        token = re.search(r'name="token" value="([0-9a-f]{64})"', client.get("/explain").text).group(1)
        form = {"token": token, "number": mrn, "authority": "HOSP", "purpose": purpose}
        found = client.post("/explain/find", data=form, headers={"origin": BASE})
        assert (found.status_code, found.headers["location"]) == (303, f"/explain/{subject}"), who
    asked = client.post("/explain/find", data=form | {"number": "none"}, headers={"origin": BASE})
    assert "There is nobody of this number" in asked.text
    assert mrn not in asked.text


@contextmanager
def work(world):
    """Every statement and every question to the keeper meanwhile."""
    found = []

    def noted(_conn, _cursor, statement, *_):
        found.append(statement)

    event.listen(world.app.engine, "before_cursor_execute", noted)
    try:
        yield found
    finally:
        event.remove(world.app.engine, "before_cursor_execute", noted)


@pytest.mark.parametrize("who", ["p-ward", "p-admin"])
@pytest.mark.parametrize("path", ["/explain/{}", "/consents/{}", "/api/v1/explain/{}", "/api/v1/consents/{}"])
def test_whom_one_may_not_see_and_nobody_cost_the_same_work(world, patient, monkeypatch, who, path):
    monkeypatch.setattr(
        asking.Book, "now", asking.Book._look
    )  # what is remembered for a second would differ by it
    monkeypatch.setattr(believed, "BELIEVED_S", 3_600.0)
    client = viewer(world, who)
    for one in (patient[0], STRANGER):  # what is read once is read
        client.get(path.format(one))
    told = []
    for one in (patient[0], STRANGER):
        with work(world) as found:
            assert client.get(path.format(one)).status_code == 404
        told.append(found)
    assert told[0] == told[1]
    assert told[0], "something was looked up"


@pytest.mark.parametrize(
    ("who", "sees", "reason"),
    [
        ("p-nurse", True, None),
        ("p-privacy", True, None),
        ("p-auditor", True, None),
        ("p-ward", False, Reason.NOT_FOUND),
        ("p-admin", False, Reason.ACCESS_ROLE),
    ],
)
def test_the_command_line_looks_at_care_as_the_page_does(world, patient, monkeypatch, who, sees, reason):
    monkeypatch.setattr(permitted, "proof_of", lambda *_: world.enter(who))
    if sees:
        assert permitted.who_may_of(world.app, None, "consent.explain", patient[0]) == who
        return
    refused = []
    for subject in (patient[0], STRANGER):
        with pytest.raises(InputError) as no:
            permitted.who_may_of(world.app, None, "consent.explain", subject)
        refused.append((no.value.reason, no.value.where, no.value.why))
    assert refused[0] == refused[1], "whether there is such a patient is not told"
    assert refused[0][0] is reason
