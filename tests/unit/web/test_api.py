"""The JSON API: who is heard, what is taken, how an error looks. Each refusal has its reason code."""

import re

import pytest
from tests.unit.web import estate
from tests.unit.web.test_nothing_to_see import prepared  # noqa: F401  the site with two vendors
from tests.unit.web.viewers import BASE, COOKIE, console_of, secret_of, viewer, visit

from oathward.app import build
from oathward.core.labels import Role
from oathward.web import calls
from oathward.web.calling import problem
from oathward.web.openapi import document
from oathward.web.page import calls as all_calls
from oathward.web.security import token_of

READING = [
    call
    for call in all_calls()
    if call.method == "GET"
    and "{" not in call.path
    and call.call.gives is not None
    and not call.path.startswith(
        ("/api/v1/own/", "/api/v1/break-glass", "/api/v1/reidentify", "/api/v1/reports")
    )  # asked of the keeper, which knows no session here
]
ENGINEER = Role.INTEGRATION_ENGINEER
BEARER = {"authorization": f"Bearer p_{secret_of(ENGINEER)}"}
STALE, WEAK = "stale-secret-of-forty-characters-or-so-xx", "weak-secret-of-forty-characters-or-so-xxx"
LOOKS = "looks-secret-of-forty-characters-or-so-xx"


@pytest.fixture
def opened(prepared):  # noqa: F811  the fixture above
    site = build(prepared.settings, "app")
    yield site
    site.keeper.close()
    site.engine.dispose()


@pytest.fixture
def client(opened, monkeypatch):
    known = {STALE: visit(ENGINEER, fresh=False), WEAK: visit(ENGINEER, strong=False)}
    app, _ = console_of(opened, monkeypatch, **known)
    found = viewer(app, ENGINEER)
    found.cookies.clear()
    return found


