"""One decision for every wire: the same story as HL7 v2 and as FHIR; and each difference is found."""

import json
from dataclasses import replace

import pytest
from tests.unit.policy import small

from oathward.gateway import selftest, twins
from oathward.gateway.sample import sample
from oathward.gateway.wires import FHIR, HL7V2
from oathward.policy.bundle import Bundle, load


def bundle_for_both() -> Bundle:
    """The starter bundle with every link open to both wires, and a rule of each kind that labels."""
    files = small.files()
    for path, data in files.items():
        if path.startswith("links/"):
            files[path] = data.replace(b'message_types = ["ORU^R01"]', b'message_types = ["*"]')
    files["labels.toml"] += (
        b'\n[[rules]]\nid = "by-sender"\nsender = ["HIV*"]\nconfidentiality = "R"\nsensitivity = ["HIV"]\n'
    )
    files["recipients/ehr.toml"] = files["recipients/ehr.toml"].replace(
        b"mllps://ehr.example:2576", b"https://ehr.example/fhir"
    )
    return load(files)


@pytest.fixture(scope="module")
def bundle():
    return bundle_for_both()


def test_both_wires_get_one_decision_on_every_link(bundle):
    report = selftest.run(bundle)
    assert report.differences == ()
    assert report.skipped == {
        "home-care": "it does not take ORU^R01",
        "vendor-cloud": "its recipient speaks HL7 v2: FHIR is not written as HL7 v2",
    }
    assert report.cases == 3 * 5 * 11
    assert report.permitted > 60
    assert report.shaped > 40


def test_a_wire_that_reads_less_is_found(bundle, monkeypatch):
    """Reverse: where FHIR's codes are not read, rules and consents by code speak on one wire alone."""
    monkeypatch.setattr(type(FHIR), "codes", lambda *_: frozenset())
    found = selftest.run(bundle).differences
    assert {one.case.partition(", ")[2] for one in found} >= {"permitted but for this code"}


def test_a_wire_that_labels_otherwise_is_found(bundle, monkeypatch):
    real = type(HL7V2).labelled
    monkeypatch.setattr(
        type(HL7V2),
        "labelled",
        lambda *args: (real(*args)[0], "", *real(*args)[2:]),
    )
    assert any(one.case.startswith("label psychiatric-ward") for one in selftest.run(bundle).differences)


def test_another_name_for_the_patient_is_found(bundle, monkeypatch):
    """Reverse: what leaves is compared too."""
    real = twins.as_fhir
    monkeypatch.setattr(
        "oathward.gateway.sample.as_fhir", lambda story: real(replace(story, identifier="7009999999"))
    )
    found = selftest.run(bundle).differences
    assert {one.what for one in found} == {"patient in what leaves"}


def test_a_link_of_one_wire_says_so(bundle):
    link = bundle.links["ehr"]
    narrowed = replace(link, sources=replace(link.sources, message_types=frozenset({"FHIR^*"})))
    report = selftest.run(replace(bundle, links={"ehr": narrowed}))
    assert report.skipped == {"ehr": "it does not take ORU^R01"}
    assert report.cases == 0


def test_a_patient_and_a_unit_have_one_id_at_a_recipient_of_fhir(bundle):
    """Whichever wire told of them, a recipient does not get them twice."""
    names = []
    for wire in (HL7V2, FHIR):
        entries = json.loads(sample(bundle, bundle.links["ehr"], wire).document)["entry"]
        urls = {one["request"]["url"] for one in entries}
        names.append({url for url in urls if url.startswith(("Patient/", "Device/"))})
    assert names[0] == names[1]
    assert len(names[0]) == 2
