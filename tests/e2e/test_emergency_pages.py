"""The emergency copy's pages in a browser: no complaint of axe in either theme, the age large, trends drawn, all by keyboard."""

import threading

import pytest
from tests import emergency
from tests.care import peopled
from tests.e2e.browser import THEMES, needs_chromium, window
from tests.site import Site, bundle, local

from oathward.emergency import pages
from oathward.emergency.log import Log, Reader
from oathward.emergency.reading import Readings
from oathward.vault.emergency import copies

pytestmark = needs_chromium
NARROW = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder, safe = tmp_path_factory.mktemp("copies"), tmp_path_factory.mktemp("safe")
    site = Site.make(tmp_path_factory.mktemp("s"), more='[emergency]\npublic_key_file = "emergency.pub"\n')
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, []) as world:
        key = emergency.give_key(world.keeper, safe)
        emergency.admitted(world.gate, values=(61, 64, 72, 70, 66))
        made = emergency.make(world.keeper, folder)
    with copies.open_copy(folder / made.file, key.trust) as copy:
        reader = Reader("Nurse Okoro", "treatment")
        found = pages.Pages(
            Readings(copy, key, Log(folder / "readings.log", key), reader),
            lambda: made.made_us + 95 * 60_000_000,
        )
        with pages.server(found) as serving:
            threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
            yield f"http://127.0.0.1:{serving.server_address[1]}", found.token
            serving.shutdown()


@pytest.mark.parametrize("theme", THEMES)
def test_both_pages_pass_axe_show_the_age_large_and_draw_trends(chromium, axe, served, theme):
    base, token = served
    with window(chromium, base, theme=theme, forgiven=("404",)) as console:  # no icon
        console.open(f"/{token}/")
        assert console.violations(axe) == []
        console.tab_to("Quixotella Zebulonova")
        console.press("Enter")
        console.page.wait_for_selector("svg.trend path")
        assert console.violations(axe) == []
        age = console.page.locator(".age")
        assert age.inner_text() == "95 min old"
        large, plain = (
            float(console.page.locator(one).first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)"))
            for one in (".age", "main p")
        )
        assert large >= 1.8 * plain
        assert age.is_visible()
        drawn = console.page.locator("svg.trend").first
        assert "from 61 to 72" in drawn.get_attribute("aria-label")


def test_on_a_phone_nothing_runs_out_of_the_page(chromium, axe, served):
    base, token = served
    with window(chromium, base, size=NARROW, forgiven=("404",)) as console:
        console.open(f"/{token}/")
        console.tab_to("Quixotella Zebulonova")
        console.press("Enter")
        console.page.wait_for_selector("svg.trend")
        wide = console.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= NARROW["width"]
        assert console.violations(axe) == []
