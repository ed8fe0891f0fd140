"""Promises of Portal access: staff invite, list, send again and end; who it is stands nowhere; no letter's key comes back."""

import re

import pytest
from tests.unit.web import test_explain_page
from tests.unit.web.test_explain_page import BASE, STRANGER, viewer, words

from oathward.vault.keeper.sign_in.sessions import Visitor

patient = test_explain_page.patient
MORE = '[portal]\nport = 0\nurl = "https://patients.example"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'
NAME, ADDRESS = "Quixotella Zebulonova", "quixotella@planted.example"
FORM = {"name": NAME, "address": ADDRESS, "language": "en", "basis": "self", "scope": ["see", "choose"]}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with test_explain_page.hospital(tmp_path_factory.mktemp("s"), MORE) as found:
        yield found


def post(client, path, form, page):
    token = re.search(r'name="token" value="([0-9a-f]{64})"', client.get(page).text).group(1)
    return client.post(path, data={"token": token, **form}, headers={"origin": BASE})


def invited(world, subject, **more):
    client = viewer(world, "p-privacy")
    page = f"/portal-access/{subject}/invite"
    return client, post(client, page, FORM | more, page)


def rows(world, subject):
    return viewer(world, "p-privacy").get(f"/api/v1/portal-access/{subject}").json()["items"]


def letters(world):
    return world.app.keeper.portal.letters_take()


def test_somebody_is_invited_listed_sent_again_and_ended(world, patient):
    subject = patient[0]
    client, done = invited(world, subject)
    assert (done.status_code, done.headers["location"]) == (303, f"/portal-access/{subject}?said=invited")
    page = client.get(done.headers["location"])
    assert "Invited. The letter goes out" in page.text
    assert "the patient" in words(page)
    assert "choose who may see it; see what devices send and who looked" in words(page)
    for secret in (NAME, ADDRESS):
        assert secret not in page.text
    (row,) = rows(world, subject)
    assert (row["basis"], row["scope"], row["standing"], row["enrolled"]) == (
        *("self", ["choose", "see"], "in-force", False),
    )
    (letter,) = [one for one in letters(world) if one.kind == "invitation"]
    key = letter.values.reveal()["key"]
    assert key not in page.text
    again = post(
        client, f"/portal-access/{subject}/again", {"access": row["access"]}, f"/portal-access/{subject}"
    )
    assert again.headers["location"].endswith("said=again")
    (other,) = [one for one in letters(world) if one.kind == "invitation" and one.id != letter.id]
    assert other.values.reveal()["key"] != key
    ended = post(
        client,
        f"/portal-access/{subject}/end",
        {"access": row["access"], "why": "mistake"},
        f"/portal-access/{subject}",
    )
    assert ended.headers["location"].endswith("said=ended")
    assert [one["standing"] for one in rows(world, subject)] in ([], ["ended"])


def test_a_proxy_needs_an_end_date_that_can_be_and_a_parent_the_childs_birthday(world, patient):
    subject = patient[0]
    for wrong, said in (
        ({"until": "31.1.2027"}, "a day (2026-01-31)"),
        ({"basis": "cousin"}, "who: choose one"),
        ({"scope": []}, "may: tick at least one"),
        ({"name": " "}, "name: 1 to 100 characters"),
        ({"language": "xx"}, "language: choose one"),
        ({"basis": "parent"}, "Nobody was invited"),
        ({"address": "no address"}, "Nobody was invited"),
    ):
        _, answer = invited(world, subject, **wrong)
        assert answer.status_code == 400, wrong
        assert said in words(answer), wrong
        assert NAME not in answer.text, "nothing typed of who it is comes back"
        assert ADDRESS not in answer.text
    assert rows(world, subject) == []
    _, done = invited(world, subject, basis="attorney", until="2031-05-06")
    assert done.status_code == 303
    (row,) = rows(world, subject)
    assert (row["basis"], row["until"][:10]) == ("attorney", "2031-05-07")


def test_the_form_asks_for_a_fresh_proof_before_anything_is_typed(world, patient, monkeypatch):
    client = viewer(world, "p-privacy")
    visitor = Visitor(name="p-privacy", by="test", person_id="p-privacy", strong=True)
    monkeypatch.setattr(world.keeper.sessions, "_fresh_s", -1.0)
    client.cookies.set("oathward_2579", world.keeper.sessions.open(visitor)[0])
    answer = client.get(f"/portal-access/{patient[0]}/invite")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/step-up?")
    assert client.get(f"/portal-access/{patient[0]}").status_code == 200, "looking takes none"


@pytest.mark.parametrize("who", ["p-nurse", "p-ward", "p-auditor", "p-vendor"])
def test_who_may_not_invites_nobody(world, patient, who):
    client = viewer(world, who)
    assert client.get(f"/portal-access/{patient[0]}/invite").status_code == 404
    call = client.post(
        f"/api/v1/portal-access/{patient[0]}",
        json={"name": NAME, "address": ADDRESS, "scope": ["see"]},
    )
    assert call.status_code in {403, 404}


def test_a_patient_who_is_not_there_has_no_such_page(world):
    client = viewer(world, "p-admin")
    for path in (f"/portal-access/{STRANGER}", f"/portal-access/{STRANGER}/invite"):
        assert client.get(path).status_code == 404


def test_by_the_api_the_same(world, patient):
    subject = patient[0]
    client = viewer(world, "p-privacy")
    bad = client.post(
        f"/api/v1/portal-access/{subject}", json={"name": NAME, "address": ADDRESS, "scope": ["all"]}
    )
    assert bad.status_code == 400
    assert NAME not in bad.text
    made = client.post(
        f"/api/v1/portal-access/{subject}",
        json={"name": NAME, "address": "other@planted.example", "scope": ["see"]},
    ).json()
    assert client.post(f"/api/v1/portal-access/{subject}/{made['access']}/again").json() == made
    assert (
        client.post(f"/api/v1/portal-access/{subject}/{made['access']}/end", json={"why": "no"}).status_code
        == 400
    )
    assert client.post(f"/api/v1/portal-access/{subject}/{made['access']}/end", json={}).json() == made
