"""Policy review: each rule finds what it is for, and is silent on the starter bundle when it is used."""

import pytest
from tests.unit.policy.small import DAY_US, NOW_US, changed, files

from oathward.core.labels import CLASSES
from oathward.deid.profile import load_profiles
from oathward.policy.bundle import PolicyErrors, load
from oathward.policy.review import review
from oathward.policy.review_findings import RULES, Proposal, ReviewFinding, offered
from oathward.policy.review_links import LinkUse, Uses
from oathward.policy.review_requests import Known

KINDS = frozenset({"monitor", "infusion-pump", "hub", "wearable"})
TYPES = frozenset({"ORU^R01", "ORU^R40", "ADT^A08", "FHIR^Observation", "FHIR^Bundle"})
KNOWN = Known(KINDS, frozenset({"on-loan", "icu"}), TYPES, frozenset({"d1", "d2"}))
PROFILES = dict.fromkeys(load_profiles({}))
CLOUD, EXTRA = "links/vendor-cloud.toml", "policies/extra.cedar"


def passes(some):
    try:
        load(some, profiles=PROFILES)
    except PolicyErrors:
        return False
    return True


def used(**more):
    links = load(files()).links
    every = LinkUse(1_000, set(CLASSES), set(TYPES), set(KINDS), {"icu"}, {"d1"})
    found = {"days": 90, "decisions": 1_000, "links": dict.fromkeys(links, every), "classes": set(CLASSES)}
    return Uses(**found | {"since_us": dict.fromkeys(links, NOW_US - 91 * DAY_US)} | more)


def reviewed(some=None, *, known=KNOWN, uses=None, now_us=NOW_US):
    some = some or files()
    return review(load(some, profiles=PROFILES), some, known, uses or used(), now_us, passes)


def only(found):
    (one,) = found
    return one


def cured(some, one, **more):
    """The proposal's bundle, which is one, and no longer has the finding."""
    assert one.proposal is not None
    after = one.proposal.applied(some)
    assert passes(after)
    left = reviewed(after, **more)
    assert one.id not in {other.id for other in left}
    return after


def extra(text):
    return files() | {EXTRA: text.encode()}


def forbid(id_, link="ehr", when="", why=""):
    note = f'@why("{why}")\n' if why else ""
    return f'@id("{id_}")\n{note}forbid(principal, action == Action::"Disclose", resource == Link::"{link}"){when and " when { " + when + " }"};\n'


def permit(id_, link="ehr", when=""):
    return f'@id("{id_}") permit(principal, action == Action::"Disclose", resource == Link::"{link}"){when and " when { " + when + " }"};\n'


def test_the_starter_in_use_has_nothing_to_review():
    assert reviewed() == []


def test_a_site_on_its_first_day_has_nothing_unused():
    found = reviewed(known=Known(), uses=Uses())
    assert found == []


