"""Whom a FHIR message is about: one patient on every wire, logical ids of one server alone."""

from tests.unit.patients.making import FEED, PUMP, Sender, Site, adt, mrg, oru, pid

from oathward.core.authorities import Authorities
from oathward.core.reasons import Reason
from oathward.patients import fhir
from oathward.patients.model import EdgeKind
from oathward.protocols.fhir.message import Person

OID, URL = "urn:oid:1.2.3.4", "http://hosp.example/mrn"
A, B = (OID, "100001", "MR"), (OID, "100002", "MR")
HUB = Sender("hub")


def person(*identifiers, id_="", visits=(), resource=None):
    reference = f"Patient/{id_}" if id_ else ""
    return Person(reference, tuple(identifiers), id_, tuple(visits), resource, (0,))


def resource(*identifiers, id_="", **more):
    """A Patient resource, as the person it is."""
    body = {"resourceType": "Patient", "name": [{"family": "Ulmen", "given": ["Ada"]}], **more}
    return person(*identifiers, id_=id_, resource=body)


def take(site: Site, *people, source=HUB):
    site.now += 1_000
    found = site.resolver.resolve_fhir(site.engine, lambda: people, source, site.now, fhir.key_of(people))
    site.commit(found)
    return found


def test_a_patient_is_one_subject_on_both_wires(site):
    by_hl7 = site.take(oru("100001^^^&1.2.3.4&ISO^MR"))
    by_fhir = take(site, person(A))
    assert (by_fhir.subject, by_fhir.kind) == (by_hl7.subject, "known")


def test_a_url_is_an_authority_that_the_site_may_declare(engine):
    site = Site(engine)
    site.resolver = site.new_resolver(authorities=Authorities({"HOSP": [URL]}))
    assert take(site, person((URL, "7", "MR"))).subject == site.take(oru("7^^^HOSP^MR")).subject
    assert take(site, person((URL.upper(), "7", "MR"))).subject == site.take(oru("7^^^HOSP^MR")).subject
    other = take(site, person(("http://other.example", "7", "MR")))
    assert other.subject != site.take(oru("7^^^HOSP^MR")).subject


def test_no_system_is_the_senders_own(site):
    one, other = take(site, person(("", "7", "MR"))), take(site, person(("", "7", "MR")), source=PUMP)
    assert one.kind == other.kind == "holding"
    assert one.subject != other.subject


def test_types_that_do_not_name_one_person_identify_nobody(site):
    one, other = take(site, person((OID, "7", "SS"))), take(site, person((OID, "8", "SS")))
    assert (one.subject, one.kind) == (other.subject, "holding")


def test_a_logical_id_waits_until_the_patient_is_told_and_then_joins(site):
    before = take(site, person(id_="123"))
    assert before.kind == "holding"
    assert take(site, person(id_="123")).subject == before.subject
    assert take(site, person(id_="124")).subject != before.subject
    told = take(site, resource(A, id_="123"))
    assert told.kind == "known"
    assert [e.kind for e in told.rows.edges] == [EdgeKind.JOINED]
    after = take(site, person(id_="123"))
    assert (after.subject, after.kind) == (told.subject, "known")
    assert site.resolver.effective(before.subject) == told.subject


def test_a_logical_id_means_nothing_at_another_sender(site):
    told = take(site, resource(A, id_="123"))
    assert take(site, person(id_="123"), source=PUMP).subject != told.subject
    assert take(site, person(id_="123")).subject == told.subject


def test_a_logical_id_given_to_a_second_person_is_held(site):
    take(site, resource(A, id_="123"))
    second = take(site, resource(B, id_="123"))
    assert (second.refused, second.kind) == (Reason.PATIENT_AMBIGUOUS, "holding")
    assert take(site, person(B, id_="123")).refused is Reason.PATIENT_AMBIGUOUS


def test_a_reference_ties_no_logical_id(site):
    """Only the resource that bears an id says whose it is; a reference may be wrong."""
    take(site, person(A, id_="123"))
    assert take(site, person(id_="123")).kind == "holding"


def test_several_people_are_said_to_be_several(site):
    take(site, person(A))
    both = take(site, person(A), person(B))
    assert both.refused is Reason.PATIENTS_SEVERAL


def test_an_authoritative_source_speaks_as_adt_does(site):
    plain = take(site, resource(A, id_="1"))
    assert plain.card == ""
    told = take(site, resource(A, (OID, "G7", "PI"), id_="1"), source=Sender("emr", authoritative_adt=True))
    assert told.card == told.subject == plain.subject
    assert take(site, person((OID, "G7", "PI"))).subject == told.subject
    assert any(subject == told.subject for subject, _, _ in told.rows.words)


def test_after_a_merge_by_adt_both_numbers_are_one_person(site):
    take(site, resource(A, id_="1"))
    take(site, resource(B, id_="2"))
    ids = "{}^^^&1.2.3.4&ISO^MR".format
    site.take(adt("A40", pid(ids("100002")), mrg(ids("100001"))), FEED)
    site.refresh()
    assert take(site, person(id_="1")).subject == take(site, person(id_="2")).subject


def test_patient_link_is_not_followed_but_told(site):
    told = take(site, resource(A, id_="1", link=[{"other": {"reference": "Patient/2"}, "type": "replaces"}]))
    assert told.findings == (fhir.LINKED,)


def test_what_is_known_by_heart_is_no_value(site):
    take(site, person(A))
    take(site, person(A))
    kept = repr(list(site.resolver._state.hot._young) + list(site.resolver._state.hot._old))
    assert "100001" not in kept
    assert site.resolver._state.hot._young


def test_a_number_that_says_no_type_is_the_one_a_consent_means(site):
    meant = site.take(oru("100001^^^&1.2.3.4&ISO^MR")).subject
    assert take(site, person((OID, "100001", ""))).subject == meant
    assert site.take(oru("100001^^^&1.2.3.4&ISO")).subject == meant
    assert (
        take(site, person((OID, "100001", "")), source=Sender("hub-2", default_identifier_type="NI")).subject
        != meant
    )
