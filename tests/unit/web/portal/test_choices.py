"""Change my choices: read before one chooses, yes and no alike, written once, and never by looking."""

import html
import re

import pytest
from tests.unit.vault.keeper.test_portal import enrol, records, refused
from tests.unit.vault.keeper.test_portal_choosing import says
from tests.unit.web.portal.conftest import token_on
from tests.unit.web.portal.real import house_of, window

from oathward.consent import sql
from oathward.consent.model import EffectRow, statement
from oathward.core.db import read, write
from oathward.core.reasons import Reason
from oathward.ledger import head

RESEARCH = "/choices/HRESCH.research-registry"
RECORD = "/choices/TREAT.ehr"


@pytest.fixture
def house(tmp_path):
    with house_of(tmp_path / "site") as found:
        yield found


@pytest.fixture
def mine(house):
    with window(house) as found:
        yield found


def size(house):
    with read(house.engine) as db:
        return head(db, house.keeper.site).size


def fields(page):
    """What the form of a choice carries, beside the button."""
    return {name: re.search(rf'name="{name}" value="(\w+)"', page)[1] for name in ("token", "seen")}


def answer(mine, path, said, form=None):
    return mine.send(path, (form or fields(mine.get(path).text)) | {"answer": said})


def words(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def now(mine, place):
    """What the list says of a place."""
    found = dict(re.findall(r"<h3>(.*?)</h3>.*?<strong>(.*?)</strong>", mine.get("/choices").text, re.DOTALL))
    return found[place]


def test_the_list_says_by_purpose_what_stands(mine):
    page = words(mine.get("/choices").text)
    assert now(mine, "Research registry") == "Now: no"
    assert now(mine, "Electronic health record") == "Now: yes"
    assert (
        page.index("Uses that are not care")
        < page.index("Research registry")
        < page.index("These places give care")
    )
    assert "What Oathward keeps" not in page


def test_one_choice_says_what_each_answer_changes_and_what_stays_before_one_chooses(mine):
    page = mine.get(RESEARCH).text
    yes, no = re.findall(r"<section.*?</section>", page, re.DOTALL)
    assert "From then on Research registry gets:" in words(yes)
    assert "what was measured, and when" in words(yes)
    assert "your name" not in words(yes)
    assert "Your name does not go there." in words(page)
    assert "Your name does not go there." not in words(mine.get(RECORD).text)
    assert "Nothing changes. It stays as it is now." in words(no)
    stays = words(page[page.index("What stays for your care") :])
    assert "Electronic health record" in stays
    assert stays.index("Electronic health record") < stays.index("Yes, it may")


def test_yes_and_no_are_two_buttons_of_one_form_in_one_order_whatever_stands(mine):
    buttons = []
    for said in ("allowed", "not-allowed", "allowed"):
        page = mine.get(RESEARCH).text
        buttons.append(re.findall(r"<button[^>]*answer[^>]*>", page))
        assert answer(mine, RESEARCH, said).status_code == 303
    assert buttons[0] == [
        '<button name="answer" value="allowed">',
        '<button name="answer" value="not-allowed">',
    ]
    assert len({str(one) for one in buttons}) == 1


def test_it_takes_as_many_requests_to_take_back_as_to_give(mine):
    counts = []
    for said in ("allowed", "not-allowed"):
        before = mine.asked
        link = re.search(r'href="(/choices/HRESCH[^"]*)"', mine.get("/choices").text)[1]
        sent = answer(mine, link, said)
        done = mine.get(sent.headers["location"])
        assert "From now on this place may" in words(done.text)
        counts.append(mine.asked - before)
    assert counts == [4, 4]


def test_an_answer_counts_from_now_on_and_is_shown_everywhere(mine, house):
    sent = answer(mine, RESEARCH, "allowed")
    assert sent.headers["location"] == f"{RESEARCH}/done"
    assert "From now on this place may see the data." in words(mine.get(f"{RESEARCH}/done").text)
    assert now(mine, "Research registry") == "Now: yes"
    who = words(mine.get("/who").text)
    assert "Research registry For research It may see the data now." in who
    assert [one["answer"] for one in records(house, "portal.chose")] == ["allowed"]


def test_looking_going_back_and_closing_write_nothing(mine, house):
    before = size(house)
    for path in ("/choices", RESEARCH, "/choices", RESEARCH, f"{RESEARCH}/done", RECORD):
        assert mine.get(path).status_code == 200
    assert mine.client.head(RESEARCH).status_code in {200, 405}
    assert mine.get(f"{RESEARCH}?answer=allowed").status_code == 200
    assert size(house) == before


def test_a_second_click_is_the_first_one_again(mine, house):
    form = fields(mine.get(RESEARCH).text)
    answers = [answer(mine, RESEARCH, "allowed", form) for _ in range(2)]
    assert [one.headers["location"] for one in answers] == [f"{RESEARCH}/done"] * 2
    assert len(records(house, "portal.chose")) == len(records(house, "consent.recorded")) == 1


def test_a_page_from_before_shown_by_the_back_button_does_nothing_and_says_so(mine, house):
    old = fields(mine.get(RESEARCH).text)
    answer(mine, RESEARCH, "allowed", old)
    before = size(house)
    again = answer(mine, RESEARCH, "not-allowed", old)
    assert (again.status_code, size(house)) == (409, before)
    assert "This has changed since you looked. We saved nothing." in words(again.text)
    assert answer(mine, RESEARCH, "not-allowed", fields(again.text)).status_code == 303, "from there it works"


def test_two_tabs_at_two_choices_do_not_write_over_each_other(mine, house):
    first, second = fields(mine.get(RESEARCH).text), fields(mine.get(RECORD).text)
    assert answer(mine, RESEARCH, "allowed", first).status_code == 303
    assert answer(mine, RECORD, "not-allowed", second).status_code == 409
    assert (now(mine, "Research registry"), now(mine, "Electronic health record")) == ("Now: yes", "Now: yes")


def test_a_session_that_ends_mid_way_says_so_and_writes_nothing(mine, house):
    form = fields(mine.get(RESEARCH).text)
    house.time.pass_(minutes=11)
    before = len(records(house, "consent.recorded"))
    sent = answer(mine, RESEARCH, "allowed", form)
    assert sent.status_code == 409
    assert "Your visit has ended" in words(sent.text)
    assert len(records(house, "consent.recorded")) == before


def test_a_proxy_whose_time_is_over_with_the_page_open_finds_nothing(house):
    until = house.keeper.now_us() + 300_000_000
    with window(house, "friend@example.org", basis="wish", until_us=until) as friend:
        form = fields(friend.get(RESEARCH).text)
        house.time.pass_(minutes=6)
        sent = answer(friend, RESEARCH, "allowed", form)
        assert sent.status_code in {404, 409}
        assert "Nothing was changed" in words(sent.text)
        assert friend.get(RESEARCH).status_code == 404
        assert friend.get("/choices").status_code == 404
    assert records(house, "portal.chose") == []


def test_a_proxy_who_may_not_choose_finds_no_such_page_and_one_who_may_does(house):
    with window(house, "looks@example.org", basis="wish", scope=("see",)) as looks:
        assert 'href="/choices"' not in looks.get("/").text
        assert looks.get(RESEARCH).status_code == 404
        assert answer(looks, RESEARCH, "allowed", {"token": token_on(looks.get("/").text), "seen": "x"}).status_code == 404  # fmt: skip
    with window(house, "may@example.org", basis="wish") as may:
        assert answer(may, RESEARCH, "allowed").status_code == 303
    assert [one["basis"] for one in records(house, "portal.chose")] == ["wish"]


def test_a_form_made_for_one_patient_chooses_nothing_for_another(house, mine):
    other = enrol(house, address="other@example.org", basis="wish")
    assert refused(house.portal.choose, "nobody", "HRESCH", "research-registry", "allowed", "x", other)[0] is Reason.NOT_FOUND  # fmt: skip
    sent = mine.send(RESEARCH, fields(mine.get(RESEARCH).text) | {"answer": "allowed", "token": "0" * 64})
    assert sent.status_code == 409
    assert records(house, "portal.chose") == []


@pytest.mark.parametrize(
    "path", ["/choices/none", "/choices/TREAT.keep", "/choices/HRESCH.nobody", "/choices/law.x.y"]
)
def test_what_is_no_choice_is_no_page(mine, path):
    assert mine.get(path).status_code == 404
    assert (
        answer(mine, path, "allowed", {"token": token_on(mine.get("/").text), "seen": "x"}).status_code == 404
    )


@pytest.mark.parametrize("said", ["", "maybe", "allowed\u202e"])
def test_what_is_neither_yes_nor_no_shows_the_page_again(mine, house, said):
    sent = answer(mine, RESEARCH, said)
    assert sent.status_code == 409
    assert records(house, "portal.chose") == []


@pytest.mark.parametrize("control", ["\x00", "\x01"])
def test_a_form_with_a_control_character_is_refused_whole(mine, house, control):
    assert answer(mine, RESEARCH, f"allowed{control}").status_code == 400
    assert records(house, "portal.chose") == []


def test_a_no_on_paper_is_told_and_wins_over_a_yes(mine, house):
    says(house, statement(permit=False, purposes=["HRESCH"], recipients=["*"], classes=["*"], source="paper"))
    assert "A no from before counts here." in words(mine.get("/choices").text)
    page = words(mine.get(RESEARCH).text)
    assert "There is also a no that was not said here." in page
    sent = answer(mine, RESEARCH, "allowed")
    assert "It may still not see the data." in words(mine.get(sent.headers["location"]).text)


def test_a_part_is_told_as_a_part(mine, house):
    part = statement(
        permit=False, purposes=["TREAT"], recipients=["ehr"], classes=["attachment"], source="paper"
    )
    says(house, part)
    assert now(mine, "Electronic health record") == "Now: in part"
    assert "some of the data, and some it may not" in words(mine.get(RECORD).text)


def test_where_it_cannot_be_told_what_was_said_nothing_can_be_chosen(mine, house):
    answer(mine, RESEARCH, "allowed")
    answer(mine, RESEARCH, "not-allowed")
    with write(house.keeper.engine) as db:
        db.exec_driver_sql("UPDATE consent_fact SET body = x'00'")
    assert "Nothing can be changed until we can" in words(mine.get("/choices").text)
    assert mine.get(RESEARCH).status_code >= 409


def test_in_spanish_it_says_the_same(mine):
    mine.get("/language/es")
    page = words(mine.get(RESEARCH).text)
    assert "Si dice que sí" in page
    assert "Sí, puede" in page


@pytest.mark.parametrize(
    ("noted", "words_"),
    [
        ((), "within one second"),
        (((120, "courier"), (80, "gateway")), "It worked everywhere after 0.12 seconds."),
        (((120, "courier"),), "has not told us yet that it has stopped"),
    ],
)
def test_it_says_in_how_many_seconds_a_no_worked_everywhere(mine, house, noted, words_):
    answer(mine, RESEARCH, "allowed")
    house.time.pass_(seconds=1)
    answer(mine, RESEARCH, "not-allowed")
    at_us = house.keeper.now_us()
    link = ("research-registry", house.subject, 2)
    rows = [
        EffectRow("demo", link[1], link[2], link[0], process, at_us, at_us + ms * 1_000)
        for ms, process in noted
    ]
    with write(house.keeper.engine) as db:
        if rows:
            sql.put_effects(db, rows)
    if noted:
        house.time.pass_(seconds=2)
    assert words_ in words(mine.get(f"{RESEARCH}/done").text)
