"""Promises about merges, through the path: denials combine at once, projects keep pseudonyms, and odd merges name who said them."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from tests.care import adt
from tests.gate import gate_of, opener_of
from tests.site import ALLOW, Site, bundle, local

from oathward.cli.main import run
from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.gateway import merges
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.patients import actions as patients
from oathward.patients import views
from oathward.policy import starter

HERE = Peer("127.0.0.1", None, ())
LINK = "research-registry"
RESEARCH = (
    starter.files({}, {})[f"links/{LINK}.toml"]
    .replace(b'min_assurance = "vouched"', b'min_assurance = "address"')
    .replace(b'min_protection = "mtls+e2e"', b'min_protection = "none"')
    .replace(b'recipient = "research-registry"', b'recipient = "ehr"')
    .replace(b'format = "fhir" # whatever came in\n', b"")
    .replace(b'"ORU^R01", "FHIR^Observation", "FHIR^Bundle"', b'"ORU^R01"')
)
LABELS = b'default = "N"\n[[rules]]\nid = "vip"\nlocation = ["VIP*"]\nconfidentiality = "N"\nsensitivity = ["CEL"]\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"), more="[patients]\nmerges_max = 3\nmerges_minutes = 60.0\n")
    files = bundle(
        {"ehr": "mllp://127.0.0.1:9"}, extra={f"links/{LINK}.toml": RESEARCH, "labels.toml": LABELS}
    )
    files["policies/links.cedar"] += ALLOW.format(id=LINK).encode()
    site.activate(files)
    site.add(
        local("adt-1", "ADT1", kind="registration", authoritative_adt=True),
        local("adt-2", "ADT2", kind="registration", authoritative_adt=True),
        local("mon-1", "MON1"),
    )
    with gate_of(site) as gate:
        yield site, gate, opener_of(site)


@pytest.fixture
def two():
    """Numbers of two patients of the test's own."""
    return [f"7{uuid7().replace('-', '')[-9:]}" for _ in range(2)]


def take(gate, raw):
    prepared = handle(gate, Arrival(uuid7(), raw, HERE, gate.now_us(), HL7V2))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared


def measure(gate, mrn):
    text = (
        f"MSH|^~\\&|MON1|HOSP|OATHWARD|SITE|20260504081500||ORU^R01^ORU_R01|{uuid7()[-12:]}|P|2.6\r"
        f"PID|1||{mrn}^^^HOSP^MR||Zebulonova^Quixotella||19310203|F\r"
        "OBR|1|||182777000^monitoring^SCT|||20260504081500\r"
        f"OBX|1|NM|8867-4^Heart rate^LN||72|{{beat}}/min^beats^UCUM|||||F\r"
    )
    return take(gate, text.encode())


def links(prepared):
    return {one.sealed.link for one in prepared.outgoing}


def pseudonym(opener, prepared):
    (data,) = [opener.open(o.sealed.data).data.reveal() for o in prepared.outgoing if o.sealed.link == LINK]
    return next(line for line in bytes(data).split(b"\r") if line.startswith(b"PID")).split(b"|")[3]


def say(monkeypatch, site, gate, word, mrn):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(f"{mrn}^^^HOSP^MR\n".encode())))
    words = [f"--{word}", "--purpose", "HRESCH", "--recipient", "*", "--class", "*"]
    words += ["--identifier-file", "-", "--data", str(site.folder)]
    assert run(["consent", "record", *words]) == 0
    gate.refresh()


def findings(gate, prepared):
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            f"SELECT body FROM ledger_record WHERE message = '{prepared.message.id}' AND kind = 'finding.raised'"
        )
        bodies = [json.loads(body)["body"] for (body,) in rows]
    return [one for one in bodies if one["finding"].startswith("patient.merge-")]


def merge(gate, into, gone, **more):
    return take(gate, adt("A40", said="20260504090000", mrn=into, mrg=gone, **more))


def test_what_one_number_denied_is_denied_under_both_from_the_merge_on(world, two, monkeypatch):
    site, gate, _ = world
    for mrn in two:
        take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
        say(monkeypatch, site, gate, "permit", mrn)
    say(monkeypatch, site, gate, "deny", two[1])
    assert LINK in links(measure(gate, two[0])), "they were two"
    merge(gate, two[0], two[1])
    assert links(measure(gate, two[0])) == {"ehr"}
    assert links(measure(gate, two[1])) == {"ehr"}


def test_a_project_calls_each_subject_what_it_called_it(world, two, monkeypatch):
    site, gate, opener = world
    for mrn in two:
        take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
        say(monkeypatch, site, gate, "permit", mrn)
    before = [pseudonym(opener, measure(gate, mrn)) for mrn in two]
    assert before[0] != before[1]
    merged = merge(gate, *two)
    assert pseudonym(opener, measure(gate, two[0])) == before[0]
    assert pseudonym(opener, measure(gate, two[1])) == before[0], "one patient has one"
    with read(gate.engine) as db:
        edge = views.edges(db, gate.site, subject=merged.message.subject, kind="merged")[0]
    with write(gate.engine) as db:
        patients.unmerge(db, gate.site, edge.id, by="test", reason="mistaken", now_us=gate.now_us())
    gate.refresh()
    assert [pseudonym(opener, measure(gate, mrn)) for mrn in two] == before


def test_who_is_no_authority_merges_nobody(world, two):
    _, gate, _ = world
    for mrn in two:
        take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
    merge_ = adt("A40", said="20260504090000", mrn=two[0], mrg=two[1]).replace(b"|ADT1|", b"|MON1|")
    take(gate, merge_)
    assert measure(gate, two[0]).message.subject != measure(gate, two[1]).message.subject


def test_a_merge_of_somebody_labelled_is_done_and_names_its_source(world, two, monkeypatch):
    _, gate, _ = world
    raw = adt("A40", said="20260504090000", mrn=two[0], mrg=two[1]).replace(b"|ADT1|", b"|ADT2|")
    raw += b"PV1|1|I|VIP^1^A^HOSP\r"
    found = take(gate, raw)
    assert findings(gate, found) == [{"finding": merges.FINDING, "source": "adt-2"}]
    assert measure(gate, two[0]).message.subject == measure(gate, two[1]).message.subject
    monkeypatch.setattr(merges, "CELEBRITY", "HIV")
    other = raw.replace(two[1].encode(), uuid7().replace("-", "")[-9:].encode())
    assert findings(gate, take(gate, other.replace(b"20260504090000", b"20260504090001"))) == [], "reverse"


def test_many_merges_of_one_source_are_done_and_name_it(world, two):
    _, gate, _ = world
    found = []
    for number in range(5):
        raw = adt("A40", said=f"2026050410000{number}", mrn=two[0], mrg=f"{two[1]}{number}")
        found.append(take(gate, raw))
    last = {"finding": "patient.merge-storm", "source": "adt-1"}
    assert last in findings(gate, found[-1])
    assert measure(gate, two[0]).message.subject == measure(gate, f"{two[1]}4").message.subject
