"""Captures judged by others: tshark and capinfos on real ones and on what our own writer makes.

Differences that stay, with their reasons:
- What tshark shows of the packet inside an ICMP error is no conversation of ours: only its first addresses are compared.
- What a tunnel carries is a conversation of its own here, and in tshark one of the same frame: those are compared only where they are ours.
- Ports of later fragments: tshark puts packets together again, here they are counted (``observation.fragment``).
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from tests import captured as write
from tests.corpus import CORPUS, needs_corpus
from tests.seen import whole

from oathward.discovery.model import Around
from oathward.discovery.packets.capture import Capture
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.flows import Flows
from oathward.discovery.packets.layers import VXLAN_PORTS
from oathward.discovery.packets.notes import Notes
from oathward.discovery.packets.source import Source

NETWORK = CORPUS / "network"
CAPTURES = (
    sorted(path for path in NETWORK.rglob("*.pcap*") if path.suffix != ".out") if NETWORK.is_dir() else []
)
MEDICAL = [path for path in CAPTURES if "tapirx" in str(path)]
needs_tshark = pytest.mark.skipif(
    not shutil.which("tshark") or not shutil.which("capinfos"), reason="no tshark"
)
corpus = pytest.mark.corpus


def tshark(path: Path | str, *fields: str, show: str = "", of: str = "f", more=()) -> list[list[str]]:
    """Give fields of each packet that a filter shows."""
    named = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-r", str(path), "-n", "-T", "fields", "-E", f"occurrence={of}", *more, *named]
    command += ["-Y", show] if show else []
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [line.split("\t") for line in ran.stdout.splitlines()]


class Kept(Flows):
    """Remembers each conversation that was begun."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.begun: set[tuple[int, frozenset[tuple[str, int]]]] = set()

    def _new(self, protocol: int, *found) -> Half:  # type: ignore[no-untyped-def]  # as the method it wraps
        half = super()._new(protocol, *found)
        ends = frozenset(((half.address, half.port), (half.other.address, half.other.port)))
        self.begun.add((protocol, ends))
        return half


def conversations(data: bytes) -> tuple[int, set[tuple[int, frozenset[tuple[str, int]]]], Notes]:
    notes = Notes(Around(realm="a-site"))
    flows = Kept(notes)
    for _ in flows.run(Capture(Source(io.BytesIO(data)), notes.refused).packets(flows.usual)):
        pass
    flows.finish()
    return flows.packets, flows.begun, notes


def told_by_tshark(path: Path) -> set[tuple[int, frozenset[tuple[str, int]]]]:
    """Conversations of TCP and UDP by the first addresses of each packet."""
    fields = (
        "ip.src",
        "ipv6.src",
        "ip.dst",
        "ipv6.dst",
        "ip.proto",
        "tcp.srcport",
        "tcp.dstport",
        "udp.srcport",
        "udp.dstport",
    )
    found = set()
    for four, six, to_four, to_six, protocol, *ports in tshark(
        path, *fields, more=("-o", "ip.defragment:FALSE")
    ):
        both = (four or six, to_four or to_six)
        pair = ports[:2] if ports[0] else ports[2:]
        kind = 6 if ports[0] else 17
        if pair[0] and (not four or protocol == str(kind)):
            found.add((kind, frozenset(((both[0], int(pair[0])), (both[1], int(pair[1]))))))
    return found


@corpus
@needs_corpus
@needs_tshark
@pytest.mark.turns(12, "path")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_packets_and_conversations_agree(path):
    data = path.read_bytes()
    packets, ours, _ = conversations(data)
    counted = subprocess.run(
        ["capinfos", "-c", "-M", "-T", "-r", str(path)], capture_output=True, text=True, check=True
    )
    assert packets == int(counted.stdout.split()[-1])
    theirs = told_by_tshark(path)
    tunnels = {one for one in ours if any(port in VXLAN_PORTS for _, port in one[1])}
    mine = {one for one in ours if one[0] in (6, 17)}
    assert theirs <= mine
    if not tunnels:
        assert mine == theirs


