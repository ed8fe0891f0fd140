"""One recorded decision under another bundle: what is otherwise, and what cannot be told."""

import pytest
from tests.unit.policy.small import DAY_US, NOW_US, bundle, changed, consent, facts, files

from oathward.core.labels import Confidentiality
from oathward.deid.profile import load_profiles
from oathward.dry_running import side_of
from oathward.policy import dry_run
from oathward.policy.bundle import load
from oathward.policy.decide import decide
from oathward.policy.dry_run import Answered, Comparison, Recorded
from oathward.policy.dry_run_sums import DryRun, Sums, kinds_of
from oathward.policy.dry_run_words import lines, summary
from oathward.policy.model import Deny, Indeterminate, Permit

CARE, CLOUD, REGISTRY = "links/ehr.toml", "links/vendor-cloud.toml", "links/research-registry.toml"
EXTRA = "policies/extra.cedar"


def recorded(one, before, wire="hl7v2", at_us=NOW_US):
    """What the gateway writes of a decision."""
    answers = []
    for link in before.carriers(wire):
        match decide(before, link, one, at_us):
            case Permit():
                answers.append(Answered(link.id, "permit", ""))
            case Deny(_, reasons) if reasons[0].code != "decision.no-link":
                answers.append(Answered(link.id, "deny", reasons[0].code))
            case Indeterminate(_, why):
                answers.append(Answered(link.id, "indeterminate", why.code))
    return Recorded(tuple(answers), wire)


def effect(after, one=None, *, said=None, before=None, at_us=NOW_US, now_us=NOW_US):
    before = before or bundle()
    one = one or facts()
    comparison = Comparison(
        side_of(before), side_of(load(after, profiles=dict.fromkeys(load_profiles({})))), now_us
    )
    return comparison.effect(one, said or recorded(one, before, at_us=at_us), at_us)


def only(found):
    assert found.undecided == ()
    assert found.moved == ()
    (change,) = found.changes
    return change


def test_the_same_bundle_changes_nothing_and_asks_nothing():
    side = side_of(bundle())
    comparison = Comparison(side, side_of(bundle()), NOW_US)
    assert comparison.links == ()
    assert comparison.effect(facts(), recorded(facts(), side.bundle), NOW_US).changes == ()


def test_a_forbid_newly_denies():
    text = b'@id("no-pumps") forbid(principal, action == Action::"Disclose", resource == Link::"ehr") when { context.device_kind == "infusion-pump" };'
    change = only(effect(files() | {EXTRA: text}))
    assert (change.link, change.old, change.new, change.reasons) == (
        "ehr",
        "permit",
        "deny",
        ("decision.policy-denies",),
    )
    assert "patient.name" in change.less
    assert kinds_of(change) == ["newly_denied", "classes_less"]
    other = effect(files() | {EXTRA: text}, facts(device_kind="monitor"))
    assert other.changes == other.undecided == ()


def test_a_permit_newly_allows_and_the_other_way_round():
    later = changed(CLOUD, 'message_types = ["ORU^R01", "ORU^R40"]', 'message_types = ["ORU^R40"]')
    change = only(effect(later))
    assert (change.link, change.old, change.new) == ("vendor-cloud", "permit", "none")
    back = only(effect(files(), before=load(later)))
    assert (back.old, back.new) == ("none", "permit")
    assert "observation.value" in back.more
    assert kinds_of(back) == ["newly_allowed", "classes_more"]


def test_classes_leave_only_where_the_message_has_them_and_the_profile_leaves_them():
    less = changed(
        CLOUD,
        '["observation.*", "device.*", "structure", "message.*"]',
        '["observation.*", "device.type", "structure", "message.*"]',
    )
    change = only(effect(files(), before=load(less)))
    assert (change.old, change.new) == ("permit", "permit")
    assert change.more == {"device.identity"}
    assert kinds_of(change) == ["classes_more"]
    assert only(effect(less)).less == {"device.identity"}
    without = effect(less, facts(classes_present=facts().classes_present - {"device.identity"}))
    assert without.changes == ()
    removed = changed(CLOUD, '"structure", "message.*"]', '"structure", "message.*", "order"]')
    assert effect(removed).changes == (), "the profile leaves nothing of orders"


def test_another_profile_is_another_form():
    change = only(effect(changed(REGISTRY, 'profile = "safe-harbor"', 'profile = "limited-data-set"'),
                         facts(consents=(consent(),))))  # fmt: skip
    assert change.link == "research-registry"
    assert change.reshaped or change.more


