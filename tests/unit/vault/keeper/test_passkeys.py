"""Promises about passkeys: this host and origin, this challenge, a person who was verified, a count that grows, one person."""

import json
import random
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.vault.keeper.authenticator import PRESENT, Authenticator, text
from tests.unit.vault.keeper.people import HERE, PASSWORD, founded
from tests.unit.vault.keeper.test_opening import records, refused

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.vault.keeper.proof import console_proof, pending_proof
from oathward.vault.keeper.sign_in import accounts, entrance, passkeys, visiting


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", mail="ada@hospital.example")
        found.person("ben")
        yield found


def enrol(house, person="ada", key=None):
    """Enrol a passkey by invitation; gives it and the first session."""
    key = key or Authenticator()
    step = house.people.enrol_begin(house.invited(person), HERE)
    pending = pending_proof(step.pending)
    ceremony, options = house.people.enrol_passkey_begin(pending)
    step = house.people.enrol_passkey_finish(ceremony, key.create(options), "laptop", pending)
    return key, step


def shown(house, key, proof=None, /, **how):
    proof = proof or {}
    ceremony, options = house.people.passkey_begin(proof)
    return house.people.passkey_finish(ceremony, key.get(options, **how), HERE, proof)


def last_why(house):
    visiting.flush(house.keeper)
    found = records(house.settings, "sign-in.refused")
    return found[-1]["body"]["why"] if found else ""


def test_a_passkey_alone_enrols_and_signs_in_as_two_factors(house):
    key, step = enrol(house)
    assert (step.state, step.visit.by, step.visit.strong) == ("signed-in", "invitation+passkey", True)
    done = shown(house, key)
    assert (done.visit.person_id, done.visit.by, done.visit.strong) == ("ada", "passkey", True)
    assert done.secret != step.secret


def test_what_the_browser_is_asked(house):
    key = Authenticator()
    step = house.people.enrol_begin(house.invited("ada"), HERE)
    pending = pending_proof(step.pending)
    _, options = house.people.enrol_passkey_begin(pending)
    assert options["rp"]["id"] == "localhost"
    assert options["attestation"] == "none"
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-7, -8, -257]
    ceremony, options = house.people.enrol_passkey_begin(pending)
    house.people.enrol_passkey_finish(ceremony, key.create(options), "", pending)
    _, options = house.people.passkey_begin()
    assert options["userVerification"] == "required"
    assert options.get("allowCredentials", []) == [], "nobody is named before anything is proved"


def registered(house, key, **how):
    step = house.people.enrol_begin(house.invited("ada"), HERE)
    pending = pending_proof(step.pending)
    ceremony, options = house.people.enrol_passkey_begin(pending)
    return house.people.enrol_passkey_finish(ceremony, key.create(options, **how), "", pending)


MADE = {
    "another origin": ({"origin": "https://evil.example"}, {}),
    "our origin with another port": ({"origin": "http://localhost:2580"}, {}),
    "our origin in capitals": ({"origin": "HTTP://LOCALHOST:2579"}, {}),
    "another host": ({"host": "evil.example"}, {}),
    "nobody was verified": ({"flags": PRESENT}, {}),
    "nobody was present": ({"flags": 4}, {}),
    "an algorithm that is not asked for": ({"algorithm": -36}, {}),
    "another challenge": ({}, {"challenge": text(bytes(32))}),
    "an answer to another question": ({}, {"kind": "webauthn.get"}),
    "an attestation": ({}, {"fmt": "packed", "statement": {"alg": -7, "sig": b"x", "x5c": [b"x"]}}),
    "an attestation that is none": ({}, {"fmt": "tpm", "statement": {"ver": "2.0"}}),
    "a statement beside none": ({}, {"fmt": "none", "statement": {"alg": -7}}),
    "an id longer than any": ({"id": b"x" * 1_024}, {}),
}


@pytest.mark.parametrize("name", MADE)
def test_what_is_no_passkey_of_this_site_is_not_enrolled(house, name):
    fields, how = MADE[name]
    assert refused(lambda: registered(house, Authenticator(**fields), **how)) is Reason.PASSKEY_REFUSED
    assert accounts.factors(house.keeper.store, "ada") == []


def test_reverse_the_same_one_unchanged_is_enrolled(house):
    assert registered(house, Authenticator()).state == "signed-in"


