"""Promises about the provider's answers: one browser, one state, one key, one audience, one time, one nonce, one person."""

import base64
import hashlib
import json
import warnings
from dataclasses import replace

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from tests.unit.vault.keeper.people import HERE, Phone, founded
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof, pending_proof
from oathward.vault.keeper.sign_in import provider, visiting

ISSUER, CLIENT = "https://id.hospital.example", "oathward"
BROWSER, OTHER = "a" * 64, "b" * 64
ALGORITHMS = list(provider.ALGORITHMS)
KEYS = {
    "r": RSAKey.generate_key(2048, {"kid": "r"}),
    "e": ECKey.generate_key("P-256", {"kid": "e"}),
    "o": OKPKey.generate_key("Ed25519", {"kid": "o"}),
    "foreign": ECKey.generate_key("P-256", {"kid": "e"}),
    "p384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "p521": ECKey.generate_key("P-521", {"kid": "p521"}),
}
SHOWN = {"keys": [KEYS[name].as_dict(private=False) for name in ("r", "e", "o", "p384", "p521")]}


@pytest.fixture
def house(site):
    oidc = replace(site.oidc, issuer=ISSUER, client_id=CLIENT, acr="urn:two")
    with founded(replace(site, oidc=oidc)) as found:
        found.person("ada", sign_ins=frozenset({(ISSUER, "1234")}))
        found.person("ben", sign_ins=frozenset({(ISSUER, "5678"), (ISSUER, "both")}))
        found.person("cem", sign_ins=frozenset({(ISSUER, "both"), ("https://other.example", "1234")}))
        yield found


def begun(house, **proof):
    found = house.people.provider_begin(BROWSER, **proof)
    house.people.provider_take(found.state, BROWSER)
    return found


def claims(house, nonce, /, **changes):
    now_s = int(house.time.wall_s)
    whole = {"iss": ISSUER, "sub": "1234", "aud": CLIENT, "exp": now_s + 300, "iat": now_s, "nonce": nonce}
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def token(body, *, key="e", alg="ES256", header=None):
    whole = {"alg": alg, "kid": key} | (header or {})
    whole = {name: value for name, value in whole.items() if value is not ...}
    with warnings.catch_warnings():  # the old name of Ed25519, which providers still write
        warnings.simplefilter("ignore")
        return jws.serialize_compact(whole, json.dumps(body).encode(), KEYS[key], algorithms=[alg])


def raw(header, body, signature=b""):
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (json.dumps(header).encode(), json.dumps(body).encode(), signature)
    )


def finish(house, found, id_token, *, browser=BROWSER, keys=SHOWN, **proof):
    return house.people.provider_finish(found.state, browser, id_token, json.dumps(keys), HERE, **proof)


@pytest.mark.parametrize(
    ("key", "alg"), [("r", "RS256"), ("r", "PS256"), ("e", "ES256"), ("o", "EdDSA"), ("o", "Ed25519")]
)
def test_each_algorithm_of_the_list_signs_in(house, key, alg):
    found = begun(house)
    step = finish(house, found, token(claims(house, found.nonce), key=key, alg=alg))
    assert (step.state, step.person, step.offers) == ("enrol", "Ada", ("totp", "passkey"))


def confused(body):
    """Sign with a symmetric key that is the provider's public one."""
    public = KEYS["r"].as_pem(private=False)
    secret = OctKey.import_key(base64.urlsafe_b64encode(public).decode().rstrip("="))
    return jws.serialize_compact(
        {"alg": "HS256", "kid": "r"}, json.dumps(body).encode(), secret, algorithms=["HS256"]
    )


def tampered(body):
    head, _, signature = token(body).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(body | {"sub": "5678"}).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


