"""Promises of My devices, My requests and Something went wrong, over a real keeper: own values, a copy, a report."""

import re
import shutil
import subprocess
import threading
import time
from dataclasses import replace

import orjson
import pytest
from fhir.resources.R4B.bundle import Bundle
from starlette.responses import Response
from tests.unit.vault.keeper.test_portal import records
from tests.unit.vault.keeper.test_portal_choosing import says
from tests.unit.web.portal.own_data import oru, sealing
from tests.unit.web.portal.real import house_of, window

from oathward import ledger
from oathward.consent.model import statement
from oathward.core.db import write
from oathward.ledger import Record
from oathward.vault.keeper.portal import requests as copies
from oathward.web.portal.copying import paper, source
from oathward.web.portal.pages import requests as page

NEEDS_PDF = pytest.mark.skipif(
    not paper.here() or shutil.which("pdftotext") is None, reason="needs WeasyPrint and poppler-utils"
)


def poppler(program, pdf, *more):
    """What another program reads of a PDF."""
    return subprocess.run([program, "-", *more], input=pdf, capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with house_of(tmp_path_factory.mktemp("own") / "site") as found, sealing(found) as keep:
        keep(oru("nobodys", "20291231235000", name="Other^Person"), 9, subject="subject-of-another")
        for number in range(12):
            minutes = 200 - 10 * number
            hours, left = divmod(24 * 60 - minutes, 60)
            at = f"20291231{hours:02d}{left:02d}00"
            keep(oru(70 + number, at, flag="H" if number == 11 else ""), minutes)
        keep(oru("97", "20291231233000", code="150456^MDC_PULS_OXIM_SAT_O2^MDC", unit="%"), 30)
        keep(b"MSH|garbage", 5)
        found.keep = keep
        yield found


@pytest.fixture(scope="module")
def patient(house):
    with window(house) as found:
        yield found


@pytest.fixture(scope="module")
def proxy(house, patient):
    with window(house, address="friend@example.org", basis="wish", scope=("see", "request")) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_waits(house):
    house.keeper.store.rows("DELETE FROM copy_request")
    house.keeper.store.rows("DELETE FROM holder_opening")


def asked(patient):
    """Ask for a copy; gives its address."""
    form = patient.form("/requests") | {"once": f"once {patient.asked}"}
    answer = patient.send("/requests", form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def fetched(patient, address, form):
    return patient.send(f"{address}/{form}", patient.form(address))


def test_my_devices_show_own_values_in_plain_words_with_trend_gap_and_a_calm_flag(house, patient):
    text = patient.get("/devices").text
    assert "Heart rate" in text
    assert "Oxygen in your blood" in text
    assert "<strong>81</strong> /min" in text
    assert "(in the words of the device)" not in text
    assert "The lowest was 70 and the highest was 81." in text
    assert '<svg class="trend"' in text
    assert "A mark does not have to mean that something is wrong." in text
    assert "nothing has come since" in text
    assert "There is one more message that we can not show here." in text
    assert "nobodys" not in text
    assert records(house, "keeper.opened")[-1]["purpose"] == "PATRQT"


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A patient with a monitor that sends every few seconds, and others that send now and then."""
    with house_of(tmp_path_factory.mktemp("busy") / "site") as found, sealing(found) as keep:
        for number in range(260):
            keep(oru(60 + number % 9, "20291231235000"), number / 20, device="chatty")
        weight = {"code": "29463-7^Korpergewicht^LN", "unit": "kg"}
        keep(oru("62.5", "20291231120000", **weight), 700, device="scale")
        keep(oru("7", "20291231110000", code="12-X^Zeugs^99ACME", unit=""), 800, device="other")
        with window(found) as patient:
            yield patient


def test_one_that_sends_often_hides_no_other(busy):
    text = busy.get("/devices").text
    assert "Weight" in text
    assert "<strong>62.5</strong> kg" in text
    assert text.count("There may be older ones too.") == 1, "of the one that sends often alone"
    assert len(re.findall(r'<section class="value">', text)) == 3


def test_a_name_is_in_the_viewers_language_by_its_code_and_a_devices_own_words_are_marked(busy):
    busy.client.get("/language/es?to=/devices")
    try:
        text = busy.get("/devices").text
        copy = fetched(busy, asked(busy), "page").text
    finally:
        busy.client.get("/language/en?to=/")
    for page_of in (text, copy):
        assert "Peso" in page_of
        assert "Korpergewicht" not in page_of
        assert "62,5" in page_of
        assert '<span lang="">Zeugs</span> <small>(con las palabras del aparato)</small>' in page_of


def test_a_value_stands_in_no_address_and_no_record(house, patient):
    text = patient.get("/devices").text
    for address in re.findall(r'(?:href|action|src)="([^"]*)"', text):
        assert not re.search(r"\b8[01]\b", address), address
    assert '"81"' not in str(records(house, "keeper.opened", "portal.requested", "portal.fetched"))


def test_a_proxy_is_shown_nothing_that_is_not_known_to_be_shown(house, proxy):
    text = proxy.get("/devices").text
    assert "No device has sent a value in the last 30 days." in text
    assert "81" not in re.sub(r"<[^>]*>", "", text)


def test_who_looks_very_often_is_asked_to_wait_and_staff_is_not(house, patient):
    most = house.settings.portal.openings_per_hour_max
    now = house.keeper.now_us()
    rows = [(now, one) for (one,) in house.keeper.store.rows("SELECT id FROM holder") for _ in range(most)]
    house.keeper.store.many("INSERT INTO holder_opening VALUES (?, ?)", rows)
    answer = patient.get("/devices")
    assert (answer.status_code, "please wait an hour" in answer.text) == (429, True)


def test_a_copy_is_a_bundle_that_another_reader_takes_with_every_value(house, patient):
    answer = fetched(patient, asked(patient), "bundle")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    assert answer.headers["cache-control"].startswith("no-store")
    assert re.fullmatch(
        r'attachment; filename="my-health-data-2030-01-01\.json"', answer.headers["content-disposition"]
    )
    found = Bundle.model_validate_json(answer.content)
    kinds = [entry.resource.get_resource_type() for entry in found.entry]
    assert kinds[0] == "Patient"
    assert {"Provenance", "AuditEvent", "Observation", "OperationOutcome"} <= set(kinds)
    values = [
        e["resource"]
        for e in orjson.loads(answer.content)["entry"]
        if e["resource"]["resourceType"] == "Observation"
    ]
    assert sorted(one["valueQuantity"]["value"] for one in values) == [*range(70, 82), 97]
    urls = {e["fullUrl"] for e in orjson.loads(answer.content)["entry"]}
    assert all(one["subject"]["reference"] in urls for one in values)
    assert len(urls) == len(kinds), "each entry has an address of its own"
    assert b"nobodys" not in answer.content


def test_a_readable_page_sums_up_what_the_file_holds(house, patient):
    answer = fetched(patient, asked(patient), "page")
    assert answer.status_code == 200
    for words in (
        "There are 13 values in this copy.",
        "The lowest is 70 and the highest is 81 /min.",
        "Rosa Quintana",
    ):
        assert words in answer.text
    assert '<html lang="en">' in answer.text
    listed = re.findall(r"<td>(\d+) /min</td>", answer.text)
    assert listed == [str(value) for value in range(81, 71, -1)], "the newest ten, newest first"


def test_what_the_patient_allows_is_in_their_own_copy_and_not_in_a_proxys(house, patient, proxy):
    said = statement(permit=False, purposes=("*",), recipients=("house",), classes=("*",))
    says(house, replace(said, fact=replace(said.fact, labels=frozenset({"HIV"}))))
    mine, theirs = (fetched(one, asked(one), "bundle").content for one in (patient, proxy))
    assert b"HIV" in mine
    assert b'"Consent"' in mine
    assert b"HIV" not in theirs
    assert b'"Consent"' not in theirs
    assert b"What the patient allows is in a copy for the patient alone." in theirs


def test_what_fhir_cannot_say_of_what_the_patient_allows_is_said_in_words_beside_what_it_can(house, patient):
    fine = statement(permit=False, purposes=("*",), recipients=("house",), classes=("*",))
    fine = replace(fine, fact=replace(fine.fact, labels=frozenset({"HIV"})), source="paper fine")
    odd = statement(permit=False, purposes=("TREAT",), recipients=("house",), classes=("*",))
    says(house, fine, replace(odd, source="paper odd"))
    content = fetched(patient, asked(patient), "bundle").content
    assert b'"Consent"' in content
    Bundle.model_validate_json(content)
    outcomes = [
        entry["resource"]
        for entry in orjson.loads(content)["entry"]
        if entry["resource"]["resourceType"] == "OperationOutcome"
    ]
    told = [issue["diagnostics"] for one in outcomes for issue in one["issue"]]
    (words,) = [one for one in told if one.startswith("A no")]
    assert words.startswith("A no for TREAT, to house is no Consent in this Bundle")
    text = fetched(patient, asked(patient), "page").text
    assert "One thing you said about your data could not be put into the file" in text
    assert "You said no to something." in text
    says(house, fine)
    assert b"is no Consent in this Bundle" not in fetched(patient, asked(patient), "bundle").content
    assert "You said no to something." not in fetched(patient, asked(patient), "page").text


@pytest.mark.parametrize("named", [True, False])
def test_a_copy_names_staff_where_the_site_does(house, patient, monkeypatch, named):
    body = {"basis": "unit", "first": "", "last": "", "opened": 1, "person": "p-privacy", "purpose": "TREAT"}
    with write(house.keeper.engine) as db:
        leaf = ledger.prepare(Record("keeper.opened", body, house.keeper.now_us(), house.subject))
        ledger.append(db, house.keeper.site, [leaf])
    monkeypatch.setattr(source.people, "names", lambda *_: {"p-privacy": "Zebulonova"})
    settings = replace(house.settings, portal=replace(house.settings.portal, staff_names=named))
    monkeypatch.setattr(house, "settings", settings)
    with window(house, new=False) as there:
        for form in ("bundle", "page"):
            told = fetched(there, asked(there), form).text
            assert ("Zebulonova" in told) is named
            assert "p-privacy" not in told


@NEEDS_PDF
def test_the_pdf_is_tagged_has_own_values_and_fetches_nothing(house, patient):
    answer = fetched(patient, asked(patient), "pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    said = poppler("pdfinfo", answer.content)
    assert re.search(r"Tagged: +yes", said)
    assert re.search(r"JavaScript: +no", said)
    text = poppler("pdftotext", answer.content, "-")
    for words in ("Rosa Quintana", "Heart rate", "81 /min", "Oxygen in your blood"):
        assert words in text


@NEEDS_PDF
def test_the_maker_of_pdf_is_refused_every_address(tmp_path):
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"><text y="20">Zebulonova</text></svg>')
    made = paper.pdf_of(
        f'<html lang="en"><title>x</title><p>Here</p><img alt="a" src="{secret.as_uri()}"></html>'
    )
    text = poppler("pdftotext", made, "-")
    assert "Here" in text
    assert "Zebulonova" not in text


def test_without_a_maker_of_pdf_the_page_says_so_and_nothing_is_used_up(house, patient, monkeypatch):
    address = asked(patient)
    monkeypatch.setattr(paper, "here", lambda: False)
    assert "/pdf" not in patient.get(address).text
    answer = fetched(patient, address, "pdf")
    assert (answer.status_code, "We can not make this kind of file here." in answer.text) == (501, True)
    assert "You can get it 5 more times." in patient.get(address).text


def test_a_maker_that_fails_is_said_in_one_line(house, patient, monkeypatch):
    monkeypatch.setattr(paper.sys, "executable", "/bin/false")
    answer = fetched(patient, asked(patient), "pdf")
    assert (answer.status_code, "We can not make this kind of file here." in answer.text) == (501, True)


def test_a_link_is_its_holders_alone_ends_and_all_that_is_wrong_is_one_answer(house, patient, proxy):
    mine, theirs = asked(patient), asked(proxy)
    used = asked(patient)
    for _ in range(copies.FETCHES_MAX):
        assert fetched(patient, used, "bundle").status_code == 200
    token = patient.form("/requests")
    answers = {
        (answer.status_code, re.sub(r'value="\w+"', "", answer.text).replace(address, ""))
        for address in (theirs, used, "/requests/guess", "/requests/" + "x" * 60)
        for answer in (patient.send(f"{address}/bundle", token),)
    }
    answers = {
        (status, re.sub(r"/requests/[\w-]*(/bundle)?", "", re.sub(r"%2F[\w%-]*", "", text)))
        for status, text in answers
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404
    assert proxy.get(mine).status_code == 404


def test_only_so_many_stand_and_the_page_says_what_to_do(house, patient):
    for _ in range(copies.STANDING_MAX):
        asked(patient)
    answer = patient.send("/requests", patient.form("/requests") | {"once": "one more"})
    assert (answer.status_code, "Please use one of those." in answer.text) == (409, True)


def test_looking_at_a_link_uses_nothing_up(house, patient):
    address = asked(patient)
    for _ in range(7):
        assert patient.get(address).status_code == 200
    assert patient.get(f"{address}/bundle").status_code == 405
    assert "You can get it 5 more times." in patient.get(address).text


def test_one_readable_copy_is_made_at_a_time(house, patient, monkeypatch):
    monkeypatch.setattr(page, "WAIT_S", 0.01)
    address = asked(patient)
    with page._ONE:
        answer = fetched(patient, address, "page")
    assert (answer.status_code, "try again in some minutes" in answer.text) == (503, True)


def test_who_waits_for_a_readable_copy_takes_few_threads_from_other_pages(monkeypatch):
    busy = []
    monkeypatch.setattr(page, "_shown", lambda *_, **more: busy.append(more["status"]))
    monkeypatch.setattr(page, "_begin", lambda *_: Response())
    threads = [threading.Thread(target=page._readable, args=(None, "page"), daemon=True) for _ in range(20)]
    with page._ONE:
        for one in threads:
            one.start()
        until_s = time.monotonic() + 10
        while len(busy) < 15 and time.monotonic() < until_s:
            time.sleep(0.01)
        assert busy == [503] * 15, "five have a place, of whom none has its turn"
    for one in threads:
        one.join(10)
    assert len(busy) == 15
    assert page._PLACES._value == page.WAITING_MAX + 1


def test_more_than_a_copy_holds_is_said_in_the_page_and_in_the_file(house, patient, monkeypatch):
    monkeypatch.setattr(copies, "MESSAGES_MAX", 3)
    assert "There are older data that are not in this copy." in fetched(patient, asked(patient), "page").text
    found = orjson.loads(fetched(patient, asked(patient), "bundle").content)
    (said,) = [e["resource"] for e in found["entry"] if e["resource"]["resourceType"] == "OperationOutcome"]
    assert "Older messages" in said["issue"][0]["diagnostics"]


def test_who_may_only_see_has_no_requests(house):
    with window(house, address="look@example.org", basis="wish", scope=("see",)) as only:
        assert only.get("/requests").status_code == 404
        assert 'href="/requests"' not in only.get("/").text


def test_a_report_is_sent_read_by_staff_and_comes_to_something(house, patient):
    form = patient.form("/wrong?kind=looked")
    answer = patient.send("/wrong", form | {"kind": "looked", "words": "Who is this?", "once": "w1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/wrong#sent")
    assert "We got it. No one has read it yet." in patient.get("/wrong").text
    (waiting,) = house.app.asks.reports(house.staff, waiting=True)
    _, words = house.app.asks.opened(waiting.id, house.staff)
    assert words.reveal() == "Who is this?"
    assert "Someone is looking at it now." in patient.get("/wrong").text
    house.app.asks.settle(waiting.id, "explained", house.staff)
    text = patient.get("/wrong").text
    assert "It is as it should be." in text
    assert "Who is this?" not in text, "words are not shown again"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"words": "x"}, "Please choose what it is about."),
        ({"kind": "data", "words": " "}, "Please tell us in a few words."),
    ],
)
def test_a_form_that_is_not_whole_comes_back_with_its_words(house, patient, fields, said):
    answer = patient.send("/wrong", patient.form("/wrong") | fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert fields["words"].strip() in answer.text


def test_a_report_about_a_record_of_somebody_else_is_not_taken(house, patient):
    form = patient.form("/wrong") | {"kind": "looked", "words": "x", "about": "0"}
    assert patient.send("/wrong", form).status_code == 404


def test_in_spanish_everything_is_spanish(house, patient):
    patient.client.get("/language/es?to=/devices")
    try:
        for path, words in (
            ("/devices", "Latidos del corazón"),
            ("/requests", "Quiero una copia"),
            ("/wrong", "Algo salió mal"),
        ):
            assert words in patient.get(path).text
    finally:
        patient.client.get("/language/en?to=/")


def test_after_the_access_has_ended_the_link_is_gone(house):
    with window(house, address="gone@example.org", basis="wish") as going:
        address = asked(going)
        given = [one for one in house.app.portal.given(house.subject, house.staff) if one.basis == "wish"]
        for one in given:
            if one.standing == "in-force":
                house.app.portal.end(one.access, "staff", house.staff)
        answer = going.get(address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
