"""A withdrawal under load, judged at the recipients' own sockets: a second after its commit no byte of it arrives anywhere.

Four recipients: one that is quick, one that reads four kilobytes a second with a full queue before it, a FHIR server and a
folder. Beside the long message that is withdrawn the slow one reads another patient's, which goes on: without the withdrawal the
first would have gone on as well. Times are those of the recipients: of each byte when it was in the socket, of each file when it had its name.
"""

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import time

import pytest
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.wire import END, Client, frame, oru

pytestmark = pytest.mark.alone

MRN, OTHER_MRN = "12345678", "87654321"
MINE, OTHER = "71931", "82642"
"""What each one's values are: their marks in whatever form they leave."""

EFFECT_S = 1.0
BURST_S = 1.5
"""A slow one's window opens by kilobytes: within so long some of a message comes."""
LONG = f"OBX|2|TX|8716-3^Vital signs^LN||{'x' * 300_000}||||||F\r"


class Slow:
    """Reads forty bytes each ten milliseconds; notes when how many bytes had arrived in its socket."""

    def __init__(self):
        self.streams = []  # of each connection: what was read, and (time, from, to) of what came into the socket
        self.resets, self.closing = 0, False
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen()
        self.address = f"mllp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.server.accept()
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        read, arrived, answered = bytearray(), [], 0
        self.streams.append((read, arrived))
        one.setblocking(False)
        with one, contextlib.suppress(OSError):
            while not self.closing:
                time.sleep(0.01)
                [waits] = struct.unpack("i", fcntl.ioctl(one, termios.FIONREAD, b"\0" * 4))
                before = arrived[-1][2] if arrived else 0
                if len(read) + waits > before:
                    arrived.append((time.time(), before, len(read) + waits))
                try:
                    data = one.recv(40)
                except BlockingIOError:
                    continue
                except ConnectionResetError:
                    self.resets += 1
                    return
                if not data:
                    return
                read += data
                if (end := read.find(END, answered)) >= 0:
                    one.sendall(acknowledged(bytes(read[answered:end])))
                    answered = end + len(END)

    def of(self, mark):
        """When how many bytes came of messages that hold a mark."""
        found = []
        for read, arrived in self.streams:
            start = 0
            for body in bytes(read).split(END):
                end = start + len(body) + len(END)
                last = end >= len(read)
                if mark.encode() in body:
                    spans = [(at, max(a, start), b if last else min(b, end)) for at, a, b in arrived]
                    found += [(at, b - a) for at, a, b in spans if b > a]
                start = end
        return found

    def close(self):
        self.closing = True
        self.server.close()


class Quick(Slow):
    """Reads and answers at once; notes when it had the whole of each message."""

    def __init__(self):
        self.times = []
        super().__init__()

    def _serve(self, one):
        buffer = b""
        with one, contextlib.suppress(OSError):
            while data := one.recv(65536):
                buffer += data
                while END in buffer:
                    body, _, buffer = buffer.partition(END)
                    self.times.append((time.time(), body))
                    one.sendall(acknowledged(body))


def acknowledged(body):
    control_id = body.split(b"\r")[0].split(b"|")[9]
    return frame(b"MSH|^~\\&|R|R|||1||ACK|1|P|2.6\rMSA|AA|" + control_id + b"\r")


class TimedFhir(FhirRecipient):
    """Notes when it had the whole of each request."""

    def __init__(self, folder):
        self.times = []
        super().__init__(folder)

    def judged(self, handler, body):
        self.times.append((time.time(), body))
        return super().judged(handler, body)


class Load(threading.Thread):
    """Messages of one patient, without a pause, until told to stop."""

    def __init__(self, site, sender, mrn, mark):
        super().__init__(daemon=True)
        self.site, self.sender, self.sent, self.ended = site, sender, 0, False
        self.facts = {"sender": sender, "mrn": mrn, "value": mark, "name": ""}

    def run(self):
        with Client(self.site.port()) as client:
            while not self.ended:
                body = oru(f"{self.sender}-{self.sent}", **self.facts)
                assert client.send(body) == "AA"
                self.sent += 1
                time.sleep(0.005)


