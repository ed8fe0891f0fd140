"""Policies in the console: what is in force, the editor, a proposal from the draft to the version in force, and who may."""

import html
import re

import pytest
from starlette.testclient import TestClient
from tests.unit.policy.test_difference import VENDOR
from tests.unit.proposing.conftest import folder, site  # noqa: F401  fixtures
from tests.unit.proposing.test_proposing import LESS
from tests.unit.web.conftest import BASE, OURS

from oathward import reviewing
from oathward.changes import views
from oathward.core.db import read, write
from oathward.ledger import Record, append, prepare
from oathward.people import sql
from oathward.policy.people import Person as PersonRecord
from oathward.vault.authority import load_all
from oathward.web import typed as kept
from oathward.web.frame import create
from oathward.web.pages import policy_editor

WHY = {"reason": "less for the maker"}


class Person:
    """Somebody signed in, without the ceremony."""

    def __init__(self, people, id_, **how):
        self.people = people
        secret = people.as_(id_, **how)[0]["session"]
        self.client = TestClient(people.app, base_url=BASE, raise_server_exceptions=False)
        self.client.cookies.set("oathward_2579", secret)

    def get(self, path):
        return self.client.get(path, follow_redirects=False)

    def page(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        return html.unescape(answer.text)

    def post(self, path, form=WHY):
        token = re.search(r'name="token" value="(\w+)"', self.get("/policies").text)[1]
        return self.client.post(path, data={**form, "token": token}, headers=OURS, follow_redirects=False)

    def write(self, path, old, new, do="check"):
        """Change one file in the editor."""
        text = re.search(
            r"<textarea[^>]*>\n(.*?)</textarea>", self.get(f"/policies/edit?file={path}").text, re.DOTALL
        )
        whole = html.unescape(text[1])
        assert old in whole
        answer = self.post(
            "/policies/edit/save",
            {"file": path, "text": whole.replace(old, new, 1).replace("\n", "\r\n"), "do": do},
        )
        assert answer.status_code == 303
        return self.page(answer.headers["location"])


@pytest.fixture
def people(site):  # noqa: F811  the fixture
    site.app = create(site.opened)
    site.person = lambda id_, **how: Person(site, id_, **how)
    return site


def proposed(people, person="ines"):
    who = people.person(person)
    who.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"')
    answer = who.post("/policies/edit/propose")
    assert answer.status_code == 303, html.unescape(answer.text)[-3000:]
    return who, answer.headers["location"]


def test_what_is_in_force_is_shown_with_its_policies_and_tests(people):
    text = people.person("audra").page("/policies")
    for words in (
        "starter@1",
        "loaned-devices-stay-inside",
        "a demonstration unit on loan",
        "research without consent",
        "Nothing waits",
        "Maker's telemetry service",
    ):
        assert words in text
    assert "Write a change" not in text, "an auditor has no button for it"
    assert "/policies/back" not in text


def test_from_the_editor_to_the_version_in_force_by_two_people(people):
    ines, address = proposed(people)
    text = ines.page(address)
    assert "Maker's telemetry service will no longer get alarms (ORU^R40)." in text
    assert "Lets less out" in text
    assert "No decision was recorded in this time: t" in text
    assert ines.post(f"{address}/propose", {}).status_code == 303
    assert "Another person approves it." in ines.page(address)
    paul = people.person("paul")
    assert "Approve</button>" in paul.page(address)
    assert paul.post(f"{address}/approve", {}).status_code == 303
    assert people.active().version == 1
    assert "Put it in force" in ines.page(address)
    assert ines.post(f"{address}/activate", {}).status_code == 303
    assert people.active().version == 2
    assert (
        "in force as version 2, now"
        in re.sub(r"<[^>]+>|\s+", " ", ines.page(address)).replace("  ", " ").lower()
    )
    assert "less for the maker" in ines.page("/policies")


def test_a_proposal_shows_its_files_line_by_line(people):
    ines, address = proposed(people)
    page = ines.page(address)
    assert re.search(rf"<summary>{VENDOR} .*changed: 1 line more, 1 line less", page)
    told = re.search(
        r'<pre class="lines" tabindex="0" role="region" aria-label="[^"]+">(.*?)</pre>', page, re.DOTALL
    )[1]
    assert (
        '<del>- message_types = ["ORU^R01", "ORU^R40"]</del>\n<ins>+ message_types = ["ORU^R01"]</ins>'
        in told
    )
    assert "Cut off here" not in page


def test_lines_that_are_not_shown_are_counted(people):
    ines = people.person("ines")
    ines.write(VENDOR, "id =", "# one\n" * 500 + "id =")
    page = ines.page(ines.post("/policies/edit/propose").headers["location"])
    assert re.search(r"Cut off here\.</strong> 10\d more lines of this difference are not shown", page)


def test_ones_own_is_not_approved_whatever_the_page_shows(people):
    paul, address = proposed(people, "paul")
    paul.post(f"{address}/propose", {})
    assert f"{address}/approve" not in paul.page(address)
    answer = paul.post(f"{address}/approve", {})
    assert (answer.status_code, "access.own" in answer.text) == (403, True)


def test_a_proof_that_is_not_fresh_is_asked_for_first(people):
    ines, address = proposed(people)
    ines.post(f"{address}/propose", {})
    answer = people.person("paul", fresh=False).post(f"{address}/approve", {})
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/step-up")


@pytest.mark.parametrize("person", ["clara", "kim"])
@pytest.mark.parametrize(
    "path", ["/policies", "/policies/edit", "/policies/proposals", "{one}", "/policies/proposals/none"]
)
def test_who_may_not_see_policies_sees_what_there_is_not(people, person, path):
    _, address = proposed(people)
    who = people.person(person)
    answer, absent = who.get(path.format(one=address)), who.get("/no-such-page")
    assert (answer.status_code, answer.text) == (
        absent.status_code,
        absent.text.replace("/no-such-page", path.format(one=address)),
    )


def test_mistakes_stand_with_their_lines(people):
    ines = people.person("ines")
    text = ines.write(VENDOR, 'purpose = "HOPERAT"', 'purpose = "FUN"')
    assert "1 mistake" in text
    assert f"{VENDOR}:3" in text
    assert re.search(r"<pre><b>3</b> purpose = \"FUN\"</pre>", text)
    answer = ines.post("/policies/edit/propose")
    assert (answer.status_code, "1 mistake" in answer.text) == (422, True)
    with read(people.opened.engine) as db:
        assert views.proposals(db, people.opened.site) == []
    assert 'purpose = "FUN"' in html.unescape(ines.page(f"/policies/edit?file={VENDOR}")), (
        "what was written is kept"
    )
    assert 'purpose = "FUN"' not in people.person("sara").page(f"/policies/edit?file={VENDOR}"), "and is hers"
    assert ines.post("/policies/edit/start-over", {}).status_code == 303
    assert 'purpose = "FUN"' not in ines.page(f"/policies/edit?file={VENDOR}")


EDITS = [
    ("a file of no use", {"do": "add", "new": "../x"}, 400, "nothing reads this file"),
    ("a file there is", {"do": "add", "new": VENDOR}, 409, "there is one of this name"),
    ("a text too long", {"do": "save", "file": VENDOR, "text": "x" * (policy_editor.TEXT_LENGTH_MAX + 1)}, 400, "longer than"),
    ("a form too long", {"do": "save", "file": VENDOR, "text": "x" * 300_000}, 400, "too long"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "form", "status", "words"), EDITS, ids=[e[0] for e in EDITS])
def test_what_cannot_be_kept_is_said(people, what, form, status, words):
    answer = people.person("ines").post("/policies/edit/save", form)
    assert (answer.status_code, words in html.unescape(answer.text)) == (status, True), answer.text[-600:]


def typed(people, person, **fields):
    """What somebody typed over the maker's link, without pressing *Keep*."""
    whole = people.active_files()[VENDOR].decode().replace('"ORU^R01", "ORU^R40"', '"ORU^R01"')
    return people.person(person), {"file": VENDOR, "text": whole.replace("\n", "\r\n"), **WHY, **fields}


def test_the_editor_is_one_form(people):
    page = people.person("sara").page("/policies/edit")
    form = re.search(r'<form class="editing".*?</form>', page, re.DOTALL)[0]
    for field in ('name="text"', 'name="reason"', 'name="new"', 'name="open"', 'value="emergency"'):
        assert field in form, field
    assert "/policies/edit?file=" not in page, "a link would forget what was typed"


def test_what_was_typed_goes_along_with_show_what_it_changes(people):
    ines, form = typed(people, "ines")
    answer = ines.post("/policies/edit/propose", form)
    assert answer.status_code == 303, html.unescape(answer.text)[-2000:]
    assert "will no longer get alarms (ORU^R40)." in ines.page(answer.headers["location"])


def test_what_was_typed_goes_along_with_the_emergency(people):
    sara, form = typed(people, "sara", do="emergency")
    answer = sara.post("/policies/edit/save", form)
    assert (answer.status_code, answer.headers["location"]) == (307, "/policies/edit/emergency")
    assert "will no longer get alarms" in sara.post("/policies/edit/emergency", form).text


def test_what_was_typed_is_kept_where_the_emergency_asks_for_a_proof(people):
    _, form = typed(people, "sara", do="emergency")
    sara = people.person("sara", fresh=False)
    assert sara.post("/policies/edit/save", form).status_code == 307
    assert sara.post("/policies/edit/emergency", form).headers["location"].startswith("/step-up")
    assert '"ORU^R40"' not in sara.page(f"/policies/edit?file={VENDOR}")


def test_why_is_kept_while_the_emergency_asks_for_a_proof(people):
    _, form = typed(people, "sara", do="emergency")
    sara = people.person("sara", fresh=False)
    address = sara.post("/policies/edit/emergency", form).headers["location"]
    assert address.startswith("/step-up")
    assert "maker" not in address, "words stand in no address"
    field = '<input id="why" name="reason" value="less for the maker"'
    assert field in sara.page("/policies/edit"), "it is there when they come back"
    assert "less for the maker" not in people.person("ines").page("/policies/edit"), "it is nobody else's"
    assert "less for the maker" not in sara.page("/policies"), "nor another form's"
    fresh = people.person("sara")
    assert field in fresh.page("/policies/edit")
    fresh.post("/policies/edit/emergency", {**form, "sure": "yes"})
    assert "less for the maker" not in fresh.page("/policies/edit"), "done, and forgotten"


def test_why_is_kept_where_one_step_back_asks_for_a_proof(people):
    people.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    people.through(LESS)
    paul = people.person("paul", fresh=False)
    assert paul.post("/policies/back").headers["location"].startswith("/step-up")
    assert 'name="reason" required maxlength="200" value="less for the maker"' in paul.page("/policies")


def test_why_is_kept_for_minutes_alone(people, monkeypatch):
    sara = people.person("sara", fresh=False)
    assert sara.post("/policies/edit/emergency").headers["location"].startswith("/step-up")
    assert "less for the maker" in sara.page("/policies/edit")
    monkeypatch.setattr(kept, "KEPT_S", 0)
    assert "less for the maker" not in sara.page("/policies/edit")


def test_what_was_typed_is_kept_where_another_file_is_opened(people):
    ines, form = typed(people, "ines", open="bundle.toml")
    answer = ines.post("/policies/edit/save", form)
    page = html.unescape(answer.text)
    assert (answer.status_code, '<label for="text">bundle.toml</label>' in page) == (200, True)
    assert 'value="less for the maker"' in page, "nor are the words forgotten"
    assert '"ORU^R40"' not in ines.page(f"/policies/edit?file={VENDOR}")


REFUSALS = [
    ("/policies/edit/propose", {"reason": " "}, 400, "say why"),
    ("/policies/edit/emergency", {"reason": " "}, 400, "say why"),
    ("/policies/edit/save", {"do": "add", "new": VENDOR}, 409, "there is one of this name"),
]


@pytest.mark.parametrize(("path", "more", "status", "words"), REFUSALS)
def test_a_refusal_keeps_what_was_typed(people, path, more, status, words):
    sara, form = typed(people, "sara", **more)
    answer = sara.post(path, form)
    page = html.unescape(answer.text)
    assert (answer.status_code, words in page, '<textarea id="text"' in page) == (status, True, True)
    text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1]
    assert text == form["text"].replace("\r\n", "\n") or text == form["text"]
    assert '"ORU^R40"' not in sara.page(f"/policies/edit?file={VENDOR}"), "and it is kept"


