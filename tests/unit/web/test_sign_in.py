"""Signing in at the console: what is shown, what is refused, what a browser is given, and what nobody can tell."""

import contextlib
import re
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient
from tests.unit.vault.keeper.people import PASSWORD
from tests.unit.web.people import BASE, COOKIE, OURS, console, copied, token_in

from oathward.core.errors import InputError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.web import security
from oathward.web.pages import sign_in
from oathward.web.sign_in import before, begins

ELSEWHERE = [
    "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "evil.example",
    "/\t/evil.example", "http:/evil.example", "//[", "", "/x\r\nset-cookie: a=b",
]  # fmt: skip


@pytest.fixture
def served(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        yield house, browser


@pytest.fixture
def house(served):
    return served[0]


@pytest.fixture
def browser(served):
    return served[1]()


@pytest.fixture
def phone(house):
    house.person("ada", Role.CLINICAL_ENGINEER, name="Ada Engineer")
    return house.enrol("ada", "ada")[1]


# --- the ways in


def test_a_password_and_a_code_sign_in_to_the_page_that_was_asked_for(browser, phone):
    assert browser.get("/devices").headers["location"] == "/sign-in?next=/devices"
    assert browser.sign_in("ada", phone, after="/devices").headers["location"] == "/devices"
    page = browser.get("/devices")
    assert page.status_code == 200
    assert "Ada Engineer" in page.text


def test_the_page_offers_what_there_is_and_says_how_it_is_filled_in(browser):
    text = browser.get("/sign-in").text
    for attributes in ('autocomplete="username webauthn"', 'autocomplete="current-password"', 'data-passkey="get"'):  # fmt: skip
        assert attributes in text
    assert "/sign-in/provider" not in text, "there is none"
    assert "One-time link" not in text, "the site has people"
    assert "oathward console --as" not in text


def test_what_begins_a_sign_in_is_gone_after_it(browser, phone):
    browser.sign_in("ada", phone)
    assert set(browser.client.cookies) == {COOKIE}


def test_a_second_step_without_a_first_begins_at_the_first(browser, phone):
    assert browser.get("/sign-in/second").headers["location"] == "/sign-in"
    assert browser.post("/sign-in", "/sign-in/second", code="123456").headers["location"] == "/sign-in"


def test_a_wrong_code_is_asked_for_again_and_a_right_one_then_signs_in(browser, house, phone):
    browser.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    wrong = browser.post("/sign-in/second", "/sign-in/second", code="000000")
    assert wrong.status_code == 401
    assert Reason.SIGN_IN_REFUSED.code in wrong.text
    house.time.pass_(seconds=60)
    assert browser.post("/sign-in/second", "/sign-in/second", code=phone.code()).status_code == 303
    assert browser.session


def test_a_code_may_be_typed_with_a_space(browser, house, phone):
    browser.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    house.time.pass_(seconds=60)
    code = phone.code()
    done = browser.post("/sign-in/second", "/sign-in/second", code=f" {code[:3]} {code[3:]} ")
    assert done.status_code == 303


def test_beginning_again_forgets_what_was_begun(browser, phone):
    browser.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    assert f"{COOKIE}_pending" in browser.client.cookies
    browser.post("/sign-in/second", "/sign-in/again")
    assert browser.get("/sign-in/second").headers["location"] == "/sign-in"


def test_signing_out_ends_the_session_here_and_there(browser, phone):
    browser.sign_in("ada", phone)
    secret = browser.session
    assert browser.post("/account", "/sign-out").headers["location"] == "/sign-in"
    assert browser.session == ""
    browser.plant(COOKIE, secret)
    assert browser.get("/account").headers["location"].startswith("/sign-in")


# --- nobody can tell whether a login exists

WRONG = {
    "no such login": ("nobody", PASSWORD),
    "a wrong password": ("ada", "wrong"),
    "an empty password": ("ada", ""),
    "an invited person who has not enrolled": ("ben", PASSWORD),
    "somebody who left": ("cleo", PASSWORD),
    "a login of another kind": ("a\u202eb", PASSWORD),
    "a login too long": ("x" * 5_000, PASSWORD),
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_looks_the_same(browser, house, phone, name):
    house.person("ben")
    house.invited("ben", "ben")
    house.person("cleo")
    house.enrol("cleo", "cleo")
    house.leave("cleo")
    seen = set()
    for login, password in (WRONG[name], ("somebody-else", "something else")):
        answer = browser.post("/sign-in", "/sign-in/password", login=login, password=password)
        same = answer.text.replace(login.strip()[:200], "LOGIN") if login.strip() else answer.text
        same = re.sub(r'value="[^"]*"', "", same)
        seen.add((answer.status_code, same, tuple(sorted(answer.headers.keys()))))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 401


def test_a_login_with_a_nul_is_refused_with_its_form_whoever_has_it(browser, phone):
    seen = set()
    for login in ("ada\x00", "nobody\x00", "ada\x01", "nobody\x1f"):
        answer = browser.post("/sign-in", "/sign-in/password", login=login, password=PASSWORD)
        seen.add((answer.status_code, answer.text))
    assert [status for status, _ in seen] == [400]


def test_without_one_answer_for_all_it_could_be_told(browser, house, phone, monkeypatch):
    """Reverse: the test above sees another reason."""
    from oathward.core.errors import KeeperError

    def telling(self, login, password, origin):
        reason = Reason.SIGN_IN_REFUSED if login == "ada" else Reason.PASSWORD_REFUSED
        raise KeeperError("sign-in", "x", reason=reason)

    monkeypatch.setattr(type(house.people), "sign_in_password", telling)
    answers = [browser.post("/sign-in", "/sign-in/password", login=n, password="x") for n in ("ada", "eve")]
    assert answers[0].status_code != answers[1].status_code


# --- where one goes then


@pytest.mark.parametrize("where", ELSEWHERE)
def test_nobody_is_sent_elsewhere_after_signing_in(browser, phone, where):
    done = browser.sign_in("ada", phone, after=quote(where, safe=""))
    assert done.headers["location"] == "/"
    assert browser.get(f"/sign-in?next={quote(where, safe='')}").headers["location"] == "/"


@pytest.mark.parametrize("where", ["/", "/devices", "/messages?state=held&device=a%2Fb", "/quarantine#x"])
def test_a_page_of_ours_is_kept(where):
    assert before.local(where) == where


def test_without_that_check_one_would_be_sent_elsewhere(browser, phone, monkeypatch):
    """Reverse: the addresses above are left out by it."""
    for module in (before, sign_in):
        monkeypatch.setattr(module, "local", lambda where: where)
    assert browser.sign_in("ada", phone, after="//evil.example").headers["location"] == "//evil.example"


# --- fixation, CSRF


def test_a_session_is_never_the_one_a_browser_brought(browser, phone):
    planted = "x" * 43
    browser.plant(COOKIE, planted)
    browser.plant(f"{COOKIE}_begun", "y" * 43)
    browser.sign_in("ada", phone)
    assert browser.session not in {"", planted, "y" * 43}
    assert f"{COOKIE}_begun" not in browser.client.cookies


def test_signing_in_anew_ends_the_session_before(browser, house, phone):
    browser.sign_in("ada", phone)
    first = browser.session
    house.person("ben")
    _, other = house.enrol("ben", "ben")
    text = browser.get("/enrol").text  # any page that shows this browser's token
    answer = browser.send("/sign-in/password", {"token": token_in(text), "login": "ben", "password": PASSWORD})  # fmt: skip
    assert answer.headers["location"] == "/sign-in/second"
    house.time.pass_(seconds=60)
    browser.post("/sign-in/second", "/sign-in/second", code=other.code())
    assert browser.session != first
    browser.plant(COOKIE, first)
    assert browser.get("/account").headers["location"].startswith("/sign-in")


FORMS = (
    "/sign-in/password", "/sign-in/second", "/sign-in/passkey", "/sign-in/passkey/begin", "/enrol", "/enrol/password",
    "/enrol/app", "/enrol/app/code", "/enrol/passkey", "/enrol/passkey/begin",
)  # fmt: skip


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_was_not_shown_to_this_browser_begins_nothing(served, house, phone, path):
    """Somebody's own sign-in cannot be put upon another's browser (login CSRF)."""
    mine, theirs = served[1](), served[1]()
    token = token_in(mine.get("/sign-in").text)
    theirs.get("/sign-in")
    pending = mine.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    assert pending.status_code == 303
    theirs.plant(f"{COOKIE}_pending", mine.client.cookies[f"{COOKIE}_pending"])
    house.time.pass_(seconds=60)
    form = {"login": "ada", "password": PASSWORD, "again": PASSWORD, "code": phone.code(), "key": "k", "credential": "{}"}  # fmt: skip
    for given in ({}, {"token": ""}, {"token": token}, {"token": "é"}):
        answer = theirs.send(path, {**form, **given})
        assert answer.status_code in {303, 403}, path
        assert theirs.session == ""
        if answer.status_code == 303:
            assert answer.headers["location"] in {"/enrol", "/sign-in"}, "nothing of the kind was begun"


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_sites_page_begins_nothing(browser, path):
    token = token_in(browser.get("/sign-in").text)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "origin": BASE}):
        answer = browser.client.post(path, data={"token": token}, headers=headers, follow_redirects=False)
        assert answer.status_code == 403
    assert OURS["origin"] == BASE


