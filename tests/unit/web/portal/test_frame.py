"""Around every page of the portal: no script, nobody believed, forms of one visit and one patient, a way out that always works."""

import html
import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.unit.web.portal.conftest import ADDRESS, BASE, CODE, OURS, seat, token_on

from oathward.core.errors import SettingsError
from oathward.core.reasons import Reason
from oathward.core.settings_portal import Portal
from oathward.web.portal import frame as frames
from oathward.web.portal.frame import create
from oathward.web.portal.page import Route, pages


def paths():
    return [
        route.path
        for page in pages()
        for route in page.routes
        if route.method == "GET" and "{" not in route.path
    ]


SCRIPTED = {"/sign-in/passkey", "/my-sign-in/passkey"}
"""Where the portal's one script may run: a browser makes and shows passkeys by nothing else."""

# --- what every answer carries


@pytest.mark.turns(3, "path")  # every third page: one function gives all their headers
@pytest.mark.parametrize("path", [*paths(), "/leave", "/language/es", "/nothing"])
def test_every_answer_has_the_headers_and_no_script(browser, path):
    browser.sign_in()
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    script = "script-src 'self'; connect-src 'self'; " if path in SCRIPTED else ""
    assert policy == (
        f"default-src 'none'; {script}style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert answer.headers["x-frame-options"] == "DENY"
    page = re.sub(r'<script src="/static/\w+/portal\.js" defer></script>', "", answer.text)
    assert (page != answer.text) is (path in SCRIPTED)
    assert not re.search(r"<script|\son\w+=|javascript:|style=|hx-", page)


def test_a_mistake_of_ours_has_the_headers_too_and_says_so_in_plain_words(browser, monkeypatch):
    browser.sign_in()
    monkeypatch.setattr(frames.Frame, "_renewed", lambda *_: 1 / 0)
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "our fault" in answer.text
    assert "ZeroDivision" not in answer.text


def test_style_may_be_kept_because_its_address_changes(browser):
    address = re.search(r'href="(/static/\w+/portal\.css)"', browser.get("/sign-in").text)[1]
    answer = browser.get(address)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/x/../../secrets").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1@evil.example", ""])
def test_another_host_is_not_heard(browser, host):
    assert browser.get("/sign-in", host=host).status_code in {400, 421}


# --- who is signed in


@pytest.mark.parametrize("path", [path for path in paths() if path not in {"/sign-in", "/sign-in/code", "/sign-in/passkey", "/enrol", "/left"}])  # fmt: skip
def test_without_signing_in_there_is_only_the_way_in(browser, path):
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_signing_in_is_an_address_and_a_code(browser):
    browser.sign_in()
    page = browser.get("/")
    assert page.status_code == 200
    assert "your own health data" in page.text
    assert browser.desk.asked[:2] == ["begin", "code"]
    assert "before" not in browser.cookies()


@pytest.mark.parametrize(
    ("scope", "third"), [(("see", "choose", "request"), "/choices"), (("see",), "/my-sign-in")]
)
def test_each_of_homes_three_sentences_leads_to_what_it_speaks_of(browser, desk, scope, third):
    desk.seats = (seat(scope=scope),)
    browser.sign_in()
    lead = browser.get("/").text.partition('<div class="lead">')[2].partition("</div>")[0]
    assert lead.count("<p>") == 3
    assert re.findall(r'<p><a href="([^"]*)">[^<]+[.]</a>\s*</p>', lead) == ["/devices", "/who", third]
    for path in ("/who", third):
        assert f'<li><a href="{path}"' in browser.get("/").text, "the menu has it too"


def test_the_page_after_the_address_says_the_same_for_everybody(browser):
    answers = [browser.post("/sign-in", {"address": address}) for address in (ADDRESS, "nobody@example.org")]
    assert {(a.status_code, a.headers["location"], a.text) for a in answers} == {(303, "/sign-in/code", "")}


