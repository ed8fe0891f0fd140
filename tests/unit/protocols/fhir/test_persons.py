"""Whom a message is about: every way to name a patient, several patients, and what cannot be cut."""

import orjson
import pytest
from tests.fhir import bundle, changed, component, entry, identifier, observation, patient, raw, urn

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import names, persons
from oathward.protocols.fhir.limits import Limits
from oathward.protocols.fhir.message import Message, Request
from oathward.protocols.fhir.reader import decode, decode_read


def people(resource, **how):
    return persons.persons(decode(raw(resource, **how)))


def mixed(resource):
    return persons.mixed(decode(raw(resource)))


def bodies(resource):
    """Give the bundles that a message is cut into; each can be read by itself."""
    parts = persons.split(decode(raw(resource)))
    for part in parts:
        decode(part)
    return [orjson.loads(part.partition(b"\n\n")[2]) for part in parts]


def ids(body):
    return [one["resource"].get("id", one["resource"]["resourceType"]) for one in body["entry"]]


MRN = ("urn:oid:1.2.3", "4711", "MR")

NAMED = {
    "logical id": ({"reference": "Patient/123"}, "Patient/123", (), "123"),
    "version": ({"reference": "Patient/123/_history/2"}, "Patient/123/_history/2", (), "123"),
    "urn that leads nowhere": ({"reference": urn(1)}, urn(1), (), ""),
    "identifier": ({"identifier": identifier("4711")}, "", (MRN,), ""),
    "identifier and type": ({"type": "Patient", "identifier": identifier("4711")}, "", (MRN,), ""),
    "both": (
        {"reference": "Patient/123", "identifier": identifier("4711")}, "Patient/123", (MRN,), "123"),
    "another server": (
        {"reference": "https://x.example/fhir/Patient/1"}, "https://x.example/fhir/Patient/1",
        (("https://x.example/fhir/Patient", "1", ""),), ""),
    "condition": (
        {"reference": "Patient?identifier=urn:oid:1.2.3|4711"}, "Patient?identifier=urn:oid:1.2.3|4711",
        (("urn:oid:1.2.3", "4711", ""),), ""),
    "condition, escaped": (
        {"reference": "Patient?identifier=urn%3Aoid%3A1.2.3|4%C3%A4"}, "Patient?identifier=urn%3Aoid%3A1.2.3|4%C3%A4",
        (("urn:oid:1.2.3", "4ä", ""),), ""),
    "name alone": ({"display": "Kim"}, "", (), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_each_way_to_name_a_patient(name):
    subject, reference, identifiers, server_id = NAMED[name]
    (found,) = people(observation(subject=subject))
    assert (found.reference, found.identifiers, found.server_id) == (reference, identifiers, server_id)
    assert (found.entries, found.resource) == ((0,), None)


def test_nobody_is_named():
    assert people(observation(subject=None)) == ()
    assert people(observation(subject={"reference": "Device/1"})) == ()
    assert people({"resourceType": "Organization", "name": "Ward"}) == ()


def test_a_patient_resource_is_its_person():
    (found,) = people(patient("123", "4711"), method="PUT", target="Patient/123")
    assert (found.reference, found.server_id, found.identifiers) == ("Patient/123", "123", (MRN,))
    assert found.resource == patient("123", "4711")


def test_a_link_to_another_record_is_no_other_patient():
    linked = patient(link=[{"other": {"reference": "Patient/9"}, "type": "replaces"}])
    assert len(people(linked)) == 1
    assert mixed(linked) == ()


def test_a_contained_patient_is_a_person():
    (found,) = people(observation(subject={"reference": "#p"}, contained=[patient("p")]))
    assert (found.identifiers, found.server_id, found.resource) == ((MRN,), "", patient("p"))
    bare = changed(patient("p"), identifier=None)
    (found,) = people(observation(subject={"reference": "#p"}, contained=[bare]))
    assert (found.identifiers, found.resource) == ((), bare)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Device", {"patient": {"reference": "Patient/123"}}),
        ("Task", {"status": "requested", "intent": "order", "for": {"reference": "Patient/123"}}),
        ("RelatedPerson", {"patient": {"reference": "Patient/123"}}),
        ("ResearchSubject", {"status": "candidate", "study": {"reference": "ResearchStudy/1"}, "individual": {"reference": "Patient/123"}}),
        ("Appointment", {"status": "proposed", "participant": [{"actor": {"reference": "Patient/123"}, "status": "accepted"}]}),
        ("Consent", {"status": "active", "scope": {"text": "a"}, "category": [{"text": "a"}], "policyRule": {"text": "a"}, "patient": {"reference": "Patient/123"}}),
        ("DeviceUseStatement", {"status": "active", "subject": {"reference": "Patient/123"}, "device": {"display": "a"}}),
    ],
)  # fmt: skip
def test_by_the_element_of_each_type(kind, more):
    (found,) = people({"resourceType": kind, **more})
    assert found.server_id == "123"


