"""What leaves of a folder says how it was made: in bundles, in lines, beside single resources; nobody is named in it, and a job that goes on says the same."""

import json

import pytest
from tests import forked
from tests.conformance.test_fhir_provenance import OBSERVATION, judged, told_apart
from tests.e2e.test_deid import FHIR, HL7, SECRETS, deid, everything
from tests.site import Site
from tests.stopped import not_ended

from oathward.deidentifying.provenance import BESIDE


@pytest.fixture
def site(tmp_path):
    return Site.make(tmp_path / "data", more='[patients.authorities]\nHOSP = ["urn:oid:1.2.3.4"]')


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    patient = FHIR["entry"][0]["resource"] | {"id": "p1"}
    (root / "bundle.json").write_text(json.dumps(FHIR))
    (root / "lines.ndjson").write_text(json.dumps(patient) + "\n" + json.dumps(OBSERVATION) + "\n")
    (root / "single.json").write_text(json.dumps(patient))
    (root / "message.hl7").write_text(HL7.format(n=1, id="77310042"))
    return root


def outputs(out):
    return {
        path.stem: path.read_bytes() for path in sorted(out.rglob("*json")) if "oathward" not in path.name
    }


def test_each_file_has_its_provenance_inside_or_beside(site, folder, tmp_path):
    out = tmp_path / "out"
    code, told = deid(site, folder, out)
    assert (code, told["written"]) == (0, 4)
    beside = {}
    for line in (out / BESIDE).read_bytes().splitlines():
        one = json.loads(line)
        judged(one)
        beside[one["entity"][0]["what"]["identifier"]["value"]] = one
    inside = 0
    for name, data in outputs(out).items():
        ours, others = told_apart(data)
        assert bool(ours) != (name in beside)
        inside += bool(ours)
        for one in ours or [beside[name]]:
            assert one["entity"][0]["what"]["identifier"]["value"] == name
            assert one["recorded"] == told["begun"]
            assert {target["reference"] for target in one["target"]} == {
                f"{other['resourceType']}/{other['id']}" for other in others
            }
    assert (inside, len(beside)) == (2, 1)
    assert not [secret for secret in SECRETS if secret.encode() in everything(out)]
    assert str(site.folder).encode() not in everything(out).lower()


def test_a_job_that_goes_on_says_the_same(site, folder, tmp_path):
    out = tmp_path / "out"
    deid(site, folder, out)
    before = outputs(out), (out / BESIDE).read_bytes()
    [job] = (site.folder / "deid").iterdir()
    not_ended(job, 1)  # it was stopped before its first chunk was noted
    assert deid(site, folder, out)[0] == 0
    assert (outputs(out), (out / BESIDE).read_bytes()) == before


def test_what_stands_beside_is_searched_too(site, folder, tmp_path):
    """A project that is called as a patient is: nothing of a single resource says so, what stands beside does."""
    for name in ("bundle.json", "lines.ndjson", "message.hl7"):
        (folder / name).unlink()
    out = tmp_path / "out"
    named = ["--profile", "limited-data-set", "--project", "zoraida quixley"]
    done = forked.run(["deid", str(folder), "--out", str(out), *named, "--data", str(site.folder), "--json"])
    told = json.loads(done.stdout)
    assert (done.returncode, told["written"]) == (1, 1)
    assert told["residue"]["taken_back"] == {"patient.name": 1}
    assert not (out / BESIDE).exists()
