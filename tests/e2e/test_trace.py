"""A message in, two recipients, one of FHIR: traced to both, and from what each got back to the message and its patient."""

import json

import pytest
from tests import forked
from tests.e2e.test_mentioned import REGISTRY
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

EHR, FHIR = "ehr", "fhir"
MRN = "70010001"


@pytest.fixture(scope="module")
def recipients(tmp_path_factory):
    found = {EHR: Recipient(), FHIR: FhirRecipient(tmp_path_factory.mktemp("outside"))}
    found[FHIR].whole = True
    yield found
    for one in found.values():
        one.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, recipients):
    site = Site.make(tmp_path_factory.mktemp("site") / "s")
    recipients[FHIR].trusted_by(site.folder)
    files = bundle({name: one.address for name, one in recipients.items()})
    files[f"recipients/{FHIR}.toml"] = recipients[FHIR].declared(FHIR)
    for before, after in REGISTRY:
        files[f"links/{FHIR}.toml"] = files[f"links/{FHIR}.toml"].replace(before, after)
    site.activate(files)
    site.add(local())
    site.start()
    with Client(site.port()) as client:
        for n in range(3):
            assert client.send(oru(f"CTL{n}", mrn=MRN, value=f"{n}.25")) == "AA"
    site.wait(lambda: site.rows("SELECT count(*) FROM outbox") == [(0,)])
    yield site
    site.stop()


def trace(site, *arguments):
    found = site.cli("trace", *arguments)
    assert MRN not in json.dumps(found)
    return found


def message_of(site, control_id):
    device = site.rows("SELECT device FROM message LIMIT 1")[0][0]
    return trace(site, "message", "--control-id", control_id, "--device", device, "--sender", SENDER)


SENDER = "|".join(oru("X", mrn=MRN).decode().split("|")[2:4])


def test_a_message_is_traced_to_each_recipient_and_back(site, recipients):
    found = message_of(site, "CTL1")
    (came,) = found["came"]
    assert {one["link"]: one["state"] for one in found["went"]} == {
        EHR: "delivered",
        FHIR: "delivered",
        "keep": "kept",
    }
    left = [one for one in found["went"] if one["outgoing"]]
    assert {one["recipient"] for one in left} == {EHR, FHIR}
    assert all(one["state_at"] for one in left)
    got = recipients[EHR].kept[recipients[EHR].values().index(b"1.25")]
    at_ehr = got.split(b"\r")[0].split(b"|")[9].decode()
    assert at_ehr in {one["outgoing"] for one in found["went"]}
    for outgoing in (one["outgoing"] for one in left):
        back = trace(site, "back", outgoing)
        assert back["came"] == [came]
        assert [one["outgoing"] for one in back["went"]] == [outgoing]
        assert back["before"] == 0


def test_an_id_of_a_resource_at_a_recipient_leads_back(site):
    found = message_of(site, "CTL2")
    (outgoing,) = (one["outgoing"] for one in found["went"] if one["link"] == FHIR)
    for said in (f"{outgoing.lower()}-1", f"{outgoing.lower()}-obx-1"):
        assert trace(site, "back", said)["came"] == found["came"]


def test_a_released_file_is_searched_for_ids(site, recipients, tmp_path):
    got = recipients[EHR].kept[recipients[EHR].values().index(b"0.25")]
    (tmp_path / "letter.hl7").write_bytes(got)
    back = trace(site, "back", "--file", str(tmp_path / "letter.hl7"))
    assert back["came"] == message_of(site, "CTL0")["came"]


def test_a_patient_is_traced_to_everything_that_left(site):
    (subject,) = message_of(site, "CTL0")["subjects"]
    found = trace(site, "subject", subject)
    assert len(found["went"]) == 9
    assert found["whole"]
    some = trace(site, "subject", subject, "--limit", "1")
    assert (len(some["went"]), some["whole"]) == (3, False)


def test_who_traced_what_is_on_record_before_it_is_told(site):
    before = len(site.records("trace.read"))
    found = message_of(site, "CTL1")
    outgoing = next(one["outgoing"] for one in found["went"] if one["outgoing"])
    trace(site, "back", outgoing)
    one, two = [record["body"] for record in site.records("trace.read")][before:]
    assert (one["of"], one["asked"], one["found"]) == ("message", [found["came"][0]["message"]], 3)
    assert (two["of"], two["asked"], two["found"]) == ("release", [outgoing], 1)
    assert one["by"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("back", "0123456789ABCDEF0123"), 1),
        (("back", "ABCDEFGHIJ234567"), 1),
        (("back", "JBXX0SYTKTWG8HPW"), None),
        (("message", "01a20122-0600-7704-bc29-000000000000"), None),
        (("message", "--control-id", "CTL9", "--device", "d", "--sender", "a|b"), None),
        (("message", "--control-id", "CTL1"), None),
        (("subject", "01a20122-0600-7704-bc29-000000000000"), None),
        (("back",), None),
    ],
)
def test_what_is_not_there_or_is_no_id_is_said(site, arguments, code):
    done = forked.run(["trace", *arguments, "--data", str(site.folder)])
    assert done.returncode == code if code is not None else done.returncode > 1
