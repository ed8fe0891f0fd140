"""Trace: one field leads a message and a patient to where they went, and a delivery home; each is a record, and it is for few."""

import pytest
from tests.unit.web.test_explain_page import patient, viewer, words, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.jobs import actions
from oathward.jobs.model import FileDone, JobRow, Progress
from oathward.ledger import Query, search


def ask(client, text):
    page = client.get("/trace")
    token = page.text.split('name="token" value="')[1].split('"')[0] if 'name="token"' in page.text else ""
    return client.post(
        "/trace/find", data={"id": text, "token": token}, headers={"origin": "http://127.0.0.1:2579"}
    )


def records(world):  # noqa: F811  a fixture of that file
    with read(world.app.engine) as db:
        return search(db, world.app.site, Query(kind="trace.read"))


def test_a_message_leads_to_its_recipient_and_the_delivery_home(world, patient):  # noqa: F811  a fixture of that file
    subject, _, message = patient
    client = viewer(world, "p-privacy")
    page = ask(client, message)
    assert page.status_code == 200
    assert "ehr" in words(page)
    assert "pending" in words(page)
    outgoing = page.text.split('<td data-head="Delivery"><span class="id">')[1].split("<")[0]
    home = ask(client, outgoing)
    assert f"/messages/{message}" in home.text
    assert f"/explain/{subject}" in home.text
    newest, before = records(world)[:2]
    assert (before.body["of"], before.message) == ("message", message)
    assert (newest.body["of"], newest.body["asked"], newest.body["by"]) == (
        "release",
        [outgoing],
        "p-privacy",
    )


def test_a_patient_leads_to_everything(world, patient):  # noqa: F811  a fixture of that file
    subject, mrn, _ = patient
    page = ask(viewer(world, "p-auditor"), subject)
    assert page.text.count('<th scope="row">') >= 2  # on ehr, and what is kept
    assert "ehr" in words(page)
    assert mrn not in page.text
    assert records(world)[0].subject == subject


@pytest.mark.parametrize("text", ["Quixley", "JBXX0SYTKTWG8HPW", "x" * 119])
def test_what_is_no_id_is_said_and_not_shown(world, text):  # noqa: F811  a fixture of that file
    page = ask(viewer(world, "p-privacy"), text)
    assert "no id that leads anywhere" in words(page)
    assert text not in page.text


def test_what_nobody_knows_is_said(world):  # noqa: F811  a fixture of that file
    assert "Nothing is known of it" in words(ask(viewer(world, "p-privacy"), "0123456789ABCDEF0123"))
    assert ask(viewer(world, "p-privacy"), "01a20122-0600-7704-bc29-000000000000").status_code == 404


@pytest.mark.parametrize("who", ["p-nurse", "p-admin", "p-vendor"])
def test_it_is_for_few(world, patient, who):  # noqa: F811  a fixture of that file
    before = len(records(world))
    assert viewer(world, who).get("/trace").status_code in {403, 404}
    assert viewer(world, who).post("/trace/find", data={"id": patient[2]}).status_code in {403, 404}
    assert len(records(world)) == before


@pytest.fixture
def job(world, patient):  # noqa: F811  a fixture of that file
    at_us = micros(world.app.clock.now())
    with write(world.app.engine) as db:
        actions.begin(db, world.app.site, JobRow("job-7", "research", "studies", "p-privacy", at_us, at_us))
    done = [
        FileDone("JBXX2SYTKTWG7HPW", units=[(0, patient[0])]),
        FileDone("QBXX2SYTKTWG7HPW", held=[(-1, "deid.format-unknown", "looks like a table")]),
    ]
    with write(world.app.engine) as db:
        actions.advance(
            db, world.app.site, "job-7", Progress(files=2, done=2, written=1, held=1), done, now_us=at_us
        )
    return [one.name for one in done]


def test_a_file_leads_to_its_job_who_ran_it_and_has_an_address_of_its_own(world, patient, job):  # noqa: F811  a fixture of that file
    client = viewer(world, "p-privacy")
    page = ask(client, f"out/{job[0]}.json")
    assert '<a class="id" href="/deid/job-7"' in page.text
    assert '<a href="/people/p-privacy">' in page.text
    assert f'href="/trace?id={job[0]}"' in page.text
    before = len(records(world))
    again = client.get(f"/trace?id={job[0]}")
    assert f"/explain/{patient[0]}" in again.text
    assert len(records(world)) == before + 1, "who looks again is on record again"
    assert records(world)[0].body["asked"] == [job[0]]
    held = client.get(f"/trace?id={job[1]}")
    assert "no HL7 v2, FHIR, DICOM or text" in held.text


def test_only_what_was_found_and_is_no_patient_has_an_address(world, patient):  # noqa: F811  a fixture of that file
    subject, mrn, message = patient
    client = viewer(world, "p-privacy")
    assert f'href="/trace?id={message}"' in ask(client, message).text
    assert "/trace?id=" not in ask(client, subject).text
    assert "/trace?id=" not in ask(client, "0123456789ABCDEF0123").text
    before = len(records(world))
    for text in (subject, mrn, f"{mrn}/JBXX2SYTKTWG7HPW"):
        page = client.get("/trace", params={"id": text}, follow_redirects=False)
        assert (page.status_code, page.headers["location"]) == (303, "/trace")
        assert text not in page.text
    assert len(records(world)) == before
    assert viewer(world, "p-nurse").get(f"/trace?id={message}").status_code in {403, 404}