@pytest.mark.parametrize(
    ("fails", "words"),
    [(Reason.SIGN_IN_REFUSED, "did not work"), (Reason.SIGN_IN_TOO_MANY, "tried many times")],
)
def test_a_code_that_is_refused_says_so_and_can_be_typed_again(browser, fails, words):
    browser.post("/sign-in", {"address": ADDRESS})
    browser.desk.fails["code"] = fails
    answer = browser.post("/sign-in/code", {"code": "000000"}, page="/sign-in/code")
    assert words in answer.text
    assert 'name="code"' in answer.text
    assert "session" not in browser.cookies()
    browser.desk.fails.clear()
    assert browser.post("/sign-in/code", {"code": CODE}, page="/sign-in/code").headers["location"] == "/"


def test_a_code_without_having_asked_for_one_asks_the_keeper_nothing(browser):
    answer = browser.post("/sign-in/code", {"code": CODE}, page="/sign-in/code")
    assert "did not work" in answer.text
    assert browser.desk.asked == []


@pytest.mark.parametrize("address", ["", " ", "x" * 201, "a\u202eb@example.org"])
def test_what_is_no_address_asks_the_keeper_nothing(browser, address):
    assert browser.post("/sign-in", {"address": address}).status_code == 200
    assert browser.desk.asked == []


@pytest.mark.parametrize("control", ["\x00", "\x01"])
def test_an_address_with_a_control_character_is_refused_with_its_form(browser, control):
    assert browser.post("/sign-in", {"address": f"a{control}b@example.org"}).status_code == 400
    assert browser.desk.asked == []


def test_an_invitation_leads_to_a_code_and_a_used_one_says_so(browser):
    answer = browser.post("/enrol", {"key": "good"}, page="/enrol?key=good")
    assert answer.headers["location"] == "/sign-in/code"
    answer = browser.post("/enrol", {"key": "old"}, page="/enrol?key=old")
    assert "does not work any more" in answer.text
    assert 'href="/sign-in"' in answer.text, "who used it before is led to where they sign in"


def test_a_session_that_ended_is_over_on_the_next_click(browser):
    browser.sign_in()
    assert browser.get("/").status_code == 200
    browser.desk.sessions.clear()
    answer = browser.get("/")
    assert answer.headers["location"] == "/sign-in"
    assert "session" not in browser.cookies()


def test_the_keeper_is_asked_for_every_request(browser):
    browser.sign_in()
    browser.desk.asked.clear()
    browser.get("/")
    browser.get("/")
    assert browser.desk.asked == ["who", "who"]


def test_a_secret_that_is_due_is_another_one_afterwards(browser):
    browser.sign_in()
    before = dict(browser.desk.sessions)
    browser.desk.renew = True
    browser.get("/")
    browser.desk.renew = False
    assert browser.desk.sessions.keys() != before.keys()
    assert browser.get("/").status_code == 200


def test_signing_out_ends_it_and_the_browser_keeps_nothing(browser):
    browser.sign_in()
    browser.get("/language/es")
    answer = browser.post("/sign-out", {}, page="/")
    assert answer.headers["location"] == "/left"
    assert browser.desk.sessions == {}
    assert browser.cookies() == set()


# --- what changes something


def test_cookies_are_hidden_from_scripts_and_other_sites_and_encrypted_bound_to_the_host(site, browser):
    for base in (BASE, "https://127.0.0.1:2580"):
        with TestClient(create(site), base_url=base) as client:
            said = client.get("/sign-in").headers["set-cookie"]
            assert "HttpOnly" in said
            assert "SameSite=strict" in said
            assert said.startswith("__Host-") == base.startswith("https")
            assert ("Secure" in said) == base.startswith("https")


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"origin": "null"}, OURS | {"sec-fetch-site": "cross-site"}])  # fmt: skip
def test_a_form_of_another_site_does_nothing(browser, headers):
    answer = browser.post("/sign-in", {"address": ADDRESS}, headers=headers)
    assert answer.status_code == 403
    assert browser.desk.asked == []


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_without_its_token_does_nothing(browser, token):
    browser.sign_in()
    browser.desk.asked.clear()
    answer = browser.post("/sign-out", {"token": token}, token=False)
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert "sign-out" not in browser.desk.asked


