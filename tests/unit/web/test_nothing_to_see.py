"""What somebody may not see looks exactly like what there is not: every route with an id in its path, every role."""

import re
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from tests.site import Site
from tests.unit.web import estate
from tests.unit.web.viewers import BASE, GRANTED, bearer, console_of, secret_of, viewer

from oathward.app import build
from oathward.core.labels import Role
from oathward.web import things, words
from oathward.web.page import calls, pages
from oathward.web.security import token_of

ROUTES = [
    route
    for route in [*(r for page in pages() for r in page.routes), *calls()]
    if "{" in route.path and not route.public
]
ABSENT, GUESSED = "01a20122-0600-7704-bc29-ffffffffffff", "nobody-has-this-id"
SOMEBODYS = {"device": estate.OTHERS, "message": estate.message_id(1), "patient": estate.SUBJECTS[1]}
"""Kind of thing -> the id of one that is another vendor's or another patient's."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("nothing") / "s")
    estate.fill(site)
    return site


@pytest.fixture(scope="module")
def opened(prepared):
    site = build(prepared.settings, "app")
    yield site
    site.keeper.close()
    site.engine.dispose()


@pytest.fixture(scope="module")
def console(opened):
    with pytest.MonkeyPatch.context() as patch:
        yield console_of(opened, patch)


@contextmanager
def statements(engine):
    """Count the statements that are sent to the database."""
    count = [0]

    def one(*_args):
        count[0] += 1

    event.listen(engine, "before_cursor_execute", one)
    try:
        yield count
    finally:
        event.remove(engine, "before_cursor_execute", one)


def address(route, id_: str) -> str:
    return re.sub(r"{\w+(:\w+)?}", id_, route.path)


def told(answer, id_: str):
    """Everything an answer tells: status, headers and body, without the id that was asked for and the time."""
    names = sorted(
        (name, value.replace(id_, "ID")) for name, value in answer.headers.items() if name != "content-length"
    )
    body = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z| UTC)?", "NOW", answer.text)
    return answer.status_code, names, body.replace(id_, "ID").replace(words.short(id_), "ID")


def ask(app, route, role, id_: str):
    client = viewer(app, role)
    path = address(route, id_)
    if route.api:
        headers = bearer(role)
        if route.method in {"POST", "PUT", "PATCH"}:
            return client.request(route.method, path, content=b"{}", headers={**headers, "content-type": route.call.media})  # fmt: skip
        return client.request(route.method, path, headers=headers)
    if route.method == "GET":
        return client.get(path)
    return client.post(path, data={"token": token_of(secret_of(role)), "reason": "test"}, headers={"origin": BASE})  # fmt: skip


def seen(opened, console, route, role, id_: str):
    """Ask once to warm up what is kept, then say what is told and what work it took."""
    app, keeper = console
    ask(app, route, role, id_)
    keeper.calls.clear()
    with statements(opened.engine) as count:
        answer = ask(app, route, role, id_)
    return told(answer, id_), count[0], dict(keeper.calls)


# Of pages and calls every third; each asks in every role, for three ids, twice.
@pytest.mark.turns(3, "route")
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_others_absent_and_guessed_ids_look_the_same(opened, console, route):
    """For a role that may not see another's, all three are one; for every role absent and guessed are."""
    for role in GRANTED:
        absent = seen(opened, console, route, role, ABSENT)
        guessed = seen(opened, console, route, role, GUESSED)
        assert absent == guessed, f"{role}: absent and guessed"
        if absent[0][0] != 404:
            continue
        other = SOMEBODYS.get(route.kind)
        if other is None:
            continue
        found = seen(opened, console, route, role, other)
        if role is Role.VENDOR_USER or found[0][0] == 404:
            assert found == absent, f"{role}: another's and absent"


