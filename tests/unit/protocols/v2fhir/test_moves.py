"""ADT about two patients, or about what a patient or a visit was before: swaps, links, moves, changed numbers."""

from __future__ import annotations

import json

import pytest
from tests.v2fhir import OUTGOING, Round, mistakes, pair

from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import mappable, tables, to_fhir

from .test_admissions import PID, mapped

MR = "^^^HOSP&1.2.3&ISO^MR"
OTHER = f"PID|||456{MR}||Roe^Richard"
PV1 = "PV1||I|ICU^7^A^OATH||||D1^House^Greg||||||||||||V1^^^HOSP^VN"


def both_ways(event: str, *segments: str) -> dict[str, list[dict]]:
    text = "\r".join([f"MSH|^~\\&|||||20210709+0200||ADT^{event}|1|P|2.6", *segments, ""])
    assert Round().take(decode(text.encode())).wrong == []
    return mapped(event, *segments)


def place(found: dict[str, list[dict]], visit: dict) -> str:
    by_id = {f"Location/{one['id']}": one for one in found["Location"]}
    return by_id[visit["location"][0]["location"]["reference"]]["identifier"][0]["value"]


def test_a_swap_gives_each_patient_the_others_bed():
    found = both_ways("A17", PID, PV1, OTHER, PV1.replace("^7^A", "^8^B").replace("V1^", "V2^"))
    jane, richard = found["Patient"]
    first, second = found["Encounter"]
    assert [one["subject"]["reference"] for one in (first, second)] == [
        f"Patient/{jane['id']}",
        f"Patient/{richard['id']}",
    ]
    assert (place(found, first), place(found, second)) == ("A", "B")
    assert {one["status"] for one in (first, second)} == {"in-progress"}


def test_linked_patients_name_each_other_and_unlinked_ones_do_not():
    one, other = both_ways("A24", PID, OTHER)["Patient"]
    assert one["link"] == [{"other": {"reference": f"Patient/{other['id']}"}, "type": "seealso"}]
    assert other["link"] == [{"other": {"reference": f"Patient/{one['id']}"}, "type": "seealso"}]
    apart = both_ways("A37", PID, OTHER)["Patient"]
    assert [each["id"] for each in apart] == [one["id"], other["id"]], "the PUT takes the link away"
    assert not any("link" in each for each in apart)


def test_one_patient_is_linked_to_nobody():
    assert "link" not in both_ways("A24", PID)["Patient"][0]


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A40", "A47"])
def test_a_changed_number_is_the_same_patient_under_the_new_one(event):
    now, before = both_ways(event, PID, f"MRG|99{MR}")["Patient"]
    assert (before["active"], before["link"][0]["type"]) == (False, "replaced-by")
    assert now["link"] == [{"other": {"reference": f"Patient/{before['id']}"}, "type": "replaces"}]


@pytest.mark.parametrize("event", ["A42", "A45", "A50"])
def test_a_visit_that_moves_under_another_number_is_not_to_be_found_under_the_old_one(event):
    found = both_ways(event, PID, "MRG|456^^^HOSP^MR||||V0^^^HOSP^VN|A0", PV1)
    old, new = found["Encounter"]
    known = mapped("A08", PID, PV1.replace("V1^", "V0^"))["Encounter"][0]
    assert (old["id"], old["status"]) == (known["id"], "entered-in-error")
    assert [(one["value"], one["use"]) for one in old["identifier"]] == [("V0", "old"), ("A0", "old")]
    assert [one["value"] for one in new["identifier"]] == ["V1"]
    assert new["subject"]["reference"] == f"Patient/{found['Patient'][0]['id']}"
    assert len(found["Patient"]) == 1, "whose it was is not this message's to say"


def test_a_visit_that_moves_with_its_number_has_another_patient_and_no_second_resource():
    found = both_ways("A45", PID, f"MRG|456{MR}||||V1^^^HOSP^VN", PV1)
    (visit,) = found["Encounter"]
    assert visit["status"] != "entered-in-error"
    assert [(one["value"], one.get("use")) for one in visit["identifier"]] == [("V1", None), ("V1", "old")]
    assert visit["subject"]["reference"] == f"Patient/{found['Patient'][0]['id']}"


def test_a_number_without_an_authority_is_the_old_patients():
    found = both_ways("A45", PID, f"MRG|456{MR}||||V0", "PV1||I" + "|" * 17 + "V1")
    theirs = mapped("A08", OTHER, "PV1||I" + "|" * 17 + "V0")["Encounter"][0]
    assert found["Encounter"][0]["id"] == theirs["id"]


def test_several_visits_move_at_once_and_one_without_a_visit_behind_it():
    moves = [f"MRG|456{MR}||||V{n}^^^HOSP^VN" for n in (5, 6)]
    found = both_ways("A45", PID, moves[0], PV1, moves[1])
    assert [one["status"] for one in found["Encounter"]] == [
        "entered-in-error",
        "in-progress",
        "entered-in-error",
    ]


def test_what_is_not_mapped_is_listed_with_its_reason_and_nothing_stands_in_both_lists():
    listed = [
        name
        for names, why in tables.rows("unmapped.tsv", 2)
        for name in names.split(" ")
        if why and "^" in name
    ]
    assert len(listed) > 10
    assert [name for name in listed if mappable(*name.split("^"))] == []


def test_what_a_message_is_about_is_written_and_what_it_names_is_created():
    def conditions(event: str, *segments: str) -> dict[str, set[bool]]:
        head = f"MSH|^~\\&|||||20210709+0200||{event}|1|P|2.6"
        bundle = to_fhir(decode("\r".join([head, *segments, ""]).encode()), OUTGOING)
        assert mistakes(bundle) == []
        found: dict[str, set[bool]] = {}
        for entry in json.loads(bundle)["entry"]:
            found.setdefault(entry["resource"]["resourceType"], set()).add("ifNoneMatch" in entry["request"])
        return found

    row = "OBX||NM|8867-4^Heart rate^LN||72||||||F|||||7||DEV1^^00AB^EUI-64"
    account, order = f"{PID}||A1", "OBR|1||||||20210709"
    assert conditions("ORU^R01", account, PV1, order, row) == {
        "Patient": {True}, "Account": {True}, "Encounter": {True}, "Location": {True}, "Practitioner": {False, True},
        "DiagnosticReport": {False}, "Observation": {False}, "Device": {True},
    }  # fmt: skip
    assert conditions("ADT^A01", account, PV1) == {
        "Patient": {False}, "Account": {False}, "Encounter": {False}, "Location": {True}, "Practitioner": {False},
    }  # fmt: skip
    assert conditions("ORU^R01", "PID||||||1980", "OBR|1", row)["Patient"] == {False}, (
        "its id is this message's"
    )


def test_everything_is_written_where_the_link_says_so():
    for message in (pair("A17"), pair("A24")):
        assert b"ifNoneMatch" not in to_fhir(message, OUTGOING, creates=False)
        assert b"ifNoneMatch" in to_fhir(message, OUTGOING)
