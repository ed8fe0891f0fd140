"""The checker against R4's definitions: each kind of mistake is found, at its place, with its reason and no value."""

import copy

import orjson
import pytest
from tests.fhir import changed, component, identifier, observation, patient

from oathward.core.reasons import Reason
from oathward.protocols.fhir import check as checker
from oathward.protocols.fhir import nodes, tables
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.limits import Limits
from oathward.protocols.fhir.message import Verbatim

SECRET = "Ödegård"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
LOINC = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
ABSENT = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
    ]
}


def issues(resource):
    found = check(resource).issues
    assert SECRET not in str(found)
    return [(issue.where, issue.reason) for issue in found]


GOOD = {
    "an observation": observation(),
    "a patient": patient(),
    "a required code that is absent, with why": observation(status=None, _status=ABSENT),
    "a primitive with an extension": patient(_birthDate={"id": "b", "extension": ABSENT["extension"]}),
    "a primitive with an id": patient(_birthDate={"id": "b"}),
    "a primitive in an array with an id": patient(name=[{"given": ["Kim"], "_given": [{"id": "b"}]}]),
    "nulls beside extensions": patient(name=[{"given": ["Kim", None], "_given": [None, ABSENT]}]),
    "extensions beside nothing": patient(name=[{"_given": [ABSENT]}]),
    "extensions in extensions": patient(
        extension=[{"url": "urn:a", "extension": [{"url": "b", "valueString": "c"}]}]
    ),
    "a modifier extension": patient(modifierExtension=[{"url": "urn:a", "valueBoolean": True}]),
    "a number as it was written": observation(component=[component("8480-6", Verbatim("120.50"))]),
    "a whole number": observation(component=[component("8480-6", 120)]),
    "a date of a month": patient(birthDate="1980-02"),
    "a leap second": observation(effectiveDateTime="2016-12-31T23:59:60Z"),
    "a fraction of a second": observation(effectiveDateTime="2026-01-01T00:00:00.123456789-03:30"),
    "a period": observation(effectiveDateTime=None, effectivePeriod={"start": "2026", "end": "2026-01-02"}),
    "a narrative": patient(text={"status": "generated", "div": DIV.format("<p>Hello <b>you</b></p>")}),
    "a contained resource that is referred to": observation(
        subject={"reference": "#p"}, contained=[patient("p")]
    ),
    "a contained resource that refers back": observation(
        contained=[
            {
                "resourceType": "Provenance",
                "id": "x",
                "recorded": "2026-01-01T00:00:00Z",
                "target": [{"reference": "#"}],
                "agent": [{"who": {"display": "a"}}],
            }
        ]
    ),
    "a reference by identifier alone": observation(
        subject={"type": "Patient", "identifier": identifier("1")}
    ),
    "a reference to a version": observation(subject={"reference": "Patient/123/_history/2"}),
    "a reference to another server": observation(
        subject={"reference": "https://other.example/fhir/Patient/1"}
    ),
    "a reference by urn": observation(subject={"reference": "urn:uuid:00000001-0000-4000-8000-000000000000"}),
    "a conditional reference": observation(subject={"reference": "Patient?identifier=urn:a|1"}),
    "text instead of a required code": patient(
        maritalStatus={"text": "married"}, communication=[{"language": {"text": "Saami"}}]
    ),
    "base64 in lines": {"resourceType": "Binary", "contentType": "text/plain", "data": "aGVs\nbG8="},
    "a currency nobody lists": {
        "resourceType": "Invoice",
        "status": "issued",
        "totalNet": {"value": 1.5, "currency": "EUR"},
    },
    "nested content": {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "2", "type": "string"}]}],
    },
}


@pytest.mark.parametrize("name", GOOD)
def test_good_resources_pass(name):
    assert issues(GOOD[name]) == []


UNKNOWN, MISSING, REPEATED = Reason.ELEMENT_UNKNOWN, Reason.ELEMENT_MISSING, Reason.ELEMENT_REPEATED
TYPE, VALUE, CODE = Reason.ELEMENT_TYPE, Reason.VALUE_INVALID, Reason.CODE_NOT_ALLOWED
TARGET, RULE = Reason.TARGET_NOT_ALLOWED, Reason.RULE_BROKEN