TOKENS = {
    "nothing": (lambda _: "", Reason.PROVIDER_TOKEN),
    "no token": (lambda _: "a.b.c", Reason.PROVIDER_TOKEN),
    "two parts": (lambda body: token(body).rpartition(".")[0], Reason.PROVIDER_TOKEN),
    "encrypted, five parts": (lambda body: token(body) + ".a.b", Reason.PROVIDER_TOKEN),
    "not ASCII": (lambda body: token(body) + "é", Reason.PROVIDER_TOKEN),
    "claims are a list": (lambda body: token([body]), Reason.PROVIDER_TOKEN),
    "claims nested without end": (
        lambda _: jws.serialize_compact(
            {"alg": "ES256", "kid": "e"}, b"[" * 9_000, KEYS["e"], algorithms=["ES256"]
        ),
        Reason.PROVIDER_TOKEN,
    ),
    "critical header": (
        lambda body: raw({"alg": "ES256", "kid": "e", "crit": ["x"], "x": 1}, body),
        Reason.PROVIDER_TOKEN,
    ),
    "unencoded payload": (
        lambda body: raw({"alg": "ES256", "kid": "e", "b64": False}, body),
        Reason.PROVIDER_TOKEN,
    ),
    "kid is a number": (lambda body: raw({"alg": "ES256", "kid": 1}, body), Reason.PROVIDER_TOKEN),
    "alg is a list": (lambda body: raw({"alg": ["ES256"], "kid": "e"}, body), Reason.PROVIDER_TOKEN),
    "alg none": (lambda body: raw({"alg": "none"}, body), Reason.PROVIDER_ALGORITHM),
    "alg None in capitals": (lambda body: raw({"alg": "NONE", "kid": "e"}, body), Reason.PROVIDER_ALGORITHM),
    "HS256 with the public key": (confused, Reason.PROVIDER_ALGORITHM),
    "an algorithm that is not on the list": (
        lambda body: token(body, key="p384", alg="ES384"),
        Reason.PROVIDER_ALGORITHM,
    ),
    "ES512": (lambda body: token(body, key="p521", alg="ES512"), Reason.PROVIDER_ALGORITHM),
    "RS256 claimed for an EC key": (
        lambda body: raw({"alg": "RS256", "kid": "e"}, body, b"x" * 256),
        Reason.PROVIDER_KEY,
    ),
    "ES256 claimed for an RSA key": (
        lambda body: raw({"alg": "ES256", "kid": "r"}, body, b"x" * 64),
        Reason.PROVIDER_KEY,
    ),
    "unknown kid": (lambda body: token(body, header={"kid": "z"}), Reason.PROVIDER_KEY),
    "a key the token brings along": (
        lambda body: token(
            body, key="foreign", header={"kid": "z", "jwk": KEYS["foreign"].as_dict(private=False)}
        ),
        Reason.PROVIDER_KEY,
    ),
    "a key the token points at": (
        lambda body: token(body, key="foreign", header={"kid": "z", "jku": "https://evil.example/keys"}),
        Reason.PROVIDER_KEY,
    ),
    "foreign key under a known kid": (
        lambda body: token(body, key="foreign", header={"kid": "e"}),
        Reason.PROVIDER_TOKEN,
    ),
    "no signature": (lambda body: raw({"alg": "ES256", "kid": "e"}, body), Reason.PROVIDER_TOKEN),
    "changed claims": (tampered, Reason.PROVIDER_TOKEN),
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_that_are_not_signed_by_the_provider(house, name):
    make, reason = TOKENS[name]
    found = begun(house)
    assert refused(lambda: finish(house, found, make(claims(house, found.nonce)))) is reason
    visiting.flush(house.keeper)
    assert [one["body"]["why"] for one in records(house.settings, "sign-in.refused")] == [reason.code]
    assert records(house.settings, "session.begun") == []


def test_a_token_longer_than_any_is_not_looked_at(house):
    found = begun(house)
    long = token(claims(house, found.nonce, x="y" * provider.TOKEN_LENGTH_MAX))
    assert refused(lambda: finish(house, found, long)) is Reason.INPUT_INVALID


CLAIMS = {
    "another issuer": ({"iss": "https://evil.example"}, Reason.PROVIDER_AUDIENCE),
    "issuer with a slash more": ({"iss": ISSUER + "/"}, Reason.PROVIDER_AUDIENCE),
    "no issuer": ({"iss": ...}, Reason.PROVIDER_AUDIENCE),
    "another client": ({"aud": "other"}, Reason.PROVIDER_AUDIENCE),
    "no audience": ({"aud": ...}, Reason.PROVIDER_AUDIENCE),
    "audience that begins as ours": ({"aud": CLIENT + "-2"}, Reason.PROVIDER_AUDIENCE),
    "audience is an object": ({"aud": {CLIENT: 1}}, Reason.PROVIDER_AUDIENCE),
    "several audiences, no azp": ({"aud": [CLIENT, "other"]}, Reason.PROVIDER_AUDIENCE),
    "several audiences, another's azp": (
        {"aud": [CLIENT, "other"], "azp": "other"},
        Reason.PROVIDER_AUDIENCE,
    ),
    "our audience, another's azp": ({"azp": "other"}, Reason.PROVIDER_AUDIENCE),
    "over": ({"exp": -61}, Reason.PROVIDER_EXPIRED),
    "no exp": ({"exp": ...}, Reason.PROVIDER_EXPIRED),
    "exp is true": ({"exp": True}, Reason.PROVIDER_EXPIRED),
    "exp is a text": ({"exp": "9999999999"}, Reason.PROVIDER_EXPIRED),
    "no iat": ({"iat": ...}, Reason.PROVIDER_EXPIRED),
    "made in a time to come": ({"iat": +61}, Reason.PROVIDER_EXPIRED),
    "made before the sign-in began": ({"iat": -61}, Reason.PROVIDER_EXPIRED),
    "not yet good": ({"nbf": +61}, Reason.PROVIDER_EXPIRED),
    "nbf is a text": ({"nbf": "now"}, Reason.PROVIDER_EXPIRED),
    "another nonce": ({"nonce": "x" * 43}, Reason.PROVIDER_NONCE),
    "no nonce": ({"nonce": ...}, Reason.PROVIDER_NONCE),
    "nonce is a list": ({"nonce": ["x"]}, Reason.PROVIDER_NONCE),
    "unknown subject": ({"sub": "9999"}, Reason.PERSON_UNKNOWN),
    "no subject": ({"sub": ...}, Reason.PERSON_UNKNOWN),
    "subject is a number": ({"sub": 1234}, Reason.PERSON_UNKNOWN),
    "a subject of two people": ({"sub": "both"}, Reason.PERSON_UNKNOWN),
    "a subject longer than any": ({"sub": "1" * 256}, Reason.PERSON_UNKNOWN),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_not_for_this_sign_in(house, name):
    changes, reason = CLAIMS[name]
    found, now_s = begun(house), int(house.time.wall_s)
    changes = {
        key: now_s + value if key in {"exp", "iat", "nbf"} and type(value) is int else value
        for key, value in changes.items()
    }
    assert refused(lambda: finish(house, found, token(claims(house, found.nonce, **changes)))) is reason


@pytest.mark.parametrize(
    "changes", [{"aud": [CLIENT]}, {"aud": [CLIENT, "x"], "azp": CLIENT}, {"exp": 10**11}, {"iat": 0.5}]
)
def test_reverse_claims_that_are_for_it(house, changes):
    found = begun(house)
    if "iat" in changes:
        changes = {"iat": house.time.wall_s + changes["iat"]}
    assert finish(house, found, token(claims(house, found.nonce, **changes))).state == "enrol"


def test_without_kid_a_token_counts_only_where_one_key_fits(house):
    found = begun(house)
    bare = lambda nonce: token(claims(house, nonce), header={"kid": ...})  # noqa: E731  said three times
    one = {"keys": [KEYS["e"].as_dict(private=False), KEYS["r"].as_dict(private=False)]}
    assert finish(house, found, bare(found.nonce), keys=one).state == "enrol"
    found = begun(house)
    two = {"keys": [KEYS["e"].as_dict(private=False), KEYS["foreign"].as_dict(private=False)]}
    assert refused(lambda: finish(house, found, bare(found.nonce), keys=two)) is Reason.PROVIDER_KEY


BAD_KEYS = {
    "no JSON": "{",
    "no object": "[]",
    "no keys": '{"keys": 1}',
    "nested": "[" * 5_000,
    "too many": json.dumps({"keys": [{}] * 101}),
    "a key for encryption": json.dumps({"keys": [KEYS["e"].as_dict(private=False) | {"use": "enc"}]}),
    "a key that may only sign": json.dumps(
        {"keys": [KEYS["e"].as_dict(private=False) | {"key_ops": ["sign"]}]}
    ),
    "a key for another algorithm": json.dumps(
        {"keys": [KEYS["e"].as_dict(private=False) | {"alg": "ES384"}]}
    ),
    "a point that is none": json.dumps({"keys": [KEYS["e"].as_dict(private=False) | {"x": "AAAA"}]}),
    "a symmetric key": json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "e"}]}),
    "members of other kinds": json.dumps(
        {"keys": [{"kty": "EC", "crv": "P-256", "x": 1, "y": None, "kid": "e"}, 7, None]}
    ),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_keys_that_are_none(house, name):
    found = begun(house)
    id_token = token(claims(house, found.nonce))
    act = refused(lambda: house.people.provider_finish(found.state, BROWSER, id_token, BAD_KEYS[name], HERE))
    assert act in {Reason.PROVIDER_KEY, Reason.PROVIDER_TOKEN}


