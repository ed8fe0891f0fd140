"""What the guard makes of UUIDs: random ones look alike, those that may say something are looked at."""

import uuid

import pytest
from tests.unit.gateway.guarding import FHIR_ORIGINAL, fhir

from oathward.core.words import WordHasher, token_of
from oathward.gateway.guard import Guard
from oathward.gateway.guard.normalise import NO_UUID, outline
from oathward.gateway.guard.verdict import CLEAN, Stop

LINE = b'"identifier":[{"value":"%b"}]'
RANDOM = b"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"


@pytest.mark.parametrize("one", [RANDOM, RANDOM.upper(), b"00000000-0000-0000-0000-000000000001", b"abcd1234-1abc-1abc-1abc-9abcd1abcd99"])  # fmt: skip
def test_the_letters_of_a_random_uuid_are_no_news(one):
    assert outline(LINE % one) == LINE % NO_UUID


@pytest.mark.parametrize(
    "one",
    [
        b"0c3151bd-1cbf-4d64-b04d-cd9decade6e0",  # a word of six letters and more
        b"0c3151bd-1cbf-4d64-b04d-" + b"Dieter".hex().encode(),  # text in hexadecimal
        b"0c3151bd-1cbf-4d64-b04d-c" + b"Inges".hex().encode() + b"0",  # and where it begins half-way
        *[
            b"0c3151bd-1cbf-4d64-b04d-" + f"Li{between}Bo".encode().hex().encode() + b"9f"
            for between in " ,^_/@:&-.'|"
        ],
    ],
)
def test_what_may_say_something_stays(one):
    assert outline(LINE % one) != LINE % NO_UUID


@pytest.mark.parametrize("one", [b"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e", b"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0a", b"x0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", b"0c3151bd 1cbf-4d64-b04d-cd9187a4c6e0"])  # fmt: skip
def test_what_is_nearly_a_uuid_is_none(one):
    assert NO_UUID not in outline(LINE % one)


def test_a_guard_that_has_seen_many_uuids_finds_the_patients_own():
    guard, original = Guard(WordHasher(b"k" * 32)), FHIR_ORIGINAL
    safe = '{"resourceType":"Observation","status":"final","identifier":[{"value":"%s"}]}'
    for number in range(64):
        data = (safe % uuid.uuid5(uuid.NAMESPACE_OID, str(number))).encode()
        assert guard.check(fhir(original), data, carries_identity=False) is CLEAN
    own = (safe % "6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11").encode()
    assert isinstance(guard.check(fhir(original), own, carries_identity=False), Stop)


@pytest.mark.parametrize(
    "number", ["PAT-%s", "p_%s", "ORG-7-%s", "k.%s", "%s-X", "%s_zz9", "%s.v2", "PAT-%s-1", "7-%s", "%s-1"]
)
@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize("written", ["%s", "x %s y", "Patient/%s"])
def test_another_patients_number_made_of_a_uuid_is_found(number, written, identity):
    hasher = WordHasher(b"k" * 32)
    theirs = number % "6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e11"
    others = {hasher.token(token_of(theirs))}
    nobodys = number % "6f1c2b44-9a77-4c1e-8d2e-3b5f0c9a7e12"
    guard = Guard(hasher)
    for value, kind in ((nobodys, type(CLEAN)), (theirs, Stop), (theirs.upper(), Stop)):
        data = LINE % (written % value).encode()
        data = b'{"resourceType":"Observation",%b}' % data
        found = guard.check(
            fhir(FHIR_ORIGINAL), data, carries_identity=identity, foreign=lambda asked: set(asked) & others
        )
        assert isinstance(found, kind)
