"""Undoing, registering and forgetting: recorded, reversible where it says so, final where it says so."""

import pytest
from tests.unit.patients.making import FEED, KEY, NOW, SITE, Site, adt, mrg, oru, pid, pv1

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import append
from oathward.patients import actions, sql, views
from oathward.patients.identifiers import Hasher, from_cx
from oathward.vault import cards
from oathward.vault.cards import Card

A, B = "100001^^^HOSP^MR", "100002^^^HOSP^MR"
HASHER = Hasher(KEY, SITE)


def kinds(engine):
    with read(engine) as db:
        return [kind for (kind,) in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx")]


@pytest.fixture
def merged(site):
    site.take(oru(B))
    site.take(adt("A40", pid(A), mrg(B)), FEED)
    with read(site.engine) as db:
        return views.edges(db, SITE)[0]


class TestUnmerge:
    def test_it_is_recorded_and_seen(self, site, merged):
        site.unmerge(merged.id)
        assert site.take(oru(B)).subject == merged.child
        assert kinds(site.engine)[-1] == "subject.unmerged"

    def test_twice_is_a_conflict(self, site, merged):
        site.unmerge(merged.id)
        with pytest.raises(InputError) as error:
            site.unmerge(merged.id)
        assert error.value.reason is Reason.CONFLICT

    def test_what_is_not_there_is_not_found(self, site):
        with pytest.raises(InputError) as error:
            site.unmerge("nothing")
        assert error.value.reason is Reason.NOT_FOUND

    def test_undoing_cannot_be_undone(self, site, merged):
        site.unmerge(merged.id)
        with read(site.engine) as db:
            undo = next(e for e in sql.edges(db, SITE) if e.undoes)
        with pytest.raises(InputError):
            site.unmerge(undo.id)

    def test_another_site_does_not_see_it(self, engine, site, merged):
        with pytest.raises(InputError):
            Site(engine, "south").unmerge(merged.id)


class TestRegister:
    def register(self, engine, *texts):
        with write(engine) as db:
            return actions.register(
                db, SITE, HASHER, [from_cx(t, HASHER) for t in texts], by="me", now_us=NOW
            )

    def test_a_device_finds_who_was_registered(self, site):
        (subject,) = self.register(site.engine, A)
        assert site.take(oru(A)).subject == subject
        assert kinds(site.engine) == ["subject.created"]

    def test_who_is_known_stays(self, site):
        known = site.take(oru(A)).subject
        first, second, third = self.register(site.engine, A, B, B)
        assert first == known
        assert second == third

    def test_a_merged_number_gives_the_survivor(self, site, merged):
        assert self.register(site.engine, B) == [merged.parent]
        with read(site.engine) as db:
            assert views.find(db, SITE, HASHER, from_cx(B, HASHER)) == merged.parent
            assert views.find(db, SITE, HASHER, from_cx("9^^^X", HASHER)) is None


class TestForget:
    def forget(self, engine, subject):
        with write(engine) as db:
            count, leaf = actions.forget(db, SITE, subject, source="keeper", now_us=NOW)
            append(db, SITE, [leaf])
        return count

    def test_a_returning_person_is_somebody_new_in_every_process(self, engine, site, merged):
        other = Site(engine)
        other.take(oru(A))
        site.take(adt("A08", pid(A, "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
        assert self.forget(engine, merged.child) == 3
        for process in (site, other):
            process.refresh()
        fresh = site.take(oru(A)).subject
        assert fresh not in {merged.child, merged.parent}
        assert other.resolve(oru(A)).subject == fresh
        assert site.take(oru(B)).subject not in {fresh, merged.child, merged.parent}

    def test_nothing_of_the_person_stays(self, engine, site, merged):
        site.take(adt("A08", pid(A, "Quill^Iris"), pv1("V1^^^HOSP")), FEED)
        with write(engine) as db:
            actions.put_card(db, SITE, Card(merged.parent, "m", "k", b"x", "feed", NOW))
        self.forget(engine, merged.parent)
        with read(engine) as db:
            tables = ("subject_identifier", "subject_word", "subject_card")
            assert [db.exec_driver_sql(f"SELECT COUNT(*) FROM {t}").scalar() for t in tables] == [0, 0, 0]

    def test_nobody_is_not_found(self, engine, site):
        with pytest.raises(InputError):
            self.forget(engine, "nobody")


def test_the_newest_card_stands(site):
    subject = site.take(adt("A28", pid(A)), FEED).subject
    for n in (1, 2):
        with write(site.engine) as db:
            actions.put_card(db, SITE, Card(subject, f"m{n}", f"k{n}", b"%d" % n, "feed", NOW + n))
    with read(site.engine) as db:
        row = cards.newest(db, SITE, [subject])
        assert (row.key_id, bytes(row.sealed)) == ("k2", b"2")
        assert views.counts(db, SITE) == {"known": 1, "edges": 0}
        assert views.family(db, SITE, subject) == (subject,)


class TestRegisterTogether:
    """What a file of a folder says belongs together."""

    def told(self, site, *ids):
        identifiers = [from_cx(one, HASHER) for one in ids]
        with write(site.engine) as db:
            [found] = actions.register_together(db, SITE, HASHER, [identifiers], by="job", now_us=NOW)
        return found

    def test_of_many_told_at_once_each_is_whom_one_after_the_other_would_be(self, site):
        c, d = "77^^^CITY^MR", "88^^^CITY^PI"
        many = [(A,), (A, c), (c, d), (d,), (A, B), (A,), (A, c), (B,)]
        told = [[from_cx(one, HASHER) for one in ids] for ids in many]
        with write(site.engine) as db:
            found = actions.register_together(db, SITE, HASHER, told, by="job", now_us=NOW)
        alone = [self.told(site, *(f"1{one}" for one in ids)) for ids in many]
        assert [found.index(one) for one in found] == [alone.index(one) for one in alone]
        assert [found.index(one) for one in found] == [0, 0, 2, 2, 4, 0, 4, 7]
        assert (found[4], alone[4]) == (None, None)
        with read(site.engine) as db:
            assert views.counts(db, SITE)["known"] == 2 * 3

    def test_numbers_of_two_authorities_are_one_patient_whom_each_leads_to(self, site):
        found = self.told(site, A, "77^^^CITY^MR")
        assert found == self.told(site, "77^^^CITY^MR") == self.told(site, A)

    @pytest.mark.parametrize(
        "known", [(), (A,), (B,)], ids=["nobody known", "the first known", "the second known"]
    )
    def test_two_numbers_of_one_authority_are_nobodys_whoever_is_known(self, site, known):
        for one in known:
            self.told(site, one)
        assert self.told(site, A, B) is None
        assert self.told(site, A) != self.told(site, B)

    def test_two_numbers_of_one_authority_that_somebody_merged_are_one_patients(self, site, merged):
        assert self.told(site, A, B) == self.told(site, A)
