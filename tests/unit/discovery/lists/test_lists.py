"""What FHIR servers, NetBox, GUDID and makers give is read as it is meant; what is broken or hostile is refused by its place."""

import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists import fhir, gudid, mud, netbox, reading
from oathward.discovery.lists.items import items
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.reading import How, MayRule, Peer, Refused, Told, format_of
from oathward.discovery.model import Fact, Mark, MarkKind

HOW = How(realm="main", at_us=1_780_000_000_000_000, tag_system="https://house.example/tags")


def read(format_, *files, how=HOW):
    data = [one if isinstance(one, bytes) else orjson.dumps(one) for one in files]
    every = (one for n, raw in enumerate(data) for one in sources(f"{n}.x", io.BytesIO(raw)))
    return list(format_.read(every, how))


def told(found):
    return [one.what for one in found if isinstance(one, Told)]


def refused(found):
    return [(one.line, one.column, one.reason) for one in found if isinstance(one, Refused)]


# --- FHIR

DEVICE = {
    "resourceType": "Device",
    "id": "d1",
    "identifier": [
        {"system": "https://house.example/tags", "value": "4711"},
        {"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": "01-23-45-67-89-AB-CD-EF"},
        {"system": "http://hl7.org/fhir/sid/eui-48/ethernet", "value": "00-1B-C5-00-0A-1F"},
        {"system": "https://elsewhere.example", "value": "x"},
    ],
    "status": "active",
    "manufacturer": "Acme",
    "modelNumber": "P1",
    "serialNumber": "SN1",
    "udiCarrier": [{"carrierHRF": "(01)00012345678905(21)SN1"}],
    "version": [{"type": {"coding": [{"code": "531976"}]}, "value": "1.2"}, {"value": "app 3"}],
    "url": "https://[fd00::5]:8443/x",
    "location": {"reference": "Location/room"},
    "owner": {"reference": "Organization/o"},
    "patient": {"reference": "Patient/secret-patient"},
}
ROOM = {"resourceType": "Location", "id": "room", "name": "Room 3", "partOf": {"reference": "Location/ward"}}
WARD = {"resourceType": "Location", "id": "ward", "name": "West"}
OWNER = {"resourceType": "Organization", "id": "o", "name": "Cardiology"}
METRIC = {
    "resourceType": "DeviceMetric",
    "id": "m",
    "source": {"reference": "Device/d1"},
    "type": {"coding": [{"code": "147842", "display": "MDC_ECG_HEART_RATE"}]},
}
BUNDLE = {
    "resourceType": "Bundle",
    "entry": [{"resource": one} for one in (DEVICE, METRIC, ROOM, WARD, OWNER)],
    "type": "searchset",
}
NDJSON = b"\n".join(orjson.dumps(one) for one in (METRIC, DEVICE, WARD, ROOM, OWNER)) + b"\n"


@pytest.mark.parametrize("files", [(BUNDLE,), (NDJSON,), (WARD, DEVICE, METRIC, OWNER, ROOM)])
def test_a_fhir_device_is_said_with_its_place_owner_and_metrics(files):
    found = read(fhir.LIST, *files)
    assert refused(found) == []
    [said] = told(found)
    assert set(said.marks) == {
        Mark(MarkKind.TAG, "4711"),
        Mark(MarkKind.EUI64, "0123456789abcdef"),
        Mark(MarkKind.MAC, "00:1b:c5:00:0a:1f"),
        Mark(MarkKind.SERIAL, "acme|sn1"),
        Mark(MarkKind.UDI, "(01)00012345678905(21)SN1"),
        Mark(MarkKind.ADDRESS, "fd00::5"),
    }
    facts = {fact.attribute: fact.value for fact in said.facts}
    assert facts["location"] == "West / Room 3"
    assert facts["owner"] == "Cardiology"
    assert facts["measures"] == "147842 MDC_ECG_HEART_RATE"
    assert (facts["firmware"], facts["software"], facts["udi-di"]) == ("1.2", "app 3", "00012345678905")
    assert "secret-patient" not in repr(said)


def test_what_refers_to_itself_is_refused():
    around = {**WARD, "partOf": {"reference": "Location/room"}}
    assert refused(read(fhir.LIST, DEVICE, ROOM, around)) == [(1, "partOf", Reason.RULE_BROKEN)]
    one = {**DEVICE, "parent": {"reference": "Device/d2"}}
    two = {"resourceType": "Device", "id": "d2", "parent": {"reference": "Device/d1"}}
    assert [one[2] for one in refused(read(fhir.LIST, one, two))] == [Reason.RULE_BROKEN] * 2


