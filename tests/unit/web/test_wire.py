"""What stands between a socket and the frame: where a request ends, who is believed about it, what no answer is without."""

import contextlib
import dataclasses
import re
import socket
import threading
import time

import pytest
import uvicorn

from oathward.app import process
from oathward.core import process as core_process
from oathward.core.settings import Console
from oathward.web.page import calls, pages
from oathward.web.serving import wire
from oathward.web.serving.listening import Listening
from oathward.web.view import View

INNER = b"GET /sign-in?inner HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
CHUNKED = b"0\r\n\r\n"
CLOSE = "Connection: close"


@pytest.fixture
def served(opened):
    settings = dataclasses.replace(opened.settings, console=Console(port=0))
    server = process._console(dataclasses.replace(opened, settings=settings))
    yield server
    server.stop()


def told(server, raw: bytes) -> bytes:
    """Send bytes; give all that comes back until the other side ends it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(raw)
        return b"".join(iter(lambda: plain.recv(65_536), b""))


def request(*headers: str, body: bytes = b"", method: str = "POST", path: str = "/sign-in") -> bytes:
    head = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers))
    return f"{head}\r\n\r\n".encode() + body


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


SMUGGLED = {
    "both lengths": request("Content-Length: 5", "Transfer-Encoding: chunked", body=CHUNKED + INNER),
    "both, the other way": request("Transfer-Encoding: chunked", "Content-Length: 5", body=CHUNKED + INNER),
    "two lengths": request("Content-Length: 0", f"Content-Length: {len(INNER)}", body=INNER),
    "no number": request("Content-Length: +0", body=INNER),
    "a coding more": request("Transfer-Encoding: chunked, identity", body=CHUNKED + INNER),
    "a coding that is none": request("Transfer-Encoding: xchunked", body=CHUNKED + INNER),
    "a blank before the colon": request("Transfer-Encoding : chunked", body=CHUNKED + INNER),
    "a size that is none": request("Transfer-Encoding: chunked", body=b"0x5\r\nabcde\r\n" + CHUNKED + INNER),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_behind_another_is_never_seen(served, name):
    """Each way of saying two ends at once: no second answer, and the connection ends."""
    answer = told(served, SMUGGLED[name])
    assert statuses(answer) == [400]
    assert b"content-type: text/plain; charset=utf-8" in answer.lower()
    assert b"inner" not in answer


def test_reverse_two_requests_that_say_where_they_end_are_two(served):
    assert statuses(told(served, request(method="GET") + INNER)) == [200, 200]
    assert statuses(told(served, request("Content-Length: 0") + INNER))[1:] == [200]


def test_nobody_says_by_a_header_who_they_are(served, monkeypatch):
    """What a proxy would add is anybody's word here."""
    seen = []
    monkeypatch.setattr(
        View, "asked", lambda view, *_a, **_m: seen.append((view.origin, view.request.url.scheme)) or ""
    )
    lies = ["X-Forwarded-For: 192.0.2.9", "X-Real-IP: 192.0.2.9", "Forwarded: for=192.0.2.9;proto=https", "X-Forwarded-Proto: https"]  # fmt: skip
    assert statuses(told(served, request(*lies, CLOSE, method="GET"))) == [200]
    assert set(seen) == {("127.0.0.1", "http")}
    answer = told(served, request("X-Forwarded-Host: evil.example", CLOSE, method="GET", path="/"))
    assert statuses(answer) == [303]
    assert b"evil" not in answer


def test_a_method_in_a_header_is_none(served):
    lies = ["X-HTTP-Method-Override: POST", "X-HTTP-Method: DELETE"]
    assert statuses(told(served, request(*lies, CLOSE, method="GET", path="/sign-out"))) == [405]


