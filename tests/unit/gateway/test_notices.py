"""Promises about notices: who had something of a patient is told how the patient is known there, once, and nobody else is."""

import io
import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.care import adt
from tests.gate import gate_of, opener_of
from tests.site import ALLOW, Site, bundle, local
from tests.unit.consent.conftest import says
from tests.unit.gateway.test_merges import LINK, RESEARCH, measure, merge, say, take, two  # noqa: F401  fixtures

from oathward.cli.main import run
from oathward.consent import choices
from oathward.consent.notices import identity, sql, write
from oathward.consent.notices import state as states
from oathward.consent.notices.state import State
from oathward.core.db import read
from oathward.core.db import write as writing
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import CLASSES
from oathward.gateway import notices
from oathward.messages import sql as messages
from oathward.patients import actions as patients
from oathward.patients.sql import edges
from oathward.vault import shown
from oathward.vault.bodies import SegmentReader
from oathward.vault.table_store import TableStore

FAMILY, GIVEN = "Zebulonova", "Quixotella"


@contextmanager
def opened(folder, more=""):
    """A site with a research link and a recipient that is told of withdrawals; ``more``: settings."""
    site = Site.make(folder, more=more)
    files = bundle({"ehr": "mllp://127.0.0.1:9"}, extra={f"links/{LINK}.toml": RESEARCH})
    files["policies/links.cedar"] += ALLOW.format(id=LINK).encode()
    files["recipients/ehr.toml"] += b"withdrawal_notice = true\n"
    site.activate(files)
    site.add(
        local("adt-1", "ADT1", kind="registration", authoritative_adt=True),
        local("mon-1", "MON1"),
    )
    with gate_of(site) as gate:
        yield site, gate, opener_of(site)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("s")) as found:
        yield found


def admit(world, monkeypatch, *mrns):
    site, gate, _ = world
    for mrn in mrns:
        take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
        say(monkeypatch, site, gate, "permit", mrn)


def reached(gate, prepared):
    """The recipients have it, as the courier would note."""
    pairs = [(who, one.row.link) for one in prepared.outgoing for who in one.row.persons]
    with writing(gate.engine) as db:
        shown.mark_sent(db, gate.site, pairs)
        messages.delete_delivered(db, [row.seq for row in messages.outbox_rows(db, state=None, limit=1_000)])
    return prepared.outgoing[0].row.subject


def told(world):
    """Open the notices in the outbox and take them out: link -> text."""
    site, gate, opener = world
    tables = gate.engine.dialect.name == "postgresql"
    reader = TableStore(gate.engine, gate.site) if tables else SegmentReader(site.settings.data / "bodies")
    with writing(gate.engine) as db:
        rows = [row for row in messages.outbox_rows(db, state=None, limit=1_000) if row.is_notice]
        messages.delete_delivered(db, [row.seq for row in rows])
    found = {}
    for row in rows:
        found.setdefault(row.link, []).append(opener.open(reader.read(row.body)).data.reveal().decode())
    return found


def noted(gate, subject):
    with read(gate.engine) as db:
        return sql.rows(db, gate.site, subjects=[subject])


def test_a_withdrawal_is_told_as_each_link_knows_the_patient(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, two[0])
    subject = reached(gate, measure(gate, two[0]))
    notices.make(gate)
    assert told(world) == {}, "nothing changed since"
    say(monkeypatch, site, gate, "deny", two[0])
    assert notices.due(gate)
    assert notices.make(gate) == 1
    assert not notices.due(gate)
    [text] = told(world)[LINK]
    assert "X^^HL70498" in text
    assert text.count("\rPID|1||") == 1
    for secret in (two[0], FAMILY, GIVEN, subject, "19310203", "72"):
        assert secret not in text.replace("HL70496", "").replace("HL70498", "") or secret == "72"
    [row] = noted(gate, subject)
    assert (row.link, row.state, row.passes, row.version) == (LINK, "queued", "none", 2)
    # Care was not of that denial: its link has nothing to be told.
    assert notices.make(gate) == 0
    say(monkeypatch, site, gate, "permit", two[0])
    notices.make(gate)
    assert told(world) == {}, "a denial stands beside a permit: nothing passes as before"


