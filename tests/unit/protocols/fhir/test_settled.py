"""What is remembered of an object without a mistake: that its keys are right, never what stood under them."""

import itertools
from typing import Any

import pytest
from tests.fhir import observation

from oathward.protocols.fhir import check as checker
from oathward.protocols.fhir import nodes, rules
from oathward.protocols.fhir.check import check, check_as

VALUES: tuple[Any, ...] = ("2020-01-01", "x", 1, True, {"code": "x"}, [{"code": "y"}])


def node_of(name: str) -> nodes.Node:
    if "." in name:
        return nodes.part_node(name)
    return nodes.resource_node(name) or nodes.data_node(name)


def keyed_wrongly(name: str) -> list[str]:
    """Ask each rule of a type that says so whether its keys alone decide it: of few keys each set, under other values."""
    keys = [*node_of(name).fields]
    wrong = []
    for rule in rules.RULES[name]:
        for some in itertools.chain.from_iterable(itertools.combinations(keys, n) for n in (0, 1, 2)):
            if rule.keyed and len({bool(rule.holds(dict.fromkeys(some, value))) for value in VALUES}) > 1:
                wrong.append(rule.name)
                break
    return wrong


@pytest.mark.parametrize("name", rules.RULES)
def test_a_rule_that_keys_decide_asks_for_no_value(name: str):
    assert keyed_wrongly(name) == []


def test_a_rule_that_asks_for_values_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    (rule,) = rules.RULES["Organization"][1:2]
    monkeypatch.setitem(
        rules.RULES,
        "Organization",
        (rule._replace(keyed=True, holds=lambda v: v.get("address") != "x"),),
    )
    assert keyed_wrongly("Organization") == [rule.name]


def test_what_is_remembered_hides_no_mistake():
    """The same keys, and another value: types, codes and rules that ask for values are asked each time."""
    period = nodes.data_node("Period")
    at = (None, "Period", -1)
    assert not check_as(period, {"start": "2020", "end": "2021"}, at).issues
    assert ("start", "end") in period.settled
    for broken in (
        {"start": "2021", "end": "2020"},
        {"start": "2020", "end": "x"},
        {"start": "2020", "end": None},
    ):
        assert check_as(period, broken, at).issues


def test_a_rule_that_asks_for_values_is_asked_of_remembered_keys(monkeypatch: pytest.MonkeyPatch):
    period = nodes.data_node("Period")
    at = (None, "Period", -1)
    monkeypatch.setattr(period, "settled", {("start", "end"): ()})
    assert not check_as(period, {"start": "2021", "end": "2020"}, at).issues


def test_names_that_no_definition_has_are_not_remembered(monkeypatch: pytest.MonkeyPatch):
    node = nodes.resource_node("Observation")
    assert node is not None
    monkeypatch.setattr(node, "settled", {})
    assert check(observation(smith=1)).issues
    assert node.settled == {}
    assert not check(observation()).issues
    assert [*node.settled] == [tuple(observation())]


def test_no_more_than_some_sets_of_keys_are_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checker, "SETTLED_MAX", 3)
    node = nodes.data_node("Period")
    monkeypatch.setattr(node, "settled", {})
    one = {"id": "a", "start": "2020", "end": "2021"}
    for keys in itertools.permutations(one):
        assert not check_as(node, {key: one[key] for key in keys}, (None, "Period", -1)).issues
    assert len(node.settled) == 3
