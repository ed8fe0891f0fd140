"""What a FHIR server is told of how a delivery was made: true, the same each time, and nothing of what left as it came."""

import json
from dataclasses import replace

import pytest
from fhir.resources.R4B import get_fhir_model_class
from tests.outbox import waiting
from tests.unit.policy.small import bundle

from oathward import __version__
from oathward.courier.provenance import header_of, origins_of
from oathward.messages.model import NOTICES

REGISTRY, EHR = "research-registry", "ehr"
ROW = waiting("0123456789ABCDEF0123", link=REGISTRY, created_us=1_700_000_000_000_000)


def with_link(name, **said):
    site = bundle()
    return replace(site, links={**site.links, name: replace(site.links[name], **said)})


def test_it_says_by_which_profile_in_which_project_of_which_delivery_and_when():
    found = header_of(origins_of(bundle())[REGISTRY], ROW)
    assert found.isascii()
    assert found.isprintable(), "it would break out of its line"
    said = json.loads(found)
    assert said["resourceType"] == "Provenance"
    assert "target" not in said, "the server knows what it wrote"
    assert said["policy"] == ["urn:oathward:profile:safe-harbor"]
    assert said["activity"]["coding"][0]["code"] == "pseudonymize"
    assert said["agent"][0]["who"] == {"display": f"Oathward {__version__}"}
    assert said["agent"][0]["onBehalfOf"]["identifier"]["value"] == "registry"
    assert said["entity"][0]["what"]["identifier"] == {"system": "urn:oathward:delivery", "value": ROW.id}
    assert said["recorded"] == "2023-11-14T22:13:20+00:00"
    assert header_of(origins_of(bundle())[REGISTRY], ROW) == found, "sent again it says the same"


def test_with_a_target_it_is_a_provenance_of_r4():
    said = json.loads(header_of(origins_of(bundle())[REGISTRY], ROW))
    get_fhir_model_class("Provenance").model_validate({**said, "target": [{"reference": "Observation/1"}]})


@pytest.mark.parametrize(
    "row", [ROW._replace(end_to_end=True), ROW._replace(sender=f"{NOTICES}x"), ROW._replace(link="gone")]
)
def test_of_an_envelope_a_notice_and_a_link_that_is_gone_nothing_is_said(row):
    assert header_of(origins_of(bundle()).get(row.link), row) == ""


def test_nothing_is_said_of_what_leaves_as_it_came_where_a_link_says_so_or_no_server_listens():
    site = bundle()
    server = {**site.recipients, EHR: replace(site.recipients[EHR], kind="fhir")}
    assert EHR not in origins_of(replace(site, recipients=server))
    assert REGISTRY not in origins_of(with_link(REGISTRY, provenance=False))
    for kind in ("file", "mllps"):
        other = {**site.recipients, REGISTRY: replace(site.recipients[REGISTRY], kind=kind)}
        assert REGISTRY not in origins_of(replace(site, recipients=other))


def test_where_nothing_is_keyed_it_is_no_pseudonymisation_and_names_no_project():
    site = with_link(REGISTRY, classes=frozenset({"observation.value", "structure"}))
    said = json.loads(header_of(origins_of(site)[REGISTRY], ROW))
    assert said["activity"]["coding"][0]["code"] == "deidentify"
    assert "onBehalfOf" not in said["agent"][0]
