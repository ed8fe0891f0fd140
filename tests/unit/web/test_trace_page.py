"""Trace: one field leads a message and a patient to where they went, and a delivery home; each is a record, and it is for few."""

import pytest
from tests.unit.web.test_explain_page import patient, viewer, words, world  # noqa: F401  fixtures

from oathward.core.db import read
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
    outgoing = page.text.split('<td><span class="id">')[1].split("<")[0]
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
