"""What an authoritative source may say about identities, and what nobody may."""

import pytest
from tests.unit.patients.making import FEED, PUMP, SITE, Site, adt, message, mrg, oru, pid, pv1

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.patients import adt as doing
from oathward.patients import sql, state, views
from oathward.patients.events import EVENTS, Verb
from oathward.patients.model import EdgeKind

A, B, C = "100001^^^HOSP^MR", "100002^^^HOSP^MR", "100003^^^HOSP^MR"


def edges(site, kind=""):
    with read(site.engine) as db:
        return views.edges(db, SITE, kind=kind)


def subject(site, cx):
    return site.take(oru(cx)).subject


class TestUpsert:
    @pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
    def test_it_gives_a_card_identifiers_and_words(self, site, event):
        taken = site.take(adt(event, pid(f"{A}~7^^^GOV^NI", "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
        assert (taken.kind, taken.refused, taken.card) == ("known", None, True)
        assert taken.rows.words
        assert subject(site, "7^^^GOV^NI") == subject(site, A) == taken.subject

    def test_a_number_a_device_brought_is_taken_over(self, site):
        first = site.take(oru(A))
        assert site.take(adt("A28", pid(A, "Quill^Iris")), FEED).subject == first.subject
        assert site.kinds == ["subject.created"]

    def test_provisional_people_join_when_the_source_says_they_are_one(self, site):
        a, b = subject(site, A), subject(site, "7^^^GOV^NI")
        assert a != b
        taken = site.take(adt("A28", pid(f"{A}~7^^^GOV^NI")), FEED)
        assert subject(site, A) == subject(site, "7^^^GOV^NI") == taken.subject
        assert [e.kind for e in edges(site)] == [EdgeKind.JOINED]

    def test_two_established_people_are_ambiguous(self, site):
        site.take(adt("A28", pid(A)), FEED)
        site.take(adt("A28", pid("7^^^GOV^NI")), FEED)
        both = site.take(adt("A08", pid(f"{A}~7^^^GOV^NI")), FEED)
        assert (both.refused, both.kind, both.card) == (Reason.PATIENT_AMBIGUOUS, "holding", False)
        assert edges(site) == []

    def test_a_second_number_of_one_authority_is_not_believed_unless_listed_beside_the_first(self, site):
        site.take(adt("A28", pid(f"{A}~7^^^GOV^NI")), FEED)
        assert site.take(adt("A08", pid(f"{B}~7^^^GOV^NI")), FEED).refused is Reason.PATIENT_AMBIGUOUS
        assert site.take(adt("A08", pid(f"{A}~{C}~7^^^GOV^NI")), FEED).refused is None

    def test_reverse_without_that_check_two_people_with_one_shared_number_become_one(self, site, monkeypatch):
        monkeypatch.setattr(doing, "_second_number", lambda *_: False)
        first = site.take(adt("A28", pid(f"{A}~7^^^GOV^NI")), FEED)
        assert site.take(adt("A08", pid(f"{B}~7^^^GOV^NI")), FEED).subject == first.subject

    def test_without_a_usable_number_it_is_held(self, site):
        taken = site.take(adt("A01", pid("UNKNOWN^^^HOSP^MR", "Quill^Iris")), FEED)
        assert (taken.kind, taken.card) == ("holding", False)


class TestAuthority:
    @pytest.mark.parametrize("event", sorted(EVENTS))
    def test_from_another_source_nothing_is_done_and_the_message_flows(self, site, event):
        a, b = subject(site, A), subject(site, B)
        segments = [pid(f"{A}~9^^^GOV^NI", "Evil^Twin", mother=C), mrg(B)]
        taken = site.take(adt(event, *segments), PUMP)
        assert taken.refused is Reason.SOURCE_NOT_AUTHORITATIVE
        assert taken.findings == ("patient.source-not-authoritative",)
        assert (taken.subject, taken.kind, taken.card) == (a, "known", False)
        assert edges(site) == []
        assert subject(site, B) == b
        assert subject(site, "9^^^GOV^NI") != a

    def test_reverse_an_authoritative_source_would_merge(self, site):
        subject(site, A)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert edges(site) != []

    def test_other_events_of_any_source_are_ordinary(self, site):
        a = subject(site, A)
        for source in (PUMP, FEED):
            taken = site.take(adt("A02", pid(A)), source)
            assert (taken.subject, taken.refused, taken.card) == (a, None, False)


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

    def test_again_and_back_to_front_changes_nothing(self, site):
        a = subject(site, A)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        site.take(adt("A40", pid(B), mrg(A)), FEED)
        assert subject(site, B) == a
        assert len(edges(site)) == 1

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

    def test_a_storm_is_a_finding_and_still_done(self, site, monkeypatch):
        monkeypatch.setattr(state, "MERGES_PER_MINUTE_MAX", 3)
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
    def test_both_numbers_name_the_same_subject(self, site):
        a = subject(site, A)
        site.take(adt("A47", pid(B), mrg(A)), FEED)
        assert subject(site, A) == subject(site, B) == a
        assert edges(site) == []

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


class TestPairs:
    def test_linked_people_stay_two(self, site):
        taken = site.take(adt("A24", pid(A), pid(B)), FEED)
        assert (taken.refused, len(taken.others)) == (None, 1)
        assert subject(site, A) != subject(site, B)
        assert [e.kind for e in edges(site)] == [EdgeKind.LINKED]

    @pytest.mark.parametrize("pair", [(A, B), (B, A)])
    def test_unlinking_takes_it_back_in_either_order(self, site, pair):
        site.take(adt("A24", pid(A), pid(B)), FEED)
        site.take(adt("A24", pid(B), pid(A)), FEED)
        site.take(adt("A37", pid(pair[0]), pid(pair[1])), FEED)
        assert [e.state for e in edges(site)] == ["undone"]
        assert "subject.unlinked" in site.kinds
        site.take(adt("A24", pid(A), pid(B)), FEED)
        assert [e.state for e in edges(site)] == ["active", "undone"]

    def test_unlinking_strangers_is_a_finding(self, site):
        assert site.take(adt("A37", pid(A), pid(B)), FEED).findings == ("patient.link-unclear",)

    def test_a_link_of_one_is_refused(self, site):
        assert site.take(adt("A24", pid(A)), FEED).refused is Reason.MERGE_REFUSED

    def test_swapped_beds_concern_both(self, site):
        a, b = subject(site, A), subject(site, B)
        taken = site.take(adt("A17", pid(A), pv1("V1"), pid(B), pv1("V2")), FEED)
        assert (taken.subject, taken.others, taken.refused) == (a, (b,), None)

    @pytest.mark.parametrize("event", ["A17", "A24", "A37"])
    def test_from_another_source_they_still_concern_both(self, site, event):
        a, b = subject(site, A), subject(site, B)
        taken = site.take(adt(event, pid(A), pid(B)), PUMP)
        assert (taken.subject, taken.others) == (a, (b,))


class TestNewborn:
    def test_a_newborn_is_a_subject_of_its_own_with_an_edge_to_the_mother(self, site):
        mother = site.take(adt("A01", pid(A, "Quill^Iris")), FEED)
        baby = site.take(adt("A28", pid(B, "Quill^Baby", mother=A)), FEED)
        assert baby.subject != mother.subject
        (edge,) = edges(site)
        assert (edge.kind, edge.child, edge.parent) == (EdgeKind.CHILD_OF, baby.subject, mother.subject)
        site.take(adt("A08", pid(B, "Quill^Baby", mother=A)), FEED)
        assert len(edges(site)) == 1

    def test_a_shared_insurance_number_does_not_make_them_one(self, site):
        mother = site.take(adt("A01", pid(f"{A}~INS7^^^INSURER^HC", "Quill^Iris")), FEED)
        baby = site.take(adt("A28", pid(f"{B}~INS7^^^INSURER^HC", "Quill^Baby")), FEED)
        assert baby.refused is None
        assert baby.subject != mother.subject

    def test_a_mother_who_is_the_child_is_a_finding(self, site):
        assert site.take(adt("A28", pid(A, mother=A)), FEED).findings == ("patient.mother-is-child",)


class TestVisits:
    def test_a_holding_subject_joins_when_the_encounter_is_known(self, site):
        held = site.take(oru("", "V1^^^HOSP"))
        assert held.kind == "holding"
        known = site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
        now = site.take(oru("", "V1^^^HOSP"))
        assert (now.subject, now.kind) == (known.subject, "known")
        assert [(e.kind, e.child, e.parent) for e in edges(site)] == [
            (EdgeKind.JOINED, held.subject, known.subject)
        ]

    def test_so_does_one_with_a_local_number(self, site):
        held = site.take(oru("BED5", "V1^^^HOSP"))
        known = site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
        again = site.take(oru("BED5", "V1^^^HOSP"))
        assert held.subject != known.subject == again.subject
        assert again.kind == "known"

    def test_nobody_joins_by_a_local_encounter_number(self, site):
        held = site.take(oru("", "V1"))
        site.take(adt("A01", pid(A), pv1("V1")), FEED)
        assert site.take(oru("", "V1")).subject == held.subject

    def test_an_encounter_of_two_people_identifies_neither(self, site):
        mother = site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
        assert site.take(oru("", "V1^^^HOSP")).subject == mother.subject
        baby = site.take(adt("A01", pid(B), pv1("V1^^^HOSP")), FEED)
        unclear = site.take(oru("", "V1^^^HOSP"))
        assert unclear.kind == "holding"
        assert unclear.subject not in {mother.subject, baby.subject}
        assert [e.kind for e in edges(site)] == [EdgeKind.SHARES_VISIT]
        site.take(adt("A08", pid(A), pv1("V1^^^HOSP")), FEED)
        assert site.take(oru("", "V1^^^HOSP")).subject == unclear.subject

    @pytest.mark.parametrize(
        ("event", "segments"),
        [
            ("A35", [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")]),
            ("A41", [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")]),
            ("A49", [pid(A, account="N1^^^HOSP"), mrg(A, account="O1^^^HOSP")]),
        ],
    )
    def test_old_and_new_account_are_the_same_patients(self, site, event, segments):
        taken = site.take(adt(event, *segments), FEED)
        assert (taken.card, taken.refused) == (False, None)
        for account in ("N1^^^HOSP", "O1^^^HOSP"):
            assert site.take(message("ORU^R01", pid("", account=account))).subject == taken.subject

    def test_a_moved_visit_identifies_nobody_any_more(self, site):
        site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
        moved = site.take(adt("A45", pid(B), mrg(A, visit="V1^^^HOSP"), pv1("V1^^^HOSP")), FEED)
        assert moved.refused is None
        assert site.take(oru("", "V1^^^HOSP")).kind == "holding"

    def test_devices_cannot_claim_encounters(self, site):
        site.take(oru(A, "V1^^^HOSP"))
        assert site.take(oru("", "V1^^^HOSP")).kind == "holding"


def test_every_change_leaves_a_record(site):
    site.take(adt("A01", pid(A, mother=B), pv1("V1^^^HOSP")), FEED)
    site.take(adt("A40", pid(A), mrg(C)), FEED)
    site.take(adt("A24", pid(A), pid(B)), FEED)
    site.take(adt("A08", pid(f"{A}~7^^^GOV^NI")), FEED)
    assert set(site.kinds) == {
        "subject.created",
        "subject.identified",
        "subject.related",
        "subject.merged",
        "subject.linked",
    }


def test_records_hold_no_value_of_a_message(site):
    taken = [
        site.take(adt("A01", pid("31415926^^^HOSP^MR", "Quill^Iris", mother="27182818^^^HOSP^MR")), FEED),
        site.take(adt("A40", pid("31415926^^^HOSP^MR"), mrg("16180339^^^HOSP^MR")), FEED),
    ]
    text = repr([(t.records, t.rows, t.findings) for t in taken])
    assert not any(v in text for v in ("31415926", "27182818", "16180339", "Quill", "Iris"))


def test_two_processes_that_merge_crosswise_do_not_make_a_circle(engine):
    one, two = Site(engine), Site(engine)
    for site in (one, two):
        subject(site, A), subject(site, B)
        site.refresh()
    a = one.resolve(adt("A40", pid(A), mrg(B)), FEED)
    b = two.resolve(adt("A40", pid(B), mrg(A)), FEED)
    one.commit(a)
    with pytest.raises(Exception, match="IntegrityError"):
        two.commit(b)
    two.resolver.rolled_back(b)
    two.refresh()
    two.take(adt("A40", pid(B), mrg(A)), FEED)
    one.refresh()
    assert {subject(s, x) for s in (one, two) for x in (A, B)} == {a.subject}
    with read(engine) as db:
        assert sql.edge_count(db, SITE) == 1
