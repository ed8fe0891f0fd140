"""The patient portal in a real browser with script turned off: by keyboard alone, at 320 pixels, in both languages and themes.

The keeper's side of it is the desk of the unit tests; pages, server, cookies and policy are the real ones.
"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from tests.e2e.browser import THEMES, Console, axe_source, browser, needs_chromium
from tests.site import Site
from tests.unit.web.portal.conftest import ADDRESS, CODE, Client, Desk, Keeper, seat

from oathward import ledger
from oathward.app import build
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.settings_portal import Portal
from oathward.ledger import Record
from oathward.web.portal.frame import create
from oathward.web.serving.server import Server

pytestmark = needs_chromium
NARROW = {"width": 320, "height": 640}
TALL = {"width": 1024, "height": 1000}


@pytest.fixture(scope="module")
def desk():
    return Desk(seats=(seat("a-1"), seat("b-2", own=False, until_us=1_893_456_000_000_000)))


@pytest.fixture(scope="module")
def served(tmp_path_factory, desk):
    opened = build(Site.make(tmp_path_factory.mktemp("portal") / "s").settings, "app")
    site = replace(opened, keeper=Keeper(Client(desk), Client(desk)))
    server = Server(site, Portal(port=0), create)
    yield f"http://127.0.0.1:{server.port}", opened
    server.stop()
    opened.keeper.close()
    opened.engine.dispose()


@pytest.fixture(scope="module")
def base(served):
    return served[0]


@pytest.fixture(scope="module")
def happened(served):
    """Two looks and a broken glass on record; gives their indexes."""
    opened = served[1]
    body = {"person": "p-nurse", "purpose": "ETREAT", "code": "life-threat", "id": "g", "minutes": 10}
    kinds = ("keeper.opened", "breakglass.begun", "keeper.opened")
    at_us = micros(opened.clock.now()) - 3_600_000_000
    leaves = [
        ledger.prepare(Record(kind, body, at_us + number * 60_000_000, "subject-of-a-1"))
        for number, kind in enumerate(kinds)
    ]
    with write(opened.engine) as db:
        ledger.append(db, opened.site, leaves)
        size = ledger.head(db, opened.site).size
    return list(range(size - len(kinds), size))


@pytest.fixture(scope="module")
def launched():
    with browser() as found:
        yield found


@contextmanager
def patient(launched, base, *, size=TALL, theme="light", language="en-US", script=False):
    """A window of a patient's; the browser's own complaints fail the test."""
    context = launched.new_context(
        viewport=size, color_scheme=theme, locale=language, java_script_enabled=script, reduced_motion="reduce",
        bypass_csp=script,
    )  # fmt: skip
    context.set_default_timeout(20_000)
    page = context.new_page()
    found = Console(page, base)
    page.on("console", lambda m: found.complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("request", lambda r: None if r.url.startswith(base) else found.complaints.append(r.url))
    try:
        yield found
    finally:
        context.close()
    assert found.complaints == []


def signed_in(window):
    window.open("/sign-in")
    window.page.fill("#address", ADDRESS)
    window.page.press("#address", "Enter")
    window.page.wait_for_url("**/sign-in/code")
    window.page.fill("#code", CODE)
    window.page.press("#code", "Enter")
    window.page.wait_for_url(window.base + "/")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en-US", "es-MX"])
def test_every_page_passes_axe_and_none_scrolls_sideways_at_320_pixels(
    launched, base, happened, theme, language
):
    axe = axe_source()
    with patient(launched, base, theme=theme, language=language, script=True, size=NARROW) as window:
        found = {}
        for path in ("/sign-in", "/sign-in/code", "/enrol?key=good", "/enrol", "/left"):
            window.open(path)
            found[path] = [*window.violations(axe), *sideways(window)]
        signed_in(window)
        proof = f"/proof/{happened[0]}"
        for path in ("/", "/who", "/devices", "/requests", "/wrong", "/looked", "/notices", proof):
            window.open(path)
            found[path] = [*window.violations(axe), *sideways(window)]
        assert window.page.evaluate("document.documentElement.lang") == language[:2]
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def sideways(window):
    wide = window.page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} pixels wide"] if wide > NARROW["width"] else []


def test_the_whole_journey_by_keyboard_without_script(launched, base, desk):
    with patient(launched, base) as window:
        page = window.page
        window.open("/sign-in")
        tabbed(window, "#address")
        page.keyboard.type(ADDRESS)
        window.press("Enter")
        page.wait_for_url("**/sign-in/code")
        tabbed(window, "#code")
        page.keyboard.type(CODE)
        window.press("Enter")
        page.wait_for_url(base + "/")
        assert page.locator(".lead p").count() == 3
        tabbed(window, "footer form button")
        window.press("Enter")
        page.wait_for_url("**/left")
        assert page.context.cookies() == []


def test_leaving_is_a_few_keys_away_on_every_page_and_takes_everything_along(launched, base, desk):
    with patient(launched, base) as window:
        others = set(desk.sessions)
        signed_in(window)
        assert set(desk.sessions) > others
        tabbed(window, "a.leave", most=4)
        window.press("Enter")
        window.page.wait_for_url("**/left")
        assert window.page.context.cookies() == []
        assert set(desk.sessions) == others
        window.page.go_back()
        assert "health data of" not in window.page.locator("main").inner_text()


def tabbed(window, selector, most=20):
    """Move the focus with Tab until it is on an element; fails where it never gets there."""
    for _ in range(most):
        window.press("Tab")
        if window.page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"the Tab key never came to {selector}")
