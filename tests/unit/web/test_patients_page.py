"""Promises of the Patient page: a clinician sees what devices told of whom they care for; others see that there is no such page."""

import re
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient
from tests.care import adt, peopled, person
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.app import build
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.web.frame import create

BASE = "http://127.0.0.1:2579"
HERE = Peer("127.0.0.1", None, ())
PEOPLE = [
    (person("p-nurse", units={"HOSP|ICU"}), [Role.CLINICIAN]),
    (person("p-ward", units={"HOSP|WARD"}), [Role.CLINICIAN]),
    (person("p-privacy"), [Role.PRIVACY_OFFICER]),
    (person("p-integration"), [Role.INTEGRATION_ENGINEER]),
    (person("p-auditor"), [Role.AUDITOR]),
    (person("p-admin"), [Role.ADMINISTRATOR]),
    (person("p-vendor", makes={"Acme"}), [Role.VENDOR_USER]),
]


@contextmanager
def opened(folder, more=""):
    """A site with people, a monitor and a recipient, and its console; ``more``: settings."""
    site = Site.make(folder, more="[keeper]\nopenings_per_person_per_hour_max = 1000\n" + more)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, PEOPLE) as found:
        app = build(site.settings, "app", become_keeper=False)
        found.web = create(app)
        yield found
        app.keeper.close()
        app.engine.dispose()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("s")) as found:
        yield found


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}".upper()


def take(world, raw):
    prepared = handle(world.gate, Arrival(uuid7(), raw, HERE, world.gate.now_us(), HL7V2))
    commit_group(world.gate, [prepared])
    assert world.gate.trouble == "", world.gate.trouble
    world.gate.refresh()
    return prepared.message


def now(world, minutes_ago=0):
    from datetime import timedelta

    return f"{world.gate.clock.now() - timedelta(minutes=minutes_ago):%Y%m%d%H%M%S}+0000"


def measured(world, mrn, value, minutes_ago, *, flag=""):
    at = now(world, minutes_ago)
    raw = oru(
        f"{mrn}-{value}-{minutes_ago}", mrn=mrn, value=str(value), name="Zebulonova^Quixotella"
    ).decode()
    raw = raw.replace("20260504081500+0000", at).replace("MDC|||||R", f"MDC||{flag}|||R")
    return take(world, raw.encode())


def viewer(world, who, **more):
    client = TestClient(world.web, base_url=BASE, follow_redirects=False)
    if who:
        client.cookies.set("oathward_2579", world.enter(who, **more)["session"])
    return client


def token_of(page):
    return re.search(r'name="token" value="([0-9a-f]{64})"', page).group(1)


def post(client, path, form_on, **fields):
    token = token_of(client.get(form_on).text)
    return client.post(path, data={"token": token, **fields}, headers={"origin": BASE})


@pytest.fixture
def patient(world, mrn):
    """Somebody in the ICU with an hour of values and a gap in it, and an alarm."""
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    for minutes_ago in (60, 59, 58, 57, 56, 30, 29, 28, 2, 1):
        last = measured(world, mrn, 60 + minutes_ago, minutes_ago, flag="H" if minutes_ago == 1 else "")
    alarm = (
        f"MSH|^~\\&|MON1|WARD|OATHWARD|SITE|{now(world)}||ORU^R40^ORU_R40|AL{mrn}|P|2.6\r"
        f"PID|1||{mrn}^^^HOSP^MR||Zebulonova^Quixotella||19310203|F\r"
        f"OBR|1|||196616^MDC_EVT_ALARM^MDC|||{now(world, 3)}\r"
        "OBX|1|ST|196670^MDC_EVT_LO^MDC|1.1.1.1|Saturation low||||||F\r"
        "OBX|2|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.1.1.3|start||||||F\r"
        "OBX|3|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.1.1.6|PH||||||F\r"
    )
    take(world, alarm.encode())
    return SimpleNamespace(subject=subject, mrn=mrn, message=last.id)