def test_a_form_of_before_signing_in_does_nothing_without_a_browser_it_was_made_for(browser):
    page = browser.get("/sign-in").text
    browser.client.cookies.clear()
    answer = browser.post("/sign-in", {"address": ADDRESS, "token": token_on(page)}, token=False)
    assert answer.status_code == 409


def test_a_form_made_for_one_patient_does_nothing_for_another(browser):
    browser.desk.seats = (seat("a-1"), seat("b-2", own=False))
    browser.sign_in()
    mine = token_on(browser.get("/").text)
    assert browser.post("/patient", {"access": "b-2", "token": mine}, token=False).status_code == 303
    assert "someone you help" in browser.get("/").text
    assert browser.post("/sign-out", {"token": mine}, token=False).status_code == 409
    assert browser.desk.sessions


def test_a_patient_who_is_not_theirs_looks_like_none(browser):
    browser.sign_in()
    answer = browser.post("/patient", {"access": "z-9"}, page="/")
    assert answer.status_code == 404


def test_when_an_access_ends_with_its_page_open_the_form_does_nothing(browser):
    browser.desk.seats = (seat("b-2", own=False), seat("c-3", own=False))
    browser.sign_in()
    browser.post("/patient", {"access": "c-3"}, page="/")
    open_page = token_on(browser.get("/").text)
    browser.desk.seats = browser.desk.seats[:1]
    assert browser.post("/patient", {"access": "b-2", "token": open_page}, token=False).status_code == 409


def test_a_holder_without_anybody_to_see_hears_so(browser):
    browser.sign_in()
    browser.desk.seats = ()
    assert "nothing here for you to see" in browser.get("/").text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"a=%ff&=&&&", "text/plain"),
    ],
)
def test_what_is_no_form_is_refused(browser, body, kind):
    answer = browser.client.post("/sign-in", content=body, headers=OURS | {"content-type": kind})
    assert answer.status_code in {400, 413, 422}
    assert browser.desk.asked == []


def test_no_page_changes_anything_by_being_looked_at(browser):
    browser.sign_in()
    browser.desk.asked.clear()
    for path in paths():
        browser.get(path)
    assert set(browser.desk.asked) == {"who", "mine", "open"}, "questions, and an opening, which is on record"
    assert browser.desk.asked.count("open") == 1, "values are opened on one page alone"


# --- leaving


def leaving(site, url):
    settings = replace(site.settings, portal=Portal(leave_url=url))
    return TestClient(create(replace(site, settings=settings)), base_url=BASE)


