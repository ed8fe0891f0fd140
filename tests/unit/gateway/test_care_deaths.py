"""Promises about a death: told by who may, of that patient, it ends every access to their portal; a mistake is undone by staff."""

import json
from contextlib import contextmanager

import pytest
from tests.care import adt, peopled, person
from tests.fhir import patient, raw
from tests.site import Site, bundle, local

from oathward.core.db import read, write
from oathward.core.errors import AuthorityError
from oathward.core.ids import uuid7
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.inventory.model import Device, Peer
from oathward.patients import actions as patients
from oathward.vault import deaths
from oathward.vault.keeper.portal import holders, seats
from oathward.vault.keeper.portal.deaths import Deaths

HERE = Peer("127.0.0.1", None, ())
HUB = Peer("127.0.0.1", b"\x07" * 32, ())
MORE = '[portal]\nport = -1\nurl = "https://patients.example"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'


@contextmanager
def opened(folder, more=""):
    """A site with sources that may and may not say who died; ``more``: settings."""
    site = Site.make(folder, more=MORE + more)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    hub = Device(
        id="hub",
        kind="hub",
        certificates=frozenset({HUB.cert_sha256.hex()}),
        default_authority="HOSP",
        authoritative_adt=True,
    )
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("adt-2", "ADT2"), hub)
    with peopled(site, [(person("p-privacy"), [Role.PRIVACY_OFFICER])]) as found:
        yield found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("s")) as found:
        yield found


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}".upper()


def take(world, data, wire=HL7V2):
    gate = world.gate
    prepared = handle(gate, Arrival(uuid7(), data, HERE if wire is HL7V2 else HUB, gate.now_us(), wire))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared.message.subject


def says(mrn, *, at="", died="", event="A08", sender="ADT1"):
    """An ADT message with PID-29 and PID-30."""
    whole = adt(event, said="20260504090000", mrn=mrn, control_id=uuid7()).decode()
    lines = [f"{one}{'|' * 21}{at}|{died}" if one.startswith("PID") else one for one in whole.split("\r")]
    return "\r".join(lines).replace("|ADT1|", f"|{sender}|").encode()


def fhir(mrn, **said):
    return raw(patient(f"p{mrn}", mrn, **said))


def invite(world, subject, name="rosa", **more):
    proof = world.enter("p-privacy")
    return world.app.portal.invite(
        subject, Phi("Rosa"), Phi(f"{name}-{uuid7()[-6:]}@example.org"), proof, **more
    )


def test_an_access_that_does_not_verify_keeps_no_other_deaths_from_being_followed(world, mrn, monkeypatch):
    broken, other = take(world, says(mrn)), take(world, says(f"{mrn[:-1]}X"))
    invite(world, broken)
    access = invite(world, other)
    take(world, says(mrn, died="Y"))
    take(world, says(f"{mrn[:-1]}X", died="Y"))
    good, looks = seats.read, Deaths(world.keeper)

    def read_(keeper, row):
        if row.subject == broken:
            raise AuthorityError("portal-access", "does not verify")
        return good(keeper, row)

    monkeypatch.setattr(seats, "read", read_)
    with pytest.raises(AuthorityError):
        looks.follow()
    (row,) = holders.seat_rows(world.keeper.store, access=access)
    assert good(world.keeper, row).state == "ended"
    monkeypatch.undo()
    looks.follow()
    assert standing(world, broken) == ["ended"]


def standing(world, subject):
    return sorted(one.standing for one in world.app.portal.given(subject, world.enter("p-privacy")))


def follow(world):
    Deaths(world.keeper).follow()


def ended(world, subject):
    with read(world.gate.engine) as db:
        rows = db.exec_driver_sql(
            f"SELECT body FROM ledger_record WHERE kind = 'portal.access-ended' AND subject = '{subject}'"
        )
        return [json.loads(body)["body"] for (body,) in rows]


@pytest.mark.parametrize(
    "said", [{"died": "Y"}, {"died": "y"}, {"at": "20260504083000"}, {"at": "20260504", "died": "Y"}]
)
def test_a_death_ends_every_access_and_says_why(world, mrn, said):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn))
    invite(world, subject)
    invite(world, subject, "friend", basis="wish")
    follow(world)
    assert standing(world, subject) == ["in-force", "in-force"]
    assert take(world, says(mrn, **said)) == subject
    follow(world)
    assert standing(world, subject) == ["ended", "ended"]
    assert [(one["why"], one["by"]) for one in ended(world, subject)] == [("death", "registration")] * 2
    follow(world)
    assert len(ended(world, subject)) == 2


@pytest.mark.parametrize(
    "said", [{}, {"died": "N"}, {"at": '""'}, {"died": '""'}, {"died": "?"}, {"at": "20260504", "died": "N"}]
)
def test_what_says_no_death_ends_nothing(world, mrn, said):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn))
    invite(world, subject)
    take(world, says(mrn, **said))
    follow(world)
    assert standing(world, subject) == ["in-force"]


def test_a_source_that_may_not_say_who_is_who_is_not_believed(world, mrn):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn))
    invite(world, subject)
    take(world, says(mrn, died="Y", sender="ADT2"))
    follow(world)
    assert standing(world, subject) == ["in-force"]


def test_a_death_of_somebody_else_ends_nothing_here(world, mrn):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn))
    invite(world, subject)
    take(world, says(f"8{mrn}", died="Y"))
    follow(world)
    assert standing(world, subject) == ["in-force"]


def test_a_mistake_is_undone_by_staff_and_stays_undone(world, mrn):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn))
    invite(world, subject)
    take(world, says(mrn, died="Y"))
    follow(world)
    invite(world, subject)
    follow(world)
    assert standing(world, subject) == ["ended", "in-force"]
    take(world, says(mrn, died="N"))
    with read(world.gate.engine) as db:
        assert subject not in dict(deaths.since(db, world.gate.site, 0)), "the source says that they live"


def test_erasing_a_patient_forgets_the_death(world, mrn):
    subject = take(world, says(mrn, died="Y"))
    with write(world.gate.engine) as db:
        assert subject in dict(deaths.since(db, world.gate.site, 0))
        patients.forget(db, world.gate.site, subject, source="test", now_us=world.gate.now_us())
        assert subject not in dict(deaths.since(db, world.gate.site, 0))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"deceasedBoolean": True}, "ended"),
        ({"deceasedDateTime": "2026-05-04T08:30:00Z"}, "ended"),
        ({"deceasedBoolean": False}, "in-force"),
        ({}, "in-force"),
    ],
)
def test_fhir_says_it_too(world, mrn, said, expected):
    subject = take(world, fhir(mrn), FHIR)
    invite(world, subject)
    assert take(world, fhir(mrn, **said), FHIR) == subject
    follow(world)
    assert standing(world, subject) == [expected]
