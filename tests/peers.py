"""Peers on a loopback address that a probe is sent to: each counts the connections it took, and what was sent to it."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Peer:
    """``came``: what each connection sent, in order; ``ended``: of how many the other side was gone at the end."""

    port: int
    came: list[bytearray] = field(default_factory=list)
    ended: int = 0
    last: int = 0


Behaviour = Callable[[socket.socket, bytearray], None]


@contextmanager
def peer(behaves: Behaviour):
    """Run a peer whose connections behave so, one after the other, and end it."""
    with socket.create_server((HOST, 0)) as door:
        found = Peer(door.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(door, behaves, found), daemon=True)
        thread.start()
        yield found
        with socket.socket() as last:  # behind whoever still waits to be taken
            last.bind((HOST, 0))
            found.last = last.getsockname()[1]
            last.connect((HOST, found.port))
            thread.join(30)
        assert not thread.is_alive(), "a connection was left open"


def _serve(door: socket.socket, behaves: Behaviour, found: Peer) -> None:
    while True:
        connection, (_, port) = door.accept()
        with connection:
            if port == found.last:
                return
            came = bytearray()
            found.came.append(came)
            connection.settimeout(20)
            try:
                behaves(connection, came)
            except ConnectionError:
                found.ended += 1


def silent(connection: socket.socket, came: bytearray) -> None:
    """Say nothing, until the other side ends."""
    while data := connection.recv(4_096):
        came += data
    raise ConnectionError


def talkative(first: bytes, more: bytes) -> Behaviour:
    """Answer, and go on for ever."""

    def behaves(connection: socket.socket, came: bytearray) -> None:
        came += connection.recv(4_096)
        connection.sendall(first)
        while True:
            connection.sendall(more)

    return behaves


def saying(*parts: bytes) -> Behaviour:
    """Answer what comes with one part after the other, then end."""

    def behaves(connection: socket.socket, came: bytearray) -> None:
        for part in parts:
            came += connection.recv(4_096)
            connection.sendall(part)
        while data := connection.recv(4_096):
            came += data

    return behaves


def resetting(connection: socket.socket, came: bytearray) -> None:
    """Reset what was asked."""
    came += connection.recv(4_096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def ending(_connection: socket.socket, _came: bytearray) -> None:
    """End at once, without a word."""


def verification_scp(title: bytes) -> Behaviour:
    """A DICOM Verification provider that takes one called AE title: PS3.8 §9.3, written out of the standard's tables."""

    def behaves(connection: socket.socket, came: bytearray) -> None:
        asked = _pdu(connection, came)
        assert asked[0] == 1
        if asked[10:26].strip() != title:
            connection.sendall(
                bytes.fromhex("03000000000400010107")
            )  # permanent, service user, called AE title
            return
        user = (
            _item(0x51, struct.pack(">L", 16_384))
            + _item(0x52, b"1.2.840.99.7")
            + _item(0x55, b"ACME_PUMP_7")
        )
        context = bytes((1, 0, 0, 0)) + _item(0x40, b"1.2.840.10008.1.2")
        body = asked[6:74] + _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x21, context) + _item(0x50, user)
        connection.sendall(b"\2\0" + struct.pack(">L", len(body)) + body)
        assert _pdu(connection, came)[0] == 4
        uid = b"1.2.840.10008.1.1\0"
        command = b"".join(
            struct.pack("<HHL", 0, number, len(value)) + value
            for number, value in (
                (2, uid),
                (0x100, b"\x30\x80"),
                (0x120, b"\1\0"),
                (0x800, b"\1\1"),
                (0x900, b"\0\0"),
            )
        )
        command = struct.pack("<HHLL", 0, 0, 4, len(command)) + command
        value = struct.pack(">LBB", len(command) + 2, 1, 3) + command
        connection.sendall(b"\4\0" + struct.pack(">L", len(value)) + value)
        assert _pdu(connection, came)[0] == 5
        connection.sendall(b"\6\0" + struct.pack(">L", 4) + bytes(4))
        silent(connection, came)

    return behaves


def _pdu(connection: socket.socket, came: bytearray) -> bytes:
    head = connection.recv(6, socket.MSG_WAITALL)
    if len(head) < 6:
        raise ConnectionError
    body = connection.recv(int.from_bytes(head[2:6], "big"), socket.MSG_WAITALL)
    came += head + body
    return head + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body
