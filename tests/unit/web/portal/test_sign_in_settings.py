"""My sign-in: language, visits, passkeys, who may see this for me, hiding it; each ends by a button that was read before."""

import html
import json
import re

import pytest
from tests.unit.vault.keeper.authenticator import Authenticator
from tests.unit.vault.keeper.test_portal import enrol, letters, records, refused, sign_in
from tests.unit.web.portal.conftest import token_on
from tests.unit.web.portal.real import house_of, window

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.ledger import head

HERE = "/my-sign-in"


@pytest.fixture
def house(tmp_path):
    with house_of(tmp_path / "site") as found:
        yield found


@pytest.fixture
def mine(house):
    with window(house) as found:
        yield found


def words(page):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def press(window, page, path, **fields):
    """Press a button of a page."""
    return window.send(path, window.form(page) | fields)


def size(house):
    with read(house.engine) as db:
        return head(db, house.keeper.site).size


def key():
    return Authenticator(origin="https://patients.example", host="patients.example")


def test_it_says_how_one_signs_in_and_where_one_is_signed_in(mine, house):
    page = words(mine.get(HERE).text)
    assert "You sign in with this mail address: Rosa.Lind@example.org" in page
    assert "Here, since" in page
    assert "In one more place" in page  # where they enrolled
    assert "No one may see this data for you." in page
    assert "You have none." in page


def test_looking_writes_nothing(mine, house):
    friend = enrol(house, basis="wish", address="friend@example.org")
    (seat,) = house.portal.who(friend).seats
    before = size(house)
    for path in (HERE, f"{HERE}/hide", f"{HERE}/passkey", f"{HERE}/end/{seat.access}"):
        assert mine.get(path).status_code == 200
    assert size(house) == before


def test_a_language_is_of_pages_and_letters(mine, house):
    assert press(mine, HERE, f"{HERE}/language", language="es").status_code == 303
    assert "Cómo entro" in mine.get(HERE).text
    house.portal.sign_in_begin(
        house.portal.mine({"kind": "holder", **session_of(mine)}).address, "198.51.100.1"
    )
    assert [one.language for one in letters(house, "code")] == ["es"]
    assert press(mine, HERE, f"{HERE}/language", language="xx").status_code == 404


def session_of(window):
    found = next(c.value for c in window.client.cookies.jar if "_session_" in c.name)
    return {"session": found}


def test_signing_out_everywhere_ends_every_visit(mine, house):
    elsewhere = sign_in(house)
    answer = press(mine, HERE, f"{HERE}/sign-out-everywhere")
    assert answer.headers["location"] == "/left"
    assert refused(house.portal.who, elsewhere)[0] is Reason.NOT_PERMITTED
    assert mine.get("/").headers["location"] == "/sign-in"


def test_one_ends_a_proxy_after_reading_what_it_means(mine, house):
    friend = enrol(house, basis="wish", address="friend@example.org", scope=("see",))
    (seat,) = house.portal.who(friend).seats
    page = words(mine.get(HERE).text)
    assert "Because you asked for it. May look." in page
    path = f"{HERE}/end/{seat.access}"
    assert "Rosa Lind will not see this data any more" in words(mine.get(path).text)
    assert press(mine, path, path).headers["location"] == HERE
    assert refused(house.portal.who, friend)[0] is Reason.NOT_PERMITTED
    assert "No one may see this data for you." in words(mine.get(HERE).text)
    assert [one["why"] for one in records(house, "portal.access-ended")] == ["own-word"]
    assert mine.get(path).status_code == 404
    assert press(mine, HERE, path).status_code == 404


def test_who_acts_for_somebody_gives_it_up_and_nothing_is_left_of_them(house):
    with window(house, "friend@example.org", basis="wish") as friend:
        page = friend.get(HERE).text
        path = re.search(r'href="(/my-sign-in/end/[^"]+)"', page)[1]
        assert "People who may see" not in words(page), "a proxy is shown nobody's proxies"
        assert press(friend, path, path).headers["location"] == "/left"
        assert friend.get("/").headers["location"] == "/sign-in"
    assert house.keeper.store.rows("SELECT id FROM holder") == []