def test_an_identity_is_what_the_link_showed_and_nothing_more(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, two[0])
    subject = reached(gate, measure(gate, two[0]))
    deny_all(site, gate, two[0], monkeypatch)
    assert notices.make(gate) == 2
    found = told(world)
    [text] = found["ehr"]
    assert f"PID|1||{two[0]}^^^HOSP^MR\r" in text
    for secret in (FAMILY, GIVEN, "19310203"):
        assert secret not in text
    assert two[0] not in found[LINK][0]
    assert {row.link for row in noted(gate, subject)} == {"ehr", LINK}


def deny_all(site, gate, mrn, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(f"{mrn}^^^HOSP^MR\n".encode())))
    assert run(["consent", "record", "--deny", "--identifier-file", "-", "--data", str(site.folder)]) == 0
    gate.refresh()


def test_who_never_had_anything_is_told_nothing(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, *two)
    deny_all(site, gate, two[0], monkeypatch)  # nothing of this one ever left
    prepared = measure(gate, two[1])  # and of this one all was withdrawn before it was sent
    with writing(gate.engine) as db:
        messages.delete_delivered(db, [row.seq for row in messages.outbox_rows(db, state=None, limit=1_000)])
    deny_all(site, gate, two[1], monkeypatch)
    assert notices.make(gate) == 0
    assert told(world) == {}
    assert noted(gate, prepared.outgoing[0].row.subject) == []


def test_what_is_still_on_its_way_is_waited_for(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, two[0])
    prepared = measure(gate, two[0])
    deny_all(site, gate, two[0], monkeypatch)
    assert notices.make(gate) == 0
    assert {row.state for row in noted(gate, prepared.outgoing[0].row.subject)} == {"waiting"}
    assert not notices.due(gate)
    assert notices.due(gate, again=True)
    reached(gate, prepared)
    assert notices.make(gate) == 2
    assert set(told(world)) == {"ehr", LINK}
    assert not notices.due(gate, again=True)


def test_a_keeper_that_is_away_is_waited_for(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, two[0])
    subject = reached(gate, measure(gate, two[0]))
    deny_all(site, gate, two[0], monkeypatch)
    with monkeypatch.context() as broken:

        def away(*_):
            raise KeeperError("keeper", "does not answer")

        broken.setattr(gate.opened.keeper.notices, "identities", away)
        notices.make(gate)
    assert {row.link: row.state for row in noted(gate, subject)} == {"ehr": "waiting", LINK: "queued"}
    assert notices.make(gate) == 1
    assert {row.link: row.state for row in noted(gate, subject)} == {"ehr": "queued", LINK: "queued"}
    told(world)


def test_each_number_of_a_merged_patient_is_told_of_as_it_was_shown(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, *two)
    subjects = [reached(gate, measure(gate, mrn)) for mrn in two]
    merge(gate, *two)
    notices.make(gate)
    assert told(world) == {}, "both allowed the same"
    deny_all(site, gate, two[0], monkeypatch)
    assert notices.make(gate) == 4
    found = told(world)
    assert {text.split("PID|1||")[1].split("^")[0] for text in found["ehr"]} == set(two)
    pseudonyms = {text.split("PID|1||")[1].split("\r")[0] for text in found[LINK]}
    assert len(pseudonyms) == 2
    for text in found["ehr"]:
        assert sum(mrn in text for mrn in two) == 1, "none names the other"
    assert {row.because for subject in subjects for row in noted(gate, subject)} == {subjects[0]}


def pseudonym_in(text):
    return text.split("PID|1||")[1].split("\r")[0].split("|")[0].split("^")[0]