def test_a_connection_never_becomes_a_websocket(served):
    wish = ["Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
    assert 101 not in statuses(told(served, request(*wish, method="GET")))


WHOLE_S = 0.6
FORM = "Content-Type: application/x-www-form-urlencoded"
SLOW = {
    "nothing": (b"", b""),
    "a head that goes on": (request(method="GET")[:-2], b"a: b\r\n"),
    "empty lines before a request": (b"\r\n", b"\r\n"),
    "a body that goes on": (request("Content-Type: application/x-www-form-urlencoded", "Content-Length: 9000"), b"a"),
    "trailers that go on": (request("Transfer-Encoding: chunked", body=b"0\r\n"), b"a: b\r\n"),
    "the rest of what was refused": (request("Content-Length: 9000"), b"a"),
    "a body behind another request": (
        request(method="GET") + request("Origin: http://127.0.0.1", FORM, "Content-Length: 9000", body=b"a"), b""
    ),
    "a body that goes on behind another": (
        request(method="GET") + request("Origin: http://127.0.0.1", FORM, "Content-Length: 9000"), b"a"
    ),
    "a head behind another request": (request(method="GET") * 2 + request(method="GET")[:-2], b"a: b\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_who_never_comes_to_an_end_loses_the_place(served, monkeypatch, name):
    monkeypatch.setattr(wire, "WHOLE_S", WHOLE_S)
    first, more = SLOW[name]
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain:
        plain.sendall(first)
        plain.settimeout(0.1)
        while time.monotonic() - began < 10:
            try:
                if more:
                    plain.sendall(more)
                if not plain.recv(65_536):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert WHOLE_S * 0.8 < time.monotonic() - began < 5


def test_connections_that_ask_nothing_keep_nobody_out_for_long(served, monkeypatch):
    """Two hundred are all there are."""
    monkeypatch.setattr(wire, "WHOLE_S", 1.5)
    ask = request(CLOSE, method="GET")
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(205)]
    assert statuses(told(served, ask)) == [503]
    time.sleep(2.5)
    assert statuses(told(served, ask)) == [200]
    for one in held:
        one.close()


def test_unfinished_requests_behind_whole_ones_keep_nobody_out_for_long(served, monkeypatch):
    """With a right host and origin the second waits for its body, and its connection has no keep-alive."""
    monkeypatch.setattr(wire, "WHOLE_S", 1.5)
    host = f"Host: 127.0.0.1:{served.port}\r\n"
    origin = f"Origin: http://127.0.0.1:{served.port}\r\n{FORM}\r\nContent-Length: 9000\r\n"
    both = f"GET /sign-in HTTP/1.1\r\n{host}\r\nPOST /sign-in HTTP/1.1\r\n{host}{origin}\r\na".encode()
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=20) for _ in range(20)]
    for one in held:
        one.sendall(both)
    assert all(one.recv(12) == b"HTTP/1.1 200" for one in held)
    state, deadline = served._server.server_state, time.monotonic() + 8
    while (state.connections or state.tasks) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (len(state.connections), len(state.tasks)) == (0, 0)
    for one in held:
        one.close()


def test_only_a_few_requests_wait_behind_one(served):
    """Three are answered; of hundreds none is kept until its turn."""
    assert statuses(told(served, request(method="GET") * 2 + INNER)) == [200, 200, 200]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain:
        plain.sendall(request(method="GET") * 500)
        answers = b""
        with contextlib.suppress(ConnectionError):
            while more := plain.recv(65_536):
                answers += more
    assert len(statuses(answers)) <= wire.BEHIND_MAX + 1


@contextlib.contextmanager
def serving(body: bytes, pieces: int):
    """Serve so many pieces to whoever asks."""

    async def app(_scope, _receive, send):
        length = str(len(body) * pieces).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for n in range(pieces):
            await send({"type": "http.response.body", "body": body, "more_body": n + 1 < pieces})

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=wire.Protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
    )
    server = Listening(config, None, 1_000)
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    thread.start()
    yield server, listening.getsockname()
    server.should_exit = True
    thread.join(10)


UNREAD = {
    "one": (100_000, 160, b"", b""),
    "another request behind it": (100_000, 160, b"", request(method="GET")),
    "and sends on": (100_000, 160, b"", b"\r\n"),
    "the rest of the last answer": (50_000, 1, request(method="GET") * 2, b""),
    "the rest of the last answer of all": (3_000_000, 1, b"", b""),
}


@pytest.mark.parametrize("name", UNREAD)
def test_who_does_not_read_an_answer_loses_the_place(monkeypatch, name):
    monkeypatch.setattr(wire, "READ_S", 1.0)
    length, pieces, also, behind = UNREAD[name]
    with serving(b"x" * length, pieces) as (server, address), socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        plain.settimeout(20)
        plain.connect(address)
        plain.sendall(request(method="GET") + also)
        time.sleep(0.4)
        with contextlib.suppress(ConnectionError):
            plain.sendall(behind)
        deadline = time.monotonic() + 6
        while server.server_state.connections and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not server.server_state.connections


def test_reverse_who_reads_slowly_hears_all(monkeypatch):
    monkeypatch.setattr(wire, "READ_S", 1.0)
    with serving(b"x" * 100_000, 80) as (_, address), socket.create_connection(address, timeout=20) as plain:
        plain.sendall(request(method="GET"))
        got = 0
        while got < 8_000_000 and (more := plain.recv(200_000)):
            got += len(more)
            time.sleep(0.02)
        assert got > 8_000_000


