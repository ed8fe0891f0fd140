"""Promises of the emergency page: in two steps a clinician is at a patient nobody assigned to them; the number stands nowhere."""

import re

import pytest
from tests.care import adt
from tests.unit.vault.keeper.test_breaking import no, says
from tests.unit.web.test_patients_page import measured, mrn, now, post, take, viewer, world

from oathward.core.ids import uuid7

__all__ = ["mrn", "world"]


@pytest.fixture(autouse=True)
def nothing_stands(world):
    world.keeper.store.rows("DELETE FROM glass")
    world.keeper.store.rows("DELETE FROM glass_miss")
    world.keeper.glasses.clear()


@pytest.fixture
def patient(world, mrn):
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    message = measured(world, mrn, 87, 1).id
    says(world, subject, no())
    return subject, message


def reached(client, number, **more):
    fields = {"number": number, "authority": "HOSP", "code": "life-threat", "words": "no pulse at all"}
    return post(client, "/emergency", "/emergency", **fields | {"minutes": "10", "once": uuid7()} | more)


def test_in_two_steps_a_patient_of_nobodys_list_is_there_under_the_banner(world, patient, mrn):
    subject, message = patient
    ward = viewer(world, "p-ward")
    assert ward.get(f"/patients/{subject}").status_code == 404
    steps = [ward.get("/emergency"), reached(ward, mrn)]
    assert [one.status_code for one in steps] == [200, 303]
    assert steps[1].headers["location"] == f"/patients/{subject}"
    page = ward.get(f"/patients/{subject}")
    assert page.status_code == 200
    assert ">87<" in page.text
    assert "you reached them in an emergency" in page.text
    assert "The glass is broken for this patient: 10 min left" in page.text
    assert "Something is withheld." not in page.text
    assert ward.get(f"/messages/{message}/content").status_code == 200
    assert ward.get(f"/patients/{subject}/still?than=").status_code == 200
    assert viewer(world, "p-ward").get(f"/patients/{subject}").status_code == 404
    glass = re.search(r'name="id" value="([0-9a-f-]{36})"', page.text)[1]
    assert post(ward, f"/patients/{subject}/glass/end", f"/patients/{subject}", id=glass).status_code == 303
    assert ward.get(f"/patients/{subject}").status_code == 404


def test_a_number_of_nobody_says_so_after_all_of_it_and_is_not_shown_again(world, mrn):
    ward = viewer(world, "p-ward")
    answer = reached(ward, f"{mrn}00")
    assert answer.status_code == 200
    assert "Nobody is here by that number" in answer.text
    assert mrn not in answer.text
    assert "no pulse at all" in answer.text


def test_too_many_numbers_of_nobody_stop_and_say_what_to_do(world, patient, mrn):
    ward = viewer(world, "p-ward")
    for number in range(5):
        assert reached(ward, f"{mrn}{number}").status_code == 200
    answer = reached(ward, mrn)
    assert answer.status_code == 429
    assert "Ask a colleague" in answer.text


@pytest.mark.parametrize(
    "wrong",
    [{"number": " "}, {"number": "x" * 101}, {"authority": ""}, {"code": "other"}, {"words": ""}, {"minutes": "61"}, {"minutes": "²"}],
)  # fmt: skip
def test_a_form_that_lacks_something_looks_for_nobody(world, patient, mrn, wrong):
    ward = viewer(world, "p-ward")
    answer = reached(ward, wrong.pop("number", mrn), **wrong)
    assert answer.status_code == 400
    assert "Something is missing" in answer.text
    assert not world.keeper.store.rows("SELECT 1 FROM glass")
    assert not world.keeper.store.rows("SELECT 1 FROM glass_miss")


@pytest.mark.parametrize("who", ["p-privacy", "p-auditor", "p-admin", "p-vendor", "p-integration"])
def test_others_have_no_such_page(world, who):
    client = viewer(world, who)
    assert client.get("/emergency").status_code in {403, 404}
    assert 'href="/emergency"' not in client.get("/").text


def test_the_way_there_stands_where_somebody_was_not_found(world, mrn):
    ward = viewer(world, "p-ward")
    answer = post(ward, "/patients/find", "/patients", number=f"{mrn}00", authority="HOSP", purpose="TREAT")
    assert 'href="/emergency"' in answer.text
    assert 'href="/emergency"' in ward.get("/").text
