"""What FHIR originals say about their persons: every structure that names one gives its tokens, nothing else does."""

import pytest
from tests.unit.gateway.guarding import FHIR_ORIGINAL, HEADER, HL7_ORIGINAL, UUID, fhir, hl7v2, request

from oathward.gateway.guard.original import of_fhir
from oathward.gateway.guard.tokens import TOKENS_MAX
from oathward.protocols.fhir.message import Entry, Message, Request, Verbatim

STANDARD = "http://hl7.org/fhir/StructureDefinition/"
MEASURED = {"resourceType": "Observation", "effectiveDateTime": "2026-03-01T12:00:00Z"}


def patient(**more):
    return {"resourceType": "Patient", **more}


def observation(**more):
    return MEASURED | more


def forms(*resources, **how):
    tokens = fhir(resources, **how).tokens()
    return {form.decode() for form in tokens.needles}


def named(*resources, **how):
    return {
        (family.decode(), given.decode())
        for name in fhir(resources, **how).tokens().names
        for family in name.family
        for given in name.given
    }


# --- strong ones


@pytest.mark.parametrize(
    ("resource", "form"),
    [
        (patient(id="pat-88x21z"), "pat88x21z"),
        (patient(identifier=[{"system": "urn:x", "value": "0047-11223"}]), "4711223"),
        (patient(identifier={"value": "AB123456"}), "ab123456"),
        (patient(telecom=[{"system": "phone", "value": "+44 20 7946 0958 ext 3"}]), "079460958"),
        (patient(telecom=[{"value": "tel:(555) 314-1592"}]), "3141592"),
        (patient(telecom=[{"system": "url", "value": "http://me.example/jd8812345"}]), "httpmeexamplejd8812345"),
        (patient(telecom=[{"system": "other", "value": "a.b@example.org"}]), "abexampleorg"),
        (patient(address=[{"line": ["Flat 3", "12 Rosebud Lane"]}]), "12rosebudlane"),
        (patient(address=[{"text": "12 Rosebud Lane, Springwell"}]), "12rosebudlane"),
        (patient(contact=[{"telecom": [{"system": "phone", "value": "5552718281"}]}]), "552718281"),
        (patient(contact=[{"address": {"line": ["9 Elm Way"]}}]), "9elmway"),
        (patient(link=[{"other": {"reference": "Patient/old-77123"}, "type": "replaces"}]), "old77123"),
        (patient(link=[{"other": {"reference": UUID}}]), UUID[9:].replace("-", "")),
        (patient(photo=[{"url": "http://p.example/77123456.jpg"}]), "77123456"),
        (patient(text={"div": "<div>MRN <b>4711223</b></div>"}), "4711223"),
        (patient(text={"div": "<div>&#52;711223</div>"}), "4711223"),
        (patient(extension=[{"url": "x", "valueString": "99-00-5512-7"}]), "990055127"),
        (patient(extension=[{"url": "x", "extension": [{"url": "y", "valueInteger": 4711223}]}]), "4711223"),
        (patient(address=[{"extension": [{"url": "x", "valueDecimal": Verbatim("47.11223")}]}]), "4711223"),
        (patient(extension=[{"url": "x", "valueIdentifier": {"value": "AB123456"}}]), "ab123456"),
        (patient(extension=[{"url": "x", "valueContactPoint": {"system": "phone", "value": "5552718281"}}]), "552718281"),
        (patient(extension=[{"url": "x", "valueAddress": {"line": ["9 Elm Way"]}}]), "9elmway"),
        (patient(_gender={"extension": [{"url": "x", "valueString": "4711223"}]}), "4711223"),
        (patient(contained=[{"resourceType": "RelatedPerson", "identifier": [{"value": "4711223"}]}]), "4711223"),
        ({"resourceType": "Person", "identifier": [{"value": "4711223"}]}, "4711223"),
        ({"resourceType": "RelatedPerson", "identifier": [{"value": "4711223"}]}, "4711223"),
        ({"resourceType": "RelatedPerson", "patient": {"reference": "Patient/pat-77123"}}, "pat77123"),
        ({"resourceType": "Coverage", "subscriberId": "POL55512345"}, "pol55512345"),
        ({"resourceType": "Coverage", "identifier": [{"value": "POL55512345"}]}, "pol55512345"),
        ({"resourceType": "Coverage", "beneficiary": {"identifier": {"value": "4711223"}}}, "4711223"),
        ({"resourceType": "Coverage", "policyHolder": {"reference": "RelatedPerson/rel-77123"}}, "rel77123"),
        ({"resourceType": "Account", "identifier": [{"value": "ACC-88-1234"}]}, "acc881234"),
        (observation(subject={"reference": "Patient/pat-77123"}), "pat77123"),
        (observation(subject={"reference": "https://ehr.example/fhir/Patient/pat-77123/_history/2"}), "pat77123"),
        (observation(subject={"reference": "Patient?identifier=urn:x|4711223"}), "4711223"),
        (observation(subject={"reference": "Patient?identifier=urn%3Ax%7C4711223"}), "4711223"),
        (observation(subject={"identifier": {"value": "4711223"}}), "4711223"),
        (observation(subject={"type": "Patient", "identifier": {"value": "4711223"}}), "4711223"),
        (observation(subject={"reference": "urn:uuid:77123ab4-0000-4000-8000-000000000001"}), "77123ab4000040008000000000000001"),
        (observation(performer=[{"type": "RelatedPerson", "identifier": {"value": "4711223"}}]), "4711223"),
        (observation(performer=[{"reference": "Patient/pat-77123"}]), "pat77123"),
        (observation(subject={"display": "Doe (MRN 4711223)"}), "4711223"),
        (observation(contained=[patient(identifier=[{"value": "4711223"}])]), "4711223"),
        (observation(contained=[{"resourceType": "Parameters", "parameter": [{"resource": patient(id="pat-77123")}]}]), "pat77123"),
        (observation(extension=[{"url": "x", "valueReference": {"reference": "Patient/pat-77123"}}]), "pat77123"),
        (observation(code={"extension": [{"url": "x", "valueReference": {"reference": "Patient/pat-77123"}}]}), "pat77123"),
        (observation(sender={"individual": {"reference": "Patient/pat-77123"}}), "pat77123"),
    ],
)  # fmt: skip
def test_a_strong_token_is_taken(resource, form):
    assert form in forms(MEASURED, resource)


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (patient(name=[{"family": "Doe", "given": ["John", "Q"]}]), ("doe", "john")),
        (patient(name={"family": "Doe", "given": "John"}), ("doe", "john")),
        (patient(name=[{"text": "Dr. John Quentin Doe jr."}]), ("doe", "john")),
        (patient(name=[{"text": "Doe, John"}]), ("doe", "john")),
        (patient(name=[{"text": "Doe John Quentin"}]), ("doe", "john")),
        (patient(name=[{"text": "Sir Galahad John Doe", "prefix": ["Sir Galahad"]}]), ("doe", "john")),
        (patient(name=[{"given": ["John"], "_family": {"extension": [{"url": "x", "valueString": "Doe"}]}}]), ("doe", "john")),
        (patient(contact=[{"name": {"family": "Doe", "given": ["John"]}}]), ("doe", "john")),
        (patient(extension=[{"url": STANDARD + "patient-mothersMaidenName", "valueString": "Doe, John"}]), ("doe", "john")),
        (patient(extension=[{"url": "x", "valueHumanName": {"family": "Doe", "given": ["John"]}}]), ("doe", "john")),
        ({"resourceType": "RelatedPerson", "name": [{"text": "John Doe"}]}, ("doe", "john")),
        ({"resourceType": "FamilyMemberHistory", "name": "John Doe"}, ("doe", "john")),
        (observation(subject={"display": "John Doe"}), ("doe", "john")),
        (observation(subject={"reference": "Patient/1", "display": "DOE, John (1)"}), ("doe", "john")),
        (observation(subject={"reference": "Patient?family=Doe&given=John"}), ("doe", "john")),
        (observation(subject={"reference": "#p", "display": "John Doe"}, contained=[patient(id="p")]), ("doe", "john")),
    ],
)  # fmt: skip
def test_a_name_is_taken(resource, name):
    assert name in named(MEASURED, resource)


