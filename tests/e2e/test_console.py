"""The console in a real browser: signing in by a one-time link, the first page, and what the browser must never complain about."""

import pytest
from tests.e2e.browser import browser, needs_chromium, signed_in, window
from tests.e2e.console_site import SECRETS, busy_site

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    with busy_site(tmp_path_factory.mktemp("console") / "s") as site:
        yield site


@pytest.fixture(scope="module")
def chromium():
    with browser() as launched:
        yield launched


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
