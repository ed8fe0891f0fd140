"""The FHIR door: interactions, answers, versions, duplicates, over mutual TLS and from the wire to the database."""

import gzip
import json
import ssl
import subprocess
import time

import pytest
from tests.fhir_wire import Http, bundle_of, context, device, encoded, observation, request
from tests.site import Site, bundle
from tests.wire import Recipient

from oathward.protocols.fhir.check import check


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    recipient = Recipient()
    site = Site.make(tmp_path_factory.mktemp("fhir"), fhir="beside_bytes_min = 30000")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(device("mon-1"), device("mon-2"), device("mon-3", message_types=frozenset({"FHIR^Device"})))
    site.start()
    yield site
    site.stop()
    recipient.close()


@pytest.fixture
def client(site):
    with Http(site, "mon-1") as client:
        yield client


def place(answer):
    """Type, id and version of a Location."""
    kind, id_, history, version = answer.headers["location"].rsplit("/", 4)[1:]
    assert history == "_history"
    return kind, id_, version


def named(identifier, **more):
    return observation(identifier=[{"system": "urn:x", "value": identifier}], **more)


def rows(site, id_):
    return site.rows(f"SELECT type, device, state FROM message WHERE id = '{id_}'")


def test_a_create_is_stored_and_answered(site, client):
    answer = client.post("/fhir/Observation", observation())
    assert answer.status == 201, answer
    kind, id_, version = place(answer)
    assert (kind, version) == ("Observation", "1")
    assert answer.headers["location"].startswith(f"https://localhost:{site.port('fhir')}/fhir/Observation/")
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.body == b""
    assert rows(site, id_) == [("FHIR^Observation", "mon-1", "accepted")]
    [record] = [r for r in site.records("message.accepted") if r["body"]["type"] == "FHIR^Observation"][-1:]
    assert record["body"]["assurance"] == "certificate"


