"""Merges and changes of numbers: edges between the numbers' own subjects, undone in any order."""

import pytest
from tests.unit.patients.making import FEED, NOW, SITE, A, B, C, Site, adt, edges, mrg, oru, pid, pv1, subject

from oathward.core.db import read, write
from oathward.core.reasons import Reason
from oathward.patients import actions, resolver, sql
from oathward.patients.events import EVENTS, Verb
from oathward.patients.model import EdgeKind, IdentityMovedError


class TestMerge:
    @pytest.mark.parametrize("event", [e for e, v in EVENTS.items() if v is Verb.MERGE])
    def test_the_prior_number_is_the_survivor(self, site, event):
        a, b = subject(site, A), subject(site, B)
        prior = mrg("", id4=B) if event == "A39" else mrg(B)
        taken = site.take(adt(event, pid(A), prior), FEED)
        assert (taken.subject, taken.refused) == (a, None)
        assert subject(site, B) == subject(site, A) == a
        (edge,) = edges(site)
        assert (edge.kind, edge.child, edge.parent, edge.event) == (EdgeKind.MERGED, b, a, event)

    def test_identifiers_never_move(self, site):
        a, b = subject(site, A), subject(site, B)

        def stored():
            with read(site.engine) as db:
                return dict(db.exec_driver_sql("SELECT hash, subject FROM subject_identifier").all())

        before = stored()
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert stored() == before
        assert set(before.values()) == {a, b}

    def test_the_survivor_may_list_the_prior_number_too(self, site):
        site.take(adt("A28", pid(A)), FEED)
        site.take(adt("A28", pid(B)), FEED)
        assert site.take(adt("A40", pid(f"{A}~{B}"), mrg(B)), FEED).refused is None
        assert subject(site, A) == subject(site, B)

    def test_unknown_numbers_are_merged_before_anybody_used_them(self, site):
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert subject(site, A) == subject(site, B)

    def test_a_chain_and_its_reversal(self, site):
        a, b, c = (subject(site, x) for x in (A, B, C))
        site.take(adt("A40", pid(B), mrg(C)), FEED)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert {subject(site, x) for x in (A, B, C)} == {a}
        first = next(e for e in edges(site) if e.child == c)
        site.unmerge(first.id)
        assert [subject(site, x) for x in (A, B, C)] == [a, a, c]
        second = next(e for e in edges(site) if e.child == b)
        site.unmerge(second.id)
        assert [subject(site, x) for x in (A, B, C)] == [a, b, c]

    def test_the_same_merge_again_is_no_second_edge(self, site):
        a = subject(site, A)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        again = site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert (subject(site, B), again.refused, again.rows.edges) == (a, None, ())
        assert len(edges(site)) == 1

    @pytest.mark.parametrize("first", [0, 1])
    def test_back_to_front_both_stand_and_are_undone_in_any_order(self, site, first):
        a, b = subject(site, A), subject(site, B)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        site.take(adt("A40", pid(B), mrg(A)), FEED)
        assert subject(site, A) == subject(site, B) == a
        pair = edges(site)[::-1]
        assert [e.state for e in pair] == ["active", "idle"]
        site.unmerge(pair[first].id)
        assert subject(site, A) == subject(site, B)
        site.unmerge(pair[1 - first].id)
        assert (subject(site, A), subject(site, B)) == (a, b)

    @pytest.mark.parametrize("first", [0, 1])
    def test_a_number_merged_twice_stays_where_the_other_merge_put_it(self, site, first):
        a, b, c = (subject(site, x) for x in (A, B, C))
        site.take(adt("A40", pid(B), mrg(A)), FEED)
        site.take(adt("A40", pid(C), mrg(A)), FEED)
        assert {subject(site, x) for x in (A, B, C)} == {c}
        pair = edges(site)[::-1]
        assert [(e.child, e.parent) for e in pair] == [(a, b), (a, c)]
        site.unmerge(pair[first].id)
        assert [subject(site, x) for x in (A, B, C)] == [[c, b, c], [b, b, c]][first]

    def test_what_was_said_of_a_merged_number_stays_its_own_when_that_is_undone(self, site):
        """Visits, further numbers and kin said while it was merged are not left with the other person."""
        a, b = subject(site, A), subject(site, B)
        site.take(adt("A40", pid(B), mrg(A)), FEED)
        (merge,) = edges(site)
        said = adt("A08", pid(f"{A}~7^^^GOV^NI", "Quill^Iris", mother=C), pv1("V1^^^HOSP"))
        assert site.take(said, FEED).card == a
        quill = site.resolver._words.word("quill")
        assert quill in site.resolver.words_of(site.engine, b, site.now)
        assert subject(site, "7^^^GOV^NI") == b
        site.unmerge(merge.id)
        assert quill in site.resolver.words_of(site.engine, a, site.now)
        assert quill not in site.resolver.words_of(site.engine, b, site.now)
        assert subject(site, "7^^^GOV^NI") == site.take(oru("", "V1^^^HOSP")).subject == a
        (kin,) = edges(site, "child-of")
        assert (kin.child, kin.parent) == (a, subject(site, C))

    def test_what_an_undone_merge_parted_is_not_joined_by_a_list(self, site):
        """The feed may go on listing the old number beside the new one: two it spoke of are held, not joined."""
        subject(site, A), subject(site, B)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        site.unmerge(edges(site)[0].id)
        assert site.take(adt("A08", pid(f"{A}~{B}")), FEED).refused is Reason.PATIENT_AMBIGUOUS

    def test_a_merge_into_somebody_erased_meanwhile_is_not_written(self, engine):
        """Else the other patient would be sealed for a subject whose keys are gone."""
        one, two = Site(engine), Site(engine)
        a, _b = subject(one, A), subject(one, B)
        merge = one.resolve(adt("A40", pid(A), mrg(B)), FEED)
        with write(engine) as db:
            actions.forget(db, SITE, a, source="keeper", now_us=two.now)
        with pytest.raises(IdentityMovedError):
            one.commit(merge)
        one.resolver.rolled_back(merge)
        fresh = one.take(adt("A40", pid(A), mrg(B)), FEED).subject
        assert fresh == subject(one, A) == subject(one, B) != a

    def test_reverse_without_the_check_it_is(self, engine, monkeypatch):
        monkeypatch.setattr(sql, "named", lambda _db, _site, subjects: set(subjects))
        one = Site(engine)
        a, _b = subject(one, A), subject(one, B)
        merge = one.resolve(adt("A40", pid(A), mrg(B)), FEED)
        with write(engine) as db:
            actions.forget(db, SITE, a, source="keeper", now_us=NOW)
        one.commit(merge)
        assert subject(one, B) == a

    def test_a_process_that_starts_knows_the_same(self, engine, site):
        for text, prior in ((B, A), (C, A), (A, C)):
            site.take(adt("A40", pid(text), mrg(prior)), FEED)
        site.unmerge(edges(site)[1].id)
        before = [subject(site, x) for x in (A, B, C)]
        assert [subject(Site(engine), x) for x in (A, B, C)] == before

    def test_merges_of_one_millisecond_keep_their_order(self, site):
        taken = [site.resolver.resolve(site.engine, adt("A40", pid(x), mrg(A)), FEED, NOW) for x in (B, C)]
        site.commit(*taken)
        assert [e.parent for e in edges(site)[::-1]] == [t.subject for t in taken]
        assert subject(Site(site.engine), A) == taken[1].subject

    def test_it_stays_within_an_authority(self, site):
        a, other = subject(site, A), subject(site, "100001^^^CLINIC^MR")
        taken = site.take(adt("A40", pid(A), mrg("100001^^^CLINIC^MR")), FEED)
        assert taken.refused is Reason.MERGE_REFUSED
        assert (subject(site, A), subject(site, "100001^^^CLINIC^MR")) == (a, other)

    @pytest.mark.parametrize("prior", ["", "100002", "UNKNOWN^^^HOSP^MR", "1^^^HOSP^AN", A])
    def test_a_prior_that_names_nobody_else_merges_nobody(self, site, prior):
        taken = site.take(adt("A40", pid(A), mrg(prior)), FEED)
        assert taken.refused is Reason.MERGE_REFUSED
        assert edges(site) == []

    def test_several_merges_in_one_message(self, site):
        a, _b, c, _d = (subject(site, x) for x in (A, B, C, "100004^^^HOSP^MR"))
        taken = site.take(adt("A40", pid(A), mrg(B), pid(C), mrg("100004^^^HOSP^MR")), FEED)
        assert (taken.subject, taken.others) == (a, (c,))
        assert subject(site, B) == a
        assert subject(site, "100004^^^HOSP^MR") == c

    def test_later_messages_of_the_group_see_it_and_lose_it_if_it_fails(self, site):
        a, b = subject(site, A), subject(site, B)
        merge = site.resolve(adt("A40", pid(A), mrg(B)), FEED)
        assert site.resolve(oru(B)).subject == a
        site.resolver.rolled_back(merge)
        assert site.resolve(oru(B)).subject == b
        assert edges(site) == []

    def test_a_storm_is_a_finding_and_still_done(self, site):
        site.resolver = site.new_resolver(merges_us=(3, 60_000_000))
        found = [site.take(adt("A40", pid(A), mrg(f"2{n}^^^HOSP^MR")), FEED).findings for n in range(5)]
        assert found[:3] == [()] * 3
        assert found[4] == ("patient.merge-storm",)
        assert subject(site, "24^^^HOSP^MR") == subject(site, A)

    def test_john_doe_gets_his_name(self, site):
        doe = site.take(adt("A01", pid("T900001^^^HOSP^MRT", "Zzunidentified^Unnamed")), FEED)
        site.take(adt("A28", pid(A, "Quill^Iris")), FEED)
        site.take(adt("A40", pid(A), mrg("T900001^^^HOSP^MRT")), FEED)
        assert subject(site, "T900001^^^HOSP^MRT") == subject(site, A) != doe.subject