def test_what_is_no_endpoint_is_told():
    part = {"resourceType": "Device", "id": "p", "parent": {"reference": "Device/d1"}}
    found = read(
        fhir.LIST,
        DEVICE,
        part,
        {"resourceType": "Patient", "id": "x"},
        {**DEVICE, "status": "entered-in-error"},
    )
    assert len(told(found)) == 1
    assert [one[1:] for one in refused(found)] == [
        ("resourceType", Reason.OBSERVED_UNKNOWN),
        ("Device", Reason.ELEMENT_MISSING),
        ("status", Reason.RULE_BROKEN),
    ]


# --- NetBox

NETBOX_DEVICE = {
    "id": 7,
    "name": "pump-1",
    "asset_tag": "4711",
    "serial": "SN1",
    "device_type": {"id": 1, "manufacturer": {"name": "Acme"}, "model": "P1"},
    "role": {"name": "Infusion pump"},
    "site": {"name": "North"},
    "status": {"value": "active", "label": "Active"},
    "primary_ip4": {"id": 1, "address": "10.0.0.5/24"},
}
INTERFACE = {
    "id": 70,
    "device": {"id": 7},
    "mac_address": "00:1B:C5:00:0A:1F",
    "untagged_vlan": {"name": "pumps"},
}
ADDRESS = {
    "id": 1,
    "family": {"value": 4},
    "address": "10.0.0.6/24",
    "assigned_object_type": "dcim.interface",
    "assigned_object_id": 70,
}


@pytest.mark.parametrize(
    "files",
    [
        ({"devices": [NETBOX_DEVICE], "interfaces": [INTERFACE], "ip_addresses": [ADDRESS]},),
        (
            {"count": 1, "results": [ADDRESS]},
            {"results": [INTERFACE], "next": None},
            {"results": [NETBOX_DEVICE]},
        ),
        ([NETBOX_DEVICE], [INTERFACE, ADDRESS]),
    ],
)
def test_a_device_of_netbox_has_its_cards_and_addresses(files):
    found = read(netbox.LIST, *files)
    assert refused(found) == []
    [said] = told(found)
    assert set(said.marks) == {
        Mark(MarkKind.TAG, "4711"),
        Mark(MarkKind.SERIAL, "acme|sn1"),
        Mark(MarkKind.MAC, "00:1b:c5:00:0a:1f"),
        Mark(MarkKind.ADDRESS, "10.0.0.5"),
        Mark(MarkKind.ADDRESS, "10.0.0.6"),
    }
    assert said.segment == "pumps"
    assert Fact("lifecycle", "in-use", 1.0) in said.facts


def test_what_belongs_to_no_device_of_netbox_is_told():
    stray = {**INTERFACE, "id": 71, "device": {"id": 8}}
    virtual = {**ADDRESS, "assigned_object_type": "virtualization.vminterface"}
    found = read(
        netbox.LIST,
        [NETBOX_DEVICE, INTERFACE, stray, virtual, {**ADDRESS, "assigned_object_id": 99}, {"x": 1}, 5],
    )
    assert len(told(found)) == 1
    assert sorted(refused(found), key=lambda one: one[0]) == [
        (3, "device", Reason.ELEMENT_MISSING),
        (4, "assigned_object", Reason.ELEMENT_MISSING),
        (5, "assigned_object", Reason.ELEMENT_MISSING),
        (6, "object", Reason.OBSERVED_UNKNOWN),
        (7, "object", Reason.ELEMENT_TYPE),
    ]
    twice = read(netbox.LIST, [NETBOX_DEVICE, NETBOX_DEVICE])
    assert refused(twice) == [(2, "device", Reason.ELEMENT_REPEATED)]


# --- MUD

ACL = "ietf-access-control-list:acls"


def mud_file(*aces):
    entries = [
        {"name": f"r{n}", "matches": matches, "actions": {"forwarding": "accept"}}
        for n, matches in enumerate(aces)
    ]
    return {
        "ietf-mud:mud": {
            "mud-version": 1,
            "mud-url": "https://acme.example/pump.json",
            "mfg-name": "Acme",
            "model-name": "P1",
            "from-device-policy": {"access-lists": {"access-list": [{"name": "out"}]}},
        },
        ACL: {"acl": [{"name": "out", "type": "ipv4-acl-type", "aces": {"ace": entries}}]},
    }