def test_leaving_ends_the_visit_and_goes_where_nothing_says_so(site, browser):
    browser.sign_in()
    with leaving(site, "https://weather.example") as client:
        client.cookies = browser.client.cookies
        answer = client.get("/leave", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://weather.example")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert browser.desk.sessions == {}
    assert answer.headers.get_list("set-cookie") != []
    assert all("Max-Age=0" in one for one in answer.headers.get_list("set-cookie"))


def test_leaving_works_although_the_keeper_does_not_answer(browser):
    browser.sign_in()
    browser.desk.fails["sign-out"] = Reason.KEEPER_UNAVAILABLE
    answer = browser.get("/leave")
    assert (answer.status_code, answer.headers["location"]) == (303, "/left")
    assert browser.cookies() == set()


def test_leaving_writes_nothing_but_the_end_of_the_session(browser):
    browser.sign_in()
    browser.desk.asked.clear()
    browser.get("/leave")
    assert browser.desk.asked == ["sign-out"]


# --- language


def test_the_language_is_the_browsers_then_the_holders_then_what_was_clicked(browser):
    assert 'lang="es"' in browser.get("/sign-in", **{"accept-language": "es-MX"}).text[:60]
    browser.sign_in()
    browser.desk.language = "es"
    assert "Estos son sus datos" in browser.get("/").text
    answer = browser.get("/language/en?to=/")
    assert answer.headers["location"] == "/"
    assert "This is your own" in browser.get("/").text


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nx: y", ""]
)
def test_another_language_leads_nowhere_else(browser, to):
    answer = browser.client.get("/language/es", params={"to": to}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_language_we_do_not_have_is_no_page(browser):
    assert browser.get("/language/xx").status_code == 404


@pytest.mark.parametrize("code", ["en", "es"])
def test_both_languages_say_every_page(browser, code):
    browser.get(f"/language/{code}")
    browser.sign_in()
    browser.get(f"/language/{code}")
    for path in paths():
        page = browser.get(path)
        assert page.status_code == 200, path
        assert f'<html lang="{code}">' in page.text
        assert not re.search(r"\{[a-z_]+\}", page.text)


# --- routes


def test_a_route_that_needs_what_there_is_not_cannot_be():
    with pytest.raises(ValueError, match="needs one of"):
        Route("/x", lambda view: view.page("x"), "staff")


def test_what_is_not_in_the_scope_of_an_access_looks_like_nothing(site, desk, browser, monkeypatch):
    route = Route("/choose-something", lambda view: view.page("left.html"), "choose")
    page = replace(pages()[0], routes=(route,), order=0)
    monkeypatch.setattr(frames, "pages", lambda: [*pages(), page])
    with TestClient(create(site), base_url=BASE) as client:
        browser.sign_in()
        client.cookies = browser.client.cookies
        assert client.get("/choose-something").status_code == 200
        desk.seats = (seat(scope=("see",)),)
        hidden, none = client.get("/choose-something"), client.get("/no-such-page")
        assert hidden.status_code == none.status_code == 404
        assert hidden.text.replace("choose-something", "") == none.text.replace("no-such-page", "")


def test_every_sentence_that_is_shown_is_written_and_every_written_one_is_shown(site):
    from pathlib import Path

    from oathward.web.portal import texts
    from oathward.web.portal.render import FOLDER, Renderer

    code = "".join(path.read_text() for path in Path(frames.__file__).parent.rglob("*.py"))
    code += "".join(f'"{one}"' for page in pages() for one in page.says)
    shown = code + "".join(path.read_text() for path in FOLDER.glob("*.html"))
    written = texts.load()["en"].sentences
    assert [name for name in written if f'"{name}"' not in shown] == []
    Renderer("a-site", pages(), texts.load())


def test_a_template_that_says_what_nobody_wrote_is_found_when_the_portal_is_made(site, monkeypatch):
    from oathward.web.portal import texts

    found = texts.load()["en"]
    fewer = replace(found, sentences={k: v for k, v in found.sentences.items() if k != "left.said"})
    monkeypatch.setattr(texts, "load", lambda: {"en": fewer})
    with pytest.raises(SettingsError, match=r"left\.said"):
        create(site)


def test_what_a_setting_says_is_shown_as_text(site, browser):
    settings = replace(site.settings, site=replace(site.settings.site, name="<b>St. Ana</b>"))
    with TestClient(create(replace(site, settings=settings)), base_url=BASE) as client:
        page = client.get("/sign-in").text
    assert "<b>St. Ana" not in page
    assert html.escape("<b>St. Ana</b>") in page


def test_what_a_request_holds_is_told_to_nobody_who_prints_it(browser, monkeypatch):
    browser.sign_in()
    shown = []
    monkeypatch.setattr(frames.Frame, "_renewed", lambda _, view, answer: shown.append(view) or answer)
    browser.get("/")
    browser.post("/patient", {"access": "a-1", "word": "mine-alone"}, page="/")
    secrets = [text for view in shown for text in (view.secret, view.before, *view.form.values()) if text]
    assert "mine-alone" in secrets
    assert not any(secret in repr(view) for view in shown for secret in secrets if secret != "a-1")
