"""Each small head: what it says of whom, what it must not say, what it does with bytes that lie."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

from oathward.discovery.model import Around
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.head import heads
from oathward.discovery.packets.notes import Notes

MAC, ADDRESS = ("mac", write.CLIENT_MAC), ("address", write.CLIENT)


def options(*pairs):
    return b"".join(bytes([kind, len(value)]) + value for kind, value in pairs)


DHCP = options(
    (12, b"Pump-7"), (55, b"\x01\x03\x06"), (60, b"MSFT 5.0"), (61, b"\x01" + write.raw_mac(write.CLIENT_MAC))
)


def dhcp(kind, **more):
    client = more.get("client", True)
    ends = (68, 67) if client else (67, 68)
    return whole(
        write.pcap(
            [
                write.datagram(
                    write.dhcp(kind, **more), *ends, "0.0.0.0" if client else write.SERVER, "255.255.255.255"
                )
            ]
        )
    )


def test_a_dhcp_client_describes_itself():
    found = dhcp(3, options=DHCP)
    assert found.marks("pcap.dhcp") == {MAC, ("client-id", "01001b63000005"), ("host", "pump-7")}
    assert found.facts("pcap.dhcp") == {
        ("host", "Pump-7"),
        ("dhcp-vendor-class", "MSFT 5.0"),
        ("dhcp-options", "1,3,6"),
    }
    assert found.services == ["dhcp"]


def test_an_address_is_the_clients_once_it_is_acknowledged_or_in_use():
    assert {MAC, ADDRESS} <= dhcp(5, client=False, address=write.CLIENT).marks("pcap.dhcp")
    assert {MAC, ADDRESS} <= dhcp(3, own=write.CLIENT).marks("pcap.dhcp")
    assert not dhcp(2, client=False, address=write.CLIENT).statements  # an offer
    assert not dhcp(6, client=False, address=write.CLIENT).statements  # refused


def test_who_asks_from_an_address_goes_on_with_it():
    """RFC 2131 table 3: ciaddr is the client's where it renews, and zero where it asks anew; table 5: of an INFORM as well."""
    kept, renewed = {"own": write.CLIENT}, ("lease", "renewed")
    assert renewed in dhcp(3, **kept).facts("pcap.dhcp")
    assert renewed in dhcp(5, client=False, address=write.CLIENT, **kept).facts("pcap.dhcp")
    for found in (
        dhcp(3, options=DHCP),
        dhcp(8, **kept),
        dhcp(7, **kept),
        dhcp(5, client=False, address=write.CLIENT),
        dhcp(5, client=False, **kept),  # of an INFORM
        dhcp(5, client=False, address="10.1.0.77", **kept),
    ):
        assert found.statements
        assert renewed not in found.facts("pcap.dhcp")


def test_options_go_on_in_the_fields_of_file_and_server_name():
    head = write.dhcp(3, options=options((52, b"\x03")))
    within = bytearray(head)
    within[108:236] = options((12, b"from-file")).ljust(128, b"\0")
    within[44:108] = options((60, b"from-name")).ljust(64, b"\0")
    found = whole(write.pcap([write.datagram(bytes(within), 68, 67, "0.0.0.0", "255.255.255.255")]))
    assert {("host", "from-file"), ("dhcp-vendor-class", "from-name")} <= found.facts("pcap.dhcp")


def test_a_dhcp_option_beyond_the_end_is_refused():
    assert dhcp(3, options=b"\x0c\xc8short").refused == {("observation.broken", "dhcp"): 1}


def test_arp_binds_a_card_and_its_address():
    found = whole(write.pcap([write.arp(), write.arp(operation=2)]))
    assert len(found.statements) == 1
    assert found.marks("pcap.arp") == {MAC, ADDRESS}


@pytest.mark.parametrize(
    "changes", [{"address": "0.0.0.0"}, {"card": "01:00:5e:00:00:01"}, {"card": "00:00:00:00:00:00"}]
)
def test_probes_and_groups_bind_nothing(changes):
    assert not whole(write.pcap([write.arp(**changes)])).statements


