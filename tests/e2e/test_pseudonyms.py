"""What a merge does to pseudonyms, seen at the recipients of two projects: one that keeps numbers apart, one that does not."""

import pytest
from tests.care import adt
from tests.e2e.test_mentioned import REGISTRY, held
from tests.fhir_recipient import FhirRecipient
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

APART, TOGETHER, FHIR = "apart", "together", "fhir"
TWO = ("70010001", "70010002")


@pytest.fixture
def recipients(tmp_path):
    found = {APART: Recipient(), TOGETHER: Recipient(), FHIR: FhirRecipient(tmp_path / "outside")}
    found[FHIR].whole = True
    yield found
    for one in found.values():
        one.close()


@pytest.fixture
def site(tmp_path, recipients):
    site = Site.make(tmp_path / "s")
    recipients[FHIR].trusted_by(site.folder)
    files = bundle({name: one.address for name, one in recipients.items()})
    files[f"recipients/{FHIR}.toml"] = recipients[FHIR].declared(FHIR)
    for name in recipients:
        link = files[f"links/{name}.toml"]
        for before, after in REGISTRY:
            link = link.replace(before, after)
        files[f"links/{name}.toml"] = link
    files[f"links/{TOGETHER}.toml"] = files[f"links/{TOGETHER}.toml"].replace(b'"registry"', b'"joint"')
    files["projects.toml"] += b'[joint]\nmerges = "together"\n'
    site.activate(files)
    site.add(local(authoritative_adt=True))
    site.start()
    yield site
    site.stop()


class Watching:
    """Sends measurements and reads by which pseudonym each recipient was told of them."""

    def __init__(self, site, recipients):
        self.site, self.recipients, self.sent = site, recipients, 0

    def send(self, raw):
        with Client(self.site.port()) as client:
            assert client.send(raw) == "AA"
        self.site.wait(lambda: self.site.rows("SELECT count(*) FROM outbox") == [(0,)])

    def names(self):
        """Measure each number once; give what each project calls them."""
        found = {name: [] for name in self.recipients}
        for mrn in TWO:
            self.sent += 1
            value = f"{self.sent}.25"
            self.send(oru(f"N{self.sent}", mrn=mrn, value=value))
            for name in (APART, TOGETHER):
                found[name].append(self.of_hl7(self.recipients[name], value.encode()))
            found[FHIR].append(self.of_fhir(value))
        return found

    def of_hl7(self, recipient, value):
        self.site.wait(lambda: value in recipient.values())
        body = recipient.kept[recipient.values().index(value)]
        return next(line for line in body.split(b"\r") if line.startswith(b"PID|")).split(b"|")[3].decode()

    def of_fhir(self, value):
        seen = held(self.recipients[FHIR], "Observation").values()
        (one,) = [one for one in seen if one.get("valueQuantity", {}).get("value") == value]
        return one["subject"]["reference"].partition("/")[2]


def test_a_merge_and_its_undoing_as_the_projects_recipients_see_them(site, recipients):
    watching = Watching(site, recipients)
    before = watching.names()
    assert all(len(set(names)) == 2 for names in before.values())
    assert before[APART] != before[TOGETHER], "projects have pseudonyms of their own"
    assert [name.lower() for name in before[FHIR]] == [
        name.partition("^")[0].lower() for name in before[APART]
    ]
    watching.send(adt("A40", said="20260504090000", mrn=TWO[0], mrg=TWO[1]).replace(b"|ADT1|", b"|MON1|"))
    [merge] = site.cli("patient", "merge-edges", "--kind", "merged")["edges"]

    def ask():
        names = watching.names()
        return names if names[TOGETHER] == [before[TOGETHER][0]] * 2 else None

    after = site.wait(ask)
    assert after[APART] == before[APART], "what existed before stays"
    assert after[FHIR] == before[FHIR], "on either wire"
    site.cli("patient", "unmerge", merge["id"], "--why", "mistaken")
    again = {}

    def undone():
        again.update(watching.names())
        assert again[APART] == before[APART]
        return again[TOGETHER] == before[TOGETHER]

    site.wait(undone)
    assert again == before
    assert site.cli("ledger", "verify")["ok"]