def test_every_answer_has_careful_headers_and_says_not_what_serves(client):
    for answer in (client.post("/fhir/Observation", observation()), client.ask("GET", "/nowhere")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" in answer.headers
        assert "date" in answer.headers
        assert "server" not in answer.headers


def test_the_same_bytes_again_are_answered_as_the_first_and_stored_once(site, client):
    body = observation(value=61.5)
    first, again = (client.post("/fhir/Observation", body) for _ in range(2))
    assert (first.status, again.status) == (201, 200)
    assert first.headers["location"] == again.headers["location"]
    assert site.status("gateway")


def test_the_same_identifier_with_other_bytes_is_a_new_message_and_a_finding(site, client):
    first = client.post("/fhir/Observation", named("n-1", value=60.0))
    other = client.post("/fhir/Observation", named("n-1", value=61.0))
    again = client.post("/fhir/Observation", named("n-1", value=60.0))
    assert [a.status for a in (first, other, again)] == [201, 201, 200]
    assert place(first) == place(again) != place(other)
    found = [r["body"]["finding"] for r in site.records("finding.raised")]
    assert "message.control-id-reused" in found


def test_a_conditional_create_is_done_once_whatever_the_bytes(site, client):
    only = {"If_None_Exist": "identifier=urn:x|n-2"}
    first = client.post("/fhir/Observation", named("n-2", value=60.0), **only)
    other = client.post("/fhir/Observation", named("n-2", value=61.0), **only)
    assert [first.status, other.status] == [201, 200]
    assert place(first) == place(other)
    with Http(site, "mon-2") as another:
        elsewhere = another.post("/fhir/Observation", named("n-2", value=60.0), **only)
        assert elsewhere.status == 201, "another sender's identifiers are its own"
    free = client.post(
        "/fhir/Observation", named("n-2", value=62.0), If_None_Exist="identifier=urn:x|n-2&a=b"
    )
    assert (free.status, free.reason) == (412, "message.condition-unsupported")


def test_a_conditional_create_of_another_patient_is_stored_and_a_finding(site, client):
    only = {"If_None_Exist": "identifier=urn%3Ax%7Cn-3"}
    first = client.post("/fhir/Observation", named("n-3", mrn="31313131"), **only)
    other = client.post("/fhir/Observation", named("n-3", mrn="32323232"), **only)
    again = client.post("/fhir/Observation", named("n-3", mrn="31313131"), **only)
    assert [a.status for a in (first, other, again)] == [201, 201, 200]
    assert place(first) == place(again) != place(other)
    [held] = [r["body"] for r in site.records("finding.raised")][-1:]
    assert held["finding"] == "message.control-id-reused"


def test_a_condition_that_the_resource_itself_does_not_meet_holds_nothing_back(client):
    """A search by it would never find what was stored: a hub with one condition for all would lose all but the first."""
    only = {"If_None_Exist": "identifier=urn:x|always"}
    answers = [client.post("/fhir/Observation", named(f"n-4-{n}", value=50.0 + n), **only) for n in range(3)]
    assert [a.status for a in answers] == [201, 201, 201]
    bare = [client.post("/fhir/Observation", observation(value=70.0 + n), **only) for n in (0, 1, 1)]
    assert [a.status for a in bare] == [201, 201, 200]


def test_an_update_has_versions_and_if_match_is_held_to(site, client):
    def put(value, **headers):
        return client.put("/fhir/Observation/o-1", observation(value=value, id="o-1"), **headers)

    first, same, second = put(60.0), put(60.0), put(61.0)
    assert [a.status for a in (first, same, second)] == [201, 200, 200]
    assert first.headers["etag"] == same.headers["etag"] != second.headers["etag"]
    assert place(second)[:2] == ("Observation", "o-1")
    stale = put(62.0, If_Match=first.headers["etag"])
    assert (stale.status, stale.reason) == (412, "message.version-mismatch")
    fresh = put(62.0, If_Match=second.headers["etag"].removeprefix("W/"))
    assert fresh.status == 200, "weak or not, it is the same version"
    retried = put(62.0, If_Match=second.headers["etag"].removeprefix("W/"))
    assert (retried.status, retried.headers["etag"]) == (200, fresh.headers["etag"])
    nothing = client.put("/fhir/Observation/o-9", observation(id="o-9"), If_Match='W/"1"')
    assert nothing.status == 412
    stored = site.rows("SELECT count(*) FROM message WHERE type = 'FHIR^Observation' AND state = 'accepted'")
    assert client.post("/fhir/Observation", observation(value=88.25)).status == 201
    assert site.rows(
        "SELECT count(*) FROM message WHERE type = 'FHIR^Observation' AND state = 'accepted'"
    ) == [(stored[0][0] + 1,)]


def test_what_the_address_says_must_be_what_the_body_says(client):
    for path, body in (
        ("/fhir/Observation/o-2", observation(id="o-3")),
        ("/fhir/Observation/o-2", observation()),
    ):
        answer = client.put(path, body)
        assert answer.status in {400, 422}, answer
    assert client.post("/fhir/Patient", observation()).status in {400, 422}


def test_a_transaction_is_one_message_and_answered_entry_by_entry(site, client):
    body = bundle_of(
        "transaction",
        ("POST", "Observation", observation(value=50.0)),
        ("PUT", "Observation/t-1", observation(value=51.0, id="t-1")),
    )
    answer = client.post("/fhir", body)
    assert answer.status == 200, answer
    assert answer.json["type"] == "transaction-response"
    first, second = (entry["response"] for entry in answer.json["entry"])
    assert first["status"] == "201 Created"
    id_ = first["location"].split("/")[-3]
    assert id_.endswith("-0")
    assert first["etag"] == 'W/"1"'
    assert second["location"].endswith("/Observation/t-1")
    assert rows(site, id_.rpartition("-")[0]) == [("FHIR^Bundle", "mon-1", "accepted")]
    bad = bundle_of(
        "transaction",
        ("POST", "Observation", observation(value=52.0)),
        ("POST", "Observation", {"resourceType": "Observation"}),
    )
    answer = client.post("/fhir", bad)
    assert answer.status == 422
    assert answer.json["resourceType"] == "OperationOutcome"
    assert answer.json["issue"][0]["expression"][0].startswith("Bundle.entry[1]")


def test_a_batch_is_answered_in_order_each_entry_by_itself(site, client):
    body = bundle_of(
        "batch",
        ("POST", "Observation", observation(value=40.0)),
        ("DELETE", "Observation/1", None),
        ("POST", "Observation", {"resourceType": "Observation", "status": "nonsense"}),
        ("POST", "Observation", observation(value=41.0, mrn="87654321")),
        ("PUT", "Observation/b-1", observation(value=42.0, id="b-1")),
    )
    del body["entry"][1]["resource"]
    answer = client.post("/fhir/", body, Prefer="return=OperationOutcome")
    assert answer.status == 200, answer
    assert answer.json["type"] == "batch-response"
    said = [entry["response"] for entry in answer.json["entry"]]
    assert [one["status"][:3] for one in said] == ["201", "501", "422", "201", "201"], said
    assert said[2]["outcome"]["issue"][0]["expression"][0].startswith("Bundle.entry[2].resource")
    assert said[0]["outcome"]["issue"][0]["severity"] == "information"
    assert said[4]["location"].endswith("/Observation/b-1")
    check(answer.json).refuse()
    ids = {one["location"].split("/")[-3].rpartition("-")[0] for one in (said[0], said[3])}
    subjects = {site.rows(f"SELECT subject FROM message WHERE id = '{id_}'")[0] for id_ in ids}
    assert len(subjects) == 2, "two patients, two messages"


def test_a_version_inside_a_bundle_is_refused_since_it_is_not_compared(site, client):
    body = bundle_of(
        "batch", ("PUT", "Observation/v-1", observation(id="v-1")), ("POST", "Observation", observation())
    )
    body["entry"][0]["request"]["ifMatch"] = 'W/"1"'
    answer = client.post("/fhir", body)
    first, second = (entry["response"] for entry in answer.json["entry"])
    assert (first["status"][:3], second["status"][:3]) == ("412", "201")
    assert first["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].request.ifMatch"]
    body["type"] = "transaction"
    answer = client.post("/fhir", body)
    assert (answer.status, answer.reason) == (412, "message.condition-unsupported")


def test_a_heavy_bundle_is_handled_beside_and_answered_the_same(site, client):
    before = site.status("gateway")["counts"].get("message.beside", 0)
    entries = [("POST", "Observation", observation(value=float(n), mrn=f"9{n % 3}")) for n in range(60)]
    answer = client.post("/fhir", bundle_of("batch", *entries))
    assert answer.status == 200
    assert [entry["response"]["status"] for entry in answer.json["entry"]] == ["201 Created"] * 60
    once = bundle_of(
        "transaction", *entries[:1] * 0, *[e for e in entries if e[2]["valueQuantity"]["value"] % 3 == 0]
    )
    answer = client.post("/fhir", once)
    assert len(answer.json["entry"]) == 20
    site.wait(lambda: site.status("gateway")["counts"].get("message.beside", 0) == before + 2)
    single = observation(note=[{"text": "breathing calmly " * 3_000}])
    first, again = (client.post("/fhir/Observation", single) for _ in range(2))
    assert [first.status, again.status] == [201, 200]
    assert place(first) == place(again)


def test_one_who_is_not_known_is_taken_and_waits(site):
    with Http(site, "mon-3") as client:
        answer = client.post("/fhir/Observation", observation(value=33.0))
        assert answer.status == 202, "entitled to Device alone; a person decides"
        assert rows(site, place(answer)[1]) == [("FHIR^Observation", "mon-3", "held")]


def test_pipelined_requests_are_answered_in_order(client):
    values = [float(n) for n in range(20)]
    sent = [request("POST", "/fhir/Observation", encoded(named(f"p-{v}", value=v))) for v in values]
    sent.insert(7, request("GET", "/fhir/metadata"))
    sent.insert(11, request("GET", "/fhir/Observation/1"))
    client.write(b"".join(sent))
    answers = [client.answer() for _ in sent]
    assert [a.status for a in answers] == [201] * 7 + [200] + [201] * 3 + [501] + [201] * 10
    ids = [place(a)[1] for a in answers if a.status == 201]
    again = [client.post("/fhir/Observation", named(f"p-{v}", value=v)) for v in values]
    assert [place(a)[1] for a in again] == ids, "each answer is that of its request"


def test_compressed_and_chunked_bodies_are_read(client):
    body = encoded(observation(value=71.5))
    packed = gzip.compress(body)
    first = client.ask("POST", "/fhir/Observation", packed, Content_Encoding="gzip")
    assert first.status == 201, first
    client.write(request("POST", "/fhir/Observation", b"", Content_Length=None, Transfer_Encoding="chunked"))
    for start in range(0, len(body), 10):
        piece = body[start : start + 10]
        client.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    client.write(b"0\r\n\r\n")
    again = client.answer()
    assert (again.status, place(again)) == (200, place(first)), "the same resource, however it travelled"


def test_a_sender_that_asks_first_is_told_to_go_on(client):
    body = encoded(observation(value=72.5))
    client.write(
        request("POST", "/fhir/Observation", b"", Content_Length=str(len(body)), Expect="100-continue")
    )
    assert client.answer().status == 100
    client.write(body)
    assert client.answer().status == 201


def test_a_connection_ends_when_its_client_says_so(client):
    answer = client.post("/fhir/Observation", observation(value=73.5), Connection="close")
    assert (answer.status, answer.headers["connection"]) == (201, "close")
    client.write(request("GET", "/fhir/metadata"))
    assert client.answer() is None


def test_metadata_says_what_there_is_to_everybody(site):
    with Http(site) as nobody:
        answer = nobody.ask("GET", "/fhir/metadata")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/fhir+json")
        check(answer.json).refuse()
        [rest] = answer.json["rest"]
        said = {code["code"] for kind in rest["resource"] for code in kind["interaction"]}
        assert said == {"create", "update"}
        assert [one["code"] for one in rest["interaction"]] == ["batch", "transaction"]
        head = nobody.ask("HEAD", "/fhir/metadata")
        assert (head.status, head.headers["content-length"]) == (200, answer.headers["content-length"])
        smart = nobody.ask("GET", "/.well-known/smart-configuration")
        assert smart.json["token_endpoint"] == f"https://localhost:{site.port('fhir')}/token"
        refused = nobody.post("/fhir/Observation", observation())
        assert (refused.status, refused.reason) == (401, "credentials.missing")
        assert refused.headers["www-authenticate"].startswith("Bearer")


def test_no_answer_and_no_log_holds_a_value(site, client):
    secret = "Featherstonehaugh"
    bodies = [
        {"resourceType": secret},
        observation(status=secret),
        observation(effectiveDateTime=secret),
        observation(valueQuantity={"value": secret}),
        observation(**{secret: 1}),
        observation(subject={"reference": f"{secret}/1"}),
        f'{{"{secret}":'.encode(),
    ]
    for body in bodies:
        answer = client.post("/fhir/Observation", body)
        assert answer.status in {400, 404, 422}, answer
        assert secret not in repr(answer.body) + repr(answer.headers)
    for path in (f"/fhir/{secret}", f"/fhir/Observation/{secret}%20x", f"/{secret}"):
        answer = client.put(path, observation(), If_Match='W/"1"')
        assert answer.status in {400, 404}
        assert secret not in repr(answer.body) + repr(answer.headers)
    site.wait(lambda: "trouble" in site.status("gateway"))
    assert secret.encode() not in site.log.read_bytes()
    assert secret not in json.dumps(site.records("message.quarantined"))


def test_a_revoked_device_is_cut_off_on_its_open_connection(site):
    site.add(device("mon-9"))
    with Http(site, "mon-9") as client:
        site.wait(lambda: client.post("/fhir/Observation", observation(value=1.5)).status in {200, 201})
        site.cli("device", "revoke", "mon-9", "--why", "stolen")
        began = time.monotonic()
        client.socket.settimeout(60)
        assert client.answer() is None
        assert time.monotonic() - began < 30
    site.wait(
        lambda: (
            "connection.certificate-revoked"
            in [r["body"]["reason"] for r in site.records("connection.refused")]
        )
    )


def test_a_client_that_trusts_another_ca_or_shows_one_is_refused(site, tmp_path):
    key, cert = tmp_path / "k.key", tmp_path / "c.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(cert),
               "-days", "30", "-subj", "/CN=mon-1", "-addext", "subjectAltName=URI:urn:oathward:device:mon-1"]  # fmt: skip
    subprocess.run(command, capture_output=True, check=True)
    shown = context(site)
    shown.load_cert_chain(cert, key)
    assert unheard(site, shown)