def test_arp_in_another_cards_frame_binds_nothing():
    frame = bytearray(write.arp())
    frame[6:12] = write.raw_mac(write.SERVER_MAC)
    assert not whole(write.pcap([bytes(frame)])).statements


def test_neighbour_discovery_binds_a_card_and_its_address():
    target = bytes.fromhex("fd000000000000000000000000000005")
    advert = (
        struct.pack(">BBHL", 136, 0, 0, 0x60000000) + target + b"\x02\x01" + write.raw_mac(write.CLIENT_MAC)
    )
    solicit = struct.pack(">BBHL", 135, 0, 0, 0) + bytes(16) + b"\x01\x01" + write.raw_mac(write.CLIENT_MAC)
    for body in (advert, solicit):
        frame = write.ethernet(write.ip(body, 58, "fd00::5", "ff02::1"), 0x86DD)
        assert whole(write.pcap([frame])).marks("pcap.nd") == {MAC, ("address", "fd00::5")}


def test_names_that_dns_answered_name_the_servers_of_later_flows():
    answer = write.datagram(
        write.dns_answer("archive.hospital.example", write.SERVER), 53, 4_000, "10.0.0.2", write.CLIENT
    )
    outside = write.datagram(
        write.dns_answer("cloud.example", "192.0.2.9"), 53, 4_001, "10.0.0.2", write.CLIENT
    )
    abroad = write.datagram(write.dns_answer("far.example", "8.8.4.4"), 53, 4_002, "10.0.0.2", write.CLIENT)
    found = whole(write.pcap([answer, outside, abroad, *write.Talk(port=11_112).frames]))
    assert (
        next(flow for flow in found.flows if flow["port"] == 11_112)["server_name"]
        == "archive.hospital.example"
    )
    assert ("host", "archive.hospital.example") in found.facts("pcap.dns")
    assert ("host", "far.example") not in found.facts(
        "pcap.dns"
    )  # a public address is nobody's of the estate


def test_questions_are_no_statements():
    found = whole(write.pcap([write.datagram(write.dns_question("who.asks.example"), 4_000, 53)]))
    assert not found.statements
    assert found.services == ["dns"]


def test_a_pointer_that_leads_on_is_no_loop():
    looped = (
        struct.pack(">HHHHHH", 7, 0x8180, 0, 1, 0, 0)
        + b"\xc0\x0c"
        + struct.pack(">HHLH", 1, 1, 60, 4)
        + bytes(4)
    )
    whole(write.pcap([write.datagram(looped, 53, 4_000)]))


def test_mdns_names_the_sender_by_its_own_address_alone():
    own = write.datagram(
        write.dns_answer("Pump-7.local", write.CLIENT, multicast=True),
        5_353,
        5_353,
        write.CLIENT,
        "224.0.0.251",
    )
    other = write.datagram(
        write.dns_answer("Other.local", write.SERVER, multicast=True),
        5_353,
        5_353,
        write.CLIENT,
        "224.0.0.251",
    )
    assert whole(write.pcap([own])).marks("pcap.mdns") == {ADDRESS, ("host", "pump-7.local")}
    assert not whole(write.pcap([other])).statements


def test_llmnr_and_netbios_name_their_sender():
    llmnr = write.datagram(write.dns_answer("pump-7", write.CLIENT), 5_355, 40_000)
    assert ("host", "pump-7") in whole(write.pcap([llmnr])).marks("pcap.llmnr")
    coded = b"".join(bytes((65 + (byte >> 4), 65 + (byte & 15))) for byte in b"PUMP-7".ljust(15) + b"\0")
    record = b"\xc0\x0c" + struct.pack(">HHLHH", 32, 1, 60, 6, 0) + bytes([10, 1, 0, 5])
    nbns = (
        struct.pack(">HHHHHH", 7, 0x2910, 1, 0, 0, 1)
        + b"\x20"
        + coded
        + b"\0"
        + struct.pack(">HH", 32, 1)
        + record
    )
    assert ("host", "pump-7") in whole(write.pcap([write.datagram(nbns, 137, 137)])).marks("pcap.nbns")


