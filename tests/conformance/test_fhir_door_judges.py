"""Independent HTTP clients as judges of the FHIR door: curl, and httpx2 (its own HTTP reader and TLS)."""

import json
import shutil
import subprocess

import httpx2
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from tests.fhir_wire import certificate, context, device, observation
from tests.site import Site, bundle


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("judges"), fhir="")
    site.activate(bundle({}))
    site.add(device("mon-1"))
    site.start()
    yield site
    site.stop()


def curl(site, *arguments, data=b""):
    """Run curl with the device's certificate; gives status and body."""
    cert, key = certificate(site, "mon-1")
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "--cacert", str(site.folder / "trust" / "device-ca.pem"),
         "--cert", str(cert), "--key", str(key), "-w", "\n%{http_code} %{http_version}", *arguments],
        input=data, capture_output=True, check=True,
    )  # fmt: skip
    body, _, said = done.stdout.rpartition(b"\n")
    status, version = said.decode().split(" ")
    assert version == "1.1"
    return int(status), body


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
JSON = ("-H", "Content-Type: application/fhir+json", "--data-binary", "@-")


@needs_curl
def test_curl_creates_and_reads_what_there_is(site):
    base = f"https://localhost:{site.port('fhir')}/fhir"
    body = json.dumps(observation(value=61.25)).encode()
    status, _ = curl(site, *JSON, f"{base}/Observation", data=body)
    assert status == 201
    status, said = curl(site, f"{base}/metadata")
    assert (status, json.loads(said)["resourceType"]) == (200, "CapabilityStatement")
    assert CapabilityStatement.model_validate_json(said).fhirVersion == "4.0.1"
    status, _ = curl(site, "-I", f"{base}/metadata")
    assert status == 200
    status, said = curl(site, f"{base}/Observation/1")
    assert status == 501
    assert OperationOutcome.model_validate_json(said).issue[0].code == "not-supported"


@needs_curl
def test_curl_sends_large_bodies_after_asking_and_in_chunks(site):
    """Above a megabyte curl sends ``Expect: 100-continue`` by itself, and waits a second where nobody answers."""
    base = f"https://localhost:{site.port('fhir')}/fhir"
    notes = [{"text": "breathing calmly " * 30_000}]
    body = json.dumps(observation(note=notes * 3)).encode()
    assert len(body) > 1_100_000
    status, said = curl(site, "--expect100-timeout", "50", *JSON, f"{base}/Observation", data=body)
    assert status == 201, said[:300]
    status, said = curl(site, "-H", "Transfer-Encoding: chunked", *JSON, f"{base}/Observation", data=body)
    assert status == 200, "the same again"
    status, said = curl(site, *JSON, f"{base}/Observation", data=body * 4)
    assert status == 413
    assert json.loads(said)["issue"][0]["details"]["coding"][0]["code"] == "http.body-too-large"


@needs_curl
def test_curl_without_a_certificate_is_told_what_is_missing(site):
    base = f"https://localhost:{site.port('fhir')}/fhir"
    done = subprocess.run(
        ["curl", "-sS", "--cacert", str(site.folder / "trust" / "device-ca.pem"), "-d", "{}",
         "-H", "Content-Type: application/fhir+json", "-D", "-", f"{base}/Observation"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(b"HTTP/1.1 401 Unauthorized")
    assert b"WWW-Authenticate: Bearer" in done.stdout


@needs_curl
def test_curl_finds_no_older_tls(site):
    done = subprocess.run(
        ["curl", "-sS", "--tls-max", "1.1", "--cacert", str(site.folder / "trust" / "device-ca.pem"),
         f"https://localhost:{site.port('fhir')}/fhir/metadata"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 35, done.stderr


def test_httpx2_creates_updates_and_sends_bundles_on_one_connection(site):
    base = f"https://localhost:{site.port('fhir')}/fhir"
    with httpx2.Client(verify=context(site, "mon-1"), timeout=60, trust_env=False) as client:
        headers = {"Content-Type": "application/fhir+json"}
        first = client.post(f"{base}/Observation", json=observation(value=62.25), headers=headers)
        assert first.status_code == 201
        assert first.headers["location"].startswith(f"{base}/Observation/")
        put = client.put(f"{base}/Observation/x-1", json=observation(id="x-1"), headers=headers)
        assert put.status_code == 201
        stale = client.put(
            f"{base}/Observation/x-1",
            json=observation(id="x-1", value=1.5),
            headers=headers | {"If-Match": 'W/"other"'},
        )
        assert stale.status_code == 412
        entry = {"resource": observation(value=63.25), "request": {"method": "POST", "url": "Observation"}}
        whole = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        done = client.post(base, json=whole, headers=headers)
        assert [e.response.status for e in Bundle.model_validate_json(done.content).entry] == ["201 Created"]
        chunked = client.post(
            f"{base}/Observation", content=iter([b'{"resourceType":', b'"Nothing"}']), headers=headers
        )
        assert chunked.status_code == 404
        assert chunked.json()["resourceType"] == "OperationOutcome"
        assert client.get(f"{base}/Observation", params={"code": "8867-4"}).status_code == 501
        assert client.delete(f"{base}/Observation/x-1").status_code == 501
        assert client.request("PATCH", f"{base}/Observation/x-1").status_code == 501
