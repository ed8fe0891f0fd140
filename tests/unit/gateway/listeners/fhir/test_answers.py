"""What a sender is told, from what became of its messages alone; and it crosses to another process unchanged."""

import json

import pytest

from oathward.core.reasons import Reason
from oathward.gateway.listeners.fhir.answers import answered, no_token, refused
from oathward.gateway.listeners.fhir.request import Ask, Wish
from oathward.gateway.listeners.fhir.work import Told, packed, unpacked

BASE = "https://gateway.example/fhir"
WISH = Wish(Ask.CREATE, "Observation")
POST, PUT = ("POST Observation",), ("PUT Observation/o-1",)
SINGLE = {
    "created": (Told("stored", POST, id="m1", version="v1", created=True), 201),
    "taken before": (Told("duplicate", POST, id="m1", version="v1"), 200),
    "waits for a person": (Told("stored", POST, id="m1", created=True, waits=True), 202),
    "first version": (Told("stored", PUT, id="m1", version="v1", created=True), 201),
    "next version": (Told("stored", PUT, id="m1", version="v2"), 200),
    "another version": (Told("mismatch", reason="message.version-mismatch", where="If-Match"), 412),
    "bad": (Told("stored", reason="message.element-missing", where="Observation.code"), 422),
    "undecodable": (Told("stored", reason="message.undecodable", where="body"), 400),
    "not stored": (Told("failed", reason="storage.failed"), 503),
    "disk full": (Told("failed", reason="storage.full"), 503),
    "no room for strangers": (Told("failed", reason="connection.rate-limit"), 503),
    "no key to seal with": (Told("failed", reason="key.unavailable"), 503),
}


@pytest.mark.parametrize("name", SINGLE)
def test_one_message(name):
    told, status = SINGLE[name]
    answer = answered([told], WISH, BASE)
    assert answer.status == status
    headers = dict(answer.headers)
    if told.reason:
        outcome = json.loads(answer.body)["issue"][0]
        assert outcome["details"]["coding"][0]["code"] == told.reason
        assert outcome.get("expression", [""]) == [told.where]
        assert answer.last is (status == 503), "the connection ends where nothing was promised"
        assert ("Retry-After" in headers) is (status == 503)
    elif told.requests == POST:
        assert headers["Location"] == f"{BASE}/Observation/m1/_history/1"
        assert headers["ETag"] == 'W/"1"'
    else:
        assert headers["Location"] == f"{BASE}/Observation/o-1/_history/{told.version}"
        assert headers["ETag"] == f'W/"{told.version}"'


def test_a_batch_is_answered_in_the_order_of_what_came_whatever_its_messages_are():
    parts = [
        Told("stored", ("POST Observation", "PUT Patient/p"), (3, 1), "batch", "m1", "v", created=True),
        Told("failed", (), (4,), "batch", reason="storage.failed"),
        Told("stored", (), (0,), "batch", reason="message.json-invalid", where="Bundle.entry[0]"),
        Told("duplicate", ("POST Observation",), (2,), "batch", "m2", "v"),
    ]
    answer = answered(parts, WISH, BASE)
    said = [entry["response"] for entry in json.loads(answer.body)["entry"]]
    assert [one["status"][:3] for one in said] == ["400", "201", "200", "201", "503"]
    assert said[3]["location"] == f"{BASE}/Observation/m1-0/_history/1"
    assert (said[1]["location"], "etag" in said[1]) == (f"{BASE}/Patient/p", False)
    assert not answer.last, "the others were stored"


def test_a_preference_is_said_to_be_applied_and_a_representation_never_given():
    told = Told("stored", POST, id="m1", created=True)
    asked = answered(
        [told], Wish(Ask.CREATE, "Observation", (), "OperationOutcome", "return=OperationOutcome"), BASE
    )
    assert json.loads(asked.body)["issue"][0]["severity"] == "information"
    assert dict(asked.headers)["Preference-Applied"] == "return=OperationOutcome"
    minimal = answered([told], Wish(Ask.CREATE, "Observation", (), "minimal", "return=minimal"), BASE)
    assert (minimal.body, dict(minimal.headers)["Preference-Applied"]) == (b"", "return=minimal")


def test_told_crosses_to_another_process_unchanged():
    told = [case[0] for case in SINGLE.values()]
    told.append(Told("stored", POST * 3, (5, 6, 9), "transaction", "m", "v", created=True))
    assert unpacked(packed(told)) == told


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_an_error_where_it_refuses(reason):
    answer = refused(reason, "request")
    assert 400 <= answer.status < 600
    assert json.loads(answer.body)["resourceType"] == "OperationOutcome"
    assert (answer.status == 401) is ("WWW-Authenticate" in dict(answer.headers))


@pytest.mark.parametrize(
    ("reason", "status", "word"),
    [
        (Reason.TOKEN_REQUEST, 400, "invalid_request"),
        (Reason.TOKEN_SCOPE, 400, "invalid_scope"),
        (Reason.ASSERTION_REPLAYED, 401, "invalid_client"),
        (Reason.ASSERTION_INVALID, 401, "invalid_client"),
        (Reason.STORAGE_FAILED, 503, "server_error"),
    ],
)
def test_a_refused_token_is_told_in_the_words_of_oauth(reason, status, word):
    answer = no_token(reason)
    assert (answer.status, json.loads(answer.body)["error"]) == (status, word)