def test_ssdp_says_what_a_device_is():
    notify = b"NOTIFY * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nNT: urn:schemas-upnp-org:device:Basic:1\r\nServer: Acme/1 UPnP/1.0\r\nUSN: uuid:1234abcd-0001::urn\r\n\r\n"
    found = whole(write.pcap([write.datagram(notify, 1_900, 1_900, write.CLIENT, "239.255.255.250")]))
    assert {("server-software", "Acme/1 UPnP/1.0"), ("upnp-device", "1234abcd-0001")} <= found.facts(
        "pcap.ssdp"
    )


def ber(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, len(body)]) + body


def snmp(kind=0xA2, community=b"s3cret-word"):
    binding = ber(0x30, ber(6, bytes.fromhex("2b06010201010100")), ber(4, b"Acme Monitor 5"))
    name = ber(0x30, ber(6, bytes.fromhex("2b06010201010500")), ber(4, b"mon-5"))
    pdu = ber(kind, ber(2, b"\x07"), ber(2, b"\0"), ber(2, b"\0"), ber(0x30, binding, name))
    return ber(0x30, ber(2, b"\x01"), ber(4, community), pdu)


def test_snmp_answers_describe_who_gave_them_and_the_community_is_nowhere():
    found = whole(write.pcap([write.datagram(snmp(), 161, 4_000)]))
    assert found.facts("pcap.snmp") == {("description", "Acme Monitor 5"), ("host", "mon-5")}
    assert "s3cret-word" not in repr(found)
    assert not whole(write.pcap([write.datagram(snmp(0xA0), 4_000, 161)])).statements


def test_mqtt_names_its_client_and_never_its_password():
    for level in (4, 5):
        talk = write.Talk(port=1_883).say(0, write.mqtt_connect(level=level)).say(1, b"\x20\x02\0\0")
        found = whole(write.pcap(talk.frames))
        assert found.services == ["mqtt"]
        assert ("mqtt-client", "bed-7") in found.facts("pcap.mqtt")
        assert "s3cret-word" not in repr(found)


def test_what_mqtt_publishes_is_searched():
    publish = b"\x30" + bytes([len(write.HL7_ACK) + 4]) + b"\0\x02ab" + write.HL7_ACK
    talk = write.Talk(port=1_883).say(0, write.mqtt_connect()).say(0, publish)
    assert [clear.service for clear in whole(write.pcap(talk.frames)).clear] == ["hl7"]


def tlv(kind, value):
    return struct.pack(">H", kind << 9 | len(value)) + value


def test_lldp_and_cdp_name_a_switch_and_its_port():
    body = (
        tlv(1, b"\x04" + write.raw_mac(write.CLIENT_MAC))
        + tlv(2, b"\x05Gi1/0/7")
        + tlv(3, b"\0\x78")
        + tlv(5, b"sw-icu")
    )
    body += (
        tlv(6, b"Acme OS 7")
        + tlv(8, b"\x05\x01" + bytes([10, 1, 0, 5]) + b"\x02\0\0\0\x01\0")
        + tlv(127, b"\x00\x12\xbb\x08SN-7")
        + tlv(0, b"")
    )
    found = whole(write.pcap([write.ethernet(body, 0x88CC)]))
    assert found.marks("pcap.lldp") == {MAC, ("host", "sw-icu"), ADDRESS}
    assert {("lldp-port", "Gi1/0/7"), ("description", "Acme OS 7"), ("serial", "SN-7")} <= found.facts(
        "pcap.lldp"
    )
    told = b"".join(
        struct.pack(">HH", kind, 4 + len(value)) + value
        for kind, value in ((1, b"sw-icu"), (3, b"Gi1/0/8"), (5, b"Acme OS"), (6, b"Acme 9"))
    )
    frame = write.ethernet(b"\xaa\xaa\x03\x00\x00\x0c\x20\x00\x02\xb4\0\0" + told, len(told) + 12)
    found = whole(write.pcap([frame]))
    assert {("cdp-port", "Gi1/0/8"), ("model", "Acme 9"), ("host", "sw-icu")} <= found.facts("pcap.cdp")


