"""What the door says of itself, and every answer it gives, is FHIR by our own checker's reading of R4."""

import json
from datetime import UTC, datetime

import pytest

from oathward.core.reasons import Reason
from oathward.gateway.listeners.fhir.answers import answered, refused
from oathward.gateway.listeners.fhir.metadata import capability_statement, smart_configuration
from oathward.gateway.listeners.fhir.request import Ask, Wish
from oathward.gateway.listeners.fhir.work import Told
from oathward.protocols.fhir.check import DefinitionError, check

BASE = "https://gateway.example/fhir"


def judged(body):
    resource = json.loads(body)
    check(resource).refuse()
    return resource


def test_the_capability_statement_is_valid_and_says_no_more_than_is_done():
    said = judged(capability_statement(BASE, datetime(2026, 5, 4, tzinfo=UTC)))
    [rest] = said["rest"]
    assert {one["code"] for kind in rest["resource"] for one in kind["interaction"]} == {"create", "update"}
    assert not any("searchParam" in kind or "operation" in kind for kind in rest["resource"])
    assert {kind["readHistory"] for kind in rest["resource"]} == {False}
    assert "software" not in said
    del said["kind"]
    with pytest.raises(DefinitionError):
        check(said).refuse()


def test_the_configuration_names_the_token_endpoint_and_what_may_sign():
    said = json.loads(smart_configuration("https://gateway.example"))
    assert said["token_endpoint"] == "https://gateway.example/token"
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_is_a_valid_outcome(reason):
    judged(refused(reason, "Bundle.entry[2].resource.status").body)


@pytest.mark.parametrize("kind", ["batch", "transaction"])
@pytest.mark.parametrize("prefer", ["minimal", "OperationOutcome"])
def test_answers_of_bundles_are_valid_bundles(kind, prefer):
    told = [Told("stored", ("POST Observation", "PUT Patient/p"), (0, 1), kind, "m", "v", created=True)]
    if kind == "batch":
        told.append(Told("stored", (), (2,), kind, reason="message.json-invalid", where="Bundle.entry[2]"))
    said = judged(answered(told, Wish(Ask.BUNDLE, "", (), prefer), BASE).body)
    assert said["type"] == f"{kind}-response"
    assert len(said["entry"]) == sum(len(one.indices) for one in told)
