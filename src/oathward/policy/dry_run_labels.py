"""What a recorded message would be labelled by another table of labels, as far as its facts tell.

Facts hold what labelling came to, not what it read: codes, ward, unit and sender are not kept. So of another table it
can be told what surely stays, and else what may come of it.

Rules:
- Rules that both tables have said the same then and now. Those that only one has may have fired, or may not have.
- A rule that needs another kind of device than the recorded one fired in neither; a new one that needs nothing but the
  recorded kind fires.
- A rule that is gone fired only where all that it raises stands in the recorded labels.
- Whatever may be is given; a decision that is the same for all of it is decided.

Deliberately absent: guessing which of them it was.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import combinations

from oathward.core.labels import Confidentiality
from oathward.policy.labels import RANK, LabelRule, LabelTable
from oathward.policy.model import Facts

ADDED_MAX = 5
"""More new rules that may each have fired are more ways than anybody decides by."""


class Relabelling:
    """What two tables have not alike."""

    def __init__(self, before: LabelTable, after: LabelTable) -> None:
        self._default = before.default, after.default
        self._gone = tuple(rule for rule in before.rules if rule not in after.rules)
        self._added = tuple(rule for rule in after.rules if rule not in before.rules)
        self._nothing = before == after

    def of(self, facts: Facts) -> tuple[Facts, ...]:
        """Give the facts as each labelling that may be by the table after; none where it cannot be told."""
        level, sensitivity = facts.confidentiality, facts.sensitivity
        if self._nothing or level is None or sensitivity is None:
            return (facts,)
        if any(_may_fire(rule, facts) and _may_have_fired(rule, level, sensitivity) for rule in self._gone):
            return ()
        least = _by_default(level, *self._default)
        added = [rule for rule in self._added if _may_fire(rule, facts)]
        surely = [rule for rule in added if facts.device_kind is not None and _hangs_on_kind_alone(rule)]
        maybe = [rule for rule in added if rule not in surely]
        if least is None or len(maybe) > ADDED_MAX:
            return ()
        found: set[tuple[Confidentiality, frozenset[str]]] = set()
        for count in range(len(maybe) + 1):
            for some in combinations(maybe, count):
                fired = (*surely, *some)
                top = max((least, *(rule.confidentiality for rule in fired)), key=RANK.__getitem__)
                found.add((top, sensitivity.union(*(rule.sensitivity for rule in fired))))
        return tuple(
            facts
            if labels == (level, sensitivity)
            else replace(facts, confidentiality=labels[0], sensitivity=labels[1])
            for labels in found
        )


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


def _hangs_on_kind_alone(rule: LabelRule) -> bool:
    return not (rule.codes or rule.location or rule.unit or rule.sender)


def _may_have_fired(rule: LabelRule, level: Confidentiality, sensitivity: frozenset[str]) -> bool:
    return RANK[rule.confidentiality] <= RANK[level] and rule.sensitivity <= sensitivity


@lru_cache(maxsize=4_096)
def _like(value: str, word: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, word.split("*"))), value, re.IGNORECASE) is not None
