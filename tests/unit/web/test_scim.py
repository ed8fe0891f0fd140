"""SCIM over the console: what a directory asks, what it gets, and what it cannot do; the keeper signs for real."""

import orjson
import pytest
from starlette.testclient import TestClient
from tests.unit.vault.keeper.people import PASSWORD
from tests.unit.web.people import console, copied
from tests.unit.web.viewers import BASE, bearer, console_of

from oathward.core.db import connect, read
from oathward.core.labels import UNGRANTED, Role
from oathward.people import sql
from oathward.people.scim_words import ERROR, LIST, MEDIA_TYPE, OURS, PATCH, USER
from oathward.vault.keeper.proof import admin_proof

ROOT = "/api/scim/v2"
ANNA = {
    "schemas": [USER, OURS],
    "userName": "anna@h.example",
    "externalId": "17",
    "displayName": "Anna Berg",
    OURS: {"units": ["ICU"]},
}


class Signs:
    """The keeper's changes, as a provisioner's token would have them signed: its tokens are tested with the keeper."""

    def __init__(self, admin):
        self._admin = admin

    def sign_people(self, documents, _):
        return self._admin.sign_many(documents, [admin_proof("hr-feed")])


class Directory:
    """A directory that speaks SCIM."""

    def __init__(self, client):
        self.client, self.headers = client, bearer(Role.PROVISIONER)

    def ask(self, method, path, body=None, **headers):
        content = {} if body is None else {"content-type": MEDIA_TYPE}
        raw = None if body is None else orjson.dumps(body)
        every = self.headers | content | headers
        return self.client.request(method, f"{ROOT}{path}", content=raw, headers=every)

    def made(self, **more):
        answer = self.ask("POST", "/Users", ANNA | more)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def directory(prepared, opened, admin, monkeypatch, tmp_path):
    app, keeper = console_of(opened, monkeypatch)
    keeper.changes = Signs(admin)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield Directory(client)
    with opened.engine.begin() as db:
        for table in ("person", "person_identity", "person_unit"):
            db.exec_driver_sql(f"DELETE FROM {table}")


@pytest.fixture
def records(opened):
    return lambda: records_of(opened)


def test_a_person_comes_is_found_moves_leaves_and_comes_back(directory, records, opened):
    before = len(records())
    user = directory.made()
    assert user["meta"]["location"] == f"{BASE}{ROOT}/Users/{user['id']}"
    found = directory.ask("GET", '/Users?filter=userName eq "ANNA@h.example"')
    assert found.headers["content-type"] == MEDIA_TYPE
    assert (found.json()["schemas"], found.json()["totalResults"]) == ([LIST], 1)
    assert found.json()["Resources"][0]["id"] == user["id"]
    here = f"/Users/{user['id']}"
    moved = {
        "schemas": [PATCH],
        "Operations": [{"op": "replace", "path": f"{OURS}:units", "value": ["Ward 3"]}],
    }
    answer = directory.ask("PATCH", here, moved)
    assert (answer.status_code, answer.json()[OURS]["units"]) == (200, ["Ward 3"])
    with read(opened.engine) as db:
        assert sql.page(db, opened.site, sql.Wanted(2**62, unit="ICU")) == []
    off = {"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
    assert directory.ask("PATCH", here, off).json()["active"] is False
    assert directory.ask("DELETE", here).status_code == 204
    gone = directory.ask("GET", here)
    assert (gone.status_code, gone.json()["schemas"], gone.json()["status"]) == (404, [ERROR], "404")
    again = directory.made()
    assert again["id"] == user["id"], "one human being is one record"
    assert again["meta"]["created"] > user["meta"]["created"]
    kinds = [kind for kind, _ in records()[before:]]
    assert kinds == ["person.joined", "person.changed", "person.left", "person.changed", "person.joined"]
    assert "Anna" not in "".join(body for _, body in records())


def test_replacing_says_everything_anew_but_what_it_does_not_speak_of(directory):
    user = directory.made(emails=[{"value": "a@h.example"}])
    bare = {"schemas": [USER], "userName": "anna@h.example", "displayName": "Anna Holm"}
    answer = directory.ask("PUT", f"/Users/{user['id']}", bare).json()
    assert (answer["displayName"], answer["externalId"], answer[OURS]["units"]) == (
        "Anna Holm",
        "17",
        ["ICU"],
    )
    assert answer["emails"][0]["value"] == "anna@h.example"
    same = directory.ask("PUT", f"/Users/{user['id']}", bare)
    assert same.headers["etag"] == answer["meta"]["version"], "what changes nothing is no new version"


def test_another_version_than_was_read_is_not_overwritten(directory):
    user = directory.made()
    here, off = (
        f"/Users/{user['id']}",
        {"schemas": [PATCH], "Operations": [{"op": "remove", "path": "title"}]},
    )
    assert directory.ask("PATCH", here, off, **{"if-match": 'W/"7"'}).status_code == 412
    assert directory.ask("PATCH", here, off, **{"if-match": user["meta"]["version"]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"userName": "x"}, 400, "invalidSyntax"),
        ([], 400, "invalidSyntax"),
        ({"schemas": [USER]}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "anna@h.example", "externalId": "18"}, 409, "uniqueness"),
        ({"schemas": [USER], "userName": "other", "externalId": "17"}, 409, "uniqueness"),
        ({"schemas": [USER], "userName": "other", "emails": [{"value": "no address"}]}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "ot;her"}, 400, "invalidValue"),
        ({"schemas": [USER], "userName": "other", OURS: {"units": "ICU"}}, 400, "invalidValue"),
    ],
)
def test_what_cannot_be_is_refused_with_its_type(directory, body, status, kind):
    directory.made()
    answer = directory.ask("POST", "/Users", body)
    told = answer.json()
    assert (answer.status_code, told["scimType"], told["status"]) == (status, kind, str(status))
    assert told["schemas"] == [ERROR]