def test_what_is_too_long_stands_there_still(people):
    form = {"file": VENDOR, "text": "x" * (policy_editor.TEXT_LENGTH_MAX + 1)}
    answer = people.person("ines").post("/policies/edit/save", form)
    assert (answer.status_code, form["text"] in answer.text, "is not kept yet" in answer.text) == (
        400,
        True,
        True,
    )


@pytest.mark.parametrize("step", ["propose", "emergency"])
def test_the_same_as_what_is_in_force_blames_nobody(people, step):
    sara = people.person("sara")
    page = html.unescape(sara.post(f"/policies/edit/{step}", {**WHY, "sure": "yes"}).text)
    assert "is the same, and in force" in page
    assert "omebody else" not in page.partition('<div class="editor">')[0]
    assert 'value="less for the maker"' in page


@pytest.mark.parametrize(
    ("path", "to"),
    [("/policies/back", "/policies")]
    + [(f"/policies/edit/{one}", "/policies/edit") for one in ("emergency", "propose", "save", "start-over")],
)
def test_an_answer_loaded_anew_leads_to_its_form(people, path, to):
    answer = people.person("ines").get(path)
    assert (answer.status_code, answer.headers.get("location")) == (303, to)
    assert people.person("clara").get(path).status_code == 404


def test_a_file_is_added_and_taken_out(people):
    ines = people.person("ines")
    ines.post("/policies/edit/save", {"do": "add", "new": "links/more.toml"})
    assert 'recipient = ""' in ines.page("/policies/edit?file=links/more.toml")
    ines.post("/policies/edit/save", {"do": "remove", "file": "links/more.toml"})
    assert "links/more.toml" not in ines.page("/policies/edit")


