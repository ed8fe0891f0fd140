"""One assigning authority written in several ways: one patient where the site declared it, told of where not."""

import pytest
from tests.unit.patients.making import FEED, KEY, NOW, SITE, Sender, Site, adt, mrg, oru, pid, pv1

from oathward.core.authorities import Authorities
from oathward.core.db import read, write
from oathward.core.reasons import Reason
from oathward.patients import actions, declared, views
from oathward.patients.identifiers import Hasher, Reading, from_cx
from oathward.patients.model import EdgeKind

TABLE = Authorities({"HOSP": ["HOSPITAL", "1.2.3"]})
BY_NAME, BY_ID, BY_BOTH = "100001^^^HOSP^MR", "100001^^^&1.2.3&ISO^MR", "100001^^^HOSP&1.2.3&ISO^MR"
SPELLINGS = [
    BY_NAME,
    BY_ID,
    BY_BOTH,
    "100001^^^hospital^MR",
    "100001^^^&urn:oid:1.2.3&ISO^MR",
    "100001^^^1.2.3^MR",
]
UNDECLARED = "patient.authority-undeclared"


def with_table(engine, table=TABLE):
    site = Site(engine)
    site.resolver = site.new_resolver(authorities=table)
    return site


@pytest.fixture
def declaring(engine):
    return with_table(engine)


def subject(site, cx):
    return site.take(oru(cx)).subject


def edges(site):
    with read(site.engine) as db:
        return views.edges(db, SITE)


def test_each_spelling_is_one_subject(declaring):
    assert len({subject(declaring, cx) for cx in SPELLINGS}) == 1
    assert all(declaring.resolve(oru(cx)).findings == () for cx in SPELLINGS)


def test_reverse_without_the_setting_they_are_several(site):
    assert subject(site, BY_NAME) != subject(site, BY_ID)
    assert subject(site, BY_BOTH) == subject(site, BY_ID)


def test_an_encounter_too(declaring):
    known = declaring.take(adt("A01", pid(BY_NAME), pv1("V1^^^HOSP^VN")), FEED).subject
    assert declaring.take(oru("", "V1^^^&1.2.3&ISO^VN")).subject == known


def test_a_merge_may_name_its_authority_in_two_ways(declaring):
    taken = declaring.take(adt("A40", pid(BY_ID), mrg("100002^^^HOSP^MR")), FEED)
    assert taken.refused is None
    assert subject(declaring, "100002^^^HOSP^MR") == subject(declaring, BY_NAME)


def test_reverse_undeclared_it_is_refused(site):
    assert site.take(adt("A40", pid(BY_ID), mrg("100002^^^HOSP^MR")), FEED).refused is Reason.MERGE_REFUSED


class TestUndeclared:
    def test_seen_together_it_is_told_once_a_device(self, site):
        assert site.take(oru(BY_BOTH)).findings == (UNDECLARED,)
        assert site.take(oru(BY_BOTH)).findings == ()
        assert site.take(oru("7^^^HOSP&1.2.3&ISO^MR")).findings == ()
        assert site.take(oru(BY_BOTH), Sender("pump-2")).findings == (UNDECLARED,)
        assert site.take(adt("A01", pid("8^^^LAB&9.9.9&ISO^MR")), FEED).findings == (UNDECLARED,)

    @pytest.mark.parametrize("cx", [BY_NAME, BY_ID, "100001^^^HOSP&1.2.3&ISO^SS", "^^^HOSP&1.2.3&ISO^MR"])
    def test_one_name_or_a_number_that_does_not_identify_is_no_finding(self, site, cx):
        assert site.take(oru(cx)).findings == ()

    def test_declared_elsewhere_is_not_declared_here(self, engine):
        site = with_table(engine, Authorities({"HOSP": ["HOSPITAL"], "OTHER": ["1.2.3"]}))
        taken = site.take(oru(BY_BOTH))
        assert taken.findings == (UNDECLARED,)
        assert taken.subject == subject(site, "100001^^^OTHER^MR") != subject(site, BY_NAME)

    def test_what_is_remembered_of_it_is_bounded_and_holds_no_name(self, site, monkeypatch):
        monkeypatch.setattr("oathward.patients.state.APART_MAX", 3)
        found = [site.take(oru(f"{n}5^^^N{n}&1.2.{n}&ISO^MR")).findings for n in range(1, 6)]
        assert found == [(UNDECLARED,)] * 3 + [()] * 2
        assert "N1" not in repr(site.resolver._state._apart)

    def test_the_finding_holds_no_name(self, site):
        taken = site.take(oru("100001^^^SECRETLAB&1.2.3&ISO^MR"))
        assert "SECRETLAB" not in repr((taken.findings, taken.records))


