"""One probe of one peer, over a real connection: what OpenSSL and DCMTK show, what hostile peers get, and never a second connection."""

import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import pytest
from tests.peers import HOST, ending, peer, resetting, saying, silent, talkative, verification_scp

from oathward.core import frames, workers
from oathward.discovery.probing import connecting
from oathward.discovery.probing.probe import BYTES_MAX, Outcome, probes

TALKING = sorted(name for name, one in probes().items() if one.talk)
KINDS = sorted(probes())
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
needs_dcmtk = pytest.mark.skipif(shutil.which("storescp") is None, reason="no storescp (dcmtk)")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine makes no peer silent."""
    monkeypatch.setattr(connecting, "ANSWER_S_MAX", 30.0)


@pytest.fixture
def hurry(monkeypatch, patience):
    """A peer that says nothing whole is given up sooner than a device."""
    monkeypatch.setattr(connecting, "ANSWER_S_MAX", 1.0)


def ask(kind, port, called=""):
    return connecting.ask(kind, HOST, port, called)


def told(found):
    return {fact.attribute: fact.value for fact in found.facts}


# --- OpenSSL


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "30",
    ]
    subprocess.run(
        ["openssl", *made, "-subj", "/O=Acme/CN=pump-7"], cwd=folder, check=True, capture_output=True
    )
    printed = subprocess.run(
        ["openssl", "x509", "-in", "cert.pem", "-noout", "-fingerprint", "-sha256"],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return folder, printed.partition("=")[2].strip().replace(":", "").lower()


@needs_openssl
@pytest.mark.parametrize(
    ("options", "version", "asks"),
    [
        (["-tls1_3"], "TLSv1.3", False),
        (["-tls1_2"], "TLSv1.2", False),
        (["-tls1_2", "-Verify", "1"], "TLSv1.2", True),
        (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "TLSv1.0", False),
    ],
)
def test_tls_tells_version_and_the_certificate_that_openssl_shows(certificate, options, version, asks):
    folder, digest = certificate
    with socket.create_server((HOST, 0)) as door:
        port = door.getsockname()[1]
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"{HOST}:{port}", "-cert", "cert.pem", "-key", "key.pem", *options],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for line in server.stdout:
            if line.startswith(b"ACCEPT"):
                break
        found = ask("tls", port)
    finally:
        server.kill()
        server.communicate()
    assert found.outcome is Outcome.ANSWERED
    assert found.certificate == digest
    said = told(found)
    assert (said["tls"], said["certificate-subject"], said["certificate-issuer"]) == (
        version,
        "pump-7",
        "pump-7",
    )
    assert 29 * 86_400 <= int(said["certificate-until"]) - time.time() <= 30 * 86_400
    assert said.get("client-certificate") == ("asked" if asks else None)


# --- what each kind sends, and learns


def test_http_asks_one_head_and_keeps_what_the_server_calls_itself():
    answer = b"HTTP/1.1 401 Unauthorized\r\nServer: GoAhead-Webs\r\nSet-Cookie: patient=7\r\nContent-Length: 9\r\n\r\n"
    with peer(saying(answer)) as one:
        found = ask("http", one.port)
    assert (found.outcome, told(found)) == (Outcome.ANSWERED, {"server-software": "GoAhead-Webs"})
    [came] = one.came
    assert came.startswith(b"HEAD / HTTP/1.1\r\n")
    assert came.count(b"HTTP/1.1") == 1


def test_dicom_echoes_once_and_releases():
    with peer(verification_scp(b"PUMP7")) as one:
        found = ask("dicom-echo", one.port, "PUMP7")
    assert (found.outcome, found.detail) == (Outcome.ANSWERED, "")
    assert told(found) == {
        "implementation": "1.2.840.99.7",
        "implementation-version": "ACME_PUMP_7",
        "ae-title": "PUMP7",
    }
    [came] = one.came
    kinds, at = [], 0
    while at < len(came):
        kinds.append(came[at])
        at += 6 + int.from_bytes(came[at + 2 : at + 6], "big")
    assert kinds == [1, 4, 5], "association, echo, release"


def test_a_title_that_nobody_has_is_declined_in_the_words_of_the_standard():
    with peer(verification_scp(b"PUMP7")) as one:
        found = ask("dicom-echo", one.port, "OTHER")
    assert (found.outcome, found.detail, found.facts) == (
        *(Outcome.DECLINED, "called AE title not recognised"),
        (),
    )


@contextmanager
def storescp(folder, *options):
    """DCMTK's own server: what asks it, once it listens, and what it has logged by then."""
    with socket.create_server((HOST, 0)) as door:
        port = door.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            ["storescp", "--debug", *options, str(port)], cwd=folder, stdout=file, stderr=subprocess.STDOUT
        )

    def asked(called):
        found = ask("dicom-echo", port, called)
        for _ in range(600):
            if found.outcome is not Outcome.REFUSED:
                return found
            time.sleep(0.05)
            found = ask("dicom-echo", port, called)
        return found

    def logged(end):
        for _ in range(600):
            if end in log.read_text():
                break
            time.sleep(0.05)
        return log.read_text()

    try:
        yield asked, logged
    finally:
        server.kill()
        server.wait()