def let_in(people, by, *whom):
    """Bring the first people to the tables, and note who invited whom."""
    opened = people.opened
    with write(opened.engine) as db:
        documents = load_all(db, opened.site, "person", opened.authority, opened.seen)
        rows = [(one, PersonRecord.from_body(one.body)) for one in documents.values()]
        sql.put(db, opened.site, rows, now_us=people.now_us, gone=False)
        records = [Record("account.invited", {"by": by, "person": one}, people.now_us) for one in whom]
        append(db, opened.site, [prepare(record) for record in records])


DOOR = "Adam let both Ines and Paul in to enrol"


def test_who_approves_reads_that_one_person_let_both_in(people):
    let_in(people, "adam", "ines", "paul")
    _, page = proposed(people)
    assert DOOR in people.person("paul").page(page)
    for person in ("sara", "prue"):
        assert "one door" not in people.person(person).page(page), "another door"
    assert DOOR not in people.person("ines").page(page), "who proposes approves nothing, and sees no people"
    people.person("ines").post(f"{page}/propose")
    assert people.person("paul").post(f"{page}/approve").status_code == 303
    assert DOOR in people.person("sara").page(page), "it is about the two, whoever looks"


def test_without_the_invitations_nothing_is_said(people):
    let_in(people, "adam", "ines")
    let_in(people, "sara", "paul")
    _, page = proposed(people)
    assert "one door" not in people.person("paul").page(page)