def test_a_short_rsa_key_is_none(house):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, {"kid": "s"})
        found = begun(house)
        body = json.dumps(claims(house, found.nonce)).encode()
        id_token = jws.serialize_compact({"alg": "RS256", "kid": "s"}, body, short, algorithms=["RS256"])
    keys = {"keys": [short.as_dict(private=False)]}
    assert refused(lambda: finish(house, found, id_token, keys=keys)) is Reason.PROVIDER_KEY


def test_a_state_is_for_one_browser_and_one_use(house):
    found = house.people.provider_begin(BROWSER)
    good = token(claims(house, found.nonce))
    assert refused(lambda: finish(house, found, good)) is Reason.PROVIDER_STATE, "the code was not taken"
    found = house.people.provider_begin(BROWSER)
    assert refused(lambda: house.people.provider_take(found.state, OTHER)) is Reason.PROVIDER_STATE
    assert refused(lambda: house.people.provider_take(found.state, BROWSER)) is Reason.PROVIDER_STATE, (
        "gone with that"
    )
    found = begun(house)
    assert refused(lambda: house.people.provider_take(found.state, BROWSER)) is Reason.PROVIDER_STATE, (
        "the code again"
    )
    found = begun(house)
    good = token(claims(house, found.nonce))
    assert refused(lambda: finish(house, found, good, browser=OTHER)) is Reason.PROVIDER_STATE
    found = begun(house)
    good = token(claims(house, found.nonce))
    assert finish(house, found, good).state == "enrol"
    assert refused(lambda: finish(house, found, good)) is Reason.PROVIDER_STATE, "replayed"
    again = begun(house)
    assert refused(lambda: finish(house, again, good)) is Reason.PROVIDER_NONCE, (
        "an old token in a new sign-in"
    )


