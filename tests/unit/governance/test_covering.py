"""What an agreement does not cover is said in words, all of it at once; an assessment stands for a thing as it is."""

from dataclasses import replace

import pytest
from tests.unit.governance.office import DAY, DUA, NOW, REGISTRY, assessed
from tests.unit.policy import small

from oathward.governance.covering import covers, stands
from oathward.governance.derive import digest_of
from oathward.governance.model import Acceptability

BUNDLE = small.bundle()
LINK, RECIPIENT = BUNDLE.links[REGISTRY], BUNDLE.recipients[REGISTRY]


def test_an_agreement_that_names_all_of_a_link_covers_it():
    assert covers(DUA, LINK, RECIPIENT, NOW) == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"purposes": frozenset({"TREAT"})}, "does not permit purpose HRESCH; it permits TREAT"),
        ({"destinations": frozenset({"ehr"})}, f"does not name the destination {REGISTRY}"),
        (
            {"party": "Another University"},
            f"is with Another University, and {REGISTRY} is Example University's",
        ),
        (
            {"classes": frozenset({"patient.*", "observation.*"})},
            "does not cover clinical.code, device.type, order",
        ),
        ({"classes": frozenset({"no.such.class"})}, "does not cover"),
        ({"from_us": NOW + DAY}, "begins on 2026-07-02"),
        ({"until_us": NOW}, "ended on 2026-07-01"),
        ({"ended_us": NOW - DAY}, "was ended on 2026-06-30"),
    ],
)
def test_what_it_does_not_name_it_does_not_cover(changed, words):
    (said,) = covers(replace(DUA, **changed), LINK, RECIPIENT, NOW)
    assert said.startswith(words)


def test_every_lack_is_said_at_once():
    bare = replace(DUA, purposes=frozenset(), destinations=frozenset(), classes=frozenset(), until_us=NOW)
    assert len(covers(bare, LINK, RECIPIENT, NOW)) == 4


def test_who_may_be_passed_on_to_is_covered_too():
    through = replace(DUA, party="A broker", sub_recipients=frozenset({"Example University"}))
    assert covers(through, LINK, RECIPIENT, NOW) == ()


GOOD = assessed(about_digest=digest_of(LINK), approver="p-bob", approved_us=NOW)


def test_an_approved_assessment_of_a_thing_as_it_is_stands():
    assert stands(GOOD, NOW, digest_of(LINK)) == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"approver": ""}, "is not approved"),
        ({"outcome": Acceptability.NOT_ACCEPTABLE}, "says that it is not acceptable"),
        ({"valid_until_us": NOW}, "was valid until 2026-07-01"),
        ({"reopened_us": NOW}, "was reopened on 2026-07-01"),
        ({"about_digest": ""}, "is about what it was before it changed"),
    ],
)
def test_why_an_assessment_does_not_stand(changed, words):
    assert stands(replace(GOOD, **changed), NOW, digest_of(LINK)) == (words,)


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": LINK.classes | {"patient.name"}},
        {"retention_days": LINK.retention_days + 1},
        {"sensitivity_denied": {}},
        {"sources": replace(LINK.sources, kinds=frozenset({"pump"}))},
    ],
)
def test_any_change_of_a_link_is_another_digest(changed):
    assert digest_of(replace(LINK, **changed)) != digest_of(LINK)


def test_the_same_link_of_another_reading_has_the_same_digest():
    assert digest_of(small.bundle().links[REGISTRY]) == digest_of(LINK)
    assert digest_of(replace(RECIPIENT, address="https://elsewhere.example/fhir")) != digest_of(RECIPIENT)