@corpus
@needs_corpus
@needs_tshark
@pytest.mark.parametrize("path", MEDICAL, ids=lambda path: path.name)
def test_every_title_application_and_identifier_of_the_medical_captures_is_found(path):
    """What tshark reads of HL7 and DICOM, on the ports that it knows them by; none of these captures holds a UDI."""
    found = whole(path.read_bytes())
    values = {mark.value for one in found.statements for mark in one.marks} | {
        fact.value for one in found.statements for fact in one.facts
    }
    known = ("-d", "tcp.port==6661,hl7", "-E", "aggregator=|")
    messages = [row[0].split("|") for row in tshark(path, "hl7.field", show="hl7", of="a", more=known)]
    for _, _, sender, facility, receiver, other, *_ in messages:
        assert {f"{sender}|{facility}", f"{receiver}|{other}"} <= values
    names = (
        "dicom.assoc.ae.calling",
        "dicom.assoc.ae.called",
        "dicom.userinfo.uid",
        "dicom.userinfo.version",
    )
    associations = tshark(path, *names, show="dicom.assoc.ae.called")
    for row in associations:
        assert {word.strip() for word in row} <= values
    assert len(messages) == 2 if "HL7" in path.name else associations
    assert not [value for value in values if value.startswith("(01)")]


@corpus
@needs_corpus
def test_the_medical_captures_hold_patients_data_in_clear():
    counts = {path.name: whole(path.read_bytes()).clear for path in MEDICAL}
    for name in ("HL7-ADT.pcap", "HL7-ORU.pcap"):
        (clear,) = counts[name]
        assert clear.classes["patient.name"] >= 2
        assert clear.classes["patient.identifier"] >= 2
    assert counts["HL7-ORU.pcap"][0].classes["observation.value"] >= 14
    assert not counts["dicom_arq_1_find_testclient.pcap"]


@corpus
@needs_corpus
@needs_tshark
@pytest.mark.parametrize(
    "path",
    [path for path in CAPTURES if any(word in path.name for word in ("tls", "ssl", "xiaomi", "tuya"))]
    or [None],
)
def test_fingerprints_and_server_names_agree(path):
    if path is None:
        pytest.skip("no captures of TLS here")
    found = whole(path.read_bytes())
    theirs = {ja3 for (ja3,) in tshark(path, "tls.handshake.ja3", show="tls.handshake.type == 1 && tcp")}
    assert {
        value for name, value in found.facts("pcap.tls") if name == "fingerprint" and "_" not in value
    } == theirs


@needs_tshark
def test_what_our_writer_makes_is_well_formed_to_tshark(tmp_path):
    """Else our own tests would judge our own mistakes."""
    talk = (
        write.Talk(port=104)
        .say(0, write.dicom_associate(1))
        .say(1, write.dicom_associate(2))
        .say(0, write.dicom_store())
        .end()
    )
    hl7 = (
        write.Talk(source=40_001)
        .say(0, write.mllp(write.HL7_MESSAGE))
        .say(1, write.mllp(write.HL7_ACK))
        .end()
    )
    tls = (
        write.Talk(source=40_002, port=443)
        .say(0, write.client_hello())
        .say(1, write.server_hello(newest=True))
        .end()
    )
    mqtt = write.Talk(source=40_003, port=1_883).say(0, write.mqtt_connect()).end()
    dns = write.datagram(write.dns_answer("archive.example", write.SERVER), 53, 4_000)
    dhcp = write.datagram(write.dhcp(3), 68, 67, "0.0.0.0", "255.255.255.255")
    file = tmp_path / "all.pcapng"
    file.write_bytes(
        write.pcapng([*talk.frames, *hl7.frames, *tls.frames, *mqtt.frames, dns, dhcp, write.arp()])
    )
    rows = tshark(file, "_ws.col.Protocol", "_ws.malformed", more=("-d", "tcp.port==2575,hl7"))
    protocols = {row[0].upper() for row in rows}
    assert {"DICOM", "HL7", "MQTT", "DNS", "DHCP", "ARP"} <= protocols
    assert any(name.startswith("TLS") for name in protocols)
    assert not [row for row in rows if len(row) > 1 and row[1]]
    (ja3,) = next(iter(tshark(file, "tls.handshake.ja3", show="tls.handshake.type == 1")))
    found = whole(file.read_bytes())
    assert ("fingerprint", ja3) in found.facts("pcap.tls")
    titles = tshark(file, "dicom.assoc.ae.calling", "dicom.assoc.ae.called", show="dicom.pdu.type == 1")
    assert [[word.strip() for word in row] for row in titles] == [["CT01", "ARCHIVE"]]
