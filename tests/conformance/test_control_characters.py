"""No route of console, portal or API answers an address, form or call that has a control character, on either database.

Source: Unicode 15, general category Cc; PostgreSQL manual, 8.3: a text has no NUL.
"""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.site import Site
from tests.unit.web.viewers import BASE, GRANTED, bearer, console_of, one_loop, viewer

from oathward.app import build
from oathward.core.errors import InputError
from oathward.web import plain
from oathward.web.calls import FORM, parsed
from oathward.web.page import calls, pages
from oathward.web.portal import frame as portal_frame
from oathward.web.portal import page as portal_page

IN_PATHS = ["%00", "%01", "%09", "%0A", "%1B", "%7F", "%C2%85"]
IN_TEXTS = ["\x00", "\x01", "\x08", "\x0b", "\x1b", "\x7f", "\x85"]
CODE = "input.control-character"
CONSOLE = [route for page in pages() for route in page.routes] + list(calls())
PORTAL = [route for page in portal_page.pages() for route in page.routes]
OTHERS = {"console": ["/static/{version}/{name}"], "portal": ["/static/{version}/{name}", "/language/{code}"]}


@pytest.fixture(scope="module", autouse=True)
def _one_loop():
    with one_loop():
        yield


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def apps(request, tmp_path, monkeypatch):
    """A console and a portal of one site: name -> application and its routes."""
    more = ""
    if request.param == "postgresql":
        more = f'[database]\nurl = "{request.getfixturevalue("postgres_url")}"\n'
    site = build(Site.make(tmp_path / "s", more=more).settings, "app")
    assert site.engine.dialect.name == request.param
    console, _ = console_of(site, monkeypatch)
    yield {"console": (console, CONSOLE), "portal": (portal_frame.create(site), PORTAL)}
    site.keeper.close()
    site.engine.dispose()


def refused(answer):
    return answer.status_code == 400 and CODE in answer.text


def anybody(app):
    return TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)


def send(client, route, path, **more):
    headers = {"origin": BASE} if route.method != "GET" else {}
    if route.method != "GET" and not getattr(route, "api", False):
        more.setdefault("data", {"a": "b"})
    return client.request(route.method, path, headers=headers, **more)


def some(texts, at):
    """A NUL, and each of the others in turn."""
    return {texts[0], texts[1 + at % (len(texts) - 1)]}


def filled(path, text):
    return re.sub(r"\{[^}]+\}", text, path)


def test_no_route_answers_an_address_or_form_with_one(apps):
    for name, (app, routes) in apps.items():
        client = anybody(app)
        for at, route in enumerate(routes):
            good = filled(route.path, "x")
            for text in some(IN_PATHS, at):
                if "{" in route.path:
                    bad = filled(route.path, f"a{text}b")
                    assert refused(send(client, route, bad)), (name, route.method, bad)
                if text not in {"%09", "%0A"}:  # people paste them into a search
                    query = (f"search={text}", f"{text}=x")[at % 2]
                    assert refused(send(client, route, f"{good}?{query}")), (name, route.method, good, query)
            assert not refused(send(client, route, good)), "or it says nothing"
            if route.method == "POST" and not getattr(route, "api", False):
                for text in some(IN_TEXTS, at):
                    form = ({"a": f"x{text}"}, {text: "x"})[at % 2]
                    assert refused(send(client, route, good, data=form)), (name, good, form)
                assert not refused(send(client, route, good, data={"why": "a\tb\r\nc"}))
        for path in OTHERS[name]:
            assert refused(client.get(filled(path, "a%00b"))), path
    assert apps["portal"][0] is not apps["console"][0]


def test_no_call_takes_a_body_with_one(apps):
    app, _ = apps["console"]
    taken = 0
    for at, route in enumerate(calls()):
        if route.method in {"GET", "DELETE"}:
            continue
        for text in some(IN_TEXTS, at):
            bodies = [({"a": text}, {text: "a"}, {"a": [{"b": text}]})[at % 3]]
            raw = [f"a={text}"] if route.call.media == FORM else [json.dumps(one) for one in bodies]
            for one in raw:
                codes = set()
                for role in GRANTED:
                    headers = bearer(role) | {"content-type": route.call.media}
                    answer = viewer(app, role).request(
                        route.method, filled(route.path, "x"), content=one, headers=headers
                    )
                    assert answer.status_code < 500, (route.path, one)
                    codes.add(answer.json().get("code"))
                    if CODE in answer.text:
                        break
                taken += CODE in codes
    assert taken > 60


@given(st.text(max_size=20))
def test_json_with_one_is_none(text):
    has = any((ord(c) < 32 and c not in "\t\n\r") or 127 <= ord(c) < 160 for c in text)
    for value in ({"a": text}, {text: 1}, [[text]], text):
        raw = json.dumps(value).encode()
        if has:
            with pytest.raises(InputError, match="control character") as refusal:
                parsed(raw)
            assert refusal.value.reason.code == CODE
        else:
            assert parsed(raw) == value


def test_with_the_guard_off_routes_answer(apps, monkeypatch):
    app, _ = apps["console"]
    monkeypatch.setattr(plain, "check_address", lambda _request: None)
    monkeypatch.setattr(plain, "check_texts", lambda _where, _texts: None)
    assert not refused(anybody(app).get("/findings/a%00b"))
    assert not refused(anybody(app).post("/sign-in", data={"key": "\x00"}, headers={"origin": BASE}))
