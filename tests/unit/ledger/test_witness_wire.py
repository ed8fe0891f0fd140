"""The witness's HTTP without a socket: whole, in pieces, and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger.witness import Answer
from oathward.ledger.witness_server import parse_address
from oathward.ledger.witness_wire import AnswerInbox, Request, RequestInbox, write_answer, write_request


def feed(inbox, data, step=1_000_000):
    for at in range(0, len(data), step):
        found = inbox.feed(data[at : at + step])
    return found


@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_requests_and_answers_in_pieces(step):
    raw = write_request("POST", "/add-checkpoint", "witness", b"old 0\n\nbody")
    assert feed(RequestInbox(), raw, step) == Request("POST", "/add-checkpoint", b"old 0\n\nbody")
    answer = Answer(409, "12\n", "text/x.tlog.size")
    assert feed(AnswerInbox(), write_answer(answer), step).body == "12\n"


def test_a_get_needs_no_length():
    raw = b"GET /abc/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n"
    assert feed(RequestInbox(), raw) == Request("GET", "/abc/checkpoint", b"")


POST = b"POST /add-checkpoint HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\0" * 20_000, Reason.LIMIT_EXCEEDED),
        (b"A" * 8_193, Reason.LIMIT_EXCEEDED),
        (POST + b"X: " + b"y" * 9_000 + b"\r\n\r\n", Reason.LIMIT_EXCEEDED),
        (POST + b"Content-Length: 131073\r\n\r\n", Reason.LIMIT_EXCEEDED),
        (POST + b"Content-Length: 9999999999\r\n\r\n", Reason.INPUT_INVALID),
        (POST + b"Content-Length: -1\r\n\r\n", Reason.INPUT_INVALID),
        (POST + b"Content-Length: 0x10\r\n\r\n", Reason.INPUT_INVALID),
        (POST + b"Content-Length: 1, 1\r\n\r\n", Reason.INPUT_INVALID),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", Reason.INPUT_INVALID),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx", Reason.INPUT_INVALID),
        (POST + b"Host: x\r\n\r\n", Reason.INPUT_INVALID),
        (POST + b"Content-Length: 1\r\n\r\nxy", Reason.INPUT_INVALID),
        (POST + b"Content-Length : 1\r\n\r\nx", Reason.INPUT_INVALID),
        (POST + b"A: b\r\n c\r\nContent-Length: 1\r\n\r\nx", Reason.INPUT_INVALID),
        (POST + b"A: b\nContent-Length: 1\r\n\r\nx", Reason.INPUT_INVALID),
        (POST + b"no colon\r\n\r\n", Reason.INPUT_INVALID),
        (b"PUT / HTTP/1.1\r\n\r\n", Reason.INPUT_INVALID),
        (b"GET / HTTP/2\r\n\r\n", Reason.INPUT_INVALID),
        (b"GET  / HTTP/1.1\r\n\r\n", Reason.INPUT_INVALID),
        (b"GET /\xff HTTP/1.1\r\n\r\n", Reason.INPUT_INVALID),
        (b"GET /" + b"a" * 1_001 + b" HTTP/1.1\r\n\r\n", Reason.INPUT_INVALID),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", Reason.INPUT_INVALID),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_hostile_requests(raw, reason, step):
    with pytest.raises(InputError) as error:
        feed(RequestInbox(), raw, step)
    assert error.value.reason is reason


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_any_bytes_are_a_request_or_refused(parts):
    inbox = RequestInbox()
    try:
        for part in parts:
            inbox.feed(part)
    except InputError:
        pass


@pytest.mark.parametrize("address", ["", ":1", "host", "host:", "host:x", "host:99999", "host:-1"])
def test_addresses_that_are_none(address):
    with pytest.raises(InputError):
        parse_address(address)


def test_addresses():
    assert parse_address("[::1]:80") == ("::1", 80)
    assert parse_address("127.0.0.1:0") == ("127.0.0.1", 0)
    assert str(parse_address("unix:/x/y")) == "/x/y"