def test_without_the_token_of_the_browser_it_would_be_begun(served, phone, monkeypatch):
    """Reverse: the refusal above comes from that check."""
    theirs = served[1]()
    theirs.get("/sign-in")
    monkeypatch.setattr(security, "check_token", lambda *_: None)
    answer = theirs.send("/sign-in/password", {"login": "ada", "password": PASSWORD})
    assert answer.status_code == 303


def test_cookies_are_the_browsers_alone(browser, phone):
    shown = browser.get("/sign-in")
    first = browser.post("/sign-in", "/sign-in/password", login="ada", password=PASSWORD)
    made = shown.headers.get_list("set-cookie") + first.headers.get_list("set-cookie")
    assert [c.partition("=")[0] for c in made] == [f"{COOKIE}_begun", f"{COOKIE}_pending"]
    assert all("HttpOnly" in c and "SameSite=strict" in c and "Path=/" in c for c in made)
    assert PASSWORD not in str(dict(browser.client.cookies))


def test_over_tls_cookies_are_this_hosts_alone(browser, phone):
    """No other name under the same domain, and no plain connection, can set or see them."""
    from tests.unit.web.people import Browser

    over = Browser(TestClient(browser.client.app, base_url=BASE.replace("http", "https")), browser.house)
    ours = {"origin": BASE.replace("http", "https")}
    shown = over.get("/sign-in")
    form = {"token": token_in(shown.text), "login": "ada", "password": PASSWORD}
    first = over.send("/sign-in/password", form, **ours)
    browser.house.time.pass_(seconds=60)
    form = {"token": token_in(over.get("/sign-in/second").text), "code": phone.code()}
    made = [*shown.headers.get_list("set-cookie"), *first.headers.get_list("set-cookie")]
    made += over.send("/sign-in/second", form, **ours).headers.get_list("set-cookie")
    assert {c.partition("=")[0] for c in made} == {f"__Host-{COOKIE}{n}" for n in ("", "_begun", "_pending")}
    assert all("Secure" in c and "Path=/" in c and "Domain" not in c for c in made)


