"""What the FHIR wire promises: what each answer means, order, once at the far end, and nothing of an answer's text."""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox import waiting

from oathward.core.reasons import Reason
from oathward.core.settings import Courier
from oathward.courier import fhir
from oathward.courier.fhir import FhirWire
from oathward.courier.lane import Lane
from oathward.courier.mllp import MllpWire, client_context
from oathward.courier.model import Delivered, Failed, Item
from oathward.courier.places import target_of

from .far_end import END, RESET, SILENT, FarEnd, answer, outcome, responses

LIMITS = Courier(
    retry_first_s=0.01,
    retry_longest_s=0.05,
    retry_after_longest_s=0.3,
    attempts_max=4,
    reply_timeout_s=0.4,
    connect_timeout_s=1.0,
)
ONE = {"resourceType": "Observation", "id": "o-0", "status": "final"}
TWO = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {"resource": {**ONE, "id": f"o-{n}"}, "request": {"method": "PUT", "url": f"Observation/o-{n}"}}
        for n in (0, 1)
    ],
}


def item(seq, sender="d", body=None):
    row = waiting(f"ID{seq}", sender=sender, seq=seq, message=f"m{seq}")
    body = {**ONE, "id": f"o-{seq}"} if body is None else body
    return Item(row, body if isinstance(body, bytes) else json.dumps(body).encode())


async def deliver(wire, items, *, ordered=True, settle_s=5.0, limits=LIMITS):
    results, dropped = {}, []

    def settled(one, result):
        assert one.row.id not in results, "settled twice"
        results[one.row.id] = result

    lane = Lane(wire, limits, settled, dropped.extend, ordered=ordered)
    task = asyncio.create_task(lane.run())
    for one in items:
        lane.put(one)
    try:
        async with asyncio.timeout(settle_s):
            while len(results) + len(dropped) < len(items):
                await asyncio.sleep(0.001)
    except TimeoutError:
        results["waiting"] = lane.failing
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.01)
    return results, [one.row.id for one in dropped]


def run(*script, items=None, otherwise=(), **how):
    """Deliver over plain HTTP to a scripted far end; gives results, what was dropped and the far end."""

    async def go():
        async with FarEnd(*script, otherwise=otherwise) as far:
            wire = FhirWire(f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=None)
            results, dropped = await deliver(wire, items or [item(0)], **how)
            return results, dropped, far

    return asyncio.run(go())


# --- what is asked


def test_how_it_was_made_is_said_with_what_is_written_and_with_nothing_else():
    creates = {
        **TWO,
        "entry": [{**TWO["entry"][0], "request": {**TWO["entry"][0]["request"], "ifNoneMatch": "*"}}],
    }

    async def go(says):
        async with FarEnd([answer(201)], [answer(404)], [answer(200, responses("201"))]) as far:
            wire = FhirWire(f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=None, provenance=says)
            await deliver(wire, [item(0), item(1, body=creates)])
            return far.requests, far.heads

    (requests, heads), (_, plain) = (
        asyncio.run(go(lambda row: f"{row.id}: made")),
        asyncio.run(go(lambda _: "")),
    )
    assert [line.partition(" ")[0] for line, _ in requests] == ["PUT", "GET", "POST"]
    assert [
        "X-Provenance: ID0: made" in heads[0],
        "X-Provenance" in heads[1],
        "X-Provenance: ID1: made" in heads[2],
    ] == [True, False, True]
    assert not any("X-Provenance" in head for head in plain)


def test_one_resource_is_put_under_its_own_id_and_a_transaction_posted_to_the_base():
    results, _, far = run(
        [answer(201)], [answer(200, responses("201", "200 OK"))], items=[item(0), item(1, body=TWO)]
    )
    assert [line for line, _ in far.requests] == ["PUT /fhir/Observation/o-0 HTTP/1.1", "POST /fhir HTTP/1.1"]
    assert [json.loads(body)["resourceType"] for _, body in far.requests] == ["Observation", "Bundle"]
    assert "Content-Type: application/fhir+json" in far.heads[0]
    assert f"Host: 127.0.0.1:{far.port}" in far.heads[0]
    assert all(isinstance(r, Delivered) for r in results.values())
    assert far.connections == 1


