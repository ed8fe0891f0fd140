"""Promises about sources of bytes: nothing is passed over in silence, links are not followed, packed or cut it is a stream."""

import gzip
import io
import os
import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery import reading
from oathward.discovery.observer import comment_lines


@pytest.fixture
def stream(tmp_path):
    opened = []

    def make(data, **more):
        path = tmp_path / f"{len(opened)}"
        path.write_bytes(data)
        opened.append(os.open(path, os.O_RDONLY))
        return reading.Stream(opened[-1], **more)

    yield make
    for fd in opened:
        os.close(fd)


def test_a_folder_is_read_with_all_below_it_and_no_link_is_followed(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "two.log").write_bytes(b"22")
    (tmp_path / "a.log").write_bytes(b"1")
    (tmp_path / "elsewhere").symlink_to("/etc/passwd")
    (tmp_path / "around").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    found = list(reading.found([str(tmp_path)]))
    names = {one.name: type(one) for one in found}
    assert names == {
        "a.log": reading.Found, "b/c/two.log": reading.Found, "elsewhere": reading.Skipped, "pipe": reading.Skipped,
    }  # fmt: skip
    assert [one.name for one in found if isinstance(one, reading.Found)] == ["a.log", "b/c/two.log"]


def test_what_somebody_names_may_be_a_link_and_must_be_there(tmp_path):
    (tmp_path / "a.log").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "a.log")
    [one] = reading.found([str(tmp_path / "link")])
    assert (one.name, one.size_bytes) == ("link", 3)
    with pytest.raises(InputError) as error:
        list(reading.found([str(tmp_path / "nothing")]))
    assert error.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])]
)
def test_packed_or_not_it_gives_the_same(stream, pack):
    data = bytes(range(256)) * 5_000
    one = stream(pack(data))
    assert reading.buffered(one).read() == data
    assert not one.broken


def test_packed_bytes_that_end_early_or_are_wrong_end_there_and_say_so(stream):
    packed = gzip.compress(os.urandom(50_000))
    cut = stream(packed[:-2_000])
    assert 0 < len(reading.buffered(cut).read()) < 50_000
    assert cut.broken
    wrong = stream(packed[:20_000] + bytes(1_000) + packed[21_000:])
    reading.buffered(wrong).read()
    assert wrong.broken


@given(data=st.binary(max_size=400), packed=st.booleans(), lines=st.booleans())
def test_any_bytes_are_a_stream(data, packed, lines):
    read_end, write_end = os.pipe()
    os.write(write_end, b"\x1f\x8b\x08" + data if packed else data)
    os.close(write_end)
    one = reading.buffered(reading.Stream(read_end))
    whole = reading.WholeLines(one)
    got = reading.buffered(whole).read() if lines else one.read()
    os.close(read_end)
    if not packed and not data.startswith(b"\x1f\x8b\x08"):
        assert got == (data[: data.rfind(b"\n") + 1] if lines else data)
        assert whole.held_bytes == (len(data) - len(got) if lines else 0)


def test_a_line_without_an_end_is_held_back_up_to_a_bound(stream):
    one = reading.WholeLines(reading.buffered(stream(b"a\nb" + b"x" * (reading.LINE_BYTES_MAX * 5))))
    got = reading.buffered(one).read()
    assert len(got) + one.held_bytes == 3 + reading.LINE_BYTES_MAX * 5
    assert one.held_bytes <= reading.LINE_BYTES_MAX


def test_it_goes_on_behind_what_was_read_with_its_head_before_it(stream):
    source = reading.buffered(stream(b"#head\none\ntwo\nthree\n"))
    assert reading.passed(source, 10) == 10
    assert reading.buffered(reading.Joined(b"#head\n", source)).read() == b"#head\ntwo\nthree\n"
    assert reading.passed(reading.buffered(stream(b"12")), 5) == 2


def test_how_it_begins_is_the_same_packed_or_not(tmp_path):
    data = b"#path conn\n" + os.urandom(9_000)
    digests = set()
    for name, content in (("a", data), ("b", gzip.compress(data)), ("c", data + b"more")):
        (tmp_path / name).write_bytes(content)
        with (tmp_path / name).open("rb") as file:
            digests.add(reading.digest(reading.head_of(file.fileno(), 4_096), 4_096))
            assert file.tell() == 0
    assert len(digests) == 1
    assert reading.digest(b"12", 3) == ""
    assert comment_lines(b"#a\n#b\nc\n#d\n") == 6
    assert comment_lines(b"#a") == comment_lines(b"{}") == 0


def test_sockets_are_our_own_addresses_or_a_clear_error(tmp_path):
    with reading.udp("127.0.0.1", 0) as one:
        port = one.getsockname()[1]
        with pytest.raises(InputError, match="cannot be listened on"):
            reading.udp("127.0.0.1", port)
    for host in ("example.test", "192.0.2.1"):
        with pytest.raises(InputError):
            reading.tcp(host, 1)
    path = str(tmp_path / "s")
    for _ in range(2):  # one that was left is taken away
        reading.unix(path).close()
    with reading.unix(path) as door, socket.socket(socket.AF_UNIX) as client:
        client.connect(path)  # what waits to be accepted is connected already
        client.sendall(b"line\n")
        client.shutdown(socket.SHUT_WR)
        connection, _ = door.accept()
        with connection:
            assert io.BufferedReader(reading.Stream(connection.fileno())).read() == b"line\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        reading.unix(str(tmp_path / "file"))


def test_datagrams_that_nobody_had_time_to_read_are_counted():
    with (
        reading.udp("127.0.0.1", 0) as door,
        socket.socket(type=socket.SOCK_DGRAM) as exporter,
    ):
        assert reading.lost(door.fileno()) == 0
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        for _ in range(200):
            exporter.sendto(b"x" * 1_000, door.getsockname())
        door.setblocking(False)
        read = 0
        with suppress(BlockingIOError):
            while door.recv(2_000):
                read += 1
        assert reading.lost(door.fileno()) == 200 - read > 0
        assert door.fileno() >= 0
