"""What a client is told: reason, place, what was expected; never a value."""

import orjson
import pytest
from tests.fhir import observation, raw

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.mistakes import told_of
from oathward.protocols.fhir.outcome import SYSTEM, issue_type, operation_outcome, outcome_of
from oathward.protocols.fhir.reader import decode


@pytest.mark.parametrize("reason", list(Reason))
def test_an_outcome_of_every_reason_is_a_resource(reason):
    found = orjson.loads(operation_outcome(reason, "Observation.status"))
    assert check(found).issues == []
    assert found["issue"][0]["details"]["coding"] == [{"system": SYSTEM, "code": reason.code}]
    assert found["issue"][0]["expression"] == ["Observation.status"]
    assert issue_type(reason) in tables.codes_of("issue-type")


@pytest.mark.parametrize("severity", ["fatal", "error", "warning", "information"])
def test_severity_is_said(severity):
    found = orjson.loads(operation_outcome(Reason.INTERNAL, severity=severity))
    assert check(found).issues == []
    assert found["issue"][0]["severity"] == severity
    assert "expression" not in found["issue"][0]


def test_every_mistake_is_told_and_no_value():
    with pytest.raises(DecodeError) as caught:
        decode(raw(observation(status="Ödegård", code=None, Kim=1)))
    said = outcome_of(told_of(caught.value))
    found = orjson.loads(said)
    assert check(found).issues == []
    assert [one["expression"][0] for one in found["issue"]] == [
        "Observation.status", "Observation.children()[6]", "Observation.code"]  # fmt: skip
    assert [one["code"] for one in found["issue"]] == ["code-invalid", "structure", "required"]
    assert "Ödegård" not in said.decode()
    assert "Kim" not in said.decode()


def test_a_broken_rule_is_named():
    with pytest.raises(DecodeError) as caught:
        decode(raw(observation(component=None, valueString="a", dataAbsentReason={"text": "b"})))
    error = caught.value
    said = orjson.loads(operation_outcome(error.reason, error.where, why=error.why))["issue"][0]
    assert (said["code"], said["expression"]) == ("invariant", ["Observation"])
    assert said["diagnostics"].endswith("(obs-6)")
    assert orjson.loads(outcome_of(told_of(error)))["issue"] == [said]


def test_an_error_without_list_is_one_issue():
    found = orjson.loads(outcome_of(told_of(DecodeError("body", "JSON", reason=Reason.JSON_INVALID))))
    assert [one["diagnostics"] for one in found["issue"]] == ["expected: JSON"]