@pytest.mark.parametrize(
    "body",
    [
        b"MSH|^~\\&|", b"", b"[]", b"null", b'"x"', b"{", b"{}", b'{"resourceType":"Observation"}', b'{"resourceType":"Observation","id":""}',
        b'{"resourceType":"Observation","id":"a b"}', b'{"resourceType":"Observation","id":"a\\r\\nX: y"}',
        b'{"resourceType":"Observation","id":".."}', b'{"resourceType":"Observation","id":"."}',
        b'{"resourceType":"Observation","id":"../Patient/1"}', b'{"resourceType":"../x","id":"1"}', b'{"resourceType":"Observation","id":7}',
        b'{"resourceType":"Bundle","id":"b","type":"batch","entry":[{}]}', b'{"resourceType":"Bundle","type":"transaction","entry":[]}',
        b'{"resourceType":"Bundle","type":"transaction","entry":{}}', b'{"resourceType":"Observation","id":"' + b"a" * 65 + b'"}',
    ],
)  # fmt: skip
def test_what_is_no_delivery_is_never_written_to_the_recipient(body):
    assert target_of(body) is None
    results, _, far = run(items=[item(0, body=body)])
    assert results["ID0"] == Failed(Reason.DELIVERY_FORM, refused=True, final=True)
    assert far.requests == []


# --- what an answer means

REFUSED, BUSY, UNCLEAR = Reason.RECIPIENT_REFUSED, Reason.RECIPIENT_UNAVAILABLE, Reason.RECIPIENT_UNCLEAR
FINAL = {
    "400": ([answer(400, outcome("structure", "required"))], "400", ("structure", "required")),
    "404": ([answer(404)], "404", ()),
    "405": ([answer(405)], "405", ()),
    "410": ([answer(410)], "410", ()),
    "413": ([answer(413, b"<html>Jane</html>")], "413", ()),
    "422": ([answer(422, outcome("invariant", "Jane Doe", "x" * 999))], "422", ("invariant",)),
    "301": ([answer(301, Location="https://elsewhere.example/fhir")], "301", ()),
    "307": ([answer(307, Location="/fhir2")], "307", ()),
    "308": ([answer(308, Location="http://127.0.0.1:1/")], "308", ()),
}


@pytest.mark.parametrize("name", FINAL)
def test_a_no_that_would_be_the_same_again_is_final_at_once(name):
    script, said, codes = FINAL[name]
    results, _, far = run(script)
    assert results == {"ID0": Failed(REFUSED, refused=True, final=True, answer=said, codes=codes)}
    assert len(far.requests) == 1, "no redirect is followed and nothing is tried again"


