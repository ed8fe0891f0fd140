"""Labels: rules only raise, and what cannot be seen is unknown, never harmless."""

from dataclasses import replace

import pytest
from tests.unit.policy import small

from oathward.core.labels import Confidentiality
from oathward.policy.labels import UNKNOWN, LabelRule, Labels, LabelTable, Seen, raised

N, R, V = Confidentiality.N, Confidentiality.R, Confidentiality.V
PLAIN = Seen(frozenset({"MDC|150456"}), "ICU", "MED", "monitor", "GATEWAY")
TABLE = small.bundle().labels


@pytest.mark.parametrize(
    ("changes", "level", "sensitivity"),
    [
        ({}, N, ""),
        ({"location": "PSY3"}, R, "PSY"),
        ({"location": "psy3"}, R, "PSY"),
        ({"location": "3PSY"}, N, ""),
        ({"unit": "DETOX"}, R, "SUD"),
        ({"codes": frozenset({"LN|75622-1", "LN|1"})}, R, "HIV"),
        ({"codes": frozenset({"ln|75622-1"})}, R, "HIV"),
        ({"location": "PSY", "unit": "SUD"}, R, "PSY SUD"),
    ],
)
def test_starter_rules(changes, level, sensitivity):
    assert TABLE.label(replace(PLAIN, **changes)) == Labels(level, frozenset(sensitivity.split()))


@pytest.mark.parametrize("name", ["codes", "location", "unit"])
def test_what_a_rule_reads_and_is_not_known_makes_labels_unknown(name):
    assert TABLE.label(replace(PLAIN, **{name: None})) == UNKNOWN


@pytest.mark.parametrize("name", ["device_kind", "sender"])
def test_what_no_rule_reads_may_be_unknown(name):
    assert TABLE.label(replace(PLAIN, **{name: None})) == Labels(N, frozenset())


def test_every_condition_of_a_rule_must_hold():
    rule = LabelRule("r", location=frozenset({"A*"}), device_kind=frozenset({"pump"}), confidentiality=V)
    table = LabelTable(N, (rule,))
    assert table.label(replace(PLAIN, location="A1", device_kind="pump")).confidentiality is V
    assert table.label(replace(PLAIN, location="A1")).confidentiality is N
    assert table.label(replace(PLAIN, location="A1", device_kind=None)) == UNKNOWN
    assert table.label(replace(PLAIN, location="B1", device_kind=None)).confidentiality is N


def test_rules_only_raise():
    low = LabelRule(
        "low", sender=frozenset({"*"}), confidentiality=Confidentiality.L, sensitivity=frozenset({"B"})
    )
    high = LabelRule("high", sender=frozenset({"G*"}), confidentiality=V)
    for rules in ((low, high), (high, low)):
        assert LabelTable(N, rules).label(PLAIN) == Labels(V, frozenset({"B"}))
    assert LabelTable(N, (low,)).label(PLAIN).confidentiality is N


def test_words_are_no_patterns():
    rule = LabelRule("r", location=frozenset({"A.[1]*"}), confidentiality=V)
    assert LabelTable(N, (rule,)).label(replace(PLAIN, location="AX1")).confidentiality is N
    assert LabelTable(N, (rule,)).label(replace(PLAIN, location="a.[1]\nx")).confidentiality is V


def test_memory_is_bounded():
    for n in range(5_000):
        TABLE.label(replace(PLAIN, sender=str(n)))
    assert len(TABLE._cache) <= 4_096


def test_labels_that_a_message_bears_itself_only_raise():
    plain = Labels(Confidentiality.N, frozenset({"PSY"}))
    assert raised(plain, frozenset()) == plain
    assert raised(plain, frozenset({"L", "U"})) == plain
    assert raised(plain, frozenset({"R", "HIV", "NODSCLCD"})) == Labels(
        Confidentiality.R, frozenset({"PSY", "HIV"})
    )
    assert raised(UNKNOWN, frozenset({"V"})) == UNKNOWN
