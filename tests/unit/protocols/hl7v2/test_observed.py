"""OBX-5 by OBX-2 and OBX-3."""

import pytest

from oathward.protocols.hl7v2 import codes
from oathward.protocols.hl7v2.escapes import USUAL
from oathward.protocols.hl7v2.shapes import shape_of

VALUE, NOTE = {"observation.value"}, {"note.text"}
LN, MDC, LOCAL = "8867-4^Heart rate^LN", "147842^MDC_ECG_HEART_RATE^MDC", "HR^Puls^L"


def mdc(name: str) -> str:
    return f"68480^{name}^MDC"


@pytest.mark.parametrize(
    ("datatype", "code", "value", "classes"),
    [
        ("NM", LN, "72", VALUE),
        ("NM", MDC, "72.5", VALUE),
        ("NM", LOCAL, "-0.5", VALUE),
        ("NM", LOCAL, "123456789", NOTE),  # as long as a social security number
        ("NM", LN, "123456789", VALUE),
        ("NM", LN, "72~73", VALUE),
        ("NM", LN, "seventy", NOTE),
        ("NM", LN, "72 Mr Smith", NOTE),
        ("NM", LN, '""', VALUE),
        ("SN", LN, ">^100", VALUE),
        ("SN", LN, "^1^:^128", VALUE),
        ("SN", LN, "^100^ of Smith", NOTE),
        ("NA", MDC, "1^2^3~4^5^6", VALUE),
        ("NA", MDC, "1^2^Smith", NOTE),
        ("CE", LN, "LA6576-8^^LN", VALUE),
        ("CE", LN, "LA6576-8^Positive^LN", {"note.text", "observation.value"}),
        ("CWE", LN, "27268008^^SCT", VALUE),
        ("CWE", LOCAL, "27268008^^SCT", VALUE),
        ("CWE", LOCAL, "27268008^Smith^SCT", {"note.text", "observation.value"}),
        ("CWE", MDC, "196616^MDC_EVT_ALARM^MDC", VALUE),
        ("CWE", LOCAL, "196616^MDC_EVT_ALARM^MDC", VALUE),
        ("CWE", LN, "SMITH^Smith^L", {"note.text", "observation.value"}),
        ("CWE", LN, "^free words", NOTE),
        ("CWE", mdc("MDC_PUMP_MODE"), "^pmode-continuous", VALUE),
        ("CWE", mdc("MDC_PUMP_MODE"), "^smith-john", NOTE),
        ("ST", LN, "72", NOTE),
        ("ST", mdc("MDC_ATTR_ALARM_PRIORITY"), "PH", VALUE),
        ("ST", mdc("MDC_ATTR_ALARM_PRIORITY"), "SMITH", NOTE),
        ("ST", mdc("MDC_ATTR_EVENT_PHASE"), "start", VALUE),
        ("ST", mdc("MDC_EVT_LO"), "continue", VALUE),
        ("ST", mdc("MDC_EVT_LO"), "low, call Smith", NOTE),
        ("ST", mdc("MDC_ATTR_ALERT_SOURCE"), "69837^MDC_DEV_X^MDC", VALUE),
        ("TX", LN, "He said ...", NOTE),
        ("FT", LN, "He said ...", NOTE),
        ("IS", LN, "X", NOTE),
        ("ED", LN, "^TEXT^^Base64^U01JVEg=", {"attachment"}),
        ("RP", LN, "https://x^^SD", {"attachment"}),
        ("XPN", LN, "SMITH^JOHN", {"patient.name"}),
        ("XCN", LN, "1^SMITH^JOHN", {"patient.identifier", "patient.name"}),
        ("CX", LN, "123^^^HOSP", {"patient.identifier"}),
        ("EI", LN, "123^X", {"patient.identifier"}),
        ("XAD", LN, "1 Main St^^Town", {"patient.address"}),
        ("XTN", LN, "555-1234", {"patient.contact"}),
        ("DTM", LN, "20260101", {"patient.time"}),
        ("TS", LN, "yesterday", NOTE),
        ("CQ", LN, "5^mL&&UCUM", VALUE),
        ("XYZ", LN, "1", NOTE),
        ("", MDC, "1", NOTE),
        ("", MDC, "", set()),
        # codes that name a person or a device speak louder than the datatype
        ("TS", "21112-8^Birth date^LN", "19480113", {"patient.birth-date"}),
        ("ST", "21112-8^Birth date^LN", "in January", NOTE),
        ("ST", "45394-4^Last name^LN", "SMITH", {"patient.name"}),
        ("NM", "45396-9^SSN^LN", "123456789", {"patient.identifier"}),
        ("NM", "L1^Age^L^30525-0^Age^LN", "44", {"patient.demographic"}),
        ("SN", "30525-0^Age^LN", "=^44", {"patient.demographic"}),
        ("CX", "76435-7^ID^LN", "123^^^HOSP", {"patient.identifier"}),
        ("CWE", "46098-0^Sex^LN", "F^F^HL70001", {"patient.demographic"}),
        ("CWE", "46098-0^Sex^LN", "F^Female^HL70001", {"patient.demographic", "note.text"}),
        ("ST", "74711-3^UDI^LN", "(01)00643169001763(21)A1", {"device.identity"}),
        ("ST", mdc("MDC_ATTR_PT_NAME_FAMILY"), "SMITH", {"patient.name"}),
        ("TS", mdc("MDC_ATTR_PT_DOB"), "19480113", {"patient.birth-date"}),
        ("ST", mdc("MDC_ATTR_PT_ID"), "123", {"patient.identifier"}),
        ("NM", mdc("MDC_ATTR_PT_WEIGHT"), "72", VALUE),
        ("ST", mdc("MDC_ID_PROD_SPEC_SERIAL"), "A1", {"device.identity"}),
        ("ST", mdc("MDC_ID_MODEL_NUMBER"), "Pump 3", {"device.type"}),
        ("ST", mdc("MDC_ID_MODEL_NUMBER"), "Pump of Smith, J.?", NOTE),
    ],
)
def test_values(datatype: str, code: str, value: str, classes: set[str]):
    shape = shape_of(f"OBX|1|{datatype}|{code}|1|{value}".encode(), USUAL)
    found = {leaf.cls for field in shape.fields if field.n == 5 for leaf in field.leaves}
    assert found == classes


def test_containment_has_a_code_and_no_value():
    shape = shape_of(b"OBX|1||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X", USUAL)
    assert shape.classes == {"structure", "observation.code"}


def test_without_the_list_of_persons_a_name_would_be_a_note_and_an_ssn_a_measurement(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(codes, "PERSONAL", {})
    shape = shape_of(b"OBX|1|NM|45396-9^SSN^LN|1|123456789", USUAL)
    assert "patient.identifier" not in shape.classes
    assert "observation.value" in shape.classes
