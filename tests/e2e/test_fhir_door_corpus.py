"""Real FHIR through the running door: each resource is taken or refused with a reason code, and nothing meets a bug."""

import json
from collections import Counter

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.fhir_wire import Http, device
from tests.site import Site, bundle

FHIR = CORPUS / "fhir"


def resources():
    """Name, path below the base, body: as a sender would ask for what the file holds."""
    for path in sorted(FHIR.rglob("*.json")):
        yield path.name, *asked(path.read_bytes())
    for path in sorted(FHIR.rglob("*.ndjson")):
        for number, line in enumerate(path.read_bytes().splitlines()):
            yield f"{path.name}:{number}", *asked(line)


def asked(body):
    try:
        resource = json.loads(body)
        kind, id_ = resource["resourceType"], resource.get("id")
    except (ValueError, KeyError, TypeError):
        return "POST", "/fhir/Observation", body
    if kind == "Bundle":
        return "POST", "/fhir", body
    return ("PUT", f"/fhir/{kind}/{id_}", body) if id_ else ("POST", f"/fhir/{kind}", body)


@needs_corpus
@pytest.mark.long  # tests/conformance reads the same files each time, test_fhir_door.py asks the same door
@pytest.mark.timeout(300)
def test_the_whole_corpus_goes_through_the_fhir_door(tmp_path):
    site = Site.make(tmp_path / "s", fhir="")
    site.activate(bundle({}))
    site.add(device("feed", kind="adt", authoritative_adt=True))
    site.start()
    try:
        pid = site.status("gateway")["pid"]
        said: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        with Http(site, "feed", timeout_s=120) as client:
            for name, method, path, body in resources():
                answer = client.ask(method, path, body)
                assert answer is not None, f"{name}: closed without an answer"
                said[str(answer.status)] += 1
                if answer.status >= 400:
                    assert answer.json["resourceType"] == "OperationOutcome", name
                    assert answer.status < 500 or answer.status == 501, f"{name}: {answer}"
                    refused[answer.reason] += 1
                elif answer.body:
                    entries = [entry["response"] for entry in answer.json["entry"]]
                    sent = json.loads(body)["entry"]
                    assert len(entries) == len(sent), name
                    refused.update(code(e) for e in entries if e["status"][0] != "2")
            for path in FHIR.rglob("*.xml"):
                answer = client.ask(
                    "POST", "/fhir/Observation", path.read_bytes(), Content_Type="application/fhir+xml"
                )
                assert (answer.status, answer.reason) == (415, "http.media-type"), path.name
        print("answered", dict(said), "refused", dict(refused))
        assert said["200"] + said["201"] > 200
        held = dict(site.rows("SELECT reason, count(*) FROM quarantine GROUP BY reason"))
        print("held", held)
        assert "internal" not in {*held, *refused}
        assert held == dict(refused), "what was refused lies sealed in quarantine, for the same reason"
        sealed = site.rows("SELECT count(*) FROM kept_body WHERE purpose = 'quarantine'")
        assert sealed == [(sum(held.values()),)]
        assert site.status("gateway")["pid"] == pid
        assert site.status("gateway")["trouble"] == ""
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()


def code(response):
    return response["outcome"]["issue"][0]["details"]["coding"][0]["code"]