def test_who_may_be_anybody_is_no_patient_unless_it_says_so():
    def event(who):
        return {
            "resourceType": "AuditEvent",
            "type": {"code": "a"},
            "recorded": "2026-01-01T00:00:00Z",
            "agent": [{"requestor": True, "who": who}],
            "source": {"observer": {"display": "a"}},
        }

    assert people(event({"identifier": identifier("1")})) == ()
    assert len(people(event({"type": "Patient", "identifier": identifier("1")}))) == 1
    assert len(people(event({"reference": "Patient/1"}))) == 1


# --- visits


def test_visits_are_found():
    encounter = {
        "resourceType": "Encounter",
        "id": "7",
        "identifier": [identifier("V1", kind="VN")],
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/123"},
    }
    (found,) = people(encounter, method="PUT", target="Encounter/7")
    assert found.visits == (("urn:oid:1.2.3", "V1", "VN"), ("", "Encounter/7", ""))
    (found,) = people(observation(encounter={"reference": "Encounter/7"}))
    assert found.visits == (("", "Encounter/7", ""),)
    (found,) = people(observation(encounter={"identifier": identifier("V1", kind="VN")}))
    assert found.visits == (("urn:oid:1.2.3", "V1", "VN"),)
    whole = bundle(
        entry(encounter, full_url=urn(1)),
        entry(observation(encounter={"reference": urn(1)})),
        entry(observation(encounter={"reference": "https://x.example/Encounter/5"})),
    )
    (found,) = people(whole)
    assert found.visits == (
        ("urn:oid:1.2.3", "V1", "VN"),
        ("", "Encounter/7", ""),
        ("https://x.example/Encounter", "5", ""),
    )
    contained = changed(encounter, subject={"reference": "Patient/123"}, id="e")
    (found,) = people(observation(encounter={"reference": "#e"}, contained=[contained]))
    assert found.visits == (("urn:oid:1.2.3", "V1", "VN"),)


def test_the_account_of_an_encounter_is_a_number_of_it_as_in_hl7v2():
    encounter = {
        "resourceType": "Encounter",
        "identifier": [identifier("V1", kind="VN")],
        "status": "finished",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/123"},
        "account": [
            {"identifier": identifier("A1") | {"type": {"text": "account"}}},
            {"reference": "Account/9"},
            {"reference": urn(2)},
        ],
    }
    account = {"resourceType": "Account", "status": "active", "identifier": [identifier("A2", kind="AN")]}
    (found,) = people(bundle(entry(encounter, full_url=urn(1)), entry(account, full_url=urn(2))))
    system = "urn:oid:1.2.3"
    assert found.visits == ((system, "V1", "VN"), (system, "A1", "AN"), (system, "A2", "AN"))


# --- one patient by several names


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": urn(1)},
        {"reference": "Patient/123"},
        {"reference": "Patient/123/_history/1"},
        {"identifier": identifier("4711")},
        {"reference": "Patient?identifier=urn:oid:1.2.3|4711"},
    ],
)
def test_names_of_a_patient_in_the_bundle_are_one(subject):
    whole = bundle(entry(observation(subject=subject)), entry(patient(), full_url=urn(1)))
    (found,) = people(whole)
    assert (found.reference, found.server_id, found.entries) == (urn(1), "123", (0, 1))
    assert found.identifiers[0] == MRN
    assert bodies(whole) == [whole]