@pytest.mark.parametrize(
    "resource",
    [
        patient(birthDate="1970-01-31"),
        patient(
            _birthDate={
                "extension": [
                    {"url": STANDARD + "patient-birthTime", "valueDateTime": "1970-01-31T08:30:00Z"}
                ]
            }
        ),
        {"resourceType": "RelatedPerson", "birthDate": "1970-01-31"},
        {"resourceType": "FamilyMemberHistory", "bornDate": "1970-01-31"},
        observation(subject={"reference": "Patient?birthdate=eq1970-01-31"}),
        observation(contained=[{"resourceType": "Person", "birthDate": "1970-01-31"}]),
    ],
)
def test_a_birth_date_is_taken(resource):
    assert [one.born.isoformat() for one in fhir((MEASURED, resource)).tokens().births] == ["1970-01-31"]


def test_what_a_request_itself_says_is_taken():
    assert "12345678" in forms(MEASURED, target="Patient/12345678")
    assert "12345678" in forms(
        MEASURED, target="Observation", conditions=(("if-none-exist", "patient=Patient/12345678"),)
    )
    query = (("if-none-exist", "identifier=urn:x|12345678&family=Doe&given=John&phone=5552718281"),)
    assert {"12345678", "552718281"} <= forms(patient(), target="Patient", conditions=query)
    assert ("doe", "john") in named(patient(), target="Patient", conditions=query)
    entry = Entry(patient(), "POST", "Patient", if_none_exist="identifier=urn:x|12345678", full_url=UUID)
    message = Message(b"", Request("POST", ""), {}, "transaction", (entry,))
    told = request((MEASURED,))
    message.entries = (entry, *told.entries)
    assert fhir_of(message) >= {"12345678", UUID[9:].replace("-", "")}


