"""What a patient said is believed only whole, signed and newest; else it is not known, and never a permit."""

import dataclasses

import orjson
import pytest
from tests.unit.consent.conftest import NOW, SITE, says

from oathward.consent import actions, model, views
from oathward.consent.model import canonical, common, from_canonical
from oathward.core.db import read
from oathward.core.errors import AuthorityError, InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy.consents import Box
from oathward.policy.model import ConsentFact
from oathward.vault.authority import Seen

PERMIT, DENY = says(), says(permit=False)
TRICKS = {
    "another body": "UPDATE consent_fact SET body = CAST(replace(CAST(body AS TEXT), 'false', 'true') AS BLOB)",
    "text for bytes": "UPDATE consent_fact SET body = CAST(body AS TEXT)",
    "another patient's": "UPDATE consent_fact SET subject = '{bob}'",
    "a bad signature": "UPDATE consent_fact SET signature = zeroblob(64)",
    "an older version": "DELETE FROM consent_fact WHERE version = 2",
    "a higher number": "UPDATE consent_fact SET version = 9 WHERE version = 2",
    "nothing left": "DELETE FROM consent_fact",
}


def facts(known):
    return [(f.permit, set(f.purposes)) for f in known[1]]


class TestStatement:
    def test_a_denial_that_names_nothing_is_of_everything(self):
        fact = DENY.fact
        assert (fact.purposes, fact.recipients, fact.classes) == ({"*"}, {"*"}, {"*"})

    @pytest.mark.parametrize("missing", ["purposes", "recipients", "classes"])
    def test_a_permit_must_say_what_it_permits(self, missing):
        with pytest.raises(InputError) as error:
            says(**{missing: ()})
        assert error.value.where == missing

    @pytest.mark.parametrize(
        ("more", "where"),
        [
            ({"purposes": ("FUN",)}, "purposes"),
            ({"recipients": ("a b",)}, "recipients"),
            ({"classes": ("patient.shoe-size",)}, "classes"),
            ({"start_us": 5, "end_us": 5}, "until"),
            ({"source": "x" * 101}, "source"),
            ({"source": "a\nb"}, "source"),
        ],
    )
    def test_what_nobody_defined_is_refused(self, more, where):
        with pytest.raises(InputError) as error:
            says(**more)
        assert error.value.where == where

    def test_class_patterns_are_expanded_when_it_is_said(self):
        assert says(classes=("observation.*",)).fact.classes == {
            "observation.code",
            "observation.value",
            "observation.time",
        }

    def test_what_is_signed_reads_back(self, ann, bob):
        both = (PERMIT, says(end_us=7, source="form"))
        assert from_canonical(canonical(ann, both), ann) == both
        with pytest.raises(ValueError, match="this subject"):
            from_canonical(canonical(ann, both), bob)
        for rubbish in (b"[]", b"x", canonical(ann, both).replace(b"true", b"1")):
            with pytest.raises(ValueError):  # noqa: PT011  any kind of it
                from_canonical(rubbish, ann)


class TestRecord:
    def test_versions_count_up_and_hold_all_that_stands(self, office, ann):
        assert office.of(ann) == (0, ())
        office.record(ann, PERMIT)
        office.record(ann, says(purposes=("HPAYMT",)))
        version, known = office.of(ann)
        assert version == 2
        assert [set(f.purposes) for f in known] == [{"HRESCH"}, {"HPAYMT"}]
        assert all(isinstance(f, ConsentFact) for f in known)

    def test_the_same_again_is_nothing_new(self, office, ann):
        office.record(ann, PERMIT)
        assert office.draft(ann, says()) is None
        assert office.of(ann)[0] == 1

    def test_a_replacement_is_all_that_stands(self, office, ann):
        office.record(ann, PERMIT)
        office.record(ann, DENY, replaces=True)
        assert facts(office.of(ann)) == [(False, {"*"})]

    def test_it_is_recorded_without_words(self, office, ann):
        office.record(ann, says(source="paper form"))
        with read(office.engine) as db:
            kind, body = db.exec_driver_sql("SELECT kind, body FROM ledger_record").one()
        assert kind == "consent.recorded"
        assert b"paper" not in body
        assert b'"version":1' in body

    def test_a_race_is_noticed(self, office, ann):
        one, two = office.draft(ann, PERMIT), office.draft(ann, DENY)
        late, early = office.sign(two), office.sign(one)
        office.store(early)
        with pytest.raises(InputError) as error:
            office.store(late)
        assert error.value.reason is Reason.CONFLICT

    def test_limits(self, office, ann):
        with pytest.raises(InputError) as error:
            office.draft(ann, *[says(end_us=n + 1) for n in range(model.STATEMENTS_MAX + 1)])
        assert error.value.reason is Reason.LIMIT_EXCEEDED
        with pytest.raises(InputError):
            office.draft("not-a-subject", PERMIT)