def test_a_number_shown_first_after_its_merge_is_told_of_by_its_own_pseudonym(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, opener = world
    admit(world, monkeypatch, *two)
    reached(gate, measure(gate, two[0]))
    merge(gate, *two)
    later = measure(gate, two[1])
    (left,) = [
        opener.open(one.sealed.data).data.reveal() for one in later.outgoing if one.sealed.link == LINK
    ]
    own = pseudonym_in(bytes(left).decode())
    assert notices.make(gate) == 0
    reached(gate, later)
    deny_all(site, gate, two[0], monkeypatch)
    notices.make(gate)
    names = [pseudonym_in(text) for text in told(world)[LINK]]
    assert len(set(names)) == len(names) == 2, "one for each name that the project knows"
    assert own in names


def test_what_waits_under_a_merged_numbers_own_name_is_waited_for(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, *two)
    named = measure(gate, two[1]).message.subject
    merge(gate, *two)
    with writing(gate.engine) as db:
        messages.delete_delivered(db, [row.seq for row in messages.outbox_rows(db, state=None, limit=1_000)])
        assert not messages.any_of(db, LINK, named)
    measure(gate, two[1])
    with read(gate.engine) as db:
        assert messages.any_of(db, LINK, named)
        assert not messages.any_of(db, "ehr", named), "care knows the patient as one"
        assert not messages.any_of(db, LINK, "nobody")
    deny_all(site, gate, two[0], monkeypatch)
    notices.make(gate)
    assert {row.state for row in noted(gate, named) if row.link == LINK} == {"waiting"}


def test_a_patient_who_is_erased_is_forgotten_here_too(world, two, monkeypatch):  # noqa: F811  a fixture
    _, gate, _ = world
    admit(world, monkeypatch, two[0])
    subject = reached(gate, measure(gate, two[0]))
    with writing(gate.engine) as db:
        patients.forget(db, gate.site, subject, source="test", now_us=gate.now_us())
    with read(gate.engine) as db:
        assert shown.of(db, gate.site, [subject]) == []
    assert notices.make(gate) == 0


def test_the_keeper_opens_nothing_of_who_said_nothing(world, two):  # noqa: F811  a fixture
    _, gate, _ = world
    take(gate, adt("A01", said="20260504080000", mrn=two[0], visit=f"V{two[0]}^^^HOSP^VN"))
    subject = measure(gate, two[0]).outgoing[0].row.subject
    with pytest.raises(KeeperError) as refused:
        gate.opened.keeper.notices.identities(subject, subject, ["ehr"])
    assert refused.value.reason.code == "decision.not-permitted"


def test_without_the_check_of_who_has_something_all_would_hear(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, two[0])
    prepared = measure(gate, two[0])
    with writing(gate.engine) as db:
        messages.delete_delivered(db, [row.seq for row in messages.outbox_rows(db, state=None, limit=1_000)])
    deny_all(site, gate, two[0], monkeypatch)
    real = shown.of

    def everybody(db, site_, subjects):
        return [replace(one, sent=True) for one in real(db, site_, subjects)]

    monkeypatch.setattr(shown, "of", everybody)
    notices.make(gate)
    assert len(noted(gate, prepared.outgoing[0].row.subject)) == 2
    told(world)


WORDS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=6, max_size=12)


@given(
    WORDS, WORDS, st.from_regex(r"[0-9]{7,10}", fullmatch=True).filter(lambda number: "1931" not in number)
)
@settings(max_examples=30, deadline=None)
def test_of_a_message_that_left_a_notice_says_the_identifier_alone(family, given_, number):
    left = (
        f"MSH|^~\\&|MON|WARD|EHR|HOSP|2026||ORU^R01^ORU_R01|1|P|2.6\rPID|1||{number}^^^HOSP^MR||{family}^{given_}||19310203\r"
        f"OBX|1|NM|1^Rate||{given_}77\r"
    ).encode()
    raw = write.hl7v2(State("none"), identity.of_hl7v2(left), "ID", 1_800_000_000_000_000)
    assert number.encode() in raw
    for secret in (family, given_, "19310203"):
        assert secret.encode() not in raw
    patient = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": number}]}
    patient |= {"name": [{"family": family, "given": [given_]}], "birthDate": "1931-02-03"}
    seen = {"resourceType": "Observation", "subject": {"reference": "Patient/p1", "display": family}}
    body = {"resourceType": "Bundle", "entry": [{"resource": seen}, {"resource": patient}]}
    known = identity.of_fhir(json.dumps(body).encode())
    assert json.loads(known) == {
        "reference": "Patient/p1",
        "identifier": {"system": "urn:x", "value": number},
    }
    made = write.fhir(State("none"), known, "c1", "TREAT", 1_800_000_000_000_000)
    for secret in (family, given_, "1931"):
        assert secret.encode() not in made