def test_a_state_that_is_too_old_or_made_up(house):
    found = begun(house)
    house.time.pass_(minutes=16)
    assert refused(lambda: finish(house, found, token(claims(house, found.nonce)))) is Reason.PROVIDER_STATE
    assert refused(lambda: house.people.provider_take("x" * 43, BROWSER)) is Reason.PROVIDER_STATE


def test_the_verifier_is_the_one_of_the_challenge(house):
    found = house.people.provider_begin(BROWSER)
    verifier = house.people.provider_take(found.state, BROWSER)
    digest = hashlib.sha256(verifier.encode()).digest()
    assert found.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert 43 <= len(verifier) <= 128
    assert len({found.state, found.nonce, verifier}) == 3


def test_one_factor_at_the_provider_asks_for_ours_and_two_do_not(house):
    found = begun(house)
    step = finish(house, found, token(claims(house, found.nonce, acr="urn:one", amr=["pwd"])))
    pending = pending_proof(step.pending)
    secret, _ = house.people.enrol_totp_begin(pending)
    phone = Phone(secret, house.time)
    step = house.people.enrol_totp_finish(phone.code(), "phone", pending)
    assert (step.state, step.visit.person_id, step.visit.by) == ("signed-in", "ada", "provider+totp")
    house.time.pass_(minutes=1)
    found = begun(house)
    step = finish(house, found, token(claims(house, found.nonce)))
    assert (step.state, step.offers) == ("second", ("totp",))
    done = house.people.sign_in_second(step.pending, phone.code(), HERE)
    assert done.visit.strong
    for said in ({"acr": "urn:two"}, {"amr": ["pwd", "urn:two"]}):
        found = begun(house)
        step = finish(house, found, token(claims(house, found.nonce, **said)))
        assert (step.state, step.visit.by, step.visit.strong) == ("signed-in", "provider", True)


@pytest.mark.parametrize(
    "said", [{"acr": ["urn:two"]}, {"amr": "urn:two"}, {"acr": "urn:two "}, {"amr": {"urn:two": 1}}]
)
def test_words_about_factors_that_say_nothing(house, said):
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce, **said))).state == "enrol"


def test_without_a_word_in_the_settings_the_provider_never_counts_as_two(site):
    oidc = replace(site.oidc, issuer=ISSUER, client_id=CLIENT)
    with founded(replace(site, oidc=oidc)) as house:
        house.person("ada", sign_ins=frozenset({(ISSUER, "1234")}))
        found = begun(house)
        assert finish(house, found, token(claims(house, found.nonce, acr="", amr=[""]))).state == "enrol"