def unheard(site, shown):
    """Whether the door says nothing (TLS 1.3 tells a client of its certificate only at its first read)."""
    try:
        with Http(site, made=shown) as client:
            return client.ask("GET", "/fhir/metadata") is None
    except (ssl.SSLError, ConnectionError):
        return True


def test_the_ledger_verifies_behind_it(site):
    assert site.cli("ledger", "verify")["ok"]


WRONG = {"status": "Zyxthorpe", "bogus": 1, "valueQuantity": {"value": "x", "comparator": "~"}}
PLACES = ["status", "valueQuantity.value", "valueQuantity.comparator", "children()[6]", "effectivePeriod"]


def told(outcome):
    check(outcome).refuse()
    assert "Zyxthorpe" not in json.dumps(outcome)
    assert all(issue["diagnostics"].startswith("expected: ") for issue in outcome["issue"])
    return [issue["expression"][0] for issue in outcome["issue"]]


@pytest.mark.parametrize("size", [1, 40_000])
def test_all_that_is_wrong_is_told_at_once(client, size):
    """On the loop, and of what the process beside has taken."""
    period = {"start": "2026-05-05", "end": "2026-05-01"}
    bad = observation(effectivePeriod=period) | WRONG | {"note": [{"text": "calm " * (1 + size // 5)}]}
    del bad["effectiveDateTime"]
    alone = client.post("/fhir/Observation", bad)
    assert (alone.status, alone.reason) == (422, "message.code-not-allowed")
    expected = [f"Observation.{place}" for place in PLACES][: 5 if size == 1 else 4]
    assert told(alone.json) == expected, "what one mistake hides is looked for in a short one"
    entries = [
        ("POST", "Observation", observation(value=43.0 + size)),
        ("POST", "Observation", bad),
        ("POST", "Observation", {"resourceType": "Observation"}),
    ]
    inside = [f"Bundle.entry[1].resource.{place}" for place in PLACES][: len(expected)]
    missing = [f"Bundle.entry[2].resource.{name}" for name in ("status", "code")]
    whole = client.post("/fhir", bundle_of("transaction", *entries))
    assert whole.status == 422
    assert told(whole.json) == inside + missing
    batch = client.post("/fhir", bundle_of("batch", *entries)).json["entry"]
    assert batch[0]["response"]["status"] == "201 Created"
    assert told(batch[1]["response"]["outcome"]) == inside
    assert told(batch[2]["response"]["outcome"]) == missing


def test_of_very_many_mistakes_so_many_are_told(client):
    many = observation(component=[{"code": {"text": 1}, "valueBoolean": "x"} for _ in range(100)])
    assert len(client.post("/fhir/Observation", many).json["issue"]) == 20
