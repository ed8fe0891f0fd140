"""What observers make of logs and flow records that others wrote, counted by others: json, the corpus' own gold, tshark."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.exporters import (
    IPFIX_FIELDS,
    V9_FIELDS,
    ip,
    ipfix,
    ipfix_record,
    one_set,
    template,
    v5,
    v9,
    v9_record,
)
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.observer import observer_of
from oathward.discovery.observers.netflow import OBSERVER as NETFLOW
from oathward.discovery.observers.suricata import OBSERVER as SURICATA
from oathward.discovery.observers.zeek import OBSERVER as ZEEK

LOGS = CORPUS / "network" / "slips-zeek-suricata"
VERIFY = CORPUS / "network" / "suricata-verify"
COUNTS = ("client_bytes", "server_bytes", "client_packets", "server_packets")


def records(path: Path) -> list[dict[str, Any]]:
    """Read a log of Zeek plainly: JSON, or columns by its header."""
    found, fields = [], list[str]()
    for line in path.read_text().splitlines():
        text = line.strip("\n")
        if text.lstrip().startswith("#"):
            fields = text.split("\t")[1:] if text.startswith("#fields") else fields
        elif text.startswith("{"):
            found.append(json.loads(text))
        elif text:
            found.append(
                {name: cell for name, cell in zip(fields, text.split("\t"), strict=False) if cell != "-"}
            )
    return found


@needs_corpus
@pytest.mark.corpus
def test_zeek_s_logs_of_the_corpus_are_read_record_for_record() -> None:
    read = 0
    for path in sorted(LOGS.rglob("*.log")):
        head, there = path.read_bytes(), records(path)
        if path.name == "arp.log":  # of a script of its own: nobody's
            assert observer_of(head, path.name) is None
            continue
        assert observer_of(head, path.name) == ("zeek", ZEEK), path
        seen = Observed(ZEEK, head, path.name)
        assert not seen.refused, path
        read += 1
        if path.name == "conn.log":
            starts = sorted(round(float(one["ts"]) * 1_000_000) for one in there)
            assert sorted(seen.flows["start_us"].to_list()) == starts
            names = (("orig_bytes", "orig_ip_bytes"), ("resp_bytes", "resp_ip_bytes"))
            said = sum(
                int(next((one[name] for name in side if name in one), 0)) for one in there for side in names
            )
            assert seen.flows["client_bytes"].sum() + seen.flows["server_bytes"].sum() == said
            packets = sum(int(one.get(name, 0)) for one in there for name in ("orig_pkts", "resp_pkts"))
            assert seen.flows["client_packets"].sum() + seen.flows["server_packets"].sum() == packets
        elif path.name == "ssl.log":
            assert seen.flows.height == len(there)
            assert set(seen.flows["server_name"].to_list()) == {
                one.get("server_name", "").lower() for one in there
            }
        elif path.name == "dhcp.log":
            assert {mark["mac"] for _, mark, _ in seen.said()} == {one["mac"] for one in there}
    assert read >= 15


@needs_corpus
@pytest.mark.corpus
def test_suricata_s_events_of_the_corpus_are_read_event_for_event() -> None:
    (path,) = LOGS.glob("*.json")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    flows = [one for one in events if one["event_type"] == "flow"]
    seen = Observed(SURICATA, path.read_bytes())
    assert seen.flows.height == len(flows) == 703
    for unit in ("bytes", "packets"):
        short = {"bytes": "bytes", "packets": "pkts"}[unit]
        said = sum(one["flow"][f"{short}_to{side}"] for one in flows for side in ("server", "client"))
        assert seen.flows[f"client_{unit}"].sum() + seen.flows[f"server_{unit}"].sum() == said
    assert seen.refused == {
        (Reason.OBSERVED_UNKNOWN, "alert"): sum(one["event_type"] == "alert" for one in events)
    }


def gold(path: Path) -> list[dict[str, Any]]:
    """Give the events that a test of Suricata's own expects, as its ``match`` lists them."""
    events, event = [], dict[str, Any]()
    for line in path.read_text().splitlines():
        name, found, value = line.strip().partition(": ")
        if line.strip() == "match:":
            event = {}
            events.append(event)
        elif found and events and "[" not in name:
            at = event
            *parents, last = name.split(".")
            for parent in parents:
                at = at.setdefault(parent, {})
                if not isinstance(at, dict):
                    break
            else:
                at[last] = value.strip("\"'").replace("\\u0000", "\0")
    return events


