"""Tokens and sessions of the API, with a real keeper: persons' sign-in, services' assertions and certificates, sessions that end."""

import hashlib
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from starlette.testclient import TestClient
from tests.unit.vault.keeper.people import PASSWORD, founded
from tests.unit.web.people import BASE, copied

from oathward.core.db import connect
from oathward.core.labels import Role
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.opened import Opened
from oathward.web.api.tokens import BEARER
from oathward.web.frame import create
from oathward.web.serving import wire

CERTIFICATE = b"a certificate, as TLS proved it"


@pytest.fixture
def house(prepared, tmp_path):
    with founded(copied(prepared.settings.data, tmp_path / "site")) as found:
        yield found


@pytest.fixture
def app(house):
    settings = house.settings
    engine = connect(settings.database_url)
    site = Opened(settings, "app", engine, house.time.clock, house.app, trust_anchor(settings), Seen())
    yield create(site)
    engine.dispose()


@pytest.fixture
def client(app):
    return TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def ada(house):
    house.person("ada", Role.INTEGRATION_ENGINEER, name="Ada Engineer")
    return house.enrol("ada", "ada")[1]


def signed_in(client, house, phone, login: str = "ada") -> dict[str, str]:
    body = {"login": login, "password": PASSWORD, "code": phone.code()}
    told = client.post("/api/v1/sign-in", json=body)
    house.time.pass_(seconds=60)
    assert told.status_code == 200, told.text
    return {"authorization": f"Bearer {told.json()['token']}"}


def told(answer):
    """What an answer tells: all of it."""
    return answer.status_code, answer.json(), sorted(answer.headers.items())


def test_a_person_signs_in_and_asks(client, house, ada):
    headers = signed_in(client, house, ada)
    assert set(client.get("/api/v1/devices", headers=headers).json()) == {"items", "next"}
    assert client.get("/api/v1/people", headers=headers).status_code == 404, "not this role's"


def test_a_code_serves_once(client, house, ada):
    body = {"login": "ada", "password": PASSWORD, "code": ada.code()}
    assert client.post("/api/v1/sign-in", json=body).status_code == 200
    again = client.post("/api/v1/sign-in", json=body)
    assert (again.status_code, again.json()["code"]) == (401, "sign-in.refused")


def test_unknown_wrong_and_left_look_the_same(client, house, ada):
    house.person("ben", Role.AUDITOR)
    phone = house.enrol("ben", "ben")[1]
    house.leave("ben")
    wrong = [
        {"login": "nobody", "password": PASSWORD, "code": "123456"},
        {"login": "ada", "password": "not this one at all", "code": "123456"},
        {"login": "ada", "password": PASSWORD, "code": "123456"},
        {"login": "ben", "password": PASSWORD, "code": phone.code()},
    ]
    answers = [told(client.post("/api/v1/sign-in", json=body)) for body in wrong]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401


def test_a_cookie_of_the_console_is_no_bearer_token_and_no_token_a_cookie(client, house, ada):
    headers = signed_in(client, house, ada)
    secret = headers["authorization"].removeprefix("Bearer p_")
    assert client.get("/api/v1/devices", headers={"authorization": f"Bearer {secret}"}).status_code == 401
    assert client.get("/api/v1/devices", headers={"authorization": f"Bearer s_{secret}"}).status_code == 401
    client.cookies.set("oathward_2579", secret)
    assert client.get("/api/v1/devices").status_code == 401, "the cookie alone is not enough"


def test_ones_sessions_are_listed_and_ended_and_others_are_not_there(client, house, ada):
    first, second = signed_in(client, house, ada), signed_in(client, house, ada)
    rows = client.get("/api/v1/own/sessions", headers=first).json()["items"]
    assert {row["person"] for row in rows} == {"ada"}
    mine = next(row["id"] for row in rows if row["own"])
    house.person("cyd", Role.SECURITY_ANALYST)
    other = signed_in(client, house, house.enrol("cyd", "cyd")[1], "cyd")
    hers = next(row["id"] for row in client.get("/api/v1/own/sessions", headers=other).json()["items"])
    absent = client.delete("/api/v1/own/sessions/no-such-session", headers=first)
    assert told(client.delete(f"/api/v1/own/sessions/{hers}", headers=first)) == told(absent)
    assert absent.status_code == 404
    assert client.delete("/api/v1/own/sessions/others", headers=first).status_code == 204
    assert client.get("/api/v1/devices", headers=second).status_code == 401
    assert client.delete(f"/api/v1/own/sessions/{mine}", headers=first).status_code == 204
    assert client.get("/api/v1/devices", headers=first).status_code == 401


def test_a_session_is_ended_by_those_who_may(client, house, ada):
    headers = signed_in(client, house, ada)
    house.person("cyd", Role.SECURITY_ANALYST)
    other = signed_in(client, house, house.enrol("cyd", "cyd")[1], "cyd")
    rows = client.get("/api/v1/people/ada/sessions", headers=other).json()["items"]
    assert client.get("/api/v1/people/cyd/sessions", headers=headers).status_code == 404
    for row in rows:
        assert client.delete(f"/api/v1/sessions/{row['id']}", headers=other).status_code == 204
    assert client.get("/api/v1/devices", headers=headers).status_code == 401


