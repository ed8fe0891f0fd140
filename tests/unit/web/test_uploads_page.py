"""Promises of Uploads past us: entered, compared at once, ended, exported so that no spreadsheet runs it."""

import pytest
from tests.care import adt
from tests.unit.web.test_patients_page import BASE, mrn, now, post, take, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.db import write
from oathward.uploads import sql


@pytest.fixture(autouse=True)
def nothing_known(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        db.execute(sql.upload.delete())


def enter(client, world, **more):  # noqa: F811  the fixture
    at = world.gate.clock.now()
    fields = {"maker": "Acme Cloud", "device": "mon-1", "data": "observation.*", "evidence": "flow:77"}
    times = {"first": f"{at:%Y-%m-%dT%H:%M}", "last": f"{at:%Y-%m-%dT%H:%M}"}
    return post(client, "/uploads", "/uploads", **fields | times | more)


def test_one_is_entered_compared_and_ended(world, mrn):  # noqa: F811  the fixture
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    officer = viewer(world, "p-privacy")
    assert "No upload is known" in officer.get("/uploads").text
    assert enter(officer, world, subject=subject).status_code == 303
    page = officer.get("/uploads").text
    assert "Acme Cloud" in page
    assert "nobody was asked" in page
    assert "Uploads past us" in officer.get("/").text
    id_ = page.split("/end")[0].rsplit("/uploads/", 1)[1]
    assert post(officer, f"/uploads/{id_}/end", "/uploads").status_code == 303
    assert "No upload is known" in officer.get("/uploads").text
    assert "Acme Cloud" in officer.get("/uploads?state=ended").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"maker": ""},
        {"party": "ehr"},
        {"party": "nobody", "maker": ""},
        {"maker": "=cmd()"},
        {"device": "no-such"},
        {"subject": "01a2-none"},
        {"data": "x"},
        {"first": "x"},
        {"evidence": "Maria Zebulonova"},
    ],
)
def test_what_is_wrong_shows_the_form_again_and_keeps_nothing(world, wrong):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    answer = enter(officer, world, **wrong)
    assert answer.status_code == 400
    assert "Nothing was entered" in answer.text
    assert "No upload is known" in answer.text


def test_the_export_holds_what_the_list_does(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    enter(officer, world)
    text = officer.get("/uploads.csv").text
    assert text.splitlines()[0].startswith("id,party,maker,device")
    assert ",Acme Cloud,mon-1," in text


def test_an_auditor_looks_and_changes_nothing_and_a_clinician_has_no_such_page(world):  # noqa: F811  the fixture
    enter(viewer(world, "p-privacy"), world)
    auditor = viewer(world, "p-auditor")
    assert "Acme Cloud" in auditor.get("/uploads").text
    assert "Enter one" not in auditor.get("/uploads").text
    assert viewer(world, "p-nurse").get("/uploads").status_code == 404


def test_the_api_enters_lists_and_ends(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    shown = {"oathward-token": token_of(officer.get("/uploads").text), "origin": BASE}
    at = f"{world.gate.clock.now():%Y-%m-%dT%H:%M:%S}Z"
    body = {"classes": ["observation.*"], "since": at, "seen": at, "source": "observed", "maker": "Acme"}
    made = officer.post("/api/v1/uploads", json=body, headers=shown)
    assert (made.status_code, made.json()["answer"]) == (201, "never-asked")
    assert (
        officer.post("/api/v1/uploads", json=body | {"device": "no-such"}, headers=shown).status_code == 404
    )
    assert officer.post("/api/v1/uploads", json=body | {"since": "x"}, headers=shown).status_code == 400
    listed = officer.get("/api/v1/uploads?answer=never-asked", headers=shown).json()["items"]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    over = officer.post(f"/api/v1/uploads/{made.json()['id']}/end", headers=shown)
    assert over.json()["ended"]
