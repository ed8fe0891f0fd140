"""A bundle's own tests: they pass on the starter, and fail where the bundle does not do what they say."""

import pytest
from tests.unit.policy import small

from oathward.policy.bundle import load
from oathward.policy.trial import run


def outcomes(text: str):
    return run(
        load(
            small.files() | {"policies/links.test.toml": text.encode(), "policies/exceptions.test.toml": b""}
        )
    )


def test_the_starter_passes_its_own_tests():
    found = run(small.bundle())
    assert len(found) >= 14
    assert [outcome.case.name for outcome in found if not outcome.passed] == []


@pytest.mark.parametrize(
    ("expectation", "why"),
    [
        ('link = "ehr"\nexpect = "deny"', "expected deny, got permit"),
        ('link = "research-registry"\nexpect = "permit"', "expected permit, got deny (decision.no-consent)"),
        (
            'link = "research-registry"\nexpect = "deny"\nreasons = ["decision.no-link"]',
            "expected reason decision.no-link, got (decision.no-consent)",
        ),
        ('link = "ehr"\nexpect = "permit"\nwithout = ["note.text"]', "passes note.text"),
        ('link = "vendor-cloud"\nexpect = "permit"\nclasses = ["observation.*", "order"]', "less"),
        ('link = "ehr"\nexpect = "permit"\nunknown = ["labels"]', None),
    ],
)
def test_a_case_that_does_not_hold_says_why(expectation, why):
    text = f'[[case]]\nname = "x"\n{expectation}\n'
    if why is None:
        with pytest.raises(Exception, match="is no fact"):
            outcomes(text)
        return
    (outcome,) = outcomes(text)
    assert not outcome.passed
    assert why in outcome.why
    assert outcome.case.where == "policies/links.test.toml:1"


def test_a_case_may_state_every_fact():
    text = """
[[case]]
name = "all of it"
link = "vendor-cloud"
now = 2026-03-01T10:00:00+01:00
device = "d7"
device_kind = "monitor"
device_tags = ["a"]
assurance = "certificate"
subject = "none"
message_type = "ORU^R40"
confidentiality = "L"
sensitivity = []
present = ["device.*"]
clock_sure = false
expect = "permit"
classes = ["observation.*", "device.*", "structure", "message.*"]
"""
    (outcome,) = outcomes(text)
    assert outcome.passed, outcome.why
    assert outcome.case.now_us == 1_772_355_600_000_000
    assert outcome.case.facts.device == "d7"