@pytest.mark.parametrize(
    "left",
    [
        b"MSH|^~\\&|A|B|||2026||ADT^A17|1|P|2.6\rPID|1||1^^^H^MR\rPID|2||2^^^H^MR\r",
        b"MSH|^~\\&|A|B|||2026||ORU^R01|1|P|2.6\rPID|1||\r",
        b"MSH|^~\\&|A|B|||2026||ORU^R01|1|P|2.6\r",
    ],
)
def test_a_message_of_several_or_of_nobody_is_no_way_of_knowing_one(left):
    assert identity.of_hl7v2(left) == b""


def test_two_patients_of_a_bundle_are_no_way_of_knowing_one():
    seen = [
        {"resource": {"resourceType": "Observation", "subject": {"reference": f"Patient/{n}"}}}
        for n in (1, 2)
    ]
    assert identity.of_fhir(json.dumps({"resourceType": "Bundle", "entry": seen}).encode()) == b""


def test_a_state_names_no_code_and_no_sensitivity(world):
    _, gate, _ = world
    link = gate.active_bundle.links["ehr"]
    denied = says(permit=False, of=(("*",), ("*",), ("*",)), id_=uuid7()).fact
    assert states.state_of(gate.active_bundle, link, [denied], 0) == State("none")
    hiv = replace(denied, labels=frozenset({"HIV"}))
    some = states.state_of(gate.active_bundle, link, [hiv], 0)
    assert some.passes == "some"
    assert "HIV" not in some.text
    assert "HIV" not in write.fhir(some, b"", "c", "TREAT", 0).decode()
    assert states.state_of(gate.active_bundle, link, [replace(denied, pending=True)], 0) == State("all")
    assert states._CONTENT == choices._CONTENT
    assert some.classes <= CLASSES


def permit_all(site, gate, mrn, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(f"{mrn}^^^HOSP^MR\n".encode())))
    words = ["--permit", "--replace", "--purpose", "*", "--recipient", "*", "--class", "*"]
    assert run(["consent", "record", *words, "--identifier-file", "-", "--data", str(site.folder)]) == 0
    gate.refresh()


def test_a_denial_that_a_merge_brings_is_told_though_it_is_the_older_word(world, two, monkeypatch):  # noqa: F811  a fixture
    site, gate, _ = world
    admit(world, monkeypatch, *two)
    subject = reached(gate, measure(gate, two[0]))
    deny_all(site, gate, two[1], monkeypatch)
    notices.make(gate)
    deny_all(site, gate, two[0], monkeypatch)
    notices.make(gate)
    told(world)
    permit_all(site, gate, two[0], monkeypatch)
    notices.make(gate)
    told(world)
    assert {row.link: row.passes for row in reversed(noted(gate, subject))} == {"ehr": "all", LINK: "all"}
    for _ in range(2):  # also where the same merge is said again, after it was undone and something was said
        permit_all(site, gate, two[0], monkeypatch)  # a version of which nobody is told: it changes nothing
        merge(gate, *two, control_id=uuid7())
        with read(gate.engine) as db:
            edge = max(one.id for one in edges(db, gate.site) if str(one.kind) == "merged")
        notices.make(gate)
        assert set(told(world)) == {"ehr", LINK}
        assert {row.link: row.passes for row in reversed(noted(gate, subject))} == {
            "ehr": "none",
            LINK: "none",
        }
        assert notices.make(gate) == 0
        with writing(gate.engine) as db:
            patients.unmerge(db, gate.site, edge, by="test", reason="test", now_us=gate.now_us())
        gate.refresh()
        notices.make(gate)
        assert told(world) == {}, "it widens nothing until somebody says something"
        permit_all(site, gate, two[0], monkeypatch)
        notices.make(gate)
        assert set(told(world)) == {"ehr", LINK}