class TestTampering:
    """With the database's rights and not the keeper's key: not known, never a permit."""

    @pytest.mark.parametrize("trick", TRICKS)
    def test_it_is_not_known(self, office, ann, bob, trick):
        office.record(ann, PERMIT)
        office.record(ann, DENY, replaces=True)
        office.of(ann)
        office.sql(TRICKS[trick].format(bob=bob))
        office.sql("UPDATE consent_change SET n = n + 1")
        office.refresh()
        assert office.of(ann) == (None, None)
        if trick == "another patient's":
            assert office.of(bob) == (None, None)
        assert office.consents.take_findings()
        assert office.consents.take_findings() == []

    @pytest.mark.parametrize("trick", ["an older version", "nothing left"])
    def test_a_process_that_starts_later_asks_the_keeper_what_is_newest(self, office, ann, trick):
        office.record(ann, PERMIT)
        office.record(ann, DENY, replaces=True)
        office.sql(TRICKS[trick])
        late = office.process(Seen({("consent", ann): 2}))
        assert late.of(office.engine, [ann]) == (None, None)

    def test_reverse_without_versions_the_old_permit_would_come_back(self, office, ann):
        office.record(ann, PERMIT)
        office.record(ann, DENY, replaces=True)
        office.sql(TRICKS["an older version"])
        naive = office.process(Seen())
        assert facts(naive.of(office.engine, [ann])) == [(True, {"HRESCH"})]

    def test_reverse_without_signatures_a_forged_permit_would_count(self, office, ann, monkeypatch):
        office.record(ann, DENY)
        office.sql(TRICKS["another body"])
        monkeypatch.setattr(office.seen, "admit", lambda *_: None)
        assert facts(office.process().of(office.engine, [ann])) == [(True, {"*"})]

    def test_nothing_can_be_added_to_what_does_not_verify(self, office, ann):
        office.record(ann, DENY)
        office.sql(TRICKS["a bad signature"])
        with pytest.raises(AuthorityError):
            office.draft(ann, PERMIT)
        office.record(ann, DENY, replaces=True)
        assert office.of(ann)[0] == 2

    def test_a_list_shows_it(self, office, ann, bob):
        office.record(ann, PERMIT)
        office.record(bob, PERMIT)
        office.sql("UPDATE consent_fact SET signature = zeroblob(64) WHERE subject = ?", ann)
        with read(office.engine) as db:
            rows = {r.subject: r for r in views.rows(db, SITE, office.signer, office.seen)}
        assert (rows[ann].valid, rows[ann].statements) == (False, ())
        assert rows[bob].valid


class TestCache:
    def test_a_change_of_another_process_counts_after_refresh(self, office, ann):
        office.record(ann, PERMIT)
        other = office.process()
        assert other.of(office.engine, [ann])[0] == 1
        office.record(ann, DENY)
        assert other.of(office.engine, [ann])[0] == 1
        with read(office.engine) as db:
            assert other.refresh(db)
            assert not other.refresh(db)
        assert other.of(office.engine, [ann])[0] == 2

    def test_the_second_time_the_database_is_not_asked(self, office, ann):
        office.record(ann, PERMIT)
        office.of(ann)
        assert office.consents.of(None, (ann,)) == office.of(ann)
        assert office.consents.version(None, (ann,)) == 1

    def test_what_is_not_known_is_asked_again_after_refresh(self, office, ann):
        office.record(ann, DENY)
        office.sql("UPDATE consent_fact SET at_us = 1, signature = zeroblob(64)")
        office.consents._remembered = {}
        assert office.of(ann) == (None, None)
        assert office.consents.of(None, (ann,)) == (None, None)
        office.record(ann, DENY, replaces=True)
        assert office.of(ann)[0] == 2


class TestFamilies:
    def test_what_a_prior_identity_said_still_counts(self, office, ann, bob):
        office.record(bob, DENY)
        office.record(ann, PERMIT)
        before = office.of(ann)
        office.families[ann] = (ann, bob)
        after = office.of(ann)
        assert facts(after) == [(True, {"HRESCH"}), (False, {"*"})]
        assert after[0] not in {before[0], None}
        del office.families[ann]
        assert office.of(ann) == before

    def test_one_bad_member_makes_all_unknown(self, office, ann, bob):
        office.record(bob, DENY)
        office.record(ann, PERMIT)
        office.sql("UPDATE consent_fact SET signature = zeroblob(64) WHERE subject = ?", bob)
        office.families[ann] = (ann, bob)
        assert office.of(ann) == (None, None)


