"""Whatever stands behind ``?`` of an address, the answer is a page or a told mistake, and never an error of ours."""

import os
import re
from pathlib import Path

import pytest
from tests.site import Site
from tests.unit.web import estate
from tests.unit.web.viewers import GRANTED, bearer, console_of, viewer

import oathward.web
from oathward.app import build
from oathward.web.page import calls, pages

ROUTES = [
    route
    for route in [*(r for page in pages() for r in page.routes), *calls()]
    if "{" not in route.path and route.method == "GET" and not route.public
]
HOSTILE = [
    "9" * 30,
    "-1",
    "\u0661",
    "1e999",
    "\x00",
    "%",
    "x" * 3_000,
    "'\"<script>",
    "9" * 30 + "|x",
    "a.b.c",
]
NAMES = sorted(
    {
        *(name for route in calls() if route.call for name in route.call.asks),
        *(
            name
            for path in Path(oathward.web.__file__).parent.rglob("*.py")
            for name in re.findall(r'\b(?:asks|query)(?:\.get\(|\[)"(\w+)"', path.read_text())
        ),
    }
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    prepared = Site.make(tmp_path_factory.mktemp("hostile") / "s")
    estate.fill(prepared)
    site = build(prepared.settings, "app")
    with pytest.MonkeyPatch.context() as patch:
        yield console_of(site, patch)[0]
    site.keeper.close()
    site.engine.dispose()


def ask(app, route, role, asked):
    return viewer(app, role).get(route.path, params=asked, headers=bearer(role) if route.api else {})


def role_of(app, route):
    """Somebody who may ask for it at all."""
    return next((role for role in GRANTED if ask(app, route, role, {}).status_code < 400), None)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_no_query_is_an_error_of_ours(app, route):
    """All names with one value at once; one by one under ``make test-long``, for a mistake in one hides the next."""
    role = role_of(app, route)
    if role is None:
        pytest.skip("nobody may ask for it on a site like this")
    names = set(route.call.asks) if route.call else set(NAMES)
    apart = [{name} for name in names] if os.environ.get("OATHWARD_LONG") else []
    for some in [names, *apart]:
        for value in HOSTILE:
            answer = ask(app, route, role, dict.fromkeys(some, value))
            assert answer.status_code < 500, (sorted(some), value[:40])


def test_there_are_names_to_ask_for():
    assert {"after", "limit", "state", "search"} <= set(NAMES)
