"""ADT to FHIR: patients, visits and merges."""

from __future__ import annotations

import json

import pytest
from tests.v2fhir import OUTGOING, mistakes

from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import to_fhir

PID = "PID|1||123^^^HOSP&1.2.3&ISO^MR||Doe^Jane^Q^Jr^^MD^L||19800101|F|||1 Main St^Apt 2^Town^ST^12345^US^H||555^PRN^PH|||M"
PV1 = "PV1|1|I|ICU^7^A^OATH||||D1^House^Greg|||||||||||V1^^^HOSP^VN"


def mapped(event: str, *segments: str) -> dict[str, list[dict]]:
    """Map an ADT; give the resources by type."""
    out = to_fhir(
        decode("\r".join([f"MSH|^~\\&|||||20210709+0200||ADT^{event}|1|P|2.6", *segments, ""]).encode()),
        OUTGOING,
    )
    assert mistakes(out) == []
    found: dict[str, list[dict]] = {}
    for entry in json.loads(out)["entry"]:
        found.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    return found


def test_a_patient_is_who_the_message_says():
    patient = mapped("A08", PID)["Patient"][0]
    assert patient["identifier"][0]["system"] == "urn:oid:1.2.3"
    assert patient["identifier"][0]["assigner"] == {"display": "HOSP"}
    assert patient["name"] == [{"family": "Doe", "given": ["Jane", "Q"], "suffix": ["Jr", "MD"], "use": "official", "_suffix": [None, {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier", "valueCode": "AC"}]}]}]  # fmt: skip
    assert (patient["gender"], patient["birthDate"]) == ("female", "1980-01-01")
    assert patient["address"][0] == {"line": ["1 Main St", "Apt 2"], "city": "Town", "state": "ST", "postalCode": "12345", "country": "US", "use": "home"}  # fmt: skip
    assert patient["telecom"][0] == {"value": "555", "use": "home", "system": "phone"}
    assert [each["code"] for each in patient["maritalStatus"]["coding"]] == ["M", "M"]


@pytest.mark.parametrize(
    ("born", "date"), [("1980", "1980"), ("198002", "1980-02"), ("19800230", "1980-02"), ("x", None)]
)
def test_a_birth_date_is_as_precise_as_it_was_left(born, date):
    assert mapped("A08", f"PID|||1||||{born}")["Patient"][0].get("birthDate") == date


def test_a_time_of_birth_stands_beside_the_date():
    patient = mapped("A08", "PID|||1||||198001011530+0100")["Patient"][0]
    assert patient["birthDate"] == "1980-01-01"
    assert patient["_birthDate"]["extension"][0]["valueString"] == "198001011530+0100"
    assert "birthTime" in str(mapped("A08", "PID|||1||||19800101153000+0100")["Patient"][0]["_birthDate"])


@pytest.mark.parametrize(
    ("event", "visit", "status"),
    [("A01", PV1, "in-progress"), ("A03", PV1, "finished"), ("A05", PV1, "planned"), ("A11", PV1, "cancelled"),
     ("A13", PV1, "in-progress"), ("A08", "PV1||P", "planned"), ("A08", "PV1||Q", "unknown"),
     ("A08", "PV1||I" + "|" * 43 + "20210709", "finished")],
)  # fmt: skip
def test_the_status_of_a_visit_is_by_event_end_and_class(event, visit, status):
    assert mapped(event, PID, visit)["Encounter"][0]["status"] == status


@pytest.mark.parametrize(
    ("class_", "code", "system"),
    [
        ("I", "IMP", "v3-ActCode"),
        ("E", "EMER", "v3-ActCode"),
        ("R", "R", "v2-0004"),
        ("", "UNK", "v3-NullFlavor"),
    ],
)
def test_the_class_of_a_visit_is_by_the_table_or_unknown(class_, code, system):
    found = mapped("A01", PID, f"PV1||{class_}|ICU")["Encounter"][0]["class"]
    assert found["code"] == code
    assert found["system"].endswith(system)


def test_a_place_is_a_chain_and_a_doctor_a_person():
    found = mapped("A01", PID, PV1)
    by_id = {f"Location/{each['id']}": each for each in found["Location"]}
    place = by_id[found["Encounter"][0]["location"][0]["location"]["reference"]]
    levels = []
    while place:
        levels.append((place["physicalType"]["coding"][0]["code"], place["identifier"][0]["value"]))
        place = by_id.get(place.get("partOf", {}).get("reference"))
    assert levels == [("bd", "A"), ("ro", "7"), ("wa", "ICU"), ("si", "OATH")]
    assert found["Practitioner"][0]["name"] == [{"family": "House", "given": ["Greg"]}]
    assert found["Encounter"][0]["participant"][0]["type"][0]["coding"][0]["code"] == "ATND"


def test_a_merge_links_both_ways_and_ends_the_old_number():
    now, before = mapped("A40", PID, "MRG|99^^^HOSP&1.2.3&ISO^MR")["Patient"]
    assert now["link"] == [{"other": {"reference": f"Patient/{before['id']}"}, "type": "replaces"}]
    assert before["link"] == [{"other": {"reference": f"Patient/{now['id']}"}, "type": "replaced-by"}]
    assert before["active"] is False
    assert now["id"] == mapped("A08", PID)["Patient"][0]["id"]
    assert before["id"] == mapped("A08", "PID|||99^^^HOSP&1.2.3&ISO^MR")["Patient"][0]["id"]


def test_an_old_number_is_no_merge_in_another_event():
    assert len(mapped("A08", PID, "MRG|99^^^HOSP^MR")["Patient"]) == 1


def test_a_person_is_known_by_number_and_authority():
    def id_of(cx: str) -> str:
        return mapped("A08", f"PID|||{cx}||Any^Name")["Patient"][0]["id"]

    assert id_of("1^^^A^MR") == id_of("1^^^A^PI")
    assert (
        len({id_of("1^^^A^MR"), id_of("2^^^A^MR"), id_of("1^^^B^MR"), id_of("1^^^&1.2.3&ISO^MR"), id_of("1")})
        == 5
    )
    assert id_of("").startswith(OUTGOING.lower())


def test_a_visit_without_an_authority_is_this_patients():
    ids = {mapped("A01", f"PID|||{n}", "PV1||I" + "|" * 17 + "V1")["Encounter"][0]["id"] for n in (1, 2)}
    assert len(ids) == 2


def test_an_end_before_its_start_stays_as_text():
    period = mapped("A03", PID, "PV1||I" + "|" * 42 + "20210709|20210708")["Encounter"][0]["period"]
    assert period["start"] == "2021-07-09"
    assert period["_end"]["extension"][0]["valueString"] == "20210708"


def test_a_phone_without_a_kind_says_that_it_is_unknown():
    telecom = mapped("A08", "PID|||1|||||||||||||5551234")["Patient"][0]
    assert "telecom" not in telecom
    found = mapped("A08", "PID|||1||||||||||5551234")["Patient"][0]["telecom"][0]
    assert found["value"] == "5551234"
    assert found["_system"]["extension"][0]["valueCode"] == "unknown"


def test_a_relative_is_a_contact_even_without_a_name():
    contact = mapped("A08", PID, "NK1|1||SPO^Spouse^HL70063")["Patient"][0]["contact"][0]
    assert [each["code"] for each in contact["relationship"][0]["coding"]] == ["SPO", "SPS"]
    assert contact["name"]["extension"][0]["valueCode"] == "unknown"


def test_null_is_no_value():
    patient = mapped("A08", 'PID|||1||""^""|""|""|""')["Patient"][0]
    assert patient.keys() == {"resourceType", "id", "identifier"}
