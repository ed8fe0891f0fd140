"""Hostile input at the FHIR door, over a real socket: each kind is refused with its reason, and others are served."""

import gzip
import json
import socket
import time
import zlib
from contextlib import ExitStack, suppress

import pytest
from tests.fhir_wire import Http, bundle_of, context, device, encoded, observation, request, served
from tests.site import Site, bundle
from tests.wire import Recipient

LIMITS = """
header_time_s_max = 1.5
body_time_s_max = 2.0
idle_s_max = 4.0
beside_bytes_min = 30000
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    recipient = Recipient()
    site = Site.make(tmp_path_factory.mktemp("hostile"), fhir=LIMITS)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(device("mon-1"), device("mon-2"))
    site.start()
    yield site
    site.stop()
    recipient.close()


def refusals(site, reason):
    found = (r["body"] for r in site.records("connection.refused"))
    return sum(body["count"] for body in found if body["reason"] == reason)


def held(site):
    return site.rows("SELECT count(*) FROM quarantine")[0][0]


def text_of(resource, old, new):
    return encoded(resource).replace(old, new)


DEEP = (
    b'{"resourceType":"Observation","extension":' + b'[{"extension":' * 5_000 + b"[]" + b"}]" * 5_000 + b"}"
)
BAD_JSON = {
    "depth": (DEEP, "message.limit-exceeded"),
    "depth of lists": (b"[" * 100_000, "message.limit-exceeded"),
    "not closed": (b'{"resourceType":"Observation"', "message.json-invalid"),
    "empty": (b"", "message.empty"),
    "two documents": (encoded(observation()) * 2, "message.json-invalid"),
    "a list": (b"[]", None),
    "a text": (b'"Observation"', None),
    "NaN": (text_of(observation(), b"72.0", b"NaN"), "message.json-invalid"),
    "Infinity": (text_of(observation(), b"72.0", b"-Infinity"), "message.json-invalid"),
    "comments": (b"/* */" + encoded(observation()), "message.json-invalid"),
    "not UTF-8": (text_of(observation(), b"final", b"fin\xe4l"), "message.charset-broken"),
    "UTF-16": (json.dumps(observation()).encode("utf-16"), None),
    "a byte order mark": (b"\xef\xbb\xbf" + encoded(observation()), None),
    "a lone surrogate": (text_of(observation(), b"final", b"\\ud800"), None),
    "a key twice": (
        text_of(observation(), b'"status": "final"', b'"status": "final", "status": "amended"'),
        "message.duplicate-key",
    ),
    "a key twice, escaped": (
        text_of(observation(), b'"status": "final"', b'"status": "final", "st\\u0061tus": "amended"'),
        "message.duplicate-key",
    ),
    "a huge number": (text_of(observation(), b"72.0", b"9" * 400), "message.number-unbounded"),
    "a huge exponent": (text_of(observation(), b"72.0", b"1e999999"), "message.number-unbounded"),
    "many digits": (text_of(observation(), b"72.0", b"0." + b"1" * 100_000), "message.number-unbounded"),
    "no resource type": (b'{"status":"final"}', None),
    "another type": (b'{"resourceType":"Patient"}', None),
    "an unknown element": (encoded(observation(nonsense=1)), "message.element-unknown"),
    "a missing element": (b'{"resourceType":"Observation","status":"final"}', "message.element-missing"),
    "a code of none": (encoded(observation(status="fine")), "message.code-not-allowed"),
    "a date of none": (encoded(observation(effectiveDateTime="yesterday")), "message.value-invalid"),
    "contained smuggling": (
        encoded(observation(contained=[{"resourceType": "Bundle", "id": "b", "type": "batch"}])),
        None,
    ),
    "a bundle at a type": (encoded(bundle_of("batch", ("POST", "Observation", observation()))), None),
}


@pytest.mark.turns(3, "name")  # the reader gives each its reason in tests/unit
@pytest.mark.parametrize("name", BAD_JSON)
def test_what_is_no_resource_is_refused_with_its_reason_and_lies_sealed(site, name):
    body, reason = BAD_JSON[name]
    before = held(site)
    with Http(site, "mon-1", timeout_s=60) as client:
        answer = client.post("/fhir/Observation", body)
        assert answer is not None
        assert 400 <= answer.status < 500, answer
        assert answer.reason == (reason or answer.reason)
        assert answer.reason != "internal"
        assert client.post("/fhir/Observation", observation()).status in {200, 201}, "and it goes on"
    assert held(site) == before + 1
    [(stored,)] = site.rows("SELECT reason FROM quarantine ORDER BY at_us DESC, message DESC LIMIT 1")
    assert stored == answer.reason


def test_a_reference_to_another_patient_in_one_resource_is_not_taken_for_either(site):
    """Two patients in one Observation: nobody guesses."""
    mixed = observation(performer=[{"reference": "Patient/2"}], subject={"reference": "Patient/1"})
    with Http(site, "mon-1") as client:
        answer = client.post("/fhir/Observation", mixed)
    assert answer.status in {201, 202, 422}


FORMS = {
    "XML": ({"Content_Type": "application/fhir+xml"}, b"<Observation/>", 415, "http.media-type"),
    "another version": (
        {"Content_Type": "application/fhir+json; fhirVersion=5.0"},
        b"{}",
        415,
        "http.media-type",
    ),
    "another charset": (
        {"Content_Type": "application/json; charset=latin-1"},
        b"{}",
        415,
        "http.media-type",
    ),
    "no type": ({"Content_Type": None}, b"{}", 415, "http.media-type"),
    "brotli": ({"Content_Encoding": "br"}, b"{}", 415, "http.encoding-unsupported"),
    "no gzip": ({"Content_Encoding": "gzip"}, b"{}", 400, "http.encoding-broken"),
    "half a gzip": (
        {"Content_Encoding": "gzip"},
        gzip.compress(b"{}" * 50)[:-3],
        400,
        "http.encoding-broken",
    ),
    "a bomb": ({"Content_Encoding": "gzip"}, gzip.compress(bytes(100_000_000)), 413, "http.body-expands"),
    "a bomb in deflate": (
        {"Content_Encoding": "deflate"},
        zlib.compress(bytes(100_000_000)),
        413,
        "http.body-expands",
    ),
    "HTML wanted": ({"Accept": "text/html"}, b"{}", 406, "http.not-acceptable"),
    "a wrong expectation": ({"Expect": "a-miracle"}, b"{}", 417, "http.expectation"),
    "a strange condition": ({"If_None_Exist": "name=x"}, b"{}", 412, "message.condition-unsupported"),
    "a length that is too long": ({"Content_Length": "5000000"}, b"", 413, "http.body-too-large"),
    "no length": ({"Content_Length": None}, b"", 411, "http.length-missing"),
    "two lengths": (
        {"Content_Length": "2\r\nContent-Length: 2"},
        b"{}",
        400,
        "http.malformed",
    ),
    "both lengths": ({"Transfer_Encoding": "chunked"}, b"2\r\n{}\r\n0\r\n\r\n", 400, "http.malformed"),
    "many headers": ({f"X_{n}": "x" for n in range(200)}, b"{}", 431, "http.headers-too-large"),
    "long headers": ({"X": "x" * 20_000}, b"{}", 431, "http.headers-too-large"),
    "a bad token": ({"Authorization": "Bearer nonsense"}, b"{}", 401, "token.invalid"),
    "a password": ({"Authorization": "Basic YTpi"}, b"{}", 401, "token.invalid"),
}


@pytest.mark.turns(2, "name")  # the rules of HTTP are asked whole in tests/unit
@pytest.mark.parametrize("name", FORMS)
def test_a_request_in_a_wrong_form_is_refused_with_its_reason_and_nothing_is_kept(site, name):
    headers, body, status, reason = FORMS[name]
    before, counted = held(site), refusals(site, reason)
    with Http(site, "mon-1") as client:
        answer = client.ask("POST", "/fhir/Observation", body, **headers)
        assert (answer.status, answer.reason) == (status, reason)
        assert answer.json["resourceType"] == "OperationOutcome"
    assert held(site) == before
    site.wait(lambda: refusals(site, reason) == counted + 1)


def test_a_request_smuggled_behind_another_is_never_seen(site):
    """Each way of saying two lengths at once: one answer, then the end."""
    inner = request("POST", "/fhir/Observation", encoded(observation(value=666.5)))
    for head in (
        {"Content_Length": str(len(inner)), "Transfer_Encoding": "chunked"},
        {"Content_Length": "0\r\nContent-Length: " + str(len(inner))},
        {"Content_Length": None, "Transfer_Encoding": "chunked, identity"},
        {"Content_Length": None, "Transfer_Encoding": "\x0bchunked"},
        {"Content_Length": None, "Transfer_Encoding": "chunked\r\n\t"},
    ):
        with Http(site, "mon-1") as client:
            client.write(request("POST", "/fhir/Observation", b"", **head) + b"0\r\n\r\n" + inner)
            assert client.answer().status == 400
            assert client.answer() is None
    assert site.rows("SELECT count(*) FROM message WHERE state = 'accepted' AND size_bytes = 0") == [(0,)]


def slow(site, first, rest=b"x", *, every_s=0.3, most_s=12.0):
    """Send a beginning, then one byte now and then, until an answer comes; gives it and how long that took."""
    began = time.monotonic()
    with Http(site, "mon-1", timeout_s=every_s) as client:
        client.write(first)
        while time.monotonic() - began < most_s:
            with suppress(TimeoutError):
                return client.answer(), time.monotonic() - began
            with suppress(OSError):
                client.write(rest)
    raise AssertionError("never answered")


def test_slow_headers_and_slow_bodies_are_ended(site):
    answer, took_s = slow(site, b"POST /fhir/Observation HTTP/1.1\r\nHost: x\r\nX: ")
    assert (answer.status, answer.reason) == (408, "http.timeout")
    assert took_s < 8
    answer, took_s = slow(site, request("POST", "/fhir/Observation", b"", Content_Length="1000"))
    assert (answer.status, answer.reason) == (408, "http.timeout")
    assert took_s < 8
    with Http(site, "mon-1") as idle:
        assert idle.post("/fhir/Observation", observation(value=1.25)).status == 201
        idle.socket.settimeout(15)
        assert idle.answer() is None, "a connection on which nothing is asked is closed"


def test_a_body_shorter_than_it_says_is_not_taken(site):
    counted = refusals(site, "frame.unterminated")
    before = site.rows("SELECT count(*) FROM message")
    client = Http(site, "mon-1")
    client.write(request("POST", "/fhir/Observation", b'{"resourceType"', Content_Length="900"))
    client.socket.unwrap().close()
    site.wait(lambda: refusals(site, "frame.unterminated") == counted + 1)
    assert site.rows("SELECT count(*) FROM message") == before


NEST = b'{"resourceType":"Observation","note":' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}"
HEAVY = {
    "nesting": NEST,
    "objects": b'{"resourceType":"Observation","extension":[' + b"{}," * 1_300_000 + b"{}]}",
    "digits": b'{"resourceType":"Observation","valueInteger":' + b"9" * 4_000_000 + b"}",
    "numbers": b'{"resourceType":"Observation","component":[' + b"1.10," * 800_000 + b"1]}",
    "keys": b"{" + b",".join(b'"k%d":1' % n for n in range(350_000)) + b"}",
    "text": encoded(observation(note=[{"text": "breathing calmly " * 60_000}] * 4)),
    "quotes": b'{"resourceType":"Observation","status":"' + b'\\"' * 1_900_000 + b'"}',
}


GOOD = {"text", "bundle"}
HEAVY["bundle"] = encoded(
    bundle_of("transaction", *(("POST", "Observation", observation(value=float(n))) for n in range(4_000)))
)


def neighbour(site, name, count=60):
    """Times of a neighbour's answers while a heavy body is read and judged, sorted; and what that is answered."""
    with Http(site, "mon-2", timeout_s=60) as hostile, Http(site, "mon-1", timeout_s=60) as honest:
        assert honest.post("/fhir/Observation", observation()).status in {200, 201}
        hostile.write(request("POST", "/fhir" if name == "bundle" else "/fhir/Observation", HEAVY[name]))
        took = []
        for n in range(count):
            began = time.monotonic()
            assert honest.post("/fhir/Observation", observation(value=100.0 + n / 8)).status in {200, 201}
            took.append(time.monotonic() - began)
        return sorted(took), hostile.answer()


