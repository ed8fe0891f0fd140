"""Promises of saved views: one's own are one's own, shared ones are seen by who may open the list, each step is a record."""

import re

import pytest
from tests.unit.web.test_patients_page import post, viewer, world  # noqa: F401  fixtures

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.people import saved
from oathward.people.tables import saved_view
from oathward.web.saved_views import filters


@pytest.fixture(autouse=True)
def nothing_saved(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        db.execute(saved_view.delete())


def save(browser, page, name, query, **more):
    return post(browser, "/views", "/views", page=page, name=name, query=query, **more)


def ids(text):
    return re.findall(r'action="/views/([0-9a-f-]{36})"', text)


def test_a_saved_view_is_an_address_with_a_name(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    assert 'name="query" value="make=Acme"' in officer.get("/inventory?make=Acme&search=&after=1%7Cx").text
    answer = save(officer, "/inventory", "Ours", "make=Acme&search=&after=1%7Cx")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inventory?make=Acme")
    page = officer.get("/inventory?make=Acme").text
    assert '<a href="/inventory?make=Acme" aria-current="true">Ours</a>' in page
    assert "Save this view" not in page
    assert "Ours" in officer.get("/inventory").text
    assert "Ours" not in officer.get("/map").text


def test_ones_own_is_seen_by_nobody_else_and_a_shared_one_by_who_may_open_the_list(world):  # noqa: F811  the fixture
    officer, auditor = viewer(world, "p-privacy"), viewer(world, "p-auditor")
    save(officer, "/inventory", "Mine alone", "make=Acme")
    save(officer, "/inventory", "For all", "make=Bolt", shared="yes")
    assert "For all" in auditor.get("/inventory").text
    assert "Mine alone" not in auditor.get("/inventory").text + auditor.get("/views").text
    nurse = viewer(world, "p-nurse")
    assert "For all" not in nurse.get("/views").text  # who may not open the list reads no name of its views
    assert save(nurse, "/inventory", "x", "make=Acme").status_code == 400


def test_one_is_shared_with_a_role_its_owner_has_and_read_by_who_has_it(world):  # noqa: F811  the fixture
    officer, auditor = viewer(world, "p-privacy"), viewer(world, "p-auditor")
    assert save(officer, "/inventory", "Rounds", "make=Acme", shared="privacy-officer").status_code == 303
    page = officer.get("/views").text
    assert "who has the role privacy-officer" in page
    assert '<option value="privacy-officer" selected>' in page
    assert "Rounds" not in auditor.get("/inventory").text + auditor.get("/views").text
    refused = save(officer, "/inventory", "For them", "make=Bolt", shared="auditor")
    assert refused.status_code == 400
    assert "one of your own roles" in refused.text
    [id_] = ids(page)
    with read(world.gate.engine) as db:
        site = world.gate.site
        of = {
            role: [one.id for one in saved.seen_by(db, site, "p-another", roles=[role])]
            for role in ("privacy-officer", "auditor")
        }
        assert of == {"privacy-officer": [id_], "auditor": []}
        assert saved.one(db, site, id_, "p-another", roles=["privacy-officer"]).role == "privacy-officer"
        for roles in ((), ("auditor",), ("",)):
            with pytest.raises(InputError):
                saved.one(db, site, id_, "p-another", roles=roles)
    with write(world.gate.engine) as db, pytest.raises(InputError):
        saved.change(db, site, id_, name="Stolen", shared=True, by="p-another", now_us=1)
    with write(world.gate.engine) as db, pytest.raises(InputError):
        saved.remove(db, site, id_, by="p-another", anybodys=False, roles=["privacy-officer"], now_us=1)
    assert post(officer, f"/views/{id_}", "/views", verb="change", name="Rounds").status_code == 303
    assert "who has the role" not in officer.get("/views").text
    assert (
        post(officer, f"/views/{id_}", "/views", verb="change", name="Rounds", shared="x").status_code == 400
    )


def test_only_its_owner_changes_a_view_and_who_runs_people_takes_a_shared_one_away(world):  # noqa: F811  the fixture
    officer, auditor = viewer(world, "p-privacy"), viewer(world, "p-auditor")
    save(officer, "/findings", "Late", "overdue=yes", shared="yes")
    [id_] = ids(officer.get("/views").text)
    assert ids(auditor.get("/views").text) == []
    for verb in ("change", "delete"):
        refused = post(auditor, f"/views/{id_}", "/views", verb=verb, name="Stolen")
        assert refused.status_code == 404
    with write(world.gate.engine) as db:
        saved.remove(db, world.gate.site, id_, by="p-admin", anybodys=True, now_us=1)
    assert ids(officer.get("/views").text) == []


def test_one_is_renamed_shared_and_deleted_and_each_step_is_a_record(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    save(officer, "/map", "Ward", "zone=ward")
    [id_] = ids(officer.get("/views").text)
    assert (
        post(officer, f"/views/{id_}", "/views", verb="change", name="The ward", shared="yes").status_code
        == 303
    )
    assert "The ward" in viewer(world, "p-auditor").get("/map").text
    assert "deleted" in post(officer, f"/views/{id_}", "/views", verb="delete").headers["location"]
    with read(world.gate.engine) as db:
        told = [
            entry
            for kind in ("view.saved", "view.changed", "view.deleted")
            for entry in ledger.search(db, world.gate.site, ledger.Query(kind=kind), limit=1)
        ]
    assert [entry.body["view"] for entry in told] == [id_] * 3
    assert {entry.body["by"] for entry in told} == {"p-privacy"}
    assert "ward" not in str([dict(entry.body) for entry in told])


def test_saved_again_under_its_name_a_view_has_the_new_filters(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    for make in ("Acme", "Bolt"):
        save(officer, "/inventory", "Pumps", f"make={make}")
    page = officer.get("/inventory").text
    assert page.count(">Pumps</a>") == 1
    assert "make=Bolt" in page


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\u200bb"])
def test_a_name_that_is_none_is_refused_and_the_form_comes_back(world, name):  # noqa: F811  the fixture
    answer = save(viewer(world, "p-privacy"), "/inventory", name, "make=Acme")
    assert answer.status_code == 400
    assert 'value="make=Acme"' in answer.text
    assert "no patient data" in answer.text


def test_a_name_is_never_markup_and_a_view_never_leads_away(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    save(officer, "/inventory", "<b>x</b>", "make=%22%3E%3Cscript%3E")
    page = officer.get("/inventory").text
    assert "<b>x" not in page
    assert "<script>" not in page.partition("<main")[2]
    assert save(officer, "//evil.example", "x", "make=Acme").status_code == 400


def test_a_renamed_view_does_not_take_anothers_name(world):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    for name in ("One", "Two"):
        save(officer, "/inventory", name, f"make={name}")
    answer = post(
        officer, f"/views/{ids(officer.get('/views').text)[1]}", "/views", verb="change", name="One"
    )
    assert answer.status_code == 400
    assert "another view of yours has it" in answer.text


def test_nobody_saves_without_end(world, monkeypatch):  # noqa: F811  the fixture
    monkeypatch.setattr(saved, "OF_ONE_MAX", 2)
    officer = viewer(world, "p-privacy")
    answers = [save(officer, "/inventory", f"n{n}", f"make={n}").status_code for n in range(3)]
    assert answers == [303, 303, 400]


def test_what_an_address_says_beside_filters_is_none():
    assert filters("make=Acme&after=1%7Cx&did=assign&search=&unit=ICU") == "make=Acme&unit=ICU"
    assert filters("&".join(f"a{n}=1" for n in range(99))) == ""


def test_however_many_others_share_ones_own_are_there(world, monkeypatch):  # noqa: F811  the fixture
    monkeypatch.setattr(saved, "SHOWN_MAX", 2)
    officer, auditor = viewer(world, "p-privacy"), viewer(world, "p-auditor")
    for name in ("A", "B", "C"):
        save(auditor, "/inventory", name, "make=Acme", shared="yes")
    save(officer, "/inventory", "Zebra", "make=Bolt")
    assert "Zebra" in officer.get("/views").text
    assert "Zebra" in officer.get("/inventory").text
