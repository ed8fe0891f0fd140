"""MLLP by hand for tests: send bytes, read answers, and a recipient in a thread that keeps what it gets."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

START, END = b"\x0b", b"\x1c\r"


def frame(body: bytes) -> bytes:
    return START + body + END


def oru(
    control_id: str,
    *,
    sender: str = "MON1",
    name: str = "Doe^Jane",
    mrn: str = "12345678",
    value: str = "72",
    more: str = "",
) -> bytes:
    """A small result message about one patient."""
    return (
        f"MSH|^~\\&|{sender}|WARD|OATHWARD|SITE|20260504081500+0000||ORU^R01^ORU_R01|{control_id}|P|2.6\r"
        f"PID|1||{mrn}^^^HOSP^MR||{name}||19700131|F\r"
        "PV1|1|I|ICU^101^A\r"
        "OBR|1|||69837^MDC_DEV_METER_PHYSIO_MULTI_PARAM_MDS^MDC|||20260504081500+0000\r"
        f"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|{value}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||20260504081500+0000\r{more}"
    ).encode()


class Client:
    """One connection to an MLLP door."""

    def __init__(self, port: int, timeout_s: float = 10.0, context=None) -> None:
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname="localhost") if context else raw
        self._buffer = b""

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> bytes | None:
        """The next answer, or None when the far side closed."""
        while END not in self._buffer:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, OSError) as error:
                if isinstance(error, TimeoutError):
                    raise
                return None
            if not data:
                return None
            self._buffer += data
        body, _, self._buffer = self._buffer.partition(END)
        return body.removeprefix(START)

    def send(self, body: bytes) -> str:
        """Send one message; gives its acknowledgement code, or ``closed``."""
        self.write(frame(body))
        return code_of(self.answer())

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def code_of(answer: bytes | None) -> str:
    if answer is None:
        return "closed"
    msa = next(line for line in answer.split(b"\r") if line.startswith(b"MSA"))
    return msa.split(b"|")[1].decode()


class Recipient:
    """An MLLP server in threads that keeps whole messages and answers AA."""

    def __init__(self, port: int = 0) -> None:
        kept, lock = self.kept, self.lock = [], threading.Lock()
        recipient = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                recipient._open.append(self.request)
                buffer = b""
                while not recipient.closing:
                    try:
                        data = self.request.recv(65536)
                    except OSError:
                        return
                    if not data:
                        return
                    buffer += data
                    while END in buffer:
                        body, _, buffer = buffer.partition(END)
                        body = body.removeprefix(START)
                        control_id = body.split(b"\r")[0].split(b"|")[9]
                        with lock:
                            kept.append(body)
                        self.request.sendall(
                            frame(b"MSH|^~\\&|R|R|||1||ACK|1|P|2.6\rMSA|AA|" + control_id + b"\r")
                        )

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self.closing = False
        self._open: list[socket.socket] = []
        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"mllp://127.0.0.1:{self.port}"

    def ids(self) -> list[bytes]:
        """MSH-10 of everything kept, in order."""
        with self.lock:
            return [body.split(b"\r")[0].split(b"|")[9] for body in self.kept]

    def values(self) -> list[bytes]:
        """OBX-5 of the first OBX of everything kept, in order: the tests' own mark of a message."""
        with self.lock:
            observed = (
                next((line for line in body.split(b"\r") if line.startswith(b"OBX")), b"|||||")
                for body in self.kept
            )
            return [line.split(b"|")[5] for line in observed]

    def close(self) -> None:
        """Go away, also from connections that stand."""
        self.closing = True
        self._server.shutdown()
        self._server.server_close()
        for one in self._open:
            with contextlib.suppress(OSError):  # it has ended
                one.shutdown(socket.SHUT_RDWR)


def found_in(folder: Path, planted: Iterable[bytes]) -> list[bytes]:
    """Say which of some planted values stand in a file below a folder; the keeper's own files aside."""
    wanted, found = set(planted), set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "keeper" not in path.parts and not path.is_socket():
            data = path.read_bytes()
            found |= {one for one in wanted if one in data}
    return sorted(found)