def test_who_left_is_unknown(house):
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce))).state == "enrol"
    house.leave("ada")
    found = begun(house)
    assert refused(lambda: finish(house, found, token(claims(house, found.nonce)))) is Reason.PERSON_UNKNOWN


def test_a_sign_in_that_moved_to_another_record_is_that_persons(house):
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce))).person == "Ada"
    house.person("ada")
    house.person("cem", sign_ins=frozenset({(ISSUER, "1234")}))
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce))).person == "Cem"


def test_a_new_key_is_recorded_once(house):
    for _ in range(2):
        found = begun(house)
        finish(house, found, token(claims(house, found.nonce)))
    [seen] = records(house.settings, "provider.key-seen")
    assert seen["body"]["pinned"] is False
    assert seen["body"]["key"] == base64.urlsafe_b64decode(KEYS["e"].thumbprint() + "=").hex()


def test_pinned_keys_alone_count(house):
    house.settings.data.joinpath("idp.json").write_text(
        json.dumps({"keys": [KEYS["o"].as_dict(private=False)]})
    )
    house.keeper.settings = replace(
        house.keeper.settings, oidc=replace(house.keeper.settings.oidc, keys_file="idp.json")
    )
    found = begun(house)
    assert refused(lambda: finish(house, found, token(claims(house, found.nonce)))) is Reason.PROVIDER_KEY, (
        "shown, not pinned"
    )
    found = begun(house)
    assert (
        finish(house, found, token(claims(house, found.nonce), key="o", alg="EdDSA"), keys={"keys": []}).state
        == "enrol"
    )


def signed_in(house):
    found = begun(house)
    step = finish(house, found, token(claims(house, found.nonce, acr="urn:two")))
    return console_proof(step.secret), step


def test_proving_it_again_takes_the_same_person_asked_just_now(house):
    proof, first = signed_in(house)
    house.time.pass_(minutes=15)
    assert not house.app.session_check(proof, used=True).fresh
    now_s = int(house.time.wall_s)
    for changes, reason in (
        ({"acr": "urn:two"}, Reason.ACCESS_STEP_UP),
        ({"acr": "urn:two", "auth_time": now_s - 900}, Reason.ACCESS_STEP_UP),
        ({"acr": "urn:two", "auth_time": True}, Reason.ACCESS_STEP_UP),
        ({"auth_time": now_s}, Reason.ACCESS_STEP_UP),
        ({"acr": "urn:two", "auth_time": now_s, "sub": "5678"}, Reason.PROVIDER_STATE),
    ):
        found = begun(house, proof=proof)
        bad = token(claims(house, found.nonce, **changes))
        assert refused(lambda bad=bad, found=found: finish(house, found, bad, proof=proof)) is reason
    found = begun(house, proof=proof)
    good = token(claims(house, found.nonce, acr="urn:two", auth_time=now_s))
    step = finish(house, found, good, proof=proof)
    assert (step.visit.id, step.visit.fresh) == (first.visit.id, True)
    assert step.secret != first.secret


def test_a_sign_in_and_a_proof_are_not_each_others(house):
    proof, _ = signed_in(house)
    now_s = int(house.time.wall_s)
    found = begun(house)
    good = token(claims(house, found.nonce, acr="urn:two", auth_time=now_s))
    assert refused(lambda: finish(house, found, good, proof=proof)) is Reason.PROVIDER_STATE
    found = begun(house, proof=proof)
    good = token(claims(house, found.nonce, acr="urn:two", auth_time=now_s))
    assert refused(lambda: finish(house, found, good)) is Reason.PROVIDER_STATE


def test_without_a_provider_nothing_begins(site):
    with founded(site) as house:
        assert refused(lambda: house.people.provider_begin(BROWSER)) is Reason.PROVIDER_STATE


def test_reverse_without_the_list_of_algorithms_another_one_passes(house, monkeypatch):
    """The guard off, the check above turns red."""
    monkeypatch.setattr(provider, "ALGORITHMS", (*ALGORITHMS, "ES384"))
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce), key="p384", alg="ES384")).state == "enrol"


def test_reverse_without_the_check_of_claims_a_foreign_audience_passes(house, monkeypatch):
    monkeypatch.setattr(provider, "_check", lambda *_: None)
    found = begun(house)
    assert finish(house, found, token(claims(house, found.nonce, aud="other", exp=1))).state == "enrol"
