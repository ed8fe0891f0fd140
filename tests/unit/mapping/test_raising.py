"""What is wrong with rules becomes findings of kinds there are; a rule that stops what was declared is the gravest."""

from tests.unit.network.test_rules import DAY, flow, ruleset

from oathward.core.finding_kinds import KINDS
from oathward.mapping import raising
from oathward.network.rules.comparing import compare


def test_each_part_of_a_comparison_is_told_under_the_device():
    rules = ruleset(
        "ip saddr 10.1.0.0/16 tcp dport 1-500 accept",
        "tcp dport 23 drop",
        "ip saddr 10.1.0.1 tcp dport 7 drop",
        "tcp dport 9 accept",
    )
    stopped = flow("10.2.0.1", "10.3.0.1", 23)
    found = compare(rules, [flow("10.1.0.5", "10.3.0.1", 80), stopped], DAY)
    told = list(raising.of_rules("core", found, [stopped]))
    assert (
        {one.kind for one in told}
        == {"rule.unused", "rule.wider-than-flow", "rule.forbids-flow"}
        <= set(KINDS)
    )
    assert {one.about for one in told} == {"rules:core"}
    assert {one.kind for one in raising.of_rules("core", found)} >= {"flow.undeclared"}
    wider = next(one for one in told if one.kind == "rule.wider-than-flow")
    assert wider.details["narrower"] == "ip saddr 10.1.0.5 ip daddr 10.3.0.1 tcp dport 80 accept"


def test_a_server_that_many_reach_past_the_rules_is_one_finding_and_a_declared_one_another():
    rules = ruleset("tcp dport 23 drop", "tcp dport 443 accept")
    asked = [flow(f"10.2.0.{n}", "10.3.0.1", 23) for n in range(1, 41)]
    other = flow("10.2.0.1", "10.3.0.2", 23)
    found = compare(rules, [*asked, other], DAY)
    assert len(found.against) == 41
    told = list(raising.of_rules("core", found, [asked[0], asked[1]]))
    assert len({(one.kind, one.key) for one in told}) == len(told)
    past = [one for one in told if one.kind in {"flow.undeclared", "rule.forbids-flow"}]
    assert sorted((one.kind, one.details["server"], one.details["clients"]) for one in past) == [
        ("flow.undeclared", "10.3.0.1", 38),
        ("flow.undeclared", "10.3.0.2", 1),
        ("rule.forbids-flow", "10.3.0.1", 2),
    ]