class TestNeverFires:
    @pytest.mark.turns(2, "when")  # every second condition
    @pytest.mark.parametrize(
        ("when", "why"),
        [
            ("context.assurance > 4", "asks for what no request can have"),
            ('context.confidentiality == "X"', "asks for what no request can have"),
            ('context.subject == "known" && context.subject == "none"', "asks for what no request can have"),
            ("resource.recipient.external", "asks for what no request can have"),
            ('context.device_kind == "a" && context.device_kind == "b"', "asks for what no request can have"),
            (
                'context.device_tags.contains("a") && context.device_tags.isEmpty()',
                "asks for what no request can have",
            ),
            ('context.device_kind == "toaster"', "is not declared and never came"),
            ('context.device_tags.contains("retired")', "is not declared and never came"),
            ('context.message_type == "MDM^T02"', "is not declared and never came"),
            ('context.message_type like "MDM^*"', "is not declared and never came"),
        ],
    )
    def test_it_is_found(self, when, why):
        some = extra(forbid("x", when=when))
        one = only(reviewed(some))
        assert (one.rule, one.about) == ("policy.never-fires", "policy:x")
        assert one.words.endswith(why)
        assert EXTRA not in cured(some, one)

    @pytest.mark.turns(2, "when")  # every second condition
    @pytest.mark.parametrize(
        "when",
        [
            "context.assurance > 3",
            'context.device_kind == "monitor" && context.device_tags.contains("icu")',
            'context.message_type like "ADT^*"',
            'context.sensitivity.contains("HIV")',
            'principal == Device::"d1"',
            'context.sensitivity.containsAny(["HIV", "PSY"]) && !context.sensitivity.contains("HIV")',
            '["monitor", "hub"].contains(context.device_kind)',
            'context.device_kind != "monitor"',
            "context.device_tags.isEmpty()",
            'context.device_tags.containsAll(["icu", "on-loan"])',
        ],
    )
    def test_what_can_fire_is_none(self, when):
        assert reviewed(extra(forbid("x", when=when))) == []

    def test_a_text_of_the_link_is_a_word_too(self):
        some = extra(forbid("x", when="context.device_kind == resource.recipient.zone"))
        zoned = Known(KINDS | {"clinical"}, KNOWN.tags, TYPES, KNOWN.devices)
        assert reviewed(some, known=zoned) == []
        assert only(reviewed(some)).words.endswith("is not declared and never came")

    def test_one_device_that_is_not_declared(self):
        text = '@id("x") forbid(principal == Device::"gone", action == Action::"Disclose", resource == Link::"ehr");'
        assert only(reviewed(extra(text))).rule == "policy.never-fires"
        assert reviewed(extra(text.replace("gone", "d2"))) == []

    def test_what_nobody_knows_is_no_finding(self):
        assert reviewed(extra(forbid("x", when='context.device_kind == "toaster"')), known=Known()) == []

    def test_what_cannot_be_tried_is_unknown(self):
        words = " || ".join(f'context.device_tags.contains("t{n}")' for n in range(12))
        one = only(reviewed(extra(forbid("x", when=words)), known=Known()))
        assert one.rule == "policy.unknown"
        assert one.proposal is None

    def test_the_rest_of_its_file_stays(self):
        some = extra("// why we have these\n" + forbid("a", when='context.device_kind == "monitor"') + forbid("x", when="context.assurance > 4"))  # fmt: skip
        after = cured(some, only(reviewed(some)))
        text = after[EXTRA].decode()
        assert text.startswith("// why we have these\n")
        assert '@id("a")' in text
        assert '@id("x")' not in text


class TestContradicts:
    def test_a_permit_that_is_forbidden_whole(self):
        some = extra(permit("more", when='context.device_kind == "monitor"') + forbid("no", when='context.device_kind == "monitor" || context.assurance < 2'))  # fmt: skip
        found = {one.rule: one for one in reviewed(some)}
        one = found["policy.contradicts"]
        assert (one.about, one.words) == ("policy:more", "more permits nothing: no forbids all of it")
        cured(some, one)

    def test_two_forbids_together(self):
        some = extra(permit("more", when='context.device_kind == "monitor"') + forbid("high", when="context.assurance > 2") + forbid("low", when="context.assurance <= 2"))  # fmt: skip
        found = [one for one in reviewed(some) if one.rule == "policy.contradicts"]
        assert {one.about for one in found} == {"policy:ehr", "policy:more"}
        assert {one.about for one in reviewed(some) if one.rule == "link.never-passes"} == {"link:ehr"}

    def test_an_exception_is_no_contradiction(self):
        assert reviewed(extra(forbid("no", when='context.device_kind == "monitor"'))) == []


class TestShadowed:
    def test_a_narrower_policy_of_the_same_effect(self):
        some = extra(forbid("wide", when="context.assurance < 3") + forbid("narrow", when='context.assurance < 2 && context.device_kind == "monitor"'))  # fmt: skip
        one = only(reviewed(some))
        assert (one.rule, one.about) == ("policy.shadowed", "policy:narrow")
        assert one.words == "narrow says nothing that wide does not say already"
        assert '@id("wide")' in cured(some, one)[EXTRA].decode()

    def test_of_two_that_are_the_same_the_later(self):
        one = only(
            reviewed(
                extra(
                    forbid("b", when="context.assurance < 3") + forbid("a", when="!(context.assurance >= 3)")
                )
            )
        )
        assert one.about == "policy:a"

    def test_a_broader_scope(self):
        everywhere = '@id("wide") forbid(principal, action == Action::"Disclose", resource) when { context.assurance < 2 };\n'
        one = only(reviewed(extra(forbid("narrow", when="context.assurance < 1") + everywhere)))
        assert one.about == "policy:narrow"

    @pytest.mark.parametrize(
        "text",
        [
            forbid("a", when="context.assurance < 3") + forbid("b", when="context.assurance > 3"),
            forbid("a", when="context.assurance < 3") + forbid("b", "keep", when="context.assurance < 2"),
            forbid("a", when="context.assurance < 3") + '@notify("privacy-officer")\n' + forbid("b", when="context.assurance < 2"),
            forbid("a", when='context.message_type like "ORU*"') + forbid("b", when='context.message_type like "ORU^R*"'),
        ],
    )  # fmt: skip
    def test_what_says_something_of_its_own_is_none(self, text):
        assert reviewed(extra(text)) == []


