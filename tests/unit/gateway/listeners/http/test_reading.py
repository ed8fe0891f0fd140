"""Bytes into requests: what two readers could cut in different places is refused, and no more is kept than allowed."""

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir
from oathward.gateway.listeners.http.body import Body
from oathward.gateway.listeners.http.reading import Reader

LIMITS = Fhir(header_bytes_max=2_000, body_bytes_max=100_000)
HEAD = b"POST /fhir/Observation HTTP/1.1\r\nHost: x\r\n"


def read(data, judge=lambda _request: None, limits=LIMITS, step=0):
    reader = Reader(limits, judge)
    done = []
    for start in range(0, len(data), step or len(data) or 1):
        if reader.broken is None:
            done += reader.feed(data[start : start + (step or len(data))])
    return reader, done


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "both lengths": (
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc"),
        Reason.HTTP_MALFORMED,
    ),
    "both, turned": (
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunked(b"abc"),
        Reason.HTTP_MALFORMED,
    ),
    "two lengths": (
        HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        Reason.HTTP_MALFORMED,
    ),
    "a list of lengths": (HEAD + b"Content-Length: 3, 3\r\n\r\nabc", Reason.HTTP_MALFORMED),
    "a signed length": (HEAD + b"Content-Length: +3\r\n\r\nabc", Reason.HTTP_MALFORMED),
    "a negative length": (HEAD + b"Content-Length: -3\r\n\r\nabc", Reason.HTTP_MALFORMED),
    "an endless length": (HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", Reason.HTTP_MALFORMED),
    "a length too far": (HEAD + b"Content-Length: 100001\r\n\r\n", Reason.HTTP_BODY_TOO_LARGE),
    "no length": (HEAD + b"\r\n", Reason.HTTP_LENGTH_MISSING),
    "identity coding": (HEAD + b"Transfer-Encoding: identity\r\n\r\nabc", Reason.HTTP_MALFORMED),
    "hidden coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked(b"a"), Reason.HTTP_MALFORMED),
    "compressed coding": (
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(b"a"),
        Reason.HTTP_MALFORMED,
    ),
    "coding twice": (
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"a"),
        Reason.HTTP_MALFORMED,
    ),
    "coding under 1.0": (
        b"POST /fhir HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"a"),
        Reason.HTTP_MALFORMED,
    ),
    "a space before the colon": (HEAD + b"Content-Length : 3\r\n\r\nabc", Reason.HTTP_MALFORMED),
    "a folded header": (HEAD + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_MALFORMED),
    "bare line feeds": (
        b"POST /fhir HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
        Reason.HTTP_MALFORMED,
    ),
    "a bare carriage return": (HEAD + b"X: a\rb\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_MALFORMED),
    "a NUL": (HEAD + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_MALFORMED),
    "chunks by line feeds": (CHUNKED + b"3\nabc\n0\n\n", Reason.HTTP_MALFORMED),
    "a chunk too long": (CHUNKED + b"fffffffffffffffff\r\nabc", Reason.HTTP_MALFORMED),
    "a signed chunk": (CHUNKED + b"-1\r\nabc", Reason.HTTP_MALFORMED),
    "chunks too long together": (CHUNKED + chunked(*[b"x" * 10_000] * 11), Reason.HTTP_BODY_TOO_LARGE),
    "chunks of nothing but frame": (
        CHUNKED + (b"1;" + b"e" * 100 + b"\r\nx\r\n") * 5_000,
        Reason.HTTP_MALFORMED,
    ),
    "many headers": (HEAD + b"".join(b"H%d: x\r\n" % n for n in range(101)), Reason.HTTP_HEADERS_TOO_LARGE),
    "long headers": (
        HEAD + b"X: " + b"x" * 2_000 + b"\r\nContent-Length: 0\r\n\r\n",
        Reason.HTTP_HEADERS_TOO_LARGE,
    ),
    "an endless header": (HEAD + b"X: " + b"x" * 60_000, Reason.HTTP_HEADERS_TOO_LARGE),
    "an endless target": (b"POST /" + b"x" * 60_000, Reason.HTTP_HEADERS_TOO_LARGE),
    "one header again and again": (HEAD + b"X: y\r\n" * 400, Reason.HTTP_HEADERS_TOO_LARGE),
    "two hosts": (HEAD + b"Host: y\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_MALFORMED),
    "no host": (b"POST /fhir HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Reason.HTTP_MALFORMED),
    "two tokens": (
        HEAD + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\n\r\n",
        Reason.HTTP_MALFORMED,
    ),
    "two conditions": (
        HEAD + b'If-Match: "a"\r\nIf-Match: "b"\r\nContent-Length: 0\r\n\r\n',
        Reason.HTTP_MALFORMED,
    ),
    "upgrade": (
        HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        Reason.HTTP_MALFORMED,
    ),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Reason.HTTP_MALFORMED),
    "HTTP/0.9": (b"GET /fhir/metadata\r\n\r\n", Reason.HTTP_VERSION),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", Reason.HTTP_MALFORMED),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", Reason.HTTP_MALFORMED),
    "MLLP": (b"\x0bMSH|^~\\&|\x1c\r", Reason.HTTP_MALFORMED),
    "no method": (b"BREW /fhir HTTP/1.1\r\nHost: x\r\n\r\n", Reason.HTTP_MALFORMED),
    "asking, and sending at once": (
        HEAD + b"Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc",
        Reason.HTTP_EXPECTATION,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("step", [0, 1, 1_000])
def test_framing_that_cannot_be_relied_on_ends_the_reading_with_its_reason(name, step):
    data, reason = BROKEN[name]
    reader, done = read(data, step=step)
    assert done == []
    assert reader.broken is not None
    assert reader.broken.reason is reason


@pytest.mark.parametrize("name", BROKEN)
def test_what_came_whole_before_it_is_still_good(name):
    good = HEAD + b"Content-Length: 2\r\n\r\n{}"
    reader, done = read(good + BROKEN[name][0])
    assert [request.body for request in done] == [b"{}"]
    assert reader.broken is not None


def test_without_its_limits_the_same_bytes_are_read():
    """The reverse: what is refused for its size alone is a request where the limits allow it."""
    wide = Fhir(header_bytes_max=1_000_000, body_bytes_max=10_000_000)
    for name in ("chunks too long together", "long headers"):
        data = BROKEN[name][0]
        reader, done = read(data, limits=wide)
        assert reader.broken is None, name
        assert len(done) == 1


REFUSED_BODIES = {
    "no gzip": ("gzip", b"{}", Reason.HTTP_ENCODING_BROKEN),
    "cut off": ("gzip", gzip.compress(b"{}" * 100)[:-4], Reason.HTTP_ENCODING_BROKEN),
    "wrong sum": ("gzip", gzip.compress(b"{}")[:-8] + bytes(8), Reason.HTTP_ENCODING_BROKEN),
    "something behind": ("gzip", gzip.compress(b"{}") + b"{}", Reason.HTTP_ENCODING_BROKEN),
    "two members": ("gzip", gzip.compress(b"{}") * 2, Reason.HTTP_ENCODING_BROKEN),
    "raw deflate": ("deflate", zlib.compress(b"{}", wbits=-15), Reason.HTTP_ENCODING_BROKEN),
    "a bomb": ("gzip", gzip.compress(bytes(50_000_000)), Reason.HTTP_BODY_EXPANDS),
    "a bomb in zlib": ("deflate", zlib.compress(bytes(50_000_000)), Reason.HTTP_BODY_EXPANDS),
    "a bomb in a bomb": (
        "gzip",
        gzip.compress(gzip.compress(bytes(50_000_000)) + bytes(500_000)),
        Reason.HTTP_BODY_EXPANDS,
    ),
    "empty": ("gzip", b"", Reason.HTTP_ENCODING_BROKEN),
    "brotli": ("br", b"{}", Reason.HTTP_ENCODING_UNSUPPORTED),
    "both": ("gzip, deflate", b"{}", Reason.HTTP_ENCODING_UNSUPPORTED),
}


@pytest.mark.parametrize("name", REFUSED_BODIES)
@pytest.mark.parametrize("step", [0, 7_000])
def test_a_body_that_cannot_be_decompressed_within_bounds_is_refused(name, step):
    coding, body, reason = REFUSED_BODIES[name]
    head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    reader, done = read(head + body, step=step)
    found = [request.refused for request in done] or [reader.broken and reader.broken.reason]
    assert found == [reason]
    assert reader.pending_bytes <= LIMITS.body_bytes_max + LIMITS.header_bytes_max


def test_a_small_body_may_grow_and_a_long_one_only_so_many_times():
    zeros = zlib.compress(bytes(60_000))
    body = Body(LIMITS, "deflate")
    body.add(zeros)
    assert body.whole() == bytes(60_000)
    body = Body(Fhir(body_bytes_max=10_000_000, expands_max=5), "gzip")
    noise = os.urandom(50_000)
    body.add(gzip.compress(noise * 2))
    assert body.whole() == noise * 2
    with pytest.raises(OathwardError) as caught:
        Body(Fhir(body_bytes_max=10_000_000, expands_max=5), "gzip").add(gzip.compress(bytes(1_000_000)))
    assert caught.value.reason is Reason.HTTP_BODY_EXPANDS


@given(
    st.lists(st.binary(max_size=300), max_size=5),
    st.integers(1, 50),
    st.booleans(),
    st.sampled_from(["", "gzip", "deflate"]),
)
def test_bodies_come_out_as_they_went_in_however_they_are_cut(bodies, step, in_chunks, coding):
    sent = b""
    for body in bodies:
        data = {"": lambda b: b, "gzip": gzip.compress, "deflate": zlib.compress}[coding](body)
        sent += HEAD + (f"Content-Encoding: {coding}\r\n".encode() if coding else b"")
        if in_chunks:
            cut = [data[i : i + 7] for i in range(0, len(data), 7)]
            sent += b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*cut)
        else:
            sent += b"Content-Length: %d\r\n\r\n%b" % (len(data), data)
    reader, done = read(sent, step=step)
    assert reader.broken is None
    assert [request.body for request in done] == bodies
    assert reader.pending_bytes == 0


@given(st.binary(max_size=2_000))
def test_any_bytes_are_read_or_refused(data):
    reader, _ = read(data)
    assert reader.broken is None or isinstance(reader.broken, OathwardError)


def test_a_request_refused_by_its_headers_keeps_no_memory():
    def judge(_request):
        raise OathwardError("path", reason=Reason.NOT_FOUND)

    reader = Reader(LIMITS, judge)
    reader.feed(HEAD + b"Content-Length: 90000\r\n\r\n" + b"x" * 80_000)
    assert reader.pending_bytes < 1_000
    [request] = reader.feed(b"x" * 10_000)
    assert (request.refused, request.body) == (Reason.NOT_FOUND, b"")
    reader = Reader(LIMITS, judge)
    reader.feed(CHUNKED)
    for _ in range(12):
        if reader.broken is None:
            reader.feed(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    assert reader.broken.reason is Reason.HTTP_BODY_TOO_LARGE


def test_an_expecting_sender_is_told_to_go_on_only_where_the_headers_are_good():
    reader = Reader(LIMITS, lambda _request: None)
    reader.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.owes_continue
    [request] = reader.feed(b"{}")
    assert request.body == b"{}"
    assert not reader.owes_continue

    def judge(_request):
        raise OathwardError("path", reason=Reason.NOT_FOUND)

    reader = Reader(LIMITS, judge)
    reader.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert not reader.owes_continue
    assert reader.broken.reason is Reason.NOT_FOUND


def test_trailers_mean_nothing():
    data = CHUNKED + b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    reader, [request] = read(data)
    assert reader.broken is None
    assert "authorization" not in request.headers