@pytest.fixture
def recipients(tmp_path):
    found = {"quick": Quick(), "slow": Slow(), "server": TimedFhir(tmp_path / "outside")}
    yield found
    for one in found.values():
        one.close()


@pytest.fixture
def site(tmp_path, recipients):
    site = Site.make(tmp_path / "s")
    file = site.folder / "oathward.toml"  # the slow one is waited for
    file.write_text(file.read_text().replace("reply_timeout_s = 3.0", "reply_timeout_s = 120.0"))
    (tmp_path / "folder").mkdir()
    addresses = {name: one.address for name, one in recipients.items()} | {
        "folder": f"file://{tmp_path}/folder"
    }
    files = bundle(addresses)
    recipients["server"].trusted_by(site.folder)
    files["recipients/server.toml"] = recipients["server"].declared("server")
    site.activate(files)
    site.add(local("mon-1", "MON1"), local("mon-2", "MON2"))
    site.start()
    yield site
    site.stop()


def of_patient(times, mark):
    return [at for at, body in times if mark.encode() in body]


def test_no_byte_arrives_a_second_after_the_commit(site, recipients, tmp_path):
    quick, slow, server = (recipients[name] for name in ("quick", "slow", "server"))
    with Client(site.port()) as client:  # by devices of two lanes, so that they are read side by side
        assert client.send(oru("LONG", sender="MON1", mrn=MRN, name="", value=MINE, more=LONG)) == "AA"
        assert (
            client.send(oru("LONG2", sender="MON2", mrn=OTHER_MRN, name="", value=OTHER, more=LONG)) == "AA"
        )
    loads = [Load(site, "MON1", MRN, MINE), Load(site, "MON2", OTHER_MRN, OTHER)]
    for load in loads:
        load.start()
    site.wait(lambda: min(sum(size for _, size in slow.of(mark)) for mark in (MINE, OTHER)) > 6_000, 30)
    site.wait(lambda: of_patient(quick.times, MINE) and of_patient(server.times, MINE), 30)

    identifiers = tmp_path / "ids"
    identifiers.write_text(f"{MRN}^^^HOSP^MR\n")
    site.cli("consent", "record", "--deny", "--identifier-file", str(identifiers))
    [(signed_us,)] = site.rows("SELECT max(at_us) FROM consent_fact")
    time.sleep(EFFECT_S + 3 * BURST_S)
    for load in loads:
        load.ended = True
    for load in loads:
        load.join(10)
    limit_s = signed_us / 1e6 + EFFECT_S

    # What the quick ones, the server and the folder had of this patient, they had before; others go on.
    for times in (quick.times, server.times):
        assert of_patient(times, MINE)
        assert max(of_patient(times, MINE)) <= limit_s
        assert max(of_patient(times, OTHER)) > limit_s
    files = [(path.stat().st_ctime, path.read_bytes()) for path in (tmp_path / "folder").glob("*.hl7")]
    assert max(of_patient(files, MINE)) <= limit_s < max(of_patient(files, OTHER))

    # Nothing more of the long message came into the slow one's socket: bytes of it had come until then, most of it was still
    # to come, and of the other patient's, which it read as slowly, bytes came on.
    mine, others = slow.of(MINE), slow.of(OTHER)
    assert signed_us / 1e6 - BURST_S < max(at for at, _ in mine) <= limit_s
    assert sum(size for _, size in mine) < 250_000
    assert max(at for at, _ in others) > limit_s + BURST_S
    site.wait(lambda: slow.resets >= 1, 30)  # it hears of that once it has read what lies in its socket

    over = "delivery.withdrawn-in-flight"
    dead = [one["body"]["reason"] for one in site.records("message.dead")]
    assert dead.count(over) == 1
    assert set(dead) == {over, "decision.consent-denies"}
    [(state,)] = site.rows(f"SELECT state FROM outbox WHERE reason = '{over}'")
    assert state == "dead"
    assert site.rows("SELECT count(*) FROM outbox WHERE state = 'blocked'") == [(0,)]
    assert site.cli("ledger", "verify")["ok"]