def test_an_exception_past_its_own_date():
    text = forbid(
        "summer",
        when='context.device_kind == "monitor"',
        why="no monitors of ward 3 until 2026-03-31, see DUA-7",
    )
    one = only(reviewed(extra(text)))
    assert (one.rule, one.about) == ("policy.past-date", "policy:summer")
    assert "2026-03-31" in one.words
    cured(extra(text), one)
    assert reviewed(extra(text.replace("2026-03-31", "2026-12-31"))) == []


class TestLinks:
    def test_one_past_its_date(self):
        some = changed(
            CLOUD, 'purpose = "HOPERAT"', 'purpose = "HOPERAT"\nvalid_until = 2026-06-01T00:00:00Z'
        )
        one = only(reviewed(some))
        assert (one.rule, one.about) == ("link.expired", "link:vendor-cloud")
        after = one.proposal.applied(some)
        assert CLOUD not in after
        assert b"vendor-cloud" not in after["policies/links.cedar"]
        assert b'link = "vendor-cloud"' not in after["policies/links.test.toml"]
        left = reviewed(after)
        assert [(x.rule, x.about) for x in left if x.rule == "recipient.unused"] == [
            ("recipient.unused", "recipient:vendor-cloud")
        ]
        later = changed(
            CLOUD, 'purpose = "HOPERAT"', 'purpose = "HOPERAT"\nvalid_until = 2027-06-01T00:00:00Z'
        )
        assert reviewed(later) == []

    def test_one_on_which_policies_leave_nothing(self):
        found = {one.rule: one for one in reviewed(extra(forbid("no", "vendor-cloud")))}
        assert found["link.never-passes"].about == "link:vendor-cloud"
        assert found["policy.contradicts"].about == "policy:vendor-cloud"

    def second(self, old='"structure", "message.*"]', new='"structure", "message.*"]'):
        some = files()
        text = some[CLOUD].decode().replace('id = "vendor-cloud"', 'id = "vendor-two"', 1)
        assert old in text
        some["links/vendor-two.toml"] = text.replace(old, new, 1).encode()
        some[EXTRA] = permit("vendor-two", "vendor-two").encode()
        uses = used()
        uses.links["vendor-two"] = uses.links["vendor-cloud"]
        return some, uses

    def test_one_that_another_covers(self):
        some, uses = self.second('["observation.*", "device.*",', '["observation.*",')
        one = only(reviewed(some, uses=uses))
        assert (one.rule, one.about) == ("link.shadowed", "link:vendor-two")
        cured(some, one, uses=uses)

    def test_of_two_that_are_the_same_one(self):
        some, uses = self.second()
        assert [one.about for one in reviewed(some, uses=uses)] == ["link:vendor-two"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('message_types = ["ORU^R01", "ORU^R40"]', 'message_types = ["ADT^A08"]'),
            ('min_assurance = "certificate"', 'min_assurance = "address"'),
            ('profile = "device-telemetry"', 'profile = "limited-data-set"'),
            ('confidentiality_max = "N"', 'confidentiality_max = "R"'),
        ],
    )
    def test_one_that_passes_something_of_its_own_is_none(self, old, new):
        some, uses = self.second(old, new)
        found = {(one.rule, one.about) for one in reviewed(some, uses=uses)}
        assert ("link.shadowed", "link:vendor-two") not in found

    def test_one_whose_cover_a_policy_narrows_is_none(self):
        some, uses = self.second('["observation.*", "device.*",', '["observation.*",')
        some[EXTRA] += forbid("no", "vendor-cloud", when='context.device_kind == "monitor"').encode()
        assert reviewed(some, uses=uses) == []

    def uses(self, link="vendor-cloud", **more):
        found = used()
        old = found.links[link]
        found.links[link] = LinkUse(**{name: more.get(name, getattr(old, name)) for name in ("permits", "classes", "types", "kinds", "tags", "devices")})  # fmt: skip
        return found

    def test_one_that_nothing_used(self):
        uses = self.uses(permits=0)
        one = only(reviewed(uses=uses))
        assert (one.rule, one.about, one.words) == (
            "link.unused",
            "link:vendor-cloud",
            "nothing passed on vendor-cloud in 90 days",
        )
        assert one.proposal is not None
        short = self.uses(permits=0)
        short.days = 89
        assert reviewed(uses=short) == []
        new = self.uses(permits=0)
        new.since_us = {**new.since_us, "vendor-cloud": NOW_US - DAY_US}
        assert reviewed(uses=new) == [], "it is not in force for as long"

    def test_classes_that_nothing_used(self):
        uses = self.uses(classes=set(CLASSES) - {"device.identity"})
        one = only(reviewed(uses=uses))
        assert one.rule == "link.classes-unused"
        assert "device.identity" in one.words
        after = cured(files(), one, uses=uses)
        assert load(after, profiles=PROFILES).links["vendor-cloud"].classes == load(files()).links["vendor-cloud"].classes - {"device.identity"}  # fmt: skip

    def test_care_is_not_narrowed_to_what_came(self):
        assert (
            reviewed(uses=self.uses("ehr", classes={"observation.value"}, types={"ORU^R01"}, kinds=set()))
            == []
        )

    def test_types_that_nothing_used(self):
        uses = self.uses(types={"ORU^R01"})
        one = only(reviewed(uses=uses))
        assert (one.rule, one.about) == ("link.types-unused", "link:vendor-cloud")
        assert load(cured(files(), one, uses=uses), profiles=PROFILES).links[
            "vendor-cloud"
        ].sources.message_types == {"ORU^R01"}

    def test_kinds_that_nothing_used(self):
        some = changed(CLOUD, 'devices = ["*"]', 'kinds = ["monitor", "infusion-pump"]')
        uses = self.uses(kinds={"monitor"})
        one = only(reviewed(some, uses=uses))
        assert (one.rule, one.about) == ("link.sources-unused", "link:vendor-cloud/kinds")
        assert load(cured(some, one, uses=uses), profiles=PROFILES).links["vendor-cloud"].sources.kinds == {
            "monitor"
        }


