"""Objects that go whole: by a rule of R4, because nothing of themselves is left, or as an observation does.

Rules:
- Each takes the step of an object and gives one that looks at what that left. What goes is counted as removed.

Deliberately absent: which elements take what with them (``overrides.LOST``).

Source: FHIR R4 4.0.1 definitions (invariants); §10.1 (Observation).
"""

from __future__ import annotations

from oathward.protocols.fhir import verdicts
from oathward.protocols.fhir.edits import STRUCTURE, Run, Step
from oathward.protocols.fhir.elements import Element
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.rules import Rule


def ruled(step: Step, rules: tuple[Rule, ...]) -> Step:
    """Make the step of an object that goes where what is left of it would break a rule of R4."""

    def walk(value: Resource, run: Run) -> Resource | None:
        mark = run.mark()
        made: Resource | None = step(value, run)
        if made is None or all(rule.holds(made) for rule in rules):
            return made
        run.undo(mark)
        return None

    return walk


def substantial(step: Step, mains: frozenset[str]) -> Step:
    """Make the step of one thing, which goes with itself: a label or a period of nothing says nothing."""

    def walk(value: Resource, run: Run) -> Resource | None:
        mark = run.mark()
        made: Resource | None = step(value, run)
        if made is None or not mains.isdisjoint(made):
            return made
        if mains.isdisjoint(value) and any(cls != STRUCTURE for cls in run.kept[mark[0] :]):
            return made
        run.undo(mark)
        return None

    return walk


def observing(element: Element, step: Step, says: frozenset[str]) -> Step:
    """Make the step of an observation, or a component of one: its code first, and none without a value.

    Args:
        says: keys of its value and components.
    """
    top = element.kind == "Resource"

    def walk(value: Resource, run: Run) -> Resource | None:
        before, run.observed = run.observed, verdicts.observed(value.get("code") or {})
        made: Resource | None = step(value, run)
        run.observed = before
        if not top:
            run.observations += made is None
        elif made is not None and says.isdisjoint(made) and not says.isdisjoint(value):
            run.broken = True
        return made

    return walk
