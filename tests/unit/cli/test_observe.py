"""Promises about ``oathward observe`` as a listener: it ends when it is told to, and may be started again at once."""

import io
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from oathward.cli import listening, observe
from oathward.discovery import reading
from oathward.endpoints.picture import Picture
from oathward.observing.report import Report, SourceReport


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_asked_to_stop_it_hangs_up_on_who_is_connected_and_silent(tmp_path):
    path, client = str(tmp_path / "eve.sock"), socket.socket(socket.AF_UNIX)
    run = SimpleNamespace(report=Report(), now_us=lambda: 0)

    def connect():
        while True:
            try:
                client.connect(path)
                return os.kill(os.getpid(), signal.SIGINT)
            except OSError:
                continue

    threading.Thread(target=connect, daemon=True).start()
    listening.listen(run, path)
    with client, suppress(ConnectionResetError):  # it was still at the door
        assert client.recv(1) == b""
    assert run.report.sources == []


@pytest.mark.usefixtures("handlers")
def test_asked_to_stop_as_soon_as_it_says_that_it_listens_it_ends_in_order(monkeypatch):
    monkeypatch.setattr(listening, "say_on_stderr", lambda _: os.kill(os.getpid(), signal.SIGINT))
    run = SimpleNamespace(datagrams=lambda _fd, _name, _observer, until: ended.append(until()))
    ended = []
    with reading.udp("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    listening.udp(run, f"127.0.0.1:{port}")
    assert ended == [True]


@pytest.mark.usefixtures("handlers")
def test_a_reader_that_is_lost_ends_no_listening_on_an_interface(monkeypatch):
    """What a packet can do to one reader it does to one reader."""
    states, told = ["failed", "failed", "read"], []

    @contextmanager
    def packets(_interface):
        yield io.BytesIO(b"packets")

    class Run:
        def stream(self, fd, _name):
            with socket.socket(fileno=socket.dup(fd)) as pipe:
                told.append(pipe.recv(7))
            return SourceReport("x", states.pop(0))

    monkeypatch.setattr("oathward.discovery.live.listening", packets)
    listening.live(Run(), "eth1")
    assert (told, states) == ([b"packets"] * 3, [])


def test_a_listener_is_there_again_at_once():
    with reading.tcp("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()) as client:
        port = door.getsockname()[1]
        door.accept()[0].close()  # who hangs up first keeps the port for a minute
        assert client.recv(1) == b""
    reading.tcp("127.0.0.1", port).close()


def test_every_count_of_endpoints_has_words_and_none_is_the_sources():
    counts = Picture(str).counts
    assert observe._CAME.keys() == counts.keys()
    assert all("statement" not in words for words in observe._CAME.values())
