"""HL7 v2, DICOM and FHIR on any port: who speaks, which device, which classes stood in clear; never a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

CLIENT, SERVER = ("address", write.CLIENT), ("address", write.SERVER)
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": "Zzyzx", "given": ["Quentin"]}],
    "birthDate": "1970-01-02",
}
SECRETS = ("Zzyzx", "ZZYZX", "QUENTIN", "Quentin", "MRN-4711", "19700102", "1970-01-02", "s3cret-word")


def talk(*said, port=2_575, **more):
    """A connection in which (side, bytes) are said, read whole."""
    one = write.Talk(port=port, **more)
    for side, data in said:
        one.say(side, data)
    return whole(write.pcap(one.end().frames))


@pytest.mark.parametrize("port", [2_575, 6_661, 443, 50_123])
def test_hl7_names_both_applications_and_the_device_on_any_port(port):
    found = talk((0, write.mllp(write.HL7_MESSAGE)), (1, write.mllp(write.HL7_ACK)), port=port)
    assert found.services == ["hl7"]
    sender = next(
        one
        for one in found.of("pcap.hl7")
        if ("application", "PUMP|ICU") in {(m.kind.value, m.value) for m in one.marks}
    )
    assert {(mark.kind.value, mark.value) for mark in sender.marks} == {CLIENT, ("application", "PUMP|ICU")}
    assert ("application", "GW|HOSP") in found.marks("pcap.hl7")
    assert {("hl7-version", "2.6"), ("hl7-profile", "IHE_PCD_001")} <= found.facts("pcap.hl7")


def test_equipment_is_the_sender_where_it_says_so_and_behind_it_elsewhere():
    found = talk((0, write.mllp(write.HL7_MESSAGE)))
    by_number = {
        mark.value: one for one in found.of("pcap.hl7") for mark in one.marks if mark.kind == "eui64"
    }
    own, other = by_number["0003b10000000001"], by_number["0003b1000000beef"]
    assert not own.behind
    assert write.CLIENT in {mark.value for mark in own.marks}
    assert [mark.value for mark in other.behind] == [write.CLIENT]
    assert write.CLIENT not in {mark.value for mark in other.marks}


@pytest.mark.parametrize(
    ("segment", "mark"),
    [
        (
            b"OBX|1|ST|69986^MDC_UDI^MDC||(01)00844588003288(21)A7||||||R\r",
            ("udi", "(01)00844588003288(21)A7"),
        ),
        (b"PRT|1|AD||EQUIP||||||0003B10000000777^^0003B10000000777^EUI-64\r", ("eui64", "0003b10000000777")),
        (b"PRT|1|AD||EQUIP||||||X||||||00844588003288|||LOT1|S77\r", ("udi", "(01)00844588003288(21)S77")),
        (b"PRT|1|AD||EQUIP||||||(01)00844588003288(10)L5^^^UDI\r", ("udi", "(01)00844588003288(10)L5")),
        (b"OBX|1|NM|1^X^L||5|||||||||||||7788^INFUSOMAT\r", ("serial", "infusomat|7788")),
    ],
)
def test_identifiers_of_equipment_in_each_place(segment, mark):
    head = b"MSH|^~\\&|GATE|ICU|GW|HOSP|20260101120000||ORU^R01^ORU_R01|77|P|2.8\r"
    assert mark in talk((0, write.mllp(head + segment))).marks("pcap.hl7")


@pytest.mark.parametrize(
    "segment",
    [
        b"OBX|1|TX|AUDIOLOGY^Audiology report^L||Anna Mustermann hears nothing||||||F\r",
        b"OBX|1|TX|STUDIES^Prior studies^L||12345670||||||F\r",
        b"OBX|1|ST|69986^MDC_UDI^MDC||(01)Anna Mustermann||||||R\r",
        b"OBX|1|NM|1^X^L||5|||||||||||||Anna Mustermann^UDI\r",
        b"PRT|1|AD||EQUIP||||||X||||||Anna Mustermann||||77\r",
    ],
)
def test_what_stands_where_a_udi_is_expected_and_is_none_is_not_kept(segment):
    head = b"MSH|^~\\&|GATE|ICU|GW|HOSP|20260101120000||ORU^R01^ORU_R01|77|P|2.8\r"
    found = talk((0, write.mllp(head + segment)))
    assert not {kind for kind, _ in found.marks("pcap.hl7")} & {"udi", "serial"}
    assert "Anna" not in repr(found)
    assert "12345670" not in repr(found)


def test_a_server_that_sends_is_known_by_its_first_message_where_no_syn_was_seen():
    found = talk(
        (1, write.mllp(write.HL7_MESSAGE)),
        (0, write.mllp(write.HL7_ACK)),
        begin=False,
        source=40_000,
        port=50_000,
    )
    assert found.flows[0]["server"] == write.CLIENT


def test_classes_in_clear_are_counted_and_no_value_is_anywhere():
    found = talk((0, write.mllp(write.HL7_MESSAGE)), (0, write.mllp(write.HL7_MESSAGE)))
    (clear,) = found.clear
    assert (clear.service, clear.server, clear.port) == ("hl7", write.SERVER, 2_575)
    assert clear.classes["patient.name"] == 4
    assert clear.classes["patient.birth-date"] == 2
    assert clear.classes["observation.value"] >= 4
    assert not any(secret in repr(found) for secret in SECRETS)


def test_reverse_a_message_without_a_patient_has_no_patients_classes():
    (clear,) = talk((0, write.mllp(write.HL7_ACK))).clear
    assert not [cls for cls in clear.classes if cls.startswith("patient.")]


def test_a_broken_message_is_refused_and_the_next_is_read():
    broken = write.HL7_MESSAGE.replace(b"|ORU^R01^ORU_R01|", b"||")
    found = talk((0, write.mllp(broken) + b"junk" + write.mllp(write.HL7_MESSAGE)))
    assert sum(found.refused.values()) == 1
    assert found.clear[0].classes["patient.name"] == 2


def test_a_frame_without_an_end_is_given_up_at_its_bound(monkeypatch):
    monkeypatch.setattr("oathward.discovery.packets.heads.hl7.FRAME_BYTES_MAX", 5_000)
    found = talk((0, b"\x0bMSH|" + b"x" * 20_000), (0, b"\x1c\r" + write.mllp(write.HL7_MESSAGE)))
    assert found.refused[("observation.size", "hl7")] >= 1
    assert found.clear[0].classes["patient.name"] == 2


# --- DICOM


def association(*stored, station=b"CT01", port=11_112, syntax=b"1.2.840.10008.1.2.1"):
    said = [(0, write.dicom_associate(1, syntax=syntax)), (1, write.dicom_associate(2, syntax=syntax))]
    return talk(*said, *((0, data) for data in stored or (write.dicom_store(station),)), port=port)


@pytest.mark.parametrize("port", [104, 11_112, 50_123])
def test_dicom_names_both_titles_the_implementation_and_what_is_stored(port):
    found = association(port=port)
    assert found.services == ["dicom"]
    assert {CLIENT, SERVER, ("ae-title", "CT01"), ("ae-title", "ARCHIVE")} <= found.marks("pcap.dicom")
    facts = {
        ("implementation", "1.2.3.4.5"),
        ("implementation-version", "MADEUP_12"),
        ("sop-class", "1.2.840.10008.5.1.4.1.1.2"),
    }
    assert facts <= found.facts("pcap.dicom")
    device = {
        ("make", "Acme Imaging"),
        ("model", "Scan 9"),
        ("serial", "SN-123"),
        ("firmware", "VA40"),
        ("host", "CT01"),
        ("modality", "CT"),
    }
    assert device <= found.facts("pcap.dicom")
    assert ("serial", "acme imaging|sn-123") in found.marks("pcap.dicom")


def test_a_title_that_was_only_called_is_no_mark_of_the_server():
    found = talk((0, write.dicom_associate(1)), port=104)
    assert ("ae-title", "ARCHIVE") not in found.marks("pcap.dicom")
    assert ("ae-title", "ARCHIVE") in found.facts("pcap.dicom")


def test_an_archive_that_forwards_is_not_the_device():
    own = [one for one in association().of("pcap.dicom") if any(mark.kind == "serial" for mark in one.marks)]
    forwarded = [
        one
        for one in association(station=b"MR77").of("pcap.dicom")
        if any(mark.kind == "serial" for mark in one.marks)
    ]
    assert [one.behind for one in own] == [()]
    assert [[mark.value for mark in one.behind] for one in forwarded] == [[write.CLIENT]]


def test_several_objects_are_each_read_and_pixels_stepped_over():
    found = association(*(write.dicom_store(serial=b"SN-%d" % n, pixels=200_000) for n in range(5)))
    assert {("serial", f"acme imaging|sn-{n}") for n in range(5)} <= found.marks("pcap.dicom")
    (clear,) = found.clear
    assert clear.classes["patient.name"] == 5
    assert clear.classes["patient.identifier"] == 5
    assert not found.refused


def test_no_value_of_a_patient_is_in_what_dicom_gave():
    assert not any(secret in repr(association()) for secret in SECRETS)


@pytest.mark.parametrize(
    "pdu",
    [
        b"\x09\0\0\0\0\x04aaaa",
        b"\x04\0\0\0\0\x10\0\0\0\xff\x01\x02" + b"x" * 20,
        b"\x01\0\xff\xff\xff\xff" + bytes(80),
    ],
)
def test_pdus_that_lie_end_the_look_and_are_counted(pdu):
    found = talk((0, write.dicom_associate(1)), (0, pdu), (0, write.dicom_store()), port=104)
    assert sum(found.refused.values()) == 1


@given(st.integers(0, 800), st.binary(min_size=1, max_size=6))
def test_any_change_in_an_association_is_survived(at, changed):
    data = bytearray(write.dicom_associate(1) + write.dicom_store(pixels=100))
    data[at : at + len(changed)] = changed
    talk((0, bytes(data)), port=104)


# --- FHIR, and what nobody recognises


def http(body: bytes, *, kind=b"application/fhir+json", chunked=False) -> bytes:
    if chunked:
        parts = [body[at : at + 100] for at in range(0, len(body), 100)]
        coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        return (
            b"POST /fhir/Patient HTTP/1.1\r\nHost: ehr.example\r\nUser-Agent: pump/1\r\nTransfer-Encoding: chunked\r\nContent-Type: "
            + kind
            + b"\r\n\r\n"
            + coded
        )
    return (
        b"POST /fhir/Patient HTTP/1.1\r\nHost: ehr.example:80\r\nUser-Agent: pump/1\r\nContent-Length: %d\r\nContent-Type: "
        % len(body)
        + kind
        + b"\r\n\r\n"
        + body
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_a_resource_over_http_is_counted_by_class(chunked):
    found = talk(
        (0, http(json.dumps(PATIENT).encode(), chunked=chunked)),
        (1, b"HTTP/1.1 201 Created\r\nServer: box/2\r\nContent-Length: 0\r\n\r\n"),
        port=8_080,
    )
    (clear,) = found.clear
    assert clear.service == "fhir"
    assert clear.classes["patient.name"] == 2
    assert clear.classes["patient.birth-date"] == 1
    assert found.facts("pcap.http") == {("user-agent", "pump/1"), ("server-software", "box/2")}
    assert found.flows[0]["server_name"] == "ehr.example"
    assert not any(secret in repr(found) for secret in SECRETS)


def test_bundles_are_counted_resource_by_resource_and_devices_named():
    device = {
        "resourceType": "Device", "manufacturer": "Acme", "modelNumber": "P1", "serialNumber": "77",
        "udiCarrier": [{"carrierHRF": "(01)00844588003288(21)77"}], "version": [{"value": "3.2"}],
    }  # fmt: skip
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": PATIENT}, {"resource": device}, {"resource": {"resourceType": "Nothing"}}],
    }
    found = talk((0, http(json.dumps(bundle).encode())), port=8_080)
    assert {("udi", "(01)00844588003288(21)77"), ("serial", "acme|77")} <= found.marks("pcap.fhir")
    assert {("make", "Acme"), ("model", "P1"), ("firmware", "3.2")} <= found.facts("pcap.fhir")
    assert [mark.value for mark in found.of("pcap.fhir")[0].behind] == [write.CLIENT]
    assert found.clear[0].classes["patient.name"] == 2
    assert found.clear[0].classes["uncatalogued"] == 1
    assert sum(found.refused.values()) == 1


def test_several_requests_on_one_connection_are_each_read():
    body = json.dumps(PATIENT).encode()
    other = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n" + http(b"<html>" * 500, kind=b"text/html")
    found = talk((0, http(body) + other + http(body)), port=8_080)
    assert found.clear[0].classes["patient.name"] == 4


@pytest.mark.parametrize(
    ("payload", "service", "cls"),
    [
        (b"some header 1234" + write.HL7_MESSAGE, "hl7", "patient.name"),
        (b"framed anyhow!" + write.mllp(write.HL7_MESSAGE), "hl7", "patient.name"),
        (b"\x01\x02a private frame " + json.dumps(PATIENT).encode(), "fhir", "patient.name"),
        (b'a private frame {"resourceType": broken', "fhir", "uncatalogued"),
        (
            bytes(128) + b"DICM" + write.dicom_element(0x00100010, b"PN", b"ZZYZX^QUENTIN"),
            "dicom",
            "patient.name",
        ),
        (b"private  MSH|nothing of it", "hl7", "uncatalogued"),
    ],
)
def test_clear_data_is_found_where_nobody_knows_the_protocol(payload, service, cls):
    found = talk((0, payload), port=50_123)
    assert [clear.service for clear in found.clear] == [service]
    assert found.clear[0].classes[cls] >= 1
    assert not any(secret in repr(found) for secret in SECRETS)


def test_what_is_encrypted_or_ordinary_holds_nothing():
    assert talk((0, bytes(range(256)) * 40), port=50_123).clear == []


def test_the_search_ends(monkeypatch):
    monkeypatch.setattr("oathward.discovery.packets.clear.SEARCH_BYTES_MAX", 5_000)
    assert talk((0, b"x" * 10_000), (0, write.HL7_MESSAGE), port=50_123).clear == []


@given(
    st.binary(max_size=400),
    st.sampled_from(
        [
            b"\x0bMSH|",
            b"MSH|^~\\&|",
            b"\x01\0\0\0\0\x44\0\x01\0\0",
            b"\x16\x03\x01\0\x20\x01",
            b"POST / HTTP/1.1\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: a/json\r\n",
            b"\x10\x10\0\x04MQTT",
            b'{"resourceType":',
            b"DICM",
        ]
    ),
)
def test_any_bytes_behind_a_known_beginning_raise_nothing(data, begin):
    talk((0, begin + data), (1, begin + data), port=50_123)
