"""What must hold on every page of the console, in both themes, in a real browser."""

import re
import subprocess
import sys
from contextlib import ExitStack

import pytest
from tests.e2e.browser import THEMES, needs_chromium, signed_in
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


@pytest.mark.turns(2, "name", "console")  # each page in one theme
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


@pytest.mark.turns(3, "name", "size")  # each page in one size
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


def test_a_long_path_in_what_is_wrong_does_not_widen_home(busy, windows):
    console = windows["light"]
    console.open("/")
    wide = console.page.evaluate(
        """() => {
        const cells = document.querySelectorAll('#wrong + .rows td:last-child');
        cells.forEach(cell => { cell.textContent = 'cannot be read (/srv/' + 'recipients'.repeat(20) + ')'; });
        return cells.length && document.documentElement.scrollWidth - document.documentElement.clientWidth;
    }"""
    )
    assert console.page.locator("#wrong + .rows td:last-child").count() > 3
    assert wide <= 0
    console.complaints.clear()


@pytest.mark.parametrize("path", ["/", "/links", "/health"])
def test_what_waits_leads_to_its_list(path, busy, windows):
    console = windows["light"]
    console.open(path)
    column = """() => [...document.querySelectorAll('table')].flatMap(table => {
        const at = [...table.tHead?.rows[0].cells ?? []].findIndex(cell => cell.innerText === 'Waiting')
        return at < 0 ? [] : [...table.tBodies[0].rows].map(row => row.cells[at])
    }).map(cell => [cell.innerText.trim(), cell.querySelector('a')?.getAttribute('href')])"""
    found = [(said, href) for said, href in console.page.evaluate(column) if said != "—"]
    assert {href for _, href in found} == {
        f"/deliveries?link={link}" for link in ("ehr", "ward-display", "research-registry")
    }
    assert "60" in {said for said, _ in found}


def test_before_and_after_is_reached_and_read_by_keyboard_alone(windows):
    console = windows["light"]
    console.open("/")
    press, page = console.page.keyboard.press, console.page

    def tab_to(selector, most=80):
        for _ in range(most):
            if page.evaluate(f"document.activeElement?.matches({selector!r})"):
                return
            press("Tab")
        raise AssertionError(selector)

    press("g")
    press("g")
    page.wait_for_url("**/profiles")
    tab_to('main a[href="/profiles/research"]')
    press("Enter")
    page.wait_for_url("**/profiles/research")
    tab_to('main a[href="/profiles/research/example"]')
    press("Enter")
    page.wait_for_url("**/example")
    tab_to("select#format")
    press("T")  # of Text
    tab_to("main form button")
    press("Enter")
    page.wait_for_url("**/example?format=text*")
    tab_to("p[aria-labelledby=after]")
    assert "[name] was seen on" in page.inner_text("p[aria-labelledby=after]")
    styles = page.evaluate(
        "['del', 'ins'].map(tag => getComputedStyle(document.querySelector('.shaped ' + tag)).textDecorationLine)"
    )
    assert styles == ["line-through", "underline"]  # said by more than colour


def test_a_title_counts_what_the_list_shows(windows):
    console = windows["light"]
    for path, title in (
        ("/messages", r"Messages \d+ received"),
        ("/messages?state=accepted", "Messages more than 50 fit the filters"),
        ("/messages?device=no-such", "Messages 0 fit the filters"),
        ("/quarantine?state=released", "Quarantine released"),
    ):
        console.open(path)
        assert re.fullmatch(title, " ".join(console.page.inner_text("h1").split())), path


def test_the_reasons_to_filter_by_are_those_of_messages(windows):
    console = windows["light"]
    console.open("/messages")
    groups = console.page.eval_on_selector_all("#reason optgroup", "all => all.map(one => one.label)")
    codes = console.page.eval_on_selector_all("#reason option", "all => all.map(one => one.value)")
    assert groups == ["Held now", "Others"]
    assert codes[1] == "device.identity-mismatch"
    assert "patient.several" in codes
    assert not [code for code in codes if code.startswith(("ledger.", "http.", "delivery.", "settings."))]


def test_who_may_be_an_impostor_is_said_in_the_words_of_the_command(busy, windows):
    console = windows["light"]
    command = [sys.executable, "-m", "oathward.cli", "device", "held", "--data", str(busy.folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    console.open(addresses(busy)["adopt"])
    warning = console.page.inner_text(".notice.bad li")
    assert warning[1:] in said
    assert "may call itself so" in warning
    console.open("/devices/unknown")
    assert warning[1:] in console.page.inner_text("tbody")


def test_a_list_that_can_be_ticked_is_printed_without_its_boxes(windows):
    console = windows["light"]
    console.open("/quarantine")
    try:
        console.page.emulate_media(media="print")
        assert console.page.is_visible("tbody th")
        assert not console.page.is_visible("input, button, select")
    finally:
        console.page.emulate_media(media="screen")


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
