"""Signed requests for tokens: only the device's own key, its own algorithm, for us, now, and once."""

import base64
import hmac
import json
import time

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey
from tests.fhir_wire import assertion

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.gateway.listeners.fhir import tokens
from oathward.inventory.keys import canonical, thumbprint
from oathward.inventory.model import Device, Status

HERE = "https://localhost:2578/token"
EC, RSA = ECKey.generate_key("P-384", {"kid": "k-1"}), RSAKey.generate_key(2_048)
OTHER = ECKey.generate_key("P-384", {"kid": "k-1"})
P256 = ECKey.generate_key("P-256")


def public(key):
    return canonical(key.as_dict(private=False))


DEVICES = {
    "hub-1": Device("hub-1", keys=frozenset({public(EC), public(RSA)})),
    "hub-2": Device("hub-2", keys=frozenset({public(OTHER)})),
    "hub-3": Device("hub-3", status=Status.REVOKED, keys=frozenset({public(OTHER)})),
    "mon-1": Device("mon-1", addresses=frozenset({"10.0.0.1"})),
}


def check(text, now_s=None):
    return tokens.check(text, DEVICES.get, frozenset((HERE,)), now_s or time.time())


@pytest.mark.parametrize(("key", "algorithm"), [(EC, "ES384"), (RSA, "RS384")])
def test_its_own_key_is_believed(key, algorithm):
    found = check(assertion(key, "hub-1", HERE, algorithm=algorithm))
    assert (found.device, found.key) == ("hub-1", thumbprint(json.loads(public(key))))


def test_a_kid_chooses_among_keys_and_a_wrong_one_chooses_none():
    assert check(assertion(EC, "hub-1", HERE, kid="k-1")).device == "hub-1"
    assert refusal(assertion(EC, "hub-1", HERE, kid="k-2")) is Reason.ASSERTION_INVALID


def refusal(text):
    with pytest.raises(OathwardError) as caught:
        check(text)
    return caught.value.reason


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims(**more):
    return {"iss": "hub-1", "sub": "hub-1", "aud": HERE, "exp": int(time.time()) + 60, "jti": "j"} | more


def none():
    return f"{part({'alg': 'none'})}.{part(claims())}."


def by_public_key():
    """The public key as a shared secret: what confuses a reader that lets the header choose."""
    signed = f"{part({'alg': 'HS256'})}.{part(claims())}"
    code = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"


def own_key_in_header():
    head = {"alg": "ES384", "jwk": P384_STRANGER.as_dict(private=False)}
    return jws.serialize_compact(head, json.dumps(claims()).encode(), P384_STRANGER, algorithms=["ES384"])


P384_STRANGER = ECKey.generate_key("P-384")


def tampered():
    head, _, signature = assertion(EC, "hub-1", HERE).split(".")
    return f"{head}.{part(claims(scope='system/*.cruds'))}.{signature}"


def by_hand(**more):
    return jws.serialize_compact(
        {"alg": "ES384"}, json.dumps(claims(**more)).encode(), EC, algorithms=["ES384"]
    )


def critical():
    _, body, signature = by_hand().split(".")
    return f"{part({'alg': 'ES384', 'crit': ['x'], 'x': 1})}.{body}.{signature}"


REFUSED = {
    "none": (none, Reason.ASSERTION_ALGORITHM),
    "none, spelled otherwise": (
        lambda: f"{part({'alg': 'nOnE'})}.{part(claims())}.",
        Reason.ASSERTION_ALGORITHM,
    ),
    "no name of an algorithm": (
        lambda: f"{part({'alg': ['ES384']})}.{part(claims())}.AAAA",
        Reason.ASSERTION_ALGORITHM,
    ),
    "a public key as secret": (by_public_key, Reason.ASSERTION_ALGORITHM),
    "ES256": (lambda: assertion(P256, "hub-1", HERE, algorithm="ES256"), Reason.ASSERTION_ALGORITHM),
    "RS256": (lambda: assertion(RSA, "hub-1", HERE, algorithm="RS256"), Reason.ASSERTION_ALGORITHM),
    "a key in the header": (own_key_in_header, Reason.ASSERTION_INVALID),
    "another device's key": (lambda: assertion(OTHER, "hub-1", HERE), Reason.ASSERTION_INVALID),
    "a stranger": (lambda: assertion(EC, "nobody", HERE), Reason.ASSERTION_INVALID),
    "a revoked device": (lambda: assertion(OTHER, "hub-3", HERE), Reason.ASSERTION_INVALID),
    "a device without keys": (lambda: assertion(EC, "mon-1", HERE), Reason.ASSERTION_INVALID),
    "iss is not sub": (lambda: assertion(EC, "hub-1", HERE, sub="hub-2"), Reason.ASSERTION_INVALID),
    "no iss": (lambda: assertion(EC, "hub-1", HERE, iss=None), Reason.ASSERTION_INVALID),
    "iss is a list": (lambda: assertion(EC, "hub-1", HERE, iss=["hub-1"]), Reason.ASSERTION_INVALID),
    "tampered": (tampered, Reason.ASSERTION_INVALID),
    "for another server": (
        lambda: assertion(EC, "hub-1", "https://elsewhere.example/token"),
        Reason.ASSERTION_AUDIENCE,
    ),
    "for nobody": (lambda: assertion(EC, "hub-1", None), Reason.ASSERTION_AUDIENCE),
    "for an object": (lambda: assertion(EC, "hub-1", [{"a": 1}]), Reason.ASSERTION_AUDIENCE),
    "over": (lambda: assertion(EC, "hub-1", HERE, exp=int(time.time()) - 1), Reason.ASSERTION_EXPIRED),
    "for an hour": (
        lambda: assertion(EC, "hub-1", HERE, exp=int(time.time()) + 3_600),
        Reason.ASSERTION_EXPIRED,
    ),
    "for ever": (lambda: assertion(EC, "hub-1", HERE, exp=None), Reason.ASSERTION_EXPIRED),
    "exp is text": (lambda: by_hand(exp="soon"), Reason.ASSERTION_EXPIRED),
    "exp is true": (lambda: by_hand(exp=True), Reason.ASSERTION_EXPIRED),
    "not yet": (lambda: by_hand(nbf=int(time.time()) + 100), Reason.ASSERTION_EXPIRED),
    "no name": (lambda: assertion(EC, "hub-1", HERE, jti=None), Reason.ASSERTION_INVALID),
    "an endless name": (lambda: assertion(EC, "hub-1", HERE, jti="j" * 201), Reason.ASSERTION_INVALID),
    "critical": (critical, Reason.ASSERTION_INVALID),
    "junk": (lambda: "junk", Reason.ASSERTION_INVALID),
    "three dots": (lambda: "...", Reason.ASSERTION_INVALID),
    "endless": (lambda: "a." * 5_000, Reason.ASSERTION_INVALID),
    "not ASCII": (lambda: "ä.b.c", Reason.ASSERTION_INVALID),
    "a list": (lambda: f"{part([])}.{part([])}.x", Reason.ASSERTION_INVALID),
}


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused_with_its_reason(name):
    make, reason = REFUSED[name]
    assert refusal(make()) is reason


