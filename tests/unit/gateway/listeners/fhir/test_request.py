"""What is asked for, by line and headers: what is done, and what each other thing is answered."""

import pytest

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.gateway.listeners.fhir.request import Ask, wish_of
from oathward.gateway.listeners.http.reading import Request

JSON = {"content-type": "application/fhir+json"}
DONE = {
    "POST /fhir/Observation": Ask.CREATE,
    "POST /fhir/Observation?_format=json": Ask.CREATE,
    "POST /fhir/Observation?_format=application/fhir%2Bjson&_pretty=true": Ask.CREATE,
    "PUT /fhir/Observation/a-1.b": Ask.UPDATE,
    "POST /fhir": Ask.BUNDLE,
    "POST /fhir/": Ask.BUNDLE,
    "GET /fhir/metadata": Ask.METADATA,
    "HEAD /fhir/metadata": Ask.METADATA,
    "GET /fhir/metadata?mode=full": Ask.METADATA,
    "GET /.well-known/smart-configuration": Ask.CONFIGURATION,
    "GET /fhir/.well-known/smart-configuration": Ask.CONFIGURATION,
}
NOT_DONE = {
    "GET /fhir": 501,
    "GET /fhir/Observation": 501,
    "GET /fhir/Observation/1": 501,
    "HEAD /fhir/Observation/1": 501,
    "GET /fhir/Observation/1/_history/2": 501,
    "GET /fhir/Observation?code=8867-4": 501,
    "GET /fhir/_history": 501,
    "POST /fhir/Observation/_search": 501,
    "POST /fhir/_search": 501,
    "POST /fhir/$process-message": 501,
    "POST /fhir/Patient/$match": 501,
    "GET /fhir/Patient/1/$everything": 501,
    "DELETE /fhir/Observation/1": 501,
    "PATCH /fhir/Observation/1": 501,
    "PUT /fhir/Observation": 501,
    "PUT /fhir/Observation?identifier=a|b": 501,
    "POST /fhir/Observation?_format=xml": 501,
    "POST /fhir/Observation/1": 501,
    "POST /fhir/metadata": 501,
    "PUT /fhir": 501,
    "DELETE /fhir/metadata": 501,
    "OPTIONS /fhir/Observation": 501,
    "TRACE /fhir/Observation": 501,
    "POST /fhir/Bundle": 501,
    "PUT /fhir/Parameters/1": 501,
    "PUT /fhir/Observation/a/_history/1": 501,
    "PUT /fhir/Observation/a%20b": 400,
    f"PUT /fhir/Observation/{'a' * 65}": 400,
    "POST /fhir/Nothing": 404,
    "POST /fhir/observation": 404,
    "POST /fhir/Observation%2F": 404,
    "POST /fhirx": 404,
    "POST /": 404,
    "GET /": 404,
    "GET /metadata": 404,
    "POST /fhir/../token": 404,
    "POST //fhir/Observation": 404,
    "GET /token": 404,
    "POST /fhir/token": 404,
    "GET /healthz": 404,
}


@pytest.mark.parametrize("line", DONE)
def test_what_is_done(line):
    method, target = line.split(" ", 1)
    assert wish_of(Request(method, target, JSON, last=False)).ask is DONE[line]


@pytest.mark.parametrize("line", NOT_DONE)
def test_what_is_not_done(line):
    method, target = line.split(" ", 1)
    with pytest.raises(OathwardError) as caught:
        wish_of(Request(method, target, JSON, last=False))
    assert caught.value.reason.answer.http == NOT_DONE[line]