def test_an_identifier_said_beside_a_logical_id_joins_them():
    whole = bundle(
        entry(observation(subject={"reference": "Patient/5", "identifier": identifier("4711")})),
        entry(observation(subject={"identifier": identifier("4711")})),
        entry(observation(subject={"reference": "#p"}, contained=[patient("p")])),
    )
    (found,) = people(whole)
    assert (found.server_id, found.identifiers, found.entries) == ("5", (MRN,), (0, 1, 2))


def test_an_identifier_that_families_share_joins_nobody():
    def insured(name):
        return patient(name, identifier=[identifier("F1", kind="SN")])

    whole = bundle(entry(insured("1"), "PUT"), entry(insured("2"), "PUT"))
    assert len(people(whole)) == 2
    assert len(bodies(whole)) == 2


def test_two_updates_of_one_patient_are_one_person():
    whole = bundle(entry(patient("1", "A"), "PUT"), entry(patient("1", "B"), "PUT"), kind="batch")
    whole["entry"].append(entry(observation(subject={"reference": "Patient/1"})))
    (found,) = people(whole)
    assert (found.server_id, found.entries) == ("1", (0, 1, 2))


def test_an_id_is_that_of_the_server_the_entry_is_of():
    def at(server, n, resource):
        return entry(resource, full_url=f"https://{server}.example/fhir/{resource['resourceType']}/{n}")

    whole = bundle(
        at("a", "1", patient("1", "A")),
        at("b", "1", patient("1", "B")),
        at("b", "x", observation(id="x", subject={"reference": "Patient/1"})),
        at("a", "y", observation(id="y", subject={"reference": "Patient/1"})),
        entry(observation(subject={"reference": "Patient/1"})),
    )
    assert [person.entries for person in people(whole)] == [(0, 3), (1, 2), (4,)]
    assert mixed(whole) == ()


def test_a_reference_that_contradicts_itself_is_about_two():
    whole = bundle(
        entry(patient("1", "A"), "PUT"),
        entry(patient("2", "B"), "PUT"),
        entry(observation(subject={"reference": "Patient/1", "identifier": identifier("B")})),
    )
    assert mixed(whole) == (2,)


# --- several patients


def two():
    return bundle(
        entry(patient("1", "A"), "PUT"),
        entry(patient("2", "B"), "PUT"),
        entry(observation(subject={"reference": "Patient/1"}, device={"reference": "Device/d"})),
        entry(observation(subject={"reference": "Patient/2"}, device={"reference": "Device/d"})),
        entry({"resourceType": "Device", "id": "d"}, "PUT"),
        entry({"resourceType": "Organization", "id": "o", "name": "Ward"}, "PUT"),
        entry(observation(subject=None)),
        entry(
            {
                "resourceType": "Provenance",
                "id": "v",
                "target": [{"reference": "Patient/2"}],
                "recorded": "2026-01-01T00:00:00Z",
                "agent": [{"who": {"display": "a"}}],
            }
        ),
    )


def test_several_patients_are_cut_and_what_is_nobodys_goes_along():
    whole = two()
    first, second = people(whole)
    assert (first.server_id, first.entries) == ("1", (0, 2, 4))
    assert (second.server_id, second.entries) == ("2", (1, 3, 4, 7))
    assert mixed(whole) == ()
    assert [ids(body) for body in bodies(whole)] == [
        ["1", "Observation", "d"],
        ["2", "Observation", "d", "v"],
        ["o", "Observation"],
    ]
    assert {body["type"] for body in bodies(whole)} == {"transaction"}


def test_a_part_says_what_its_patients_entries_said():
    whole = two() | {"identifier": {"value": "b1"}, "id": "b"}
    for body in bodies(whole):
        assert set(body) == {"resourceType", "type", "entry"}
        assert all(one in whole["entry"] for one in body["entry"])