def test_a_clinician_finds_the_patient_and_sees_values_trend_alarm_and_gaps(world, patient):
    nurse = viewer(world, "p-nurse")
    listed = nurse.get("/patients")
    assert f"/patients/{patient.subject}" in listed.text
    found = post(nurse, "/patients/find", "/patients", number=patient.mrn, authority="HOSP", purpose="TREAT")
    assert (found.status_code, found.headers["location"]) == (303, f"/patients/{patient.subject}")
    page = nurse.get(found.headers["location"])
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    assert "Quixotella Zebulonova" in text
    assert "1931-02-03" in text
    assert "Heart rate (ECG)" in text
    assert re.search(r"Heart rate \(ECG\) 61 /min", text), text
    assert page.text.count('class="trend"') == 1
    path = re.search(r'class="trend".*?<path d="(M[^"]+)"/>', page.text).group(1)
    assert re.search(r"Trend, last (1 h|1 h \d min|59 min 5\d s) ", text), (
        "the span there is data of, not the one asked for"
    )
    assert path.count("M") == 3, "three runs, two gaps: nothing is drawn where nothing came"
    assert text.count("nothing from") == 2
    assert "Saturation low" in text
    assert "PH" in text
    assert "mon-1" in text
    assert "they are at your unit (HOSP|ICU)" in text


def test_no_value_stands_in_an_address_or_a_record(world, patient):
    nurse = viewer(world, "p-nurse")
    page = nurse.get(f"/patients/{patient.subject}")
    addresses = " ".join(re.findall(r'(?:href|action|hx-get)="([^"]*)"', page.text))
    assert patient.subject in addresses
    for word in (patient.mrn, "Zebulonova", "Quixotella", "19310203", "1931-02-03"):
        assert word not in addresses
        assert word.encode() not in b"".join(
            bytes(body, "utf8") if isinstance(body, str) else body
            for (body,) in world.site.rows("SELECT body FROM ledger_record WHERE body IS NOT NULL")
        )


def test_names_of_those_in_ones_care_are_shown_when_asked_for_and_recorded(world, patient):
    nurse, ward = viewer(world, "p-nurse"), viewer(world, "p-ward")
    assert "Zebulonova" not in nurse.get("/patients").text
    named = post(nurse, "/patients/names", "/patients")
    assert named.status_code == 200
    assert "Quixotella Zebulonova" in named.text
    assert patient.mrn in named.text
    record = world.site.records("keeper.opened")[-1]
    assert (record["body"]["person"], record["body"]["basis"]) == ("p-nurse", "unit")
    subjects = {r["subject"] for r in world.site.records("keeper.opened")}
    assert patient.subject in subjects
    assert "Zebulonova" not in post(ward, "/patients/names", "/patients").text
    opened = world.app.patients.open_ward([patient.subject, uuid7()], "TREAT", world.enter("p-ward"))
    assert opened == (), "whoever is not cared for is left out, like whoever never was"


@pytest.mark.parametrize("path", ["/patients/names", "/patients/find"])
def test_an_answer_loaded_anew_leads_to_the_form(world, path):
    answer = viewer(world, "p-nurse").get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers.get("location")) == (303, "/patients")
    assert viewer(world, "p-admin").get(path, follow_redirects=False).status_code == 404


@pytest.mark.parametrize("who", ["p-privacy", "p-integration", "p-auditor", "p-admin"])
def test_nobody_else_is_shown_names(world, who):
    other = viewer(world, who)
    token = token_of(other.get("/").text)
    answer = other.post("/patients/names", data={"token": token}, headers={"origin": BASE})
    assert answer.status_code == 404


WHO_ELSE = ("p-ward", "p-privacy", "p-integration", "p-auditor", "p-admin", "p-vendor")


@pytest.mark.parametrize("who", WHO_ELSE)
def test_to_others_there_is_no_such_page(world, patient, who):
    other = viewer(world, who)

    def seen(path):
        answer = other.get(path)
        body = re.sub(r"<time[^>]*>[^<]*</time>|\d{2}:\d{2}:\d{2}", "", answer.text)
        return answer.status_code, body.replace(patient.subject, "?").replace(absent, "?")

    absent = uuid7()
    assert seen(f"/patients/{patient.subject}") == seen(f"/patients/{absent}")
    assert seen(f"/patients/{patient.subject}")[0] == 404
    assert seen(f"/patients/{patient.subject}/still") == seen(f"/patients/{absent}/still")
    assert "Zebulonova" not in seen(f"/patients/{patient.subject}")[1]


