"""Promises about programs that ask for themselves: one key and its one algorithm, our address, minutes, once."""

import base64
import json
from dataclasses import replace

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from tests.unit.vault.keeper.people import HERE, founded
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof, service_proof
from oathward.vault.keeper.sign_in import services, visiting

OURS = "https://oathward.hospital.example/api/v1/token"
KEYS = {
    "ES256": ECKey.generate_key("P-256"),
    "ES384": ECKey.generate_key("P-384"),
    "PS256": RSAKey.generate_key(2048),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}
FOREIGN = ECKey.generate_key("P-256")


def public(key, **more):
    return json.dumps(key.as_dict(private=False) | more)


@pytest.fixture
def house(site):
    with founded(
        replace(site, console=replace(site.console, url="https://oathward.hospital.example"))
    ) as found:
        found.person("ada", Role.ADMINISTRATOR)
        found.service("scim", "ada", jwk=public(KEYS["ES256"]), roles=frozenset({Role.PROVISIONER}))
        found.service("wire", "ada", certificate="ab" * 32)
        yield found


def claims(house, **changes):
    now_s = int(house.time.wall_s)
    whole = {"iss": "scim", "sub": "scim", "aud": OURS, "exp": now_s + 120, "iat": now_s, "jti": "1"}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def signed(body, *, key=KEYS["ES256"], alg="ES256", **header):
    return jws.serialize_compact({"alg": alg} | header, json.dumps(body).encode(), key, algorithms=[alg])


def raw(header, body, signature=b""):
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (json.dumps(header).encode(), json.dumps(body).encode(), signature)
    )


def get(house, assertion):
    token, _ = house.people.service_assert(assertion, HERE)
    return service_proof(token)


def test_an_assertion_gives_a_token_of_minutes(house):
    token, left_s = house.people.service_assert(signed(claims(house)), HERE)
    assert 0 < left_s <= 600
    visit = house.app.session_check(service_proof(token), used=True)
    assert (visit.kind, visit.person_id, visit.roles, visit.by) == (
        "service",
        "scim",
        {Role.PROVISIONER},
        "assertion",
    )
    assert not visit.renew
    house.time.pass_(minutes=11)
    assert refused(lambda: house.app.session_check(service_proof(token), used=True)) is Reason.NOT_PERMITTED
    begun = records(house.settings, "session.begun")[0]["body"]
    assert (begun["person"], begun["by"]) == ("scim", "assertion")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "Ed25519"])
def test_the_key_says_which_algorithm(house, alg):
    house.service("other", "ada", jwk=public(KEYS[alg]))
    for said in {"ES256", "ES384", "PS256", "Ed25519"} - {alg}:
        bad = raw({"alg": said}, claims(house, iss="other", sub="other"), b"x" * 64)
        assert refused(lambda bad=bad: get(house, bad)) is Reason.ASSERTION_ALGORITHM
    written = "EdDSA" if alg == "Ed25519" else alg
    import warnings

    with warnings.catch_warnings():  # Ed25519's old name
        warnings.simplefilter("ignore")
        good = signed(claims(house, iss="other", sub="other"), key=KEYS[alg], alg=written)
    assert house.app.session_check(get(house, good), used=True).person_id == "other"


def confused(body):
    secret = OctKey.import_key(
        base64.urlsafe_b64encode(KEYS["ES256"].as_pem(private=False)).decode().rstrip("=")
    )
    return signed(body, key=secret, alg="HS256")


