"""What a Consent that came as a message may take away: read, stored, pending beside what stands."""

from dataclasses import replace

import pytest
from tests.unit.consent.conftest import NOW, SITE
from tests.unit.consent.fhir.test_reader import consent

from oathward.consent import actions, sql, views
from oathward.consent.arrived import ZONES_US, Arrived, arrived, pending
from oathward.consent.fhir.reader import read
from oathward.core.db import write
from oathward.core.errors import InputError
from oathward.protocols.fhir.json import dumps

THO = "http://terminology.hl7.org/CodeSystem/"
RESEARCH = [{"system": THO + "v3-ActReason", "code": "HRESCH"}]


def of(**more):
    return consent(**{"identifier": [{"system": "urn:x", "value": "c-1"}]} | more)


def permits(**more):
    return of(provision={"type": "permit", "purpose": RESEARCH, **more})


def denies(**more):
    return of(provision={"type": "deny", "purpose": RESEARCH, **more})


def stand(resource):
    return read(resource, dumps(resource)).statements


def test_a_permit_that_arrives_changes_nothing():
    found = arrived([permits()], "m")
    assert found.denials == ()
    assert pending([found], ()) == ()


def test_a_denial_that_arrives_is_pending():
    found = arrived([denies()], "m")
    [one] = pending([found], ())
    assert (one.permit, one.pending, one.id) == (False, True, "arrived-m-0")
    assert "HRESCH" in one.purposes


def test_a_denial_that_stands_already_is_not_pending():
    assert pending([arrived([denies()], "m")], stand(denies())) == ()
    dated = denies(period={"start": "2026-01-01", "end": "2026-12-31"})
    assert pending([arrived([dated], "m")], stand(dated)) == ()
    assert pending([arrived([dated], "m")], stand(denies())) != ()


@pytest.mark.parametrize("status", ["inactive", "rejected", "entered-in-error", "proposed"])
def test_a_withdrawal_has_what_stood_under_its_name_pending(status):
    standing = stand(permits())
    [one] = pending([arrived([permits() | {"status": status}], "m")], standing)
    assert (one.permit, one.pending, one.box) == (False, True, standing[0].fact.box)
    other = [{"system": "urn:x", "value": "c-2"}]
    assert pending([arrived([permits() | {"status": status, "identifier": other}], "m")], standing) == ()


def test_a_later_version_has_what_it_says_no_more_pending():
    standing = stand(permits())
    assert pending([arrived([permits()], "m")], standing) == (), "the same again"
    narrower = permits(code=[{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}])
    [one] = pending([arrived([narrower], "m")], standing)
    assert one.box == standing[0].fact.box


def test_dates_may_be_of_any_zone():
    [one] = arrived([denies(period={"start": "2026-07-01", "end": "2026-07-01"})], "m").denials
    [sure] = stand(denies(period={"start": "2026-07-01", "end": "2026-07-01"}))
    assert (one.start_us, one.end_us) == (sure.fact.start_us - ZONES_US, sure.fact.end_us + ZONES_US)


def test_what_cannot_be_read_denies_everything():
    [one] = arrived([of(provision=[])], "m").denials
    assert (one.purposes, one.recipients, one.classes) == ({"*"}, {"*"}, {"*"})


def test_it_survives_being_written():
    found = arrived([denies(), permits(), of(status="inactive")], "m")
    again = Arrived.from_body(found.body())
    assert (again.denials, again.origins, again.permits) == (found.denials, found.origins, found.permits)
    for broken in (b"[]", b"{}", b"{", b'{"denials":[1],"origins":[],"permits":[]}'):
        with pytest.raises(ValueError):  # noqa: PT011  whatever it says
            Arrived.from_body(broken)


# --- as processes know it


def came(office, subject, *resources, message="m"):
    with write(office.engine) as db:
        actions.arrive(
            db, SITE, message, subject=subject, device="d", found=arrived(resources, message), at_us=NOW
        )
    office.refresh()


def settled(office, message="m", state="imported"):
    with write(office.engine) as db:
        actions.settle(db, SITE, message, state=state, by="ann", reason="", now_us=NOW)
    office.refresh()


def test_what_arrived_pends_until_it_is_settled(office, ann):
    office.record(ann, *stand(permits()))
    version, facts = office.of(ann)
    assert [f.pending for f in facts] == [False]
    came(office, ann, of(status="inactive"))
    moved, facts = office.of(ann)
    assert [(f.permit, f.pending) for f in facts] == [(True, False), (False, True)]
    assert moved != version, "deliveries that were prepared before are decided again"
    settled(office, state="dismissed")
    assert office.of(ann) == (version, facts[:1])
    with pytest.raises(InputError):
        settled(office)


def test_of_whom_another_stands_for_it_pends_too(office, ann, bob):
    office.families = {ann: (ann, bob)}
    came(office, bob, denies())
    assert [f.pending for f in office.of(ann)[1]] == [True]


def test_whose_it_is_may_be_known_later(office, ann, bob):
    came(office, ann, denies())
    with write(office.engine) as db:
        actions.attribute(db, SITE, "m", subject=bob)
    office.refresh()
    assert office.of(ann)[1] == ()
    assert [f.pending for f in office.of(bob)[1]] == [True]


def test_what_nobody_can_read_or_count_is_not_known(office, ann, monkeypatch):
    came(office, ann, denies())
    with write(office.engine) as db:
        db.execute(sql.arrival.update().values(body=b"{}"))
        sql.bump(db, SITE)
    office.refresh()
    assert office.of(ann) == (None, None)
    monkeypatch.setattr(views, "_ARRIVALS_MAX", 1)
    settled(office, state="dismissed")
    for n in range(2):
        came(office, ann, permits(), message=f"m{n}")
    assert office.of(ann) == (None, None)


def test_a_signed_document_has_nothing_pending(office, ann):
    [said] = stand(denies())
    with pytest.raises(ValueError, match="not consents"):
        office.record(ann, replace(said, fact=replace(said.fact, pending=True)))


def test_the_list_says_what_waits(office, ann):
    came(office, ann, denies(), permits())
    with write(office.engine) as db:
        count, [row] = views.arrivals(db, SITE)
    assert (count, row.message, row.subject, row.consents, row.denials) == (1, "m", ann, 2, 1)
