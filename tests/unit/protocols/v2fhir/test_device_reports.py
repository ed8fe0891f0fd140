"""PCD-01 to FHIR: containment, equipment, values, flags and times of a device's report."""

from __future__ import annotations

import json

import pytest
from tests.v2fhir import OUTGOING, Round, device, mistakes

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import bundle, mappable, observation, to_fhir, units

HEAD = "MSH|^~\\&|||||20210709113324+0200||ORU^R01^ORU_R01|1|P|2.6"
OBR = "OBR|1||||||20210709113000+0200"
MDS = "OBX||| 69965^MDC_MON^MDC|1.0.0.0|||||||X|||||||0123456789ABCDEF^^0123456789ABCDEF^EUI-64".replace(
    " ", ""
)
RATE = "OBX||NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|40-120||||R"


def mapped(*segments: str, head: str = HEAD) -> list[dict]:
    """Map a message; give the resources."""
    out = to_fhir(decode("\r".join([head, *segments]).encode() + b"\r"), OUTGOING)
    assert mistakes(out) == []
    return [entry["resource"] for entry in json.loads(out)["entry"]]


def one(type_: str, *segments: str, head: str = HEAD) -> dict:
    """Give the only resource of a type."""
    (found,) = [each for each in mapped(*segments, head=head) if each["resourceType"] == type_]
    return found


def row(datatype: str, value: str, **fields: str) -> dict:
    """Map one OBX to its Observation; ``f6="…"`` sets a field."""
    parts = {"f2": datatype, "f3": "8867-4^Heart rate^LN", "f5": value, "f11": "F", **fields}
    count = max(int(key[1:]) for key in parts)
    text = "|".join(["OBX", *(parts.get(f"f{n}", "") for n in range(1, count + 1))])
    return one("Observation", OBR, text)


def test_levels_metrics_and_observations_hang_together():
    resources = {f"{each['resourceType']}/{each['id']}": each for each in map_device()}
    devices = [each for each in resources.values() if each["resourceType"] == "Device" and "type" in each]
    assert [each["type"]["coding"][0]["code"] for each in devices] == ["69965", "69966", "69967"]
    channel = devices[2]
    assert resources[channel["parent"]["reference"]] is devices[1]
    assert resources[devices[1]["parent"]["reference"]] is devices[0]
    assert devices[0]["identifier"] == [
        {"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": "0123456789ABCDEF"}
    ]
    rate = next(each for each in resources.values() if each.get("valueQuantity", {}).get("value") == 72)
    metric = resources[rate["device"]["reference"]]
    assert metric["resourceType"] == "DeviceMetric"
    assert resources[metric["parent"]["reference"]] is channel
    assert metric["category"] == "measurement"
    assert metric["unit"]["coding"][0]["code"] == "264864"
    assert rate["valueQuantity"] == {
        "value": 72,
        "unit": "/min",
        "system": "http://unitsofmeasure.org",
        "code": "/min",
    }


def map_device() -> list[dict]:
    """Map the report of ``tests.v2fhir``."""
    return [entry["resource"] for entry in json.loads(to_fhir(device(full=False), OUTGOING))["entry"]]


def test_what_has_equipment_has_the_same_id_in_every_message():
    def ids(head: str) -> set[str]:
        return {
            f"{r['resourceType']}/{r['id']}"
            for r in mapped(MDS, RATE, head=head)
            if r["resourceType"] != "Observation"
        }

    assert ids(HEAD) == ids(HEAD.replace("20210709", "20220809"))
    assert not any(OUTGOING.lower() in each for each in ids(HEAD))
    bare = MDS.rpartition("|")[0]
    assert all(OUTGOING.lower() in each["id"] for each in mapped(bare, RATE))


def test_the_quick_way_says_what_the_long_way_says(monkeypatch):
    rows = [RATE.replace("|72|", f"|{value}|") for value in ("72", "72.50", "-1", "0", "1e5", "+3", "007")]
    rows += [RATE.replace("1.1.1.1", f"1.1.1.{n}") + f"|||2021070911{n}000+0200" for n in range(1, 6)]
    message = decode("\r".join([HEAD, MDS, OBR, *rows, *rows, "NTE|1||noted"]).encode() + b"\r")
    quick = [json.loads(to_fhir(message, OUTGOING)) for _ in range(2)]
    assert to_fhir(message, OUTGOING) == to_fhir(message, OUTGOING)
    monkeypatch.setattr(
        bundle.quick, "add", lambda fields, r, scope, **_: observation.add_row(fields, r, scope)
    )
    assert quick == [json.loads(to_fhir(message, OUTGOING))] * 2


def test_no_value_and_no_name_is_kept_between_messages():
    bundle.quick._forms.clear()
    mapped("PID|||97100001||Secret^Name", MDS, OBR, RATE.replace("|72|", "|98.1234|"))
    kept = repr([(key, form.said, form.unit, form.metrics) for key, form in bundle.quick._forms.items()])
    assert bundle.quick._forms
    assert not any(word in kept for word in ("97100001", "Secret", "98.1234", "Patient/", "2021"))