def fhir_of(message):
    return {form.decode() for form in of_fhir(message).tokens().needles}


# --- weak ones, and none


def test_weak_tokens_only_count():
    tokens = bare((patient(identifier=[{"value": "4821"}], address=[{"city": "Springwell", "district": "Salts", "postalCode": "97477"}],
                           name=[{"family": "Doe"}]),)).tokens()  # fmt: skip
    assert not tokens.needles
    assert not tokens.names
    assert set(tokens.weak_words) == {b"springwell", b"salts", b"doe"}
    assert set(tokens.weak_numbers) == {b"4821", b"97477"}
    assert set(tokens.weak_ids) == {b"4821"}


@pytest.mark.parametrize(
    "resource",
    [
        patient(extension=[{"url": "x", "valueDecimal": Verbatim("14.0626559")}, {"url": "x", "valueDecimal": 14.0626559}]),
        patient(address=[{"text": "Rainbow, Vic  3999", "state": "Vic", "postalCode": "3999"}, {"text": "Springwell, OR 97477"}]),
        patient(meta={"profile": ["http://x.example/1234567"], "versionId": "1234567"}),
        patient(generalPractitioner=[{"reference": "Practitioner/1234567", "display": "Gregory House"}]),
        patient(managingOrganization={"reference": "urn:uuid:77123ab4-0000-4000-8000-000000000001", "display": "Good Hospital"}),
        patient(deceasedDateTime="2026-01-02", extension=[{"url": "x", "valueDateTime": "2026-01-02T10:00:00Z"}]),
        patient(extension=[{"url": "urn:oid:2.16.840.1.113883", "valueCoding": {"code": "1234567", "display": "Seven Four"}}]),
        patient(maritalStatus={"coding": [{"code": "1234567"}]}, communication=[{"language": {"text": "1234567"}}]),
        patient(identifier=[{"system": "urn:oid:1.2.3.4567890", "type": {"coding": [{"code": "1234567"}]}}]),
        patient(contained=[{"resourceType": "Organization", "identifier": [{"value": "1234567"}], "name": "Good Hospital"}]),
        patient(text={"div": "<div>born 1970-01-31 or 31/01/1970</div>"}),
        patient(identifier=[{"value": "000000"}], name=[{"family": "UNKNOWN", "given": ["XX"]}]),
        observation(id="1234567", identifier=[{"value": "12345678"}]),
        observation(performer=[{"reference": "Practitioner/1234567", "display": "Gregory House"}]),
        observation(subject={"reference": "Device/1234567", "display": "Monitor Seven"}),
        observation(subject={"reference": "Group/1234567"}, device={"display": "Monitor Seven"}),
        observation(subject={"type": "Location", "identifier": {"value": "1234567"}}),
        observation(subject={"reference": "#d", "display": "Monitor Seven"}, contained=[{"resourceType": "Device", "id": "d"}]),
        observation(encounter={"reference": "Encounter/1234567"}, basedOn=[{"identifier": {"value": "1234567"}}]),
        {"resourceType": "Practitioner", "identifier": [{"value": "1234567"}], "name": [{"family": "House", "given": ["Gregory"]}]},
        {"resourceType": "Device", "identifier": [{"value": "1234567"}], "serialNumber": "1234567"},
        {"resourceType": "Coverage", "class": [{"value": "1234567"}], "payor": [{"display": "Good Insurance"}]},
    ],
)  # fmt: skip
def test_what_is_nobodys_is_not_taken(resource):
    tokens = fhir((MEASURED, resource)).tokens()
    assert not [n for n in tokens.needles if n != UUID[9:].replace("-", "").encode()]
    assert not tokens.names
    assert not tokens.births


