"""Suricata's EVE: one JSON object a line, of every event type in one stream.

| event | taken |
|---|---|
| flow, netflow | flows; a ``netflow`` event is one direction and waits for the other |
| tls | version, name and certificate of its flow (by ``flow_id``); the certificate's SHA-256 where the certificate is logged; fingerprints |
| dhcp | card, address, host, client id, vendor class |
| http, mqtt, dns | user agent and server; client id; names of addresses inside |
| arp | card and address |
| alert | counted; the rest of Suricata's own kinds are passed over |

Deliberately absent: URLs, user names, passwords, topics, payloads.

Source: Suricata user guide, *Eve JSON Format*.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.cards import mac
from oathward.discovery.logs.blocks import blocks, plain_head
from oathward.discovery.logs.frames import asked_is_client_port, flow_type, flows_of, turned
from oathward.discovery.logs.gathering import Gathered, at
from oathward.discovery.logs.halves import COLUMNS, Half, Halves, Row, bounded
from oathward.discovery.logs.hints import system_of
from oathward.discovery.logs.pairs import Pairs
from oathward.discovery.logs.records import Record, inner, listed, moment, object_of, port, raw, text, whole
from oathward.discovery.logs.sessions import Session, Sessions
from oathward.discovery.model import RENEWED, Around, Fact, Mark, MarkKind, Seen
from oathward.discovery.observer import Observer
from oathward.discovery.values import address, host

if TYPE_CHECKING:
    import polars as pl

_SERVICES = {"failed": "", "unknown": ""}
_VERSIONS = {
    "TLSv1": "TLSv1.0",
    "TLS 1.1": "TLSv1.1",
    "TLS 1.2": "TLSv1.2",
    "TLS 1.3": "TLSv1.3",
    "SSLv2": "SSLv2",
    "SSLv3": "SSLv3",
}
_CERTIFICATE_LENGTH_MAX = 65_536
_PASSED_OVER = frozenset(
    (
        *(
            "anomaly",
            "bittorrent_dht",
            "dcerpc",
            "dnp3",
            "drop",
            "enip",
            "fileinfo",
            "frame",
            "ftp",
            "ftp_data",
            "http2",
            "ike",
            "krb5",
            "ldap",
            "mdns",
        ),
        *(
            "metadata",
            "modbus",
            "nfs",
            "ntp",
            "packet",
            "pgsql",
            "pop3",
            "quic",
            "rdp",
            "rfb",
            "sip",
            "smb",
            "smtp",
            "snmp",
            "ssh",
            "stats",
            "telnet",
        ),
        *("template", "tftp", "websocket"),
    )
)
_RAW: Mapping[str, str] = {
    "uid": "String",
    **dict.fromkeys(("start_us", "end_us", "client_port", "port"), "Int64"),
    **dict.fromkeys(
        ("client", "server", "client_mac", "server_mac", "transport", "service", "segment"), "String"
    ),
    **dict.fromkeys(("client_bytes", "server_bytes", "client_packets", "server_packets"), "Int64"),
    **dict.fromkeys(("answered", "midway"), "Boolean"),
}


def _knows(head: bytes, _: str) -> bool:
    first = object_of(plain_head(head).lstrip().split(b"\n", 1)[0])
    return first is not None and "event_type" in first and "timestamp" in first


def _read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    source = _Eve(around)
    offset = 0
    for block in blocks(stream, source.gathered.refused):
        for part in block.parts():
            offset = part.offset
            if part.whole or object_of(part.data) is not None:
                source.take(part.data)
            else:
                source.gathered.refuse(Reason.OBSERVED_CUT, "line")
                offset -= len(part.data)
            if source.gathered.is_something:
                yield source.gathered.part(offset)
    source.end()
    yield source.gathered.part(offset)


class _Eve:
    """One source while it is read."""

    def __init__(self, around: Around) -> None:
        self.gathered = Gathered(around)
        self._sessions = Sessions(self.gathered, "suricata.tls")
        self._pairs = Pairs(self.gathered, "suricata.flow")
        self._halves = Halves()
        self._flows: list[tuple[object, ...]] = []
        self._rows: list[Row] = []

    def take(self, data: bytes) -> None:
        for line in data.split(b"\n"):
            if not line.strip():
                continue
            record = object_of(line)
            if record is None:
                self.gathered.refuse(Reason.OBSERVED_BROKEN, "line")
            else:
                self._event(record)
        self._flush()

    def end(self) -> None:
        self._rows.extend(self._halves.end())
        self._flush()
        self._sessions.end()

    def _event(self, record: Record) -> None:
        kind = raw(record, "event_type")
        if kind in _PASSED_OVER:
            return
        if kind == "alert":
            self.gathered.refuse(Reason.OBSERVED_UNKNOWN, "alert")
            return
        at_us = moment(record.get("timestamp"))
        if at_us is None:
            self.gathered.refuse(Reason.OBSERVED_BROKEN, "timestamp")
        elif kind == "flow":
            self._flow(record, at_us)
        elif kind == "netflow":
            self._netflow(record, at_us)
        elif kind == "tls":
            self._tls(record, at_us)
        elif kind in _SAYING:
            _SAYING[kind](record, at_us, self.gathered)
        else:
            self.gathered.refuse(Reason.OBSERVED_UNKNOWN, "record")

    def _flow(self, record: Record, at_us: int) -> None:
        flow, tcp = inner(record, "flow"), inner(record, "tcp")
        begin, packets_back = moment(flow.get("start")), whole(flow.get("pkts_toclient"))
        transport = raw(record, "proto").lower()
        self._flows.append(
            (
                str(record.get("flow_id", "")),
                at_us if begin is None else begin,
                moment(flow.get("end")),
                *_ports(record, transport),
                raw(record, "src_ip"),
                raw(record, "dest_ip"),
                *_cards(record),
                "icmp" if transport.startswith(("icmp", "ipv6-icmp")) else transport,
                _service(record),
                _segment(record),
                whole(flow.get("bytes_toserver")) or 0,
                whole(flow.get("bytes_toclient")) or 0,
                whole(flow.get("pkts_toserver")) or 0,
                packets_back or 0,
                None if packets_back is None else packets_back > 0,
                transport == "tcp" and bool(tcp) and tcp.get("syn") is not True,
            )
        )

    def _netflow(self, record: Record, at_us: int) -> None:
        flow = inner(record, "netflow")
        transport = raw(record, "proto").lower()
        begin, end = moment(flow.get("start")), moment(flow.get("end"))
        ports, cards = _ports(record, transport), _cards(record)
        half = Half(
            at_us if begin is None else begin,
            at_us if end is None else end,
            address(raw(record, "src_ip")),
            ports[0] or 0,
            cards[0],
            address(raw(record, "dest_ip")),
            ports[1] or 0,
            cards[1],
            transport,
            whole(flow.get("bytes")) or 0,
            whole(flow.get("pkts")) or 0,
            _segment(record),
            _service(record),
        )
        around = self.gathered.around
        if bounded(half, around.from_us, around.until_us):
            self._rows.extend(self._halves.take(half))
        else:
            self.gathered.refuse(Reason.OBSERVED_TIME, "time")

    def _tls(self, record: Record, at_us: int) -> None:
        tls = inner(record, "tls")
        own, asked = _digest(tls), host(tls.get("sni"))
        server, client = at(raw(record, "dest_ip")), at(raw(record, "src_ip"))
        facts = [
            Fact("certificate-subject", text(tls, "subject"), 0.8),
            Fact("certificate-issuer", text(tls, "issuerdn"), 0.8),
            Fact("certificate-ends", text(tls, "notafter")[:10], 0.8),
            Fact("host", asked if server.value and ip_address(server.value).is_private else "", 0.4),
        ]
        if server.value and (own or any(fact.value for fact in facts)):
            self.gathered.say(at_us, "suricata.tls", [server, Mark(MarkKind.CERTIFICATE, own)], facts)
        prints = [text(inner(tls, "ja3"), "hash"), text(tls, "ja4")]
        if any(prints):
            self.gathered.say(
                at_us, "suricata.tls", [client], [Fact("fingerprint", one, 0.5) for one in prints]
            )
        where = port(record.get("dest_port"))
        if where is not None:
            version = _VERSIONS.get(text(tls, "version").partition(" draft")[0], "")
            flow = (
                raw(record, "src_ip"),
                raw(record, "dest_ip"),
                raw(record, "proto").lower() or "tcp",
                where,
                "tls",
                version,
                asked,
                own,
                None,
            )
            self._sessions.add(str(record.get("flow_id", "")), Session(at_us, *flow))

    def _flush(self) -> None:
        """Make frames of the flows of a block."""
        import polars as pl

        if self._flows:
            frame = pl.DataFrame(
                self._flows,
                schema={name: getattr(pl, kind) for name, kind in _RAW.items()},
                orient="row",
                strict=False,
            )
            frame = turned(self._sessions.given_to(frame), pl.col("midway") & asked_is_client_port())
            self._give(frame, "suricata.flow")
            self._flows = []
        if self._rows:
            schema = {name: pl.Int64() if name == "port" else flow_type(name) for name in COLUMNS}
            self._give(pl.DataFrame(self._rows, schema=schema, orient="row"), "suricata.netflow")
            self._rows = []

    def _give(self, frame: pl.DataFrame, source: str) -> None:
        flows = flows_of(frame, self.gathered, source)
        self.gathered.flows(flows)
        self._pairs.take(flows)


def _ports(record: Record, transport: str) -> tuple[int | None, int | None]:
    if transport not in ("tcp", "udp", "sctp"):
        return 0, 0
    return whole(record.get("src_port")), whole(record.get("dest_port"))


def _cards(record: Record) -> tuple[str, str]:
    ether = inner(record, "ether")
    if not ether:
        return "", ""
    found = ((listed(ether, f"{side}_mac", f"{side}_macs") or [""])[0] for side in ("src", "dest"))
    source, target = (mac(one) or "" for one in found)
    return source, target


def _service(record: Record) -> str:
    name = raw(record, "app_proto").lower()
    return _SERVICES.get(name, name)


def _segment(record: Record) -> str:
    vlan = record.get("vlan")
    first = whole(vlan[0] if isinstance(vlan, list) and vlan else vlan)
    return f"vlan {first}" if first is not None else ""


def _digest(tls: Record) -> str:
    """Give the SHA-256 of a logged certificate; what Suricata calls its fingerprint is a SHA-1, and nothing here."""
    packed = raw(tls, "certificate")
    if not packed or len(packed) > _CERTIFICATE_LENGTH_MAX:
        return ""
    try:
        return hashlib.sha256(base64.b64decode(packed, validate=True)).hexdigest()
    except binascii.Error:
        return ""


def _dhcp(record: Record, at_us: int, gathered: Gathered) -> None:
    told = inner(record, "dhcp")
    card = mac(raw(told, "client_mac")) or ""
    kind = told.get("dhcp_type")
    given, own = (at(told.get(name)).value for name in ("assigned_ip", "client_ip"))
    where = (given or own) if kind in {"ack", "request", "inform", None} else ""
    client = text(told, "client_id").replace(":", "").lower()
    if client and client == card.replace(":", ""):
        client = "01" + client  # option 61 has the type of hardware in front; Suricata leaves it out
    name, vendor = host(told.get("hostname")), text(told, "vendor_class_identifier")
    marks = [
        Mark(MarkKind.MAC, card),
        Mark(MarkKind.ADDRESS, where),
        Mark(MarkKind.CLIENT_ID, client),
        Mark(MarkKind.HOST, name),
    ]
    facts = [Fact("host", name, 0.6), Fact("vendor-class", vendor, 0.8), Fact("os", system_of(vendor), 0.3)]
    if own and (kind == "request" or (kind == "ack" and given == own)):
        facts.append(RENEWED)
    if card:
        gathered.say(at_us, "suricata.dhcp", marks, facts)


def _http(record: Record, at_us: int, gathered: Gathered) -> None:
    told = inner(record, "http")
    agent, software = text(told, "http_user_agent"), text(told, "server")
    if agent:
        gathered.say(
            at_us,
            "suricata.http",
            [at(record.get("src_ip"))],
            [Fact("user-agent", agent, 0.6), Fact("os", system_of(agent), 0.4)],
        )
    if software:
        gathered.say(
            at_us,
            "suricata.http",
            [at(record.get("dest_ip"))],
            [Fact("software", software, 0.6), Fact("os", system_of(software), 0.3)],
        )


def _mqtt(record: Record, at_us: int, gathered: Gathered) -> None:
    client = text(inner(inner(record, "mqtt"), "connect"), "client_id")
    if client:
        gathered.say(at_us, "suricata.mqtt", [at(record.get("src_ip"))], [Fact("mqtt-client", client, 0.7)])


def _dns(record: Record, at_us: int, gathered: Gathered) -> None:
    told = inner(record, "dns")
    asked = host(told.get("rrname"))
    several = told.get("answers")
    answers = [one for one in several[:64] if isinstance(one, dict)] if isinstance(several, list) else [told]
    for answer in answers:
        where = at(answer.get("rdata")) if answer.get("rrtype") in ("A", "AAAA") else at("")
        if where.value and asked and ip_address(where.value).is_private:
            gathered.say(at_us, "suricata.dns", [where], [Fact("host", asked, 0.5)])


def _arp(record: Record, at_us: int, gathered: Gathered) -> None:
    told = inner(record, "arp")
    card, where = mac(raw(told, "src_mac")) or "", at(told.get("src_ip"))
    if card and where.value:
        gathered.say(at_us, "suricata.arp", [Mark(MarkKind.MAC, card), where])


_SAYING: Mapping[str, Callable[[Record, int, Gathered], None]] = {
    "dhcp": _dhcp,
    "http": _http,
    "mqtt": _mqtt,
    "dns": _dns,
    "arp": _arp,
}

OBSERVER = Observer(words="Suricata EVE (JSON)", knows=_knows, read=_read, header=lambda _: 0, order=20)