@pytest.mark.parametrize(
    ("datatype", "value", "element", "json_"),
    [
        ("NM", "98.60", "valueQuantity", {"value": 98.6, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}),
        ("SN", ">^100", "valueQuantity", {"value": 100, "comparator": ">", "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}),
        ("ST", "on~off", "valueString", "on\noff"),
        ("TX", "a\\.br\\b \\T\\ c", "valueString", "a\nb & c"),
        ("CWE", "A^Text^L", "valueCodeableConcept", {"coding": [{"system": "urn:oathward:v2-0396:L", "code": "A", "display": "Text"}]}),
        ("DT", "202107", "valueDateTime", "2021-07"),
        ("DTM", "20210709113324.5-0330", "valueDateTime", "2021-07-09T11:33:24.5-03:30"),
        ("DTM", "20210709113324", "valueDateTime", "2021-07-09T11:33:24+02:00"),
        ("TM", "113324", "valueTime", "11:33:24"),
        ("NM", "<5", "valueString", "<5 %"),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_its_element(datatype, value, element, json_):
    assert row(datatype, value, f6="%")[element] == json_


def test_digits_are_kept_as_they_were_written():
    raw = f"{HEAD}\rOBX||NM|1^c^LN||98.60|||||F\r".encode()
    assert b'"value":98.60' in to_fhir(decode(raw), OUTGOING)


def test_a_waveform_has_its_samples_and_the_time_between_them():
    wave = next(each for each in map_device() if "valueSampledData" in each)
    assert wave["valueSampledData"]["data"] == "1 2 E -3"
    assert wave["valueSampledData"]["period"] == 2
    assert wave["valueSampledData"]["origin"]["code"] == "mV"


def test_a_picture_is_an_attachment_and_odd_base64_is_text():
    extension = row("ED", "^image^jpeg^Base64^QUJD")["extension"][0]
    assert extension["valueAttachment"]["contentType"] == "image/jpeg"
    assert extension["valueAttachment"]["data"] == "QUJD"
    assert "valueString" in row("ED", "^image^jpeg^Base64^***")


@pytest.mark.parametrize(
    ("flag", "status", "reason"),
    [("NAV", "X", "temp-unknown"), ("OFF", "X", "not-performed"), ("INV", "X", "error"), ("", "N", "not-asked"), ("", "F", "unknown")],
)  # fmt: skip
def test_what_has_no_value_says_why(flag, status, reason):
    assert row("NM", "", f8=flag, f11=status)["dataAbsentReason"]["coding"][0]["code"] == reason


def test_flags_are_codes_and_labels():
    found = row("NM", "1", f8="H~QUES~odd")
    assert [
        each.get("coding", [{}])[0].get("code", each.get("text")) for each in found["interpretation"]
    ] == ["H", "questionable", "odd"]
    assert found["meta"]["security"][0]["code"] == "UNCERTREL"


@pytest.mark.parametrize(
    ("status", "fhir", "beside"), [("R", "preliminary", False), ("P", "preliminary", True), ("F", "final", False), ("C", "corrected", False), ("W", "entered-in-error", True), ("Z", "unknown", True), ("", "unknown", False)]
)  # fmt: skip
def test_status_is_by_the_table_and_loses_no_code(status, fhir, beside):
    found = row("NM", "1", f11=status)
    assert found["status"] == fhir
    assert ("_status" in found) == beside


@pytest.mark.parametrize(
    ("code", "ucum"),
    [("264864", "/min"), ("266016", "mm[Hg]"), ("262688", "%"), ("268192", "Cel"), ("266418", "mV"), ("263762", "mL"),
     ("265266", "mL/h"), ("264338", "ms"), ("262656", "1"), ("1", ""), ("999999", ""), ("x", "")],
)  # fmt: skip
def test_units_of_the_nomenclature_are_ucum(code, ucum):
    assert units.ucum_of(code) == ucum


def test_units_nobody_knows_are_not_remembered_without_end():
    units._ucum.cache_clear()
    for n in range(5_000):
        units.ucum_of(f"x{n}")
        units.ucum_of(f"{n}")
    assert units._ucum.cache_info().currsize <= 4_096


def test_times_come_from_the_row_else_from_the_report():
    assert row("NM", "1")["effectiveDateTime"] == "2021-07-09T11:30:00+02:00"
    assert row("NM", "1", f14="20210709")["effectiveDateTime"] == "2021-07-09"
    period = one("Observation", OBR + "|20210709113100+0200", "OBX||NM|1^c^LN||1|||||F")["effectivePeriod"]
    assert period == {"start": "2021-07-09T11:30:00+02:00", "end": "2021-07-09T11:31:00+02:00"}


def test_a_time_without_a_zone_is_the_day_and_itself_beside_it():
    head = HEAD.replace("+0200", "")
    found = one("Observation", "OBX||DTM|1^c^LN||20210709113324||||||F", head=head)
    assert found["valueDateTime"] == "2021-07-09"
    assert found["_valueDateTime"]["extension"][0]["valueString"] == "20210709113324"


def test_a_test_message_says_so_in_every_resource():
    resources = mapped(MDS, OBR, RATE, head=HEAD.replace("|P|", "|T|"))
    assert all(each["meta"]["security"][-1]["code"] == "HTEST" for each in resources)


@pytest.mark.parametrize(("code", "trigger"), [("ORU", "R30"), ("ADT", "A43"), ("ORM", "O01"), ("ACK", "")])
def test_what_has_no_mapping_is_refused(code, trigger):
    assert not mappable(code, trigger)
    with pytest.raises(OathwardError) as refused:
        to_fhir(decode(f"MSH|^~\\&|||||||{code}^{trigger}|1|P|2.6\rPID|||1\r".encode()), OUTGOING)
    assert refused.value.reason is Reason.MAPPING_UNSUPPORTED


def test_nothing_left_to_map_is_refused():
    with pytest.raises(OathwardError) as refused:
        to_fhir(decode(HEAD.encode() + b"\rZZZ|1\r"), OUTGOING)
    assert refused.value.reason is Reason.MAPPING_UNSUPPORTED


def test_a_report_with_everything_comes_back():
    assert Round().take(device()).wrong == []