def test_a_mud_file_says_what_a_model_may_speak():
    port = {"operator": "eq", "port": 443}
    document = mud_file(
        {
            "ipv4": {"ietf-acldns:dst-dnsname": "Cloud.Acme.example.", "protocol": 6},
            "tcp": {"destination-port": port, "ietf-mud:direction-initiated": "from-device"},
        },
        {"ietf-mud:mud": {"local-networks": [None]}, "ipv4": {"protocol": 17}, "udp": {"source-port": {"lower-port": 5, "upper-port": 9}}},
        {"ipv4": {"destination-ipv4-network": "192.0.2.0/24"}},
    )  # fmt: skip
    [found] = told(read(mud.LIST, document))
    assert (found.url, found.make, found.model) == ("https://acme.example/pump.json", "Acme", "P1")
    assert found.rules == (
        MayRule(
            True,
            True,
            (Peer("name", "cloud.acme.example"),),
            "tcp",
            4,
            (443, 443),
            (0, 65_535),
            "from-device",
        ),
        MayRule(True, True, (Peer("local-networks"),), "udp", 4, (0, 65_535), (5, 9)),
        MayRule(True, True, (Peer("network", "192.0.2.0/24"),), "", 4),
    )


@pytest.mark.parametrize(
    ("matches", "reason"),
    [
        ({"ipv4": {"ttl": 5}}, Reason.ELEMENT_UNKNOWN),
        ({"eth": {"destination-mac-address": "00:1b:c5:00:0a:1f"}}, Reason.ELEMENT_UNKNOWN),
        ({"tcp": {"destination-port": {"operator": "neq", "port": 5}}}, Reason.CODE_NOT_ALLOWED),
        ({"tcp": {"destination-port": {"lower-port": 9, "upper-port": 5}}}, Reason.VALUE_INVALID),
        ({"ipv4": {"ietf-acldns:src-dnsname": "x.example"}}, Reason.RULE_BROKEN),
        ({"ipv4": {"destination-ipv4-network": "x"}}, Reason.VALUE_INVALID),
        ({"ietf-mud:mud": {"controller": 5}}, Reason.ELEMENT_UNKNOWN),
    ],
)
def test_a_rule_not_understood_is_refused_and_not_made_wider(matches, reason):
    found = read(mud.LIST, mud_file(matches, {"ipv4": {"protocol": 6}}))
    assert refused(found) == [(0, found[0].column, reason)]
    assert found[0].column.startswith("from-device-policy 1, rule 1")
    assert len(told(found)[0].rules) == 1


# --- GUDID

GUDID = """<?xml version="1.0" encoding="UTF-8"?>{doctype}
<devices><device xmlns="http://www.fda.gov/cdrh/gudid">
<identifiers><identifier><deviceId>{di}</deviceId><deviceIdType>Primary</deviceIdType>
<deviceIdIssuingAgency>GS1</deviceIdIssuingAgency></identifier></identifiers>
<brandName>Pump &amp; Co</brandName><versionModelNumber>P1</versionModelNumber><companyName>Acme{more}</companyName>
<gmdnTerms><gmdn><gmdnCode>1</gmdnCode><gmdnPTName>Infusion pump</gmdnPTName><implantable>false</implantable></gmdn></gmdnTerms>
<productCodes><fdaProductCode><productCode>FRN</productCode></fdaProductCode></productCodes>
</device>{after}</devices>"""


def gudid_file(di="00012345678905", doctype="", more="", after=""):
    return GUDID.format(di=di, doctype=doctype, more=more, after=after).encode()


def test_a_row_of_gudid_says_brand_model_maker_and_terms():
    [found] = told(read(gudid.LIST, gudid_file()))
    assert (found.di, found.brand, found.model, found.company) == (
        "00012345678905",
        "Pump & Co",
        "P1",
        "Acme",
    )
    assert (found.gmdn_term, found.product_code, found.implantable) == ("Infusion pump", "FRN", False)