def test_what_is_newly_held():
    text = b'@id("odd") forbid(principal, action == Action::"Disclose", resource == Link::"keep") when { context.assurance + 9223372036854775807 > 0 };'
    change = only(effect(files() | {EXTRA: text}))
    assert (change.link, change.old, change.new) == ("keep", "permit", "hold")
    assert kinds_of(change) == ["newly_held"]


class TestUndecided:
    def test_codes_that_nobody_asked_for(self):
        from dataclasses import replace

        by_code = replace(consent("c2", permit=False), codes=frozenset({"LN|8867-4"}))
        one = facts(consents=(consent(), by_code), codes_present=None)
        found = effect(changed(REGISTRY, 'confidentiality_max = "N"', 'confidentiality_max = "R"'), one)
        assert found.undecided == (("research-registry", "codes"),)
        assert found.changes == ()

    def test_labels_that_another_table_may_give(self):
        rule = (
            '[[rules]]\nid = "night"\nlocation = ["NIGHT*"]\nconfidentiality = "R"\nsensitivity = ["PSY"]\n'
        )
        after = files()
        after["labels.toml"] += ("\n" + rule).encode()
        found = effect(after, facts(consents=(consent(),)))
        assert dict(found.undecided) == {"research-registry": "labels", "vendor-cloud": "labels"}
        assert found.changes == (), "care gets it either way, and that is decided"

    def test_a_label_rule_of_other_devices_is_no_question(self):
        rule = '[[rules]]\nid = "x"\ndevice_kind = ["ventilator"]\nconfidentiality = "V"\n'
        after = files()
        after["labels.toml"] += ("\n" + rule).encode()
        found = effect(after)
        assert found.undecided == found.changes == ()
        hit = effect(after, facts(device_kind="ventilator"))
        assert hit.undecided == (), "it hangs on nothing else"
        assert [(c.link, c.new) for c in hit.changes] == [("vendor-cloud", "deny")]

    def test_a_label_rule_that_is_gone_may_be_why_it_was_labelled(self):
        after = changed("labels.toml", '[[rules]]\nid = "psychiatric-ward"\nlocation = ["PSY*", "BH*"]\nconfidentiality = "R"\nsensitivity = ["PSY"]\n', "")  # fmt: skip
        plain = effect(after)
        assert plain.undecided == plain.changes == ()
        one = facts(confidentiality=Confidentiality.R, sensitivity=frozenset({"PSY"}))
        assert ("vendor-cloud", "labels") in effect(after, one).undecided

    def test_a_lower_default_tells_nothing_of_what_had_the_default(self):
        found = effect(changed("labels.toml", 'default = "N"', 'default = "L"'))
        assert {cause for _, cause in found.undecided} == {"labels"}
        raised = effect(changed("labels.toml", 'default = "N"', 'default = "R"'))
        assert raised.undecided == ()
        assert {c.link for c in raised.changes if c.new == "deny"} == {"vendor-cloud"}

    def test_what_stopped_after_the_decision_is_known_to_the_message(self):
        before = bundle()
        answers = tuple(
            Answered(a.link, "held", "guard.stopped") if a.link == "vendor-cloud" else a
            for a in recorded(facts(), before).answers
        )
        said = Recorded(answers, "hl7v2")
        other = changed(
            CLOUD,
            '["observation.*", "device.*", "structure", "message.*"]',
            '["observation.*", "device.type", "structure", "message.*"]',
        )
        assert effect(other, said=said).undecided == (("vendor-cloud", "message"),)
        same = effect(changed(CLOUD, "retention_days = 1", "retention_days = 2"), said=said)
        assert same.undecided == same.changes == same.moved == ()
        denied = only(
            effect(
                changed(CLOUD, 'message_types = ["ORU^R01", "ORU^R40"]', 'message_types = ["ORU^R40"]'),
                said=said,
            )
        )
        assert (denied.old, denied.new) == ("hold", "none")
        assert kinds_of(denied) == ["no_longer_held"]

    def test_whom_it_is_about_was_not_sure(self):
        open_ = files()
        closed = changed(CLOUD, 'message_types = ["ORU^R01", "ORU^R40"]', 'message_types = ["ORU^R40"]')
        before = load(closed)
        one = facts(subject_kind="holding")
        nobody = Recorded((Answered("ehr", "permit", ""), Answered("keep", "permit", "")), "hl7v2")
        found = effect(open_, one, said=nobody, before=before)
        assert found.undecided == (("vendor-cloud", "patient"),)
        unsure = Recorded(
            (*nobody.answers, Answered("research-registry", "held", "patient.ambiguous")), "hl7v2"
        )
        held = only(effect(open_, one, said=unsure, before=before))
        assert (held.old, held.new) == ("none", "hold")


