"""An explanation as plain values: what pages, the JSON API and the command line show of one decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oathward.core.clock import from_micros
from oathward.policy.explain import Explanation, Step
from oathward.policy.model import TRANSPORT_CLASSES, Indeterminate, Permit


@dataclass(frozen=True, slots=True)
class StepTold:
    """One step of a decision: ``by`` names what it looked at, ``decides`` what the answer hangs on."""

    number: int
    name: str
    words: str
    by: list[str]
    decides: list[str]
    took: list[str]
    answers: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One decision explained. ``word``: ``permit``, ``deny`` or ``indeterminate``; ``codes``: that do not leave."""

    link: str
    word: str
    classes: list[str]
    reasons: list[str]
    decided_by: list[str]
    until: datetime | None
    withheld_codes: list[str]
    only_codes: list[str]
    for_care_anyway: bool
    steps: list[StepTold]


def told(found: Explanation) -> Told:
    """Write an explanation plainly."""
    answer = found.answer
    permit = found.care or (answer if isinstance(answer, Permit) else None)
    reasons = (
        ()
        if isinstance(answer, Permit)
        else ((answer.why,) if isinstance(answer, Indeterminate) else answer.reasons)
    )
    until_us = permit.valid_until_us if permit else None
    return Told(
        found.link,
        type(answer).__name__.lower(),
        sorted(found.passes - TRANSPORT_CLASSES),
        [one.code for one in reasons],
        list(found.decided_by),
        None if until_us is None else from_micros(until_us),
        sorted(permit.withheld) if permit else [],
        sorted(permit.only or ()) if permit else [],
        found.care is not None,
        [_step(one) for one in found.steps],
    )


def _step(one: Step) -> StepTold:
    by = [part.id for part in one.parts]
    decides = [part.id for part in one.parts if part.weight == "decides"]
    return StepTold(
        one.number, one.name, one.words, by, decides, sorted(one.took - TRANSPORT_CLASSES), one.answers
    )
