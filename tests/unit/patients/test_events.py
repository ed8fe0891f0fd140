"""Each trigger that merges, moves or changes a number: done by an edge that can be undone, not ours, or refused."""

import pytest
from tests.unit.patients.making import FEED, SITE, Sender, adt, message, mrg, oru, pid, pv1

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.patients import views
from oathward.patients.events import EVENTS, NOT_OURS, Verb

A, B = "100001^^^HOSP^MR", "100002^^^HOSP^MR"
EXTERNAL, EXTERNAL_OLD = "E1^^^REGION^PI", "E2^^^REGION^PI"

PATIENTS = {
    "A18": [pid(A), mrg(B)],
    "A30": [pid(A), mrg(B)],
    "A34": [pid(A), mrg(B)],
    "A36": [pid(A, account="N1^^^HOSP"), mrg(B, account="O1^^^HOSP")],
    "A39": [pid(A, _2=EXTERNAL), mrg("", id4=EXTERNAL_OLD)],
    "A40": [pid(A), mrg(B)],
    "A46": [pid(A, _2=EXTERNAL), mrg("", id4=EXTERNAL_OLD)],
    "A47": [pid(A), mrg(B)],
    "A48": [pid(A, _4=EXTERNAL), mrg("", id2=EXTERNAL_OLD)],
}
"""Of patients' numbers: they tie two subjects."""

MERGED_ACCOUNTS = {
    "A35": [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")],
    "A41": [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")],
    "A49": [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")],
}
MERGED_VISITS = {
    "A42": [pid(A), mrg(A, visit="O1^^^HOSP"), pv1("N1^^^HOSP")],
    "A50": [pid(A), mrg(A, visit="O1^^^HOSP"), pv1("N1^^^HOSP")],
}
MOVED = {
    "A44": [pid(A, account="O1^^^HOSP"), mrg(B, account="O1^^^HOSP")],
    "A45": [pid(A), mrg(B, visit="O1^^^HOSP"), pv1("O1^^^HOSP")],
}
REFUSED = {"A43": [pid(A), mrg(B)]}


def edges(site):
    with read(site.engine) as db:
        return [e for e in views.edges(db, SITE) if e.kind in {"merged", "joined"}]


def subject(site, cx):
    return site.take(oru(cx)).subject


def about(event, account):
    """A result that names its patient by an account or a visit alone."""
    if event in {"A42", "A45", "A50"}:
        return oru("", account)
    return message("ORU^R01", pid("", account=account))


def test_every_trigger_stands_in_one_table():
    ours = {e for e, v in EVENTS.items() if v not in {Verb.UPSERT, Verb.PAIR, Verb.LINK, Verb.UNLINK}}
    assert ours == {*PATIENTS, *MERGED_ACCOUNTS, *MERGED_VISITS, *MOVED, *REFUSED}
    assert not ours & NOT_OURS.keys()
    standards = {f"A{n}" for n in (18, 30, *range(34, 37), *range(39, 52))}
    assert standards == ours | {"A51"}
    assert all(why.startswith("§3.3.") for why in NOT_OURS.values())


@pytest.mark.parametrize("event", PATIENTS)
def test_patients_are_tied_by_edges_that_can_be_undone(site, event):
    two = (EXTERNAL, EXTERNAL_OLD) if event in {"A39", "A46", "A48"} else (A, B)
    before = [subject(site, cx) for cx in two]
    taken = site.take(adt(event, *PATIENTS[event]), FEED)
    assert (taken.refused, taken.findings) == (None, ())
    assert subject(site, two[0]) == subject(site, two[1])
    for edge in edges(site):
        assert edge.event == event
        site.unmerge(edge.id)
    assert [subject(site, cx) for cx in two] == before


@pytest.mark.parametrize("event", PATIENTS)
def test_only_the_authoritative_source_is_believed(site, event):
    assert site.take(adt(event, *PATIENTS[event])).refused is Reason.SOURCE_NOT_AUTHORITATIVE
    assert edges(site) == []


def test_the_account_of_a36_comes_along(site):
    taken = site.take(adt("A36", *PATIENTS["A36"]), FEED)
    for account in ("N1^^^HOSP", "O1^^^HOSP"):
        assert site.take(about("A36", account)).subject == taken.subject


@pytest.mark.parametrize("event", [*MERGED_ACCOUNTS, *MERGED_VISITS])
def test_accounts_and_visits_tie_no_patients(site, event):
    a, b = subject(site, A), subject(site, B)
    taken = site.take(adt(event, *(MERGED_ACCOUNTS | MERGED_VISITS)[event]), FEED)
    assert (taken.subject, taken.refused, edges(site)) == (a, None, [])
    for account in ("N1^^^HOSP", "O1^^^HOSP"):
        assert site.take(about(event, account)).subject == a
    assert subject(site, B) == b


@pytest.mark.parametrize("event", MOVED)
def test_what_moves_from_one_patient_to_another_identifies_nobody_alone(site, event):
    a, b = subject(site, A), subject(site, B)
    site.take(adt("A01", pid(B, account="O1^^^HOSP"), pv1("O1^^^HOSP")), FEED)
    assert site.take(about(event, "O1^^^HOSP")).subject == b
    taken = site.take(adt(event, *MOVED[event]), FEED)
    assert (taken.subject, taken.refused, edges(site)) == (a, None, [])
    after = site.take(about(event, "O1^^^HOSP"))
    assert (after.kind, after.subject in {a, b}) == ("holding", False)
    assert (subject(site, A), subject(site, B)) == (a, b)


@pytest.mark.parametrize("event", REFUSED)
def test_what_we_do_not_do_is_refused_with_a_finding(site, event):
    a, b = subject(site, A), subject(site, B)
    taken = site.take(adt(event, *REFUSED[event]), FEED)
    assert (taken.refused, taken.findings) == (Reason.MERGE_REFUSED, ("patient.event-unsupported",))
    assert (subject(site, A), subject(site, B), edges(site)) == (a, b, [])


@pytest.mark.parametrize("event", NOT_OURS)
def test_what_is_not_ours_is_an_ordinary_message(site, event):
    a, b = subject(site, A), subject(site, B)
    for source in (FEED, Sender("pump-9")):
        taken = site.take(adt(event, pid(A), pv1("V1^^^HOSP"), mrg(B)), source)
        assert (taken.subject, taken.refused, taken.findings) == (a, None, ())
    assert (subject(site, B), edges(site)) == (b, [])


def test_a_merge_does_not_read_the_prior_alternate_id(site):
    """MRG-2 holds other organisations' numbers; only A48 is about them."""
    taken = site.take(adt("A40", pid(A), mrg(B, id2=EXTERNAL_OLD)), FEED)
    assert taken.refused is None
    assert subject(site, EXTERNAL_OLD) != subject(site, A)
