"""The list of jobs fits a window of 1280 pixels, with long names and a job that is searched: nothing scrolls sideways."""

import re

import pytest
from tests.e2e.browser import ROOT, THEMES, browser, needs_chromium
from tests.unit.web.test_deid_page import run
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  the fixture

from oathward.jobs.model import Progress

CSS = ROOT / "src/oathward/web/static/console.css"
DAY_US = 86_400_000_000
WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not CSS.exists(), reason="the console's style is not built: scripts/assets.py"),
]


def test_the_list_of_jobs_scrolls_sideways_in_no_theme(world):  # noqa: F811  the fixture
    names = {"profile": "research-of-the-northern-registry-with-dates", "project": "northern-lung-and-heart"}
    told = Progress(files=840, done=840, written=838, held=2, partly_held=12, patients=1_840)
    for n, ended in enumerate((True, False)):
        run(world, f"01a208d4-d2c7-7c51-b7b8-16c2df4c030{n}", progress=told, ended=ended, **names)
    run(world, "01a208d4-d2c7-7c51-b7b8-16c2df4c0309", progress=told, ago_us=2 * DAY_US, **names)
    html = viewer(world, "p-privacy").get("/deid").text
    assert html.count("840 of 840") == 3
    styled = re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: f"<style>{CSS.read_text()}</style>", html)
    with browser() as launched:
        for theme in THEMES:
            page = launched.new_page(viewport={"width": 1280, "height": 800}, color_scheme=theme)
            page.set_content(styled)
            wide, there = page.evaluate(WIDTHS)
            assert page.evaluate("getComputedStyle(document.querySelector('td.n')).textAlign") == "right"
            assert wide <= there == 1280, theme
