"""Consents, Explain and Portal access in a browser: no complaint of axe in either theme, nothing runs out of a narrow page."""

from dataclasses import replace

import pytest
from tests.care import adt
from tests.e2e.browser import THEMES, needs_chromium, window
from tests.unit.web.test_consents_page import arrive, follow, no, yes
from tests.unit.web.test_explain_page import hospital, says, take
from tests.unit.web.test_portal_access_page import MORE
from tests.wire import oru

from oathward.core.phi import Phi
from oathward.policy.consents import ConsentFact
from oathward.web.serving.server import Server

pytestmark = needs_chromium
NARROW = {"width": 320, "height": 800}
PAGES = (
    "/consents",
    "/consents?state=contradictory",
    "/consents?state=ended",
    "/consents/{one}",
    "/consents/{nobody}",
    "/consents/arrived",
    "/explain",
    "/explain/{one}",
    "/explain/{one}?message={message}",
    "/portal-access",
    "/portal-access/{one}",
    "/portal-access/{nobody}",
    "/portal-access/{one}/invite",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with hospital(tmp_path_factory.mktemp("s"), MORE) as world:
        at = f"{world.gate.clock.now():%Y%m%d%H%M%S}+0000"
        one = take(world, adt("A01", said=at, mrn="8200000001")).subject
        nobody = take(world, adt("A01", said=at, mrn="8200000002")).subject
        message = take(world, oru("pages-1", mrn="8200000001")).id
        says(world, one, yes(id_="y-1"), no(id_="n-1"))
        arrive(world, one, denials=[ConsentFact("d", False, *(frozenset({"*"}),) * 3, pending=True)])
        follow(world)
        proof = world.enter("p-privacy", strong=True)
        world.app.keeper.portal.invite(one, Phi("Q. Zebulonova"), Phi("q@planted.example"), proof)
        server = Server(world.app, replace(world.app.settings.console, port=0))
        try:
            ids = {"one": one, "nobody": nobody, "message": message}
            yield server.port, proof["session"], ids
        finally:
            server.stop()


def looked_at(console, port, secret):
    console.page.context.add_cookies(
        [{"name": f"oathward_{port}", "value": secret, "domain": "127.0.0.1", "path": "/"}]
    )


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_on_any_of_them(chromium, axe, served, theme):
    port, secret, ids = served
    with window(chromium, f"http://127.0.0.1:{port}", theme=theme) as console:
        looked_at(console, port, secret)
        for path in PAGES:
            assert console.open(path.format(**ids)).status == 200, path
            assert console.violations(axe) == [], path


def test_nothing_runs_out_of_a_narrow_page(chromium, served):
    port, secret, ids = served
    with window(chromium, f"http://127.0.0.1:{port}", size=NARROW) as console:
        looked_at(console, port, secret)
        for path in PAGES:
            console.open(path.format(**ids))
            wide = console.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= NARROW["width"], path


def test_a_state_is_chosen_by_keyboard_alone(chromium, served):
    port, secret, ids = served
    with window(chromium, f"http://127.0.0.1:{port}") as console:
        looked_at(console, port, secret)
        console.open("/consents")
        console.tab_to("State")
        console.page.keyboard.type("Contra")
        console.tab_to("Filter")
        console.press("Enter")
        console.page.wait_for_url("**/consents?state=contradictory")
        console.tab_to(ids["one"][-12:])
        console.press("Enter")
        console.page.wait_for_url(f"**/consents/{ids['one']}")
        assert console.page.get_by_role("heading", name="Contradictions 1").is_visible()
