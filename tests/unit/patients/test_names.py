"""By whom a patient is named towards projects: a number's own subject, whatever it is merged into; joins alone change it."""

import pytest
from tests.unit.patients.making import FEED, Site, adt, edges, message, mrg, oru, pid, pv1
from tests.unit.patients.test_fhir import A as FHIR_A
from tests.unit.patients.test_fhir import B as FHIR_B
from tests.unit.patients.test_fhir import person, resource, take

from oathward.patients.model import EdgeKind

A, B = "100001^^^&1.2.3.4&ISO^MR", "100002^^^&1.2.3.4&ISO^MR"
V = "V1^^^HOSP^VN"


def name(site, cx="", visit=""):
    return site.take(oru(cx, visit)).named


def merge(site, into, gone):
    return site.take(adt("A40", pid(into), mrg(gone)), FEED)


def test_a_merge_its_undoing_and_another_change_no_name(site):
    a, b = name(site, A), name(site, B)
    assert a != b
    merged = merge(site, A, B)
    assert (merged.named, merged.subject) == (a, a), "the merge itself is named as the survivor"
    assert (name(site, A), name(site, B)) == (a, b)
    assert site.take(oru(B)).subject == a
    site.unmerge(edges(site, "merged")[0].id)
    assert (name(site, A), name(site, B)) == (a, b)
    merge(site, B, A)
    assert (name(site, A), name(site, B)) == (a, b)


def test_another_process_and_another_start_agree(site, engine):
    a, b = name(site, A), name(site, B)
    merge(site, A, B)
    other = Site(engine, now=site.now)
    assert (name(other, A), name(other, B)) == (a, b)


def test_a_join_gives_one_name_at_once_and_for_good(site):
    held = name(site, visit=V)
    admitted = site.take(adt("A01", pid(A), pv1(V)), FEED)
    a = admitted.named
    assert a == admitted.subject != held
    assert [e.kind for e in edges(site)] == [EdgeKind.JOINED]
    assert name(site, visit=V) == name(site, A) == a
    b = name(site, B)
    merge(site, B, A)
    assert (name(site, visit=V), name(site, A), name(site, B)) == (a, a, b)


def test_who_joins_one_merged_before_has_that_ones_name(site):
    a, b = name(site, A), name(site, B)
    merge(site, B, A)
    name(site, visit=V)
    admitted = site.take(adt("A01", pid(A), pv1(V)), FEED)
    assert (admitted.named, admitted.subject) == (a, b)
    assert name(site, visit=V) == a
    site.unmerge(edges(site, "merged")[0].id)
    assert name(site, visit=V) == a


@pytest.mark.parametrize("gone", [A, B])
@pytest.mark.parametrize("listed", [f"{A}~{B}", f"{B}~{A}"])
def test_a_message_that_says_both_numbers_has_one_name_in_whatever_order(site, gone, listed):
    names = {A: name(site, A), B: name(site, B)}
    into = B if gone == A else A
    merge(site, into, gone)
    in_order = [FHIR_A, FHIR_B] if listed.startswith(A) else [FHIR_B, FHIR_A]
    found = [site.take(adt("A08", pid(listed)), FEED), site.take(oru(listed)), take(site, person(*in_order))]
    assert {one.named for one in found} == {names[into]}, "the one that the merge kept"


def test_both_wires_name_alike(site):
    a, b = name(site, A), name(site, B)
    take(site, person(id_="7"))  # a logical id that nobody knows yet
    take(site, resource(FHIR_A, id_="7"))
    for step in (lambda: None, lambda: merge(site, B, A), lambda: site.unmerge(edges(site, "merged")[0].id)):
        step()
        site.refresh()
        assert take(site, person(FHIR_A)).named == take(site, person(id_="7")).named == name(site, A) == a
        assert take(site, person(FHIR_B)).named == name(site, B) == b


def test_of_several_patients_in_a_message_the_first_names_it(site):
    a, b = name(site, A), name(site, B)
    merge(site, B, A)
    found = site.take(adt("A17", pid(A), pv1("W1^^^HOSP^VN"), pid("9^^^HOSP^MR"), pv1("W2^^^HOSP^VN")), FEED)
    assert (found.named, found.subject) == (a, b)


def test_nobody_known_is_named_by_what_holds_the_message(site):
    found = site.take(message("ORU^R01", "OBR|1"))
    assert found.named == found.subject
    assert found.kind == "holding"
