"""Whoever writes a request must not choose how long we look at it, nor what we write down."""

from contextlib import suppress

import orjson
import pytest
from tests.cpu import cpu_s
from tests.fhir import bundle, entry, identifier, observation, patient, raw, urn

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.bundle import pieces
from oathward.protocols.fhir.json import loads
from oathward.protocols.fhir.persons import mixed, persons, split
from oathward.protocols.fhir.reader import decode

LOADED = 5
"""How much slower a busy machine may be than the bounds say."""

SECONDS_PER_MB_MAX = 0.25 * LOADED


def tried(data):
    with suppress(DecodeError):
        message = decode(data)
        persons(message)
        mixed(message)


MB = 1_000_000

HOSTILE = {
    "open arrays": b'{"a":' + b"[" * MB,
    "open objects": b'{"a":' * (MB // 5),
    "many empty arrays": b'{"a":[' + b"[]," * (MB // 3) + b"[]]}",
    "many empty objects": b'{"resourceType":"Observation","component":[' + b"{}," * (MB // 3) + b"{}]}",
    "many keys": b"{" + b",".join(b'"k%d":1' % i for i in range(MB // 10)) + b"}",
    "many numbers": b'{"a":[' + b"1.0," * (MB // 4) + b"1.0]}",
    "many odd numbers": b'{"a":[' + b"1.00," * (MB // 5) + b"1.00]}",
    "one long number": b'{"a":' + b"1" * MB + b"}",
    "one long fraction": b'{"a":0.' + b"1" * MB + b"}",
    "one long exponent": b'{"a":1e' + b"1" * MB + b"}",
    "backslashes": b'{"a":"' + rb"\\" * (MB // 2) + b'"}',
    "backslashes at the end": b'{"a":"' + b"\\" * (MB + 1) + b'"}',
    "open text": b'{"a":"' + b"a" * MB,
    "open text of escaped quotes": b'{"a":"' + rb"\"" * (MB // 2),
    "open text of quotes and escapes": b'{"a":' + rb'"\\' * (MB // 3),
    "broken escapes": b'{"a":"' + rb"\u000" * (MB // 5) + b'"}',
    "blanks": b" " * MB,
    "blanks and XML": b" " * MB + b"<a/>",
    "quotes": b'"' * MB,
    "keys twice": b"[" + b'{"a":1,"a":1},' * (MB // 14) + b"{}]",
    "unknown names": orjson.dumps({"resourceType": "Observation", "code": [{f"k{i}": 1} for i in range(MB // 20)]}),
    "unknown names together": orjson.dumps({"resourceType": "Observation"} | {f"k{i}": 1 for i in range(MB // 10)}),
    "contained": orjson.dumps(
        {"resourceType": "Patient", "contained": [{"resourceType": "Basic", "id": f"a{i}"} for i in range(MB // 50)]}
    ),
    "contained with one id": orjson.dumps(
        {"resourceType": "Patient", "contained": [{"resourceType": "Basic", "id": "a", "code": {"text": "a"}}] * (MB // 70)}
    ),
    "contained, referred to": orjson.dumps(
        {
            "resourceType": "Patient",
            "contained": [
                {"resourceType": "Organization", "id": f"a{i}", "name": "a", "partOf": {"reference": f"#a{i + 1}"}}
                for i in range(MB // 100)
            ],
        }
    ),
    "coded text": orjson.dumps({"resourceType": "Patient", "language": "a " * (MB // 2)}),
    "a code of blanks": orjson.dumps({"resourceType": "Patient", "language": "a" + " " * MB + "\n"}),
    "a date": orjson.dumps({"resourceType": "Patient", "birthDate": "1980-01-" + "1" * MB}),
    "a time": orjson.dumps({"resourceType": "Observation", "issued": "2026-01-01T00:00:00." + "0" * MB}),
    "an oid": orjson.dumps({"resourceType": "Patient", "extension": [{"url": "a", "valueOid": "urn:oid:1" + ".1" * (MB // 2)}]}),
    "base64 in lines": orjson.dumps({"resourceType": "Binary", "contentType": "a", "data": "YQ==\n" * (MB // 5)}),
    "a reference": orjson.dumps(observation(subject={"reference": "https://" + "a/" * (MB // 2)})),
    "a condition": orjson.dumps(observation(subject={"reference": "Patient?" + "identifier=" * (MB // 11)})),
    "conditions": orjson.dumps(observation(subject={"reference": "Patient?" + "&identifier=" * (MB // 12)})),
    "conditions of many": orjson.dumps(observation(subject={"reference": "Patient?" + "&identifier=a|" * (MB // 14)})),
    "many references": orjson.dumps(observation(performer=[{"reference": f"Patient/{i}"} for i in range(MB // 30)])),
    "many identifiers": orjson.dumps(
        observation(performer=[{"type": "Patient", "identifier": identifier(f"{i}")} for i in range(MB // 200)])
    ),
    "a narrative": orjson.dumps(
        {"resourceType": "Patient", "text": {"status": "empty", "div": "<div>" + "<p>" * (MB // 3)}}
    ),
    "attributes": orjson.dumps(
        {"resourceType": "Patient", "text": {"status": "empty", "div": "<div " + " ".join(f'a{i}="1"' for i in range(MB // 10)) + "/>"}}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_body_takes_long(name):
    for head in (b"POST Observation\n\n", b"POST \n\n"):
        took = cpu_s(lambda head=head: tried(head + HOSTILE[name]))
        assert took < SECONDS_PER_MB_MAX * max(1, len(HOSTILE[name]) / MB)


def chain(n):
    """Give devices of nobody that refer to each other, and patients who all refer to the first."""
    devices = [
        entry({"resourceType": "Device", "id": f"d{i}", "parent": {"reference": f"Device/d{i + 1}"}}, "PUT")
        for i in range(n)
    ]
    people = [
        entry(observation(subject={"reference": f"Patient/{i}"}, device={"reference": "Device/d0"}))
        for i in range(100)
    ]
    return bundle(*people, *devices)


def everyone(n):
    """Give a list of nobody that refers to everything there is."""
    targets = [{"item": {"reference": urn(i)}} for i in range(n)]
    whole = {"resourceType": "List", "status": "current", "mode": "working", "entry": targets}
    return bundle(entry(whole), *(entry(patient(f"{i}", f"{i}"), full_url=urn(i)) for i in range(n)))


@pytest.mark.parametrize("resource", [chain(2_000), everyone(150)], ids=["chain", "everyone"])
def test_no_web_of_references_takes_long(resource):
    message = decode(raw(resource))
    assert cpu_s(lambda: (persons(message), mixed(message))) < SECONDS_PER_MB_MAX
    assert cpu_s(lambda: cut(message)) < SECONDS_PER_MB_MAX
    assert cpu_s(lambda: pieces(raw(resource | {"type": "batch"}))) < SECONDS_PER_MB_MAX * 2


def cut(message):
    with suppress(DecodeError):
        split(message)


def test_a_bundle_within_a_bundle_within_a_bundle():
    resource = bundle(entry(observation()))
    for _ in range(60):
        resource = bundle({"resource": resource, "request": {"method": "POST", "url": "Bundle"}})
    with pytest.raises(DecodeError) as caught:
        decode(raw(resource))
    assert caught.value.reason in (Reason.LIMIT_EXCEEDED, Reason.INTERACTION_UNSUPPORTED)


@pytest.mark.parametrize("secret", ["Ödegård", "4711-PATIENT", "Kim\u2028Noor"])
def test_errors_hold_no_value_wherever_it_stands(secret):
    planted = [
        orjson.dumps(observation(status=secret)),
        orjson.dumps(observation(**{secret: 1})),
        orjson.dumps(observation(subject={"reference": secret})),
        orjson.dumps(observation(subject={"reference": f"Practitioner/{secret}"})),
        orjson.dumps(observation(resourceType=secret)),
        orjson.dumps(patient(birthDate=secret)),
        orjson.dumps(patient(extension=[{"url": secret, secret: secret}])),
        orjson.dumps(patient(contained=[{"resourceType": "Basic", "id": secret}])),
        orjson.dumps(bundle(entry(observation(), "PUT", f"Observation/{secret}"))),
        orjson.dumps(bundle(entry(observation(), full_url=secret))),
        orjson.dumps({secret: {secret: secret}}),
        f'{{"{secret}":1,"{secret}":2}}'.encode(),
        f'{{"a":"{secret}'.encode(),
        f'{{"a":{secret}}}'.encode(),
        secret.encode(),
    ]
    for head in ("POST Observation", "POST Patient", "POST ", f"PUT Patient/{secret}", f"{secret} Patient"):
        for body in planted:
            try:
                decode(head.encode() + b"\n\n" + body)
            except DecodeError as error:
                told = [error.where, error.why, str(error), repr(error), str(getattr(error, "issues", ""))]
                assert secret not in " ".join(told)
                assert ascii(secret).strip("'") not in " ".join(told)


def test_reading_a_long_body_keeps_nothing_of_it():
    big = b'{"a":"' + b"x" * MB + b'"}'
    assert loads(big)
    with pytest.raises(DecodeError):
        decode(b"POST Patient\n\n" + big)
