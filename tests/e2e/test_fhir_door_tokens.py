"""Tokens for devices that sign, at the running door: given once, to one device, for its scopes; gone with the device."""

import json
import time
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey
from tests.fhir_wire import Http, assertion, bundle_of, device, observation
from tests.site import Site, bundle

from oathward.gateway.listeners.fhir.tokens import ASSERTION_TYPE
from oathward.inventory.keys import canonical
from oathward.inventory.model import Device

KEYS = {name: ECKey.generate_key("P-384", {"kid": name}) for name in ("hub-1", "hub-2", "hub-3")}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("tokens"), fhir="tokens_per_s_per_peer_max = 1000")
    site.activate(bundle({}))
    hubs = [
        Device(
            id_, kind="hub", keys=frozenset({canonical(key.as_dict(private=False))}), default_authority="HOSP"
        )
        for id_, key in KEYS.items()
    ]
    site.add(*hubs, device("mon-1"))
    site.start()
    yield site
    site.stop()


def audience(site):
    return f"https://localhost:{site.port('fhir')}/token"


def signed(site, id_="hub-1", key=None, **claims):
    return assertion(key or KEYS[id_], id_, claims.pop("aud", audience(site)), **claims)


def asked(client, text, scope="system/*.cu", **more):
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
        "scope": scope,
    } | more
    body = urlencode(form).encode()
    return client.ask("POST", "/token", body, Content_Type="application/x-www-form-urlencoded")


def token(site, id_="hub-1", scope="system/*.cu"):
    with Http(site) as client:
        answer = asked(client, signed(site, id_), scope)
        assert answer.status == 200, answer
        return answer.json["access_token"]


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def refusals(site):
    return {r["body"]["reason"] for r in site.records("connection.refused")}


def test_a_device_that_signs_gets_a_token_and_sends_with_it(site):
    with Http(site) as client:
        smart = client.ask("GET", "/fhir/.well-known/smart-configuration").json
        assert smart["token_endpoint"] == audience(site)
        given = asked(client, signed(site), "system/Observation.c system/Patient.rs")
        assert given.status == 200, given
        assert given.headers["cache-control"] == "no-store"
        said = given.json
        assert (said["token_type"], said["expires_in"], said["scope"]) == (
            "bearer",
            300,
            "system/Observation.c",
        )
        answer = client.post("/fhir/Observation", observation(), **bearer(said["access_token"]))
        assert answer.status == 201, answer
        id_ = answer.headers["location"].split("/")[-3]
    assert site.rows(f"SELECT device, state FROM message WHERE id = '{id_}'") == [("hub-1", "accepted")]
    [record] = [r["body"] for r in site.records("message.accepted") if r["body"]["device"] == "hub-1"]
    assert record["assurance"] == "certificate"
    given = [r["body"] for r in site.records("token.given")]
    assert given[0]["device"] == "hub-1"
    assert len(given[0]["key"]) == 64


def test_a_token_covers_its_scopes_and_nothing_else(site):
    with Http(site) as client:
        only = bearer(token(site, scope="system/Observation.c"))
        assert client.post("/fhir/Observation", observation(value=1.5), **only).status == 201
        for answer in (
            client.put("/fhir/Observation/o-1", observation(id="o-1"), **only),
            client.post("/fhir/Device", {"resourceType": "Device"}, **only),
            client.post("/fhir", bundle_of("batch", ("POST", "Observation", observation())), **only),
        ):
            assert (answer.status, answer.reason) == (403, "token.scope")
        every = bearer(token(site))
        assert client.put("/fhir/Observation/o-1", observation(id="o-1"), **every).status == 201


def unsigned(site):
    import base64

    claims = {"iss": "hub-1", "sub": "hub-1", "aud": audience(site), "exp": int(time.time()) + 60, "jti": "x"}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