def test_a_number_of_somebody_elses_patient_looks_like_nobodys(world, patient):
    ward = viewer(world, "p-ward")
    found = post(ward, "/patients/find", "/patients", number=patient.mrn, authority="HOSP", purpose="TREAT")
    absent = post(ward, "/patients/find", "/patients", number="1", authority="HOSP", purpose="TREAT")
    assert found.status_code == absent.status_code == 200
    assert "Nobody in your care has this number" in found.text
    assert patient.mrn not in found.text
    clean = re.compile(r"<time[^>]*>[^<]*</time>|<p class=\"asof\".*?</p>", re.DOTALL)
    assert clean.sub("", found.text) == clean.sub("", absent.text)


def test_an_open_page_is_told_that_care_ended_and_the_next_request_finds_nothing(world, patient):
    nurse = viewer(world, "p-nurse")
    path = f"/patients/{patient.subject}"
    assert nurse.get(path).status_code == 200
    before = nurse.get(f"{path}/still?than={patient.message}")
    assert "hx-retarget" not in before.headers
    measured(world, patient.mrn, 99, 0)
    assert "new" in nurse.get(f"{path}/still?than={patient.message}").text
    take(world, adt("A03", said=now(world), mrn=patient.mrn))
    ended = nurse.get(f"{path}/still?than={patient.message}")
    assert ended.headers["hx-retarget"] == "#main"
    assert "Your access ended" in ended.text
    assert nurse.get(path).status_code == 404
    assert f"/patients/{patient.subject}" not in nurse.get("/patients").text


def test_looking_whether_one_may_stay_opens_nothing(world, patient):
    nurse = viewer(world, "p-nurse")
    before = world.keeper.store.one("SELECT COUNT(*) FROM opening")
    for _ in range(3):
        nurse.get(f"/patients/{patient.subject}/still")
    assert world.keeper.store.one("SELECT COUNT(*) FROM opening") == before


def test_the_content_of_a_message_is_opened_by_a_form_alone(world, patient):
    nurse = viewer(world, "p-nurse")
    path = f"/messages/{patient.message}/content"
    asked = nurse.get(path)
    assert asked.status_code == 200
    assert "Zebulonova" not in asked.text
    shown = post(nurse, path, path, purpose="TREAT")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown.text))
    assert "PID-5 name Zebulonova^Quixotella" in text
    assert "OBX-5 value 61" in text
    assert nurse.post(path, data={"purpose": "TREAT"}, headers={"origin": BASE}).status_code == 403, (
        "no token"
    )


@pytest.mark.parametrize(
    ("who", "status"), [("p-ward", 404), ("p-auditor", 404), ("p-admin", 404), ("p-vendor", 404)]
)
def test_content_that_one_may_not_open_is_not_there(world, patient, who, status):
    other = viewer(world, who)
    got, absent = (other.get(f"/messages/{id_}/content") for id_ in (patient.message, uuid7()))
    assert got.status_code == absent.status_code == status


def test_an_engineer_opens_for_operations_with_a_reason_and_never_for_treatment(world, patient):
    engineer = viewer(world, "p-integration")
    path = f"/messages/{patient.message}/content"
    assert engineer.get(f"{path}?purpose=TREAT").status_code == 404
    assert post(engineer, path, path, purpose="HOPERAT").status_code == 400
    shown = post(engineer, path, path, purpose="HOPERAT", reason="held without end")
    assert shown.status_code == 200
    assert "Zebulonova" in shown.text
    assert post(engineer, path, path, purpose="TREAT", reason="x").status_code == 404


