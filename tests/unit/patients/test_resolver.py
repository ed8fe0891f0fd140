"""Whom an ordinary message is about, and that pending and cached answers stay true."""

import pytest
from tests.unit.patients.making import FEED, PUMP, Sender, Site, adt, message, mrg, oru, pid, pv1

from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.core.words import token_of
from oathward.patients import ordinary, sql, state
from oathward.patients.model import IdentityMovedError, Stranger

A, B = "100001^^^HOSP^MR", "100002^^^HOSP^MR"


def test_the_same_number_is_the_same_subject(site):
    first = site.take(oru(A))
    assert first.kind == "known"
    assert first.refused is None
    assert [r.kind for r in first.records] == ["subject.created"]
    again = site.resolve(oru(A, name="Other^Name"))
    assert (again.subject, again.ticket, again.records) == (first.subject, 0, ())
    assert site.resolve(oru(A), Sender("pump-2")).subject == first.subject


def test_the_same_number_at_two_authorities_is_two_subjects(site):
    assert site.take(oru("1^^^HOSP^MR")).subject != site.take(oru("1^^^CLINIC^MR")).subject


def test_and_one_if_authorities_were_not_looked_at(site, monkeypatch):
    """Reverse: the hash is what keeps them apart."""
    hasher = type(site.resolver._hasher)
    real = hasher._hash
    monkeypatch.setattr(
        hasher, "_hash", lambda self, p, size, *parts: real(self, p, size, parts[0], *parts[-2:])
    )
    assert site.take(oru("1^^^HOSP^MR")).subject == site.take(oru("1^^^CLINIC^MR")).subject


def test_two_sites_in_one_database_do_not_share_subjects(engine):
    north, south = Site(engine), Site(engine, "south")
    assert north.take(oru(A)).subject != south.take(oru(A)).subject


def test_a_device_cannot_tie_two_numbers_together(site):
    both = site.take(oru(f"{A}~2^^^GOV^NI"))
    assert site.take(oru("2^^^GOV^NI")).subject != both.subject
    assert site.resolve(oru(A)).subject == both.subject


def test_numbers_of_two_people_are_ambiguous_and_held(site):
    a, b = site.take(oru(A)), site.take(oru(B))
    held = site.take(oru(f"{A}~{B}"))
    assert (held.refused, held.kind) == (Reason.PATIENT_AMBIGUOUS, "holding")
    assert held.subject not in {a.subject, b.subject}
    assert held.findings == ("patient.ambiguous",)
    assert site.take(oru(f"{B}~{A}")).subject == held.subject


class TestHolding:
    def test_no_patient_is_one_subject_per_device_and_encounter(self, site):
        def who(visit, sender):
            return site.take(oru("", visit), sender).subject

        one, two = Sender("pump-1"), Sender("pump-2")
        assert who("V1^^^HOSP", one) == who("V1^^^HOSP", one)
        assert (
            len(
                {
                    who("V1^^^HOSP", one),
                    who("V2^^^HOSP", one),
                    who("V1^^^HOSP", two),
                    who("", one),
                    who("", two),
                }
            )
            == 5
        )

    def test_a_message_without_pid_is_the_devices_own(self, site):
        a = site.take(message("ORU^R01", "OBR|1", "OBX|1|NM|x||7"))
        b = site.take(oru("", name="^^^^^^U"))
        assert a.subject == b.subject
        assert a.kind == "holding"

    def test_a_number_without_authority_means_something_on_its_device_only(self, site):
        one, two = site.take(oru("55")), site.take(oru("55"), Sender("pump-2"))
        assert one.kind == two.kind == "holding"
        assert one.subject != two.subject
        assert site.take(oru("56")).subject != one.subject

    def test_a_bed_number_used_as_patient_number_is_another_patient_in_another_encounter(self, site):
        assert site.take(oru("BED5", "V1^^^HOSP")).subject != site.take(oru("BED5", "V2^^^HOSP")).subject

    def test_with_a_configured_authority_it_is_known(self, site):
        known = site.take(oru(A))
        configured = Sender("pump-9", "HOSP", "MR")
        assert site.take(oru("100001"), configured).subject == known.subject

    def test_strangers_share_one_and_make_nobody_known(self, site):
        a, b = site.take(oru(A), Stranger()), site.take(oru(B), Stranger())
        assert a.subject == b.subject
        assert a.kind == "holding"


class TestSeveral:
    def test_two_people_in_one_result_are_refused(self, site):
        both = message("ORU^R01", pid(A), "OBX|1", pid(B), "OBX|2")
        assert site.resolve(both).refused is Reason.PATIENTS_SEVERAL

    def test_one_person_twice_is_one(self, site):
        known = site.take(oru(A))
        twice = message("ORU^R01", pid(A), "OBX|1", pid(A), "OBX|2")
        resolution = site.resolve(twice)
        assert (resolution.refused, resolution.subject) == (None, known.subject)

    def test_a_pid_that_only_looks_like_one_is_no_patient(self, site):
        known = site.take(oru(A))
        assert site.resolve(message("ORU^R01", pid(A), "NTE|1||PID|2|x", "PIDX|1")).subject == known.subject


