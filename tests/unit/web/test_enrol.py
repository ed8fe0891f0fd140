"""Enrolling, and one's own account: from an invitation to two factors, then adding, removing and ending."""

import re

import pyotp
import pytest
from tests.founded import signed_in
from tests.unit.vault.keeper.people import PASSWORD, Phone
from tests.unit.web.people import COOKIE, console, copied, token_in

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in import accounts, notices

LONGER = "seven lamps beside the river"


@pytest.fixture
def served(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        house.person("ada", Role.CLINICAL_ENGINEER, name="Ada Engineer")
        yield house, browser


@pytest.fixture
def house(served):
    return served[0]


@pytest.fixture
def browser(served):
    return served[1]()


@pytest.fixture
def ada(house, browser):
    """Ada, signed in; with her phone."""
    _, phone = house.enrol("ada", "ada")
    browser.sign_in("ada", phone)
    return phone


def invited(house, browser, login: str = "ada") -> None:
    """Open an invitation and press its button."""
    key = house.invited("ada", login)
    shown = browser.get(f"/enrol?key={key}")
    assert shown.status_code == 200
    done = browser.send("/enrol", {"token": token_in(shown.text), "key": key})
    assert done.headers["location"] == "/enrol/password"


def app_of(browser, house, page: str = "/enrol/factor", action: str = "/enrol/app"):
    """Ask for an authenticator app; gives the page and a phone that has it."""
    shown = browser.post(page, action)
    assert shown.status_code == 200, shown.text
    secret = re.search(r'name="secret" value="(\w+)"', shown.text)[1]
    return shown.text, Phone(secret, house.time)


# --- enrolling


def test_an_invitation_ends_with_two_factors_and_signed_in(browser, house):
    invited(house, browser)
    assert "Ada Engineer" in browser.get("/enrol/password").text
    assert 'value="ada" autocomplete="username"' in browser.get("/enrol/password").text
    chosen = browser.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    assert chosen.headers["location"] == "/enrol/factor"
    text, phone = app_of(browser, house)
    done = browser.send("/enrol/app/code", {"token": token_in(text), "code": phone.code(), "label": "my phone"})  # fmt: skip
    assert done.headers["location"] == "/"
    assert set(browser.client.cookies) == {COOKIE}
    assert "my phone" in browser.get("/account").text


def test_opening_the_link_uses_nothing_up(browser, house):
    key = house.invited("ada", "ada")
    for _ in range(3):
        assert browser.get(f"/enrol?key={key}").status_code == 200
    invited(house, browser)


def test_until_there_is_a_second_factor_nothing_else_is_shown(browser, house):
    invited(house, browser)
    browser.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    for path in ("/", "/devices", "/account", "/messages"):
        assert browser.get(path).headers["location"].startswith("/sign-in")
    again = browser.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    assert again.headers["location"] == "/enrol/factor", "who comes back later goes on there"
    text, phone = app_of(browser, house)
    done = browser.send("/enrol/app/code", {"token": token_in(text), "code": phone.code()})
    assert done.status_code == 303
    assert browser.session


def test_a_code_that_does_not_fit_shows_the_same_secret_again(browser, house):
    invited(house, browser)
    browser.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    text, phone = app_of(browser, house)
    wrong = browser.send("/enrol/app/code", {"token": token_in(text), "code": "000000", "secret": phone.secret, "uri": uri_in(text)})  # fmt: skip
    assert wrong.status_code == 422
    assert Reason.CODE_REFUSED.code in wrong.text
    assert phone.secret in wrong.text
    assert '<svg class="qr"' in wrong.text
    house.time.pass_(seconds=60)
    assert browser.send("/enrol/app/code", {"token": token_in(wrong.text), "code": phone.code()}).status_code == 303  # fmt: skip


def uri_in(text: str) -> str:
    return re.search(r'name="uri" value="([^"]+)"', text)[1].replace("&amp;", "&")


@pytest.mark.parametrize("form", [{"secret": "<b>x</b>", "uri": "otpauth://totp/x"}, {"secret": "A" * 32, "uri": "javascript:alert(1)"}, {}])  # fmt: skip
def test_what_is_shown_again_is_a_secret_and_nothing_else(browser, house, form):
    invited(house, browser)
    browser.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    text, _ = app_of(browser, house)
    answer = browser.send("/enrol/app/code", {"token": token_in(text), "code": "000000", **form})
    assert answer.status_code == 400
    assert "alert(1)" not in answer.text
    assert "<b>x" not in answer.text


@pytest.mark.parametrize(
    ("password", "again", "status", "reason"),
    [
        ("nine days", "nine days", 422, Reason.PASSWORD_REFUSED),
        ("password12345678", "password12345678", 422, Reason.PASSWORD_REFUSED),
        (PASSWORD, PASSWORD + "x", 400, Reason.INPUT_INVALID),
    ],
    ids=["short", "well known", "typed otherwise"],
)
def test_a_password_that_is_refused_is_asked_for_again(browser, house, password, again, status, reason):
    invited(house, browser)
    answer = browser.post("/enrol/password", "/enrol/password", password=password, again=again)
    assert answer.status_code == status
    assert reason.code in answer.text
    assert password not in answer.text
    assert browser.post("/enrol/password", "/enrol/password", password=LONGER, again=LONGER).status_code == 303  # fmt: skip


@pytest.mark.parametrize("key", ["", "x", "x" * 43, "é", "x" * 3_000])
def test_an_invitation_that_is_none(browser, key):
    answer = browser.post("/enrol", "/enrol", key=key)
    assert answer.status_code in {400, 403}
    assert Reason.INVITATION_ENDED.code in answer.text or Reason.INPUT_INVALID.code in answer.text


def test_an_invitation_is_for_one_use(served, house):
    key = house.invited("ada", "ada")
    first, second = served[1](), served[1]()
    assert first.post(f"/enrol?key={key}", "/enrol", key=key).status_code == 303
    first.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    text, phone = app_of(first, house)
    first.send("/enrol/app/code", {"token": token_in(text), "code": phone.code()})
    late = second.post(f"/enrol?key={key}", "/enrol", key=key)
    assert late.status_code == 403
    assert Reason.INVITATION_ENDED.code in late.text
    for said in ("has been used, or has ended", "sign in</a>", "ask whoever invited you"):
        assert said in late.text, said


@pytest.mark.parametrize("path", ["/enrol/password", "/enrol/factor"])
def test_a_step_nobody_is_at_leads_to_the_first(browser, path):
    assert browser.get(path).headers["location"] == "/enrol"


def test_a_step_cannot_be_skipped_by_a_cookie_that_says_so(browser, house):
    """The cookie beside the secret chooses a page; the keeper knows where it stands."""
    import base64
    import json

    invited(house, browser)
    name = f"{COOKIE}_pending"
    kept = json.loads(base64.urlsafe_b64decode(browser.client.cookies[name]))
    kept[1], kept[2] = "second", ["totp"]
    browser.client.cookies.delete(name)
    browser.plant(name, base64.urlsafe_b64encode(json.dumps(kept).encode()).decode())
    answer = browser.post("/sign-in/second", "/sign-in/second", code=pyotp.TOTP("A" * 32).now())
    assert answer.status_code == 401
    assert browser.session == ""


def test_who_takes_too_long_opens_the_link_again(browser, house):
    invited(house, browser)
    house.time.pass_(minutes=20)
    late = browser.post("/enrol/password", "/enrol/password", password=PASSWORD, again=PASSWORD)
    assert late.status_code == 403
    assert "open the link again" in late.text
    invited(house, browser)


# --- one's own account


def test_the_account_says_who_one_is_and_how_one_signs_in(browser, ada):
    text = browser.get("/account").text
    for said in ("Ada Engineer", "clinical engineer", "password and code of an app", "Authenticator app", "this one", "the last one stays"):  # fmt: skip
        assert said in text, said
    assert "not used yet" not in text, "she signed in with both"
    assert "totp" not in re.sub(r"<[^>]+>", "", text)


def test_what_somebody_else_did_is_told_at_home_and_there_until_it_is_put_away(browser, house, ada):
    for page in ("/", "/account"):
        assert "changed how you sign in" not in browser.get(page).text
    house.person("ben", name="Ben Builder")
    notices.add(house.keeper, ["ada"], "ben", "reset")
    browser.post(
        "/", "/theme", theme="dark", next="/"
    )  # what the console believes of a session, it believes for seconds
    for page in ("/", "/account"):
        assert "Ben Builder reset your account" in browser.get(page).text, page
    id_ = re.search(r'name="notice" value="([\w-]+)"', browser.get("/").text)[1]
    done = browser.post("/account", "/account/notices/away", notice=id_)
    assert done.headers["location"] == "/account?done=away"
    assert "Ben Builder" not in browser.get("/").text
    notices.add(house.keeper, ["ada"], "ben", "invitation")
    accounts.add(house.keeper.store, "ada", "password", b"hash", house.keeper.now_us())  # another one since
    id_ = notices.of(house.keeper, "ada")[0].id
    stays = browser.post("/account", "/account/notices/away", notice=id_)
    assert stays.status_code == 403
    assert "what they had before" in stays.text


def test_who_came_by_a_link_of_a_trial_has_nothing_to_change(browser, house):
    browser.plant(COOKIE, signed_in(house.keeper, "ada")["session"])
    page = browser.get("/account")
    assert page.status_code == 200
    assert "You signed in with a one-time link" in page.text
    assert "clinical engineer" in page.text
    assert "this one" in page.text
    assert "/account/app" not in page.text
    assert browser.get("/step-up").status_code == 200


ENDS = "ends all your other sessions, at the command line too"
ENDED = "your other sessions have ended, at the command line too"


def test_a_second_app_is_added_and_the_first_removed(browser, house, ada):
    assert ENDS in browser.get("/account").text
    text, phone = app_of(browser, house, "/account", "/account/app")
    assert ENDS in text
    done = browser.send("/account/app/code", {"token": token_in(text), "code": phone.code(), "label": "new phone"})  # fmt: skip
    assert done.headers["location"] == "/account?done=added"
    page = browser.get("/account?done=added").text
    assert "the last one stays" not in page
    assert ENDED in page
    assert ENDED in browser.get("/account?done=factor").text
    old = re.search(r'name="factor" value="([\w-]+)" aria-label="Remove phone"', page)[1]
    assert browser.post("/account", "/account/factors/remove", factor=old).headers["location"] == "/account?done=factor"  # fmt: skip
    assert "the last one stays" in browser.get("/account").text


def test_the_last_second_factor_stays(browser, house, ada):
    [factor] = [f for f in house.people.account_own({"kind": "console", "session": browser.session}).factors if f.kind == "totp"]  # fmt: skip
    answer = browser.post("/account", "/account/factors/remove", factor=factor.id)
    assert answer.status_code == 409
    assert Reason.FACTOR_LAST.code in answer.text


def test_another_persons_factor_is_none_of_mine(browser, house, ada):
    house.person("ben")
    other, _ = house.enrol("ben", "ben")
    theirs = house.people.account_own({"kind": "console", "session": other.secret}).factors[0].id
    for id_ in (theirs, "no-such"):
        answer = browser.post("/account", "/account/factors/remove", factor=id_)
        assert answer.status_code == 404, id_


def test_what_changes_a_factor_takes_a_fresh_proof_and_comes_back(browser, house, ada):
    house.time.pass_(minutes=11)
    text = browser.get("/account").text
    assert "asked once more who you are" in text
    asked = browser.post("/account", "/account/app")
    assert asked.headers["location"] == "/step-up?next=%2Faccount&both=yes"
    page = browser.get(asked.headers["location"]).text
    assert 'name="next" value="/account"' in page
    assert 'name="password" type="password" autocomplete="current-password" required autofocus' in page
    before_ = browser.session
    sent = {"token": token_in(page), "next": "/account", "both": "yes", "code": ada.code()}
    for wrong, status in (({}, 400), ({"password": "wrong"}, 401)):
        again = browser.send("/step-up", sent | wrong)
        assert again.status_code == status
        assert 'name="password"' in again.text, "both are asked for again"
    done = browser.send("/step-up", sent | {"password": PASSWORD})
    assert done.headers["location"] == "/account"
    assert browser.session != before_, "a fresh proof renews the secret"
    assert browser.post("/account", "/account/app").status_code == 200


def test_a_wrong_code_proves_nothing(browser, house, ada):
    house.time.pass_(minutes=11)
    answer = browser.post("/step-up?next=/account", "/step-up", next="/account", code="000000")
    assert answer.status_code == 401
    assert 'name="next" value="/account"' in answer.text
    assert browser.post("/account", "/account/app").headers["location"].startswith("/step-up")


def test_nobody_is_sent_elsewhere_after_a_proof(browser, house, ada):
    page = browser.get("/step-up?next=https://evil.example/").text
    assert 'name="next" value="/"' in page
    house.time.pass_(seconds=60)
    done = browser.send("/step-up", {"token": token_in(page), "next": "//evil.example", "code": ada.code()})
    assert done.headers["location"] == "/"


def test_a_password_is_changed_and_other_sessions_end(served, house, browser, ada):
    other = served[1]()
    house.time.pass_(seconds=60)
    other.sign_in("ada", ada)
    wrong = browser.post("/account", "/account/password", current="wrong", password=LONGER, again=LONGER)
    assert wrong.status_code in {401, 422}
    done = browser.post("/account", "/account/password", current=PASSWORD, password=LONGER, again=LONGER)
    assert done.headers["location"] == "/account?done=password"
    assert other.get("/account").headers["location"].startswith("/sign-in")
    house.time.pass_(seconds=60)
    assert other.sign_in("ada", ada, password=LONGER).status_code == 303


def test_sessions_are_listed_and_ended_one_or_all(served, house, browser, ada):
    others = [served[1](), served[1]()]
    for one in others:
        house.time.pass_(seconds=60)
        one.sign_in("ada", ada)
    page = browser.get("/account").text
    rows = re.findall(r'name="session" value="([\w-]+)">End it', page)
    assert len(rows) == 3, "two more, and the one of enrolling"
    rows = [row for row in rows if row in {own_of(one) for one in others}]
    browser.post("/account", "/account/sessions/end", session=rows[0])
    ended = [one.get("/account").status_code for one in others]
    assert sorted(status == 200 for status in ended) == [False, True]
    browser.post("/account", "/account/sessions/end", session="others")
    assert 200 not in [one.get("/account").status_code for one in others]
    assert browser.get("/account").status_code == 200


def test_ending_another_session_takes_a_fresh_proof(served, house, browser, ada):
    other = served[1]()
    house.time.pass_(seconds=60)
    other.sign_in("ada", ada)
    house.time.pass_(minutes=11)
    asked = browser.post("/account", "/account/sessions/end", session="others")
    assert asked.headers["location"] == "/step-up?next=%2Faccount&both=yes"
    assert other.get("/account").status_code == 200
    browser.post("/step-up?next=/account", "/step-up", code=ada.code(), next="/account")
    one = browser.post("/account", "/account/sessions/end", session="others")
    assert one.headers["location"].endswith("both=yes"), "a code alone is one factor"
    house.time.pass_(seconds=60)
    browser.post("/step-up", "/step-up", code=ada.code(), password=PASSWORD, next="/account")
    done = browser.post("/account", "/account/sessions/end", session="others")
    assert done.headers["location"] == "/account?done=others"
    assert other.get("/account").status_code != 200


def own_of(browser) -> str:
    """The id of a browser's session, as the house knows it."""
    rows = browser.house.people.session_list({"kind": "console", "session": browser.session})
    return next(row.id for row in rows if row.own)


def test_another_persons_session_is_none_of_mine(browser, house, ada):
    house.person("ben")
    other, _ = house.enrol("ben", "ben")
    for id_ in (other.visit.id, "no-such", ""):
        answer = browser.post("/account", "/account/sessions/end", session=id_)
        assert answer.status_code == 404, id_


def test_account_forms_carry_the_token_of_the_session(browser, ada):
    for path in ("/account/password", "/account/factors/remove", "/account/app", "/account/sessions/end", "/step-up", "/step-up/passkey/begin", "/account/passkey/begin"):  # fmt: skip
        for form in ({}, {"token": "x" * 64}):
            assert browser.send(path, form or {"x": "y"}).status_code == 403, path


def test_a_question_for_a_new_passkey_is_asked_as_json_or_leads_to_a_proof(browser, house, ada):
    answer = browser.post("/account", "/account/passkey/begin")
    assert answer.json()["options"]["rp"]["id"] == "localhost"
    assert answer.json()["options"]["user"]["name"] == "ada"
    house.time.pass_(minutes=11)
    assert browser.post("/account", "/account/passkey/begin").headers["location"].startswith("/step-up")
    late = browser.post("/account", "/account/passkey", ceremony="x" * 43, credential="{}", label="key")
    assert late.status_code in {303, 422}
