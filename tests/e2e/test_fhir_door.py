"""The FHIR door: interactions, answers, versions, duplicates, over mutual TLS and from the wire to the recipient."""

import json

import pytest
from tests.fhir_wire import Http, bundle_of, device, observation, request
from tests.site import Site, bundle
from tests.wire import Recipient


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    recipient = Recipient()
    site = Site.make(tmp_path_factory.mktemp("fhir"), fhir="")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(device("mon-1"), device("mon-2"), device("mon-3"))
    site.start()
    yield site
    site.stop()
    recipient.close()


def test_one_observation_over_mutual_tls_is_stored_and_answered(site):
    with Http(site, "mon-1") as client:
        answer = client.post("/fhir/Observation", observation())
        assert answer.status == 201, answer
        kind, id_, history, version = answer.headers["location"].rsplit("/", 4)[1:]
        assert (kind, history, version) == ("Observation", "_history", "1")
        assert answer.headers["etag"] == 'W/"1"'
        assert answer.body == b""
    assert site.rows(f"SELECT type, device FROM message WHERE id = '{id_}'") == [
        ("FHIR^Observation", "mon-1")
    ]