@needs_dcmtk
def test_dcmtk_understands_the_echo_and_is_understood(tmp_path):
    with storescp(tmp_path) as (asked, logged):
        found = asked("PUMP7")
        log = logged("I: Association Release")
    version = re.search(r"Our Implementation Version Name: +(\S+)", log)[1]
    assert (found.outcome, found.detail) == (Outcome.ANSWERED, "")
    assert told(found) == {
        "implementation": re.search(r"Our Implementation Class UID: +(\S+)", log)[1],
        "implementation-version": version,
        "ae-title": "PUMP7",
    }
    assert version.startswith("OFFIS_DCMTK")
    assert "Called Application Name:     PUMP7" in log
    assert (log.count("I: Association Received"), log.count("I: Received Echo Request")) == (1, 1)
    assert "Abort" not in log


@needs_dcmtk
def test_dcmtk_that_refuses_everybody_has_declined(tmp_path):
    with storescp(tmp_path, "--refuse") as (asked, logged):
        found = asked("PUMP7")
        log = logged("I: Refusing Association")
    assert (found.outcome, found.facts) == (Outcome.DECLINED, ())
    assert found.detail
    assert "Received Echo Request" not in log


def test_tcp_sends_nothing():
    with peer(silent) as one:
        assert ask("tcp", one.port).outcome is Outcome.OPEN
    assert one.came == [b""]


# --- hostile peers


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_port_is_closed(kind):
    with socket.create_server((HOST, 0)) as door:
        port = door.getsockname()[1]
    assert ask(kind, port).outcome is Outcome.REFUSED


@pytest.mark.parametrize("kind", TALKING)
@pytest.mark.parametrize(("behaves", "outcome"), [(resetting, Outcome.ENDED), (ending, Outcome.ENDED)])
def test_whatever_becomes_of_it_there_is_one_connection(kind, behaves, outcome):
    with peer(behaves) as one:
        found = ask(kind, one.port)
    assert (found.outcome, found.facts, found.certificate) == (outcome, (), "")
    assert len(one.came) == 1


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", TALKING)
def test_one_that_says_nothing_is_left_after_a_while(kind):
    with peer(silent) as one:
        found = ask(kind, one.port)
    assert (found.outcome, found.facts) == (Outcome.SILENT, ())
    assert (len(one.came), one.ended) == (1, 1)


ENDLESS = {
    "tls": (b"\x16\x03\x03\x40\x00", b"\x0b" * 4_096),
    "http": (b"HTTP/1.1 200 OK\r\nServer: ", b"a" * 4_096),
    "dicom-echo": (b"\2\0\0\1\xff\xff", b"\0" * 4_096),
}


@pytest.mark.parametrize("kind", TALKING)
@pytest.mark.parametrize("own", [True, False])
def test_one_that_never_stops_is_cut_off_after_so_many_bytes(kind, own):
    first, more = ENDLESS[kind] if own else (b"\xff" * 100, b"\xff" * 4_096)
    with peer(talkative(first, more)) as one:
        found = ask(kind, one.port)
    assert found.outcome is Outcome.OTHER
    assert 0 < found.received_bytes <= BYTES_MAX
    assert (len(one.came), one.ended) == (1, 1), "it was left while it spoke"