def test_a_subject_that_is_another_entry_is_what_that_is():
    device = Entry({"resourceType": "Device"}, "POST", "Device", full_url="urn:uuid:1234567-a")
    of = observation(subject={"reference": "urn:uuid:1234567-a", "display": "Monitor Seven"})
    message = Message(
        b"x",
        Request("POST", ""),
        {},
        "transaction",
        (device, *request((of,)).entries[1:], Entry(of, "POST", "Observation")),
    )
    assert not fhir_of(message)


def test_a_newborns_birth_date_is_weak():
    born = patient(birthDate="2026-02-20")
    assert not fhir((born, MEASURED)).tokens().births
    assert b"20260220" in fhir((born, MEASURED)).tokens().weak_numbers
    assert fhir((born, observation(effectiveDateTime="2026-04-15"))).tokens().births
    assert fhir((born,)).tokens().births


@pytest.mark.parametrize(
    ("resources", "day"),
    [
        ((MEASURED,), b"20260301"), ((MEASURED, observation(issued="2026-03-02T00:00:00Z")), b"20260302"), ((patient(),), b""),
        ((observation(effectiveDateTime=None, effectivePeriod={"start": "2026-03-03"}),), b"20260303"),
        ((observation(effectiveDateTime="2026", meta={"lastUpdated": "2026-03-04T00:00:00Z"}),), b"20260304"),
        ((observation(effectiveDateTime=7, period=[]),), b""),
    ],
)  # fmt: skip
def test_the_day_of_a_message(resources, day):
    assert fhir(resources).day() == day


@pytest.mark.parametrize(
    "resource",
    [
        patient(identifier=[{"value": f"AB{n:06}"} for n in range(2 * TOKENS_MAX)]),
        patient(extension=[{"extension": []}]),
    ],
)
def test_more_than_a_message_has_is_too_many(resource):
    if resource["resourceType"] and "extension" in resource:
        for _ in range(60):
            resource = patient(
                extension=[{"url": "x", "extension": resource["extension"], "valueString": "x"}]
            )
    assert fhir((resource,)).tokens().too_many


@pytest.mark.parametrize(
    "value", [None, 3, "x", [], {}, [None], [[]], [{"value": 7}], {"value": {}}, True, [3, "x"]]
)
def test_elements_of_any_type_break_nothing(value):
    for name in (
        "name",
        "identifier",
        "telecom",
        "address",
        "birthDate",
        "_birthDate",
        "text",
        "extension",
        "contact",
        "link",
        "photo",
        "id",
    ):
        fhir((patient(**{name: value}),)).tokens()
    for name in ("subject", "performer", "contained", "effectiveDateTime", "meta", "effectivePeriod"):
        made = fhir((observation(**{name: value}),))
        made.tokens()
        made.persons()


# --- what tells originals apart


def test_equal_persons_have_one_key_and_others_another():
    assert fhir(FHIR_ORIGINAL).persons() == fhir(FHIR_ORIGINAL).persons()
    by_reference = observation(subject={"reference": "Patient/pat-77123"}, valueQuantity={"value": 1})
    same = observation(
        subject={"reference": "Patient/pat-77123"},
        valueQuantity={"value": 2},
        id="x",
        effectiveDateTime="2027-01-01",
    )
    key = bare((by_reference,)).persons()
    assert bare((same,)).persons() == key
    assert bare((same, by_reference)).persons() == key
    others = [
        observation(subject={"reference": "Patient/pat-77124"}), observation(),
        observation(subject={"reference": "Patient/pat-77123", "display": "John Doe"}),
        observation(subject={"identifier": {"value": "4711223"}}), observation(performer=[{"reference": "RelatedPerson/pat-77123"}]),
        patient(id="pat-77123"), patient(id="pat-77123", birthDate="1970-01-31"),
    ]  # fmt: skip
    keys = {bare((one,)).persons() for one in others}
    assert len(keys) == len(others)
    assert key not in keys
    assert hl7v2(HL7_ORIGINAL).persons() not in keys
    assert (
        bare((patient(id="pat-77123"), MEASURED)).persons() != bare((patient(id="pat-77123"), same)).persons()
    )  # another day


def bare(resources):
    """Make an original without full URLs."""
    made = request(resources)
    made.entries = tuple(Entry(one.resource, "POST", one.type) for one in made.entries)
    return of_fhir(made)


def test_an_original_prints_no_value():
    for one in (fhir(FHIR_ORIGINAL), hl7v2((HEADER, "PID|1||12345678"))):
        assert repr(one) == "<Original>"
        assert "4711223" not in repr(one.tokens())
