"""The console over TLS: its own name, a cookie bound to it, and a service's client certificate on the same port."""

import contextlib
import dataclasses
import http.client
import shutil
import socket
import ssl
import subprocess
import time

import pytest
from starlette.testclient import TestClient
from tests.unit.web.conftest import Browser

from oathward import ledger
from oathward.app import process
from oathward.core.db import read
from oathward.core.errors import SettingsError
from oathward.core.reasons import Reason
from oathward.core.settings import Console
from oathward.vault import certificates
from oathward.vault.keeper.proof import admin_proof
from oathward.web import security
from oathward.web.frame import create
from oathward.web.security import Door
from oathward.web.serving import listening
from oathward.web.serving.server import Server
from oathward.web.view import View

NAME = "oathward.hospital.example"
URL = f"https://{NAME}"


@pytest.fixture
def paired(admin, prepared):
    """Certificate and key for the console, from the site's own CA, and a device's of it; paths in the data folder."""
    data = prepared.settings.data
    for kind, name, names in (("server", "console", [NAME, "127.0.0.1"]), ("device", "svc", ["svc-1"])):
        private, public = certificates.new_key()
        der, ca = admin.certify(kind, names, public, admin_proof("test"))
        (data / f"{name}.key").write_bytes(private)
        (data / f"{name}.pem").write_bytes(certificates.to_pem(der))
        (data / "ca.pem").write_bytes(certificates.to_pem(ca))
    return data


def settings(**more) -> Console:
    return Console(host="127.0.0.1", port=0, certificate="console.pem", key="console.key", url=URL, **more)


@pytest.fixture
def served(opened, paired):
    site = dataclasses.replace(opened, settings=dataclasses.replace(opened.settings, console=settings()))
    server = process._console(site)
    yield server
    server.stop()


def context(data, *, own: bool = False) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=str(data / "ca.pem"))
    if own:
        found.load_cert_chain(data / "svc.pem", data / "svc.key")
    return found


def ask(served, data, *, path: str = "/sign-in", own: bool = False, **headers):
    connection = http.client.HTTPSConnection(
        "127.0.0.1", served.port, context=context(data, own=own), timeout=20
    )
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_it_answers_encrypted_and_says_so_for_good(served, paired):
    answer, _ = ask(served, paired)
    assert answer.status == 200
    assert answer.getheader("strict-transport-security") == "max-age=31536000"


def test_it_answers_nobody_in_the_clear(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain:
        plain.sendall(b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_protocol_is_not_spoken(served, paired):
    old = context(paired)
    old.set_ciphers("ALL:@SECLEVEL=0")  # else this side would not speak it
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_client_certificate_comes_to_the_frame_and_none_is_none(served, paired, monkeypatch):
    seen = []
    monkeypatch.setattr(View, "asked", lambda view, *_a, **_m: seen.append(view.peer) or "")
    for own in (False, True):
        ask(served, paired, own=own)
    wanted = ssl.PEM_cert_to_DER_cert((paired / "svc.pem").read_text())
    assert (seen[0], seen[-1]) == (b"", wanted)


def test_a_certificate_of_another_ca_is_no_connection(served, paired, tmp_path, monkeypatch):
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=svc-1", "-days", "2", "-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c")]  # fmt: skip
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: nobody makes the foreign certificate")
    subprocess.run(made, check=True, capture_output=True)
    foreign = context(paired)
    foreign.load_cert_chain(tmp_path / "c", tmp_path / "k")
    monkeypatch.setattr("tests.unit.web.test_encrypted.context", lambda _data, **_more: foreign)
    with pytest.raises((ssl.SSLError, ConnectionError)):  # TLS 1.3 tells it with the first answer
        ask(served, paired)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"certificate": "none.pem"}, "[console] certificate"),
        ({"key": "none.key"}, "[console] key"),
        ({"key": "svc.key"}, "[console] certificate"),
        ({"certificate": "console.key"}, "[console] certificate"),
    ],
)
def test_a_pair_that_is_none_is_told_by_its_place(opened, paired, changes, place):
    with pytest.raises(SettingsError) as caught:
        Server(opened, dataclasses.replace(settings(), **changes))
    assert caught.value.where == place


HEARD = [
    (URL, "0.0.0.0", {NAME, f"{NAME}:443"}, {"127.0.0.1", "localhost", "evil.example", f"{NAME}:8443", f"{NAME}.evil.example", "", f"a@{NAME}"}),
    (f"{URL}:8443", "0.0.0.0", {f"{NAME}:8443"}, {NAME, f"{NAME}:443", "10.0.0.1"}),
    (URL, "127.0.0.1", {NAME, "127.0.0.1:2579", "localhost:9", "[::1]:2579"}, {"evil.example"}),
    ("", "127.0.0.1", {"127.0.0.1", "localhost:1"}, {NAME, ""}),
]  # fmt: skip


@pytest.mark.parametrize(("url", "host", "heard", "not_heard"), HEARD)
def test_it_is_heard_under_its_names_alone(url, host, heard, not_heard):
    door = Door.of(Console(host=host, url=url))
    assert {name for name in heard | not_heard if door.hears(name)} == heard


