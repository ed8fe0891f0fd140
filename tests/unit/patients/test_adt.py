"""What an authoritative source may say about identities, and what nobody may."""

import pytest
from tests.unit.patients.making import (
    FEED,
    PUMP,
    A,
    B,
    C,
    adt,
    edges,
    message,
    mrg,
    oru,
    pid,
    pv1,
    subject,
)

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.patients import adt as doing
from oathward.patients.events import EVENTS
from oathward.patients.model import EdgeKind


class TestUpsert:
    @pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
    def test_it_gives_a_card_identifiers_and_words(self, site, event):
        taken = site.take(adt(event, pid(f"{A}~7^^^GOV^NI", "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
        assert (taken.kind, taken.refused, taken.card) == ("known", None, taken.subject)
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
        assert (both.refused, both.kind, both.card) == (Reason.PATIENT_AMBIGUOUS, "holding", "")
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
        assert (taken.kind, taken.card) == ("holding", "")


class TestAuthority:
    @pytest.mark.parametrize("event", sorted(EVENTS))
    def test_from_another_source_nothing_is_done_and_the_message_flows(self, site, event):
        a, b = subject(site, A), subject(site, B)
        segments = [pid(f"{A}~9^^^GOV^NI", "Evil^Twin", mother=C), mrg(B)]
        taken = site.take(adt(event, *segments), PUMP)
        assert taken.refused is Reason.SOURCE_NOT_AUTHORITATIVE
        assert taken.findings == ("patient.source-not-authoritative",)
        assert (taken.subject, taken.kind, taken.card) == (a, "known", "")
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
            assert (taken.subject, taken.refused, taken.card) == (a, None, "")


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

    def test_a_link_is_taken_back_by_whoever_stands_for_them_now(self, site):
        site.take(adt("A24", pid(A), pid(B)), FEED)
        site.take(adt("A40", pid(C), mrg(A)), FEED)
        site.take(adt("A37", pid(C), pid(B)), FEED)
        assert [e.state for e in edges(site, "linked")] == ["undone"]

    def test_a_link_outlives_an_undone_merge(self, site):
        site.take(adt("A40", pid(C), mrg(A)), FEED)
        site.take(adt("A24", pid(A), pid(B)), FEED)
        site.unmerge(edges(site, "merged")[0].id)
        (link,) = edges(site, "linked")
        assert (link.child, link.parent, link.state) == (subject(site, A), subject(site, B), "active")

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
        assert (taken.card, taken.refused) == ("", None)
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


def test_the_feed_may_name_a_patient_by_a_visit_alone(site):
    """What it says then is of the subject that the visit names, and of nobody else."""
    known = site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
    by_visit = site.take(adt("A08", pid("", "Quill^Iris", account="N1^^^HOSP"), pv1("V1^^^HOSP")), FEED)
    assert (by_visit.subject, by_visit.card, by_visit.refused) == (known.subject, known.subject, None)
    assert {s for s, *_ in by_visit.rows.words} == {known.subject}
    assert site.take(message("ORU^R01", pid("", account="N1^^^HOSP"))).subject == known.subject


def test_nothing_is_said_of_a_subject_without_a_name(site):
    site.take(oru("BED5", "V1^^^HOSP"))
    site.take(adt("A01", pid(A), pv1("V1^^^HOSP")), FEED)
    for segments in ([pid("", "Quill^Iris")], [pid("BED5", "Quill^Iris"), pv1("V1^^^HOSP")], [pid("")]):
        taken = site.take(adt("A08", *segments), FEED)
        assert "" not in {s for s, *_ in taken.rows.words} | {i.subject for i in taken.rows.identifiers}
        assert taken.card == "" or taken.kind == "known"
    with read(site.engine) as db:
        rows = db.exec_driver_sql("SELECT COUNT(*) FROM subject_identifier WHERE subject = ''").scalar()
        assert rows == 0


def test_two_whom_nobody_knows_are_not_linked(site):
    taken = site.take(adt("A24", pid("7"), pid("8")), FEED)
    assert (taken.refused, taken.findings) == (Reason.MERGE_REFUSED, ("patient.link-unclear",))


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