def refused(answer, status: int, code: str):
    """What an error of the API looks like, and that it repeats nothing."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert told["status"] == status
    assert told["code"] == code
    assert answer.headers["cache-control"] == "no-store"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    return told


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "credentials.missing"),
        ({"authorization": "Basic YTpi"}, "token.invalid"),
        ({"authorization": "Bearer"}, "token.invalid"),
        ({"authorization": f"Bearer {secret_of(ENGINEER)}"}, "token.invalid"),
        ({"authorization": f"Bearer p_{secret_of(ENGINEER)}x"}, "token.invalid"),
        ({"authorization": f"Bearer p_{'x' * 43}"}, "token.invalid"),
        ({"authorization": f"Bearer p_{'x' * 5_000}"}, "token.invalid"),
        ({"authorization": f"Bearer p_{secret_of(ENGINEER)} more"}, "token.invalid"),
    ],
)
def test_nobody_is_heard_without_a_token(client, headers, code):
    for path in ("/api/v1/devices", "/api/v1/devices/acme-1"):
        answer = client.get(path, headers=headers)
        refused(answer, 401, code)
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_in_the_address_is_none(client):
    refused(client.get(f"/api/v1/devices?access_token=p_{secret_of(ENGINEER)}"), 401, "credentials.missing")


def test_a_page_calls_with_its_cookie_and_the_token_of_its_forms(client):
    client.cookies.set(COOKIE, secret_of(ENGINEER))
    token = token_of(secret_of(ENGINEER))
    refused(client.get("/api/v1/devices"), 401, "credentials.missing")
    assert client.get("/api/v1/devices", headers={"oathward-token": token}).status_code == 200
    refused(client.get("/api/v1/devices", headers={"oathward-token": token[:-1] + "x"}), 401, "credentials.missing")  # fmt: skip
    body = {"messages": [estate.message_id(2)], "reason": "test"}
    foreign = {"oathward-token": token, "origin": "https://evil.example"}
    refused(client.post("/api/v1/quarantine/releases", json=body, headers=foreign), 403, "decision.not-permitted")  # fmt: skip
    ours = {"oathward-token": token, "origin": BASE}
    gone = {"messages": ["no-such-message"], "reason": "test"}
    refused(client.post("/api/v1/quarantine/releases", json=gone, headers=ours), 404, "not-found")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("?no=1", "query"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=1e2", "limit"),
        ("?limit=٣", "limit"),
        ("?status=broken", "status"),
        ("?begins=%E2%80%AE", "begins"),
        ("?begins=" + "x" * 300, "begins"),
        ("?" + "limit=1&" * 21, "query"),
    ],
)
def test_a_query_it_does_not_take_is_refused(client, query, where):
    told = refused(client.get(f"/api/v1/devices{query}", headers=BEARER), 400, "input.invalid")
    assert told["detail"].startswith(where)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff{}", "no JSON"),
        (b"NaN", "no JSON"),
        (b"[]", "must be an object"),
        (b'{"messages": [], "reason": "a", "reason": "b"}', "twice"),
        (b'{"messages": []}', "body.reason"),
        (b'{"messages": [], "reason": 1}', "body.reason"),
        (b'{"messages": "x", "reason": "a"}', "body.messages"),
        (b'{"messages": [1], "reason": "a"}', "body.messages[0]"),
        (b'{"messages": ["x"], "reason": "a", "by": "root"}', "none of"),
        (b'{"messages": ["x"], "reason": ""}', "say why"),
        (b'{"messages": [], "reason": "a"}', "names no message"),
        (b"[" * 30 + b"]" * 30, "nested"),
        (b"[" * 600 + b"]" * 600, "nested"),
        (b'{"messages": ["\\ud800"], "reason": "a"}', "no JSON"),
    ],
)
def test_a_body_it_does_not_take_is_refused_and_not_repeated(client, body, said):
    headers = BEARER | {"content-type": "application/json"}
    answer = client.post("/api/v1/quarantine/releases", content=body, headers=headers)
    told = refused(answer, 400, "input.invalid")
    assert said in told["detail"]
    assert "root" not in answer.text


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("", "http.media-type", 415),
        ("text/plain", "http.media-type", 415),
        ("application/x-www-form-urlencoded", "http.media-type", 415),
        ("application/json; charset=latin-1", "http.media-type", 415),
        ("application/jsonx", "http.media-type", 415),
    ],
)
def test_a_body_of_another_kind_is_refused(client, kind, code, status):
    headers = BEARER | ({"content-type": kind} if kind else {})
    refused(client.post("/api/v1/quarantine/releases", content=b"{}", headers=headers), status, code)


def test_bodies_are_bounded_and_not_compressed(client):
    json = BEARER | {"content-type": "application/json; charset=UTF-8"}
    long = b'{"reason": "' + b"x" * calls.BODY_BYTES_MAX + b'"}'
    refused(
        client.post("/api/v1/quarantine/releases", content=long, headers=json), 413, "http.body-too-large"
    )
    refused(client.post("/api/v1/quarantine/releases", content=b"{}", headers=json | {"content-encoding": "gzip"}), 415, "http.encoding-unsupported")  # fmt: skip
    refused(client.request("GET", "/api/v1/devices", content=b"{}", headers=BEARER), 413, "http.body-too-large")  # fmt: skip


@pytest.mark.parametrize("accept", ["text/html", "application/xml, text/plain"])
def test_an_answer_nobody_takes_is_not_given(client, accept):
    refused(client.get("/api/v1/devices", headers=BEARER | {"accept": accept}), 406, "http.not-acceptable")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/devices", {"GET", "HEAD"}),
        ("OPTIONS", "/api/v1/devices", {"GET", "HEAD"}),
        ("GET", "/api/v1/token", {"POST"}),
        ("POST", "/api/v1/own/sessions/x", {"DELETE"}),
        ("PATCH", "/devices", {"GET", "HEAD"}),
        ("GET", "/sign-out", {"POST"}),
        ("PUT", "/quarantine/release", {"POST"}),
    ],
)
def test_another_method_is_told_which_there_are(client, method, path, allowed):
    answer = client.request(method, path, headers=BEARER)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_what_is_stale_asks_for_another_proof_and_says_so(client):
    body = {"messages": [estate.message_id(2)], "reason": "test"}
    for secret, code in ((STALE, "access.step-up"), (WEAK, "access.second-factor")):
        answer = client.post("/api/v1/quarantine/discards", json=body, headers={"authorization": f"Bearer p_{secret}"})  # fmt: skip
        refused(answer, 401, code)
        assert "insufficient_user_authentication" in answer.headers["www-authenticate"]


def test_a_browser_is_sent_to_prove_again_and_comes_back(client):
    client.cookies.set(COOKIE, STALE)
    form = {"token": token_of(STALE), "reason": "test", "message": estate.message_id(2), "sure": "yes"}
    headers = {"origin": BASE, "referer": f"{BASE}/quarantine?reason=x"}
    answer = client.post("/quarantine/discard", data=form, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/step-up?next=/quarantine")
    for address in ("https://evil.example/x", "http://[/x"):
        elsewhere = client.post("/quarantine/discard", data=form, headers=headers | {"referer": address})
        assert (elsewhere.status_code, elsewhere.headers.get("location")) == (303, "/step-up?next=/")


def test_lists_page_to_the_end_and_bear_what_was_asked_for(client):
    found, after = [], ""
    for _ in range(10):
        page = client.get("/api/v1/messages", params={"limit": "1", "after": after}, headers=BEARER).json()
        found += [one["id"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    assert found == [estate.message_id(n) for n in (3, 2, 1, 0)]
    held = client.get("/api/v1/quarantine", headers=BEARER).json()["items"]
    assert {one["message"] for one in held} == {estate.message_id(2), estate.message_id(3)}


@pytest.mark.parametrize("call", READING, ids=lambda c: c.path)  # fmt: skip
def test_answers_are_what_the_description_says(client, call):
    """Every list and document of a call has exactly the fields its type declares."""
    role = Role.PRIVACY_OFFICER if call.action == "merge.confirm" else Role.AUDITOR
    answer = client.get(call.path, headers={"authorization": f"Bearer p_{secret_of(role)}"})
    assert answer.status_code == 200
    value = answer.json()
    schema = document([call])["components"]["schemas"]
    items = value["items"] if call.call.listed else [value]
    for item in items:
        assert set(item) == set(schema[call.call.gives.__name__]["properties"])


def test_the_description_is_open_to_all_and_names_every_call(client):
    told = client.get("/api/v1/openapi.json").json()
    assert told["openapi"] == "3.1.0"
    said = {(method.upper(), path) for path, one in told["paths"].items() for method in one}
    assert said == {(call.method, call.path) for call in all_calls()}
    ids = [one["operationId"] for path in told["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'"\$ref": ?"#/components/schemas/(\w+)"', str(told).replace("'", '"')):
        assert reference in told["components"]["schemas"]


def test_errors_of_ours_say_nothing(opened, monkeypatch):
    app, _ = console_of(opened, monkeypatch)

    def broken(*_args, **_more):
        raise RuntimeError("Zebulonova")

    monkeypatch.setattr("oathward.inventory.views.page", broken)
    answer = viewer(app, ENGINEER).get("/api/v1/devices", headers=BEARER)
    assert "Zebulonova" not in answer.text
    told = refused(answer, 500, "internal")
    assert "detail" not in told


def test_a_problem_without_words_is_whole():
    assert problem(404, "not-found", "").body == b'{"type":"about:blank","title":"Not Found","status":404,"code":"not-found"}'  # fmt: skip


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({}, 400, "unsupported_grant_type", "message.format-unsupported"),
        ({"grant_type": "password", "username": "a", "password": "b"}, 400, "invalid_request", "token.request-invalid"),
        ({"grant_type": "client_credentials", "scope": "all"}, 400, "invalid_scope", "token.scope"),
        ({"grant_type": "client_credentials"}, 401, "invalid_client", "credentials.missing"),
        ({"grant_type": "client_credentials", "client_assertion_type": "x"}, 400, "invalid_request", "token.request-invalid"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, 400, "invalid_request", "token.request-invalid"),
    ],
)  # fmt: skip
def test_the_token_endpoint_refuses_as_oauth_says(client, form, status, error, code):
    answer = client.post(
        "/api/v1/token", data=form, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()) == (status, {"error": error, "code": code})
    assert answer.headers["cache-control"] == "no-store"
