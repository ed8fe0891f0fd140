"""Who is heard, who is signed in, and what every answer carries."""

import re

import pytest
from tests.unit.web.conftest import BASE, OURS

from oathward.core.errors import InputError, StorageError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import admin_proof
from oathward.web import frame, security
from oathward.web.page import Page, Route, pages

ADDRESSES = [route for page in pages() for route in page.routes if "{" not in route.path]


def test_every_answer_has_the_headers(browser):
    browser.sign_in()
    for path in ("/", "/sign-in", "/no-such-page", "/messages", "/static/x/console.css", "/messages/none"):
        headers = browser.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'", path
        assert {policy[f"{k}-src"] for k in ("script", "style", "img", "font", "connect")} == {"'self'"}
        assert policy["form-action"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
        if not path.startswith("/static"):
            assert headers["cache-control"] == "no-store", path


@pytest.mark.parametrize(
    "route", [r for r in ADDRESSES if not r.public], ids=lambda r: f"{r.method} {r.path}"
)
def test_nobody_sees_anything_without_signing_in(browser, route):
    if route.method == "POST":
        assert browser.post(route.path, {"reason": "x"}, token=False).status_code == 403
    elif route.quiet:
        answer = browser.get(route.path)
        assert (answer.status_code, answer.content) == (204, b"")
    else:
        answer = browser.get(route.path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")
    browser.client.cookies.set("oathward_2579", "x" * 43)
    if route.method == "GET":
        assert browser.get(route.path).status_code in {204, 303}, "a made-up secret is no session"


@pytest.mark.parametrize(
    "host", ["oathward.example", "127.0.0.1.example", "10.0.0.1", "", "[::2]", "a]b", "localhost."]
)
def test_another_name_that_leads_here_is_refused(browser, host):
    browser.sign_in()
    answer = browser.get("/", host=host)
    assert answer.status_code == 421
    assert "ada" not in answer.text
    for path in ("/static/x/console.css", "/sign-in"):
        assert browser.get(path, host=host).status_code == 421


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:2579", "LOCALHOST"])
def test_loopback_under_its_names_is_heard(browser, host):
    assert browser.get("/sign-in", host=host).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost:2579"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:2579"},
        {**OURS, "sec-fetch-site": "same-site"},
        {**OURS, "sec-fetch-site": "cross-site"},
        {**OURS, "sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-origin"},
    ],
)
def test_a_form_of_another_page_changes_nothing(browser, headers):
    browser.sign_in()
    assert browser.post("/sign-out", {}, headers=headers).status_code == 403
    assert browser.get("/").status_code == 200, "still signed in"


@pytest.mark.parametrize(
    "headers", [OURS, {"sec-fetch-site": "same-origin"}, {**OURS, "sec-fetch-site": "same-origin"}]
)
def test_our_own_form_is_heard(browser, headers):
    browser.sign_in()
    assert browser.post("/sign-out", {}, headers=headers).status_code == 303
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("token", ["", "x", "0" * 64])
def test_a_form_without_its_sessions_token_changes_nothing(browser, token):
    browser.sign_in()
    assert browser.post("/sign-out", {"token": token}, token=False).status_code == 403
    assert browser.get("/").status_code == 200


def test_the_token_of_another_session_does_not_do(browser):
    browser.sign_in("ben")
    other = re.search(r'name="token" value="(\w+)"', browser.get("/").text)[1]
    browser.client.cookies.clear()
    browser.sign_in("ada")
    assert browser.post("/sign-out", {"token": other}, token=False).status_code == 403


def test_the_cookie_is_the_browsers_alone(browser):
    cookie = browser.sign_in().headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "oathward_2579", "cookies know no ports: two consoles on one machine have two"
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in rest.split(";")}
    assert 0 < int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 8 * 3_600


def test_opening_a_link_uses_nothing_up(browser, admin):
    key = admin.session_invite(admin_proof("ada"), acts=True)
    for _ in range(3):
        assert key in browser.get(f"/sign-in?key={key}").text
    assert browser.post("/sign-in", {"key": f"{BASE}/sign-in?key={key}"}, token=False).status_code == 303
    assert browser.post("/sign-in", {"key": key}, token=False).status_code == 403


@pytest.mark.parametrize("key", ["", "x", "x" * 43, "é" * 10, "x" * 5_000, "a\nb"])
def test_what_is_no_link_signs_nobody_in(browser, key):
    answer = browser.post("/sign-in", {"key": key}, token=False)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "does not work any more" in answer.text


