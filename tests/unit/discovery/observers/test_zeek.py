"""Zeek's logs as flows and statements: whatever their order of columns, their form, and what is wrong in them."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.logs import blocks, pairs, sessions, zeek_conn
from oathward.discovery.observer import observer_of
from oathward.discovery.observers.zeek import OBSERVER

T = 1_700_000_000.123456
T_US = 1_700_000_000_123_456
FIELDS = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
]
FIELDS += [
    "conn_state",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "orig_l2_addr",
    "resp_l2_addr",
    "vlan",
]


def conn(**other: Any) -> dict[str, Any]:
    usual = {
        "ts": T,
        "uid": "C1",
        "id.orig_h": "10.0.0.5",
        "id.orig_p": 50000,
        "id.resp_h": "10.0.0.9",
        "id.resp_p": 2575,
        "proto": "tcp",
    }
    usual |= {
        "duration": 2.5,
        "orig_bytes": 100,
        "resp_bytes": 50,
        "conn_state": "SF",
        "orig_pkts": 4,
        "orig_ip_bytes": 300,
    }
    usual |= {
        "resp_pkts": 3,
        "resp_ip_bytes": 200,
        "orig_l2_addr": "00:11:22:00:00:05",
        "resp_l2_addr": "00:11:22:00:00:09",
    }
    return {
        name: value
        for name, value in (usual | {k.replace("__", "."): v for k, v in other.items()}).items()
        if value is not None
    }


def as_json(*records: Any) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def as_tsv(
    *records: dict[str, Any],
    path: str = "conn",
    fields: list[str] = FIELDS,
    separator: str = "\t",
    unset: str = "-",
) -> bytes:
    said = "\\x09" if separator == "\t" else separator
    head = [
        f"#separator {said}",
        f"#set_separator{separator},",
        f"#empty_field{separator}(empty)",
        f"#unset_field{separator}{unset}",
    ]
    head += [
        f"#path{separator}{path}",
        separator.join(["#fields", *fields]),
        separator.join(["#types", *fields]),
    ]
    rows = [separator.join(str(one.get(name, unset)) for name in fields) for one in records]
    return "\n".join([*head, *rows, f"#close{separator}2023"]).encode() + b"\n"


def zeek(data: bytes, name: str = "", **around: Any) -> Observed:
    return Observed(OBSERVER, data, name, **around)


FLOW = (
    T_US,
    T_US + 2_500_000,
    "10.0.0.5",
    "00:11:22:00:00:05",
    "10.0.0.9",
    "00:11:22:00:00:09",
    "tcp",
    2575,
    100,
    50,
    4,
    3,
    True,
    "zeek.conn",
)
COLUMNS = (
    "start_us",
    "end_us",
    "client",
    "client_mac",
    "server",
    "server_mac",
    "transport",
    "port",
    "client_bytes",
    "server_bytes",
)
COLUMNS += ("client_packets", "server_packets", "answered", "source")
SHUFFLED = as_tsv(conn(), fields=FIELDS[::-1])
NESTED = {"id": {"orig_h": "10.0.0.5", "resp_h": "10.0.0.9", "resp_p": 2575}} | {
    k: v for k, v in conn().items() if k[:3] != "id."
}
UNDERSCORED = {name.replace(".", "_"): value for name, value in conn().items()}


@pytest.mark.parametrize(
    "data",
    [
        as_json(conn()),
        as_json(conn(_path="conn")),
        as_json(UNDERSCORED),
        as_json(NESTED),
        as_json(conn(ts="2023-11-14T22:13:20.123456Z")),
        as_json(conn(ts=1_700_000_000_123.456)),
        as_tsv(conn()),
        SHUFFLED,
        as_tsv(conn(), separator="|"),
        as_tsv(conn(), unset="NONE"),
        as_tsv(conn()).replace(b"\n", b"\r\n"),
        as_tsv(UNDERSCORED, fields=[one.replace(".", "_") for one in FIELDS]),
        b"\t" + as_tsv(conn()),
        gzip.compress(as_json(conn())),
        gzip.compress(as_tsv(conn())[:40]) + gzip.compress(as_tsv(conn())[40:]),
        as_json(conn())[:-1],
    ],
)
def test_a_connection_is_one_flow_however_it_is_written(data: bytes) -> None:
    assert observer_of(data, "conn.log") == ("zeek", OBSERVER)
    seen = zeek(data, "conn.log")
    assert seen.rows(*COLUMNS) == [FLOW]
    assert not seen.refused
    both = [("zeek.conn", {"mac": f"00:11:22:00:00:0{n}", "address": f"10.0.0.{n}"}, {}) for n in (5, 9)]
    assert sorted(seen.said(), key=str) == both


@pytest.mark.parametrize("form", [as_json, as_tsv])
def test_the_fast_way_and_the_slow_one_say_the_same(
    form: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        conn(),
        conn(uid="C2", service="hl7", vlan=12),
        conn(uid="C3", proto="icmp", id__orig_p=8, id__resp_p=0, resp_pkts=0),
    ]
    records += [
        conn(uid="C4", duration=None, orig_bytes=None, resp_bytes=None, id__resp_h="2001:DB8::1"),
        conn(uid="C5", proto="unknown_transport"),
    ]
    fast = zeek(form(*records))
    assert fast.flows.height == 5
    assert fast.rows("client_bytes", "server_bytes")[3] == (300, 200)
    assert fast.rows("segment", "service")[1] == ("vlan 12", "hl7")
    assert fast.rows("transport", "port", "answered")[2] == ("icmp", 0, False)
    assert fast.rows("server", "transport")[3:] == [("2001:db8::1", "tcp"), ("10.0.0.9", "")]
    for way in ("read_json", "read_tsv"):
        monkeypatch.setattr(zeek_conn, way, lambda *_: None)
    assert zeek(form(*records)).flows.equals(fast.flows)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'{"ts":1700000000.1,"id.orig_h":"10.0.', "line"),
        (b'{"ts":1700000000.1,"id.orig_h":"\xff\xfe"}', "line"),
        (b'{"ts":1700000000.1,"id.orig_h":"\x00"}', "line"),
        (b'{"x":' * 5000, "line"),
        (b"{" + b"\x00" * 100, "line"),
        (as_json(conn(ts="yesterday"))[:-1], "ts"),
        (as_json(conn(ts=None))[:-1], "ts"),
        (as_json(conn(id__orig_h=7))[:-1], "id.orig_h"),
        (as_json(conn(id__orig_h="10.0.0.500", orig_bytes="x"))[:-1], "address"),
        (as_json(conn(id__resp_h="<script>"))[:-1], "address"),
        (as_json(conn(id__resp_p=70_000))[:-1], "port"),
    ],
)
def test_a_bad_line_costs_one_line(line: bytes, place: str) -> None:
    seen = zeek(as_json(conn()) + line + b"\n" + as_json(conn(uid="C9", orig_bytes=1.5)), "conn.log")
    assert seen.flows.height == 2
    assert seen.refused == {(Reason.OBSERVED_BROKEN, place): 1}


@pytest.mark.parametrize(
    "row",
    [
        "1700000000.1\tC7",
        "\t".join(["x"] * len(FIELDS)),
        "\t".join(["1"] * (len(FIELDS) + 1)),
        "\x00\t" * (len(FIELDS) - 1) + "\x00",
    ],
)
def test_a_bad_row_costs_one_row(row: str) -> None:
    lines = as_tsv(conn(), conn(uid="C2")).split(b"\n")
    seen = zeek(b"\n".join([*lines[:8], row.encode(), *lines[8:]]))
    assert seen.flows.height == 2
    assert sum(seen.refused.values()) == 1


def test_counts_that_cannot_be_are_left_out_and_the_flow_stays() -> None:
    seen = zeek(as_json(conn(orig_bytes="many", resp_bytes=-5, duration=-1, orig_pkts=2**70)), "conn.log")
    assert seen.rows("end_us", "client_bytes", "server_bytes", "client_packets") == [(T_US, 300, 0, 0)]
    assert zeek(as_json(conn(duration=1e300)), "conn.log").rows("end_us") == [(T_US,)]


def test_a_clock_that_jumped_is_counted() -> None:
    seen = zeek(
        as_json(conn(ts=3), conn(), conn(ts=T + 10**9)), "conn.log", from_us=T_US - 10, until_us=T_US + 10**6
    )
    assert seen.rows("start_us", "end_us") == [(T_US, T_US + 10**6)]
    assert seen.refused == {(Reason.OBSERVED_TIME, "time"): 2}


def test_a_log_cut_mid_line_ends_before_it() -> None:
    for whole, cut in (
        (as_json(conn()), as_json(conn())[:90]),
        (as_tsv(conn())[:-12], b"1700000000.123456\tC2\t10"),
    ):
        seen = zeek(whole + cut, "conn.log")
        assert seen.flows.height == 1
        assert seen.refused == {(Reason.OBSERVED_CUT, "line"): 1}
        assert seen.offset == len(whole)


def test_a_packed_log_that_is_cut_or_broken_is_read_as_far_as_it_goes() -> None:
    data = gzip.compress(b"".join(as_json(conn(uid=f"C{n}", id__orig_p=n)) for n in range(2000)), mtime=0)
    assert zeek(data[:-9], "conn.log").refused[Reason.OBSERVED_CUT, "gzip"] == 1
    half = bytearray(data)
    half[len(half) // 2] ^= 255
    assert zeek(bytes(half), "conn.log").refused[Reason.OBSERVED_BROKEN, "gzip"] == 1


def test_a_gigantic_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 500)
    monkeypatch.setattr(blocks, "LINE_BYTES_MAX", 1_000)
    seen = zeek(as_json(conn()) + b'{"x":"' + b"a" * 5_000 + b'"}\n' + as_json(conn(uid="C2")), "conn.log")
    assert seen.flows.height == 2
    assert seen.refused == {(Reason.OBSERVED_SIZE, "line"): 1}


def test_what_is_written_later_is_read_with_the_header_of_before() -> None:
    first, later = as_tsv(conn())[:-12], as_tsv(conn(uid="C2")).split(b"\n")[7] + b"\n"
    assert OBSERVER.header is not None
    kept = OBSERVER.header(first)
    assert zeek(first[:kept] + later).rows(*COLUMNS) == [FLOW]
    assert OBSERVER.header(as_json(conn())) == 0


def test_rotated_logs_one_behind_the_other_are_read_each_by_its_own_header() -> None:
    hosts = as_tsv({"ts": T, "host": "10.0.0.7"}, path="known_hosts", fields=["ts", "host"])
    seen = zeek(as_tsv(conn()) + SHUFFLED + as_json(conn(_path="conn")) + hosts)
    assert seen.rows(*COLUMNS) == [FLOW] * 3
    assert ("zeek.known", {"address": "10.0.0.7"}, {}) in seen.said()


def test_logs_nobody_reads_are_counted_and_those_of_no_use_passed_over() -> None:
    newer = as_tsv({"ts": T}, path="newer", fields=["ts"])
    seen = zeek(as_json({"_path": "spicy_new", "ts": T}, {"_path": "weird", "ts": T}, {"a": 1}) + newer)
    assert seen.refused == {(Reason.OBSERVED_UNKNOWN, "record"): 3}
    assert zeek(as_tsv({"ts": T}, fields=["ts"])).refused == {(Reason.OBSERVED_COLUMNS, "conn"): 1}
    assert zeek(b"1\t2\t3\n", "conn.log").refused == {(Reason.OBSERVED_COLUMNS, "header"): 1}


def test_who_was_asked_is_the_server_even_where_nobody_saw_the_begin() -> None:
    midway = conn(conn_state="OTH", id__orig_p=2575, id__resp_p=50_000)
    turned = zeek(as_json(midway)).rows("client", "server", "port", "client_bytes", "client_mac")
    assert turned == [("10.0.0.9", "10.0.0.5", 2575, 50, "00:11:22:00:00:09")]
    assert zeek(as_json(midway | {"conn_state": "SF"})).rows("client", "port") == [("10.0.0.5", 50_000)]


A, B = "a" * 64, "b" * 64
ID = {"id.orig_h": "10.0.0.5", "id.orig_p": 50000, "id.resp_h": "10.0.0.9", "id.resp_p": 2575}
SSL = ID | {
    "ts": T,
    "uid": "C1",
    "version": "TLSv12",
    "server_name": "PACS.example.",
    "resumed": False,
    "established": True,
}
SSL |= {"cert_chain_fps": [A, B], "client_cert_chain_fps": [B], "subject": "CN=pacs", "issuer": "CN=ca"}
X509 = {
    "ts": T,
    "fingerprint": A,
    "certificate.subject": "CN=pacs",
    "certificate.issuer": "CN=ca",
    "certificate.not_valid_after": 1_800_000_000.0,
}
DHCP = {
    "ts": T,
    "mac": "00-11-22-00-00-05",
    "assigned_addr": "10.0.0.5",
    "host_name": "PUMP-5",
    "msg_types": ["REQUEST", "ACK"],
}
ASKED = {
    "ts": T,
    "mac": "00:11:22:00:00:05",
    "client_id": "01AABB",
    "vendor_class": "MSFT 5.0",
    "param_list": [1, 3, 999],
    "msg_types": [],
}
HTTP = ID | {
    "ts": T,
    "trans_depth": 1,
    "request_body_len": 0,
    "user_agent": "Mozilla/5.0 (Windows NT 5.1)",
    "uri": "/p?name=JANE DOE",
}
APACHE = {
    "ts": T,
    "host": "10.0.0.9",
    "software_type": "HTTP::SERVER",
    "name": "Apache",
    "version.major": 2,
    "version.minor": 4,
}
PUBLISH = ID | {"ts": T, "from_client": True, "qos": "x", "topic": "ward/JANE DOE", "payload": "JANE DOE"}
OFFERED = {"ts": T, "host": "10.0.0.9", "port_num": 104, "port_proto": "tcp", "service": ["DICOM"]}
CERT = {"ts": T, "host": "10.0.0.9", "port_num": 443, "subject": "CN=x", "issuer_subject": "CN=y"}
DNS = ID | {
    "ts": T,
    "trans_id": 1,
    "rejected": False,
    "query": "PACS.example",
    "answers": ["a.example", "10.0.0.9", "8.8.8.8"],
}
PUMP, SERVER, CLIENT = {"mac": "00:11:22:00:00:05"}, {"address": "10.0.0.9"}, {"address": "10.0.0.5"}
NAMES = {"certificate-subject": "CN=pacs", "certificate-issuer": "CN=ca"}


@pytest.mark.parametrize(
    ("log", "record", "said"),
    [
        ("dhcp", DHCP, [("zeek.dhcp", PUMP | CLIENT | {"host": "pump-5"}, {"host": "pump-5"})]),
        (
            "dhcp",
            DHCP | {"msg_types": ["DISCOVER"]},
            [("zeek.dhcp", PUMP | {"host": "pump-5"}, {"host": "pump-5"})],
        ),
        (
            "dhcp",
            ASKED,
            [
                (
                    "zeek.dhcp",
                    PUMP | {"client-id": "01aabb"},
                    {"vendor-class": "MSFT 5.0", "dhcp-options": "1,3", "os": "Windows"},
                )
            ],
        ),
        (
            "ssl",
            SSL,
            [
                ("zeek.ssl", SERVER | {"certificate": A}, NAMES | {"host": "pacs.example"}),
                ("zeek.ssl", CLIENT | {"certificate": B}, {}),
            ],
        ),
        ("x509", X509, [("zeek.x509", {"certificate": A}, NAMES | {"certificate-ends": "2027-01-15"})]),
        ("x509", X509 | {"basic_constraints.ca": True}, []),
        ("x509", X509 | {"fingerprint": "a" * 40}, []),
        (
            "http",
            HTTP,
            [("zeek.http", CLIENT, {"user-agent": "Mozilla/5.0 (Windows NT 5.1)", "os": "Windows XP"})],
        ),
        (
            "software",
            APACHE | {"unparsed_version": "(Debian)"},
            [("zeek.software", SERVER, {"software": "Apache 2.4", "os": "Debian"})],
        ),
        (
            "mqtt_connect",
            ID | {"ts": T, "client_id": "p5", "connect_status": "x"},
            [("zeek.mqtt", CLIENT, {"mqtt-client": "p5"})],
        ),
        ("mqtt_publish", PUBLISH, []),
        ("known_hosts", {"ts": T, "host": "10.0.0.9"}, [("zeek.known", SERVER, {})]),
        ("known_services", OFFERED, [("zeek.known", SERVER, {"service": "104/tcp dicom"})]),
        (
            "known_devices",
            {"ts": T, "dhcp_host_name": "p"} | PUMP,
            [("zeek.known", PUMP | {"host": "p"}, {"host": "p"})],
        ),
        (
            "known_certs",
            CERT,
            [("zeek.known", SERVER, {"certificate-subject": "CN=x", "certificate-issuer": "CN=y"})],
        ),
        ("dns", DNS, [("zeek.dns", SERVER, {"host": "pacs.example"})]),
        (
            "dns",
            DNS | {"query": "9.0.0.10.in-addr.arpa", "answers": ["PACS.example"]},
            [("zeek.dns", SERVER, {"host": "pacs.example"})],
        ),
    ],
)
def test_what_a_log_says_of_endpoints(log: str, record: dict[str, Any], said: list[Any]) -> None:
    cells = {
        name: ",".join(map(str, one)) or "(empty)" if isinstance(one, list) else one
        for name, one in record.items()
    }
    cells = {
        name: {True: "T", False: "F"}[one] if isinstance(one, bool) else one for name, one in cells.items()
    }
    forms = [
        (as_json(record | {"_path": log}), "x"),
        (as_json(record), f"{log}.2023-11-14.log"),
        (as_json(record), "unnamed.json"),
    ]
    for data, name in [*forms, (as_tsv(cells, path=log, fields=list(cells)), "x")]:
        assert observer_of(data, name), data
        seen = zeek(data, name)
        assert seen.said() == said
        assert not seen.refused
        assert "JANE" not in str(seen.statements)


@pytest.mark.parametrize(
    ("said", "known"), [("ssl", "tls"), ("SSL,http", "tls,http"), ("smtp,ssl", "smtp,tls"), ("sslx", "sslx"), ("", "")]
)  # fmt: skip
def test_tls_is_called_so_whatever_zeek_calls_it(said: str, known: str) -> None:
    assert zeek(as_json(conn(service=said)), "conn.log").rows("service") == [(known,)]
    offers = {"ts": T, "host": "10.0.0.9", "port_num": 443, "port_proto": "tcp", "service": [said]}
    facts = [
        fact.value for one in zeek(as_json(offers), "known_services.log").statements for fact in one.facts
    ]
    assert facts == [f"443/tcp {known}".strip()]


def test_a_flow_knows_its_tls_in_one_stream_and_a_log_of_tls_alone_gives_rows_without_counts() -> None:
    known = ("tls", "TLSv1.2", "pacs.example", A)
    columns = ("service", "tls", "server_name", "certificate", "client_bytes")
    mixed = zeek(
        as_json(
            SSL | {"_path": "ssl"},
            conn(_path="conn", service="ssl"),
            conn(_path="conn", uid="C2", service="ssl"),
        )
    )
    assert mixed.rows(*columns) == [(*known, 100), ("tls", "", "", "", 100)]
    apart = zeek(as_json(SSL), "ssl.log")
    assert apart.rows(*columns, "server_packets", "answered", "port") == [(*known, None, None, True, 2575)]


def test_sessions_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "WAITING_MAX", 3)
    monkeypatch.setattr(sessions, "_BATCH", 2)
    records = [SSL | {"uid": f"C{n}", "_path": "ssl"} for n in range(6)]
    last = [conn(_path="conn", uid=uid, service="ssl") for uid in ("C5", "C0")]
    first = zeek(as_json(*records) + as_tsv(*last))
    counted = first.flows.filter(first.flows["client_bytes"].is_not_null())
    assert counted["tls"].to_list() == ["TLSv1.2", ""]
    assert first.flows.height == 2 + 5


def test_a_router_is_said_so_often_that_it_is_known_for_one_and_no_more() -> None:
    seen = zeek(
        as_json(*(conn(uid=f"C{n}", id__resp_h=f"10.1.{n // 250}.{n % 250 + 1}") for n in range(500)))
    )
    assert sum(one[1]["mac"] == "00:11:22:00:00:09" for one in seen.said()) == pairs.FRONTS_MAX


def test_the_same_is_said_once_an_hour() -> None:
    assert (
        len(
            zeek(
                as_json(*(DHCP | {"ts": T + minutes * 60} for minutes in (0, 1, 59, 61))), "dhcp.log"
            ).statements
        )
        == 2
    )


@pytest.mark.parametrize("ends", [-6.3e10, -2e11, 2.6e11, 1e300])
def test_a_certificate_of_no_calendar_ends_at_no_day(ends: float) -> None:
    said = X509 | {"certificate.not_valid_after": ends}
    assert "certificate-ends" not in zeek(as_json(said), "x509.log").said()[0][2]


def test_hostile_names_are_kept_so_that_they_can_be_shown() -> None:
    (said,) = zeek(as_json(DHCP | {"host_name": "<script>\x1b[2J\u202e" + "x" * 5000}), "dhcp.log").said()
    assert said[1]["host"].startswith("<script>[2jxx")
    assert len(said[1]["host"]) == 200


def test_escapes_of_columns_are_undone() -> None:
    (said,) = zeek(
        as_tsv(DHCP | {"host_name": "pump\\x2d5\\x09\\xff", "msg_types": "ACK"}, path="dhcp", fields=[*DHCP])
    ).said()
    assert said[1]["host"] == "pump-5\ufffd"


PIECES = [
    as_json(conn()),
    as_tsv(conn()),
    as_json(SSL),
    b"#fields\tts\n",
    b"{}\n",
    b'{"ts":1}\n',
    b"#separator \n",
]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(PIECES))))
def test_any_bytes_are_read_to_their_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    for name in ("", "conn.log", "dhcp.log"):
        assert zeek(data, name).offset <= len(data)
        OBSERVER.knows(data, name)


def test_what_is_not_zeek_s_is_not_taken() -> None:
    eve = b'{"timestamp":"2023-11-14T22:13:20+0000","event_type":"flow","src_ip":"10.0.0.5"}\n'
    assert not OBSERVER.knows(eve, "eve.json")
    assert not OBSERVER.knows(b"\x1f\x8bnonsense", "conn.log.gz")
