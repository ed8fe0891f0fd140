"""Promises of Access reviews: a reviewer sees pairs with what is on record, reviews them once, in words that no record holds."""

import json

import pytest
from tests.care import adt
from tests.unit.web.test_patients_page import BASE, measured, mrn, now, post, take, token_of, viewer, world  # noqa: F401  fixtures

from oathward.accesses import actions, sql
from oathward.accesses.model import Filters
from oathward.core.db import read, write
from oathward.ledger import Record, append, prepare
from oathward.vault.authority import Seen, trust_anchor

SECRET = "Zebulonova was her neighbour"


@pytest.fixture
def opened(world, mrn):  # noqa: F811  the fixture
    """Two openings of a patient by the ward's nurse, who has no reason, and one by the officer."""
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    measured(world, mrn, 87, 1)
    engine, site = world.gate.engine, world.gate.site
    taken(world)
    at_us = world.gate.now_us()
    body = {"basis": "", "opened": 1, "purpose": "TREAT", "unit": ""}
    who = ("p-ward", "p-ward", "p-privacy")
    records = [Record("keeper.opened", body | {"person": one}, at_us, subject) for one in who]
    with write(engine) as db:
        append(db, site, [prepare(one) for one in records])
    taken(world)
    with read(engine) as db:
        rows = [row for row in sql.rows(db, site, Filters()) if row.at_us == at_us]
    return subject, [row.opening for row in rows]


def taken(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        review_us, now_us = 72 * 3_600_000_000, world.gate.now_us()
        actions.take_in(
            db, world.gate.site, trust_anchor(world.site.settings), Seen(), review_us=review_us, now_us=now_us
        )


def bodies(world):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        return [row[0] for row in db.exec_driver_sql("SELECT body FROM ledger_record")]


def test_a_pair_is_one_line_and_its_openings_are_reviewed_together(world, opened):  # noqa: F811  the fixture
    _, (one, two, own) = opened
    officer = viewer(world, "p-privacy")
    page = officer.get("/accesses").text
    assert f'href="/accesses/{one}"' in page
    assert f'href="/accesses/{own}"' not in page, "one's own is another person's"
    assert "your own: another person reviews it" in page
    shown = officer.get(f"/accesses/{one}").text
    assert "The patient&#39;s stay" in shown
    assert "HOSP|ICU" in shown
    assert f'value="{two}" checked' in shown
    answer = post(
        officer, f"/accesses/{one}", f"/accesses/{one}", outcome="misuse", words=SECRET, also=str(two)
    )
    assert answer.status_code == 303
    assert f'href="/accesses/{one}"' not in officer.get("/accesses").text
    done = officer.get(f"/accesses/{two}").text
    assert SECRET in done
    assert "Misuse: it was nobody&#39;s work" in done
    assert "words.opened" in str(bodies(world)[-1])
    assert not any("Zebulonova" in str(json.loads(body)) for body in bodies(world) if body)
    with read(world.gate.engine) as db:
        kept = sql.one(db, world.gate.site, one).sealed
    assert b"Zebulonova" not in kept
    assert "Access reviews" in officer.get("/").text


def test_nobody_reviews_their_own_and_a_form_that_lacks_something_changes_nothing(world, opened):  # noqa: F811  the fixture
    _, (one, _, own) = opened
    officer = viewer(world, "p-privacy")
    assert "<textarea" not in officer.get(f"/accesses/{own}").text
    answer = post(officer, f"/accesses/{own}", f"/accesses/{one}", outcome="justified", words="mine")
    assert answer.status_code in {403, 409, 404}
    for wrong in ({"outcome": "x", "words": "y"}, {"outcome": "misuse", "words": " "}):
        assert post(officer, f"/accesses/{one}", f"/accesses/{one}", **wrong).status_code == 400
    assert "Nothing was changed" in post(officer, f"/accesses/{one}", f"/accesses/{one}", outcome="").text


def test_it_is_given_to_oneself_and_the_list_is_cut_to_that(world, opened):  # noqa: F811  the fixture
    _, (one, two, _) = opened
    officer = viewer(world, "p-privacy")
    assert post(officer, f"/accesses/{one}/assign", f"/accesses/{one}", to="me").status_code == 303
    mine = officer.get("/accesses?whose=mine").text
    assert f'href="/accesses/{one}"' in mine
    assert f'href="/accesses/{two}"' in officer.get("/accesses?whose=nobody").text
    assert "gave it to" in officer.get(f"/accesses/{one}").text


@pytest.mark.parametrize("who", ["p-nurse", "p-ward", "p-admin", "p-vendor", "p-integration"])
def test_others_have_no_such_page(world, opened, who):  # noqa: F811  the fixture
    client = viewer(world, who)
    assert client.get("/accesses").status_code == 404
    assert client.get(f"/accesses/{opened[1][0]}").status_code == 404


def test_an_auditor_sees_that_they_wait_and_reviews_none(world, opened):  # noqa: F811  the fixture
    client = viewer(world, "p-auditor")
    assert "p-ward" in client.get("/accesses").text
    assert client.get(f"/accesses/{opened[1][0]}").status_code == 404


def test_the_api_lists_and_reviews(world, opened):  # noqa: F811  the fixture
    subject, (one, two, own) = opened
    officer = viewer(world, "p-privacy")
    token = token_of(officer.get(f"/accesses/{one}").text)
    shown = {"oathward-token": token, "origin": BASE}
    found = officer.get(f"/api/v1/accesses?subject={subject}", headers=shown).json()["items"]
    assert [(row["opening"], row["reasons"]) for row in found if row["kind"] == "keeper.opened"] == [(own, []), (two, []), (one, [])]  # fmt: skip
    waits = officer.get("/api/v1/access-reviews?person=p-ward", headers=shown).json()["items"]
    assert {one, two} <= {row["opening"] for row in waits}

    def review(openings, **more):
        body = {"openings": openings, "outcome": "mistake", "words": SECRET} | more
        return officer.post("/api/v1/access-reviews", json=body, headers=shown)

    assert review([one, two]).json() == {"openings": [one, two], "outcome": "mistake"}
    assert review([one]).status_code == 409
    assert review([own]).status_code in {403, 409}
    assert review([10**9]).status_code == 404
    assert review([]).status_code == 400
    made = officer.get("/api/v1/access-reviews?state=reviewed", headers=shown).json()["items"]
    assert {(row["outcome"], row["reviewer"]) for row in made if row["opening"] in (one, two)} == {("mistake", "p-privacy")}  # fmt: skip