TYPES = {
    "application/fhir+json": None,
    "application/json": None,
    "Application/FHIR+JSON; Charset=UTF-8": None,
    'application/fhir+json; charset="utf-8"; fhirVersion=4.0': None,
    "application/fhir+json; fhirVersion=5.0": Reason.HTTP_MEDIA_TYPE,
    "application/fhir+json; charset=iso-8859-1": Reason.HTTP_MEDIA_TYPE,
    "application/fhir+json; charset=utf-16": Reason.HTTP_MEDIA_TYPE,
    "application/fhir+xml": Reason.HTTP_MEDIA_TYPE,
    "application/json-patch+json": Reason.HTTP_MEDIA_TYPE,
    "text/plain": Reason.HTTP_MEDIA_TYPE,
    "multipart/form-data; boundary=x": Reason.HTTP_MEDIA_TYPE,
    "application/x-www-form-urlencoded": Reason.HTTP_MEDIA_TYPE,
    "": Reason.HTTP_MEDIA_TYPE,
}
ACCEPTS = {
    "*/*": None,
    "application/fhir+json": None,
    "application/fhir+json; fhirVersion=4.0": None,
    "text/html, application/json;q=0.5": None,
    "application/*": None,
    "application/fhir+xml": Reason.HTTP_NOT_ACCEPTABLE,
    "application/fhir+json;q=0": Reason.HTTP_NOT_ACCEPTABLE,
    "application/fhir+json;q=0.000": Reason.HTTP_NOT_ACCEPTABLE,
    "application/fhir+json; fhirVersion=5.0": Reason.HTTP_NOT_ACCEPTABLE,
    "text/html": Reason.HTTP_NOT_ACCEPTABLE,
    "": Reason.HTTP_NOT_ACCEPTABLE,
}
CONDITIONS = {
    ("POST", "if-none-exist", "identifier=urn:oid:1.2|abc"): None,
    ("POST", "if-none-exist", "?identifier=http%3A%2F%2Fx%7Cabc"): None,
    ("POST", "if-none-exist", "identifier=a|b&status=final"): Reason.CONDITION_UNSUPPORTED,
    ("POST", "if-none-exist", "name=doe"): Reason.CONDITION_UNSUPPORTED,
    ("POST", "if-none-exist", ""): Reason.CONDITION_UNSUPPORTED,
    ("POST", "if-match", 'W/"1"'): Reason.CONDITION_UNSUPPORTED,
    ("POST", "if-none-match", "*"): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-match", 'W/"abc"'): None,
    ("PUT", "if-match", '"abc"'): None,
    ("PUT", "if-match", "*"): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-match", "abc"): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-match", '"a", "b"'): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-none-match", "*"): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-none-exist", "identifier=a|b"): Reason.CONDITION_UNSUPPORTED,
    ("PUT", "if-unmodified-since", "yesterday"): Reason.CONDITION_UNSUPPORTED,
}


def reason_of(method="POST", **headers):
    target = "/fhir/Observation" + ("/1" if method == "PUT" else "")
    try:
        wish_of(Request(method, target, JSON | headers, last=False))
    except OathwardError as error:
        return error.reason
    return None


@pytest.mark.parametrize("text", TYPES)
def test_content_types(text):
    assert reason_of(**{"content-type": text}) is TYPES[text]


@pytest.mark.parametrize("text", ACCEPTS)
def test_what_may_be_asked_for_in_return(text):
    assert reason_of(accept=text) is ACCEPTS[text]


@pytest.mark.parametrize(("method", "name", "value"), CONDITIONS)
def test_conditions(method, name, value):
    assert reason_of(method, **{name: value}) is CONDITIONS[method, name, value]


@pytest.mark.parametrize(
    ("prefer", "wanted"),
    [
        ("", ("minimal", "")),
        ("return=minimal", ("minimal", "return=minimal")),
        ("return=representation", ("minimal", "return=minimal")),
        ("respond-async, return=OperationOutcome", ("OperationOutcome", "return=OperationOutcome")),
        ('return="OperationOutcome"', ("OperationOutcome", "return=OperationOutcome")),
        ("handling=strict", ("minimal", "")),
    ],
)
def test_preferences(prefer, wanted):
    wish = wish_of(Request("POST", "/fhir/Observation", JSON | {"prefer": prefer}, last=False))
    assert (wish.prefer, wish.applied) == wanted
