"""Half-open TLS handshakes by the hundred: bounded, counted, and a known device gets in meanwhile."""

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tests.e2e.test_identity import certificate, context_of
from tests.site import Site, bundle, certified
from tests.wire import Client, Recipient, oru

HELLO = bytes.fromhex("160301020001000100")  # how a client's first record begins; the rest never comes
LIMITS = "handshakes_per_peer_max = 20\nhandshakes_max = 60\nhandshake_time_s_max = {}\nhandshakes_per_s_per_peer_max = {}"
FLOOD = 300


@contextmanager
def served(folder, limits):
    recipient = Recipient()
    site = Site.make(folder, tls=True, mllp=limits)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(certified("pump-1", "PUMP1", kind="pump"))
    site.start()
    try:
        yield site
    finally:
        site.stop()
        recipient.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with served(tmp_path_factory.mktemp("tls"), LIMITS.format(3.0, 1000)) as site:
        yield site


def files_of(site):
    return len(list(Path(f"/proc/{site.status('gateway')['pid']}/fd").iterdir()))


def half_open(stack, port, address):
    one = stack.enter_context(socket.socket())
    one.bind((address, 0))
    one.connect(("127.0.0.1", port))
    with suppress(ConnectionError):  # refused already
        one.sendall(HELLO)
    return one


def still_there(sockets):
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


def refusals(site, reason, peer=""):
    return sum(
        r["body"]["count"]
        for r in site.records("connection.refused")
        if r["body"]["reason"] == reason and r["body"]["peer"].startswith(peer)
    )


def speaks(site, control_id):
    context = context_of(site, certificate(site, "pump-1"))
    with Client(site.port("mllp_tls"), context=context) as client:
        return client.send(oru(control_id, sender="PUMP1"))


def test_one_address_has_its_share_of_unfinished_handshakes_and_others_get_in(site):
    port, before = site.port("mllp_tls"), files_of(site)
    with ExitStack() as stack:
        flood = [half_open(stack, port, "127.0.0.2") for _ in range(FLOOD)]
        site.wait(lambda: still_there(flood) <= 20, 2.5)
        assert files_of(site) - before <= 30
        assert speaks(site, "F1") == "AA", "a known device at another address"
        site.wait(lambda: refusals(site, "connection.handshake-limit", "127.0.0.2") == FLOOD - 20)
        site.wait(lambda: still_there(flood) == 0)
    site.wait(lambda: refusals(site, "connection.handshake-timeout", "127.0.0.2") == 20)
    site.wait(lambda: files_of(site) <= before + 5)
    with ExitStack() as stack:
        half_open(stack, port, "127.0.0.2")
        assert speaks(site, "F2") == "AA"


def test_many_addresses_cannot_keep_a_device_out_by_holding_handshakes_open(site):
    port, before = site.port("mllp_tls"), files_of(site)
    with ExitStack() as stack:
        flood = [half_open(stack, port, f"127.0.1.{n % 30 + 1}") for n in range(FLOOD)]
        assert speaks(site, "M1") == "AA"
        assert still_there(flood) <= 60
        assert files_of(site) - before <= 70
        site.wait(
            lambda: (
                refusals(site, "connection.handshake-limit", "127.0.1.")
                + refusals(site, "connection.handshake-timeout", "127.0.1.")
                == FLOOD
            )
        )


def test_without_these_limits_every_half_open_handshake_is_kept(tmp_path):
    """The reverse: the same flood, the limits off, and the same look at it."""
    limits = "handshakes_per_peer_max = 1000\nhandshakes_max = 1000\nhandshake_time_s_max = 60.0\nhandshakes_per_s_per_peer_max = 1000\nconnections_per_peer_max = 1000"
    with served(tmp_path / "s", limits) as site, ExitStack() as stack:
        before = files_of(site)
        flood = [half_open(stack, site.port("mllp_tls"), "127.0.0.2") for _ in range(FLOOD)]
        site.wait(lambda: files_of(site) - before >= FLOOD)
        assert still_there(flood) == FLOOD


def test_an_address_begins_so_many_handshakes_a_second(tmp_path):
    """Finished or failed at once: they cost all the same. The bucket holds three seconds' worth."""
    with served(tmp_path / "s", LIMITS.format(5.0, 5)) as site:
        port = site.port("mllp_tls")
        began = time.monotonic()
        for _ in range(60):
            with socket.socket() as one:
                one.bind(("127.0.0.2", 0))
                one.connect(("127.0.0.1", port))
                one.settimeout(5)
                with suppress(ConnectionError):
                    one.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    while one.recv(100):
                        pass
        allowed = 15 + 5 * (time.monotonic() - began) + 1
        assert speaks(site, "R1") == "AA", "another address has its own"
        site.wait(
            lambda: (
                refusals(site, "connection.handshake-limit") + refusals(site, "connection.handshake-failed")
                == 60
            )
        )
        assert refusals(site, "connection.handshake-failed") <= allowed
        assert refusals(site, "connection.handshake-limit") > 0


def test_a_handshake_counts_as_a_connection_of_its_address(tmp_path):
    with served(tmp_path / "s", "connections_per_peer_max = 5") as site, ExitStack() as stack:
        flood = [half_open(stack, site.port("mllp_tls"), "127.0.0.2") for _ in range(40)]
        site.wait(lambda: refusals(site, "connection.limit", "127.0.0.2") == 35)
        assert still_there(flood) == 5
        assert speaks(site, "C1") == "AA"
