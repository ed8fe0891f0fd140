"""Run a bundle's own tests against it: what ``oathward policy test`` prints and activation demands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from oathward.core.reasons import Reason
from oathward.policy.access import Answer, Rules
from oathward.policy.bundle import Bundle
from oathward.policy.cases import Case
from oathward.policy.decide import decide
from oathward.policy.model import Decision, Deny, Indeterminate, Permit
from oathward.policy.people_cases import PeopleCase


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: ``why`` is empty when it was as expected."""

    case: Case | PeopleCase
    answer: Decision | Answer
    why: str

    @property
    def passed(self) -> bool:
        """Whether the answer was the expected one."""
        return not self.why


def run(bundle: Bundle) -> list[Outcome]:
    """Run every case of a bundle against it."""
    outcomes = []
    for case in bundle.cases:
        answer = decide(bundle, bundle.links[case.link], case.facts, case.now_us)
        outcomes.append(Outcome(case, answer, _differs(case, answer)))
    rules = Rules.of(bundle)
    for one in bundle.people_cases:
        said = one.answer(rules)
        outcomes.append(Outcome(one, said, one.wrong(said)))
    return outcomes


def _differs(case: Case, answer: Decision) -> str:
    got, reasons, classes = _read(answer)
    said = f" ({', '.join(r.code for r in reasons)})" if reasons else ""
    if got != case.expect:
        return f"expected {case.expect}, got {got}{said}"
    if missing := [r.code for r in case.reasons if r not in reasons]:
        return f"expected reason {', '.join(missing)}, got{said or ' none'}"
    if case.classes is not None and classes != case.classes:
        return f"passes {_some(classes - case.classes)} more, {_some(case.classes - classes)} less"
    if too_much := case.without & classes:
        return f"passes {_some(too_much)}"
    return _other_codes(case, answer)


def _other_codes(case: Case, answer: Decision) -> str:
    """Say what is otherwise of the codes by which things are withheld, or alone pass."""
    withheld, only = (answer.withheld, answer.only) if isinstance(answer, Permit) else (frozenset(), None)
    if case.withheld is not None and withheld != case.withheld:
        return f"withholds {_some(withheld)}, not {_some(case.withheld)}"
    if case.only is not None and only != case.only:
        return f"passes {'observations of any code' if only is None else _some(only)}, not {_some(case.only)} only"
    return ""


def _some(classes: frozenset[str]) -> str:
    return ", ".join(sorted(classes)) or "nothing"


def _read(answer: Decision) -> tuple[str, tuple[Reason, ...], frozenset[str]]:
    match answer:
        case Permit():
            return "permit", (), answer.classes
        case Deny():
            return "deny", answer.reasons, frozenset()
        case Indeterminate():
            return "indeterminate", (answer.why,), frozenset()
    assert_never(answer)