def test_a_label_rule_of_a_kind_that_is_not_there():
    some = files()
    some["labels.toml"] += b'\n[[rules]]\nid = "x"\ndevice_kind = ["toaster*"]\nconfidentiality = "R"\n'
    one = only(reviewed(some))
    assert (one.rule, one.about) == ("label.never-fires", "label:x")
    assert cured(some, one)["labels.toml"].decode().strip() == files()["labels.toml"].decode().strip()
    some["labels.toml"] = some["labels.toml"].replace(b"toaster", b"moni")
    assert reviewed(some) == []


def test_a_class_that_came_and_no_link_carries():
    some = {path: content for path, content in files().items() if "home-care" not in path}
    for path in ("links/ehr.toml", "links/keep.toml"):
        some[path] = some[path].replace(
            b'classes = ["*"]', b'classes = ["patient.*", "observation.*", "structure", "message.*"]'
        )
    some["policies/links.cedar"] = some["policies/links.cedar"].replace(b'@id("home-care")\npermit(principal, action == Action::"Disclose", resource == Link::"home-care");\n', b"")  # fmt: skip
    some = {path: content for path, content in some.items() if not path.endswith(".test.toml")}
    found = [one.about for one in reviewed(some) if one.rule == "class.uncovered"]
    assert "class:financial" in found
    assert "class:patient.name" not in found
    quiet = used(classes={"patient.name"})
    assert not [one for one in reviewed(some, uses=quiet) if one.rule == "class.uncovered"]


