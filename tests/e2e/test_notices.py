"""Notices of withdrawals at the recipients' own sockets: who had something hears of it as they know the patient, others never."""

import contextlib
import json
import socket
import threading
from datetime import UTC, datetime

import pytest
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.wire import Client, oru

from oathward_sim.hl7 import END, START, answer, frame

MRN, OTHER_MRN = "12345678", "87654321"
SECRETS = ("Planted", "7193", "71931")


class Mllp:
    """An MLLP recipient; ``code``: what it answers to notices, none where it is empty."""

    def __init__(self, code="AA"):
        self.code, self.got = code, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"mllp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        buffer = b""
        with one, contextlib.suppress(OSError):
            while data := one.recv(65536):
                buffer += data
                while END in buffer:
                    body, _, buffer = buffer.partition(END)
                    body = body.removeprefix(START)
                    self.got.append(body)
                    code = self.code if b"ADT^A31" in body else "AA"
                    if code:
                        one.sendall(frame(answer(body, code, datetime.now(UTC))))

    @property
    def notices(self):
        return [body for body in self.got if b"\rCON|" in body]

    def close(self):
        self.server.close()


@pytest.fixture
def site(tmp_path):
    site = Site.make(tmp_path / "s", courier="attempts_max = 2\n")
    yield site
    site.stop()


def told(files, *ids):
    for id_ in ids:
        path = f"recipients/{id_}.toml"
        files[path] = files[path].replace(
            b'zone = "clinical"', b'zone = "clinical"\nwithdrawal_notice = true'
        )
    return files


def deny(site, tmp_path, mrn=MRN, *, permit=False):
    identifiers = tmp_path / f"ids-{mrn}"
    identifiers.write_text(f"{mrn}^^^HOSP^MR\n")
    how = ["--permit"] if permit else ["--deny"]
    return site.cli("consent", "record", *how, "--identifier-file", str(identifiers))


@pytest.fixture
def recipients(tmp_path):
    found = [Mllp(), Mllp("AE"), Mllp(""), FhirRecipient(tmp_path / "outside")]
    yield found
    for one in found:
        one.close()


def test_who_had_something_hears_of_it_as_they_know_the_patient(recipients, site, tmp_path):
    quick, refusing, silent, server = recipients
    (tmp_path / "folder").mkdir()
    addresses = {
        "quick": quick.address,
        "refusing": refusing.address,
        "silent": silent.address,
        "server": server.address,
        "folder": f"file://{tmp_path}/folder",
        "untold": f"file://{tmp_path}/folder",
    }
    files = bundle(addresses)
    server.trusted_by(site.folder)
    files["recipients/server.toml"] = server.declared("server")
    site.activate(told(files, "quick", "refusing", "silent", "server", "folder"))
    site.add(local())
    site.start()
    with Client(site.port()) as client:
        assert client.send(oru("m1", mrn=MRN, name="Planted^Name", value="7193")) == "AA"
    site.wait(lambda: len(site.records("message.delivered")) == 6, 30)
    deny(site, tmp_path)
    deny(site, tmp_path, OTHER_MRN)  # nobody has anything of this one
    site.wait(lambda: len(site.records("consent.notice-sent")) == 3, 40)

    [notice] = quick.notices
    assert notice.split(b"\r")[2].startswith(b"PID|1||" + MRN.encode())
    assert b"X^^HL70498" in notice
    consents = [json.loads(body) for place, body in server.puts if place.startswith("Consent/")]
    [consent] = consents
    assert consent["status"] == "inactive"
    patients = {place for place, _ in server.puts if place.startswith("Patient/")}
    assert consent["patient"]["reference"] in patients, "the recipient's own resource"
    files = [path.read_bytes() for path in (tmp_path / "folder").iterdir()]
    assert sum(b"\rCON|" in one for one in files) == 1, "one of two recipients there asked for it"
    everything = [*quick.notices, *refusing.notices, *silent.notices, json.dumps(consent).encode()]
    for secret in (*SECRETS, OTHER_MRN):
        assert not any(secret.encode() in one for one in everything)
    assert all(one.count(MRN.encode()) == 1 for one in quick.notices)

    # Their receipts are on record, who refused is a finding, who says nothing waits.
    sent = site.records("consent.notice-sent")
    assert {one["body"]["answer"] for one in sent} == {"AA", "200", "file"}
    assert {one["body"]["version"] for one in sent} == {1}
    site.wait(lambda: site.records("consent.notice-missing"), 30)
    [refused] = site.records("consent.notice-missing")
    assert refused["links"] == ["refusing"]
    found = [one["body"]["finding"] for one in site.records("finding.raised")]
    assert found.count("consent.notice-missing") == 1
    rows = dict(site.rows("SELECT link, state FROM consent_notice"))
    assert rows == {
        "quick": "sent",
        "server": "sent",
        "folder": "sent",
        "refusing": "refused",
        "silent": "queued",
    }

    # What waits for the silent one holds up nothing: data of somebody else goes on there.
    with Client(site.port()) as client:
        assert client.send(oru("m2", mrn="55555555", value="1")) == "AA"
    site.wait(lambda: any(b"55555555" in body for body in silent.got), 20)

    # After a restart nobody hears of it a second time; a wider word is told too.
    site.stop()
    site.start()
    deny(site, tmp_path, "55555555")
    site.wait(lambda: len(site.records("consent.notice-sent")) == 6, 40)
    assert len(quick.notices) == 2
    assert site.cli("ledger", "verify")["ok"]