class TestNoDeviceChoosesByIt:
    """What names no authority gets none by the table; a device's own numbers stay its own."""

    @pytest.mark.parametrize(
        "cx", ["100001", "100001^^^^MR", '100001^^^""^MR', "100001^^^&&^MR", "100001^^^&&ISO^MR"]
    )
    def test_a_number_without_authority_stays_local(self, engine, cx):
        site = with_table(engine, Authorities({"HOSP": ["pump-1", "1.2.3"]}))
        known = subject(site, BY_NAME)
        taken = site.take(oru(cx))
        assert (taken.kind, taken.subject == known) == ("holding", False)

    def test_the_devices_configured_authority_is_read_by_the_table(self, declaring):
        known = subject(declaring, BY_NAME)
        for name in ("1.2.3", "hospital", "&1.2.3&ISO"):
            assert declaring.take(oru("100001"), Sender(f"p-{name}", name, "MR")).subject == known

    def test_a_namespace_that_spells_our_name_of_an_id_is_not_it(self, declaring):
        assert subject(declaring, "100001^^^ISO:1.2.3^MR") != subject(declaring, BY_NAME)

    def test_a_device_cannot_declare(self, declaring):
        """However often it names two together, they stay two."""
        for _ in range(3):
            declaring.take(oru("5^^^EVIL&1.2.3&ISO^MR"))
        assert subject(declaring, "100001^^^EVIL^MR") != subject(declaring, BY_NAME)


class TestDeclaredLater:
    def test_a_number_kept_under_another_name_is_taken_over(self, engine, site):
        before = subject(site, BY_ID)
        later = with_table(engine)
        assert subject(later, BY_NAME) == subject(later, BY_BOTH) == before
        assert edges(later) == []

    def test_two_that_were_kept_apart_become_one_by_an_edge(self, engine, site):
        name, id_ = subject(site, BY_NAME), subject(site, BY_ID)
        later = with_table(engine)
        assert subject(later, BY_ID) == subject(later, BY_NAME) == name
        (edge,) = edges(later)
        assert (edge.kind, edge.child, edge.parent, edge.event) == (
            EdgeKind.JOINED,
            id_,
            name,
            declared.EVENT,
        )
        assert later.kinds == ["subject.joined"]
        assert subject(with_table(engine), BY_ID) == name

    def test_undone_it_stays_undone(self, engine, site):
        name, id_ = subject(site, BY_NAME), subject(site, BY_ID)
        later = with_table(engine)
        subject(later, BY_ID)
        later.unmerge(edges(later)[0].id)
        assert subject(later, BY_ID) == subject(later, BY_NAME) == name != id_
        assert [e.state for e in edges(later)] == ["undone"]

    def test_established_people_too_and_from_the_feed(self, engine, site):
        for cx in (BY_NAME, BY_ID):
            site.take(adt("A28", pid(cx)), FEED)
        later = with_table(engine)
        assert later.take(adt("A08", pid(BY_BOTH)), FEED).refused is None
        assert len(edges(later)) == 1

    def test_the_prior_number_of_a_merge_and_a_mothers_too(self, engine, site):
        before = subject(site, BY_ID)
        later = with_table(engine)
        later.take(adt("A40", pid("100002^^^HOSP^MR"), mrg(BY_NAME)), FEED)
        (edge,) = edges(later)
        assert (edge.kind, edge.child) == (EdgeKind.MERGED, before)
        later.take(adt("A28", pid("100003^^^HOSP^MR", mother=BY_NAME)), FEED)
        assert edges(later)[0].parent == before

    def test_an_encounter_is_taken_over(self, engine, site):
        known = site.take(adt("A01", pid(BY_NAME), pv1("V1^^^&1.2.3&ISO^VN")), FEED).subject
        assert with_table(engine).take(oru("", "V1^^^HOSP^VN")).subject == known

    def test_commands_find_and_register_them(self, engine, site):
        before = subject(site, BY_ID)
        hasher = Hasher(KEY, SITE, TABLE)
        one = from_cx(BY_NAME, hasher)
        with write(engine) as db:
            assert views.find(db, SITE, hasher, one) == before
            assert actions.register(db, SITE, hasher, [one], by="me", now_us=NOW) == [before]

    def test_the_hot_path_stays_hot(self, engine, site, monkeypatch):
        subject(site, BY_ID)
        later = with_table(engine)
        first = subject(later, BY_BOTH)
        later.resolve(oru(BY_BOTH))
        monkeypatch.setattr(later, "engine", None)
        assert later.resolve(oru(BY_BOTH)).subject == first


def test_reverse_without_taking_over_the_patient_is_somebody_new(engine, site, monkeypatch):
    before = subject(site, BY_ID)
    monkeypatch.setattr(declared, "take_over", lambda *_: None)
    assert subject(with_table(engine), BY_NAME) != before


def test_an_authority_is_read_by_commands_as_in_a_message():
    hasher = Hasher(KEY, SITE, TABLE)
    message = oru(BY_BOTH)
    (read_,) = Reading(message, FEED, hasher).identifiers(BY_BOTH.encode())
    assert {from_cx(cx, hasher) for cx in SPELLINGS} == {read_}
