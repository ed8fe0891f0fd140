"""Pages of the portal that hold values, in Chromium: no complaint of axe in either theme, nothing sideways at 320 pixels, focus seen.

The pages are those of a real keeper (``tests/unit/web/portal``); the browser is handed them without a socket.
"""

import pytest
from tests.e2e.browser import THEMES, axe_source, browser, needs_chromium
from tests.e2e.test_portal import NARROW, patient, sideways
from tests.unit.web.portal.conftest import BASE
from tests.unit.web.portal.own_data import oru, sealing
from tests.unit.web.portal.real import house_of, window
from tests.unit.web.portal.test_own_data import asked, fetched

pytestmark = needs_chromium
PATHS = ("/", "/devices", "/requests", "/looked", "/one-copy", "/copy-page")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Give the pages of somebody with two devices, one of which sends what nobody has a word for; path -> answer."""
    with house_of(tmp_path_factory.mktemp("values") / "site") as house, sealing(house) as keep:
        for number in range(12):
            at = f"2029123123{10 + number:02d}00"
            keep(oru(60 + number, at, flag="H" if number == 11 else ""), 50 - number, device="mon-1")
        words = "Averyveryverylongnameofameasurementwithoutanyspaceinit"
        keep(oru("7", "20291231231000", code=f"1^{words}^99ACME", unit="mg/(24.h.kg)"), 30, device="pump-1")
        with window(house) as found:
            link = asked(found)
            special = {"/one-copy": found.get(link), "/copy-page": fetched(found, link, "page")}

            def answer(path):
                return special.get(path) or found.client.get(path)

            yield answer


@pytest.fixture(scope="module")
def launched():
    with browser() as found:
        yield found


def look(console, pages):
    """Hand the browser every page it asks for."""

    def hand(route):
        answer = pages(route.request.url.removeprefix(BASE))
        headers = {
            k: v for k, v in answer.headers.items() if k in {"content-type", "content-security-policy"}
        }
        route.fulfill(status=answer.status_code, headers=headers, body=answer.content)

    console.page.route("**/*", hand)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en", "es"])
def test_pages_with_values_pass_axe_and_none_scrolls_sideways(launched, pages, theme, language):
    axe = axe_source()
    pages(f"/language/{language}?to=/")
    with patient(launched, BASE, theme=theme, script=True, size=NARROW) as console:
        look(console, pages)
        found = {}
        for path in PATHS:
            console.open(path)
            console.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            words = console.page.inner_text("main")
            assert "71 /min" in words or path not in {"/devices", "/copy-page"}
            found[path] = [*console.violations(axe), *sideways(console)]
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_the_first_tab_is_the_skip_link_and_each_focus_is_seen(launched, pages, theme):
    with patient(launched, BASE, theme=theme, size=NARROW) as console:
        look(console, pages)
        for path in PATHS:
            console.open(path)
            for number in range(12):
                console.press("Tab")
                seen = console.page.evaluate(
                    "() => { const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();"
                    " return {href: e.getAttribute('href'), line: s.outlineStyle, wide: parseFloat(s.outlineWidth),"
                    " inside: b.bottom > 0 && b.top < innerHeight} }"
                )
                assert seen["line"] != "none", (path, seen)
                assert seen["wide"] >= 2, (path, seen)
                assert seen["inside"], (path, seen)
                if number == 0:
                    assert seen["href"] == "#main"
