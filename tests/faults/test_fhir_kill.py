"""A gateway that dies with a request in hand: what was answered is there, what was not can be sent again, once."""

import time

import pytest
from tests.fhir_wire import Http, bundle_of, context, device, observation
from tests.site import Site, bundle

STORED = "SELECT count(*) FROM message"


def asked(site, made, path, body, **headers):
    """Ask, again where the door closed or is not there yet; gives the answer and how often it was asked."""
    for times in range(1, 300):
        try:
            with Http(site, made=made) as client:
                answer = client.post(path, body, **headers)
        except (OSError, KeyError):
            answer = None
        if answer is not None:
            return answer, times
        time.sleep(0.1)
    raise AssertionError("never answered")


@pytest.mark.turns(3, "place")  # the first and the last; test_kill.py dies at each over HL7 v2
@pytest.mark.parametrize(
    "place", ["gateway.bodies-flushed", "gateway.before-append", "gateway.before-commit", "gateway.committed"]
)
def test_a_request_whose_gateway_dies_is_stored_once_when_it_is_sent_again(tmp_path, place):
    site = Site.make(tmp_path / "s", fhir="")
    site.activate(bundle({}))
    site.add(device("mon-1"))
    made = context(site, "mon-1")
    site.start(executed=True, OATHWARD_KILL_AT=place, OATHWARD_KILL_MARK=str(tmp_path / "died"))
    try:
        named = observation(identifier=[{"system": "urn:x", "value": "k-1"}])
        answer, times = asked(site, made, "/fhir/Observation", named)
        assert (tmp_path / "died").exists()
        assert times > 1, "the one whose gateway died was not answered"
        assert answer.status == (200 if place == "gateway.committed" else 201)
        assert site.rows(STORED) == [(1,)]
        again, _ = asked(site, made, "/fhir/Observation", named)
        assert again.headers["location"] == answer.headers["location"]
        body = bundle_of("transaction", ("POST", "Observation", observation(value=1.5)))
        assert asked(site, made, "/fhir", body)[0].status == 200
        assert site.rows(STORED) == [(2,)]
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()


def test_a_process_beside_that_dies_with_a_request_leaves_it_to_the_sender(tmp_path):
    site = Site.make(tmp_path / "s", fhir="beside_bytes_min = 1000")
    site.activate(bundle({}))
    site.add(device("mon-1"))
    made = context(site, "mon-1")
    site.start(executed=True, OATHWARD_KILL_AT="beside.frame", OATHWARD_KILL_MARK=str(tmp_path / "died"))
    try:
        heavy = observation(note=[{"text": "breathing calmly " * 500}])
        with Http(site, made=made, timeout_s=60) as client:
            answer = client.post("/fhir/Observation", heavy)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert answer.headers["connection"] == "close"
        assert site.rows(STORED) == [(0,)]
        with Http(site, made=made, timeout_s=60) as client:
            assert client.post("/fhir/Observation", heavy).status == 201, "the next process takes it"
        assert site.rows(STORED) == [(1,)]
    finally:
        site.stop()
