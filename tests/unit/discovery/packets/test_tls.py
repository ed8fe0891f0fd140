"""TLS handshakes: versions, names, certificates as openssl reads them, fingerprints; then nothing more is looked at."""

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import captured as write
from tests.seen import whole

from oathward.discovery.packets.der import certificate
from oathward.discovery.packets.heads.tls import ja3, ja4

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")

KINDS = {
    "rsa": ["-newkey", "rsa:2048"],
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    "ed25519": ["-newkey", "ed25519"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Certificates as openssl makes them: name of the kind -> (DER, its file)."""
    folder = tmp_path_factory.mktemp("certificates")
    found = {}
    for kind, key in KINDS.items():
        file = folder / f"{kind}.der"
        subject = f"/C=DE/O=Acme Médical/CN={kind}.hospital.example"
        command = [
            "openssl",
            "req",
            "-x509",
            *key,
            "-nodes",
            "-utf8",
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(file),
        ]
        command += ["-outform", "DER", "-days", "20000" if kind == "ec" else "30", "-subj", subject]
        command += ["-addext", f"subjectAltName=DNS:{kind}.hospital.example,DNS:other.example,IP:10.0.0.1"]
        subprocess.run(command, check=True, capture_output=True)
        found[kind] = (file.read_bytes(), file)
    return found


def openssl(file, *asked):
    command = ["openssl", "x509", "-inform", "DER", "-in", str(file), "-noout", *asked]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@needs_openssl
@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_is_read_as_openssl_reads_it(made, kind):
    der, file = made[kind]
    found = certificate(der)
    digest = openssl(file, "-fingerprint", "-sha256").partition("=")[2].replace(":", "").lower()
    until = datetime.strptime(openssl(file, "-enddate").partition("=")[2], "%b %d %H:%M:%S %Y %Z").replace(
        tzinfo=UTC
    )
    assert found.sha256 == digest
    assert found.until_us == int(until.timestamp()) * 1_000_000
    assert found.subject == found.issuer == f"{kind}.hospital.example"
    assert found.names == (f"{kind}.hospital.example", "other.example")
    assert f"CN = {found.subject}" in openssl(file, "-subject").replace("CN=", "CN = ")


@needs_openssl
def test_a_certificate_cut_or_changed_is_none_or_another_and_never_an_error(made):
    der = made["ec"][0]
    for end in range(0, len(der), 3):
        assert certificate(der[:end]) is None
    for at in range(0, len(der), 2):
        certificate(der[:at] + b"\xff" + der[at + 1 :])


@given(st.binary(max_size=300))
def test_any_bytes_are_no_certificate(data):
    certificate(data)
    certificate(b"\x30\x82\x01\x00\x30\x81\xf0" + data)


def handshake(*said, port=443):
    talk = write.Talk(port=port)
    for side, data in said:
        talk.say(side, data)
    return whole(write.pcap(talk.end().frames))


@needs_openssl
@pytest.mark.parametrize("port", [443, 50_123])
def test_a_handshake_of_1_2_names_version_server_and_certificate(made, port):
    der = made["rsa"][0]
    found = handshake(
        (0, write.client_hello()), (1, write.server_hello() + write.certificates(der)), port=port
    )
    (flow,) = found.flows
    assert (flow["service"], flow["tls"], flow["server_name"]) == ("tls", "TLSv1.2", "ehr.example")
    assert flow["certificate"] == hashlib.sha256(der).hexdigest()
    assert ("certificate", flow["certificate"]) in found.marks("pcap.tls")
    assert ("certificate-subject", "rsa.hospital.example") in found.facts("pcap.tls")


@needs_openssl
def test_a_clients_certificate_is_asked_for_and_shown(made):
    der = made["ec"][0]
    asked = write.tls_record(write.handshake(13, b"\x01\x01\0\0\0\0"))
    found = handshake(
        (0, write.client_hello()), (1, write.server_hello() + asked), (0, write.certificates(der))
    )
    assert {("client-certificate", "asked"), ("client-certificate", "shown")} <= found.facts("pcap.tls")
    shown = next(
        one
        for one in found.of("pcap.tls")
        if ("client-certificate", "shown") in {fact[:2] for fact in one.facts}
    )
    assert {mark.value for mark in shown.marks} == {write.CLIENT, hashlib.sha256(der).hexdigest()}
    assert found.flows[0]["certificate"] == ""
    none = handshake((0, write.client_hello()), (1, write.server_hello() + asked), (0, write.certificates()))
    assert ("client-certificate", "shown") not in none.facts("pcap.tls")


def test_1_3_says_its_version_in_an_extension_and_hides_the_rest():
    hidden = write.tls_record(b"x" * 900, 23)
    found = handshake((0, write.client_hello()), (1, write.server_hello(newest=True) + hidden), (0, hidden))
    (flow,) = found.flows
    assert (flow["tls"], flow["certificate"]) == ("TLSv1.3", "")
    assert not found.refused


def test_a_handshake_over_many_segments_and_records_is_one():
    hello = write.client_hello()
    body = hello[5:]
    split = b"".join(write.tls_record(body[at : at + 20]) for at in range(0, len(body), 20))
    for data, size in ((hello, 7), (split, 1_448)):
        talk = write.Talk(port=443).say(0, data, size)
        assert whole(write.pcap(talk.frames)).flows[0]["server_name"] == "ehr.example"


HELLO = (0x0303, [0x0A0A, 0x1301, 0xC02F], [(0x0A0A, b""), (0, b"\0\x06\0\0\x03a.b"), (10, b"\0\x04\0\x1d\0\x17"), (11, b"\x01\0"), (16, b"\0\x03\x02h2"), (13, b"\0\x04\x04\x03\x08\x04"), (43, b"\x04\x03\x04\x03\x03")])  # fmt: skip


def test_fingerprints_are_those_of_their_published_rules():
    told = "771,4865-49199,0-10-11-16-13-43,29-23,0"
    assert ja3(*HELLO) == hashlib.md5(told.encode(), usedforsecurity=False).hexdigest()
    first, second, third = ja4(*HELLO).split("_")
    assert first == "t13d0206h2"
    assert second == hashlib.sha256(b"1301,c02f").hexdigest()[:12]
    assert third == hashlib.sha256(b"000a,000b,000d,002b_0403,0804").hexdigest()[:12]


def test_values_that_only_test_tolerance_change_no_fingerprint():
    version, ciphers, extensions = HELLO
    other = (version, [0x1A1A, *ciphers[1:]], [(0x2A2A, b""), *extensions[1:]])
    assert (ja3(*HELLO), ja4(*HELLO)) == (ja3(*other), ja4(*other))


@given(st.binary(max_size=200), st.sampled_from([1, 2, 11, 13, 99]), st.integers(0, 1))
def test_any_bytes_in_a_handshake_raise_nothing(data, kind, side):
    handshake((side, write.client_hello()), (1 - side, write.tls_record(write.handshake(kind, data)) + data))