def test_above_the_limit_one_asks_and_another_person_allows(world, patient, monkeypatch):
    import dataclasses

    keeper = dataclasses.replace(world.keeper.settings.keeper, openings_per_person_per_hour_max=1)
    monkeypatch.setattr(world.keeper, "settings", dataclasses.replace(world.keeper.settings, keeper=keeper))
    world.keeper.store.rows("DELETE FROM opening")
    world.keeper.store.rows("DELETE FROM opening_ask")
    nurse, privacy = viewer(world, "p-nurse"), viewer(world, "p-privacy")
    path = f"/patients/{patient.subject}"
    assert nurse.get(path).status_code == 200
    full = nurse.get(path)
    assert full.status_code == 429
    assert "Zebulonova" not in full.text
    assert post(nurse, "/openings/ask", "/patients", reason="a full ward").status_code == 200
    assert nurse.get("/openings").status_code == 404, "who opens is not who allows"
    waiting = privacy.get("/openings")
    assert "a full ward" in waiting.text
    id_ = re.search(r'name="id" value="([^"]+)"', waiting.text).group(1)
    assert post(privacy, "/openings/allow", "/openings", id=id_).status_code == 303
    assert nurse.get(path).status_code == 200


def test_without_a_second_factor_or_acting_nothing_opens(world, patient):
    assert viewer(world, "p-nurse", strong=False).get(f"/patients/{patient.subject}").status_code in {
        303,
        404,
    }
    looking = viewer(world, "p-nurse", acts=False).get(f"/patients/{patient.subject}")
    assert looking.status_code == 403
    assert viewer(world, "").get(f"/patients/{patient.subject}").status_code == 303


def called(world, subject, who="p-nurse"):
    """What a patient is called on their own page and on the list of those in one's care: name, birth date, number."""
    nurse = viewer(world, who)
    page = nurse.get(f"/patients/{subject}").text
    row = (
        post(nurse, "/patients/names", "/patients")
        .text.partition(f"/patients/{subject}")[2]
        .partition("</tr>")[0]
    )
    return re.search(r"<h1>([^<]*)", page)[1].strip(), re.findall(r"<td[^>]*>([^<]*)</td>", row)[:3]


@pytest.mark.parametrize("wrong", ["Zebulonava^Quixotela", "Somebody^Else", ""])
def test_a_device_that_writes_a_name_wrongly_renames_nobody(world, mrn, wrong):
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    raw = oru(f"{mrn}-w", mrn=mrn, value="71", name=wrong or "X^Y").replace(
        b"20260504081500+0000", now(world, 1).encode()
    )
    if not wrong:
        raw = raw.replace(b"X^Y", b"")
    assert take(world, raw).subject == subject
    assert called(world, subject) == ("Quixotella Zebulonova", ["Quixotella Zebulonova", "1931-02-03", mrn])


def test_a_new_name_by_the_authority_is_the_patients(world, mrn):
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    take(world, adt("A08", said=now(world, 60), mrn=mrn, name="Neu^Quixotella"))
    assert called(world, subject)[0] == "Quixotella Neu"


def test_where_there_is_no_card_the_newest_message_says_the_name(world, mrn):
    subject = take(world, adt("A02", said=now(world, 70), mrn=mrn)).subject
    assert world.site.rows(f"SELECT 1 FROM subject_card WHERE subject = '{subject}'") == []
    measured(world, mrn, 71, 5)
    assert called(world, subject) == ("Quixotella Zebulonova", ["Quixotella Zebulonova", "1970-01-31", mrn])


def test_a_card_of_another_patient_put_in_its_place_opens_nothing(world, mrn):
    """Who can write the database renames nobody: a card is sealed to its subject and its message."""
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    other = take(world, adt("A01", said=now(world, 70), mrn=f"{mrn[:-1]}X", name="Other^Ada")).subject
    with write(world.gate.engine) as db:
        db.exec_driver_sql(
            "UPDATE subject_card SET (message, key_id, sealed) ="
            f" (SELECT message, key_id, sealed FROM subject_card WHERE subject = '{other}') WHERE subject = '{subject}'"
        )
    page = viewer(world, "p-nurse").get(f"/patients/{subject}")
    assert page.status_code != 200
    assert "Ada" not in page.text
    with write(world.gate.engine) as db:
        db.exec_driver_sql(f"DELETE FROM subject_card WHERE subject = '{subject}'")