@pytest.mark.parametrize("kind", TALKING)
@pytest.mark.usefixtures("hurry")
def test_one_that_drips_has_the_same_time_as_any(kind):
    def drips(connection, came):
        came += connection.recv(4_096)
        for one in ENDLESS[kind][0] * 1_000:
            connection.sendall(bytes([one]))
            connection.settimeout(0.05)
            try:
                if not connection.recv(1):
                    raise ConnectionError
            except TimeoutError:
                pass

    with peer(drips) as one:
        assert ask(kind, one.port).outcome is Outcome.SILENT
    assert one.ended == 1


# --- the worker


EVIL = """
import socket, sys
from oathward.discovery.probing import probe, worker
class Talk:
    done = False
    def __init__(self, *_): self.could = []
    def begin(self): return b""
    def take(self, data):
        for name, act in (("connect", lambda: socket.create_connection(("127.0.0.1", int(data)), 1)), ("file", lambda: open("/etc/hostname"))):
            try: act(); self.could.append(name)
            except OSError: pass
        self.done = True
        return b""
    def told(self): return probe.Told(probe.Outcome.ANSWERED, detail=",".join(self.could) or "nothing")
worker.probes = lambda: {"evil": probe.Probe(words="", port=0, order=0, talk=Talk)}
if sys.argv[2] == "free": worker.confine = lambda _: None
sys.exit(worker.main(sys.argv[1:2]))
"""


@pytest.mark.parametrize(("how", "could"), [("confined", "nothing"), ("free", "connect,file")])
def test_what_talks_can_open_nothing_itself(how, could):
    """``free`` is the reverse: without confinement it could."""
    ours, theirs = socket.socketpair()
    here, there = socket.socketpair()
    with ours, theirs, here, there, peer(silent) as other:
        run = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(EVIL), str(theirs.fileno()), how],
            pass_fds=(theirs.fileno(),),
        )
        frames.send(ours, {"kind": "evil", "address": HOST, "port": 1, "called": ""})
        assert frames.receive(ours, time_s=60)[0] == {"ready": True}
        here.sendall(b"%d" % other.port)
        frames.send(ours, {"time_s": 20.0}, [there.fileno()])
        assert frames.receive(ours, time_s=60)[0]["detail"] == could
        run.wait(30)
    assert len(other.came) == (how == "free")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"outcome": "answered"},
        {"outcome": "merged", "facts": [], "certificate": "", "detail": "", "received": 0},
        {"outcome": "answered", "facts": [["tls"]], "certificate": "", "detail": "", "received": 0},
        {"outcome": "answered", "facts": 7, "certificate": "", "detail": "", "received": 0},
        {"outcome": "answered", "facts": [], "certificate": 7, "detail": "", "received": 0},
        {"outcome": "answered", "facts": [], "certificate": "", "detail": "", "received": "x"},
    ],
)
def test_a_worker_that_says_what_cannot_be_told_nothing(said):
    assert connecting._told(said, probes()["tls"]).outcome is Outcome.LOST


def test_of_a_worker_only_what_its_kind_may_tell_is_taken():
    facts = [
        ["tls", "TLSv1.2\n\x1b[31m", 7.0],
        ["criticality", "low", 1.0],
        ["serial", "1", 1.0],
        ["care", "idle", 1.0],
    ]
    said = {
        "outcome": "answered",
        "facts": facts,
        "certificate": "A" * 64,
        "detail": "x\n" * 900,
        "received": 10**12,
    }
    found = connecting._told(said, probes()["tls"])
    assert [(one.attribute, one.confidence) for one in found.facts] == [("tls", 1.0)]
    assert found.facts[0].value.isprintable()
    assert (found.certificate, found.received_bytes) == ("", BYTES_MAX)
    assert found.detail.isprintable()
    assert len(found.detail) <= connecting.DETAIL_LENGTH_MAX


def test_without_a_worker_no_connection_is_opened(monkeypatch):
    real = workers.start
    monkeypatch.setattr(workers, "start", lambda module: real("oathward.no_such_module"))
    with peer(silent) as one, pytest.raises(Exception, match="could not be confined"):
        ask("tls", one.port)
    assert one.came == []