@pytest.fixture
def encrypted(opened, admin):
    """A browser on the encrypted console, without a socket."""
    site = dataclasses.replace(
        opened,
        settings=dataclasses.replace(opened.settings, console=settings(), people=opened.settings.people),
    )
    with TestClient(create(site), base_url=URL, raise_server_exceptions=False) as client:
        yield Browser(client, admin)


def test_the_cookie_is_this_hosts_and_encrypted_alone(encrypted, monkeypatch):
    monkeypatch.setattr("tests.unit.web.conftest.OURS", {"origin": URL})
    cookies = encrypted.sign_in().headers.get_list("set-cookie")
    [cookie] = [one for one in cookies if one.startswith("__Host-oathward_443=")]
    rest = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Secure"} <= rest
    assert not any(part.lower().startswith("domain") for part in rest)
    assert encrypted.get("/").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://oathward.hospital.example", f"{URL}:8443", "https://evil.example", "null"]
)
def test_another_origin_changes_nothing(encrypted, monkeypatch, origin):
    monkeypatch.setattr("tests.unit.web.conftest.OURS", {"origin": URL})
    encrypted.sign_in()
    assert encrypted.post("/sign-out", {}, headers={"origin": origin}).status_code == 403
    assert encrypted.get("/").status_code == 200


def test_without_the_check_of_the_host_another_name_would_be_heard(encrypted, monkeypatch):
    """Reverse: the 421 comes from that check."""
    assert encrypted.get("/sign-in", host="evil.example").status_code == 421
    monkeypatch.setattr(security, "check_host", lambda _request: None)
    assert encrypted.get("/sign-in", host="evil.example").status_code == 200


HELLO = bytes.fromhex("160301020001000100")  # how a client's first record begins; the rest never comes
FLOOD = 300


def half_open(stack, port, address="127.0.0.2"):
    one = stack.enter_context(socket.socket())
    one.bind((address, 0))
    one.connect(("127.0.0.1", port))
    with contextlib.suppress(ConnectionError):  # refused already
        one.sendall(HELLO)
    return one


def still_there(sockets) -> int:
    """How many the far side has not closed."""
    count = 0
    for one in sockets:
        one.setblocking(False)
        try:
            count += one.recv(1) != b""
        except BlockingIOError:
            count += 1
        except ConnectionError:
            pass
    return count


def wait(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def limited(monkeypatch, **changes):
    """Let the next console have other limits of handshakes."""
    limits = dataclasses.replace(listening.Limits(), **changes)
    monkeypatch.setattr(listening, "Limits", lambda: limits)


class TestHandshakesThatNeverEnd:
    """Hundreds of them keep nobody out, and none is kept for long."""

    @pytest.fixture
    def own(self, opened, paired):
        """A console to be started with what a test has set."""
        site = dataclasses.replace(opened, settings=dataclasses.replace(opened.settings, console=settings()))
        with contextlib.ExitStack() as stack:

            def start():
                server = process._console(site)
                stack.callback(server.stop)
                ask(server, paired)
                return server

            yield start

    def test_another_is_served_meanwhile_and_they_are_closed_in_time(self, own, paired, monkeypatch):
        limited(monkeypatch, handshake_time_s_max=6.0)  # longer than a slow machine takes to connect them
        monkeypatch.setattr(listening, "on_this_machine", lambda _: False)
        server = own()
        with contextlib.ExitStack() as stack:
            flood = [half_open(stack, server.port) for _ in range(FLOOD)]
            assert ask(server, paired)[0].status == 200
            assert still_there(flood) <= listening.Limits().handshakes_per_peer_max
            wait(lambda: still_there(flood) == 0, 12)
        refused = server.refused()
        assert sum(refused.values()) == FLOOD
        assert refused["127.0.0.2", Reason.HANDSHAKE_TIMEOUT] == 32

    def test_on_this_machine_the_oldest_makes_room(self, own, paired):
        server = own()
        with contextlib.ExitStack() as stack:
            flood = [half_open(stack, server.port, "127.0.0.1") for _ in range(FLOOD)]
            assert ask(server, paired)[0].status == 200
            assert still_there(flood) <= listening.Limits().handshakes_max
            wait(lambda: still_there(flood) == 0, 10)

    def test_reverse_without_limits_all_of_them_are_kept(self, own, monkeypatch):
        limited(monkeypatch, handshake_time_s_max=60.0, handshakes_max=1_000)
        server = own()
        with contextlib.ExitStack() as stack:
            flood = [half_open(stack, server.port) for _ in range(FLOOD)]
            time.sleep(1)
            assert still_there(flood) == FLOOD
            assert not server.refused()

    def test_what_was_refused_is_on_record(self, own, opened, monkeypatch):
        limited(monkeypatch, handshakes_max=5)
        server = own()
        with contextlib.ExitStack() as stack:
            flood = [half_open(stack, server.port) for _ in range(8)]
            wait(lambda: still_there(flood) == 5, 5)
        process._record_refusals(opened, server)
        with read(opened.engine) as db:
            (found,) = ledger.search(db, opened.site, ledger.Query(kind="connection.refused"), limit=5)
        assert found.body == {"peer": "127.0.0.2", "reason": "connection.handshake-limit", "count": 3}

    def test_connections_stay_below_what_may_be_open(self):
        assert listening.open_max(65_536) == listening.OPEN_MAX
        assert listening.open_max(400) == 144
        assert listening.open_max(64) == 1