BAD = {
    # --- elements
    "element of another type": (observation(gender="male"), "Observation.gender", UNKNOWN),
    "element nobody knows": (observation(**{SECRET: 1}), "Observation.children()[7]", UNKNOWN),
    "element in a data type": (
        patient(name=[{"family": "A", "surname": SECRET}]), "Patient.name[0].children()[1]", UNKNOWN),
    "R5 element": (observation(instantiatesCanonical="urn:a"), "Observation.instantiatesCanonical", UNKNOWN),
    "choice without type": (observation(value="1"), "Observation.value", UNKNOWN),
    "choice with a type it may not have": (
        observation(valueAttachment={"title": "a"}), "Observation.children()[7]", UNKNOWN),
    "comments": (observation(fhir_comments=["a"]), "Observation.children()[7]", UNKNOWN),
    "sibling of a complex element": (observation(_code={"id": "a"}), "Observation.children()[7]", UNKNOWN),
    # --- cardinality
    "required element": (observation(code=None), "Observation.code", MISSING),
    "required primitive": (observation(status=None), "Observation.status", MISSING),
    "required choice": (
        {"resourceType": "MedicationStatement", "status": "active", "subject": {"display": "a"}},
        "MedicationStatement.medication[x]", MISSING),
    "required in a part": (
        observation(component=[component("1", 1), {"valueString": "a"}]), "Observation.component[1].code", MISSING),
    "several instead of one": (observation(status=["final"]), "Observation.status", TYPE),
    "several objects instead of one": (observation(code=[LOINC]), "Observation.code", TYPE),
    "one instead of several": (patient(name={"family": "A"}), "Patient.name", TYPE),
    "one primitive instead of several": (patient(name=[{"given": "A"}]), "Patient.name[0].given", TYPE),
    "empty array": (patient(name=[]), "Patient.name", TYPE),
    "two choices": (observation(component=None, valueString="a", valueInteger=1), "Observation.value[x]", REPEATED),
    "two choices, one a sibling": (
        observation(component=None, valueString="a", _valueInteger=ABSENT), "Observation.value[x]", REPEATED),
    # --- types
    "object where text is": (observation(status={"a": 1}), "Observation.status", TYPE),
    "text where an object is": (observation(code=SECRET), "Observation.code", TYPE),
    "number where text is": (patient(gender=1), "Patient.gender", TYPE),
    "text where a number is": (
        observation(component=[component("1", "120")]), "Observation.component[0].valueQuantity.value", TYPE),
    "truth where a number is": (
        observation(component=[component("1", True)]), "Observation.component[0].valueQuantity.value", TYPE),
    "number where truth is": (patient(active=1), "Patient.active", TYPE),
    "text where truth is": (patient(active="true"), "Patient.active", TYPE),
    "null": (observation(issued=None) | {"issued": None}, "Observation.issued", TYPE),
    "null in an array of objects": (patient(name=[None]), "Patient.name[0]", TYPE),
    "null in an array of texts": (patient(name=[{"given": [None]}]), "Patient.name[0].given[0]", TYPE),
    "null beside null": (
        patient(name=[{"given": ["A", None], "_given": [ABSENT, None]}]), "Patient.name[0].given[1]", TYPE),
    "siblings of another number": (
        patient(name=[{"given": ["A", "B"], "_given": [ABSENT]}]), "Patient.name[0]._given", TYPE),
    "sibling that is no object": (patient(_birthDate="a"), "Patient._birthDate", TYPE),
    "sibling array for one value": (patient(_birthDate=[ABSENT]), "Patient._birthDate", TYPE),
    "a fraction where whole numbers are": (
        patient(multipleBirthInteger=1.5), "Patient.multipleBirthInteger", TYPE),
    "an id beside nothing": (patient(birthDate=None, _birthDate={"id": "b"}), "Patient._birthDate", RULE),
    "an id that is no text": (patient(_birthDate={"id": 1}), "Patient._birthDate.id", TYPE),
    # --- forms
    "empty text": (patient(name=[{"family": ""}]), "Patient.name[0].family", VALUE),
    "date that is none": (patient(birthDate="29.02.1980"), "Patient.birthDate", VALUE),
    "day that there is not": (patient(birthDate="1981-02-29"), "Patient.birthDate", VALUE),
    "month 13": (patient(birthDate="1980-13"), "Patient.birthDate", VALUE),
    "year 0": (patient(birthDate="0000-01-01"), "Patient.birthDate", VALUE),
    "date with a time": (patient(birthDate="1980-01-01T00:00:00Z"), "Patient.birthDate", VALUE),
    "time without zone": (
        observation(effectiveDateTime="2026-01-01T10:00:00"), "Observation.effectiveDateTime", VALUE),
    "time without seconds": (
        observation(effectiveDateTime="2026-01-01T10:00Z"), "Observation.effectiveDateTime", VALUE),
    "digits of another script": (patient(birthDate="١٩٨٠-01-01"), "Patient.birthDate", VALUE),
    "date with a line end": (patient(birthDate="1980-01-01\n"), "Patient.birthDate", VALUE),
    "instant of a day": (observation(issued="2026-01-01"), "Observation.issued", VALUE),
    "id with a slash": (patient(id="a/b"), "Patient.id", VALUE),
    "id too long": (patient(id="a" * 65), "Patient.id", VALUE),
    "uri with a space": (patient(implicitRules="urn: a"), "Patient.implicitRules", VALUE),
    "code with blanks around": (patient(language=" en"), "Patient.language", VALUE),
    "negative count": (
        observation(component=None, valueSampledData={"origin": {"value": 1}, "period": 1, "dimensions": 0}),
        "Observation.valueSampledData.dimensions", VALUE),
    "number beyond its type": (
        patient(multipleBirthInteger=2**31), "Patient.multipleBirthInteger", VALUE),
    "base64 that is none": (
        {"resourceType": "Binary", "contentType": "a/b", "data": "aGVsbG8"}, "Binary.data", VALUE),
    "base64 of another alphabet": (
        {"resourceType": "Binary", "contentType": "a/b", "data": "_-__"}, "Binary.data", VALUE),
    "oid that is none": (
        patient(extension=[{"url": "urn:a", "valueOid": "1.2.3"}]), "Patient.extension[0].valueOid", VALUE),
    "uuid in capitals": (
        patient(extension=[{"url": "urn:a", "valueUuid": "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"}]),
        "Patient.extension[0].valueUuid", VALUE),
    # --- codes
    "code of no value set": (observation(status=SECRET), "Observation.status", CODE),
    "code in capitals": (observation(status="FINAL"), "Observation.status", CODE),
    "code of another element": (patient(gender="final"), "Patient.gender", CODE),
    "code in an array": (
        {"resourceType": "AllergyIntolerance", "patient": {"display": "a"}, "category": ["pollen"]},
        "AllergyIntolerance.category[0]", CODE),
    "concept with another code": (
        {"resourceType": "Condition", "subject": {"display": "a"}, "clinicalStatus": LOINC},
        "Condition.clinicalStatus", CODE),
    # --- references
    "reference to another type": (observation(subject={"reference": "Practitioner/1"}), "Observation.subject.reference", TARGET),
    "reference to another type elsewhere": (
        observation(subject={"reference": "https://x.example/Medication/1"}), "Observation.subject.reference", TARGET),
    "type that it may not have": (
        observation(subject={"type": "Practitioner", "display": "a"}), "Observation.subject.type", TARGET),
    "type that the reference has not": (
        observation(subject={"reference": "Patient/1", "type": "Group"}), "Observation.subject.type", TARGET),
    "reference to no type": (observation(subject={"reference": "Person1/1"}), "Observation.subject.reference", VALUE),
    "reference without id": (observation(subject={"reference": "Patient"}), "Observation.subject.reference", VALUE),
    "reference with a query in the id": (
        observation(subject={"reference": "Patient/1?x=y"}), "Observation.subject.reference", VALUE),
    "reference upwards": (observation(subject={"reference": "../Patient/1"}), "Observation.subject.reference", VALUE),
    # --- invariants
    "ele-1": (patient(name=[{}]), "Patient.name[0]", RULE),
    "ele-1 with an id alone": (patient(name=[{"id": "a"}]), "Patient.name[0]", RULE),
    "ext-1 with both": (
        patient(extension=[{"url": "a", "valueString": "b", "extension": [{"url": "c", "valueCode": "d"}]}]),
        "Patient.extension[0]", RULE),
    "ext-1 with none": (patient(extension=[{"url": "a", "id": "b"}]), "Patient.extension[0]", RULE),
    "obs-6": (
        observation(component=None, valueString="a", dataAbsentReason={"text": "b"}), "Observation", RULE),
    "obs-7": (observation(valueString="a", code=LOINC, component=[component("8867-4", 1)]), "Observation", RULE),
    "obs-3": (observation(referenceRange=[{"age": {"low": {"value": 1}}}]), "Observation.referenceRange[0]", RULE),
    "per-1": (
        observation(effectiveDateTime=None, effectivePeriod={
            "start": "2026-01-01T10:00:00Z", "end": "2026-01-01T10:30:00+01:00"}),
        "Observation.effectivePeriod", RULE),
    "qty-3": (
        observation(component=None, valueQuantity={"value": 1, "code": "kg"}), "Observation.valueQuantity", RULE),
    "att-1": (
        patient(photo=[{"data": "aGVsbG8="}]), "Patient.photo[0]", RULE),
    "cpt-2": (patient(telecom=[{"value": "1"}]), "Patient.telecom[0]", RULE),
    "pat-1": (patient(contact=[{"gender": "male"}]), "Patient.contact[0]", RULE),
    "sqty-1": (
        observation(referenceRange=[{"low": {"value": 1, "comparator": "<"}}]),
        "Observation.referenceRange[0].low", RULE),
    "rng-2": (
        observation(component=None, valueRange={"low": {"value": 2}, "high": {"value": 1}}),
        "Observation.valueRange", RULE),
    "rat-1": (
        observation(component=None, valueRatio={"numerator": {"value": 2}}), "Observation.valueRatio", RULE),
    "ref-1": (observation(subject={"reference": "#p"}), "Observation.subject.reference", RULE),
    "dom-2": (
        observation(subject={"reference": "#p"}, contained=[
            patient("p", contained=[patient("q")], link=[{"other": {"reference": "#q"}, "type": "refer"}])]),
        "Observation.contained[0]", RULE),
    "dom-3": (observation(contained=[patient("p")]), "Observation.contained[0]", RULE),
    "dom-4": (
        observation(subject={"reference": "#p"}, contained=[patient("p", meta={"versionId": "1"})]),
        "Observation.contained[0]", RULE),
    "dom-5": (
        observation(subject={"reference": "#p"}, contained=[patient("p", meta={"security": [{"code": "R"}]})]),
        "Observation.contained[0]", RULE),
    "two contained with one id": (
        observation(subject={"reference": "#p"}, contained=[patient("p"), patient("p")]),
        "Observation.contained[0]", RULE),
    "a bundle in a resource": (
        observation(hasMember=[{"reference": "#b"}], contained=[
            {"resourceType": "Bundle", "id": "b", "type": "collection", "entry": [{"resource": patient()}]}]),
        "Observation.contained[0]", RULE),
    "a resource in parameters in a resource": (
        observation(hasMember=[{"reference": "#b"}], contained=[
            {"resourceType": "Parameters", "id": "b", "parameter": [{"name": "a", "resource": patient()}]}]),
        "Observation.contained[0]", RULE),
    "mistake in a contained resource": (
        observation(subject={"reference": "#p"}, contained=[patient("p", gender="x")]),
        "Observation.contained[0].gender", CODE),
    # --- types of resources
    "no such type": (observation(resourceType="Observations"), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "type of R5": (observation(resourceType="Transport"), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "abstract type": (observation(resourceType="DomainResource"), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "data type": (observation(resourceType="Quantity"), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "no type": (observation(resourceType=None), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "type that is no text": (observation(resourceType=["Observation"]), "resource.resourceType", Reason.TYPE_UNKNOWN),
    "contained without type": (
        observation(contained=[{"id": "a"}]), "Observation.contained[0].resourceType", Reason.TYPE_UNKNOWN),
    "contained that is no object": (
        observation(contained=["a"]), "Observation.contained[0].resourceType", Reason.TYPE_UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_each_mistake_is_found_at_its_place(name):
    resource, where, reason = BAD[name]
    found = issues(resource)
    assert found[:1] == [(where, reason)], found


NARRATIVES = {
    "script": "<script>a()</script>",
    "handler": '<p onclick="a()">a</p>',
    "frame": '<iframe src="https://x.example"/>',
    "form": "<form><input/></form>",
    "link that runs": '<a href="javascript:a()">a</a>',
    "link that runs, hidden": '<a href=" JavaScript:a()">a</a>',
    "image from elsewhere": '<img src="https://x.example/a.png" alt="a"/>',
    "image of a script": '<img src="data:text/html,a" alt="a"/>',
    "style that loads": '<p style="background: URL(https://x.example)">a</p>',
    "style that escapes": r'<p style="background: u\72l(https://x.example)">a</p>',
    "style sheet": "<style>a</style>",
    "other namespace": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "not closed": "<p>a",
    "entity": "<p>&nbsp;</p>",
    "instruction": "<?a b?>a",
    "deep": "<p>" * 200 + "a" + "</p>" * 200,
    "nothing to read": "<p> </p>",
    "data section": "<![CDATA[<script>]]>a",
}


@pytest.mark.parametrize("name", NARRATIVES)
def test_narratives_hold_text_alone(name):
    resource = patient(text={"status": "generated", "div": DIV.format(NARRATIVES[name])})
    assert issues(resource) == [("Patient.text.div", VALUE)]


@pytest.mark.parametrize(
    "div",
    [
        "<div>a</div>",
        "<p>a</p>",
        DIV.format("a") * 2,
        '<!DOCTYPE div [<!ENTITY a "b">]>' + DIV.format("&a;"),
        DIV.format("a") + "<script/>",
        "",
        7,
    ],
)
def test_a_narrative_is_one_division(div):
    assert issues(patient(text={"status": "generated", "div": div}))[0][0] == "Patient.text.div"


def test_images_from_within_and_links_to_the_web_pass():
    inner = '<a href="https://x.example">a</a><img src="#i" alt="b"/><img src="data:image/png;base64,AA=="/>'
    assert issues(patient(text={"status": "generated", "div": DIV.format(inner)})) == []


def test_the_first_mistakes_are_told_and_no_more():
    many = patient(name=[{"family": 1} for _ in range(50)])
    assert len(issues(many)) == 20
    assert len(check(many, Limits(issues_max=3)).issues) == 3
    both = issues(observation(status="x", code=None))
    assert both == [("Observation.status", CODE), ("Observation.code", MISSING)]


def test_depth_is_bounded():
    deep = {"url": "a", "valueString": "b"}
    for _ in range(60):
        deep = {"url": "a", "extension": [deep]}
    assert issues(patient(extension=[deep]))[0][1] is Reason.LIMIT_EXCEEDED
    assert check(patient(extension=[deep]), Limits(depth_max=70)).issues == []


def test_references_are_collected_wherever_they_stand():
    resource = observation(
        contained=[patient("p", generalPractitioner=[{"reference": "Practitioner/9"}])],
        performer=[{"reference": "#p"}],
        extension=[{"url": "urn:a", "valueReference": {"reference": "Patient/7"}}],
        component=[component("1", 1) | {"extension": [{"url": "urn:b", "valueReference": {"display": "c"}}]}],
    )
    found = {each.path: each.kind for each in check(resource).found}
    assert found == {
        "subject": "Patient",
        "performer": "",
        "contained.generalPractitioner": "Practitioner",
        "extension.valueReference": "Patient",
        "component.extension.valueReference": "",
    }


def test_a_part_is_checked_where_it_stands():
    root = ((None, "Bundle", -1), "entry", 3)
    found = check({"resource": observation(status="x")}, root=root, part="Bundle.entry").issues
    assert found[0].where == "Bundle.entry[3].resource.status"


@pytest.mark.parametrize("kind", sorted(tables.resource_types()))
def test_every_resource_type_has_a_definition(kind):
    node = nodes.resource_node(kind)
    assert node.fields["id"].kind == "string"
    assert check({"resourceType": kind, "id": "a b"}).issues[0].where.startswith(kind)
    required = {row.path for row in tables.elements_of(kind) if row.count in "1+" and "." not in row.path}
    missing = {i.where.partition(".")[2] for i in check({"resourceType": kind, "language": "en"}).issues}
    assert required <= missing or not required


def test_definitions_are_those_of_4_0_1():
    assert len(tables.resource_types()) == 146
    assert tables.codes_of("observation-status") == frozenset(
        [
            "registered",
            "preliminary",
            "final",
            "amended",
            "corrected",
            "cancelled",
            "entered-in-error",
            "unknown",
        ]
    )
    assert nodes.part_node("Questionnaire.item").fields["item"].node is nodes.part_node("Questionnaire.item")
    assert "Patient" in nodes.resource_node("Observation").fields["subject"].targets


# --- each guard is what refuses: without it the same resource passes


def test_without_its_rules_a_broken_resource_passes(monkeypatch):
    resource = observation(component=None, valueString="a", dataAbsentReason={"text": "b"})
    assert issues(resource)
    monkeypatch.setattr(nodes.resource_node("Observation"), "rules", ())
    monkeypatch.setattr(nodes.resource_node("Observation"), "settled", {})
    assert issues(resource) == []


def test_without_the_look_at_targets_any_reference_passes(monkeypatch):
    resource = observation(subject={"reference": "Practitioner/1"})
    assert issues(resource)
    monkeypatch.setattr(checker, "_reference", lambda *_: None)
    assert issues(resource) == []


def test_without_the_look_at_contained_resources_they_pass(monkeypatch):
    resource = observation(contained=[patient("p")])
    assert issues(resource)
    monkeypatch.setattr(checker, "contained", lambda *_: ())
    assert issues(resource) == []


def test_checking_changes_nothing():
    for resource, *_ in [*BAD.values(), *((value,) for value in GOOD.values())]:
        before = copy.deepcopy(resource)
        check(resource)
        assert resource == before


def test_example_resources_are_json():
    assert orjson.loads(orjson.dumps(changed(patient(), active=True)))["active"] is True
