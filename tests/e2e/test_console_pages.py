"""What must hold on every page of the console, in both themes, in a real browser."""

from contextlib import ExitStack

import pytest
from tests.e2e.browser import THEMES, axe_source, browser, needs_chromium, signed_in
from tests.e2e.console_pages import PAGES, addresses
from tests.e2e.console_site import SECRETS, busy_site

pytestmark = needs_chromium
WHOLE, ZOOMED, LARGE = ({"width": w, "height": h} for w, h in ((1440, 900), (720, 450), (2560, 1440)))
"""A usual screen, the same at a zoom of 200 %, and a large one."""


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    with busy_site(tmp_path_factory.mktemp("pages") / "s", fhir=True) as site:
        yield site


@pytest.fixture(scope="module")
def chromium():
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe():
    return axe_source()


@pytest.fixture(scope="module")
def windows(busy, chromium):
    """One window a theme for all pages; each test looks at its own complaints."""
    with ExitStack() as stack:
        found = {
            theme: stack.enter_context(signed_in(chromium, busy, theme=theme, forgiven=("",)))
            for theme in THEMES
        }
        yield found


@pytest.fixture(params=THEMES)
def console(request, windows):
    return windows[request.param]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_no_value_of_a_message_is_there(name, busy, console, axe):
    console.complaints.clear()
    answer = console.open(addresses(busy)[name])
    assert answer.status == 200, console.page.inner_text("main")
    assert console.violations(axe) == []
    content = console.page.content()
    assert [s for s in SECRETS if s in content] == []
    assert console.page.inner_text("h1").strip()
    assert console.complaints == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [WHOLE, ZOOMED, LARGE], ids=["100", "200", "large"])
def test_nothing_is_cut_off_at_any_zoom(name, size, busy, windows):
    console = windows["light"]  # a theme changes colours alone
    console.page.set_viewport_size(size)
    console.complaints.clear()
    try:
        console.open(addresses(busy)[name])
        wide = console.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, "the page scrolls sideways; only tables may, in their own region"
        assert console.complaints == []
    finally:
        console.page.set_viewport_size(WHOLE)


def test_messages_of_both_wires_are_on_the_pages_that_were_looked_at(busy, console):
    console.open("/messages?device=hub-1")
    text = console.page.inner_text("main")
    assert "FHIR^Bundle" in text
    assert "FHIR^Observation" in text
    for (id_,) in busy.rows("SELECT id FROM message WHERE device = 'hub-1'"):
        console.open(f"/messages/{id_}")
        assert [s for s in SECRETS if s in console.page.content()] == []


def test_the_planted_words_would_be_found(busy, console):
    """Reverse: a page that said one of them would be seen."""
    console.open("/")
    console.page.evaluate("word => document.querySelector('main').append(word)", SECRETS[0])
    assert [s for s in SECRETS if s in console.page.content()] == [SECRETS[0]]


def test_axe_would_find_a_fault(console, axe):
    """Reverse: an image without words, a button without a name."""
    console.open("/")
    console.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any(found.startswith("button-name") for found in console.violations(axe))