def test_an_answer_of_another_bundle_is_said_to_be():
    said = Recorded(
        (Answered("ehr", "deny", "decision.policy-denies"), Answered("keep", "permit", "")), "hl7v2"
    )
    text = b'@id("x") forbid(principal, action == Action::"Disclose", resource == Link::"ehr") when { context.device_kind == "monitor" };'
    found = effect(files() | {EXTRA: text}, said=said)
    assert found.moved == ("ehr",)
    assert found.changes == ()


def test_a_release_speaks_of_its_links_only():
    said = Recorded((Answered("ehr", "permit", ""),), "hl7v2", partial=True)
    found = effect(
        changed(CLOUD, 'message_types = ["ORU^R01", "ORU^R40"]', 'message_types = ["ORU^R40"]'), said=said
    )
    assert found == found._replace(changes=(), undecided=(), moved=())


class TestDates:
    def test_a_link_that_begins_tomorrow_is_dated(self):
        begins = changed(
            CLOUD, 'purpose = "HOPERAT"', 'purpose = "HOPERAT"\nvalid_from = 2026-07-01T00:00:00Z'
        )
        early = only(effect(begins, at_us=NOW_US - 30 * DAY_US, now_us=NOW_US + 30 * DAY_US))
        assert early.reasons == ("decision.permit-expired",)
        assert early.dated
        assert kinds_of(early)[-1] == "dated"

    def test_a_change_that_stays_is_not_dated(self):
        ends = changed(
            CLOUD, 'purpose = "HOPERAT"', 'purpose = "HOPERAT"\nvalid_until = 2020-01-01T00:00:00Z'
        )
        assert not only(effect(ends)).dated

    def test_equal_decisions_hold_between_dates_only(self):
        dated = consent(start_us=NOW_US - DAY_US, end_us=NOW_US + DAY_US)
        found = effect(
            changed(REGISTRY, 'confidentiality_max = "N"', 'confidentiality_max = "R"'),
            facts(consents=(dated,)),
        )
        assert (found.since_us, found.until_us) == (NOW_US - DAY_US, NOW_US + DAY_US)


def result():
    text = b'@id("no-pumps") forbid(principal, action == Action::"Disclose", resource == Link::"ehr") when { context.device_kind == "infusion-pump" };'
    found, sums = effect(files() | {EXTRA: text}), Sums()
    for one, device, subjects, moved_on in (
        (found, "d1", ["s1", "s1"], 0),
        (dry_run.undecidable("removed"), "d2", ["s2"], 0),
        (dry_run.Effect("infusion-pump", known=True), "d3", ["s3", "s4"], 1),
    ):
        group = sums.group(one, device)
        group.count, group.moved_on = len(subjects), moved_on
        for seen in group.subjects:
            for subject in subjects:
                seen.add(subject)
        sums.add(group)
    return sums.close(before="00", after="11", since_us=1, until_us=2, older=3, removed_records=4)


def test_every_record_counts_once():
    run = result()
    assert (run.decisions, run.changed, run.undecided, run.moved_on, run.unchanged) == (5, 2, 1, 1, 1)
    (link,) = run.links
    assert link.counts["newly_denied"] == 2
    assert link.subjects == 1
    assert link.devices == (("d1", "infusion-pump", {"newly_denied": 2, "classes_less": 2}),)
    assert link.kinds["infusion-pump"]["newly_denied"] == 2


def test_a_result_comes_back_from_its_body():
    run = result()
    assert DryRun.from_body(run.body()).body() == run.body()
    assert DryRun.from_body(run.body()).digest == run.digest


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"form":2}', b'{"form":1,"links":[{}]}', b'{"form":1,"links":[]}']
)
def test_what_is_no_result_is_refused(body):
    with pytest.raises(ValueError, match="not a dry run"):
        DryRun.from_body(body)


def test_words_say_what_was_not_decided_first():
    said = lines(result())
    assert "1 (20.0 %) could not be decided again" in said[0]
    assert "their facts were removed" in said[1]
    assert any(
        line.startswith("ehr: 2 newly denied; 2 with less that leaves, about 1 patient") for line in said
    )
    assert summary(result()).endswith("20.0 % could not be decided again")


def test_every_cause_has_words():
    from oathward.policy.dry_run_words import CAUSES, WORDS

    assert set(CAUSES) == set(dry_run.CAUSES)
    from oathward.policy.dry_run_sums import KINDS

    assert set(WORDS) == set(KINDS)
