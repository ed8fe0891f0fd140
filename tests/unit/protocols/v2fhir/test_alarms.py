"""PCD-04 to FHIR: an alert is one Observation, and its attributes are components as long as they are the event's."""

from __future__ import annotations

import json

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.v2fhir import ALERT, EUI, FACETS, MDS, OUTGOING, Round, alarm, mistakes

from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.v2fhir import alerts, to_fhir

HEAD = "MSH|^~\\&|||||20210709113324+0200||ORU^R40^ORU_R40|1|P|2.6"
PATIENT = "PID|||1^^^H^MR"
ORDER = "OBR|1|||196616^MDC_EVT_ALARM^MDC|||20210709113324+0200"
DEVICE = f"OBX||| {MDS}|1.0.0.0|||||||X|||||||{EUI}".replace(" ", "")
EVENT = f"OBX||ST|{ALERT}|1.1.1.1|CO2 sensor unplugged||||||F"


def row(facet: int, place: str = "1.1.1.2", tail: str = "||||||F") -> str:
    code, datatype, value = FACETS[facet]
    return f"OBX||{datatype}|{code}|{place}|{value}{tail}"


def mapped(*rows: str) -> list[dict]:
    """Map an alarm; give the resources, after the way back was checked."""
    message = decode("\r".join([HEAD, PATIENT, ORDER, DEVICE, *rows, ""]).encode())
    bundle = to_fhir(message, OUTGOING)
    assert mistakes(bundle) == []
    assert Round().take(message).wrong == []
    return [entry["resource"] for entry in json.loads(bundle)["entry"]]


def observations(*rows: str) -> list[dict]:
    return [one for one in mapped(*rows) if one["resourceType"] == "Observation"]


def codes(of: dict) -> list[str]:
    return [one["code"]["coding"][0]["display"] for one in of.get("component", ())]


def test_an_alert_is_one_observation_with_its_attributes():
    resources = mapped(EVENT, *(row(n, f"1.1.1.{n + 2}") for n in range(len(FACETS))))
    (alert,) = [one for one in resources if one["resourceType"] == "Observation"]
    assert alert["code"]["coding"][0]["code"] == "196916"
    assert (alert["valueString"], alert["status"]) == ("CO2 sensor unplugged", "final")
    assert alert["effectiveDateTime"] == "2021-07-09T11:33:24+02:00"
    assert codes(alert) == [code.split("^")[1] for code, _, _ in FACETS]
    assert alert["component"][0]["valueQuantity"] == {"value": 42}
    assert [one["valueString"] for one in alert["component"][1:4]] == ["start", "active", "enabled"]
    (device,) = [one for one in resources if one["resourceType"] == "Device"]
    assert alert["device"] == {"reference": f"Device/{device['id']}"}
    assert not any(one["resourceType"] == "DeviceMetric" for one in resources), "an alert measures nothing"
    (report,) = [one for one in resources if one["resourceType"] == "DiagnosticReport"]
    assert report["result"] == [{"reference": f"Observation/{alert['id']}"}]
    assert report["code"]["coding"][0]["display"] == "MDC_EVT_ALARM"


@pytest.mark.parametrize(
    "other",
    [
        row(1, tail="||||||R"),
        row(1, place="1.1.2.2"),
        row(1, tail="||||||F|||20210709113300+0200"),
        row(1, tail="||||||F||||17"),
        row(1, tail=f"||||||F|||||||{EUI}2"),
        row(1, tail="|||INV|||F"),
        row(1, tail="||||||F|||||||||body"),
        row(1).replace("|start|", "|start~again|"),
        row(1).replace("MDC_ATTR_EVENT_PHASE", "MDC_PULS_RATE"),
        f"{row(1)}\rNTE|1||a note",
    ],
    ids=["status", "place", "time", "person", "device", "flag", "site", "twice", "measured", "note"],
)
def test_an_attribute_that_says_more_than_a_component_could_stands_by_itself(other):
    first, *others = observations(EVENT, row(0), other, row(2, "1.1.1.4"))
    assert codes(first) == ["MDC_ATTR_ALERT_SOURCE"]
    assert len(others) >= 1, "and nothing behind it comes before it"


def test_every_event_has_its_own_attributes():
    second = EVENT.replace("1.1.1.1", "1.2.1.1")
    one, two = observations(EVENT, row(0), second, row(1, "1.2.1.2"))
    assert (codes(one), codes(two)) == (["MDC_ATTR_ALERT_SOURCE"], ["MDC_ATTR_EVENT_PHASE"])


def test_an_attribute_without_a_value_says_why_and_one_with_a_unit_keeps_it():
    empty, timeout = (
        row(1).replace("|start|", "||"),
        "OBX||NM|67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC|1.1.1.3|5|264320^MDC_DIM_SEC^MDC|1-9||||F",
    )
    (alert,) = observations(EVENT, empty, timeout)
    absent, quantity = alert["component"]
    assert absent["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert (quantity["valueQuantity"]["code"], quantity["referenceRange"][0]["high"]["value"]) == ("s", 9)


def test_an_attribute_without_an_event_is_an_observation():
    assert [codes(one) for one in observations(row(0), row(1))] == [[], []]


def test_an_alert_about_what_is_not_a_measurement_has_the_same_id_whoever_sends_it():
    one, two = (to_fhir(alarm(), OUTGOING, creates=creates) for creates in (True, False))
    assert one.replace(b',"ifNoneMatch":"*"', b"") == two


def test_reverse_an_attribute_folded_in_though_it_says_more_is_lost(monkeypatch):
    monkeypatch.setattr(alerts, "_belongs", lambda *_: True)
    message = decode("\r".join([HEAD, PATIENT, ORDER, EVENT, row(1, tail="||||||R"), ""]).encode())
    assert any("another value comes back" in wrong for wrong in Round().take(message).wrong)


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("name", ["PCD04_alarm", "PCD04_watchdog"])
def test_real_alarms_are_mapped_and_mapped_back(name):
    raw = (CORPUS / "hl7v2" / "ihe-pcd-acm-draeger" / f"{name}.txt").read_bytes()
    message = decode(raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").replace(b"\r\r", b"\r"))
    bundle = to_fhir(message, OUTGOING)
    assert mistakes(bundle) == []
    assert Round().take(message).wrong == []
    found = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    (alert,) = [one for one in found if one["resourceType"] == "Observation"]
    assert codes(alert)[:2] == ["MDC_ATTR_ALERT_SOURCE", "MDC_ATTR_EVENT_PHASE"]
    assert len(codes(alert)) in {6, 7}