def test_two_whom_one_person_let_in_are_a_finding_once_they_changed_policy(people):
    let_in(people, "adam", "ines", "paul")
    assert not [one for one in reviewing.run(people.opened).findings if one.rule == "people.one-door"]
    ines, page = proposed(people)
    ines.post(f"{page}/propose")
    people.person("paul").post(f"{page}/approve")
    assert ines.post(f"{page}/activate").status_code == 303
    (one,) = [one for one in reviewing.run(people.opened).findings if one.rule == "people.one-door"]
    assert one.about == "people:ines,paul"
    assert DOOR in people.person("sara").page("/policies/review")


def test_what_is_missing_is_listed_and_blocks(people):
    ines = people.person("ines")
    ines.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01", "ORU^R40", "ORU^R30"')
    address = ines.post("/policies/edit/propose").headers["location"]
    text = ines.page(address)
    assert "An agreement that covers purpose, destination and classes of link vendor-cloud is missing" in text
    assert f'action="{address}/propose"' not in text
    answer = ines.post(f"{address}/propose", {})
    assert (answer.status_code, "proposal.incomplete" in answer.text) == (409, True)


def test_a_note_is_attached_and_given_back_to_be_saved(people):
    ines, address = proposed(people)
    assert ines.post(f"{address}/attach", {"name": "letter", "text": "<b>agreed</b>"}).status_code == 303
    link = re.search(rf"{address}/attached/\w+", ines.page(address))[0]
    answer = ines.get(link)
    assert (answer.content, answer.headers["content-type"]) == (b"<b>agreed</b>", "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert ines.get(f"{address}/attached/{'0' * 64}").status_code == 404


def test_withdrawn_and_refused(people):
    ines, address = proposed(people)
    ines.post(f"{address}/propose", {})
    assert people.person("paul").post(f"{address}/refuse", {"reason": "too much"}).status_code == 303
    assert "refused" in ines.page(address)
    assert "refused" in ines.page("/policies/proposals?state=refused")
    assert "None in this state" in ines.page("/policies/proposals?state=approved")


def test_an_emergency_is_shown_first_and_done_second(people):
    sara = people.person("sara")
    sara.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"')
    first = sara.post("/policies/edit/emergency")
    assert "Put it in force now" in first.text
    assert "will no longer get alarms" in first.text
    assert people.active().version == 1
    answer = sara.post("/policies/edit/emergency", {**WHY, "sure": "yes"})
    assert answer.status_code == 303
    assert people.active().version == 2
    policies = people.person("audra").page("/policies")
    assert "nobody else has looked at" in policies
    assert re.search(r"In force as version 2 since \d{4}-\d\d-\d\d \d\d:\d\d", policies), (
        "with the time, not only a word"
    )
    assert re.search(
        r"In force since \d{4}-\d\d-\d\d \d\d:\d\d", people.person("ines").page(answer.headers["location"])
    )
    address = answer.headers["location"]
    paul = people.person("paul")
    assert "I looked at it and agree" in paul.page(address)
    assert paul.post(f"{address}/approve", {}).status_code == 303
    assert "nobody else has looked at" not in paul.page("/policies")


EVERYBODY = ["adam", "ines", "paul", "sara", "prue", "kim", "audra", "clara"]


def test_an_emergency_in_force_stands_on_everybodys_first_page(people):
    for person in EVERYBODY:
        assert "emergency policy" not in people.person(person).page("/"), person
    sara, form = typed(people, "sara", sure="yes")
    address = sara.post("/policies/edit/emergency", form).headers["location"]
    for person in EVERYBODY:
        page = people.person(person).page("/")
        assert "an emergency policy is in force" in re.search("<h1>.*?</h1>", page, re.DOTALL)[0], person
        words = r"Since \d{4}-\d\d-\d\d \d\d:\d\d UTC; another person must assess it by \d{4}-\d\d-\d\d \d\d:\d\d UTC"
        assert re.search(words, page), person
        sees = people.person(person).get("/policies").status_code == 200
        assert (f'href="{address}">Look at it' in page) == sees, person
    people.person("paul").post(f"{address}/approve", {})
    assert "emergency policy" not in people.person("clara").page("/")


def test_an_emergency_too_wide_is_refused_with_words(people):
    sara = people.person("sara")
    sara.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01", "ORU^R40", "ORU^R30"')
    assert "vendor-cloud is for running the services" in sara.post("/policies/edit/emergency").text
    answer = sara.post("/policies/edit/emergency", {**WHY, "sure": "yes"})
    assert (answer.status_code, "proposal.emergency-too-wide" in answer.text) == (403, True)
    assert people.active().version == 1


def test_one_step_back_shows_what_it_undoes(people, site):  # noqa: F811  the fixtures
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    ines, address = proposed(people)
    ines.post(f"{address}/propose", {})
    people.person("paul").post(f"{address}/approve", {})
    ines.post(f"{address}/activate", {})
    first = html.unescape(ines.post("/policies/back").text)
    assert "may now get alarms (ORU^R40)" in first
    assert people.active().version == 2
    answer = ines.post("/policies/back", {**WHY, "sure": "yes"})
    assert (answer.status_code, people.active().version) == (303, 3)
    assert "one step back from version 2" in ines.page(answer.headers["location"])


def test_a_second_step_back_is_called_what_it_is(people, site):  # noqa: F811  the fixtures
    site.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    ines, address = proposed(people)
    assert "Undo the step back" not in ines.page("/policies")
    ines.post(f"{address}/propose", {})
    people.person("paul").post(f"{address}/approve", {})
    ines.post(f"{address}/activate", {})
    assert "Undo the step back" not in ines.page("/policies")
    ines.post("/policies/back", {**WHY, "sure": "yes"})
    page = html.unescape(ines.page("/policies"))
    assert "Version 3 went one step back from version 2" in page
    assert "signs the policy of version 2 again, as version 4" in page
    asked = html.unescape(ines.post("/policies/back").text)
    assert "The policy of version 2 comes in force again, as version 4" in asked
    assert "will no longer get alarms" in asked
    answer = ines.post("/policies/back", {**WHY, "sure": "yes"})
    assert (answer.status_code, people.active().version) == (303, 4)
    again = html.unescape(ines.page("/policies"))
    assert "Version 4 went one step back from version 3" in again


def test_a_stale_one_is_said_and_drafted_again(people):
    ines, address = proposed(people)
    ines.post(f"{address}/propose", {})
    sara = people.person("sara")
    sara.write("bundle.toml", "Record at the bedside", "Records")
    other = sara.post("/policies/edit/propose").headers["location"]
    sara.post(f"{other}/propose", {})
    people.person("paul").post(f"{other}/approve", {})
    sara.post(f"{other}/activate", {})
    assert "What was seen of it holds no longer" in ines.page(address)
    answer = ines.post(f"{address}/rebase", {})
    assert answer.status_code == 303
    assert answer.headers["location"] != address
    assert "will no longer get alarms" in ines.page(answer.headers["location"])


def test_the_editor_says_when_another_version_came(people):
    ines = people.person("ines")
    ines.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"', do="save")
    people.through(
        {**people.active_files(), "bundle.toml": people.active_files()["bundle.toml"] + b"# x\n"}, "sara"
    )
    assert "came into force since you began" in ines.page("/policies/edit")


def test_an_overdue_emergency_is_bad_on_the_first_page_and_on_health_and_a_finding(people):
    from oathward import reviewing
    from oathward.web import standing

    sara = people.person("sara")
    sara.write(VENDOR, '"ORU^R01", "ORU^R40"', '"ORU^R01"')
    address = sara.post("/policies/edit/emergency", {**WHY, "sure": "yes"}).headers["location"]
    paul = people.person("paul")
    waits = "waits to be assessed by another person"
    standing._kept.clear()
    assert waits in paul.page("/health")
    assert "assess it" in paul.page("/")
    with write(people.opened.engine) as db:
        db.exec_driver_sql("UPDATE change_proposal SET due_us = 5")
    standing._kept.clear()
    for page in ("/", "/health"):
        assert "is past its time: another person must assess it" in paul.page(page), page
    found = [
        one
        for one in reviewing.findings_of(people.opened, people.active(), people.now_us)
        if one.rule == "emergency.overdue"
    ]
    assert [one.about for one in found] == [f"proposal:{address.rpartition('/')[2]}"]
    assert paul.post(f"{address}/approve", {}).status_code == 303
    standing._kept.clear()
    assert "emergency change" not in paul.page("/health")


def test_the_first_page_says_what_waits_for_whom(people):
    ines, address = proposed(people)
    assert "go on with your draft" in ines.page("/")
    ines.post(f"{address}/propose", {})
    assert "None of them waits for you" in ines.page("/")
    assert "approve or refuse it" in people.person("paul").page("/")


def test_what_waits_for_the_viewer_stands_first_on_the_first_page(people):
    ines, address = proposed(people)
    assert "waits for you" not in ines.page("/"), "a draft of one's own presses nobody"
    ines.post(f"{address}/propose", {})
    paul = people.person("paul").page("/")
    assert "1 thing waits for you" in paul, re.search(r"<h1.*?</h1>", paul, re.DOTALL)[0]
    assert re.search(r"<main.*?<h2[^>]*>([^<]*)", paul, re.DOTALL)[1].strip() == "Changes of policy"
    assert paul.index(address) < paul.index('class="columns"')
    assert paul.index(address) < paul.index("notice bad"), "before what nobody waits for"
    assert "thing waits for you" not in ines.page("/")