TAKEN_IN_THE_END = {
    "408": [answer(408)],
    "425": [answer(425)],
    "429": [answer(429, Retry_After="0")],
    "500": [answer(500, b"Jane Doe's record is broken")],
    "502": [answer(502)],
    "503": [answer(503)],
    "504": [answer(504)],
    "511": [answer(511)],
    "401": [answer(401)],
    "403": [answer(403)],
    "409": [answer(409, outcome("conflict"))],
    "412": [answer(412)],
    "203": [answer(203)],
    "garbage": [b"\x16\x03\x01garbage"],
    "closed at once": [END],
    "reset": [RESET],
    "cut in the answer": [b"HTTP/1.1 201 Created\r\nContent-Le", END],
    "silent": [SILENT],
    "half": [b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n1", SILENT],
    "twice the length": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"],
}


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("name", TAKEN_IN_THE_END)
def test_trouble_that_passes_loses_nothing_and_keeps_the_order(name, ordered):
    items = [item(n) for n in range(4)]
    results, dropped, far = run(TAKEN_IN_THE_END[name], items=items, ordered=ordered)
    assert dropped == []
    assert {type(r) for r in results.values()} == {Delivered}
    first = list(dict.fromkeys(line.split()[1] for line, _ in far.requests))
    if ordered:
        assert first == [f"/fhir/Observation/o-{n}" for n in range(4)]
    assert far.requests[0] in far.requests[1:], "sent again, the same bytes to the same place"


@pytest.mark.parametrize("step", [[END], [RESET], [b"HTTP/1.1 2", END]], ids=["closed", "reset", "cut"])
def test_a_connection_cut_after_the_body_was_sent_leaves_exactly_one_at_the_far_end(step):
    """The far end had it and could not say so: it is sent again, to the same id with the same bytes."""
    results, _, far = run(step, items=[item(n) for n in range(3)])
    store = {}
    for line, body in far.requests:
        assert store.setdefault(line, body) == body, "the same bytes each time"
    assert sorted(store) == [f"PUT /fhir/Observation/o-{n} HTTP/1.1" for n in range(3)]
    assert Counter(line for line, _ in far.requests).most_common(1)[0][1] == 2
    assert len(results) == 3


def test_a_clash_is_tried_once_more_and_then_final():
    results, _, far = run(otherwise=(answer(409, outcome("conflict")),))
    assert len(far.requests) == 2
    assert results["ID0"] == Failed(REFUSED, refused=True, final=True, answer="409", codes=("conflict",))


def test_an_ordered_link_waits_for_a_recipient_that_is_away_as_long_as_it_takes():
    results, _, far = run(otherwise=(answer(503),), settle_s=0.6)
    assert results == {"waiting": "delivery.unavailable"}
    assert len(far.requests) > LIMITS.attempts_max


@pytest.mark.parametrize("status", [401, 403])
def test_a_recipient_that_does_not_accept_us_costs_no_delivery(status):
    results, dropped, far = run(
        otherwise=(answer(status, outcome("security")),), items=[item(0), item(1)], settle_s=0.6
    )
    assert (results, dropped) == ({"waiting": "delivery.not-authorised"}, [])
    assert len(far.requests) > LIMITS.attempts_max


class Poison(FarEnd):
    """Takes everything but one sender's message."""

    def __init__(self, status):
        super().__init__()
        self.status = status

    async def _one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(int(head.split("Content-Length: ")[1].split("\r\n")[0]))
        self.requests.append((head.split("\r\n")[0], b""))
        writer.write(answer(self.status if "o-0 " in head else 201))
        return True


@pytest.mark.parametrize("status", [500, 403])
def test_a_message_that_only_itself_is_answered_so_does_not_hold_the_others_back(status):
    async def go():
        async with Poison(status) as far:
            wire = FhirWire(f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=None)
            results, dropped, sent = {}, [], 2
            lane = Lane(
                wire,
                LIMITS,
                lambda one, result: results.setdefault(one.row.id, result),
                dropped.extend,
                ordered=True,
            )
            task = asyncio.create_task(lane.run())
            lane.put(item(0, "poison"))
            lane.put(item(1, "poison"))
            async with asyncio.timeout(5.0):
                while "ID0" not in results:  # the others go on sending, as devices do
                    lane.put(item(sent, f"d{sent % 3}"))
                    sent += 1
                    await asyncio.sleep(0.002)
                while len(results) < sent - 1:
                    await asyncio.sleep(0.002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return results, [one.row.id for one in dropped]

    results, dropped = asyncio.run(go())
    assert isinstance(results["ID0"], Failed)
    assert results["ID0"].answer == str(status)
    assert dropped == ["ID1"]
    assert {type(result) for name, result in results.items() if name != "ID0"} == {Delivered}


def test_retry_after_is_honoured_and_bounded():
    for asked, least, most in (
        ("0", 0.0, 0.2),
        ("3600", 0.29, 1.0),
        ("9" * 40, 0.0, 0.2),
        ("soon", 0.0, 0.2),
    ):
        _, _, far = run([answer(429, Retry_After=asked)])
        pause_s = far.at_s[1] - far.at_s[0]
        assert least <= pause_s < most, asked


QUICK = sorted(TAKEN_IN_THE_END.keys() - {"silent", "half", "409", "412"})


@given(troubles=st.lists(st.sampled_from(QUICK), max_size=6), senders=st.integers(1, 3))
def test_under_any_trouble_each_is_at_the_far_end_once_and_in_order(troubles, senders):
    items = [item(n, f"d{n % senders}") for n in range(9)]
    patient = replace(LIMITS, attempts_max=99)
    script = [TAKEN_IN_THE_END[name] for name in troubles]
    results, dropped, far = run(*script, items=items, settle_s=10.0, limits=patient)
    assert dropped == []
    assert {type(result) for result in results.values()} == {Delivered}
    store = {}
    for line, body in far.requests:
        assert store.setdefault(line, body) == body
    assert len(store) == 9
    first = [int(line.split("o-")[1].split(" ")[0]) for line in store]
    for sender in range(senders):
        mine = [n for n in first if n % senders == sender]
        assert mine == sorted(mine)


# --- transactions

UNCLEAR_ANSWERS = {
    "empty": answer(200),
    "no content": answer(204),
    "not json": answer(200, b"<Bundle/>"),
    "another resource": answer(200, outcome("informational")),
    "a batch": answer(200, {**responses("201", "201"), "type": "batch-response"}),
    "too few": answer(200, responses("201")),
    "too many": answer(200, responses("201", "201", "201")),
    "entries that are none": answer(200, {**responses(), "entry": [1, None]}),
    "a status that is a number": answer(200, {**responses(), "entry": [{"response": {"status": 201}}] * 2}),
    "a status that is text": answer(200, responses("201", "fine")),
    "coded": answer(200, responses("201", "201"), Content_Encoding="gzip"),
    "huge": answer(200, b" " * 1_100_000 + json.dumps(responses("201", "201")).encode()),
    "deep": answer(200, b"[" * 100_000 + b"]" * 100_000),
}


@pytest.mark.parametrize("name", UNCLEAR_ANSWERS)
def test_a_transaction_is_delivered_only_when_each_entry_is_said_to_be(name):
    results, _, far = run(items=[item(0, body=TWO)], otherwise=(UNCLEAR_ANSWERS[name],))
    assert isinstance(results["ID0"], Failed)
    assert (results["ID0"].reason, results["ID0"].refused) == (UNCLEAR, True)
    assert len(far.requests) == LIMITS.attempts_max


@pytest.mark.parametrize(
    ("statuses", "reason", "tries"),
    [(("201", "422 Unprocessable"), REFUSED, 1), (("409", "201"), REFUSED, 2), (("302", "201"), REFUSED, 1)],
)
def test_an_entry_that_was_not_taken_is_the_answer_of_the_whole(statuses, reason, tries):
    results, _, far = run(items=[item(0, body=TWO)], otherwise=(answer(200, responses(*statuses)),))
    assert (results["ID0"].reason, len(far.requests)) == (reason, tries)


def test_a_transaction_that_was_accepted_for_later_is_delivered():
    results, _, _ = run([answer(202)], items=[item(0, body=TWO)])
    assert results["ID0"].answer == "202"


# --- receipts


def test_a_receipt_is_a_digest_and_holds_nothing_of_the_answer():
    results, _, _ = run(
        [answer(201, b"Jane", ETag='W/"Jane"', Location="https://h/fhir/Patient/97100000/_history/1")]
    )
    found = results["ID0"]
    assert found.answer == "201"
    assert len(found.receipt) == 64
    assert not any(word in repr(found) for word in ("Jane", "97100000", "W/"))


def test_a_huge_body_behind_a_clear_status_does_not_matter():
    results, _, _ = run([answer(201, b"x" * 3_000_000)], items=[item(0), item(1)])
    assert [r.answer for r in results.values()] == ["201", "201"]


# --- TLS


def authority(folder, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return key, subject, certificate(folder, name, key, subject, key, subject, ca=True)


def certificate(folder, name, key, subject, issuer_key, issuer, *, ca=False, host="localhost", days=2):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days)).add_extension(x509.BasicConstraints(ca, None), critical=True)
    )  # fmt: skip
    if not ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    made = builder.sign(issuer_key, hashes.SHA256())
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM))
    path.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def issue(tmp_path):
    """Gives a function that issues certificates of one authority, whose file is ``ca.pem``."""
    key, subject, _ = authority(tmp_path, "ca")

    def issue(name, **how):
        own = ec.generate_private_key(ec.SECP256R1())
        return certificate(
            tmp_path,
            name,
            own,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            key,
            subject,
            **how,
        )

    return issue


