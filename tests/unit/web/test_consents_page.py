"""Promises of Consents: the list says what is signed, by state; one patient's page tells all of it; nobody else sees there is one."""

import re

import pytest
from tests.care import adt
from tests.unit.web import test_explain_page
from tests.unit.web.test_explain_page import BASE, STRANGER, same, says, take, viewer, words

from oathward import ledger
from oathward.consent import actions
from oathward.consent.arrived import Arrived
from oathward.consent.model import statement
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.explaining import listing
from oathward.people import views as people
from oathward.policy.consents import Box, ConsentFact

world, patient = test_explain_page.world, test_explain_page.patient
DAY = 86_400_000_000


def yes(**more):
    return statement(permit=True, purposes=["HRESCH"], recipients=["registry"], classes=["*"], **more)


def no(**more):
    return statement(permit=False, purposes=["HRESCH"], recipients=["*"], classes=["*"], **more)


def follow(world):
    while listing.turn(world.app):
        pass


def listed(world, state="", who="p-privacy"):
    return viewer(world, who).get(f"/api/v1/consents?state={state}" if state else "/api/v1/consents").json()


def arrive(world, subject, *, denials=(), permits=()):
    message = uuid7()
    with write(world.keeper.engine) as db:
        found = Arrived(tuple(denials), frozenset({"o"}), tuple(permits), 1)
        actions.arrive(db, world.keeper.site, message, subject=subject, device="mon-1", found=found, at_us=1)
    return message


def test_what_was_said_is_listed_by_state_and_leads_to_the_patient(world, patient):
    subject = patient[0]
    says(world, subject, yes(id_="y-1"), no(id_="n-1"))
    follow(world)
    client = viewer(world, "p-privacy")
    for state, there in (
        ("", True),
        ("stands", True),
        ("contradictory", True),
        ("ended", False),
        ("unsure", False),
    ):
        page = client.get(f"/consents?state={state}")
        assert page.status_code == 200
        assert (f'href="/consents/{subject}"' in page.text) is there, state
    (row,) = [one for one in listed(world, "contradictory")["items"] if one["subject"] == subject]
    assert (row["state"], row["permits"], row["denials"], row["contradictions"]) == ("contradictory", 1, 1, 1)


def test_one_patients_page_says_choices_contradictions_versions_and_who(world, patient):
    subject = patient[0]
    says(world, subject, yes(id_="y-1"))
    care = statement(permit=False, purposes=["TREAT"], recipients=["ehr"], classes=["*"], id_="n-2")
    says(world, subject, yes(id_="y-1"), no(id_="n-1", source="staff"), care)
    text = words(viewer(world, "p-privacy").get(f"/consents/{subject}"))
    assert "Contradictions 1" in text
    assert "The no counts" in text
    assert "Versions 2" in text
    assert "test" in text, "who entered it"
    assert "not allowed" in text
    told = viewer(world, "p-privacy").get(f"/api/v1/consents/{subject}").json()
    assert [one["version"] for one in told["versions"]] == [2, 1]
    assert {one["id"] for one in told["stands"]} == {"y-1", "n-1", "n-2"}
    assert told["contradicts"][0]["permit"] == "y-1"
    assert told["choices"], "each purpose at each recipient"


def test_who_entered_it_is_on_record_by_id_and_stands_on_the_page_by_name(world, patient):
    with read(world.keeper.engine) as db:
        ((id_, name),) = people.names(db, world.keeper.site, ["p-privacy"]).items()
    says(world, patient[0], yes(id_="y-1"), by=id_)
    client = viewer(world, "p-privacy")
    [version] = client.get(f"/api/v1/consents/{patient[0]}").json()["versions"]
    assert version["by"] == id_
    [row] = re.findall(r'<th scope="row">1</th>.*', client.get(f"/consents/{patient[0]}").text)
    assert name != id_
    assert f"<td>{name}</td>" in row