@pytest.mark.parametrize("access", ["none", "own"])
def test_nobody_ends_what_is_neither_theirs_nor_of_their_proxy(house, access):
    rosa = enrol(house)
    (seat,) = house.portal.who(rosa).seats
    with window(house, "friend@example.org", basis="wish") as friend:
        path = f"{HERE}/end/{seat.access if access == 'own' else 'none'}"
        assert friend.get(path).status_code == 404
        assert press(friend, HERE, path).status_code == 404
    assert len(house.portal.who(rosa).seats) == 1


def test_a_record_is_hidden_from_ones_own_phone_after_reading_what_it_means(mine, house):
    friend = enrol(house, basis="wish", address="friend@example.org")
    assert "That means you too." in words(mine.get(f"{HERE}/hide").text)
    assert press(mine, f"{HERE}/hide", f"{HERE}/hide").headers["location"] == "/"
    assert "nothing here for you to see" in words(mine.get("/").text)
    for path in ("/who", "/choices", f"{HERE}/hide"):
        assert mine.get(path).status_code == 404
    assert len(house.portal.who(friend).seats) == 1, "who was asked to help still can"
    assert len(records(house, "portal.access-hidden")) == 1


def test_hiding_twice_by_a_second_click_is_no_second_one(mine, house):
    form = mine.form(f"{HERE}/hide")
    assert mine.send(f"{HERE}/hide", form).status_code == 303
    assert mine.send(f"{HERE}/hide", form).status_code in {404, 409}
    assert len(records(house, "portal.access-hidden")) == 1


def test_a_passkey_is_made_listed_used_to_sign_in_and_taken_away(mine, house):
    phone = key()
    form = mine.form(f"{HERE}/passkey")
    begun = mine.send(f"{HERE}/passkey/begin", form).json()
    made = phone.create(begun["options"])
    sent = mine.send(
        f"{HERE}/passkey", form | {"ceremony": begun["ceremony"], "credential": made, "label": "My phone"}
    )
    assert sent.headers["location"] == HERE
    assert "My phone" in words(mine.get(HERE).text)
    passkey = re.search(r'name="passkey" value="([^"]+)"', mine.get(HERE).text)[1]
    with window(house, new=False) as other:
        press(other, "/", "/sign-out")
        page = other.form("/sign-in/passkey")
        begun = other.send("/sign-in/passkey/begin", page).json()
        shown = phone.get(begun["options"])
        sent = other.send("/sign-in/passkey", page | {"ceremony": begun["ceremony"], "credential": shown})
        assert sent.headers["location"] == "/"
        assert press(mine, HERE, f"{HERE}/passkeys/remove", passkey=passkey).headers["location"] == HERE
        assert other.get("/").headers["location"] == "/sign-in", "other visits end with it"
    assert "You have none." in words(mine.get(HERE).text)
    assert press(mine, HERE, f"{HERE}/passkeys/remove", passkey=passkey).status_code == 404


@pytest.mark.parametrize("credential", ["", "{}", "x" * 20_001, json.dumps({"id": "x"})])
def test_what_is_no_passkey_is_not_kept_and_signs_nobody_in(mine, house, credential):
    form = mine.form(f"{HERE}/passkey")
    begun = mine.send(f"{HERE}/passkey/begin", form).json()
    given = {"ceremony": begun["ceremony"], "credential": credential, "label": "x"}
    sent = mine.send(f"{HERE}/passkey", form | given)
    assert sent.status_code == 409
    assert "Nothing was saved" in words(sent.text)
    press(mine, "/", "/sign-out")
    page = mine.form("/sign-in/passkey")
    begun = mine.send("/sign-in/passkey/begin", page).json()
    sent = mine.send("/sign-in/passkey", page | {"ceremony": begun["ceremony"], "credential": credential})
    assert "did not work here" in words(sent.text)
    assert mine.get("/").headers["location"] == "/sign-in"


def test_a_form_of_another_visit_changes_nothing(mine, house):
    token = token_on(mine.get(HERE).text)
    press(mine, HERE, f"{HERE}/sign-out-everywhere")
    with window(house, new=False) as again:
        for path in ("hide", "sign-out-everywhere", "language", "passkeys/remove", "passkey/begin"):
            assert again.send(f"{HERE}/{path}", {"token": token}).status_code == 409
        assert len(house.portal.who({"kind": "holder", **session_of(again)}).seats) == 1
