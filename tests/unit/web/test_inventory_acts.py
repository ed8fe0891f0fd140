"""Promises of what people do on the inventory's pages: on record by who they are, once however often it is sent, and no text breaks a database."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, event
from tests.unit.web.test_inventory_page import ids, nothing_seen, said, seen, sent  # noqa: F401  fixture
from tests.unit.web.test_patients_page import BASE, TestClient, post, token_of, viewer, world  # noqa: F401  fixtures

from oathward import ledger
from oathward.core.db import read
from oathward.endpoints import deciding
from oathward.vault.keeper.proof import console_proof
from oathward.vault.keeper.sign_in.sessions import Visitor

SHOWN = "Ada Example"
KNOWN = {"p-integration": "Ada of the register", "p-else": "Else of the register"}


@pytest.fixture
def ada(world):  # noqa: F811  the fixture
    """Somebody whom pages show under a name, as accounts have it."""
    visitor = Visitor(name=SHOWN, by="test", person_id="p-integration", always_fresh=True)
    browser = TestClient(world.web, base_url=BASE, follow_redirects=False)
    browser.cookies.set("oathward_2579", console_proof(world.keeper.sessions.open(visitor)[0])["session"])
    return browser


def records(world, *kinds):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        return [
            dict(one.body)
            for kind in kinds
            for one in ledger.search(db, world.gate.site, ledger.Query(kind=kind), limit=100)
        ]


def test_records_have_people_by_their_ids_and_pages_by_what_the_viewer_may_see(world, ada, monkeypatch):  # noqa: F811  the fixture
    seen(world, said(1, world=world), said(2, world=world))
    one, other = ids(ada.get("/inventory").text)
    sent(ada, f"/inventory/{one}", "/inventory", verb="say", attribute="unit", value="ICU 2")
    sent(ada, f"/inventory/{one}", "/inventory", verb="join", other=other, reason="one box")
    made = [body for body in records(world, "endpoint.changed", "endpoint.merged") if one in str(body)]
    assert [body["by"] for body in made] == ["p-integration"] * 2
    joined = "Joined and taken apart"
    page = ada.get(f"/inventory/{one}").text.partition(joined)[2]
    assert "by you: one box" in page
    monkeypatch.setattr("oathward.people.views.names", lambda *_: KNOWN)
    for who in ("p-admin", "p-auditor", "p-privacy"):
        page = viewer(world, who).get(f"/inventory/{one}").text.partition(joined)[2]
        assert f"by {KNOWN['p-integration']}: one box" in page, who
    [merge] = re.findall(r'name="merge" value="([^"]+)"', ada.get(f"/inventory/{one}").text)
    deciding.undo(
        world.gate.engine, world.gate.site, merge, by="p-else", reason="two", now_us=world.gate.now_us()
    )
    text = ada.get(f"/inventory/{one}").text
    assert "by somebody" in text.partition(joined)[2]
    assert KNOWN["p-else"] not in text


def both(browser, path, *forms):
    """Send two forms of a page at once; gives their answers."""
    token = token_of(browser.get("/inventory").text)

    def send(form):
        return browser.post(path, data={"token": token, **form}, headers={"origin": BASE})

    with ThreadPoolExecutor(len(forms)) as pool:
        return list(pool.map(send, forms))


def test_two_who_join_and_undo_the_same_at_once_do_it_once(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world), said(2, world=world))
    engineer = viewer(world, "p-integration")
    one, other = ids(engineer.get("/inventory").text)
    before = [len(records(world, kind)) for kind in ("endpoint.merged", "endpoint.restored")]
    join = {"verb": "join", "other": other, "reason": "one box"}
    assert (
        sorted(a.status_code for a in both(engineer, f"/inventory/{one}", *[join] * 4)) == [303] + [422] * 3
    )
    merge = re.search(r'name="merge" value="([^"]+)"', engineer.get(f"/inventory/{one}").text)[1]
    undo = {"verb": "undo", "merge": merge, "reason": "two"}
    assert (
        sorted(a.status_code for a in both(engineer, f"/inventory/{one}", *[undo] * 4)) == [303] + [422] * 3
    )
    assert set(ids(engineer.get("/inventory").text.partition("<tbody>")[2])) == {one, other}
    after = [len(records(world, kind)) for kind in ("endpoint.merged", "endpoint.restored")]
    assert after == [count + 1 for count in before]


@pytest.fixture
def no_nul():
    """A database that takes no NUL in a text, as PostgreSQL."""
    found = []

    def look(_connection, _cursor, _statement, parameters, *_):
        if "\\x00" in repr(parameters):
            found.append(parameters)

    event.listen(Engine, "before_cursor_execute", look)
    yield found
    event.remove(Engine, "before_cursor_execute", look)


@pytest.mark.parametrize(
    "address",
    [
        "/inventory/%00",
        "/findings/a%00b",
        "/connections/%00",
        "/views/%00",
        "/links/%00",
        "/devices/%00",
        "/inventory?search=%00&after=1%7C%00&make=%00",
        "/flows?device=nobody-has-this-name&peer=nor-this",
        "/flows?device=%00&zone=%00&service=%00&after=%00",
        "/map?zone=%00&service=%00",
        "/findings?about=%00&owner=%00&source=%00&after=%00",
    ],
)
def test_no_address_has_a_text_that_a_database_refuses(world, no_nul, address):  # noqa: F811  the fixture
    assert viewer(world, "p-privacy").get(address).status_code < 500
    assert no_nul == []


def test_no_form_or_call_has_a_text_that_a_database_refuses(world, no_nul):  # noqa: F811  the fixture
    engineer = viewer(world, "p-integration")
    for form in (
        {"verb": "join", "other": "\x00", "reason": "x"},
        {"verb": "undo", "merge": "\x00", "reason": "x"},
        {"verb": "part", "mark": "mac\t\x00\t\x00", "reason": "x"},
    ):
        assert sent(engineer, "/inventory/none", "/inventory", **form).status_code == 400
    assert sent(engineer, "/inventory", "/inventory", endpoint="\x00", attribute="unit").status_code == 400
    assert (
        post(engineer, "/findings/decide", "/inventory", verb="note", finding="\x00", why="x").status_code
        == 400
    )
    token = re.search(r'name="token" value="(\w+)"', engineer.get("/inventory").text)[1]
    answer = engineer.post(
        "/api/v1/findings/note",
        json={"findings": ["\x00"], "why": "x"},
        headers={"origin": BASE, "oathward-token": token},
    )
    assert answer.status_code == 400, answer.text
    assert no_nul == []