def test_the_same_jti_is_the_same_assertion_and_another_is_not():
    first, again = (check(assertion(EC, "hub-1", HERE, jti="a")) for _ in range(2))
    assert first.digest == again.digest != check(assertion(EC, "hub-1", HERE, jti="b")).digest
    assert check(assertion(OTHER, "hub-2", HERE, jti="a")).digest != first.digest


SCOPES = {
    "system/Observation.c": "system/Observation.c",
    "system/*.cu": "system/*.cu",
    "system/Observation.u system/Observation.c": "system/Observation.cu",
    "system/*.write": "system/*.cu",
    "system/Observation.rs system/Observation.c openid": "system/Observation.c",
    "system/*.cruds": None,
    "system/*.*": None,
    "patient/*.c": None,
    "user/*.c": None,
    "system/*.read": None,
    "": None,
}


@pytest.mark.parametrize("text", SCOPES)
def test_scopes(text):
    if SCOPES[text] is None:
        with pytest.raises(OathwardError) as caught:
            tokens.scopes_of(text)
        assert caught.value.reason is Reason.TOKEN_SCOPE
    else:
        assert tokens.scope_text(tokens.scopes_of(text)) == SCOPES[text]


def test_a_token_stands_for_its_scopes_until_it_is_over(monkeypatch):
    now_s = [1_000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now_s[0])
    kept = tokens.Tokens(300)
    token = kept.give(check(assertion(EC, "hub-1", HERE)), tokens.scopes_of("system/Observation.c"))
    grant = kept.grant(f"Bearer {token}")
    assert grant.device == "hub-1"
    assert grant.allows("Observation", "c")
    assert not grant.allows("Observation", "cu")
    assert not grant.allows("Patient", "c")
    assert not grant.allows("*", "c")
    for wrong in (f"Bearer {token}x", f"Basic {token}", token, "Bearer", "Bearer ", ""):
        with pytest.raises(OathwardError):
            kept.grant(wrong)
    now_s[0] += 301
    with pytest.raises(OathwardError) as caught:
        kept.grant(f"Bearer {token}")
    assert caught.value.reason is Reason.TOKEN_INVALID


def test_tokens_that_are_over_are_forgotten(monkeypatch):
    now_s = [1_000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now_s[0])
    kept = tokens.Tokens(300)
    for _ in range(5):
        kept.give(check(assertion(EC, "hub-1", HERE)), frozenset())
    now_s[0] += 400
    kept.give(check(assertion(EC, "hub-1", HERE)), frozenset())
    assert len(kept._grants) == 1


FORMS = {
    b"": Reason.TOKEN_REQUEST,
    b"grant_type=client_credentials": Reason.TOKEN_REQUEST,
    b"grant_type=password&username=a&password=b": Reason.TOKEN_REQUEST,
    b"grant_type=client_credentials&grant_type=client_credentials": Reason.TOKEN_REQUEST,
    b"grant_type=client_credentials&client_assertion_type=x&client_assertion=a.b.c": Reason.TOKEN_REQUEST,
    b"&" * 1_000: Reason.TOKEN_REQUEST,
    b"\xff\xfe": Reason.TOKEN_REQUEST,
    b"a=b&" * 50: Reason.TOKEN_REQUEST,
}


@pytest.mark.parametrize("body", FORMS)
def test_what_is_no_request_for_a_token(body):
    with pytest.raises(OathwardError) as caught:
        tokens.form_of(body)
    assert caught.value.reason is FORMS[body]


def test_a_signature_is_what_makes_the_difference():
    """The reverse: with the stranger's key in the inventory the same bytes are believed."""
    text = own_key_in_header()
    assert refusal(text) is Reason.ASSERTION_INVALID
    device = Device("hub-1", keys=frozenset({public(P384_STRANGER)}))
    assert tokens.check(text, lambda _id: device, frozenset((HERE,)), time.time()).device == "hub-1"
    assert jwt.decode(text, P384_STRANGER, algorithms=["ES384"]).claims["jti"] == "j"
