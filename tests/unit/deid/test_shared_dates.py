"""What many patients share, or anybody can look up, does not move by one patient's days: under research it goes."""

import json

from tests import fhir_shaped
from tests.shaped import lines, shaped

from oathward.deid.actions.shift import ACTION
from oathward.protocols.shaping import REMOVE

CODE = {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "207"}]}


def left(resource):
    return fhir_shaped.resources(fhir_shaped.shaped(fhir_shaped.put(resource), "research").data)[0]


def test_when_a_system_wrote_or_sent_goes_even_where_a_profile_would_move_it():
    safe = shaped("EVN|A08|20240301", "PID|1||4711^^^H^MR", profile="research")
    assert lines(safe, "MSH")[0].split("|")[6] == ""
    assert lines(safe, "EVN")[0].split("|")[2] != ""
    assert ACTION.rule("message.time", "", {}) is REMOVE


def test_the_same_of_fhir():
    made = left(
        {
            "resourceType": "Task",
            "id": "a",
            "meta": {"lastUpdated": "2024-03-01T23:41:07.318Z"},
            "status": "completed",
            "intent": "order",
            "code": {"coding": CODE["coding"]},
            "authoredOn": "2024-03-01",
            "lastModified": "2024-03-01T23:41:07.318Z",
        }
    )
    assert "41:07" not in json.dumps(made)
    assert made["authoredOn"] != "2024-03-01"


def test_a_lot_leaves_as_a_keyed_name_and_its_expiry_not_at_all():
    made = left(
        {
            "resourceType": "Immunization",
            "id": "i",
            "status": "completed",
            "vaccineCode": CODE,
            "patient": {"reference": "Patient/p"},
            "occurrenceDateTime": "2024-03-01",
            "lotNumber": "FL8091",
            "expirationDate": "2025-07-31",
        }
    )
    assert "expirationDate" not in made
    assert made["occurrenceDateTime"] != "2024-03-01"
    safe = shaped(
        "PID|1||4711^^^H^MR",
        "RXA|0|1|20240301||207^^CVX|0.3|mL||||||||FL8091|20250731|PFR^Pfizer^MVX",
        profile="research",
    )
    fields = lines(safe, "RXA")[0].split("|")
    assert fields[15] == made["lotNumber"]
    assert fields[16] == ""
    assert "FL8091" not in json.dumps(made) + safe.data.decode()


def test_dates_that_are_printed_go():
    made = left(
        {
            "resourceType": "Questionnaire",
            "id": "q",
            "status": "active",
            "date": "2021-05-04",
            "approvalDate": "2021-05-03",
            "code": CODE["coding"],
        }
    )
    assert "date" not in made
    assert "approvalDate" not in made