def test_who_chose_at_the_portal_is_told_by_what_they_are_to_the_patient(world, patient):
    subject = patient[0]
    says(world, subject, yes(id_="y-1"))
    [version] = viewer(world, "p-privacy").get(f"/api/v1/consents/{subject}").json()["versions"]
    body = {"access": uuid7(), "basis": "parent", "by": uuid7(), "version": version["version"]}
    with write(world.keeper.engine) as db:
        ledger.append(
            db, world.keeper.site, [ledger.prepare(ledger.Record("portal.chose", body, 1, subject))]
        )
    text = words(viewer(world, "p-privacy").get(f"/consents/{subject}"))
    assert "a parent, at the portal" in text
    assert body["by"] not in text


def test_a_merge_brings_what_both_said_onto_one_page_and_one_row(world):
    at = f"{world.gate.clock.now():%Y%m%d%H%M%S}+0000"
    one = take(world, adt("A01", said=at, mrn="8100000001")).subject
    other = take(world, adt("A01", said=at, mrn="8100000002")).subject
    says(world, one, yes())
    says(world, other, no())
    follow(world)
    assert {one, other} <= {row["subject"] for row in listed(world)["items"]}
    take(world, adt("A40", said=at, mrn="8100000001", mrg="8100000002"))
    follow(world)
    (row,) = [row for row in listed(world, "merged")["items"] if row["subject"] in {one, other}]
    assert (row["said"], row["contradictions"]) == (2, 1)
    text = words(viewer(world, "p-privacy").get(f"/consents/{row['subject']}"))
    assert "Known as 2 patients who are one now" in text
    assert "two patients who are one now" in text


def test_what_does_not_verify_is_said_and_tells_nothing(world, patient):
    subject = patient[0]
    says(world, subject, yes())
    with write(world.keeper.engine) as db:
        db.exec_driver_sql("UPDATE consent_fact SET signature = x'00' WHERE subject = ?", (subject,))
    page = words(viewer(world, "p-privacy").get(f"/consents/{subject}"))
    assert "Not all of it can be verified" in page
    assert "does not verify" in page
    told = viewer(world, "p-privacy").get(f"/api/v1/consents/{subject}").json()
    assert (told["sure"], told["stands"], told["choices"]) == (False, [], [])
    assert viewer(world, "p-privacy").get(f"/consents/{subject}/fhir").status_code >= 400


def test_what_stands_is_given_as_fhir_of_both_editions(world, patient):
    subject = patient[0]
    says(world, subject, yes())
    for edition, name in (("r4", "patient"), ("r5", "subject")):
        found = viewer(world, "p-privacy").get(f"/consents/{subject}/fhir?edition={edition}")
        assert found.headers["content-type"] == "application/fhir+json"
        (entry,) = found.json()["entry"]
        assert entry["resource"][name]["identifier"]["value"] == f"urn:uuid:{subject}"


def test_what_waits_is_shown_in_words_and_dismissed_with_a_reason(world, patient):
    subject = patient[0]
    deny = ConsentFact("d", False, frozenset({"HRESCH"}), frozenset({"*"}), frozenset({"*"}))
    message = arrive(world, subject, denials=[deny], permits=[Box(purposes=frozenset({"TREAT"}))])
    client = viewer(world, "p-privacy")
    page = client.get("/consents/arrived")
    assert "deny HRESCH to *: *" in words(page)
    assert "permit TREAT to *: *" in words(page)
    assert "Consents that came 1 message to look at" in words(client.get("/"))
    assert message in words(client.get(f"/consents/{subject}")) or "Came as messages, and waits 1" in words(
        client.get(f"/consents/{subject}")
    )
    token = re.search(r'name="token" value="([0-9a-f]{64})"', page.text).group(1)
    to = f"/consents/arrived/{message}/dismiss"
    missing = client.post(to, data={"token": token, "reason": " "}, headers={"origin": BASE})
    assert missing.status_code == 400
    done = client.post(to, data={"token": token, "reason": "sent twice"}, headers={"origin": BASE})
    assert (done.status_code, done.headers["location"]) == (303, "/consents/arrived")
    assert message not in client.get("/consents/arrived").text
    assert "Consents that came" not in words(client.get("/"))
    again = client.post(to, data={"token": token, "reason": "sent twice"}, headers={"origin": BASE})
    assert again.status_code == 404


