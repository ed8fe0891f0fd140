"""Suricata's events as flows and statements."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.observer import observer_of
from oathward.discovery.observers.suricata import OBSERVER

AT = "2023-11-14T23:13:20.123456+0100"
AT_US = 1_700_000_000_123_456
FLOW = {
    "pkts_toserver": 4,
    "pkts_toclient": 3,
    "bytes_toserver": 300,
    "bytes_toclient": 200,
    "start": AT,
    "end": "2023-11-14T23:13:25.123456+0100",
}


def event(kind: str, **more: Any) -> dict[str, Any]:
    usual = {
        "timestamp": AT,
        "flow_id": 7,
        "event_type": kind,
        "src_ip": "10.0.0.5",
        "src_port": 50_000,
        "dest_ip": "10.0.0.9",
    }
    return usual | {"dest_port": 2575, "proto": "TCP"} | more


def flow(**more: Any) -> dict[str, Any]:
    return event("flow", flow=FLOW, tcp={"syn": True}) | more


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def read(*events: Any) -> Observed:
    return Observed(OBSERVER, lines(*events))


COLUMNS = (
    "start_us",
    "end_us",
    "client",
    "server",
    "transport",
    "port",
    "client_bytes",
    "server_bytes",
    "client_packets",
    "server_packets",
    "answered",
)
ROW = (AT_US, AT_US + 5_000_000, "10.0.0.5", "10.0.0.9", "tcp", 2575, 300, 200, 4, 3, True)


def test_a_flow_event_is_a_flow() -> None:
    data = lines(
        flow(
            app_proto="failed",
            vlan=[12],
            ether={"src_macs": ["00:11:22:00:00:05"], "dest_mac": "00:11:22:00:00:09"},
        )
    )
    assert observer_of(data, "eve.json") == ("suricata", OBSERVER)
    seen = Observed(OBSERVER, data)
    assert seen.rows(*COLUMNS) == [ROW]
    assert seen.rows("service", "segment", "client_mac", "server_mac") == [
        ("", "vlan 12", "00:11:22:00:00:05", "00:11:22:00:00:09")
    ]
    assert len(seen.statements) == 2


def test_addresses_are_written_in_their_one_way_and_icmp_has_no_port() -> None:
    seen = read(
        flow(
            src_ip="2001:0db8:0000:0000:0000:0000:0000:0001",
            dest_ip="fe80:0000:0000:0000:0000:0000:0000:0009",
            proto="IPv6-ICMP",
        )
    )
    assert seen.rows("client", "server", "transport", "port") == [("2001:db8::1", "fe80::9", "icmp", 0)]


def test_who_was_asked_is_the_server_where_the_begin_was_not_seen() -> None:
    assert read(flow(src_port=2575, dest_port=50_000, tcp={"syn": False})).rows(
        "client", "port", "client_bytes"
    ) == [("10.0.0.9", 2575, 200)]
    assert read(flow(src_port=2575, dest_port=50_000)).rows("client", "port") == [("10.0.0.5", 50_000)]


def test_one_direction_waits_for_the_other() -> None:
    there = event("netflow", netflow={"pkts": 4, "bytes": 300, "start": AT, "end": FLOW["end"]})
    back = there | {
        "src_ip": "10.0.0.9",
        "src_port": 2575,
        "dest_ip": "10.0.0.5",
        "dest_port": 50_000,
        "netflow": {"pkts": 3, "bytes": 200},
    }
    assert read(there, back).rows(*COLUMNS) == [ROW]


def test_a_direction_out_of_the_future_crowds_out_none_that_waits() -> None:
    """Told from the newest time that was said, all others would have waited too long."""
    there = event("netflow", netflow={"pkts": 4, "bytes": 300, "start": AT, "end": FLOW["end"]})
    ahead = {"src_ip": "10.9.9.9", "netflow": {"start": "2099-01-01T00:00:00+0000", "bytes": 1}}
    lasts = {"src_ip": "10.9.9.8", "netflow": {"start": AT, "end": "2099-01-01T00:00:00+0000", "bytes": 1}}
    back = there | {
        "src_ip": "10.0.0.9",
        "src_port": 2575,
        "dest_ip": "10.0.0.5",
        "dest_port": 50_000,
        "netflow": {"pkts": 3, "bytes": 200},
    }
    until_us = AT_US + 60_000_000
    seen = Observed(OBSERVER, lines(there, there | ahead, there | lasts, back), until_us=until_us)
    assert seen.rows(*COLUMNS)[0] == ROW
    assert seen.flows["end_us"].max() == until_us
    assert seen.refused == {(Reason.OBSERVED_TIME, "time"): 1}


DER = b"not really a certificate"
TLS = {
    "version": "TLS 1.2",
    "sni": "PACS.example",
    "subject": "CN=pacs",
    "issuerdn": "CN=ca",
    "notafter": "2027-01-15T00:00:00",
}
TLS |= {"certificate": base64.b64encode(DER).decode(), "fingerprint": "aa:bb", "ja3": {"hash": "c" * 32}}


def test_a_flow_knows_its_tls() -> None:
    own = hashlib.sha256(DER).hexdigest()
    seen = read(event("tls", tls=TLS), flow(app_proto="tls"))
    assert seen.rows("service", "tls", "server_name", "certificate", "client_bytes") == [
        ("tls", "TLSv1.2", "pacs.example", own, 300)
    ]
    facts = {
        "certificate-subject": "CN=pacs",
        "certificate-issuer": "CN=ca",
        "certificate-ends": "2027-01-15",
        "host": "pacs.example",
    }
    assert seen.said()[0] == ("suricata.tls", {"address": "10.0.0.9", "certificate": own}, facts)
    assert seen.said()[1] == ("suricata.tls", {"address": "10.0.0.5"}, {"fingerprint": "c" * 32})
    alone = read(event("tls", tls=TLS | {"certificate": "%%%", "version": "TLSv1"}))
    assert alone.rows("tls", "certificate", "client_bytes") == [("TLSv1.0", "", None)]


DHCP = {
    "type": "reply",
    "dhcp_type": "ack",
    "client_mac": "00:11:22:00:00:05",
    "assigned_ip": "10.0.0.5",
    "hostname": "PUMP-5\x00",
}
DHCP |= {"client_id": "00:11:22:00:00:05", "vendor_class_identifier": "MSFT 5.0"}
MARKS = {"mac": "00:11:22:00:00:05", "client-id": "01001122000005", "host": "pump-5"}
FACTS = {"host": "pump-5", "vendor-class": "MSFT 5.0", "os": "Windows"}
SECRET = {"client_id": "p5", "username": "JANE DOE", "password": "JANE DOE", "will": {"message": "JANE DOE"}}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (event("dhcp", dhcp=DHCP), [("suricata.dhcp", MARKS | {"address": "10.0.0.5"}, FACTS)]),
        (event("dhcp", dhcp=DHCP | {"dhcp_type": "offer"}), [("suricata.dhcp", MARKS, FACTS)]),
        (event("dhcp", dhcp=DHCP | {"assigned_ip": "0.0.0.0", "client_ip": "10.0.0.6"}), [("suricata.dhcp", MARKS | {"address": "10.0.0.6"}, FACTS)]),
        (event("dhcp", dhcp=DHCP | {"client_ip": "10.0.0.5"}), [("suricata.dhcp", MARKS | {"address": "10.0.0.5"}, FACTS | {"lease": "renewed"})]),
        (event("dhcp", dhcp=DHCP | {"client_ip": "0.0.0.0"}), [("suricata.dhcp", MARKS | {"address": "10.0.0.5"}, FACTS)]),
        (event("dhcp", dhcp=DHCP | {"dhcp_type": "request", "assigned_ip": "0.0.0.0", "client_ip": "10.0.0.6"}), [("suricata.dhcp", MARKS | {"address": "10.0.0.6"}, FACTS | {"lease": "renewed"})]),
        (event("dhcp", dhcp=DHCP | {"dhcp_type": "inform", "assigned_ip": "0.0.0.0", "client_ip": "10.0.0.6"}), [("suricata.dhcp", MARKS | {"address": "10.0.0.6"}, FACTS)]),
        (event("dhcp", dhcp=DHCP | {"client_mac": "00:00:00:00:00:00"}), []),
        (
            event("http", http={"http_user_agent": "x Android y", "server": "Microsoft-IIS/6.0", "url": "/JANE DOE", "hostname": "h"}),
            [
                ("suricata.http", {"address": "10.0.0.5"}, {"user-agent": "x Android y", "os": "Android"}),
                ("suricata.http", {"address": "10.0.0.9"}, {"software": "Microsoft-IIS/6.0", "os": "Windows Server 2003"}),
            ],
        ),
        (event("mqtt", mqtt={"connect": SECRET}), [("suricata.mqtt", {"address": "10.0.0.5"}, {"mqtt-client": "p5"})]),
        (event("mqtt", mqtt={"publish": {"topic": "JANE DOE"}}), []),
        (
            event("dns", dns={"rrname": "a.example", "answers": [{"rrtype": "A", "rdata": "10.0.0.8"}, {"rrtype": "A", "rdata": "8.8.8.8"}, 7]}),
            [("suricata.dns", {"address": "10.0.0.8"}, {"host": "a.example"})],
        ),
        (event("dns", dns={"rrname": "a.example", "rrtype": "A", "rdata": "10.0.0.8"}), [("suricata.dns", {"address": "10.0.0.8"}, {"host": "a.example"})]),
        (event("arp", arp={"src_mac": "00:11:22:00:00:05", "src_ip": "10.0.0.5"}), [("suricata.arp", {"mac": "00:11:22:00:00:05", "address": "10.0.0.5"}, {})]),
        (event("stats", stats={}), []),
    ],
)  # fmt: skip
def test_what_an_event_says_of_endpoints(one: dict[str, Any], said: list[Any]) -> None:
    seen = read(one)
    assert seen.said() == said
    assert not seen.refused
    assert "JANE" not in str(seen.statements)


def test_what_cannot_be_read_is_counted_and_the_rest_is_read() -> None:
    data = (
        lines(flow())
        + b"{nonsense\n\x00\n\xff\n[]\n"
        + lines(event("alert"), event("new_kind"), flow(timestamp="now"), flow(src_ip="x"), flow())
    )
    seen = Observed(OBSERVER, data + b'{"timestamp":')
    assert seen.flows.height == 2
    assert seen.refused == {
        (Reason.OBSERVED_BROKEN, "line"): 4,
        (Reason.OBSERVED_UNKNOWN, "alert"): 1,
        (Reason.OBSERVED_UNKNOWN, "record"): 1,
        (Reason.OBSERVED_BROKEN, "timestamp"): 1,
        (Reason.OBSERVED_BROKEN, "address"): 1,
        (Reason.OBSERVED_CUT, "line"): 1,
    }
    assert seen.offset == len(data)


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9)),
    lambda one: st.lists(one, max_size=3),
)
KINDS = st.sampled_from(["flow", "netflow", "tls", "dhcp", "http", "mqtt", "dns", "arp"])


@given(
    kind=KINDS,
    name=st.sampled_from(
        [*event("x"), *FLOW, *TLS, *DHCP, "answers", "connect", "ether", "vlan", "app_proto"]
    ),
    value=ANY,
)
def test_a_value_of_any_sort_is_survived(kind: str, name: str, value: Any) -> None:
    inside = FLOW | TLS | DHCP
    one = event(kind, **{kind: inside}, ether={"src_mac": "x"}, vlan=[1])
    assert (
        read(
            one | {name: value}, one | {kind: inside | {name: value}}, one | {kind: value}, flow()
        ).flows.height
        >= 1
    )


@pytest.mark.parametrize("time", [4e18, -4e18, 2**61])
def test_a_time_of_no_calendar_costs_its_record(time: float) -> None:
    odd = {"start": time, "end": time}
    seen = read(flow(timestamp=time), flow(flow=odd), event("netflow", netflow=odd), flow())
    assert seen.flows.height >= 1
    assert seen.refused[Reason.OBSERVED_BROKEN, "timestamp"] == 1


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([lines(flow()), b"{}\n"]))))
def test_any_bytes_are_read_to_their_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert Observed(OBSERVER, data).offset <= len(data)
    OBSERVER.knows(data, "")