FOREIGN = (
    "", "{", "[]", "null", '"x"', "{}", '{"id": 1}', "[" * 8_000, '{"id":"a","rawId":"a","type":"public-key","response":{}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"","signature":""}}',
    '{"id":"YQ","rawId":"Yg","type":"public-key","response":{"clientDataJSON":"W10","authenticatorData":"AA","signature":"AA"}}',
    "\u00e9",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_what_is_no_credential_at_all(house, number):
    _, _ = enrol(house)
    ceremony, _ = house.people.passkey_begin()
    assert (
        refused(lambda: house.people.passkey_finish(ceremony, FOREIGN[number], HERE))
        is Reason.SIGN_IN_REFUSED
    )
    step = house.people.enrol_begin(house.invited("ben"), HERE)
    pending = pending_proof(step.pending)
    ceremony, _ = house.people.enrol_passkey_begin(pending)
    act = refused(lambda: house.people.enrol_passkey_finish(ceremony, FOREIGN[number], "", pending))
    assert act is Reason.PASSKEY_REFUSED


SHOWN = {
    "another origin": ({"origin": "https://evil.example"}, {}, "passkey.origin"),
    "a page of another port": ({"origin": "http://localhost:2580"}, {}, "passkey.origin"),
    "another host": ({"host": "evil.example"}, {}, "passkey.not-accepted"),
    "nobody was verified": ({"flags": PRESENT}, {}, "passkey.not-accepted"),
    "nobody was present": ({"flags": 4}, {}, "passkey.not-accepted"),
    "another challenge": ({}, {"challenge": text(bytes(32))}, "passkey.challenge"),
    "an answer to another question": ({}, {"kind": "webauthn.create"}, "passkey.not-accepted"),
    "another key": ({}, {"key": ec.generate_private_key(ec.SECP256R1())}, "passkey.not-accepted"),
    "another person's handle": ({}, {"handle": b"x" * 32}, "passkey.unknown"),
    "no handle": ({}, {"handle": b""}, "passkey.unknown"),
    "an unknown credential": ({"id": b"y" * 32}, {}, "passkey.unknown"),
    "a count that stands": ({"step": 0}, {}, "passkey.counter"),
    "a count that goes back": ({"step": -1}, {}, "passkey.counter"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_passkey_that_does_not_fit_signs_nobody_in(house, name):
    key, _ = enrol(house)
    shown(house, key)
    fields, how, why = SHOWN[name]
    bad = replace(key, **fields)
    assert refused(lambda: shown(house, bad, **how)) is Reason.SIGN_IN_REFUSED
    assert last_why(house) == why
    assert len(records(house.settings, "session.begun")) == 2


def test_a_key_without_a_counter_signs_in_again_and_again(house):
    key, _ = enrol(house, key=Authenticator(step=0))
    assert shown(house, key).state == shown(house, key).state == "signed-in"


def test_a_challenge_is_for_one_use_and_minutes(house):
    key, _ = enrol(house)
    ceremony, options = house.people.passkey_begin()
    answer = key.get(options)
    assert house.people.passkey_finish(ceremony, answer, HERE).state == "signed-in"
    assert refused(lambda: house.people.passkey_finish(ceremony, answer, HERE)) is Reason.SIGN_IN_REFUSED
    ceremony, options = house.people.passkey_begin()
    assert refused(lambda: house.people.passkey_finish(ceremony, answer, HERE)) is Reason.SIGN_IN_REFUSED, (
        "an old answer"
    )
    ceremony, options = house.people.passkey_begin()
    house.time.pass_(seconds=entrance.CEREMONY_S + 1)
    assert (
        refused(lambda: house.people.passkey_finish(ceremony, key.get(options), HERE))
        is Reason.SIGN_IN_REFUSED
    )


def test_a_challenge_is_for_what_it_was_given_for(house):
    """One for enrolling signs nobody in; one for signing in finishes no other's sign-in and proves nothing again."""
    key, step = enrol(house)
    session = console_proof(step.secret)
    ceremony, options = house.people.enrol_passkey_begin(session)
    assert (
        refused(lambda: house.people.passkey_finish(ceremony, key.get(options), HERE))
        is Reason.SIGN_IN_REFUSED
    )
    ceremony, options = house.people.passkey_begin()
    act = refused(lambda: house.people.passkey_finish(ceremony, key.get(options), HERE, session))
    assert act is Reason.SIGN_IN_REFUSED
    ceremony, options = house.people.passkey_begin()
    other = Authenticator()
    made = other.create({**options, "user": {"id": "YQ"}})
    act = refused(lambda: house.people.enrol_passkey_finish(ceremony, made, "", session))
    assert act is Reason.PASSKEY_REFUSED


def test_as_a_second_factor_only_the_own_passkey_does(house):
    house.enrol("ada")
    ada, _ = enrol_more(house)
    ben, _ = enrol(house, "ben")
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert step.offers == ("passkey", "totp")
    pending = pending_proof(step.pending)
    assert refused(lambda: shown(house, ben, pending)) is Reason.SIGN_IN_REFUSED
    _, options = house.people.passkey_begin(pending)
    assert [one["id"] for one in options["allowCredentials"]] == [text(ada.id)]
    done = shown(house, ada, pending, handle=b"")
    assert (done.visit.person_id, done.visit.by) == ("ada", "password+passkey")


def enrol_more(house):
    """Add a passkey within a session."""
    step = house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE)
    assert step.offers == ("totp",)
    factor = accounts.factors(house.keeper.store, "ada", "totp")[0]
    import pyotp

    from oathward.vault.keeper.sign_in.totp import base32

    code = pyotp.TOTP(base32(factor.secret)).generate_otp(int(house.time.wall_s // 30))
    proof = console_proof(house.people.sign_in_second(step.pending, code, HERE).secret)
    house.time.pass_(minutes=1)
    key = Authenticator()
    ceremony, options = house.people.enrol_passkey_begin(proof)
    step = house.people.enrol_passkey_finish(ceremony, key.create(options), "blue key", proof)
    assert step.state == "done"
    return key, proof


def test_proving_it_again_renews_the_secret_of_the_own_session(house):
    key, first = enrol(house)
    proof = console_proof(first.secret)
    house.time.pass_(minutes=15)
    assert not house.app.session_check(proof, used=True).fresh
    ben, _ = enrol(house, "ben")
    assert refused(lambda: shown(house, ben, proof)) is Reason.SIGN_IN_REFUSED
    done = shown(house, key, proof)
    assert (done.visit.id, done.visit.fresh) == (first.visit.id, True)
    assert house.app.session_check(console_proof(done.secret), used=True).fresh
    house.time.pass_(minutes=1)
    assert refused(lambda: house.app.session_check(proof, used=True)) is Reason.SESSION_REUSED


def test_a_passkey_never_waits_for_wrong_passwords(house):
    house.enrol("ada")
    key, _ = enrol_more(house)
    for _ in range(house.settings.people.wrong_per_hour_max + 3):
        refused(lambda: house.people.sign_in_password("ada@hospital.example", "x" * 20, HERE))
    assert refused(lambda: house.people.sign_in_password("ada@hospital.example", PASSWORD, HERE))
    assert shown(house, key).state == "signed-in"


def test_one_passkey_is_one_persons(house):
    key, _ = enrol(house)
    assert refused(lambda: enrol(house, "ben", replace(key))) is Reason.CONFLICT


def test_who_left_signs_in_no_more(house):
    key, _ = enrol(house)
    house.leave("ada")
    assert refused(lambda: shown(house, key)) is Reason.SIGN_IN_REFUSED
    assert last_why(house) == "person.left"


@pytest.mark.parametrize(
    ("console", "host", "good", "bad"),
    [
        ({"url": "https://oathward.hospital.example"}, "oathward.hospital.example", "https://oathward.hospital.example", "http://oathward.hospital.example"),
        ({"url": "https://Oathward.hospital.example:8443"}, "oathward.hospital.example", "https://oathward.hospital.example:8443", "https://oathward.hospital.example"),
        ({"port": 0}, "localhost", "http://localhost:40000", "http://localhost.evil.example:1"),
        ({"port": 2579}, "localhost", "http://localhost:2579", "http://127.0.0.1:2579"),
    ],
)  # fmt: skip
def test_where_passkeys_are_good(site, console, host, good, bad):
    place = passkeys.place_of(replace(site, console=replace(site.console, **console)))
    assert place.host == host
    assert place.is_ours(good)
    assert not place.is_ours(bad)


@pytest.mark.parametrize("url", ["https://192.0.2.9", "https://[2001:db8::1]:8443"])
def test_an_address_without_a_name_has_no_passkeys(site, url):
    with founded(replace(site, console=replace(site.console, url=url))) as house:
        house.person("ada")
        step = house.people.enrol_begin(house.invited("ada"), HERE)
        assert step.offers == ("password",)
        assert refused(house.people.passkey_begin) is Reason.FACTOR_MISSING
        assert (
            refused(lambda: house.people.enrol_passkey_begin(pending_proof(step.pending)))
            is Reason.FACTOR_MISSING
        )


def test_bytes_that_were_changed_by_chance_only_ever_refuse(house):
    """Foreign bytes may be anything: each is refused with a reason, none is an error of ours."""
    seed = 20_260_101
    chance, reasons = random.Random(seed), {}
    key, _ = enrol(house)
    for turn in range(400):
        ceremony, options = house.people.passkey_begin()
        body = bytearray(key.get(options).encode())
        for _ in range(chance.randint(1, 6)):
            body[chance.randrange(len(body))] = chance.randrange(32, 127)
        sent = body.decode()
        if json.loads(key.get(options)) == _parsed(sent):
            continue
        try:
            house.people.passkey_finish(ceremony, sent, "")
        except OathwardError as error:
            reasons[error.reason] = (seed, turn)
        house.keeper.entrance._wrong.clear()
    assert reasons.keys() == {Reason.SIGN_IN_REFUSED}, reasons


def _parsed(text_):
    try:
        return json.loads(text_)
    except ValueError:
        return None


def test_reverse_without_verification_a_key_alone_would_do(house, monkeypatch):
    """The guard off: a passkey nobody unlocked signs in, and the table above turns red."""
    import webauthn

    key, _ = enrol(house)
    real = webauthn.verify_authentication_response
    monkeypatch.setattr(
        webauthn,
        "verify_authentication_response",
        lambda **given: real(**(given | {"require_user_verification": False})),
    )
    assert shown(house, replace(key, flags=PRESENT)).state == "signed-in"