class TestChange:
    def test_both_numbers_name_the_same_subject_and_are_two_again_when_undone(self, site):
        a = subject(site, A)
        site.take(adt("A47", pid(B), mrg(A)), FEED)
        assert subject(site, A) == subject(site, B) == a
        (edge,) = edges(site)
        assert (edge.kind, edge.parent, edge.event) == (EdgeKind.MERGED, a, "A47")
        site.unmerge(edge.id)
        assert subject(site, B) != subject(site, A) == a

    def test_again_it_changes_nothing(self, site):
        for _ in range(2):
            site.take(adt("A47", pid(f"{B}~7^^^GOV^NI"), mrg(A)), FEED)
        assert subject(site, A) == subject(site, B) == subject(site, "7^^^GOV^NI")
        assert len(edges(site)) == 1

    def test_a_further_number_of_somebody_else_is_ambiguous(self, site):
        site.take(adt("A28", pid(B)), FEED)
        site.take(adt("A28", pid("7^^^GOV^NI")), FEED)
        taken = site.take(adt("A47", pid(f"{B}~7^^^GOV^NI"), mrg(A)), FEED)
        assert (taken.refused, edges(site)) == (Reason.PATIENT_AMBIGUOUS, [])

    def test_two_that_were_known_become_one_by_an_edge(self, site):
        subject(site, A)
        b = subject(site, B)
        site.take(adt("A47", pid(B), mrg(A)), FEED)
        assert subject(site, A) == subject(site, B) == b
        assert [e.kind for e in edges(site)] == [EdgeKind.MERGED]

    def test_across_authorities_it_is_refused(self, site):
        a = subject(site, A)
        assert site.take(adt("A47", pid("1^^^CLINIC^MR"), mrg(A)), FEED).refused is Reason.MERGE_REFUSED
        assert subject(site, A) == a != subject(site, "1^^^CLINIC^MR")

    def test_an_event_we_do_not_do_is_a_finding(self, site):
        a, b = subject(site, A), subject(site, B)
        taken = site.take(adt("A43", pid(A), mrg(B)), FEED)
        assert (taken.subject, taken.refused) == (a, Reason.MERGE_REFUSED)
        assert taken.findings == ("patient.event-unsupported",)
        assert subject(site, B) == b