def test_what_names_nobody_is_about_whom_it_refers_to():
    def metric(name, source):
        return {
            "resourceType": "DeviceMetric",
            "id": name,
            "type": {"text": "HR"},
            "category": "measurement",
            "source": {"reference": source},
        }

    whole = bundle(
        entry({"resourceType": "Device", "id": "a", "patient": {"reference": "Patient/1"}}, "PUT"),
        entry({"resourceType": "Device", "id": "b", "patient": {"reference": "Patient/2"}}, "PUT"),
        entry(metric("m", "Device/a"), "PUT"),
        entry(metric("n", "Device/b"), "PUT"),
    )
    assert [ids(body) for body in bodies(whole)] == [["a", "m"], ["b", "n"]]


def test_a_result_of_nobody_goes_with_the_one_who_refers_to_it_not_with_two():
    def report(n):
        return {
            "resourceType": "DiagnosticReport",
            "id": f"r{n}",
            "status": "final",
            "code": {"text": "a"},
            "subject": {"reference": f"Patient/{n}"},
            "result": [{"reference": "Observation/x"}],
        }

    nobodys = entry(observation(subject=None, id="x"), "PUT")
    one = bundle(entry(report(1), "PUT"), nobodys, entry(patient("2", "B"), "PUT"))
    assert [ids(body) for body in bodies(one)] == [["r1", "x"], ["2"]]
    both = bundle(entry(report(1), "PUT"), entry(report(2), "PUT"), nobodys)
    assert [ids(body) for body in bodies(both)] == [["r1"], ["r2"], ["x"]]


def test_a_name_alone_is_another_person():
    whole = bundle(entry(patient(), "PUT"), entry(observation(subject={"display": "Kim"})))
    assert [person.entries for person in people(whole)] == [(0,), (1,)]
    assert len(bodies(whole)) == 2