REFUSED = {
    "another device's key": (lambda s: signed(s, "hub-2", KEYS["hub-1"]), "assertion.invalid"),
    "a stranger": (lambda s: signed(s, "hub-9", KEYS["hub-1"]), "assertion.invalid"),
    "a device without a key": (lambda s: signed(s, "mon-1", KEYS["hub-1"]), "assertion.invalid"),
    "over": (lambda s: signed(s, exp=int(time.time()) - 5), "assertion.expired"),
    "too long": (lambda s: signed(s, exp=int(time.time()) + 900), "assertion.expired"),
    "for elsewhere": (lambda s: signed(s, aud="https://elsewhere.example/token"), "assertion.audience"),
    "unsigned": (unsigned, "assertion.algorithm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_signed_rightly_gets_none(site, name):
    make, reason = REFUSED[name]
    with Http(site) as client:
        answer = asked(client, make(site))
    assert (answer.status, answer.json) == (401, {"error": "invalid_client", "error_description": reason})
    site.wait(lambda: reason in refusals(site))


def test_what_is_no_request_for_a_token_gets_none(site):
    with Http(site) as client:
        assert asked(client, signed(site), "patient/*.c").json["error"] == "invalid_scope"
        assert asked(client, signed(site), grant_type="password").json["error"] == "invalid_request"
        answer = client.post("/token", {"grant_type": "client_credentials"})
        assert (answer.status, answer.reason) == (415, "http.media-type")


def test_a_signed_request_is_used_once_across_a_restart_too(tmp_path):
    site = Site.make(tmp_path / "s", fhir="url = 'https://gateway.example/fhir'")
    site.activate(bundle({}))
    key = frozenset({canonical(KEYS["hub-1"].as_dict(private=False))})
    site.add(Device("hub-1", keys=key))
    there = "https://gateway.example/token"
    text = assertion(KEYS["hub-1"], "hub-1", there)
    site.start()
    try:
        with Http(site) as client:
            given = asked(client, text)
            assert given.status == 200
            again = asked(client, text)
            assert (again.status, again.json["error_description"]) == (401, "assertion.replayed")
        old = given.json["access_token"]
        site.stop()
        site.start()
        with Http(site) as client:
            again = asked(client, text)
            assert (again.status, again.json["error_description"]) == (401, "assertion.replayed")
            answer = client.post("/fhir/Observation", observation(), **bearer(old))
            assert (answer.status, answer.reason) == (401, "token.invalid"), "tokens end with the process"
            assert asked(client, assertion(KEYS["hub-1"], "hub-1", there)).status == 200
        site.stop()
        site.rows("SELECT 1")
        forget(site)
        site.start()
        with Http(site) as client:
            assert asked(client, text).status == 200, "the reverse: what was not remembered is taken"
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()


def forget(site):
    from oathward.core.db import connect, write

    engine = connect(site.settings.database_url)
    with write(engine) as db:
        db.exec_driver_sql("DELETE FROM device_assertion")
    engine.dispose()


def test_a_token_on_another_devices_connection_is_refused(site):
    mine = token(site)
    with Http(site, "mon-1") as client:
        answer = client.post("/fhir/Observation", observation(), **bearer(mine))
        assert (answer.status, answer.reason) == (401, "token.invalid")
        assert client.post("/fhir/Observation", observation(value=2.5)).status == 201, (
            "by its certificate it may"
        )


def test_a_token_ends_with_the_device_and_its_open_connection_too(site):
    mine = token(site, "hub-3")
    with Http(site) as client:
        assert client.post("/fhir/Observation", observation(value=3.5), **bearer(mine)).status == 201
        site.cli("device", "revoke", "hub-3", "--why", "stolen")
        client.socket.settimeout(30)
        assert client.answer() is None, "cut off"
    with Http(site) as client:
        answer = client.post("/fhir/Observation", observation(value=3.5), **bearer(mine))
        assert (answer.status, answer.reason) == (401, "token.invalid")
        assert asked(client, signed(site, "hub-3")).json["error_description"] == "assertion.invalid"


def test_a_token_ends_with_its_key(site, tmp_path):
    mine = token(site, "hub-2")
    new = tmp_path / "new.jwk"
    new.write_text(json.dumps(ECKey.generate_key("P-384").as_dict(private=False)))
    with Http(site) as client:
        assert client.post("/fhir/Observation", observation(value=4.5), **bearer(mine)).status == 201
        site.cli("device", "key", "hub-2", str(new))
        site.wait(
            lambda: client.post("/fhir/Observation", observation(value=4.5), **bearer(mine)).status == 401
        )


def test_a_message_by_token_can_be_released_as_that_device(site):
    """What is held keeps who spoke: a release identifies the device by its key again."""
    before = {row["message"] for row in held(site)}
    mine = token(site)
    with Http(site) as client:
        answer = client.post("/fhir/Observation", observation(status="nonsense"), **bearer(mine))
        assert answer.status == 422
    [fresh] = [row for row in held(site) if row["message"] not in before]
    [(peer,)] = site.rows(f"SELECT peer FROM quarantine WHERE message = '{fresh['message']}'")
    assert " key:" in peer


def held(site):
    return site.cli("quarantine", "list")["held"]