def server_context(cert, *, clients=None, most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, cert.with_suffix(".key"))
    if clients:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    if most:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = most
    return context


def over_tls(tls, ours, ca, *, settle_s=2.0):
    async def go():
        async with FarEnd(tls=tls) as far:
            context = client_context(
                str(ca), str(ours) if ours else "", str(ours.with_suffix(".key")) if ours else ""
            )
            wire = FhirWire(
                f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=context, server_name="localhost"
            )
            results, _ = await deliver(wire, [item(0), item(1)], settle_s=settle_s)
            return results, far

    return asyncio.run(go())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_two_that_know_each_other_talk_over_tls(issue, tmp_path, version):
    tls = server_context(issue("server"), clients=tmp_path / "ca.pem", most=version)
    results, far = over_tls(tls, issue("courier"), tmp_path / "ca.pem")
    assert [r.answer for r in results.values()] == ["201", "201"]
    assert far.connections == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("how", "trouble"),
    [
        ({"host": "elsewhere.example"}, "delivery.recipient-untrusted"),
        ({"days": -1}, "delivery.recipient-untrusted"),
        ({"most": ssl.TLSVersion.TLSv1_1}, "delivery.unreachable"),
    ],
    ids=["another name", "expired", "TLS 1.1"],
)
def test_nothing_is_sent_to_a_server_that_is_not_who_it_should_be(issue, tmp_path, how, trouble):
    most = how.pop("most", None)
    tls = server_context(issue("server", **how), most=most)
    results, far = over_tls(tls, issue("courier"), tmp_path / "ca.pem", settle_s=0.4)
    assert (results["waiting"], far.requests) == (trouble, [])


