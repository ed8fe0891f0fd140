"""A made-up estate's captures, judged by tshark: whole, and saying what their devices are."""

import json
import subprocess
from shutil import which

import pytest

from oathward_sim.estate.make import make

pytestmark = pytest.mark.skipif(
    which("tshark") is None, reason="tshark judges the capture; it is not installed"
)
ASK = (
    "-d",
    "tcp.port==2575,hl7",
    "-d",
    "tcp.port==11112,dicom",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "ip.check_checksum:TRUE",
)
WRONG = "_ws.malformed or tcp.checksum.status==0 or ip.checksum.status==0 or tcp.analysis.flags"


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    out = tmp_path_factory.mktemp("estate") / "here"
    make(out, devices=120, sites=1, days=1, seed=5)
    return out


def asked(estate, *more):
    command = ["tshark", "-r", str(estate / "north" / "heads" / "2026-05-04.pcap"), *ASK, *more]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_nothing_of_the_capture_is_malformed(estate):
    assert asked(estate, "-Y", WRONG) == ""


def test_image_devices_say_their_titles_and_others_their_serials(estate):
    rows = (estate / "truth" / "devices.jsonl").read_bytes().splitlines()
    people = [json.loads(row) for row in rows]
    titles = asked(estate, "-Y", "dicom.pdu.type==1", "-T", "fields", "-e", "dicom.assoc.ae.calling").split()
    assert set(titles) <= {
        d["host"] for d in people if d["type"] in {"ultrasound", "ct-scanner", "mr-scanner", "x-ray"}
    }
    assert titles
    text = asked(estate, "-Y", "hl7", "-T", "fields", "-e", "tcp.payload")
    said = bytes.fromhex("".join(text.split()))
    pumps = [d for d in people if d["type"] in {"syringe-pump", "infusion-pump"}]
    assert all(f"|{d['serial']}^{d['make'].upper()}".encode() in said for d in pumps)
