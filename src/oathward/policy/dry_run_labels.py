"""What a recorded message would be labelled by another table of labels, as far as its facts tell.

Facts hold what labelling came to, not what it read: codes, ward, unit and sender are not kept. So of another table it
can be told what surely stays, and else what may come of it.

Rules:
- Rules that both tables have said the same then and now. Those that only one has may have fired, or may not have.
- A rule that needs another kind of device than the recorded one fired in neither.
- A rule that is gone fired only where all that it raises stands in the recorded labels.
- Whatever may be is given; a decision that is the same for all of it is decided.

Deliberately absent: guessing which of them it was.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

from oathward.core.labels import Confidentiality
from oathward.policy.labels import RANK, LabelRule, LabelTable
from oathward.policy.model import Facts

ADDED_MAX = 5
"""More new rules that may each have fired are more ways than anybody decides by."""


def relabelled(facts: Facts, before: LabelTable, after: LabelTable) -> tuple[Facts, ...]:
    """Give the facts as each labelling that may be by the table after; none where it cannot be told."""
    if before == after or facts.confidentiality is None or facts.sensitivity is None:
        return (facts,)
    gone = [rule for rule in before.rules if rule not in after.rules]
    if any(_may_fire(rule, facts) and _may_have_fired(rule, facts) for rule in gone):
        return ()
    level = _by_default(facts.confidentiality, before.default, after.default)
    if level is None:
        return ()
    added = [rule for rule in after.rules if rule not in before.rules and _may_fire(rule, facts)]
    if len(added) > ADDED_MAX:
        return ()
    found: dict[tuple[Confidentiality, frozenset[str]], Facts] = {}
    for count in range(len(added) + 1):
        for some in combinations(added, count):
            top = max((level, *(rule.confidentiality for rule in some)), key=RANK.__getitem__)
            kinds = facts.sensitivity.union(*(rule.sensitivity for rule in some))
            found.setdefault((top, kinds), replace(facts, confidentiality=top, sensitivity=kinds))
    return tuple(found.values())


def _by_default(
    level: Confidentiality, before: Confidentiality, after: Confidentiality
) -> Confidentiality | None:
    """Give the level under another default; None where a lower default may or may not show."""
    if RANK[after] >= RANK[before]:
        return max(level, after, key=RANK.__getitem__)
    return level if level != before else None


def _may_fire(rule: LabelRule, facts: Facts) -> bool:
    if not rule.device_kind or facts.device_kind is None:
        return True
    return any(_like(facts.device_kind, word) for word in rule.device_kind)


def _may_have_fired(rule: LabelRule, facts: Facts) -> bool:
    assert facts.confidentiality is not None
    assert facts.sensitivity is not None
    return RANK[rule.confidentiality] <= RANK[facts.confidentiality] and rule.sensitivity <= facts.sensitivity


def _like(value: str, word: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, word.split("*"))), value, re.IGNORECASE) is not None