WRONG = {
    "nothing": (lambda _: "", Reason.ASSERTION_INVALID),
    "no token": (lambda _: "a.b.c", Reason.ASSERTION_INVALID),
    "alg none": (lambda body: raw({"alg": "none"}, body), Reason.ASSERTION_ALGORITHM),
    "HS256 with the public key": (confused, Reason.ASSERTION_ALGORITHM),
    "another algorithm": (lambda body: signed(body, key=KEYS["ES384"], alg="ES384"), Reason.ASSERTION_ALGORITHM),
    "another's key": (lambda body: signed(body, key=FOREIGN), Reason.ASSERTION_INVALID),
    "a key it brings along": (lambda body: signed(body, key=FOREIGN, jwk=FOREIGN.as_dict(private=False)), Reason.ASSERTION_INVALID),
    "critical header": (lambda body: raw({"alg": "ES256", "crit": ["x"], "x": 1}, body), Reason.ASSERTION_INVALID),
    "unsigned": (lambda body: raw({"alg": "ES256"}, body), Reason.ASSERTION_INVALID),
    "an unknown service": (lambda body: signed(body | {"iss": "x", "sub": "x"}), Reason.ASSERTION_INVALID),
    "iss is not sub": (lambda body: signed(body | {"sub": "ada"}), Reason.ASSERTION_INVALID),
    "a person": (lambda body: signed(body | {"iss": "ada", "sub": "ada"}), Reason.ASSERTION_INVALID),
    "a service without a key": (lambda body: signed(body | {"iss": "wire", "sub": "wire"}), Reason.ASSERTION_INVALID),
    "iss is a list": (lambda body: signed(body | {"iss": ["scim"], "sub": ["scim"]}), Reason.ASSERTION_INVALID),
    "another audience": (lambda body: signed(body | {"aud": "https://evil.example/api/v1/token"}), Reason.ASSERTION_AUDIENCE),
    "our address with more": (lambda body: signed(body | {"aud": OURS + "/x"}), Reason.ASSERTION_AUDIENCE),
    "no audience": (lambda body: signed({k: v for k, v in body.items() if k != "aud"}), Reason.ASSERTION_AUDIENCE),
    "over": (lambda body: signed(body | {"exp": body["iat"]}), Reason.ASSERTION_EXPIRED),
    "for more than five minutes": (lambda body: signed(body | {"exp": body["iat"] + 320}), Reason.ASSERTION_EXPIRED),
    "no exp": (lambda body: signed({k: v for k, v in body.items() if k != "exp"}), Reason.ASSERTION_EXPIRED),
    "exp is a text": (lambda body: signed(body | {"exp": "9"}), Reason.ASSERTION_EXPIRED),
    "of a time to come": (lambda body: signed(body | {"iat": body["iat"] + 60}), Reason.ASSERTION_EXPIRED),
    "not yet good": (lambda body: signed(body | {"nbf": body["iat"] + 60}), Reason.ASSERTION_EXPIRED),
    "nbf is a text": (lambda body: signed(body | {"nbf": "x"}), Reason.ASSERTION_EXPIRED),
    "no jti": (lambda body: signed({k: v for k, v in body.items() if k != "jti"}), Reason.ASSERTION_INVALID),
    "an empty jti": (lambda body: signed(body | {"jti": ""}), Reason.ASSERTION_INVALID),
    "a jti longer than any": (lambda body: signed(body | {"jti": "x" * 201}), Reason.ASSERTION_INVALID),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_assertions_that_give_no_token(house, name):
    make, reason = WRONG[name]
    assert refused(lambda: house.people.service_assert(make(claims(house)), HERE)) is reason
    visiting.flush(house.keeper)
    assert [one["body"]["why"] for one in records(house.settings, "sign-in.refused")] == [reason.code]
    assert records(house.settings, "session.begun") == []


def test_an_assertion_is_used_once_even_after_a_restart(house):
    good = signed(claims(house))
    get(house, good)
    assert refused(lambda: get(house, good)) is Reason.ASSERTION_REPLAYED
    house.keeper.close()
    with founded(house.settings) as again:
        assert refused(lambda: get(again, good)) is Reason.ASSERTION_REPLAYED
        assert get(again, signed(claims(again, jti="2")))
        again.time.pass_(minutes=10)
        get(again, signed(claims(again, jti="3")))
        assert len(again.keeper.store.rows("SELECT * FROM assertion")) == 1, "old ones are forgotten"


def test_a_certificate_gives_a_token(house):
    token, _ = house.people.service_certificate("AB" * 32, HERE)
    assert house.app.session_check(service_proof(token), used=True).person_id == "wire"
    for wrong in ("cd" * 32, "ab", "%"):
        assert (
            refused(lambda wrong=wrong: house.people.service_certificate(wrong, HERE))
            is Reason.ASSERTION_INVALID
        )


ENDS = {
    "the service is retired": lambda h: h.service("scim", "ada", jwk=public(KEYS["ES256"]), state="left"),
    "its owner left": lambda h: h.leave("ada"),
    "its time is over": lambda h: h.service("scim", "ada", jwk=public(KEYS["ES256"]), until_us=h.time.now_us),
    "it has another key": lambda h: h.service("scim", "ada", jwk=public(FOREIGN)),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_token_ends_with_what_it_stands_on(house, name):
    proof = get(house, signed(claims(house)))
    assert house.app.session_check(proof, used=True)
    ENDS[name](house)
    assert refused(lambda: house.app.session_check(proof, used=True)) is Reason.NOT_PERMITTED
    assert refused(lambda: get(house, signed(claims(house, jti="2")))) is Reason.ASSERTION_INVALID
    assert records(house.settings, "session.revoked")[0]["body"]["why"].startswith("service.")


def test_a_token_is_no_cookie_and_a_cookie_no_token(house):
    token, _ = house.people.service_assert(signed(claims(house)), HERE)
    step, _ = house.enrol("ada")
    for bad in (console_proof(token), service_proof(step.secret)):
        assert refused(lambda bad=bad: house.app.session_check(bad, used=True)) is Reason.NOT_PERMITTED


def test_a_service_has_no_account(house):
    proof = get(house, signed(claims(house)))
    assert refused(lambda: house.people.enrol_totp_begin(proof)) is Reason.FACTOR_MISSING
    assert refused(lambda: house.people.step_up_code("000000", proof)) is Reason.FACTOR_MISSING
    assert house.people.session_rotate(proof) == ""


def test_a_service_and_a_person_of_one_id_are_two(house):
    house.service("ada", "ada", jwk=public(KEYS["ES256"]))
    proof = get(house, signed(claims(house, iss="ada", sub="ada")))
    step, _ = house.enrol("ada")
    listed = house.people.session_list(console_proof(step.secret))
    assert [one.kind for one in listed] == ["person"]
    house.people.session_revoke("others", console_proof(step.secret))
    assert house.app.session_check(proof, used=True).kind == "service"


@pytest.mark.parametrize(
    ("console", "address", "ours"),
    [
        ({"url": "https://o.example/"}, "https://o.example/api/v1/token", True),
        ({"url": "https://o.example"}, "https://o.example:443/api/v1/token", False),
        ({"port": 2579}, "http://127.0.0.1:2579/api/v1/token", True),
        ({"port": 2579}, "http://127.0.0.1:2580/api/v1/token", False),
        ({"port": 0}, "http://localhost:4711/api/v1/token", True),
        ({"port": 0}, "http://localhost.evil.example:4711/api/v1/token", False),
        ({"port": 0}, "http://x@localhost:4711/api/v1/token", False),
        ({"port": 0}, "http://localhost:4711/api/v1/token?x", False),
        ({"port": 0}, "http://localhost:99999/api/v1/token", False),
        ({"port": 0, "certificate": "c.pem"}, "http://localhost:1/api/v1/token", False),
    ],
)
def test_which_addresses_are_ours(site, console, address, ours):
    settings = replace(site, console=replace(site.console, **console))
    assert services.is_token_address(settings, address) is ours


def test_reverse_without_the_memory_of_names_an_assertion_is_good_twice(house, monkeypatch):
    monkeypatch.setattr(services, "_first_use", lambda *_: True)
    good = signed(claims(house))
    assert get(house, good)
    assert get(house, good)


def test_a_service_with_a_persons_id_has_nothing_of_the_persons(house):
    house.service("ada", "ada", jwk=public(KEYS["ES256"]))
    proof = get(house, signed(claims(house, iss="ada", sub="ada")))
    step, phone = house.enrol("ada")
    assert house.people.account_own(proof).factors == ()
    assert [one.kind for one in house.people.session_list(proof)] == ["service"]
    for act in (
        lambda: house.people.session_revoke(step.visit.id, proof),
        lambda: house.people.session_list(proof, "ada"),
        lambda: house.people.step_up_code(phone.code(), proof),
        lambda: house.people.passkey_begin(proof),
        lambda: house.people.factor_remove("x", proof),
        lambda: house.people.password_change("x", "y", proof),
    ):
        assert refused(act) in {Reason.ACCESS_ROLE, Reason.FACTOR_MISSING}
    assert house.app.session_check(console_proof(step.secret), used=True)
