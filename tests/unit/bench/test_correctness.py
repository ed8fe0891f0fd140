"""The client that judges peers: right servers pass, and each way of being wrong is seen."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from bench.peers import correctness, setup

Answer = Callable[[list[bytes]], bytes]
"""From all messages so far on a connection to what is sent after the newest."""


def ack(frame: bytes, code: bytes = b"AA") -> bytes:
    control_id = frame.split(b"|")[9]
    return b"\x0bMSH|^~\\&|X\rMSA|" + code + b"|" + control_id + b"\r\x1c\r"


@contextmanager
def server(answer: Answer, *, keep_open: bool = True, end: bytes = b"\x1c\r") -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in correctness.CASES:
            connection, _ = listener.accept()
            with connection:
                buffer, seen, going = b"", [], True
                while going and (data := connection.recv(65_536)):
                    *frames, buffer = (buffer + data).split(end)
                    for frame in frames:
                        seen.append(frame)
                        connection.sendall(answer(seen))
                        if not keep_open:
                            going = False
                            break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(20)
        listener.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(correctness, "ANSWER_S_MAX", 0.3)
    monkeypatch.setattr(correctness, "QUIET_S", 0.05)
    monkeypatch.setattr(correctness, "GAP_S", 0.02)


def verdicts(answer: Answer, **more) -> list[str]:
    with server(answer, **more) as port:
        return list(correctness.check("127.0.0.1", port).values())


def test_a_right_server_passes():
    assert verdicts(lambda seen: ack(seen[-1])) == ["ok"] * 4


def test_repeated_answers_are_seen():
    got = verdicts(lambda seen: b"".join(map(ack, seen)))
    assert got == ["at M2: 2 answers for 1: M1, M2", "3 answers for 2: M1, M1, M2", "ok", "ok"]


def test_a_server_that_hangs_up_is_seen():
    got = verdicts(lambda seen: ack(seen[-1]), keep_open=False)
    assert got == ["closes after M1", "lost M2, closed", "ok", "ok"]


def test_a_negative_answer_is_no_answer():
    assert verdicts(lambda seen: ack(seen[-1], b"AE"))[0] == "at M1: lost M1"


def test_silence_is_seen():
    assert verdicts(lambda _: b"") == ["at M1: no answer", *["no answer"] * 3]


def test_remarks_say_of_whom_no_rate_compares():
    cases = list(correctness.CASES)
    rows = {
        "good": dict.fromkeys(cases, "ok"),
        "closes": {**dict.fromkeys(cases, "ok"), cases[0]: "closes after M1"},
        "repeats": {**dict.fromkeys(cases, "ok"), cases[0]: "at M2: 2 answers for 1: M1, M2"},
    }
    said = correctness.remarks(rows)
    assert [line.split()[0] for line in said] == ["closes", "repeats"]
    assert "| good " in correctness.table(rows)


def test_every_peer_has_a_recipe_that_is_locked():
    for name in (*setup.PEERS, "node"):
        files = {p.name for p in (setup.RECIPES / name).iterdir()}
        assert {"requirements.in", "requirements.txt"} <= files or {
            "package.json",
            "package-lock.json",
        } <= files
        assert name not in setup.SERVERS or files & {"server.mjs", "server.py"}