def test_two_processes_that_merge_crosswise_do_not_make_a_circle(engine):
    one, two = Site(engine), Site(engine)
    for site in (one, two):
        subject(site, A), subject(site, B)
        site.refresh()
    a = one.resolve(adt("A40", pid(A), mrg(B)), FEED)
    b = two.resolve(adt("A40", pid(B), mrg(A)), FEED)
    one.commit(a)
    two.commit(b)
    for site in (one, two):
        site.refresh()
    third = Site(engine)
    assert len({subject(s, x) for s in (one, two, third) for x in (A, B)}) == 1
    assert sorted(e.state for e in edges(one)) == ["active", "idle"]


def test_two_processes_that_are_told_the_same_merge_write_it_once(engine):
    """Twice, it would have to be undone twice."""
    one, two = Site(engine), Site(engine)
    for site in (one, two):
        subject(site, A), subject(site, B)
    a, b = (site.resolve(adt("A40", pid(A), mrg(B)), FEED) for site in (one, two))
    one.commit(a)
    with pytest.raises(IdentityMovedError, match="IntegrityError"):
        two.commit(b)
    two.resolver.rolled_back(b)
    assert two.take(adt("A40", pid(A), mrg(B)), FEED).rows.edges == ()
    assert len(edges(one)) == 1


def test_reverse_without_that_check_twice(engine, monkeypatch):
    monkeypatch.setattr(sql, "standing", lambda *_: set())
    one, two = Site(engine), Site(engine)
    for site in (one, two):
        subject(site, A), subject(site, B)
    both = [(site, site.resolve(adt("A40", pid(A), mrg(B)), FEED)) for site in (one, two)]
    for site, resolution in both:
        site.commit(resolution)
    assert len(edges(one)) == 2


@pytest.mark.parametrize("looked", [True, False])
def test_a_merge_repeated_right_after_another_process_undid_it_is_not_lost(engine, monkeypatch, looked):
    """And, reverse: without a look at the edges of now it is taken for said before."""
    if not looked:
        monkeypatch.setattr(resolver, "TYING", frozenset())
    one, two = Site(engine), Site(engine)
    one.take(adt("A40", pid(A), mrg(B)), FEED)
    two.unmerge(edges(two)[0].id)
    one.take(adt("A40", pid(A), mrg(B)), FEED)
    one.refresh()
    assert (subject(one, A) == subject(one, B)) is looked