class TestTogether:
    def test_a_message_about_two_may_do_what_both_permit(self, office, ann, bob):
        office.record(ann, says(purposes=("HRESCH", "HPAYMT"), start_us=1, end_us=9))
        office.record(bob, says(purposes=("*",), recipients=("lab",), end_us=5))
        _, (fact,) = office.of(ann, bob)
        assert (fact.purposes, fact.recipients) == ({"HRESCH", "HPAYMT"}, {"lab"})
        assert (fact.start_us, fact.end_us) == (1, 5)

    def test_and_nothing_where_one_never_said_anything(self, office, ann, bob):
        office.record(ann, PERMIT)
        assert office.of(ann, bob) == (1, ())

    def test_everybodys_denial_counts(self, office, ann, bob):
        office.record(ann, PERMIT)
        office.record(bob, PERMIT, DENY)
        assert sorted(facts(office.of(ann, bob)), key=str) == [(False, {"*"}), (True, {"HRESCH"})]

    def test_permits_that_have_nothing_in_common_are_none(self):
        a, b = says(purposes=("HRESCH",)).fact, says(purposes=("HPAYMT",)).fact
        assert common([(a,), (b,)]) == ()

    def test_too_many_are_not_known(self):
        many = tuple(dataclasses.replace(PERMIT.fact, id=str(n)) for n in range(9))
        assert common([many, many]) is None
        assert len(common([many[:8], many[:8]])) == 64


def test_history_of_one_subject(office, ann):
    office.record(ann, PERMIT)
    office.record(ann, DENY)
    with read(office.engine) as db:
        rows = views.rows(db, SITE, office.signer, office.seen, subject=ann)
        assert views.rows(db, SITE, office.signer, office.seen, subject=uuid7()) == []
    assert [(r.version, r.valid, len(r.statements)) for r in rows] == [(2, True, 2), (1, True, 1)]
    assert actions.KIND == "consent"
    assert NOW


def test_what_was_read_before_a_withdrawal_is_not_remembered_after_it(office, ann, monkeypatch):
    office.record(ann, PERMIT)
    load = office.consents._load

    def while_it_is_withdrawn(db, persons):
        found = load(db, persons)
        office.record(ann, DENY)
        return found

    monkeypatch.setattr(office.consents, "_load", while_it_is_withdrawn)
    assert office.of(ann)[0] == 1
    monkeypatch.undo()
    assert office.of(ann)[0] == 2


class TestRicherStatements:
    """Codes, labels, exceptions and origins: kept with what is signed, and met where several people are meant."""

    def rich(self, **more):
        box = Box(codes=frozenset({"LN|1"}), end_us=5)
        extended = dataclasses.replace(
            says(permit=False).fact,
            codes=frozenset({"LN|1", "LN|2"}),
            labels=frozenset({"R", "V"}),
            unless=(box,),
        )
        return model.Statement(dataclasses.replace(extended, **more), "fhir", frozenset({"a", "b"}))

    def test_what_is_signed_reads_back(self, ann):
        both = (PERMIT, self.rich())
        body = canonical(ann, both)
        assert from_canonical(body, ann) == both
        for old, new in (
            (b'"origins"', b'"origin"'),
            (b'"codes":["LN|1","LN|2"]', b'"codes":"LN|1"'),
            (b'["a","b"]', b'"ab"'),
        ):
            assert old in body
            with pytest.raises(ValueError):  # noqa: PT011  any kind of it
                from_canonical(body.replace(old, new), ann)

    def test_the_form_of_plain_statements_is_what_it_was(self, ann):
        """What was signed before codes were known still reads, and is still written so."""
        rows = orjson.loads(canonical(ann, (PERMIT,)))["statements"]
        assert [len(row) for row in rows] == [8]

    def test_a_later_version_takes_the_place_of_an_earlier_one(self, office, ann):
        first, other = self.rich(), dataclasses.replace(self.rich(permit=True), origins=frozenset({"c"}))
        office.record(ann, first, other, PERMIT)
        with read(office.engine) as db:
            options = {"authority": office.signer, "seen": office.seen, "instead_of": {"b": None}}
            same = actions.draft(db, SITE, ann, [self.rich()], **options)
            gone = actions.draft(db, SITE, ann, [], **options)
            changed = actions.draft(db, SITE, ann, [self.rich(end_us=7)], **options)
        assert same is None, "nothing new"
        assert [s.origins for s in from_canonical(gone.body, ann)] == [frozenset({"c"}), frozenset()]
        assert [s.fact.end_us for s in from_canonical(changed.body, ann)] == [None, None, 7]

    def test_several_people_permit_what_each_permits(self):
        one = dataclasses.replace(
            PERMIT.fact, codes=frozenset({"LN|1", "LN|2"}), labels=frozenset({"N", "R", "HIV"})
        )
        two = dataclasses.replace(
            PERMIT.fact, id="two", codes=frozenset({"LN|2"}), labels=frozenset({"N"}), end_us=9
        )
        [both] = common([(one,), (two,)])
        assert (both.codes, both.labels, both.end_us) == ({"LN|2"}, {"N", "HIV"}, 9)
        assert both.id == f"{one.id}+two"
        none = dataclasses.replace(two, codes=frozenset({"LN|3"}))
        assert common([(one,), (none,)]) == ()
        denial = self.rich().fact
        assert common([(one, denial), (two,)])[0] is denial
