"""Promises of the pages: a clinician learns that something is withheld and no more, breaks the glass, and is reviewed."""

import re

import pytest
from tests.care import adt
from tests.unit.vault.keeper.test_breaking import no, records, says
from tests.unit.web.test_patients_page import BASE, measured, mrn, now, post, take, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.ids import uuid7


@pytest.fixture(autouse=True)
def nothing_stands(world):  # noqa: F811  the fixture
    world.keeper.store.rows("DELETE FROM glass")
    world.keeper.glasses.clear()


@pytest.fixture
def patient(world, mrn):  # noqa: F811  the fixture
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    message = measured(world, mrn, 87, 1).id
    says(world, subject, no())
    return subject, message


def broken(client, subject, **more):
    fields = {"code": "life-threat", "words": "no pulse at all", "minutes": "10", "once": uuid7()} | more
    return post(client, f"/patients/{subject}/glass", f"/patients/{subject}/glass", **fields)


def test_the_page_says_that_something_is_withheld_and_nothing_of_it(world, patient):  # noqa: F811  the fixture
    subject, message = patient
    page = viewer(world, "p-nurse").get(f"/patients/{subject}").text
    assert "Something is withheld." in page
    assert f'href="/patients/{subject}/glass"' in page
    assert "Zebulonova" not in page
    assert ">87<" not in page
    assert "0 messages" not in page
    assert message[:8] not in page.replace(subject, "")
    content = post(
        viewer(world, "p-nurse"),
        f"/messages/{message}/content",
        f"/messages/{message}/content",
        purpose="TREAT",
    )
    assert content.status_code == 200
    assert "Something is withheld." in content.text
    assert "MSH-" not in content.text


def test_news_that_is_withheld_is_not_counted(world, patient, mrn):  # noqa: F811  the fixture
    subject, _ = patient
    nurse = viewer(world, "p-nurse")
    measured(world, mrn, 99, 0)
    assert not re.search(r"\d", nurse.get(f"/patients/{subject}/still?than=").text)


def test_in_two_steps_the_patient_is_there_with_a_banner_on_each_page(world, patient):  # noqa: F811  the fixture
    subject, message = patient
    nurse = viewer(world, "p-nurse")
    assert nurse.get(f"/patients/{subject}/glass").status_code == 200
    answer = broken(nurse, subject)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{subject}")
    page = nurse.get(f"/patients/{subject}").text
    assert ">87<" in page
    assert "Something is withheld." not in page
    content = nurse.get(f"/messages/{message}/content").text
    for text in (page, content):
        assert "The glass is broken for this patient: 10 min left" in text
        assert "Person p-nurse" in text
        assert "Danger to life" in text
        assert "End now" in text
    assert 'http-equiv="refresh"' in page
    assert 'http-equiv="refresh"' not in content, "a form somebody writes in stays"
    glass = re.search(r'name="id" value="([0-9a-f-]{36})"', page)[1]
    assert not nurse.get(f"/patients/{subject}/still?glass={glass}").headers.get("hx-retarget")
    ended = nurse.post(
        f"/patients/{subject}/glass/end",
        data={"token": token_of(page), "id": glass},
        headers={"origin": BASE},
    )
    assert ended.status_code == 303
    assert "Something is withheld." in nurse.get(f"/patients/{subject}").text
    over = nurse.get(f"/patients/{subject}/still?glass={glass}")
    assert (over.headers["hx-retarget"], "The glass is closed" in over.text) == ("#main", True)


def test_what_is_opened_goes_with_the_glass_and_is_not_opened_again_for_it(world, patient):  # noqa: F811  the fixture
    subject, message = patient
    nurse = viewer(world, "p-nurse")
    broken(nurse, subject)
    address = f"/messages/{message}/content"
    shown = post(nurse, address, address, purpose="TREAT").text
    assert "MSH-" in shown
    leads = re.search(r'http-equiv="refresh" content="(\d+); url=([^"]+)"', shown)
    assert 0 < int(leads[1]) <= 601
    opened = len(records(world, "keeper.opened"))
    still = nurse.get(leads[2]).text
    assert "MSH-" not in still
    assert "The glass is closed" not in still, "it stands"
    page = nurse.get(f"/patients/{subject}").text
    opened += 1  # the patient's page is an opening
    glass = re.search(r'name="id" value="([0-9a-f-]{36})"', page)[1]
    nurse.post(
        f"/patients/{subject}/glass/end",
        data={"token": token_of(page), "id": glass},
        headers={"origin": BASE},
    )
    assert "The glass is closed" in nurse.get(leads[2]).text
    assert len(records(world, "keeper.opened")) == opened


@pytest.mark.parametrize(
    "wrong", [{"code": "x"}, {"words": " "}, {"minutes": "61"}, {"minutes": "0"}, {"minutes": "x"}]
)
def test_a_form_that_lacks_something_says_so_and_breaks_nothing(world, patient, wrong):  # noqa: F811  the fixture
    subject, _ = patient
    nurse = viewer(world, "p-nurse")
    answer = broken(nurse, subject, **wrong)
    assert answer.status_code == 400
    assert "Something is missing" in answer.text
    assert not world.keeper.store.rows("SELECT 1 FROM glass")


@pytest.mark.parametrize("who", ["p-ward", "p-privacy", "p-auditor", "p-admin", "p-vendor", "p-integration"])
def test_to_others_the_form_of_a_patient_and_of_nobody_look_the_same(world, patient, who):  # noqa: F811  the fixture
    subject, _ = patient
    client = viewer(world, who)

    def seen(one):
        answer = client.get(f"/patients/{one}/glass")
        return answer.status_code, answer.text.replace(one, "X")

    there, absent = seen(subject), seen(uuid7())
    assert there[0] == absent[0] == 404
    blur = re.compile(r"\d\d:\d\d:\d\d|[0-9a-f]{64}")
    assert blur.sub("", there[1]) == blur.sub("", absent[1])


def test_a_privacy_officer_reviews_it_on_the_page(world, patient):  # noqa: F811  the fixture
    subject, _ = patient
    nurse, privacy = viewer(world, "p-nurse"), viewer(world, "p-privacy")
    broken(nurse, subject)
    page = nurse.get(f"/patients/{subject}").text
    glass = re.search(r'name="id" value="([0-9a-f-]{36})"', page)[1]
    nurse.post(
        f"/patients/{subject}/glass/end",
        data={"token": token_of(page), "id": glass},
        headers={"origin": BASE},
    )
    listed = privacy.get("/break-glass").text
    assert f'href="/break-glass/{glass}"' in listed
    assert "no pulse at all" not in listed
    assert "no pulse at all" in privacy.get(f"/break-glass/{glass}").text
    said = post(
        privacy, f"/break-glass/{glass}", f"/break-glass/{glass}", outcome="justified", reason="resuscitated"
    )
    assert said.status_code == 303
    assert "resuscitated" in privacy.get("/break-glass?state=all").text
    assert records(world, "breakglass.looked")
    assert nurse.get("/break-glass").status_code == 404
    assert nurse.get(f"/break-glass/{glass}").status_code == 404
    assert viewer(world, "p-auditor").get("/break-glass").status_code == 200


def test_what_waits_is_on_the_first_page(world, patient):  # noqa: F811  the fixture
    subject, _ = patient
    broken(viewer(world, "p-nurse"), subject)
    from oathward.web import standing

    standing._kept.clear()
    assert "Broken glass" in viewer(world, "p-privacy").get("/").text
