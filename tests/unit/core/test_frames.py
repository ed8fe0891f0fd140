"""A frame that drips takes no longer than its reader waits."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from oathward.core import frames


def test_a_frame_comes_as_it_was_sent():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        frames.send(theirs, {"ready": True})
        assert frames.receive(ours, time_s=5) == ({"ready": True}, [])


def test_one_byte_at_a_time_does_not_begin_the_time_anew():
    ours, theirs = socket.socketpair()
    done = threading.Event()

    def drip():
        for byte in (100).to_bytes(4, "big") + bytes(100):
            if done.wait(0.05):
                return
            theirs.send(bytes([byte]))

    with ours, theirs:
        dripping = threading.Thread(target=drip)
        dripping.start()
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            frames.receive(ours, time_s=0.3)
        assert time.monotonic() - begun < 4, "100 bytes take 5 s"
        done.set()
        dripping.join()


def test_who_got_all_of_a_frame_may_be_gone_by_then(monkeypatch):
    ours, theirs = socket.socketpair()
    send_fds = socket.send_fds

    def sent(*what):
        size = send_fds(*what)
        theirs.close()
        return size

    monkeypatch.setattr(socket, "send_fds", sent)
    with ours, Path(os.devnull).open("rb") as file:
        frames.send(ours, {"name": "a"}, [file.fileno()])