ENTITIES = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gudid_file(doctype=ENTITIES, more="&b;"), Reason.FORMAT_UNSUPPORTED),
        (gudid_file(doctype='<!DOCTYPE x SYSTEM "file:///etc/passwd">'), Reason.FORMAT_UNSUPPORTED),
        (gudid_file(more="&b;"), Reason.MESSAGE_UNDECODABLE),
        (gudid_file(di="00012345678906"), Reason.VALUE_INVALID),
        (gudid_file(more="<x>" * 200 + "</x>" * 200), Reason.LIMIT_EXCEEDED),
        (gudid_file(more="<x/>" * 25_000), Reason.LIMIT_EXCEEDED),
        (gudid_file(more="x" * 3_000_000), Reason.LIMIT_EXCEEDED),
        (gudid_file(more="<!--" + "x" * 6_000_000 + "-->"), Reason.LIMIT_EXCEEDED),
        (gudid_file()[:-200], Reason.MESSAGE_UNDECODABLE),
        (gudid_file(more="\0"), Reason.MESSAGE_UNDECODABLE),
    ],
    ids=["laughs", "external", "undeclared", "check-digit", "deep", "many", "long", "comment", "cut", "nul"],
)
def test_what_xml_can_do_to_a_reader_is_refused(data, reason):
    found = read(gudid.LIST, data)
    assert [one[2] for one in refused(found)] == [reason]
    assert told(found) == []


def test_what_stands_before_and_behind_a_refused_device_is_read():
    wrong = gudid_file(di="00012345678906").partition(b"<devices>")[2].partition(b"</devices>")[0].decode()
    right = wrong.replace("00012345678906", "51022222233336")
    found = read(gudid.LIST, gudid_file(after=wrong + right))
    assert [one.di for one in told(found)] == ["00012345678905", "51022222233336"]
    assert len(refused(found)) == 1


# --- all


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (orjson.dumps(BUNDLE), "fhir"),
        (NDJSON, "fhir"),
        (orjson.dumps([NETBOX_DEVICE]), "netbox"),
        (orjson.dumps(mud_file()), "mud"),
        (gudid_file(), "gudid"),
        (b"Tag,MAC\n", "cmms"),
        (b"\x00\x01", None),
    ],
)
def test_each_is_known_by_its_first_bytes(data, name):
    found = format_of(data, "list")
    assert (found and found[0]) == name


def test_every_format_has_words_and_a_source():
    assert {"cmms", "netbox", "fhir", "mud", "gudid", "vendor"} == {
        one.source for one in reading.formats().values()
    }


@given(
    st.lists(st.dictionaries(st.text(max_size=6), st.text(max_size=8) | st.lists(st.integers(0, 9), max_size=3), max_size=3), max_size=6),
    st.integers(1, 9),
)  # fmt: skip
def test_objects_are_found_wherever_blocks_end(objects, size):
    for form in (
        orjson.dumps(objects),
        b"\n".join(map(orjson.dumps, objects)),
        orjson.dumps({"a": [1, {"results": [2]}], "results": objects}),
    ):
        blocks = [form[at : at + size] for at in range(0, len(form), size)]
        found = [one.value for one in items(blocks, frozenset({"results"}))]
        assert found[: len(objects)] == objects


@given(
    st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ a1', max_size=120).map(str.encode),
    st.sampled_from([fhir, netbox, mud, gudid]),
)
def test_any_bytes_are_read_or_refused(data, module):
    assert all(isinstance(one, Told | Refused) for one in read(module.LIST, data))


def test_a_huge_object_is_refused_and_the_next_is_read():
    big = orjson.dumps({**NETBOX_DEVICE, "id": 6, "comments": "x" * 5_000_000})
    found = read(netbox.LIST, b"[" + big + b"," + orjson.dumps(NETBOX_DEVICE) + b"]")
    assert refused(found) == [(1, "object", Reason.LIMIT_EXCEEDED)]
    assert len(told(found)) == 1
    with pytest.raises(InputError):
        list(items([b"[" * 300], frozenset()))


def test_what_refers_to_nothing_in_the_list_is_told():
    found = read(
        fhir.LIST,
        {**METRIC, "source": {"reference": "Device/none"}},
        b'<Patient xmlns="http://hl7.org/fhir"/>',
    )
    assert refused(found) == [(0, "XML", Reason.OBSERVED_UNKNOWN), (1, "source", Reason.ELEMENT_MISSING)]