def beside(site):
    return site.status("gateway")["counts"].get("message.beside", 0)


@pytest.mark.alone
@pytest.mark.turns(4, "name")  # the deepest text and the most keys
@pytest.mark.parametrize("name", HEAVY)
def test_four_megabytes_of_hostile_text_hold_up_no_neighbour(site, name):
    before = beside(site)
    took, answer = neighbour(site, name)
    site.wait(lambda: beside(site) == before + 1)
    print(name, f"median {took[30] * 1e3:.0f} ms, worst {took[-1] * 1e3:.0f} ms")
    assert answer.status in {200, 201} if name in GOOD else 400 <= answer.status < 500, answer
    assert took[-1] < 0.8
    assert took[30] < 0.2


def test_without_the_process_beside_the_same_text_holds_up_the_neighbour(tmp_path):
    """The reverse: all on one loop, a neighbour waits for as long as the heaviest body takes."""
    with served(tmp_path / "s", "beside_bytes_min = 1000000000", "mon-1", "mon-2") as site:
        took, answer = neighbour(site, "bundle", 20)
        print(f"worst {took[-1] * 1e3:.0f} ms")
        assert answer.status == 200
        assert beside(site) == 0
        assert took[-1] > 0.15


def test_too_many_connections_of_one_address_are_told_so(tmp_path):
    with served(tmp_path / "s", "connections_per_peer_max = 3", "mon-1") as site:
        made = context(site, "mon-1")
        with ExitStack() as stack:
            for _ in range(3):
                one = stack.enter_context(Http(site, made=made))
                assert one.ask("GET", "/fhir/metadata").status == 200
            assert not taken(site, made)
        site.wait(lambda: refusals(site, "connection.limit") >= 1)
        site.wait(lambda: taken(site, made))


