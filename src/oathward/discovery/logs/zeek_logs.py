"""What each of Zeek's logs says of endpoints: one function a log, in a table (``LOGS``).

| log | marks | facts (confidence) |
|---|---|---|
| dhcp | card, address where one was given, host, client id | host 0.6, vendor class 0.8, options 0.8, os 0.3, switch port 0.7 |
| dns | address of the answer, inside private ranges | host 0.5 |
| ssl | address, its certificate | certificate's subject and issuer 0.8, host 0.4 of the name that was asked for |
| x509 | certificate, of ends and not of authorities | subject, issuer, last day 0.8 |
| http | address | user agent 0.6, software of the server 0.6, os 0.4 |
| software | address | software 0.6, os 0.5 |
| mqtt_connect | address | MQTT client id 0.7 |
| known_hosts, known_services, known_certs | address | service 0.7; subject, issuer 0.6 |
| known_devices | card | host 0.6 |

Deliberately absent: paths, queries, user names, topics and payloads; they may hold a patient's values.

Source: Zeek, the ``Info`` records of ``base/protocols`` and ``policy/protocols``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from oathward.discovery.cards import mac
from oathward.discovery.logs.frames import service
from oathward.discovery.logs.gathering import Gathered, at
from oathward.discovery.logs.hints import system_of
from oathward.discovery.logs.records import Record, listed, number, port, raw, text
from oathward.discovery.logs.sessions import Session, Sessions
from oathward.discovery.model import RENEWED, Fact, Mark, MarkKind
from oathward.discovery.values import address, host

_FIRST_S, _LAST_S = -62_000_000_000, 250_000_000_000
"""The years 6 and 9892: days are of the years 1 to 9999, and a certificate may say any."""

_TLS = {
    "SSLv2": "SSLv2",
    "SSLv3": "SSLv3",
    "TLSv10": "TLSv1.0",
    "TLSv11": "TLSv1.1",
    "TLSv12": "TLSv1.2",
    "TLSv13": "TLSv1.3",
}
_DTLS = {"DTLSv10": "DTLSv1.0", "DTLSv12": "DTLSv1.2", "DTLSv13": "DTLSv1.3"}


class Log(NamedTuple):
    """One log: the fields that tell its records from those of other logs, and what is taken of a record."""

    fields: frozenset[str]
    take: Callable[[Record, int, Gathered, Sessions], None]


def card(value: str) -> Mark:
    """Mark an endpoint by its network card; without a value where that is none."""
    return Mark(MarkKind.MAC, mac(value) or "")


def named(value: object) -> Mark:
    """Mark an endpoint by its host name."""
    return Mark(MarkKind.HOST, host(value))


def certificate(digest: str) -> Mark:
    """Mark an endpoint by the SHA-256 of its certificate; without a value where it is another digest."""
    fine = len(digest) == 64 and all(one in "0123456789abcdef" for one in digest.lower())
    return Mark(MarkKind.CERTIFICATE, digest.lower() if fine else "")


def _dhcp(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    kinds = listed(record, "msg_types")
    given = not kinds or "ACK" in kinds
    where = text(record, "assigned_addr", "client_addr", "assigned_ip") if given else ""
    name = text(record, "host_name", "client_fqdn")
    vendor = text(record, "vendor_class", "vendor_class_id", "client_software")
    client = text(record, "client_id", "client_identifier").lower()
    marks = [
        card(raw(record, "mac") or raw(record, "client_chaddr")),
        at(where),
        Mark(MarkKind.CLIENT_ID, client),
        named(name),
    ]
    facts = [
        Fact("host", host(name), 0.6),
        Fact("vendor-class", vendor, 0.8),
        Fact("dhcp-options", ",".join(_options(record)), 0.8),
        Fact("os", system_of(vendor), 0.3),
        Fact("switch-port", text(record, "circuit_id", "agent_remote_id", "subscriber_id"), 0.7),
    ]
    if {"REQUEST", "ACK"} <= set(kinds) and "DISCOVER" not in kinds and text(record, "client_addr"):
        facts.append(RENEWED)
    gathered.say(at_us, "zeek.dhcp", marks, facts)


def _options(record: Record) -> list[str]:
    said = record.get("param_list") or record.get("client_param_list")
    parts = said[:64] if isinstance(said, list) else said.split(",")[:64] if isinstance(said, str) else []
    return [str(one) for one in parts if (read := number(one)) is not None and 0 <= read <= 255]


def _dns(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    asked = host(record.get("query"))
    if not asked:
        return
    answers = listed(record, "answers")
    if asked.endswith((".in-addr.arpa", ".ip6.arpa")):
        where = _reversed(asked)
        answers, asked = ([where], host(answers[0])) if answers and where else ([], "")
    for answer in answers:
        where = address(answer)
        if where and asked and ip_address(where).is_private:
            gathered.say(at_us, "zeek.dns", [at(where)], [Fact("host", asked, 0.5)])


def _reversed(asked: str) -> str:
    labels = asked.split(".")[:-2]
    if len(labels) == 4:
        return address(".".join(reversed(labels)))
    digits = "".join(reversed(labels))
    return address(":".join(digits[i : i + 4] for i in range(0, 32, 4))) if len(digits) == 32 else ""


def _ssl(record: Record, at_us: int, gathered: Gathered, sessions: Sessions) -> None:
    chain, shown = listed(record, "cert_chain_fps"), listed(record, "client_cert_chain_fps")
    asked, version = host(record.get("server_name")), raw(record, "version")
    own = certificate(chain[0]) if chain else certificate("")
    server, client = at(raw(record, "id.resp_h")), at(raw(record, "id.orig_h"))
    facts = [
        Fact("certificate-subject", text(record, "subject") if chain else "", 0.8),
        Fact("certificate-issuer", text(record, "issuer") if chain else "", 0.8),
        Fact("host", asked if server.value and ip_address(server.value).is_private else "", 0.4),
    ]
    if own.value or facts[2].value:
        gathered.say(at_us, "zeek.ssl", [server, own] if server.value else [], facts)
    if shown and client.value:
        gathered.say(at_us, "zeek.ssl", [client, certificate(shown[0])], [])
    transport = "udp" if version in _DTLS or "quic" in raw(record, "ssl_history").lower() else "tcp"
    where = port(record.get("id.resp_p"))
    if where is not None:
        tls = _TLS.get(version) or _DTLS.get(version, "")
        known = record.get("established") in (True, "T")
        flow = (
            raw(record, "id.orig_h"),
            raw(record, "id.resp_h"),
            transport,
            where,
            "tls",
            tls,
            asked,
            own.value,
            known,
        )
        sessions.add(raw(record, "uid"), Session(at_us, *flow))


def _x509(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    if record.get("basic_constraints.ca") in (True, "T"):
        return
    until = number(record.get("certificate.not_valid_after"))
    ends = ""
    if until is not None and _FIRST_S <= until < _LAST_S:
        ends = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=until)).date().isoformat()
    facts = [
        Fact("certificate-subject", text(record, "certificate.subject"), 0.8),
        Fact("certificate-issuer", text(record, "certificate.issuer"), 0.8),
        Fact("certificate-ends", ends, 0.8),
    ]
    gathered.say(at_us, "zeek.x509", [certificate(raw(record, "fingerprint"))], facts)


def _http(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    agent, software = text(record, "user_agent"), text(record, "server", "server_software")
    if agent:
        gathered.say(
            at_us,
            "zeek.http",
            [at(raw(record, "id.orig_h"))],
            [Fact("user-agent", agent, 0.6), Fact("os", system_of(agent), 0.4)],
        )
    if software:
        facts = [Fact("software", software, 0.6), Fact("os", system_of(software), 0.3)]
        gathered.say(at_us, "zeek.http", [at(raw(record, "id.resp_h"))], facts)


def _software(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    kind, whole = text(record, "software_type"), text(record, "unparsed_version")
    numbers = [number(record.get(f"version.{part}")) for part in ("major", "minor", "minor2", "minor3")]
    version = ".".join(str(int(one)) for one in numbers if one is not None)
    name = f"{text(record, 'name')} {version}".strip() or whole
    system = name if kind.upper().startswith("OS::") else system_of(whole)
    facts = [Fact("software", name, 0.6), Fact("os", system, 0.5)]
    gathered.say(at_us, "zeek.software", [at(raw(record, "host"))], facts)


def _mqtt(record: Record, at_us: int, gathered: Gathered, sessions: Sessions) -> None:
    client = text(record, "client_id")
    if client:
        gathered.say(at_us, "zeek.mqtt", [at(raw(record, "id.orig_h"))], [Fact("mqtt-client", client, 0.7)])
    where = port(record.get("id.resp_p"))
    if where is not None:
        flow = (raw(record, "id.orig_h"), raw(record, "id.resp_h"), "tcp", where, "mqtt", "", "", "", None)
        sessions.add("", Session(at_us, *flow))


def _known_host(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    gathered.say(at_us, "zeek.known", [at(raw(record, "host"))])


def _known_service(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    where = port(record.get("port_num"))
    names = service(",".join(listed(record, "service")))
    offered = f"{where}/{text(record, 'port_proto') or 'tcp'} {names}".strip() if where is not None else ""
    gathered.say(at_us, "zeek.known", [at(raw(record, "host"))], [Fact("service", offered, 0.7)])


def _known_device(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    name = record.get("dhcp_host_name")
    marks = [card(raw(record, "mac")), named(name)]
    if marks[0].value:
        gathered.say(at_us, "zeek.known", marks, [Fact("host", host(name), 0.6)])


def _known_certificate(record: Record, at_us: int, gathered: Gathered, _: Sessions) -> None:
    facts = [
        Fact("certificate-subject", text(record, "subject"), 0.6),
        Fact("certificate-issuer", text(record, "issuer_subject"), 0.6),
    ]
    gathered.say(at_us, "zeek.known", [at(raw(record, "host"))], facts)


def _nothing(_record: Record, _at_us: int, _gathered: Gathered, _sessions: Sessions) -> None:
    """Take nothing: its flow is in ``conn``."""


LOGS: Mapping[str, Log] = {
    "conn": Log(frozenset({"id.orig_h", "id.resp_h", "conn_state"}), _nothing),
    "dhcp": Log(frozenset({"mac", "msg_types"}), _dhcp),
    "dns": Log(frozenset({"id.orig_h", "trans_id", "rejected"}), _dns),
    "ssl": Log(frozenset({"id.orig_h", "resumed", "established"}), _ssl),
    "x509": Log(frozenset({"certificate.subject", "certificate.issuer"}), _x509),
    "http": Log(frozenset({"id.orig_h", "trans_depth", "request_body_len"}), _http),
    "software": Log(frozenset({"host", "software_type"}), _software),
    "mqtt_connect": Log(frozenset({"id.orig_h", "connect_status"}), _mqtt),
    "mqtt_publish": Log(frozenset({"id.orig_h", "from_client", "qos"}), _nothing),
    "mqtt_subscribe": Log(frozenset({"id.orig_h", "action", "topics"}), _nothing),
    "known_services": Log(frozenset({"host", "port_num", "service"}), _known_service),
    "known_certs": Log(frozenset({"host", "port_num", "subject"}), _known_certificate),
    "known_devices": Log(frozenset({"mac", "dhcp_host_name"}), _known_device),
    "known_hosts": Log(frozenset({"ts", "host"}), _known_host),
}
"""Name of a log (``_path``) -> what it is; where fields tell, the first of which a record has all."""

PASSED_OVER = frozenset(
    (
        *(
            "analyzer",
            "broker",
            "capture_loss",
            "cluster",
            "config",
            "dpd",
            "files",
            "kerberos",
            "ldap",
            "loaded_scripts",
            "notice",
            "notice_alarm",
        ),
        *(
            "ntp",
            "ocsp",
            "packet_filter",
            "pe",
            "print",
            "quic",
            "reporter",
            "signatures",
            "smtp",
            "snmp",
            "ssh",
            "stats",
            "stderr",
            "stdout",
        ),
        *("syslog", "telemetry", "telemetry_histogram", "tunnel", "weird", "weird_stats"),
    )
)
"""Logs of Zeek that say nothing of endpoints that ``conn`` or another does not; read over, and not counted as unknown."""


def log_of(record: Record) -> str:
    """Tell by its fields which log a record is of; empty where none."""
    return next((name for name, log in LOGS.items() if log.fields <= record.keys()), "")