def test_a_directory_grants_nothing(directory):
    user = directory.made(roles=[{"value": "administrator"}], groups=[{"value": "administrator"}])
    assert user["groups"] == []
    patch = {
        "schemas": [PATCH],
        "Operations": [{"op": "add", "path": "roles", "value": [{"value": "auditor"}]}],
    }
    refused = directory.ask("PATCH", f"/Users/{user['id']}", patch)
    assert (refused.status_code, refused.json()["scimType"]) == (400, "mutability")
    member = {
        "schemas": [PATCH],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": user["id"]}]}],
    }
    for method, path in (("PATCH", "/Groups/auditor"), ("PUT", "/Groups/auditor"), ("POST", "/Groups")):
        assert directory.ask(method, path, member).status_code == 405
    assert directory.ask("GET", "/Groups/auditor").json()["members"] == []
    assert directory.ask("GET", "/Groups/setup").status_code == 404


def test_pages_and_chosen_attributes(directory):
    for number in range(5):
        directory.made(userName=f"u{number}", externalId=str(number))
    page = directory.ask("GET", "/Users?startIndex=2&count=2&attributes=userName").json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (5, 2, 2)
    assert set(page["Resources"][0]) == {"schemas", "id", "userName"}
    assert directory.ask("GET", "/Users?count=0").json()["Resources"] == []
    assert directory.ask("GET", "/Users?count=many").json()["scimType"] == "invalidValue"
    assert directory.ask("GET", '/Users?filter=title eq "x"').json()["scimType"] == "invalidFilter"
    groups = directory.ask("GET", "/Groups?excludedAttributes=members").json()
    assert groups["totalResults"] == 9
    assert "members" not in groups["Resources"][0]


def test_it_says_what_it_can(directory):
    config = directory.ask("GET", "/ServiceProviderConfig").json()
    assert config["patch"]["supported"]
    assert not config["bulk"]["supported"]
    types = directory.ask("GET", "/ResourceTypes").json()
    assert [one["id"] for one in types["Resources"]] == ["User", "Group"]
    assert directory.ask("GET", f"/Schemas/{USER}").json()["id"] == USER
    assert directory.ask("GET", "/Schemas/none").status_code == 404


@pytest.mark.parametrize("role", [role for role in Role if role not in UNGRANTED | {Role.ADMINISTRATOR}])
def test_nobody_else_brings_people_in(directory, role):
    directory.headers = bearer(role)
    assert directory.ask("POST", "/Users", ANNA).status_code == 404
    assert directory.client.get(f"{ROOT}/Users").status_code == 401


def test_who_is_not_there_and_who_may_not_be_seen_are_told_alike(directory):
    user = directory.made()
    directory.headers = bearer(Role.CLINICIAN)
    told = [directory.ask("GET", f"/Users/{id_}") for id_ in (user["id"], "nobody")]
    assert [answer.status_code for answer in told] == [404, 404]
    assert told[0].content == told[1].content


def test_on_a_site_with_people_the_keeper_asks_by_itself(prepared, tmp_path):
    """A real token of a service, by its certificate; it ends with the service's owner."""
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        house.person("adam", Role.ADMINISTRATOR)
        house.person("nina", Role.CLINICIAN)
        feed = {"certificate": "ab" * 32, "roles": frozenset({Role.PROVISIONER})}
        house.service("hr-feed", "adam", **feed)
        house.service("dash", "adam", certificate="cd" * 32, roles=frozenset({Role.AUDITOR}))
        tokens = [house.people.service_certificate(mark * 32, "192.0.2.7")[0] for mark in ("ab", "cd")]
        directory = Directory(browser().client)
        directory.headers = {"authorization": f"Bearer s_{tokens[0]}"}
        user = directory.made()
        assert directory.ask("GET", f"/Users/{user['id']}").json()["userName"] == "anna@h.example"
        told = [body for kind, body in records_of(house) if kind == "person.joined"]
        assert '"by":"hr-feed"' in told[-1]
        directory.headers = {"authorization": f"Bearer s_{tokens[1]}"}
        assert directory.ask("GET", "/Users").status_code == 200
        assert directory.ask("POST", "/Users", ANNA | {"externalId": "18"}).status_code == 404
        directory.headers = {"authorization": f"Bearer s_{tokens[0]}"}
        house.leave("adam")
        assert directory.ask("POST", "/Users", ANNA | {"externalId": "18"}).status_code == 401


def test_an_administrator_who_is_signed_in_may_do_the_same(prepared, tmp_path):
    with console(copied(prepared.settings.data, tmp_path / "site")) as (house, browser):
        house.person("adam", Role.ADMINISTRATOR)
        _, phone = house.enrol("adam", "adam")
        one = browser()
        one.sign_in("adam", phone, password=PASSWORD)
        directory = Directory(one.client)
        directory.headers = {"authorization": f"Bearer p_{one.session}"}
        assert directory.made()["externalId"] == "17"


def records_of(house):
    engine = connect(house.settings.database_url)
    try:
        with read(engine) as db:
            rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record WHERE kind LIKE 'person%'").all()
    finally:
        engine.dispose()
    return [(kind, bytes(body).decode()) for kind, body in rows]
