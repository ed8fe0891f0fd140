"""The console in a real browser: signing in by a one-time link, the first page, and what the browser must never complain about."""

import pytest
from tests.e2e.browser import THEMES, axe_source, link_for, needs_chromium, signed_in, window
from tests.e2e.console_site import SECRETS, about, busy_site
from tests.wire import Client

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    with busy_site(tmp_path_factory.mktemp("console") / "s") as site:
        yield site


def test_a_link_signs_one_person_in_once_and_the_ledger_says_who(busy, chromium):
    made = busy.cli("console", "--as", "Dana")
    base = made["link"].partition("/sign-in")[0]
    with window(chromium, base, forgiven=("403",)) as console:
        console.open("/health")
        assert "/sign-in?next=/health" in console.page.url, "nobody is signed in yet"
        console.use(made["link"] + "&next=/health")
        console.page.wait_for_url(base + "/health")
        assert "Dana" in console.page.inner_text(".who")
        console.tab_to("Sign out")
        console.press("Enter")
        console.page.wait_for_url(base + "/sign-in")
        console.open("/")
        assert "/sign-in" in console.page.url
        console.use(made["link"])
        console.page.wait_for_selector("text=This link does not work any more")
    begun, ended = busy.records("session.begun")[-1], busy.records("session.ended")[-1]
    assert begun["body"]["person"] == ended["body"]["person"] == "Dana"
    assert begun["body"]["by"].startswith("uid ")
    assert busy.records("session.refused")


def test_home_says_what_flows_what_is_held_and_what_is_wrong(busy, chromium):
    with signed_in(chromium, busy) as console:
        text = console.page.inner_text("main")
        assert "66 messages in the last five minutes" in " ".join(text.split())
        assert "6 messages in quarantine" in " ".join(text.split())
        assert "ward-display cannot deliver" in text
        assert [s for s in SECRETS if s in console.page.content()] == []


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_where_nobody_is_signed_in(busy, chromium, theme):
    axe, link = axe_source(), link_for(busy)
    base = link.partition("/sign-in")[0]
    with window(chromium, base, theme=theme, forgiven=("404",)) as console:
        for path in ("/sign-in", link.removeprefix(base), "/no-such-page"):
            console.open(path)
            assert console.violations(axe) == [], path


def test_new_rows_wait_behind_their_count_until_one_asks(busy, chromium):
    with signed_in(chromium, busy) as console:
        console.open("/messages")
        rows = "[...document.querySelectorAll('tbody th a')].map(a => a.title)"
        before = console.page.evaluate(rows)
        with Client(busy.port()) as client:
            for n in range(2):
                assert client.send(about(f"N{n}", sender="MON1")) == "AA"
        console.page.wait_for_selector("[data-new] >> text=2 new")
        assert console.page.evaluate(rows) == before, "nothing moved"
        console.tab_to("2 new")
        with Client(busy.port()) as client:
            assert client.send(about("N2", sender="MON1")) == "AA"
        console.page.wait_for_selector("[data-new] >> text=3 new")
        assert console.page.evaluate("document.activeElement.innerText") == "3 new", "the focus stays"
        console.press("n")
        console.page.wait_for_load_state()
        console.page.wait_for_selector("h1 >> text=69 received")
        assert console.page.inner_text("[data-new]") == ""
        assert console.page.evaluate(rows)[3:] == before[:-3], "now they are there"


def test_everything_is_reached_by_keyboard(busy, chromium):
    with signed_in(chromium, busy) as console:
        console.press("Tab")
        assert console.page.evaluate("document.activeElement.innerText").startswith("Skip to")
        console.press("Enter")
        assert console.page.evaluate("document.activeElement.id") == "main"
        console.press("?")
        assert console.page.is_visible("dialog#keys")
        assert console.page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
        console.press("Escape")
        assert not console.page.is_visible("dialog#keys")
        console.press("g", "m")
        console.page.wait_for_url("**/messages")
        console.press("/")
        assert console.page.evaluate("document.activeElement.id") == "state"
        console.tab_to("Device")
        console.page.keyboard.type("g?mon-1")  # keys do nothing while one writes
        for _ in range(7):
            console.press("Backspace")
        console.page.keyboard.type("mon-1")
        console.press("Enter")
        console.page.wait_for_url("**device=mon-1**")
        console.press("j", "j", "k")
        console.press("Enter")
        console.page.wait_for_url("**/messages/*")
        assert "Permitted" in console.page.inner_text("main")
        assert console.page.evaluate("getComputedStyle(document.querySelector('a')).outlineStyle") == "none"
        console.tab_to("Home")
        ring = console.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid", "where the focus is can be seen"


def test_a_page_left_open_wears_its_age(busy, chromium):
    with signed_in(chromium, busy) as console:
        assert not console.page.is_visible(".asof .old")
        console.page.evaluate("document.querySelector('.asof').dataset.staleS = '1'")
        console.page.wait_for_selector(".asof.stale .old")
        assert "ago" in console.page.inner_text(".asof time")


def test_a_violation_of_the_content_policy_would_be_seen(busy, chromium):
    """Reverse: what fails every test here is noticed: an inline style, an inline script, a picture of elsewhere."""
    with signed_in(chromium, busy, forgiven=("",)) as console:
        for piece in ("<p style='color:red'>x</p>", "<img src='http://127.0.0.1:9/x.png'>"):
            before = len(console.complaints)
            console.page.evaluate(
                "html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", piece
            )
            console.page.wait_for_timeout(200)
            assert any("Content Security Policy" in c for c in console.complaints[before:]), piece


def test_without_script_every_page_still_says_all(busy, chromium):
    link = link_for(busy)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    page.click("text=Sign in >> nth=-1")
    base = link.partition("/sign-in")[0]
    for path in ("/", "/messages", "/quarantine", "/health"):
        assert page.goto(base + path).status == 200
    page.goto(base + "/quarantine")
    page.check("tbody input >> nth=0")
    page.fill("#why", "without script")
    page.click("text=Release ticked")
    assert "/quarantine/releases/" in page.url
    context.close()