@pytest.mark.parametrize(
    ("path", "ours", "others"),
    [
        ("/devices/{}", estate.OURS, estate.OTHERS),
        ("/messages/{}", estate.message_id(0), estate.message_id(1)),
        ("/api/v1/devices/{}", estate.OURS, estate.OTHERS),
        ("/api/v1/messages/{}", estate.message_id(0), estate.message_id(1)),
    ],
)
def test_a_vendor_sees_its_own_and_no_others(console, path, ours, others):
    app, _ = console
    client = viewer(app, Role.VENDOR_USER)
    headers = bearer(Role.VENDOR_USER) if path.startswith("/api") else {}
    assert client.get(path.format(ours), headers=headers).status_code == 200
    assert client.get(path.format(others), headers=headers).status_code == 404


@pytest.mark.parametrize("path", ["/devices", "/messages", "/api/v1/devices", "/api/v1/messages", "/"])
def test_lists_are_cut_to_a_vendors_own(console, path):
    app, _ = console
    for role, whole in ((Role.VENDOR_USER, False), (Role.AUDITOR, True)):
        headers = bearer(role) if path.startswith("/api") else {}
        text = viewer(app, role).get(path, headers=headers).text
        assert (estate.OTHERS in text or path == "/") is whole or path == "/"
        assert "Bolt" not in text or whole
        if path != "/":
            assert estate.OURS in text


def test_a_vendors_pages_go_on_where_they_ended(console):
    app, _ = console
    headers = bearer(Role.VENDOR_USER)
    client, found, after = viewer(app, Role.VENDOR_USER), [], ""
    for _ in range(5):
        page = client.get("/api/v1/devices", params={"limit": "1", "after": after}, headers=headers).json()
        found += [one["id"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    assert found == [estate.OURS, "acme-2"]


def test_without_looking_whose_it_is_a_vendor_would_see_others(opened, monkeypatch):
    """Reverse: the 404 above comes from the make that is looked up."""
    monkeypatch.setattr("oathward.inventory.views.make_of", lambda *_args: "Acme|Vista 3")
    app, _ = console_of(opened, monkeypatch)
    assert viewer(app, Role.VENDOR_USER).get(f"/devices/{estate.OTHERS}").status_code == 200


def test_a_denial_that_did_less_work_would_be_found(opened, console, monkeypatch):
    """Reverse: the comparison above counts work."""
    [route] = [r for r in ROUTES if r.path == "/devices/{device}"]

    def hasty(db, site, id_, *_more):
        from oathward.inventory import sql

        return "Bolt" if sql.row(db, site, id_) else ""

    honest = seen(opened, console, route, Role.VENDOR_USER, ABSENT)
    monkeypatch.setattr(things.inventory, "make_of", hasty)
    assert seen(opened, console, route, Role.VENDOR_USER, ABSENT)[1] != honest[1]


@pytest.mark.parametrize("path", ["/messages/{}", "/api/v1/messages/{}", "/messages", "/api/v1/messages"])
def test_a_vendor_learns_nothing_of_patients_or_other_recipients(console, path):
    """That a patient's message was held, for whom and why, is between the patient and the hospital."""
    app, _ = console
    for n in (0, 2):
        for role, whole in ((Role.VENDOR_USER, False), (Role.AUDITOR, True)):
            headers = bearer(role) if path.startswith("/api") else {}
            text = viewer(app, role).get(path.format(estate.message_id(n)), headers=headers).text
            assert (estate.SUBJECTS[n // 2] in text) is whole
            if n:
                assert ("patient.ambiguous" in text) is whole


def test_a_vendor_cannot_ask_whose_patient_said_no(console):
    app, _ = console
    headers = bearer(Role.VENDOR_USER)
    client = viewer(app, Role.VENDOR_USER)
    with_it = client.get("/api/v1/messages?reason=patient.ambiguous", headers=headers).json()
    without = client.get("/api/v1/messages", headers=headers).json()
    assert with_it["items"] == without["items"] != []
    assert client.get("/messages?reason=patient.ambiguous").text.count(estate.OURS) == client.get(
        "/messages"
    ).text.count(estate.OURS)


def test_with_the_cut_off_a_vendor_would_learn_it(console, monkeypatch):
    """Reverse: it is ``things.told`` that leaves it out."""
    monkeypatch.setattr("oathward.web.things.told", lambda _view, row: row)
    app, _ = console
    assert estate.SUBJECTS[1] in viewer(app, Role.VENDOR_USER).get("/messages").text