@pytest.mark.parametrize(
    ("after", "to"),
    [
        ("/health", "/health"),
        ("/messages?state=held&type=ORU%5ER01", "/messages?state=held&type=ORU%5ER01"),
        ("//evil.example/x", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nset-cookie: x=y", "/"),
        ("", "/"),
    ],
)
def test_after_signing_in_one_stays_here(browser, after, to):
    assert browser.sign_in(after=after).headers["location"] == to


def test_signing_out_ends_the_session_at_the_keeper_too(browser):
    browser.sign_in()
    secret = browser.client.cookies["oathward_2579"]
    browser.post("/sign-out", {})
    browser.client.cookies.set("oathward_2579", secret)
    assert browser.get("/").status_code == 303, (
        "at once, and not when what was confirmed is no longer believed"
    )
    assert browser.post("/theme", {"theme": "dark"}, token=False).status_code == 403


def test_what_the_keeper_confirmed_is_believed_for_seconds_only(opened, admin):
    now = [1_000.0]
    believed = frame.Believed(opened, monotonic=lambda: now[0])
    secret, _ = opened.keeper.session_begin(admin.session_invite(admin_proof("ada"), acts=True))
    assert believed.who(secret, used=True, anew=False)[0].person == "ada"
    opened.keeper.session_end({"kind": "console", "session": secret})
    assert believed.who(secret, used=True, anew=False)[0].person == "ada", "for a moment"
    for act in ({"anew": True}, {"anew": False}):
        now[0] += 0 if act["anew"] else frame.BELIEVED_S + 0.1
        with pytest.raises(Exception, match="has ended"):
            believed.who(secret, used=True, **act)


def test_forms_are_bounded_and_are_forms(browser):
    browser.sign_in()
    answer = browser.client.post("/sign-out", content=b"x" * (frame.FORMS.form_bytes_max + 1), headers={**OURS, "content-type": "application/x-www-form-urlencoded"})  # fmt: skip
    assert answer.status_code == 400
    many = "&".join(f"a={n}" for n in range(frame.FORMS.fields_max + 1))
    for body, kind in ((b"{}", "application/json"), (many.encode(), "application/x-www-form-urlencoded"), (b"\xff", "text/plain")):  # fmt: skip
        assert browser.client.post("/sign-out", content=body, headers={**OURS, "content-type": kind}).status_code == 400  # fmt: skip
    assert browser.get("/").status_code == 200


def test_errors_say_reason_and_remedy_and_errors_of_ours_say_nothing(opened, browser, capsys):
    secret = "Zebulonova"

    def planned(_view):
        raise InputError("PID-5", "is not a name", reason=Reason.INPUT_INVALID)

    def world(_view):
        raise StorageError("database", "OperationalError", reason=Reason.STORAGE_FULL)

    def ours(_view):
        raise RuntimeError(secret)

    page = Page(
        "x",
        tuple(
            Route(f"/x/{f.__name__}", f, public=True, action="session.begin") for f in (planned, world, ours)
        ),
    )
    answering = frame.Frame(opened, frame.Renderer("demo", [page]))
    browser.client.app.router.routes[:0] = [
        frame.Address(route.path, answering.answering(route)) for route in page.routes
    ]
    said = browser.get("/x/planned")
    assert said.status_code == 400
    assert "PID-5: is not a name" in said.text
    assert Reason.INPUT_INVALID.code in said.text
    assert "Free space" in browser.get("/x/world").text or "free space" in browser.get("/x/world").text
    broken = browser.get("/x/ours")
    assert broken.status_code == 500
    assert secret not in broken.text
    assert "RuntimeError" in broken.text
    assert secret not in "".join(capsys.readouterr())


def test_a_page_that_is_none_says_so(browser):
    browser.sign_in()
    answer = browser.get("/nothing-here")
    assert (answer.status_code, "There is no such page" in answer.text) == (404, True)
    assert browser.client.put("/").status_code == 405


def test_script_and_style_may_be_kept_and_change_their_address(browser):
    browser.sign_in()
    found = re.search(r'href="(/static/\w+/console\.css)"', browser.get("/").text)
    answer = browser.get(found[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/x/..%2Fframe.py").status_code == 404
    assert browser.get("/static/x/.stamp").status_code == 404


def test_without_assets_pages_still_say_all(opened, admin, monkeypatch):
    from starlette.testclient import TestClient
    from tests.unit.web.conftest import Browser

    from oathward.web import render

    monkeypatch.setattr(render, "_static", dict)
    with TestClient(frame.create(opened), base_url=BASE) as client:
        browser = Browser(client, admin)
        browser.sign_in()
        text = browser.get("/").text
        assert "stylesheet" not in text
        assert "<script" not in text
        assert "Is anything wrong?" in text


@pytest.mark.parametrize(("wanted", "kept"), [("dark", "dark"), ("light", "light"), ("", None), ("x", None)])
def test_a_theme_is_remembered_and_nothing_else_is(browser, wanted, kept):
    browser.sign_in()
    assert browser.post("/theme", {"theme": wanted, "next": "/health"}).headers["location"] == "/health"
    assert browser.client.cookies.get("oathward_theme") == kept
    assert ('data-theme="dark"' in browser.get("/").text) is (kept == "dark")


def test_without_the_origin_check_a_foreign_form_would_be_heard(browser, monkeypatch):
    """Reverse: the refusal above comes from that check."""
    browser.sign_in()
    monkeypatch.setattr(security, "check_origin", lambda _request: None)
    assert browser.post("/sign-out", {}, headers={"origin": "https://evil.example"}).status_code == 303


def test_without_the_host_check_another_name_would_be_heard(browser, monkeypatch):
    """Reverse: likewise."""
    monkeypatch.setattr(security, "check_host", lambda _request: None)
    assert browser.get("/sign-in", host="evil.example").status_code == 200


@pytest.mark.parametrize(
    "query", ["path=x", "self=x", "token=x&view=y", "&".join(f"n{n}=1" for n in range(2_000))]
)
def test_no_name_in_an_address_is_an_error_of_ours(browser, query):
    """Lists write their own address again, with whatever stood behind the question mark."""
    browser.sign_in()
    for path in ("/messages", "/devices", "/quarantine", "/ledger", "/people", "/deliveries"):
        assert browser.get(f"{path}?{query}").status_code == 200, path


@pytest.mark.parametrize("number", ["%C2%B2", "%D9%A3", "9" * 19, "9" * 4_400, "-1", "0x1", "1_0"])
def test_a_number_that_is_none_is_no_error_of_ours(browser, number):
    browser.sign_in()
    assert browser.get(f"/ledger?before={number}").status_code == 200
    assert browser.get(f"/deliveries?after={number}").status_code == 200
    for path in ("/ledger/{}", "/ledger/{}/proof"):
        assert browser.get(path.format(number)).status_code == 404