def test_proving_again_gives_another_token_and_the_one_before_ends(client, house, ada):
    headers = signed_in(client, house, ada)
    house.time.pass_(seconds=3_600 // 4)
    body = {"messages": ["no-such-message"], "reason": "test"}
    stale = client.post("/api/v1/quarantine/discards", json=body, headers=headers)
    assert (stale.status_code, stale.json()["code"]) == (401, "access.step-up")
    step = client.post("/api/v1/step-up", json={"code": ada.code()}, headers=headers)
    fresh = {"authorization": f"Bearer {step.json()['token']}"}
    assert client.post("/api/v1/quarantine/discards", json=body, headers=fresh).status_code == 404, (
        "nothing held"
    )
    assert fresh != headers


def test_a_service_shows_its_certificate_on_the_connection(app, client, house, monkeypatch):
    monkeypatch.setattr(
        "oathward.web.believed.BELIEVED_S", 0.0
    )  # what is believed for seconds has its own test
    house.person("ada", Role.INTEGRATION_ENGINEER)
    digest = hashlib.sha256(CERTIFICATE).hexdigest()
    house.service("scanner", "ada", roles=frozenset({Role.AUDITOR}), certificate=digest)
    form = {"grant_type": "client_credentials"}
    assert client.post("/api/v1/token", data=form).status_code == 401, "none shown"
    monkeypatch.setattr("oathward.web.frame.peer_of", lambda _request: CERTIFICATE)
    given = client.post("/api/v1/token", data=form).json()
    assert given["token_type"] == "Bearer"
    headers = {"authorization": f"Bearer {given['access_token']}"}
    assert client.get("/api/v1/devices", headers=headers).status_code == 200
    assert client.get("/devices", headers=headers).status_code == 303, "pages are people's"
    monkeypatch.setattr("oathward.web.frame.peer_of", lambda _request: b"another")
    other = client.post("/api/v1/token", data=form)
    assert (other.status_code, other.json()["error"]) == (401, "invalid_client")
    house.leave("ada")
    assert client.get("/api/v1/devices", headers=headers).status_code in {401, 404}, "its owner left"


def assertion(house, key, **changes) -> dict[str, str]:
    """A form with an assertion of the service ``feed``, as it signs one."""
    now_s = int(house.time.wall_s)
    claims = {
        "iss": "feed",
        "sub": "feed",
        "aud": f"{BASE}/api/v1/token",
        "exp": now_s + 120,
        "iat": now_s,
        "jti": "1",
    }
    signed = jws.serialize_compact(
        {"alg": "ES256"}, json.dumps(claims | changes).encode(), key, algorithms=["ES256"]
    )
    return {"grant_type": "client_credentials", "client_assertion_type": BEARER, "client_assertion": signed}


def test_a_service_signs_for_its_token_once(client, house):
    key = ECKey.generate_key("P-256")
    house.person("ada", Role.INTEGRATION_ENGINEER)
    house.service("feed", "ada", roles=frozenset({Role.AUDITOR}), jwk=json.dumps(key.as_dict(private=False)))
    form = assertion(house, key)
    given = client.post("/api/v1/token", data=form)
    assert (given.status_code, given.json()["token_type"]) == (200, "Bearer")
    headers = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert client.get("/api/v1/devices", headers=headers).status_code == 200
    refusals = {
        "assertion.replayed": form,
        "assertion.audience": assertion(house, key, aud="https://evil.example/api/v1/token", jti="2"),
        "assertion.expired": assertion(house, key, exp=1, jti="3"),
        "assertion.invalid": assertion(house, ECKey.generate_key("P-256"), jti="4"),
    }
    for code, wrong in refusals.items():
        answer = client.post("/api/v1/token", data=wrong)
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client", "code": code})


def test_an_assertion_that_is_none_gets_no_token(client):
    for assertion in ("", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": BEARER,
            "client_assertion": assertion,
        }
        answer = client.post("/api/v1/token", data=form)
        assert (answer.status_code, answer.json()["error"]) in {
            (401, "invalid_client"),
            (400, "invalid_request"),
        }


def test_the_certificate_comes_from_the_connection_alone(client):
    """A header that says so says nothing."""
    headers = {"x-client-certificate": "MII", wire.PEER: "MII"}
    answer = client.post("/api/v1/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert answer.json() == {"error": "invalid_client", "code": "credentials.missing"}


def test_too_many_wrong_ones_of_an_address_are_told_as_such(client, house, ada):
    body = {"login": "nobody", "password": PASSWORD, "code": "123456"}
    codes = {client.post("/api/v1/sign-in", json=body).json()["code"] for _ in range(200)}
    assert codes == {"sign-in.refused", "sign-in.too-many"}