@pytest.mark.parametrize("value", ["", "x", "e30=", "W10=", "W1tdXQ==", "x" * 3_000, "é", '["a"]'])
def test_a_cookie_that_was_tampered_with_is_none(browser, value):
    browser.plant(f"{COOKIE}_pending", quote(value))
    assert browser.get("/sign-in/second").headers["location"] == "/sign-in"
    assert browser.get("/enrol/factor").headers["location"] == "/enrol"


# --- passkeys, as far as a server sees them


def test_a_passkeys_question_is_asked_as_json(browser):
    answer = browser.post("/sign-in", "/sign-in/passkey/begin")
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"ceremony", "options"}
    assert answer.json()["options"]["rpId"] == "localhost"


@pytest.mark.parametrize("credential", ["", "{}", "[]", "x", '{"id": "a"}', "x" * 70_000])
def test_what_no_passkey_said_signs_nobody_in(browser, credential):
    ceremony = browser.post("/sign-in", "/sign-in/passkey/begin").json()["ceremony"]
    answer = browser.post("/sign-in", "/sign-in/passkey", ceremony=ceremony, credential=credential)
    assert answer.status_code in {400, 401}
    assert browser.session == ""


def test_nobody_fills_up_the_room_for_others(served, monkeypatch):
    monkeypatch.setattr(begins, "PER_MINUTE_MAX", 3)
    browser = served[1]()
    token = token_in(browser.get("/sign-in").text)
    answers = [browser.send("/sign-in/passkey/begin", {"token": token}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert Reason.SIGN_IN_TOO_MANY.code in answers[-1].text


def test_without_the_count_the_room_would_fill_up(served, monkeypatch):
    """Reverse: the refusal above comes from it."""
    monkeypatch.setattr(begins, "PER_MINUTE_MAX", 3)
    monkeypatch.setattr(begins.Begins, "count", lambda *_: None)
    browser = served[1]()
    token = token_in(browser.get("/sign-in").text)
    answers = [browser.send("/sign-in/passkey/begin", {"token": token}).status_code for _ in range(4)]
    assert answers == [200] * 4


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
def test_addresses_that_count_as_one(monkeypatch, first, second, one):
    monkeypatch.setattr(begins, "PER_MINUTE_MAX", 1)
    now = [0.0]
    counting = begins.Begins(monotonic=lambda: now[0])
    counting.count(first)
    with pytest.raises(InputError) if one else contextlib.nullcontext():
        counting.count(second)
    now[0] += 60
    counting.count(first)


def test_addresses_are_not_kept_without_end(monkeypatch):
    monkeypatch.setattr(begins, "ADDRESSES_MAX", 10)
    counting = begins.Begins()
    for n in range(50):
        counting.count(f"192.0.2.{n}")
    assert len(counting._counts) == 10


# --- links


def test_a_site_with_people_signs_nobody_in_by_a_link(browser):
    answer = browser.send("/sign-in", {"key": "x" * 43})
    assert answer.status_code == 403
    assert browser.session == ""


def test_a_trial_offers_links_beside_the_rest_and_says_how_to_make_one(prepared, tmp_path):
    site = copied(prepared.settings.data, tmp_path / "trial", "\n[people]\nlinks_sign_in = true\n")
    with console(site) as (_, new):
        browser = new()
        text = browser.get("/sign-in").text
        assert "One-time link" in text
        assert 'name="password"' in text
        late = browser.send("/sign-in", {"key": "x" * 43})
        assert late.status_code == 403
        assert "oathward console --as" in late.text