def test_a_recipient_without_a_link():
    some = files()
    some["recipients/old.toml"] = some["recipients/ehr.toml"].replace(b'id = "ehr"', b'id = "old"')
    one = only(reviewed(some))
    assert (one.rule, one.about) == ("recipient.unused", "recipient:old")
    cured(some, one)


def test_a_role_that_may_do_nothing():
    text = b'@id("no-analysts") forbid(principal, action, resource) when { context.roles.contains("security-analyst") };'
    found = [one for one in reviewed(files() | {"people/ours.cedar": text}) if one.rule == "role.uncovered"]
    assert [one.about for one in found] == ["role:security-analyst"]


def test_a_proposal_that_breaks_the_bundle_is_not_offered():
    finding = ReviewFinding("link.unused", "link:ehr", "", Proposal("", {"bundle.toml": None}))
    assert offered(finding, files(), passes).proposal is None
    nothing = ReviewFinding("link.unused", "link:ehr", "", Proposal("", {}))
    assert offered(nothing, files(), passes).proposal is None
    good = ReviewFinding("x", "y", "", Proposal("", {"README.md": None}))
    assert offered(good, files(), passes) is good


def test_a_proposal_shows_what_it_changes():
    text = Proposal("", {CLOUD: None, "bundle.toml": b'name = "x"\n'}).difference(files())
    assert "--- a/bundle.toml" in text
    assert "+++ /dev/null" in text
    assert '-id = "vendor-cloud"' in text


def test_ids_are_of_rule_and_what_it_is_about():
    one, other = ReviewFinding("a", "b", "c"), ReviewFinding("a", "b", "d")
    assert one.id == other.id != ReviewFinding("a", "x", "c").id
    assert len(one.id) == 16


def test_every_rule_that_is_found_has_a_title():
    import ast
    from pathlib import Path

    named = set()
    for file in ("review.py", "review_links.py", "review_policies.py"):
        tree = ast.parse((Path(__file__).parents[3] / "src/oathward/policy" / file).read_text())
        named |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            and node.value.split(".")[0] in {"policy", "link", "label", "class", "role", "recipient"} and node.value.count(".") == 1
        }  # fmt: skip
    assert named <= set(RULES)


class TestPeople:
    """A site's own policies about people, beside the shipped rules."""

    OURS = "people/ours.cedar"

    def found(self, text):
        some = files() | {self.OURS: text.encode()}
        return some, [one for one in reviewed(some) if one.about.startswith("policy:")]

    @pytest.mark.parametrize(
        ("text", "rule", "words"),
        [
            (
                '@id("x") permit(principal, action == Action::"home.see", resource) when { context.own && !context.own };',
                "policy.never-fires",
                "asks for what no request can have",
            ),
            (
                '@id("x") permit(principal, action == Action::"patient.open", resource) when { context.roles.contains("administrator") };',
                "policy.contradicts",
                "administrator-reads-no-patient",
            ),
            (
                '@id("x") permit(principal, action in Action::"Approve", resource) when { context.roles.contains("key-holder") };',
                "policy.contradicts",
                "key-holder-approves-nothing",
            ),
            (
                '@id("x") forbid(principal, action == Action::"message.open", resource) when { context.roles.contains("administrator") };',
                "policy.shadowed",
                "administrator-reads-no-patient",
            ),
        ],
    )
    def test_it_is_found(self, text, rule, words):
        some, found = self.found(text)
        one = only(found)
        assert (one.rule, one.about) == (rule, "policy:x")
        assert words in one.words
        assert self.OURS not in cured(some, one)

    @pytest.mark.parametrize(
        "text",
        [
            '@id("x") forbid(principal, action == Action::"patient.find", resource) when { context.roles.contains("clinician") };',
            '@id("x") permit(principal, action == Action::"ledger.see", resource) when { context.roles.contains("clinician") };',
            '@id("x") forbid(principal, action in Action::"Open", resource) when { context.purpose == "HRESCH" };',
        ],
    )
    def test_what_says_something_of_its_own_is_none(self, text):
        assert self.found(text)[1] == []

    def test_of_two_that_are_the_same_the_later(self):
        text = 'forbid(principal, action == Action::"patient.find", resource) when { context.roles.contains("clinician") };\n'
        _, found = self.found(f'@id("b") {text}@id("a") {text}')
        assert [one.about for one in found] == ["policy:a"]