def test_nothing_is_sent_to_a_server_of_another_authority(issue, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    authority(other, "ca")
    results, far = over_tls(server_context(issue("server")), issue("courier"), other / "ca.pem", settle_s=0.4)
    assert (results["waiting"], far.requests) == ("delivery.recipient-untrusted", [])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_does_not_accept_our_certificate_says_so(issue, tmp_path, version):
    tls = server_context(issue("server"), clients=tmp_path / "ca.pem", most=version)
    context = client_context(str(tmp_path / "ca.pem"), "", "")
    with Alerting(tls) as port:
        wire = FhirWire(f"https://localhost:{port}/fhir", LIMITS, context=context)
        results, _ = asyncio.run(deliver(wire, [item(0)], settle_s=0.6))
    assert results == {"waiting": "delivery.not-authorised"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_over_mllp_it_is_told_the_same(issue, tmp_path, version):
    tls = server_context(issue("server"), clients=tmp_path / "ca.pem", most=version)
    context = client_context(str(tmp_path / "ca.pem"), "", "")
    with Alerting(tls) as port:
        wire = MllpWire("localhost", port, LIMITS, context=context)
        results, _ = asyncio.run(deliver(wire, [item(0, body=b"MSH|")], settle_s=0.6))
    assert results == {"waiting": "delivery.not-authorised"}


class Alerting:
    """A TLS server in a thread: unlike asyncio's it sends its alert before it closes."""

    def __init__(self, context):
        self.context, self.listener = context, socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self.listener.accept()
                tls = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
                with contextlib.suppress(OSError):
                    tls.do_handshake()
                # What is unread when it closes would make a reset of the alert.
                with socket.socket(fileno=tls.detach()) as rest, contextlib.suppress(OSError):
                    rest.settimeout(0.5)
                    while rest.recv(65_536):
                        pass


def test_each_rule_about_an_answer_is_what_makes_its_test_green(monkeypatch):
    """The guards off: a redirect would be tried again, a refusal's text kept, an entry's no overlooked."""
    monkeypatch.setattr(fhir, "issue_codes", lambda answer: (answer.body.decode(),))
    results, _, _ = run(FINAL["422"][0])
    assert "Jane Doe" in repr(results)
    monkeypatch.setattr(fhir, "transaction_status", lambda *_: 200)
    results, _, _ = run(items=[item(0, body=TWO)], otherwise=(answer(200, responses("201", "422")),))
    assert isinstance(results["ID0"], Delivered)