def test_what_cannot_be_read_of_what_waits_holds_everything_and_is_said(world, patient):
    message = arrive(world, patient[0])
    with write(world.keeper.engine) as db:
        db.exec_driver_sql("UPDATE consent_arrival SET body = x'00' WHERE message = ?", (message,))
    assert "everything pends" in words(viewer(world, "p-privacy").get("/consents/arrived"))
    found = viewer(world, "p-privacy").post(
        f"/api/v1/consents/arrived/{message}/dismiss", json={"reason": "damaged"}
    )
    assert found.json() == {"message": message}


@pytest.mark.parametrize("who", ["p-ward", "p-admin", "p-vendor"])
def test_not_yours_and_not_there_look_the_same(world, patient, who):
    says(world, patient[0], yes())
    client = viewer(world, who)
    for form in ("/consents/{}", "/consents/{}/fhir", "/api/v1/consents/{}"):
        theirs, nobodys = client.get(form.format(patient[0])), client.get(form.format(STRANGER))
        assert theirs.status_code == nobodys.status_code == 404
        assert same(theirs.text, patient[0]) == same(nobodys.text, STRANGER)


def test_a_clinician_sees_those_in_their_care_and_no_list_of_all(world, patient):
    says(world, patient[0], yes())
    follow(world)
    nurse = viewer(world, "p-nurse")
    assert nurse.get(f"/consents/{patient[0]}").status_code == 200
    page = nurse.get("/consents")
    assert page.status_code == 200
    assert patient[0] not in page.text
    assert "/consents/arrived" not in page.text
    assert nurse.get("/consents/arrived").status_code == 404
    assert nurse.get("/api/v1/consents").status_code in {403, 404}


def test_an_auditor_sees_and_changes_nothing(world, patient):
    message = arrive(world, patient[0])
    auditor = viewer(world, "p-auditor")
    page = auditor.get("/consents/arrived")
    assert page.status_code == 200
    assert "Dismiss</button>" not in page.text
    call = auditor.post(f"/api/v1/consents/arrived/{message}/dismiss", json={"reason": "no"})
    assert call.status_code in {403, 404}


def test_a_number_leads_there_in_a_body_and_stands_in_no_address(world, patient):
    subject, mrn, _ = patient
    client = viewer(world, "p-privacy")
    token = re.search(r'name="token" value="([0-9a-f]{64})"', client.get("/consents").text).group(1)
    form = {"token": token, "number": mrn, "authority": "HOSP"}
    found = client.post("/consents/find", data=form, headers={"origin": BASE})
    assert (found.status_code, found.headers["location"]) == (303, f"/consents/{subject}")
    asked = client.post("/consents/find", data=form | {"number": "none"}, headers={"origin": BASE})
    assert "There is nobody of this number" in asked.text
    assert mrn not in asked.text


def test_the_list_is_filled_from_the_first_record_on_and_twice_is_once(world, patient):
    subject = patient[0]
    says(world, subject, yes(), no())
    follow(world)
    before = listed(world)["items"]
    with write(world.keeper.engine) as db:  # as an older version of this program left it
        db.exec_driver_sql("DELETE FROM consent_person")
        db.exec_driver_sql("DELETE FROM ledger_follower WHERE name = ?", (listing.NAME,))
    assert listed(world)["items"] == []
    follow(world)
    follow(world)
    assert listed(world)["items"] == before


def test_who_was_erased_is_not_listed(world, patient):
    subject = patient[0]
    says(world, subject, yes())
    follow(world)
    assert subject in {row["subject"] for row in listed(world)["items"]}
    record = ledger.prepare(ledger.Record("subject.forgotten", {"subjects": [subject]}, 1, subject))
    with write(world.keeper.engine) as db:
        ledger.append(db, world.keeper.site, [record])
    follow(world)
    assert subject not in {row["subject"] for row in listed(world)["items"]}