@needs_corpus
@pytest.mark.corpus
def test_what_suricata_says_of_dhcp_and_mqtt_is_found() -> None:
    cards = clients = 0
    for path in sorted(VERIFY.glob("*/test.yaml")):
        for event in gold(path):
            kind = event.get("event_type")
            if kind not in ("dhcp", "mqtt"):
                continue
            whole = {
                "timestamp": "2023-11-14T22:13:20+0000",
                "src_ip": "10.0.0.5",
                "dest_ip": "10.0.0.9",
            } | event
            said = Observed(SURICATA, json.dumps(whole).encode() + b"\n").said()
            dhcp, mqtt = event.get("dhcp"), event.get("mqtt")
            if isinstance(dhcp, dict) and dhcp.get("client_mac", "").count(":") == 5:
                assert said[0][1]["mac"] == dhcp["client_mac"]
                assert said[0][1].get("host", "") == dhcp.get("hostname", "").strip("\0").lower()
                cards += 1
            connect = mqtt.get("connect") if isinstance(mqtt, dict) else None
            if isinstance(connect, dict) and connect.get("client_id"):
                assert [one[2] for one in said] == [{"mqtt-client": connect["client_id"]}]
                clients += 1
    assert cards >= 3
    assert clients >= 5


def capture(*datagrams: bytes) -> bytes:
    """Put datagrams into a capture of raw IP, port 2055."""
    data = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
    for one in datagrams:
        udp = struct.pack("!HHHH", 9_999, 2_055, len(one) + 8, 0) + one
        packet = (
            struct.pack("!BBHHHBBH", 0x45, 0, len(udp) + 20, 0, 0, 64, 17, 0)
            + ip("10.0.0.1")
            + ip("10.0.0.2")
            + udp
        )
        data += struct.pack("!IIII", 1_700_000_000, 0, len(packet), len(packet)) + packet
    return data


GO, BACK = ("10.0.0.5", "10.0.0.9", 50_000, 2575), ("10.0.0.9", "10.0.0.5", 2575, 50_000)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark on this machine")
@pytest.mark.parametrize(
    "messages",
    [
        [v5((*GO, 6, 2, 100), (*BACK, 6, 1, 50)), v5(("10.0.0.7", "10.0.0.8", 5_353, 53, 17, 9, 900))],
        [
            v9(
                one_set(0, template(256, V9_FIELDS)),
                one_set(256, v9_record(*GO) + v9_record(*BACK, 50, 1), pad=2),
                count=3,
            ),
            v9(one_set(256, v9_record("10.0.0.7", "10.0.0.8", 5_353, 53, 900, 9, 17))),
        ],
        [
            ipfix(
                one_set(2, template(300, IPFIX_FIELDS)),
                one_set(300, ipfix_record(*GO) + ipfix_record(*BACK, 50, 1, b"")),
            ),
            ipfix(one_set(300, ipfix_record("10.0.0.7", "10.0.0.8", 5_353, 53, 900, 9, b"a" * 254))),
        ],
    ],
    ids=["v5", "v9", "ipfix"],
)
def test_tshark_reads_the_same_records(messages: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "flows.pcap").write_bytes(capture(*messages))
    wanted = ["srcaddr", "dstaddr", "srcport", "dstport", "octets", "packets"]
    command = [
        "tshark",
        "-n",
        "-r",
        str(tmp_path / "flows.pcap"),
        "-d",
        "udp.port==2055,cflow",
        "-T",
        "fields",
        "-E",
        "occurrence=a",
    ]
    done = subprocess.run(
        [*command, *(part for name in wanted for part in ("-e", f"cflow.{name}"))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    packets = [line.split("\t") for line in done.stdout.splitlines()]
    theirs = sorted(
        one for packet in packets for one in zip(*(cell.split(",") for cell in packet), strict=True)
    )
    seen = Observed(NETFLOW, b"".join(messages))
    ours = []
    for client, server, port, out, back, sent, answered in seen.rows("client", "server", "port", *COUNTS):
        ours += [(client, server, str(port), str(out), str(sent))] if sent else []
        ours += [(server, client, str(port), str(back), str(answered))] if answered else []
    assert len(theirs) == 3
    told = sorted(
        (a, b, min(p, q, key=int) if int(max(p, q, key=int)) >= 32_768 else q, octets, count)
        for a, b, p, q, octets, count in theirs
    )
    assert sorted(ours) == told
    assert not seen.refused