def test_an_address_has_its_share_of_connections(served, monkeypatch):
    monkeypatch.setattr(wire, "PER_ADDRESS_MAX", 3)
    for place in ("wire", "listening"):
        monkeypatch.setattr(f"oathward.web.serving.{place}.on_this_machine", lambda _: False)
    held = [socket.create_connection(("127.0.0.1", served.port), timeout=5) for _ in range(6)]
    ended = 0
    for one in held:
        one.settimeout(0.5)
        try:
            ended += one.recv(1) == b""
        except TimeoutError:
            continue
        except ConnectionResetError:
            ended += 1
    assert ended == 3
    for one in held:
        one.close()


@pytest.mark.parametrize("where", ["head", "address", "trailers", "pieces"])
def test_what_is_no_body_has_a_length(served, where):
    begins = {
        "head": request(method="GET")[:-2] + b"a: ",
        "address": b"GET /sign-in?",
        "trailers": request("Transfer-Encoding: chunked", body=b"0\r\na: "),
        "pieces": request("Transfer-Encoding: chunked"),
    }
    more = b"1\r\na\r\n" * 10_000 if where == "pieces" else b"a" * 50_000
    sent = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as plain:
        plain.sendall(begins[where])
        try:
            while sent < 8_000_000:
                plain.sendall(more)
                sent += len(more)
        except OSError:
            pass
    assert sent < 8_000_000


def test_reverse_a_long_form_in_a_few_pieces_is_heard(served):
    body = b"%x\r\n" % 60_000 + b"key=" + b"x" * 59_996 + b"\r\n"
    kinds = ("Content-Type: application/x-www-form-urlencoded", "Origin: http://127.0.0.1")
    parts = body + b"ea60\r\n" + b"x" * 60_000 + b"\r\n" + b"ea60\r\n" + b"x" * 60_000 + b"\r\n"
    whole = request(*kinds, "Transfer-Encoding: chunked", CLOSE, body=parts + CHUNKED)
    assert statuses(told(served, whole)) == [403]


TEXT = re.compile(r"text/|.*\+xml$|.*/xml$")


def test_every_answer_says_what_it_is(browser):
    """Whatever is text says in which characters."""
    browser.sign_in()
    addresses = [route.path for page in pages() for route in page.routes] + [call.path for call in calls()]
    addresses += [f"/static/x/{name}" for name in ("console.js", "console.css", "icon.svg", "none")]
    looked = 0
    for path in addresses:
        answer = browser.get(re.sub(r"\{\w+\}", "x", path))
        if not answer.content:
            continue
        kind, _, more = answer.headers["content-type"].partition(";")
        looked += 1
        if TEXT.match(kind):
            assert more.strip() == "charset=utf-8", path
        else:
            assert kind in {"application/json", "application/problem+json", "application/scim+json"}, path
    assert looked > 50


def test_signing_out_is_on_every_page(browser):
    browser.sign_in()
    looked = 0
    for page in pages():
        for route in page.routes:
            if route.method != "GET" or route.public or route.quiet or "{" in route.path:
                continue
            answer = browser.get(route.path)
            saved = "content-disposition" in answer.headers
            if answer.status_code == 200 and not saved and "html" in answer.headers["content-type"]:
                looked += 1
                assert 'action="/sign-out"' in answer.text, route.path
    assert looked > 10


def test_beyond_all_that_may_be_open_nobody_is_taken(opened, monkeypatch):
    monkeypatch.setattr("oathward.web.serving.listening.OPEN_MAX", 20)
    settings = dataclasses.replace(opened.settings, console=Console(port=0))
    server = process._console(dataclasses.replace(opened, settings=settings))
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(30)]
    ended = []
    for one in held:
        one.settimeout(0.2)
        try:
            ended.append(one.recv(1) == b"")
        except TimeoutError:
            ended.append(False)
        except ConnectionError:
            ended.append(True)
    assert sum(ended) == 10
    for one in held:
        one.close()
    server.stop()


def test_as_many_files_as_the_system_allows(monkeypatch):
    limits = {"now": (1_024, 4_096)}
    monkeypatch.setattr(core_process.resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(core_process.resource, "setrlimit", lambda _, wanted: limits.update(now=wanted))
    assert core_process.raise_files() == 4_096
    limits["now"] = (1_024, 1 << 30)
    assert core_process.raise_files() == core_process.FILES_MAX
    assert limits["now"] == (core_process.FILES_MAX, 1 << 30)
    limits["now"] = (200_000, 1 << 30)
    assert core_process.raise_files() == 200_000