def test_dhcp_for_version_6_names_a_client():
    duid = b"\0\x03\0\x01" + write.raw_mac(write.CLIENT_MAC)
    body = b"".join(
        struct.pack(">HH", kind, len(value)) + value
        for kind, value in ((1, duid), (39, b"\0\x06pump-7\0"), (6, b"\0\x17"))
    )
    found = whole(write.pcap([write.datagram(b"\x01abc" + body, 546, 547, "fe80::5", "ff02::1:2")]))
    assert {("client-id", duid.hex()), MAC, ("host", "pump-7"), ("address", "fe80::5")} == found.marks(
        "pcap.dhcpv6"
    )


def test_statements_are_made_again_only_after_a_while():
    frames = [write.arp()] * 40
    assert len(whole(write.pcap(frames, step_us=60_000_000)).of("pcap.arp")) == 3


@pytest.mark.parametrize(
    "name", ["\x1b[31mred", "a\nb\r\0c", "=cmd|' /C calc'!A0", "<script>" * 60, "\u202eevil"]
)
def test_hostile_names_are_one_printable_line_cut(name):
    found = dhcp(3, options=options((12, name.encode()[:255])))
    for attribute, value in found.facts("pcap.dhcp"):
        assert value.isprintable()
        assert len(value) <= 200, attribute


PORTS = [
    (68, 67),
    (546, 547),
    (53, 4_000),
    (5_353, 5_353),
    (5_355, 4_000),
    (137, 137),
    (1_900, 1_900),
    (161, 4_000),
    (4_789, 4_789),
    (6_081, 6_081),
]
BEGUN = [
    b"",
    write.dhcp(3),
    write.dns_answer("a.b", "10.0.0.1"),
    snmp(),
    b"NOTIFY * HTTP/1.1\r\n",
    b"\x01abc",
]


@given(st.binary(max_size=200), st.sampled_from(PORTS), st.sampled_from(BEGUN), st.integers(0, 300))
def test_any_bytes_in_a_datagram_raise_nothing(data, ports, begun, cut):
    whole(write.pcap([write.datagram(begun[:cut] + data, *ports)]))


@given(st.binary(max_size=120), st.sampled_from([0x0806, 0x88CC, 0x0040, 0x86DD, 0x8847, 0x8864]))
def test_any_bytes_in_a_frame_raise_nothing(data, kind):
    whole(
        write.pcap(
            [write.ethernet(data, kind), write.ethernet(b"\xaa\xaa\x03\x00\x00\x0c\x20\x00" + data, 0x0040)]
        )
    )


def test_a_name_without_a_byte_and_a_datagram_behind_that_is_none_are_survived():
    first = write.datagram(write.dhcp(3, options=options((81, b""), (12, b"pump"))), 68, 67)
    for behind in (b"", b"\x02", b"\x02" * 18, write.dhcp(3)[:100]):
        found = whole(write.pcap([first, write.datagram(behind, 68, 67), write.datagram(b"x", 9, 9)]))
        assert ("host", "pump") in found.marks("pcap.dhcp")
        assert found.refused == {("observation.broken", "dhcp"): 1}


@pytest.mark.parametrize("head", heads("udp"), ids=lambda head: head.service)
@given(data=st.binary(max_size=400))
def test_any_datagram_may_stand_behind_the_first_of_a_flow(head, data):
    flow = Conversation(Notes(Around(realm="r")), 17, b"", b"", "", 0)
    flow.client = Half(flow, bytes((10, 0, 0, 1)), 50_000, bytes(6))
    flow.server = Half(flow, bytes((10, 0, 0, 2)), 53, bytes(6))
    for half in (flow.client, flow.server):
        head.datagram(half, data, 0)
