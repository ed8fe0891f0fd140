"""Promises about merges, through the path: denials combine at once, projects keep pseudonyms, and odd merges name who said them."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from sqlalchemy import event
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
TOGETHER = "together"
JOINT = RESEARCH.replace(f'id = "{LINK}"'.encode(), f'id = "{TOGETHER}"'.encode()).replace(
    b'project = "registry"', b'project = "joint"'
)
LABELS = b'default = "N"\n[[rules]]\nid = "vip"\nlocation = ["VIP*"]\nconfidentiality = "N"\nsensitivity = ["CEL"]\n'


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"), more="[patients]\nmerges_max = 3\nmerges_minutes = 60.0\n")
    links_ = {f"links/{LINK}.toml": RESEARCH, f"links/{TOGETHER}.toml": JOINT}
    files = bundle({"ehr": "mllp://127.0.0.1:9"}, extra={**links_, "labels.toml": LABELS})
    files["projects.toml"] += b'[joint]\nmerges = "together"\n'
    files["policies/links.cedar"] += (ALLOW.format(id=LINK) + ALLOW.format(id=TOGETHER)).encode()
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


def measurement(mrn):
    return (
        f"MSH|^~\\&|MON1|HOSP|OATHWARD|SITE|20260504081500||ORU^R01^ORU_R01|{uuid7()[-12:]}|P|2.6\r"
        f"PID|1||{mrn}^^^HOSP^MR||Zebulonova^Quixotella||19310203|F\r"
        "OBR|1|||182777000^monitoring^SCT|||20260504081500\r"
        f"OBX|1|NM|8867-4^Heart rate^LN||72|{{beat}}/min^beats^UCUM|||||F\r"
    ).encode()


def measure(gate, mrn):
    return take(gate, measurement(mrn))


def links(prepared):
    return {one.sealed.link for one in prepared.outgoing}


def pseudonym(opener, prepared, link=LINK):
    (data,) = [opener.open(o.sealed.data).data.reveal() for o in prepared.outgoing if o.sealed.link == link]
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
    assert {LINK, TOGETHER} < links(measure(gate, two[0])), "they were two"
    merge(gate, two[0], two[1])
    assert links(measure(gate, two[0])) == {"ehr"}
    assert links(measure(gate, two[1])) == {"ehr"}


def admitted(world, monkeypatch, *mrns):
    site, gate, _ = world
    for mrn in mrns:
        take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
        say(monkeypatch, site, gate, "permit", mrn)


def unmerge(gate, merged):
    with read(gate.engine) as db:
        edge = views.edges(db, gate.site, subject=merged.message.subject, kind="merged")[0]
    with write(gate.engine) as db:
        patients.unmerge(db, gate.site, edge.id, by="test", reason="mistaken", now_us=gate.now_us())
    gate.refresh()


def called(world, mrns, link=LINK):
    """Give what a project calls each number, as its next measurement says."""
    _, gate, opener = world
    return [pseudonym(opener, measure(gate, mrn), link) for mrn in mrns]


@pytest.mark.parametrize("link", [LINK, TOGETHER])
def test_what_a_merge_and_its_undoing_do_to_pseudonyms_is_the_projects_word(world, two, monkeypatch, link):
    _, gate, _ = world
    admitted(world, monkeypatch, *two)
    before = called(world, two, link)
    assert len(set(before)) == 2
    after = {LINK: before, TOGETHER: [before[0]] * 2}[link]
    merged = merge(gate, *two)
    assert called(world, two, link) == after
    unmerge(gate, merged)
    assert called(world, two, link) == before
    merge(gate, *two, control_id=uuid7()[-12:])
    assert called(world, two, link) == after, "merged again"


def test_in_a_chain_of_merges_each_keeps_its_own_or_all_have_the_last_ones(world, two, monkeypatch):
    _, gate, _ = world
    three = [*two, f"{two[0]}3"]
    admitted(world, monkeypatch, *three)
    own, joint = called(world, three), called(world, three, TOGETHER)
    merge(gate, three[1], three[0])
    merge(gate, three[2], three[1])
    assert called(world, three) == own
    assert called(world, three, TOGETHER) == [joint[2]] * 3


def test_what_a_merge_ties_bears_its_number_where_it_is_sealed_decided_and_recorded(world, two, monkeypatch):
    """Only the name is the number's own: the data are the patient's who is known by both."""
    _, gate, _ = world
    admitted(world, monkeypatch, *two)
    before = [measure(gate, mrn) for mrn in two]
    merge(gate, *two)
    found = measure(gate, two[1])
    assert found.message.subject == before[0].message.subject
    assert {one.row.subject for one in found.outgoing} == {before[0].message.subject}
    named = {one.row.link: one.row.persons[1:] for one in found.outgoing}
    assert named == {"ehr": (), LINK: (before[1].message.subject,), TOGETHER: ()}, (
        "what waits is also of whom it names"
    )
    both = gate.consents.of(gate.engine, (found.message.subject, before[1].message.subject))
    assert both == gate.consents.of(gate.engine, (found.message.subject,)), "and is not decided anew for that"


def test_asking_for_a_name_costs_no_query(world, two, monkeypatch):
    _, gate, _ = world
    admitted(world, monkeypatch, *two)
    merge(gate, *two)
    measure(gate, two[1])  # what is learnt of a patient once
    statements = []

    def watched(_connection, _cursor, statement, *_):
        statements.append(statement)

    event.listen(gate.engine, "before_cursor_execute", watched)
    try:
        handle(gate, Arrival(uuid7(), measurement(two[1]), HERE, gate.now_us(), HL7V2))
    finally:
        event.remove(gate.engine, "before_cursor_execute", watched)
    assert statements == []


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