class TestPending:
    def test_two_messages_of_one_group_share_a_new_subject(self, site):
        first, second = site.resolve(oru(A)), site.resolve(oru(A), Sender("pump-2"))
        assert first.subject == second.subject
        site.commit(first, second)
        assert site.kinds == ["subject.created"]
        assert site.resolve(oru(A)).ticket == 0

    def test_the_second_brings_the_subject_when_the_first_fails(self, site):
        first, second = site.resolve(oru(A)), site.resolve(oru(A), Sender("pump-2"))
        site.resolver.rolled_back(first)
        third = site.resolve(oru(A))
        assert third.subject == first.subject
        site.commit(second)
        site.commit(third)
        with read(site.engine) as db:
            assert sql.subject_row(db, first.subject) is not None

    def test_after_all_failed_it_is_somebody_new(self, site):
        first, second = site.resolve(oru(A)), site.resolve(oru(A))
        site.resolver.rolled_back(first)
        site.resolver.rolled_back(second)
        assert site.resolve(oru(A)).subject != first.subject

    def test_settling_twice_does_nothing(self, site):
        first = site.resolve(oru(A))
        site.commit(first)
        site.resolver.rolled_back(first)
        assert site.resolve(oru(A)).subject == first.subject

    def test_what_nobody_settles_does_not_fill_the_memory(self, site, monkeypatch):
        monkeypatch.setattr(state, "TICKETS_MAX", 10)
        forgotten = site.resolve(adt("A40", pid(A), mrg(B)), FEED)
        for n in range(50):
            site.resolve(oru(f"{n}5^^^HOSP^MR"))
        kept = site.resolver._state
        assert (len(kept._tickets), len(kept._open_ids), len(kept._open_edges)) == (10, 10, 0)
        site.commit(forgotten)
        site.refresh()
        assert site.take(oru(A)).subject == site.take(oru(B)).subject == forgotten.subject

    def test_nothing_stays_behind(self, site):
        left = site.resolver._state
        for n in range(20):
            resolutions = [site.resolve(oru(f"{n}5^^^HOSP^MR")) for _ in range(3)]
            site.commit(*resolutions[1:])
            site.resolver.rolled_back(resolutions[0])
        assert (left._open_ids, left._tickets, left._open_edges) == ({}, {}, set())


class TestOtherProcesses:
    def test_a_number_another_process_took_meanwhile_is_noticed(self, engine):
        one, two = Site(engine), Site(engine)
        a, b = one.resolve(oru(A)), two.resolve(oru(A))
        one.commit(a)
        with pytest.raises(IdentityMovedError):
            two.commit(b)
        two.resolver.rolled_back(b)
        assert two.take(oru(A)).subject == a.subject

    def test_a_merge_of_another_process_counts_after_refresh(self, engine):
        one, two = Site(engine), Site(engine)
        for site in (one, two):
            site.take(oru(A))
            site.take(oru(B))
        one.take(adt("A40", pid(A), mrg(B)), FEED)
        assert two.resolve(oru(A)).subject != two.resolve(oru(B)).subject
        assert two.refresh()
        assert two.resolve(oru(A)).subject == two.resolve(oru(B)).subject
        assert not two.refresh()

    def test_own_edges_need_no_reload(self, site):
        site.take(oru(A))
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        assert not site.refresh()

    def test_what_was_unknown_is_asked_again_after_refresh(self, engine):
        """A cached answer that rested on an unknown number is true only for a moment."""
        one, two = Site(engine), Site(engine)
        one.take(oru(A))
        both = oru(f"{A}~7^^^GOV^NI")
        assert two.resolve(both).refused is None
        one.take(oru("7^^^GOV^NI"))
        two.refresh()
        assert two.resolve(both).refused is Reason.PATIENT_AMBIGUOUS

    def test_reverse_a_remembered_absence_would_hide_the_second_person(self, engine, monkeypatch):
        one, two = Site(engine), Site(engine)
        one.take(oru(A))
        monkeypatch.setattr(
            ordinary.Work, "missed", property(lambda _: False, lambda _s, _v: None), raising=False
        )
        both = oru(f"{A}~7^^^GOV^NI")
        two.resolve(both)
        one.take(oru("7^^^GOV^NI"))
        two.refresh()
        assert two.resolve(both).refused is None