def taken(site, made):
    try:
        with Http(site, made=made) as client:
            answer = client.ask("GET", "/fhir/metadata")
            return answer is not None and answer.status == 200
    except OSError:
        return False


def test_too_many_requests_of_one_address_are_told_when_to_come_again(tmp_path):
    with served(tmp_path / "s", "messages_per_s_per_peer_max = 20", "mon-1") as site:
        with Http(site, "mon-1") as client:
            client.write(request("GET", "/fhir/metadata") * 100)
            answers = []
            while (answer := client.answer()) is not None:
                answers.append(answer)
        assert [a.status for a in answers][-1] == 503
        assert answers[-1].reason == "connection.rate-limit"
        assert answers[-1].headers["retry-after"] == "5"
        assert 20 <= len(answers) < 40


def test_what_is_not_answered_has_so_much_memory(tmp_path):
    with served(tmp_path / "s", "waiting_bytes_max = 2000000\nconnections_max = 200", "mon-1") as site:
        made = context(site, "mon-1")
        with ExitStack() as stack:
            for _ in range(30):
                greedy = stack.enter_context(Http(site, made=made))
                with suppress(OSError):
                    greedy.write(
                        request("POST", "/fhir/Observation", b"{" * 150_000, Content_Length="400000")
                    )
            site.wait(lambda: refusals(site, "connection.memory-limit") >= 10)
            with Http(site, made=made) as small:
                assert small.post("/fhir/Observation", observation()).status == 201


def test_without_tls_nobody_is_heard(site):
    with socket.create_connection(("127.0.0.1", site.port("fhir")), timeout=10) as plain:
        plain.sendall(request("GET", "/fhir/metadata"))
        data = b""
        with suppress(OSError):
            data = plain.recv(100)
        assert not data.startswith(b"HTTP/")


def test_nothing_of_it_was_a_bug_and_the_ledger_verifies(site):
    reasons = dict(site.rows("SELECT reason, count(*) FROM quarantine GROUP BY reason"))
    assert "internal" not in reasons, reasons
    assert site.status("gateway")["trouble"] == ""
    assert site.cli("ledger", "verify")["ok"]