SMUGGLED = {
    "performer": observation(performer=[{"reference": "Patient/9"}]),
    "focus": observation(focus=[{"reference": "Patient/9"}]),
    "extension": observation(extension=[{"url": "urn:a", "valueReference": {"reference": "Patient/9"}}]),
    "extension deep within": observation(
        component=[component("1", 1) | {"extension": [{"url": "urn:a", "valueReference": {"reference": "Patient/9"}}]}]
    ),
    "extension of a primitive": observation(
        _status={"extension": [{"url": "urn:a", "valueReference": {"reference": "Patient/9"}}]}
    ),
    "contained patient": observation(contained=[patient("p")], performer=[{"reference": "#p"}]),
    "contained resource of another": observation(
        contained=[observation(id="o", subject={"reference": "Patient/9"})], hasMember=[{"reference": "#o"}]
    ),
    "contained relative": observation(
        contained=[{"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "Patient/9"}}],
        performer=[{"reference": "#r"}],
    ),
    "identifier": observation(performer=[{"type": "Patient", "identifier": identifier("9")}]),
    "another server": observation(performer=[{"reference": "https://x.example/Patient/123"}]),
    "condition": observation(performer=[{"reference": "Patient?identifier=a|b"}]),
    "group": {
        "resourceType": "Group", "type": "person", "actual": True,
        "member": [{"entity": {"reference": "Patient/1"}}, {"entity": {"reference": "Patient/2"}}],
    },
    "appointment of two": {
        "resourceType": "Appointment", "status": "proposed",
        "participant": [
            {"actor": {"reference": f"Patient/{n}"}, "status": "accepted"} for n in (1, 2)
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_resource_about_two_patients_is_mixed(name):
    assert mixed(SMUGGLED[name]) == (0,)
    assert len(people(SMUGGLED[name])) == 2
    assert len(persons.split(decode(raw(SMUGGLED[name])))) == 1


def test_references_across_patients_are_mixed():
    whole = bundle(
        entry(patient("1", "A"), "PUT"),
        entry(patient("2", "B"), "PUT"),
        entry(observation(id="x", subject={"reference": "Patient/2"}), "PUT"),
        entry(observation(subject={"reference": "Patient/1"}, derivedFrom=[{"reference": "Observation/x"}])),
    )
    assert mixed(whole) == (3,)
    assert [ids(body) for body in bodies(whole)] == [["1"], ["2", "x"], ["Observation"]]


def test_a_visit_of_another_patient_is_mixed():
    visit = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "planned",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/2"},
    }
    whole = bundle(entry(visit, "PUT"), entry(observation(encounter={"reference": "Encounter/e"})))
    assert mixed(whole) == (1,)
    first, second = people(whole)
    assert (first.server_id, second.server_id) == ("2", "123")
    assert second.visits == (("", "Encounter/e", ""),)


def test_a_provenance_of_two_patients_is_mixed():
    whole = two()
    whole["entry"][7]["resource"]["target"] = [{"reference": "Device/d"}, {"reference": "Patient/1"}]
    assert mixed(whole) == ()
    whole["entry"][7]["resource"]["target"] = [{"reference": "Patient/1"}, {"reference": "Patient/2"}]
    assert mixed(whole) == (7,)


# --- bounds


def test_patients_are_bounded():
    whole = bundle(*(entry(observation(subject={"reference": f"Patient/{n}"})) for n in range(5)))
    message = decode(raw(whole))
    assert len(persons.persons(message, Limits(patients_max=5))) == 5
    with pytest.raises(DecodeError) as caught:
        persons.persons(message, Limits(patients_max=4))
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


def test_identifiers_and_visits_are_bounded():
    many = decode(raw(patient(identifier=[identifier(f"{n}") for n in range(5)])))
    assert len(persons.persons(many, Limits(identifiers_max=5))[0].identifiers) == 5
    seen = decode(
        raw(bundle(*(entry(observation(encounter={"reference": f"Encounter/{n}"})) for n in range(5))))
    )
    assert len(persons.persons(seen, Limits(visits_max=5))[0].visits) == 5
    for message, limits in ((many, Limits(identifiers_max=4)), (seen, Limits(visits_max=4))):
        with pytest.raises(DecodeError) as caught:
            persons.persons(message, limits)
        assert caught.value.reason is Reason.LIMIT_EXCEEDED


def test_what_all_refer_to_cannot_grow_without_bound():
    big = {"resourceType": "Organization", "id": "o", "name": "a" * 10_000}
    whole = bundle(
        entry(big, "PUT"),
        *(
            entry(
                observation(
                    subject={"reference": f"Patient/{n}"}, performer=[{"reference": "Organization/o"}]
                )
            )
            for n in range(20)
        ),
    )
    message = decode(raw(whole))
    assert len(persons.split(message)) == 20
    with pytest.raises(DecodeError) as caught:
        persons.split(message, Limits(repeated_bytes_max=100_000))
    assert caught.value.reason is Reason.LIMIT_EXCEEDED


# --- messages that were made otherwise, and reverse tests


def test_a_message_without_its_request_is_cut_as_with_it():
    """What limits count from is the size of the message, not of what was kept of it."""
    for resource in (two(), observation()):
        read = decode(raw(resource))
        bare = decode_read(b"", read.request, read.body)
        assert bare.raw == b""
        room = Limits(repeated_bytes_max=500)  # the heads of two more bundles
        assert persons.split(bare, room) == persons.split(read, room)
        assert all(decode(part).entries for part in persons.split(bare))


def test_a_message_that_nobody_read_is_looked_through():
    read = decode(raw(two()))
    made = Message(read.raw, Request("POST", ""), read.body, read.bundle, read.entries)
    assert persons.persons(made) == persons.persons(read)
    assert persons.split(made) == persons.split(read)


def test_without_the_look_into_contained_resources_a_patient_would_hide(monkeypatch):
    resource = SMUGGLED["contained patient"]
    assert mixed(resource) == (0,)
    monkeypatch.setattr(names, "_inside", lambda _: {})
    monkeypatch.setattr(names.Names, "_contained", lambda *_: ("id", "123"))
    assert mixed(resource) == ()


def test_without_the_comparison_of_targets_anothers_result_would_pass(monkeypatch):
    monkeypatch.setattr(persons, "_mixed", lambda *_: ())
    whole = bundle(
        entry(observation(id="x", subject={"reference": "Patient/2"}), "PUT"),
        entry(observation(subject={"reference": "Patient/1"}, derivedFrom=[{"reference": "Observation/x"}])),
    )
    assert mixed(whole) == ()