class TestHotPath:
    def test_it_does_not_read_the_database_again(self, site, monkeypatch):
        site.take(oru(A, "V1^^^HOSP"))
        site.resolve(oru(A, "V1^^^HOSP"))
        monkeypatch.setattr(site, "engine", None)
        assert site.resolve(oru(A, "V1^^^HOSP")).kind == "known"

    @pytest.mark.parametrize(
        "other",
        [
            oru(B),
            oru(A, "V2^^^HOSP"),
            oru(A, account="9^^^HOSP"),
            message("ORU^R01", pid("", _2=A)),
            message("ORU^R01", pid("", _4=A)),
        ],
        ids=["PID-3", "PV1-19", "PID-18", "PID-2", "PID-4"],
    )
    def test_every_identifying_field_is_in_the_key(self, site, other):
        key = site.resolver._key
        assert key(oru(A, "V1^^^HOSP"), PUMP) != key(other, PUMP)
        assert key(other, PUMP) == key(other, PUMP)

    def test_the_sources_settings_are_in_the_key(self, site):
        keys = {
            site.resolver._key(oru("1"), s)
            for s in (Sender("a"), Sender("b"), Sender("a", "HOSP"), Sender("a", "HOSP", "MR"))
        }
        assert len(keys) == 4

    def test_unusual_separators_are_read_with_care(self, site):
        known = site.take(oru(A))
        odd = message("ORU^R01".replace("^", "$"), pid(A.replace("^", "$")), separators="$~\\&")
        assert site.resolver._key(odd, PUMP) is None
        assert site.resolve(odd).subject == known.subject

    def test_no_identifier_is_held_in_memory(self, site):
        site.take(oru("31415926^^^HOSP^MR", "V27182818^^^HOSP"))
        site.resolve(oru("31415926^^^HOSP^MR", "V27182818^^^HOSP"))
        kept = site.resolver._state
        held = repr([kept.hot._young, kept._known._young, site.resolver._prefixes])
        assert "31415926" not in held
        assert "27182818" not in held


class TestWords:
    def test_a_new_number_is_known_as_another_patients(self, site):
        a, b = site.take(oru(A)), site.take(oru(B))
        token = site.resolver._words.token(token_of("100001"))
        nobody = site.resolver._words.token("987654")
        foreign = site.resolver.foreign
        assert foreign(site.engine, [token, nobody], b.subject) == {token}
        assert foreign(site.engine, [token, nobody], a.subject) == frozenset()

    def test_after_a_merge_it_is_ones_own(self, site):
        site.take(oru(A))
        b = site.take(oru(B))
        token = site.resolver._words.token("100001")
        site.take(adt("A40", pid(B), mrg(A)), FEED)
        assert site.resolver.foreign(site.engine, [token], b.subject) == frozenset()

    def test_card_words_are_those_of_the_whole_family(self, site):
        first = site.take(adt("A28", pid(A, "Quill^Iris")), FEED)
        site.take(adt("A28", pid(B, "Vexler^Iris")), FEED)
        site.take(adt("A40", pid(A), mrg(B)), FEED)
        words = site.resolver.words_of(site.engine, first.subject, site.now)
        assert {site.resolver._words.word(w) for w in ("quill", "vexler", "iris")} <= words

    def test_a_changed_name_shows_at_once(self, site):
        first = site.take(adt("A28", pid(A, "Quill^Iris")), FEED)
        site.resolver.words_of(site.engine, first.subject, site.now)
        site.take(adt("A08", pid(A, "Marbeck^Iris")), FEED)
        words = site.resolver.words_of(site.engine, first.subject, site.now)
        assert site.resolver._words.word("marbeck") in words

    def test_the_same_card_is_written_once(self, site):
        site.take(adt("A28", pid(A, "Quill^Iris")), FEED)
        assert site.resolve(adt("A08", pid(A, "Quill^Iris")), FEED).rows.words == ()


def test_visits_of_the_feed_identify_for_devices(site):
    known = site.take(adt("A01", pid(A), pv1("V1^^^HOSP^VN")), FEED)
    assert site.take(oru("", "V1^^^HOSP^VN")).subject == known.subject


def test_a_visit_before_and_after_a_patient_is_read_in_one_way_seen_before_or_not(site):
    """The memory of what was seen must look where the resolver looks: else B's message is A's."""
    site.take(adt("A01", pid("A1^^^H^MR", account="VA^^^H^AN"), pv1("VA^^^H")), FEED)
    site.take(adt("A01", pid("B1^^^H^MR", account="VB^^^H^AN"), pv1("VB^^^H")), FEED)
    a, b = site.take(oru("A1^^^H^MR")).subject, site.take(oru("B1^^^H^MR")).subject

    def two(visit):
        return message("ORU^R01", pv1("X^^^H"), pid(""), pv1(visit), "OBR|1", "OBX|1|NM|x||7")

    for _ in range(2):
        assert site.take(two("VA^^^H")).subject == a
    assert site.take(two("VB^^^H")).subject == b
