"""The door against any stream: whatever the framing, the pieces and the way a connection ends.

Every complete message is answered exactly once and in order, or the connection is closed with a counted reason;
what the door keeps stays bounded, and an honest device is served throughout.
"""

import socket
import struct
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.site import Site, bundle, local
from tests.wire import END, START, Client, Recipient, frame, oru

MESSAGE_BYTES_MAX = 50_000
RSS_GROWTH_MAX_MB = 150

good = st.sampled_from(["small", "small", "small", "heavy", "batch", "empty", "not hl7"])
broken = st.sampled_from(
    ["none", "none", "none", "junk", "nested", "no cr", "cut", "too large", "much junk", "vt only"]
)
ending = st.sampled_from(["wait", "wait", "half-close", "reset", "close"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    recipient = Recipient()
    site = Site.make(
        tmp_path_factory.mktemp("fuzz"),
        mllp=f"message_size_bytes_max = {MESSAGE_BYTES_MAX}\nmessage_time_s_max = 2.0\nbeside_bytes_min = 20000",
    )
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    with Client(site.port(), timeout_s=60) as client:
        assert client.send(heavy("warm")) == "AA"
    site.begin_mb = rss_mb(site)
    yield site
    site.stop()
    recipient.close()


def rss_mb(site):
    pages = int(Path(f"/proc/{site.status('gateway')['pid']}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def heavy(control_id):
    return oru(control_id, more="OBX|2|TX|8251-1^Comment^LN||" + "calm " * 5_000 + "\r")


def body_of(kind, control_id):
    """The bytes of one frame, and what each of its messages is answered by: its control id, or none to name."""
    if kind == "heavy":
        return heavy(control_id), [control_id]
    if kind == "batch":
        ids = [f"{control_id}-{n}" for n in range(3)]
        return b"BHS|^~\\&|MON1\r" + b"".join(map(oru, ids)) + b"BTS|3\r", ids
    if kind == "empty":
        return b"", [""]
    if kind == "not hl7":
        return b"so it goes", [""]
    return oru(control_id), [control_id]


TROUBLE = {
    "none": b"",
    "junk": b"some bytes between",
    "much junk": b"x" * 5_000,
    "nested": START + b"MSH|^~\\&|" + START + b"MSH|^~\\&|" + END,
    "no cr": START + oru("never") + b"\x1cX",
    "cut": START + oru("never")[:200],
    "too large": START + b"MSH|^~\\&|" + b"A" * (MESSAGE_BYTES_MAX + 10),
    "vt only": START,
}
CLOSES = {"much junk", "nested", "no cr", "too large"}
LEAVES_OPEN = {"cut", "vt only"}


def answers_until_closed(connection, patience_s):
    """Everything the far side says until it closes, or says nothing more for a while; and whether it closed."""
    data, closed = b"", False
    connection.settimeout(patience_s)
    try:
        while piece := connection.recv(65536):
            data += piece
        closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    found = data.split(END)
    assert found.pop() == b"", "no half of an answer"
    return [id_of(one.removeprefix(START)) for one in found], closed


def id_of(answer):
    msa = next(line for line in answer.split(b"\r") if line.startswith(b"MSA"))
    fields = msa.split(b"|")
    return fields[2].decode() if len(fields) > 2 else ""


def counts(site):
    return site.status("gateway")["counts"].get("connection.refused", 0)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # a failure waits seconds: shrinking it takes minutes
)
@given(
    kinds=st.lists(good, max_size=6),
    trouble=broken,
    place=st.integers(0, 6),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    pauses=st.booleans(),
    end=ending,
    number=st.integers(0, 2**48),
)
def test_any_stream_is_answered_in_order_or_closed_for_a_reason(
    site, kinds, trouble, place, cuts, pauses, end, number
):
    place = min(place, len(kinds))
    stream, expected, before_trouble = b"", [], 0
    for n, kind in enumerate([*kinds[:place], None, *kinds[place:]]):
        if kind is None:
            stream, before_trouble = stream + TROUBLE[trouble], len(expected)
            continue
        body, ids = body_of(kind, f"{number:x}.{n}")
        stream += frame(body)
        expected += ids
    refused = counts(site)
    with socket.create_connection(("127.0.0.1", site.port()), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bounds = sorted({0, len(stream), *(int(cut * len(stream)) for cut in cuts)})
        with suppress(ConnectionError):  # the door may have closed before all was said
            for start, stop in pairwise(bounds):
                connection.sendall(stream[start:stop])
                if pauses:
                    time.sleep(0.002)
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end in {"wait", "half-close"}:
            _judge(site, connection, expected, before_trouble, trouble, end, refused, kinds[place:])
    with Client(site.port(), timeout_s=20) as honest:
        assert honest.send(oru(f"h{number:x}")) == "AA"
    assert rss_mb(site) - site.begin_mb < RSS_GROWTH_MAX_MB


def _judge(site, connection, expected, before_trouble, trouble, end, refused, after):
    if end == "half-close":
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
    closes = trouble in CLOSES or (trouble in LEAVES_OPEN and (after or end == "half-close"))
    if closes or trouble in LEAVES_OPEN:
        got, closed = answers_until_closed(connection, 8.0)
        assert got == expected[: len(got)], "in order, each once"
        assert len(got) <= before_trouble, "nothing behind what nobody can frame"
        assert closed
        site.wait(lambda: counts(site) > refused, 10)
    else:
        answered = _wait_for(connection, len(expected))
        assert answered == expected
        assert end == "wait" or connection.recv(1) == b"", "closed once everything is answered"


def _wait_for(connection, count):
    connection.settimeout(30)
    data = b""
    while data.count(END) < count:
        piece = connection.recv(65536)
        assert piece, (data.count(END), count)
        data += piece
    return [id_of(one.removeprefix(START)) for one in data.split(END)[:-1]]


def test_nobody_is_remembered_when_all_have_gone(site):
    """After the flood above nothing of it is counted as connected or kept; runs last."""
    time.sleep(0.5)
    folder = Path(f"/proc/{site.status('gateway')['pid']}/fd")
    before = len(list(folder.iterdir()))
    connections = [socket.create_connection(("127.0.0.1", site.port()), timeout=20) for _ in range(200)]
    for n, connection in enumerate(connections):
        connection.sendall(START + b"MSH" + b"A" * (n * 200))
    site.wait(lambda: len(list(folder.iterdir())) >= before + 150)
    for connection in connections:
        connection.close()
    site.wait(lambda: len(list(folder.iterdir())) <= before + 5)
    assert site.cli("ledger", "verify")["ok"]
