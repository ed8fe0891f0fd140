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


YES = """
[[case.consents]]
id = "yes"
permit = true
purposes = ["HRESCH"]
recipients = ["*"]
classes = ["*"]
"""
NO = """
[[case.consents]]
id = "no"
permit = false
purposes = []
recipients = []
classes = []
codes = ["LN|8867-4"]
"""
RESEARCH = """
[[case]]
name = "x"
link = "research-registry"
codes = ["LN|8867-4", "LN|2708-6", "LN|59408-5"]
"""


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('expect = "permit"\nwithheld = ["LN|8867-4"]\n' + YES + NO, ""),
        ('expect = "permit"\nwithheld = []\n' + YES + NO, "withholds LN|8867-4, not nothing"),
        ('expect = "permit"\nwithheld = ["LN|8867-4"]\n' + YES, "withholds nothing, not LN|8867-4"),
        ('expect = "permit"\nwithheld = []\n' + YES + NO.replace("8867-4", "85354-9"), ""),
        ('expect = "permit"\nonly = ["LN|8867-4"]\n' + YES + 'codes = ["LN|8867-4"]\n', ""),
        ('expect = "permit"\nonly = ["LN|8867-4"]\n' + YES, "passes observations of any code, not LN|8867-4 only"),
        ('expect = "deny"\n' + YES + NO.replace('codes = ["LN|8867-4"]', ""), ""),
        (
            'expect = "permit"\nonly = ["LN|2708-6"]\n' + YES + NO.replace('codes = ["LN|8867-4"]', "")
            + '[[case.consents.unless]]\ncodes = ["LN|2708-6"]\n',
            "",
        ),
        ('expect = "permit"\n' + YES + NO.replace('codes = ["LN|8867-4"]', 'labels = ["V"]'), ""),
        ('expect = "indeterminate"\nunknown = ["codes_present"]\n' + YES + NO, ""),
    ],
)  # fmt: skip
def test_denials_and_permits_by_code(more, why):
    (outcome,) = outcomes(RESEARCH + more)
    assert outcome.why == why


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('codes = ["8867-4"]\nexpect = "permit"\n', "is no code"),
        ('expect = "permit"\n' + YES + 'codes = ["LN|"]\n', "is no code"),
        ('expect = "permit"\n' + YES + "[[case.consents.unless]]\n", "what a denial does not deny"),
        ('expect = "permit"\n' + NO + '[[case.consents.unless]]\ncode = ["LN|1"]\n', "code"),
    ],
)
def test_what_a_case_cannot_mean_is_a_mistake(more, why):
    head = RESEARCH.partition("codes")[0] if more.startswith("codes") else RESEARCH
    with pytest.raises(Exception, match=why):
        outcomes(head + more)
